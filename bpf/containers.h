/* SPDX-License-Identifier: GPL-2.0 */
/* The containers there are: ccontainers. */
#ifndef CB_CONTAINERS_H
#define CB_CONTAINERS_H
#include "cb.h"

#define CONTAINER_LABELS 2032

/* One container; the head is its first process's. */
struct container_rec {
	struct cb_head h;
	__u64 started;	 /* UTC ns */
	__u32 tasks, processes;
	char labels[CONTAINER_LABELS]; /* last: only the used part is there */
};

/* What the iterator counts of one; to user space in a map. */
struct container_total {
	struct cb_head h; /* of its first process */
	__u32 tasks, processes;
	__u32 init; /* that one is the init of its pid namespace */
	__u32 pad;
};

#ifndef __bpf__
CB_SCHEMA(container, 1, "the containers there are", container_rec,
	  CB_FIELD(container_rec, started, CB_TIME, "container.started", "SINCE", CB_NONE, "when its first process began"),
	  CB_FIELD(container_rec, tasks, CB_UINT, "container.tasks", "TASKS", CB_NONE, "its processes and threads"),
	  CB_FIELD(container_rec, processes, CB_UINT, "container.processes", NULL, CB_NONE, "its processes"),
	  CB_FIELD(container_rec, labels, CB_ARGV, "container.labels", "LABELS", CB_NONE,
		   "labels, or annotations where the engine has no labels: KEY=VALUE, cut at 2032 bytes"))
#endif
#endif
