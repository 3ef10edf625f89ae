/* SPDX-License-Identifier: GPL-2.0 */
/* At the return of a system call, on that call's own tracepoint: its arguments, and whom and what they name. */
#ifndef CB_CALL_BPF_H
#define CB_CALL_BPF_H

/* The kernel gives out a task's registers (5.15). */
#define CB_TASK_REGS (cb_storage && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))

/* They still are the caller's. Older kernels keep their address in the first word of the call's record. */
static __always_inline struct pt_regs *cb_call_regs(void *ctx)
{
	struct pt_regs *regs = NULL;

	if (CB_TASK_REGS)
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	return regs;
}

/* n: from 1 */
static __always_inline __u64 cb_call_argument(struct pt_regs *regs, __u32 n)
{
	switch (n) {
	case 1: return PT_REGS_PARM1_CORE_SYSCALL(regs);
	case 2: return PT_REGS_PARM2_CORE_SYSCALL(regs);
	case 3: return PT_REGS_PARM3_CORE_SYSCALL(regs);
	case 4: return PT_REGS_PARM4_CORE_SYSCALL(regs);
	case 5: return PT_REGS_PARM5_CORE_SYSCALL(regs);
	}
	return 0;
}

static __always_inline struct file *cb_call_file(int fd)
{
	struct fdtable *table;
	struct file **all, *f = NULL;

	if (cb_storage) { /* then the current task's structures may be read without a call */
		table = bpf_get_current_task_btf()->files->fdt;
		if ((__u32)fd >= table->max_fds)
			return NULL;
		all = table->fd;
	} else {
		table = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), files, fdt);
		if ((__u32)fd >= BPF_CORE_READ(table, max_fds))
			return NULL;
		all = BPF_CORE_READ(table, fd);
	}
	bpf_probe_read_kernel(&f, sizeof(f), &all[fd]);
	return f;
}

#define CB_XA_LEVELS 6 /* of 64 entries each: more than any pid needs */

/*
 * A number in the pid namespace of the caller, found as kernel/pid.c find_pid_ns() does: in a tree of nodes
 * (include/linux/xarray.h), whose addresses are marked by the second lowest bit. A program of its own to the
 * verifier, which then looks at it once.
 */
__noinline __u64 cb_call_pid(__u32 nr)
{
	struct pid *own = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_pid);
	__u32 mask = bpf_core_field_size(((struct xa_node *)0)->slots) / sizeof(void *) - 1, level, at, shift;
	struct upid u = {};
	struct xa_node *node;
	void *entry;

	level = BPF_CORE_READ(own, level);
	bpf_core_read(&u, sizeof(u), &own->numbers[level & 31]);
	entry = BPF_CORE_READ(u.ns, idr.idr_rt.xa_head);
	for (int i = 0; i < CB_XA_LEVELS; i++) {
		if (((__u64)entry & 3) != 2 || (__u64)entry <= 4096)
			break;
		node = entry - 2;
		shift = BPF_CORE_READ(node, shift);
		at = nr >> (shift & 31);
		if (!i && at > mask)
			return 0;
		bpf_core_read(&entry, sizeof(entry), &node->slots[at & mask]);
	}
	return (__u64)entry & 3 ? 0 : (__u64)entry;
}

/* type: enum pid_type */
static __always_inline struct task_struct *cb_pid_task(struct pid *p, __u32 type)
{
	struct hlist_node *first = NULL;

	if (!p)
		return NULL;
	bpf_core_read(&first, sizeof(first), &p->tasks[type & 3].first);
	return first ? (void *)first - bpf_core_field_offset(struct task_struct, pid_links) - type * sizeof(*first) : NULL;
}

/* NULL: there is none */
static __always_inline struct task_struct *cb_call_task(__u32 nr)
{
	return cb_pid_task((struct pid *)cb_call_pid(nr), PIDTYPE_PID);
}
#endif
