/* SPDX-License-Identifier: GPL-2.0 */
/* What any program on these tracepoints costs at least: the base that others are measured against. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sys_enter")
int empty_enter(void *ctx)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int empty_exit(void *ctx)
{
	return 0;
}

SEC("tp")
int empty_call(void *ctx)
{
	return 0;
}
