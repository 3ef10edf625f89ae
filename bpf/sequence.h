/* SPDX-License-Identifier: GPL-2.0 */
/* Whole system call sequences, in chunks: ctop-syscalls -S. */
#ifndef CB_SEQUENCE_H
#define CB_SEQUENCE_H
#include "cb.h"

#define SEQ_CALLS 256

struct sequence_rec {
	struct cb_head h;
	__u64 first;
	__u16 calls[SEQ_CALLS]; /* last: only the used part */
};

#ifndef __bpf__
CB_SCHEMA(sequence, 1, "system calls of a thread in order", sequence_rec,
	  CB_FIELD(sequence_rec, first, CB_UINT, "syscall.first", "FIRST", CB_NONE,
		   "number of the chunk's first call in its stream: a thread since its start or its last exec"),
	  CB_FIELD(sequence_rec, calls, CB_SYSCALLS, "syscall.sequence", "CALLS", CB_SEQ, "the calls, one space between"))
#endif
#endif
