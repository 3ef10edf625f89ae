/* SPDX-License-Identifier: GPL-2.0 */
/* At the return of a system call, on that call's own tracepoint: its arguments, and whom and what they name. */
#ifndef CB_CALL_BPF_H
#define CB_CALL_BPF_H

const volatile bool cb_cast = false; /* the kernel has bpf_rdonly_cast(): set by the tool before load */

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define CB_CAST(p, type) ((struct type *)bpf_rdonly_cast((void *)(p), bpf_core_type_id_kernel(struct type)))

/* A pointer there as a number: with pointers that it knows the verifier lets nobody reckon, so one is read as another thing. */
#define CB_POINTER(p, type, member)                                                                                    \
	((__u64)CB_CAST((void *)(p) + bpf_core_field_offset(struct type, member), timespec64)->tv_sec)

/* A member of a kernel structure as a number: by a plain load where the kernel lets us, else by helper. */
#define CB_GET(p, type, member)                                                                                        \
	({                                                                                                             \
		struct type *p__ = (void *)(p);                                                                        \
		__u64 v__;                                                                                             \
		if (cb_cast)                                                                                           \
			v__ = (__u64)CB_CAST(p__, type)->member;                                                       \
		else                                                                                                   \
			v__ = (__u64)BPF_CORE_READ(p__, member);                                                       \
		v__;                                                                                                   \
	})

/* The same for a pointer. */
#define CB_LINK(p, type, member)                                                                                       \
	({                                                                                                             \
		__u64 v__;                                                                                             \
		if (cb_cast)                                                                                           \
			v__ = CB_POINTER(p, type, member);                                                             \
		else                                                                                                   \
			v__ = (__u64)BPF_CORE_READ((struct type *)(p), member);                                        \
		v__;                                                                                                   \
	})

static __always_inline __u64 cb_mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15;
	return h ^ (h >> 29);
}

/* ---- the caller ---- */

/* As cb_current_task() gives it, where the state is not wanted: NULL without task storage. */
static __always_inline struct task_struct *cb_call_self(void)
{
	return cb_storage ? bpf_get_current_task_btf() : NULL;
}

/* The kernel gives out a task's registers (5.15): typed pointers may be read without a call. */
#define CB_TASK_REGS (cb_storage && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))

/*
 * Of the call that returns: they still are the caller's. Older kernels have their address in the first word of the
 * call's record, which the verifier keeps programs from (perf_call_bpf_exit); newer ones have others there. t: of
 * cb_current_task() or cb_call_self().
 */
static __always_inline struct pt_regs *cb_call_regs(struct task_struct *t, void *ctx)
{
	struct pt_regs *regs = NULL;

	if (CB_TASK_REGS)
		return (void *)bpf_task_pt_regs(t);
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	return regs;
}

/* Read here, and not by an address made later, which the verifier refuses. */
static __always_inline long cb_call_result(struct trace_event_raw_sys_exit *ctx)
{
	long ret = ctx->ret;

	asm volatile("" : "+r"(ret));
	return ret;
}

/* n: from 1 */
static __always_inline __u64 cb_call_argument(struct pt_regs *regs, __u32 n)
{
	if (CB_TASK_REGS) {
		switch (n) {
		case 1: return PT_REGS_PARM1_SYSCALL(regs);
		case 2: return PT_REGS_PARM2_SYSCALL(regs);
		case 3: return PT_REGS_PARM3_SYSCALL(regs);
		case 4: return PT_REGS_PARM4_SYSCALL(regs);
		case 5: return PT_REGS_PARM5_SYSCALL(regs);
		}
		return 0;
	}
	switch (n) {
	case 1: return PT_REGS_PARM1_CORE_SYSCALL(regs);
	case 2: return PT_REGS_PARM2_CORE_SYSCALL(regs);
	case 3: return PT_REGS_PARM3_CORE_SYSCALL(regs);
	case 4: return PT_REGS_PARM4_CORE_SYSCALL(regs);
	case 5: return PT_REGS_PARM5_CORE_SYSCALL(regs);
	}
	return 0;
}

/* Of a call under way, by registers that were typed; of a program that was interrupted outside of any: no call's. */
static __always_inline int cb_call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return BPF_CORE_READ(regs, syscallno);
#endif
}

/*
 * The file of a descriptor. The table of files is an array of pointers, which only a helper can read; where casts are
 * allowed an element is read as a structure that is one pointer. t: as above.
 */
static __always_inline struct file *cb_call_file(struct task_struct *t, __u32 fd)
{
	struct fdtable *table;
	struct file **all, *f = NULL;

	if (cb_storage) {
		table = t->files->fdt;
		if (fd >= table->max_fds)
			return NULL;
		all = table->fd;
		if (cb_cast)
			return (void *)CB_CAST(&all[fd], llist_head)->first;
	} else {
		table = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), files, fdt);
		if (fd >= BPF_CORE_READ(table, max_fds))
			return NULL;
		all = BPF_CORE_READ(table, fd);
	}
	bpf_probe_read_kernel(&f, sizeof(f), &all[fd]);
	return f;
}

/* Programs are told apart by the file they run, whatever they call themselves. */
static __always_inline __u64 cb_call_program(void)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct inode *in = BPF_CORE_READ(t, mm, exe_file, f_inode);

	return cb_mix(BPF_CORE_READ(in, i_ino), BPF_CORE_READ(in, i_sb, s_dev));
}

/* ---- mounts ---- */

/* Where a mount belongs to another mount namespace than the caller's. A file system of the kernel's own belongs to none. */
static __always_inline struct mnt_namespace *cb_foreign_mounts(struct vfsmount *vm)
{
	struct mount *m = (void *)vm - bpf_core_field_offset(struct mount, mnt);
	__u64 there = CB_LINK(m, mount, mnt_ns), here;

	if (cb_storage)
		here = (__u64)bpf_get_current_task_btf()->nsproxy->mnt_ns;
	else
		here = (__u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), nsproxy, mnt_ns);
	/* that of the kernel has an error number there */
	return there == here || there > -4096UL ? NULL : (void *)there;
}

/* Whose mounts these are, 0: the host's. False: not known. */
static __always_inline bool cb_mounts_owner(__u32 inum, __u64 *ret)
{
	__u64 *cont = bpf_map_lookup_elem(&cb_mntnss, &inum);

	if (cont)
		*ret = *cont;
	else if (cb_host_mounts(inum))
		*ret = 0;
	return cont || cb_host_mounts(inum);
}

/* ---- whom a call names ---- */

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
