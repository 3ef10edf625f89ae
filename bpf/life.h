/* SPDX-License-Identifier: GPL-2.0 */
/* What every collector's kernel half tells its user half beside records: new containers, programs, ends. */
#ifndef CB_LIFE_H
#define CB_LIFE_H
#include "cb.h"

#define LIFE_NAMES 1024 /* bytes of path names; one more name of up to 255 may follow */

enum { LIFE_EXEC = 1, LIFE_CONT = 2, LIFE_GONE = 3, LIFE_PEEK = 4, LIFE_SOON = 5 };

/*
 * names: a path as its components, deepest first, each with its NUL; user space turns it round.
 * LIFE_EXEC: the executable as the process's own root sees it. LIFE_CONT: the cgroup. LIFE_SOON: none; h.ppid is who
 * prepares a container in the cgroup of h.cont.
 */
struct cb_life {
	__u32 what;
	__u32 size; /* of this record, as sent: the iterator's output is a stream */
	struct cb_head h;
	__u32 len; /* used bytes of names */
	__u32 cut; /* names did not fit */
	char names[LIFE_NAMES + 256];
};

/* A copy of a record not yet full, from the iterator (LIFE_PEEK): the tool's own record follows. */
struct cb_peek {
	__u32 what;
	__u32 size; /* with this header */
};

/* One per CPU. seen = sent + filtered + lost, counted in what the tool counts: records, or calls. */
struct cb_stats {
	__u64 seen, sent, lost;
	__u64 pending;	/* lost since the last that was sent: goes into its head */
	__u64 nostate;	/* a task that could not get its state, later repaired by the iterator */
	__u64 life_lost; /* life records that found no room */
};

#endif
