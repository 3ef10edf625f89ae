/* SPDX-License-Identifier: GPL-2.0 */
/* What the system call probe sends: calls of one thread in order, numbered, so that a loss is known to the call. */
#ifndef CB_CHUNK_H
#define CB_CHUNK_H
#include "cb.h"

/* as many as fit into the same 512 bytes */
#define CHUNK_SEQUENCE 256
#define CHUNK_CALLS 128
#define CHUNK_TOOK 64
#define CHUNK_ERR_SHIFT 16
#define CHUNK_NR_NONE 0x3fe /* numbers from here are no calls of any kernel */
#define CHUNK_NR_SIGRETURN 0x3ff /* sys_exit does not know the number of rt_sigreturn */

/* cb_chunk's last member, by what is asked for */
enum chunk_mode {
	CHUNK_COUNTS,    /* ret: call number, and errno of a failed call above it */
	CHUNK_SEQUENCES, /* call: call number */
	CHUNK_LATENCY,   /* took: as ret, and the time above it (chunk_time) */
};

/* A time in 32 bits: nanoseconds below 2 s, else units of 2^20 ns with the top bit set. */
#define CHUNK_LONG 0x80000000u

struct cb_chunk {
	struct cb_head h;
	__u64 first;    /* number of the first call below, in its stream (thread since start or last exec) */
	__u64 began_ns; /* when the chunk was begun */
	__u64 thread_ns; /* thread creation: with the tid, which stream */
	__u32 n;
	__u32 last; /* the stream ends here */
	union {
		__u16 call[CHUNK_SEQUENCE];
		__u32 ret[CHUNK_CALLS];
		__u64 took[CHUNK_TOOK];
	};
};

/*
 * Where the calls of a sequence are put first. A thread has a seat on the CPU it runs on, and nobody else writes there:
 * finding it takes no look-up of the thread. Where another has the place that would be its own it does without.
 */
#define CHUNK_SEAT_CALLS 120
#define CHUNK_SEAT_BITS 8
#define CHUNK_SEATS (1u << CHUNK_SEAT_BITS) /* of a CPU */

struct chunk_seat {
	__u64 owner; /* address of its task, 0: free */
	__u32 n;
	__u32 pad;
	__u16 call[CHUNK_SEAT_CALLS];
};
#endif
