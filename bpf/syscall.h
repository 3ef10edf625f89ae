/* SPDX-License-Identifier: GPL-2.0 */
/* System call counts: ctop-syscalls. */
#ifndef CB_SYSCALL_H
#define CB_SYSCALL_H
#include "cb.h"

struct syscall_rec {
	struct cb_head h;
	__u64 count;
	__u64 errors;
	double rate;
	__u16 nr;
	__u16 distinct;
	char errors_by[132];
	__u64 mean_ns;
	__u64 p50_ns;
	__u64 p99_ns;
	char hist[512];
};

#ifndef __bpf__
CB_SCHEMA(syscall, 1, "system calls by container or process, per interval", syscall_rec,
	  CB_FIELD(syscall_rec, nr, CB_SYSCALL, "syscall.name", "CALL", CB_NONE, "system call"),
	  CB_FIELD(syscall_rec, count, CB_UINT, "syscall.count", "COUNT", CB_RATE, "calls that returned in the interval"),
	  CB_FIELD(syscall_rec, rate, CB_FLOAT, "syscall.rate", "RATE/S", CB_NONE, "calls a second"),
	  CB_FIELD(syscall_rec, errors, CB_UINT, "syscall.errors", "ERRORS", CB_RATE, "calls that failed"),
	  CB_FIELD(syscall_rec, distinct, CB_UINT, "syscall.errors_distinct", NULL, CB_NONE, "different errors"),
	  CB_FIELD(syscall_rec, errors_by, CB_STR, "syscall.errors_by", "BY ERROR", CB_NONE, "errors by name, most first, NAME:COUNT"),
	  CB_FIELD(syscall_rec, mean_ns, CB_DURATION, "syscall.latency_mean_ns", "MEAN NS", CB_NONE, "-L: mean time in the call"),
	  CB_FIELD(syscall_rec, p50_ns, CB_DURATION, "syscall.latency_p50_ns", "P50 NS", CB_NONE,
		   "-L: half of the calls took less (to 1/16)"),
	  CB_FIELD(syscall_rec, p99_ns, CB_DURATION, "syscall.latency_p99_ns", "P99 NS", CB_NONE,
		   "-L: 99 of 100 calls took less (to 1/16)"),
	  CB_FIELD(syscall_rec, hist, CB_HIST, "syscall.latency_hist", NULL, CB_NONE,
		   "-L: calls by time, LOWER_NS:COUNT for each power of two"))
#endif
#endif
