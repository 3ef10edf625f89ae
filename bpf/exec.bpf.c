/* SPDX-License-Identifier: GPL-2.0 */
/* Process starts and ends of watched tasks, and execs that failed. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "exec.h"
#include "magic.h"

/* cb_head.kind is the schema's index; what happened goes into its upper byte */
enum { EXEC_START = 0x000, EXEC_EXIT = 0x100, EXEC_FAILED = 0x200 };

const volatile bool want_args = true;

#define CB_STATE_DATA                                                                                                  \
	const char *asked; /* execve's file and arguments as given, from its entry to its return */                    \
	const char *const *argv;

struct cb_state;
struct task_struct;
struct linux_binprm;
static __always_inline void exec_started(struct cb_state *s, struct task_struct *t, struct linux_binprm *b);
static __always_inline void exec_ended(struct cb_state *s, struct task_struct *t);

#define CB_ON_EXEC(ctx, s, t, bprm) exec_started(s, t, bprm)
#define CB_ON_EXIT(ctx, s, t, last)                                                                                    \
	do {                                                                                                           \
		if (last)                                                                                              \
			exec_ended(s, t);                                                                              \
	} while (0)

#include "task.bpf.h"

#define TMPFS_MAGIC 0x01021994

/* of a failed exec's arguments: how many, and bytes of each (a loop that the verifier follows to its end) */
#define WORDS 24
#define WORD 128

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_rec);
} rooms SEC(".maps");

/* kernel_cap_t changed its shape in 6.3, not its bytes */
static __always_inline __u64 capabilities(struct task_struct *t)
{
	const struct cred *c = BPF_CORE_READ(t, cred);
	__u64 caps = 0;

	bpf_probe_read_kernel(&caps, sizeof(caps), (void *)c + bpf_core_field_offset(struct cred, cap_effective));
	return caps;
}

static __always_inline struct exec_rec *room(struct cb_state *s, struct task_struct *t, __u16 kind)
{
	struct task_struct *lead = t->group_leader, *parent = BPF_CORE_READ(t, real_parent);
	__u32 zero = 0;
	struct exec_rec *r = bpf_map_lookup_elem(&rooms, &zero);

	if (!r)
		return NULL;
	r->h = s->h;
	r->h.kind = kind;
	r->h.time_ns = bpf_ktime_get_boot_ns();
	r->h.uid = BPF_CORE_READ(t, cred, uid.val);
	bpf_core_read(r->h.comm, sizeof(r->h.comm), &t->comm);
	r->gid = BPF_CORE_READ(t, cred, gid.val);
	r->caps = capabilities(t);
	r->lifetime_ns = r->h.time_ns - BPF_CORE_READ(lead, start_boottime);
	r->error = r->code = r->signal = 0;
	__builtin_memset(r->origin, 0, sizeof(r->origin));
	__builtin_memset(r->requested, 0, 8);
	__builtin_memset(r->lineage, 0, 8);
	r->args[0] = 0;
	bpf_core_read(r->parent, sizeof(r->parent), &parent->comm);
	return r;
}

/* Names from the parent up to the container's init; on the host up to eight. */
static __always_inline void lineage(struct exec_rec *r, struct task_struct *t)
{
	__u32 pos = 0, ns;
	struct task_struct *p = t;

	for (int i = 0; i < 8; i++) {
		long n;

		if (cb_pid_at(p, cb_level + 1, &ns) == 1)
			break;
		p = BPF_CORE_READ(p, real_parent, group_leader);
		if (!p || BPF_CORE_READ(p, pid) == 0 || pos > EXEC_LINEAGE - CB_COMM - 2)
			break;
		if (pos) {
			r->lineage[pos & (EXEC_LINEAGE - 1)] = '<';
			pos++;
		}
		n = bpf_probe_read_kernel_str(&r->lineage[pos & (EXEC_LINEAGE - 1)], CB_COMM, p->comm);
		if (n <= 0 || n > CB_COMM)
			break;
		pos += n - 1;
	}
}

/*
 * Where the file came from. On overlayfs the upper dentry follows the inode (fs/overlayfs/ovl_entry.h, 4.19 on):
 * set when the file was changed or made since the image.
 */
static __always_inline void origin(struct exec_rec *r, struct file *f)
{
	struct inode *in = BPF_CORE_READ(f, f_inode);
	__u64 magic = BPF_CORE_READ(in, i_sb, s_magic), upper = 0;
	char name[8] = {};

	if (magic == TMPFS_MAGIC) {
		bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(f, f_path.dentry, d_name.name));
		if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
		    name[5] == ':') {
			__builtin_memcpy(r->origin, "memfd", 6);
			return;
		}
	}
	if (!BPF_CORE_READ(in, i_nlink)) {
		__builtin_memcpy(r->origin, "deleted", 8);
		return;
	}
	if (magic != CB_MAGIC_OVERLAY) {
		__builtin_memcpy(r->origin, "other", 6);
		return;
	}
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)in + bpf_core_type_size(struct inode));
	if (upper)
		__builtin_memcpy(r->origin, "changed", 8);
	else
		__builtin_memcpy(r->origin, "image", 6);
}

static __always_inline void send(struct exec_rec *r, __u32 args)
{
	cb_send(r, __builtin_offsetof(struct exec_rec, args) + (args & (EXEC_ARGS * 2 - 1)), 1, false);
}

static __always_inline void exec_started(struct cb_state *s, struct task_struct *t, struct linux_binprm *b)
{
	struct exec_rec *r = room(s, t, EXEC_START);
	unsigned long from, to;
	__u32 n = 0;

	if (!r || (s->h.flags & CB_F_DROP))
		return;
	r->h.time_ns = s->h.time_ns;
	lineage(r, t);
	origin(r, b->file);
	if (bpf_probe_read_kernel_str(r->requested, sizeof(r->requested), b->filename) == sizeof(r->requested))
		r->h.flags |= CB_F_CUT;
	from = BPF_CORE_READ(t, mm, arg_start);
	to = BPF_CORE_READ(t, mm, arg_end);
	if (want_args && to > from) {
		if (to - from > EXEC_ARGS)
			r->h.flags |= CB_F_CUT;
		n = to - from > EXEC_ARGS ? EXEC_ARGS : to - from;
		if (n > EXEC_ARGS || bpf_probe_read_user(r->args, n, (void *)from))
			n = 0;
	}
	send(r, n);
}

static __always_inline void exec_ended(struct cb_state *s, struct task_struct *t)
{
	struct exec_rec *r = room(s, t, EXEC_EXIT);
	int code;

	if (!r || (s->h.flags & CB_F_DROP))
		return;
	/* kernel/exit.c do_group_exit(): the group's code is set unless the last thread simply returned */
	code = t->signal->group_exit_code;
	if (!code)
		code = t->exit_code;
	r->code = (code >> 8) & 0xff;
	r->signal = code & 0x7f;
	lineage(r, t);
	send(r, 0);
}

/* -x: the two calls' own tracepoints, so that nothing else pays */
static __always_inline int asked(const char *file, const char *const *argv)
{
	struct cb_state *s = cb_current();

	if (s) {
		s->asked = file;
		s->argv = argv;
	}
	return 0;
}

SEC("tp/syscalls/sys_enter_execve")
int failed_execve_enter(struct trace_event_raw_sys_enter *ctx)
{
	return asked((const char *)ctx->args[0], (const char *const *)ctx->args[1]);
}

SEC("tp/syscalls/sys_enter_execveat")
int failed_execveat_enter(struct trace_event_raw_sys_enter *ctx)
{
	return asked((const char *)ctx->args[1], (const char *const *)ctx->args[2]);
}

static __always_inline int failed(long ret)
{
	struct cb_state *s = cb_current();
	struct task_struct *t = (void *)bpf_get_current_task();
	struct exec_rec *r;
	__u32 pos = 0, zero = 0;

	if (!s || ret >= 0 || (s->h.flags & CB_F_DROP))
		return 0;
	r = bpf_map_lookup_elem(&rooms, &zero);
	if (!r)
		return 0;
	__builtin_memset(r, 0, __builtin_offsetof(struct exec_rec, requested));
	r->h = s->h;
	r->h.kind = EXEC_FAILED;
	r->h.time_ns = bpf_ktime_get_boot_ns();
	r->error = -ret;
	r->gid = BPF_CORE_READ(t, cred, gid.val);
	r->caps = capabilities(t);
	bpf_core_read(r->h.comm, sizeof(r->h.comm), &t->comm);
	bpf_probe_read_kernel_str(r->parent, sizeof(r->parent), BPF_CORE_READ(t, real_parent, comm));
	__builtin_memset(r->lineage, 0, 8);
	__builtin_memset(r->requested, 0, 8);
	lineage(r, t);
	/* the kernel has read both by now, so they are in memory */
	if (bpf_probe_read_user_str(r->requested, sizeof(r->requested), s->asked) == sizeof(r->requested))
		r->h.flags |= CB_F_CUT;
	for (int i = 0; want_args && i <= WORDS; i++) {
		const char *word = NULL;
		long n;

		if (bpf_probe_read_user(&word, sizeof(word), &s->argv[i]) || !word)
			break;
		if (i == WORDS || pos >= EXEC_ARGS - WORD) {
			r->h.flags |= CB_F_CUT;
			break;
		}
		n = bpf_probe_read_user_str(&r->args[pos & (EXEC_ARGS - 1)], WORD, word);
		if (n <= 0)
			break;
		if (n == WORD)
			r->h.flags |= CB_F_CUT;
		pos += n;
	}
	send(r, pos & (EXEC_ARGS - 1));
	return 0;
}

SEC("tp/syscalls/sys_exit_execve")
int failed_execve(struct trace_event_raw_sys_exit *ctx)
{
	return failed(ctx->ret);
}

SEC("tp/syscalls/sys_exit_execveat")
int failed_execveat(struct trace_event_raw_sys_exit *ctx)
{
	return failed(ctx->ret);
}
