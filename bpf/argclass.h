/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Classes of system calls by an argument, where that tells more than the call: "socket:packet". In a sequence
 * the class stands in place of the call. To add one, append a line: call, argument (0..5), mask, value, name.
 * The first line of a call that fits wins. Lines are numbered in streams only while they are in the kernel,
 * so their order is free.
 */
#ifndef CB_ARGCLASS_H
#define CB_ARGCLASS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define CB_ARGCLASS_BASE 0x400 /* call numbers from here to 0x7ff are lines of the table */
#define CB_ARGCLASS_MAX 127
#define CB_ARGCLASS_CALLS 512
/*
 * Calls that have many lines, all for single values of the first argument (prctl), would pay for every line that
 * does not fit: theirs are spread over the value's low bits.
 */
#define CB_ARGCLASS_SPREADS 8
#define CB_ARGCLASS_SPREAD 64

/* Where a call's lines begin: number + 1 of its first, 0 none; above CB_ARGCLASS_MAX, that of a spread. */
struct cb_argtable {
	__u8 first[CB_ARGCLASS_CALLS];
	__u8 spread[CB_ARGCLASS_SPREADS][CB_ARGCLASS_SPREAD];
};

/* one line as the kernel half has it; next: number + 1 of the call's next line, 0 none */
struct cb_argrule {
	__u64 mask, value;
	__u8 arg;
	__u8 deref; /* the argument points at the 64 bits meant (clone3) */
	__u8 next;
	__u8 pad[5];
};

#ifndef __bpf__
struct cb_argclass {
	const char *call;
	int arg;
	unsigned long long mask, value;
	const char *name;
	int deref;
};

/* clang-format off */
static const struct cb_argclass cb_argclasses[] = {
	{ "socket", 0, 0xff, 17, "socket:packet" },
	{ "socket", 1, 0x0f, 3, "socket:raw" },
	{ "socket", 0, 0xff, 16, "socket:netlink" },
	{ "socket", 0, 0xff, 1, "socket:unix" },
	{ "socket", 0, 0xff, 2, "socket:inet" },
	{ "socket", 0, 0xff, 10, "socket:inet6" },
	{ "socket", 0, 0xff, 38, "socket:alg" },
	{ "socket", 0, 0xff, 40, "socket:vsock" },
	{ "mmap", 2, 0x6, 0x6, "mmap:wx" },
	{ "mprotect", 2, 0x6, 0x6, "mprotect:wx" },
	{ "mprotect", 2, 0x4, 0x4, "mprotect:x" },
	{ "pkey_mprotect", 2, 0x6, 0x6, "pkey_mprotect:wx" },
	{ "clone", 0, 0x10000000, 0x10000000, "clone:newuser" },
	{ "clone", 0, 0x00020000, 0x00020000, "clone:newns" },
	{ "clone", 0, 0x20000000, 0x20000000, "clone:newpid" },
	{ "clone", 0, 0x40000000, 0x40000000, "clone:newnet" },
	{ "clone", 0, 0x00010000, 0x00010000, "clone:thread" },
	{ "clone3", 0, 0x10000000, 0x10000000, "clone3:newuser", 1 },
	{ "clone3", 0, 0x00020000, 0x00020000, "clone3:newns", 1 },
	{ "clone3", 0, 0x20000000, 0x20000000, "clone3:newpid", 1 },
	{ "clone3", 0, 0x40000000, 0x40000000, "clone3:newnet", 1 },
	{ "clone3", 0, 0x00010000, 0x00010000, "clone3:thread", 1 },
	{ "unshare", 0, 0x10000000, 0x10000000, "unshare:newuser" },
	{ "unshare", 0, 0x00020000, 0x00020000, "unshare:newns" },
	{ "unshare", 0, 0x40000000, 0x40000000, "unshare:newnet" },
	{ "setns", 1, 0x10000000, 0x10000000, "setns:user" },
	{ "setns", 1, 0x00020000, 0x00020000, "setns:mnt" },
	{ "setns", 1, 0x20000000, 0x20000000, "setns:pid" },
	{ "setns", 1, 0x40000000, 0x40000000, "setns:net" },
	{ "ptrace", 0, 0xffffffff, 0, "ptrace:traceme" },
	{ "ptrace", 0, 0xffffffff, 16, "ptrace:attach" },
	{ "ptrace", 0, 0xffffffff, 0x4206, "ptrace:seize" },
	{ "ptrace", 0, 0xffffffff, 4, "ptrace:poke" },
	{ "ptrace", 0, 0xffffffff, 5, "ptrace:poke" },
	{ "ptrace", 0, 0xffffffff, 13, "ptrace:setregs" },
	{ "ptrace", 0, 0xffffffff, 0x4205, "ptrace:setregs" },
	{ "prctl", 0, 0xffffffff, 4, "prctl:dumpable" },
	{ "prctl", 0, 0xffffffff, 15, "prctl:name" },
	{ "prctl", 0, 0xffffffff, 22, "prctl:seccomp" },
	{ "prctl", 0, 0xffffffff, 24, "prctl:capbset" },
	{ "prctl", 0, 0xffffffff, 35, "prctl:mm" },
	{ "prctl", 0, 0xffffffff, 38, "prctl:nnp" },
	{ "prctl", 0, 0xffffffff, 0x59616d61, "prctl:ptracer" },
	{ "bpf", 0, 0xffffffff, 0, "bpf:map_create" },
	{ "bpf", 0, 0xffffffff, 5, "bpf:prog_load" },
	{ "bpf", 0, 0xffffffff, 17, "bpf:raw_tp" },
	{ "mount", 3, 0x20, 0x20, "mount:remount" },
	{ "mount", 3, 0x1000, 0x1000, "mount:bind" },
	{ "mount", 3, 0x2000, 0x2000, "mount:move" },
	{ "memfd_create", 1, 0x10, 0x10, "memfd_create:exec" },
};
/* clang-format on */
#endif
#endif
