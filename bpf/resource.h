/* SPDX-License-Identifier: GPL-2.0 */
/* What containers use of the machine: cresource. */
#ifndef CB_RESOURCE_H
#define CB_RESOURCE_H
#include "cb.h"

/* One container in one interval; times and counts are of the interval, sizes and numbers of its end. */
struct resource_rec {
	struct cb_head h;
	__u64 cpu_ns, user_ns, system_ns;
	double percent;
	__u64 throttled_ns, throttled, delay_ns;
	__u64 memory, limit, anon, file;
	__u64 faults, major_faults, oom_kills;
	__u64 read_bytes, write_bytes;
	__u64 rx_bytes, tx_bytes, rx_packets, tx_packets, rx_dropped, tx_dropped;
	__u64 tasks, forks, threads, execs, fds;
	char source[72];
};

/* ---- between the probe and the tool only ---- */

/* What tasks have used, from the kernel's own sums in each of them. */
struct resource_use {
	__u64 runtime, utime, stime; /* ns */
	__u64 delay;		     /* ns, waiting for a CPU */
	__u64 minor, major;	     /* page faults */
	__u64 read_bytes;	     /* from block devices */
	__u64 write_bytes;	     /* made dirty or written directly, less what was thrown away before it was written */
};

/* What a container has now. */
struct resource_level {
	__u64 tasks, fds;
};

/* Of a container, since it is watched; memory is as the last pass found it. */
struct resource_total {
	struct resource_use use;
	__u64 forks, threads, execs, oom_kills;
	__u64 rx_bytes, tx_bytes;	  /* payload of its sockets, where it uses the host's network */
	__u64 opened_ns;
	struct resource_level level[2];	  /* kept by this count, in [count & 1], and by the one before */
	__u64 memory_pages, limit_pages;
	__u32 count;
	__u32 pass;			  /* the last that looked at all tasks and found one of it */
	__u32 memory_found;		  /* memory_*: only when found */
	__u32 memory_pass;		  /* the pass that found them: where no task ran they are as they were */
	__u32 pid, pidns;		  /* its init, as the host sees it, and the namespace that init made (0: none) */
	__u32 known;			  /* it was there before the tool */
};

enum { RESOURCE_OPENED = 1, RESOURCE_GONE = 2, RESOURCE_PROCESS = 3 };

/* To the tool, in the ring: a container turned up, its init ended; from the iterator: one of its processes. */
struct resource_note {
	struct cb_head h;
	__u32 what, pad;
	struct resource_total total;
};

#ifndef __bpf__
CB_SCHEMA(resource, 1, "what a container uses, per interval", resource_rec,
	  CB_FIELD(resource_rec, cpu_ns, CB_DURATION, "container.cpu.time_ns", NULL, CB_RATE, "CPU time used in the interval"),
	  CB_FIELD(resource_rec, percent, CB_FLOAT, "container.cpu.percent", "CPU%", CB_NONE, "the same as a share of one CPU, in per cent"),
	  CB_FIELD(resource_rec, user_ns, CB_DURATION, "container.cpu.user_ns", NULL, CB_NONE, "part of it in programs"),
	  CB_FIELD(resource_rec, system_ns, CB_DURATION, "container.cpu.system_ns", NULL, CB_NONE, "part of it in the kernel"),
	  CB_FIELD(resource_rec, throttled_ns, CB_DURATION, "container.cpu.throttled_ns", NULL, CB_NONE,
		   "time it was held back by its CPU quota"),
	  CB_FIELD(resource_rec, throttled, CB_UINT, "container.cpu.throttled_periods", NULL, CB_NONE,
		   "periods in which it was held back by its CPU quota"),
	  CB_FIELD(resource_rec, delay_ns, CB_DURATION, "container.cpu.delay_ns", NULL, CB_NONE,
		   "time its tasks were ready and waited for a CPU, summed over them"),
	  CB_FIELD(resource_rec, memory, CB_BYTES, "container.memory.usage_bytes", "MEMORY", CB_NONE,
		   "memory charged to it at the end of the interval, file cache included"),
	  CB_FIELD(resource_rec, limit, CB_BYTES, "container.memory.limit_bytes", NULL, CB_NONE, "its memory limit, 0: none"),
	  CB_FIELD(resource_rec, anon, CB_BYTES, "container.memory.anon_bytes", NULL, CB_LEVEL,
		   "memory of its programs that is no file's: heap, stacks"),
	  CB_FIELD(resource_rec, file, CB_BYTES, "container.memory.file_bytes", NULL, CB_NONE, "file cache and shared memory"),
	  CB_FIELD(resource_rec, faults, CB_UINT, "container.memory.faults", NULL, CB_NONE, "page faults, those that read a disk included"),
	  CB_FIELD(resource_rec, major_faults, CB_UINT, "container.memory.major_faults", NULL, CB_NONE,
		   "page faults that read a disk"),
	  CB_FIELD(resource_rec, oom_kills, CB_UINT, "container.memory.oom_kills", NULL, CB_RATE,
		   "processes killed because memory had run out"),
	  CB_FIELD(resource_rec, read_bytes, CB_BYTES, "container.disk.read_bytes", "READ", CB_RATE, "read from block devices"),
	  CB_FIELD(resource_rec, write_bytes, CB_BYTES, "container.disk.write_bytes", "WRITTEN", CB_RATE,
		   "written, or to be written, to block devices"),
	  CB_FIELD(resource_rec, rx_bytes, CB_BYTES, "container.network.rx_bytes", "RX", CB_RATE, "received over the network"),
	  CB_FIELD(resource_rec, tx_bytes, CB_BYTES, "container.network.tx_bytes", "TX", CB_RATE, "sent over the network"),
	  CB_FIELD(resource_rec, rx_packets, CB_UINT, "container.network.rx_packets", NULL, CB_NONE, "packets received"),
	  CB_FIELD(resource_rec, tx_packets, CB_UINT, "container.network.tx_packets", NULL, CB_NONE, "packets sent"),
	  CB_FIELD(resource_rec, rx_dropped, CB_UINT, "container.network.rx_dropped", NULL, CB_NONE,
		   "packets dropped on the way in"),
	  CB_FIELD(resource_rec, tx_dropped, CB_UINT, "container.network.tx_dropped", NULL, CB_NONE,
		   "packets dropped on the way out"),
	  CB_FIELD(resource_rec, tasks, CB_UINT, "container.tasks", "TASKS", CB_LEVEL, "its processes and threads at the end of the interval"),
	  CB_FIELD(resource_rec, forks, CB_UINT, "container.process.forks", "FORKS", CB_RATE, "processes started"),
	  CB_FIELD(resource_rec, threads, CB_UINT, "container.thread.starts", NULL, CB_RATE, "threads started"),
	  CB_FIELD(resource_rec, execs, CB_UINT, "container.process.execs", "EXECS", CB_RATE, "programs started"),
	  CB_FIELD(resource_rec, fds, CB_UINT, "container.descriptors", "FDS", CB_LEVEL, "open file descriptors at the end of the interval"),
	  CB_FIELD(resource_rec, source, CB_STR, "container.resource.source", NULL, CB_NONE,
		   "who counted: cpu, memory, disk by its cgroup or its tasks; network by its devices, its sockets or none"))
#endif
#endif
