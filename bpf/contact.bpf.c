/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who does something to a process, a namespace or the files of another container, or of the host, or the host to a
 * container's. Whoever acts is told by its task state, as everywhere; whom it is done to by its namespaces, since
 * what the kernel has of it is often no more than an address. What is repeated is counted in a table.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "contact.h"
#include "magic.h"

const volatile bool inside = false;	 /* also between processes of one container */
const volatile bool only_failed = false; /* -x */
const volatile bool by_process = false;	 /* each process is counted by itself */
const volatile struct contact_call calls[CONTACT_CALLS] = {};
/* numbers of the calls that let the sender say what kind of signal it is; ~0: this machine has no such */
const volatile int queue_calls[CONTACT_QUEUE_CALLS] = { -1, -1, -1 };

#define CB_STATE_DATA                                                                                                  \
	__u32 queueing; /* in one of queue_calls, where registers do not tell */                                       \
	__u32 unused;

struct cb_state;
struct linux_binprm;
static __always_inline void contact_exec(struct cb_state *s, struct linux_binprm *b);

#define CB_ON_EXEC(ctx, s, t, bprm) contact_exec(s, bprm)

#include "task.bpf.h"
#include "call.bpf.h"

#define TURN_KEY struct contact_key
#define TURN_COUNT struct contact_count
#define TURN_TABLE CONTACT_TABLE
#include "turn.bpf.h"

#define NSFS_MAGIC 0x6e736673
#define PID_FS_MAGIC 0x50494446
#define ANON_INODE_FS_MAGIC 0x09041934
#define FMODE_WRITE 0x2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define CLONE_NEWNS 0x00020000
#define CLONE_NEWPID 0x20000000
#define EPERM 1
#define EBADF 9
#define EACCES 13
#define SI_TKILL -6
#define SI_QUEUE -1
#define CALL_MASK (CONTACT_CALLS - 1)

/* what was told already: only what is new is told at once */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct contact_key);
	__type(value, __u8);
} told SEC(".maps");

/*
 * Who has a file open or had it, so that it is told when one container writes what another uses, or reads what another
 * wrote. Of many files the ones used last are kept. No lock: of two first opens at once one may be forgotten.
 */
#define SHARERS 4
struct inode_key {
	__u64 ino;
	__u32 dev;
	__u32 gen; /* the number is given again when the file is gone */
};
struct sharers {
	__u64 cont[SHARERS];
	__u8 wrote[SHARERS];
	__u32 next; /* to be forgotten, when there are more */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONTACT_FILES);
	__type(key, struct inode_key);
	__type(value, struct sharers);
} shared_files SEC(".maps");

/* name: of a file, padded with zeros */
struct room {
	struct contact_count c;
	char name[CONTACT_NAME];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

static __always_inline struct room *get_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rooms, &zero);
}

/* Functions that are not static are programs of their own to the verifier: looked at once. */

/* ---- who ---- */

/* Whose a process is that may be just an address. What an engine is still building is no container yet. */
__noinline __u64 cont_of(__u64 task)
{
	struct task_struct *t = (void *)task, *lead;
	struct cb_place at;

	if (!cb_storage) {
		__u32 tid = BPF_CORE_READ(t, pid);
		struct cb_state *s = bpf_map_lookup_elem(&cb_states_tid, &tid);

		if (s)
			return s->h.cont;
	}
	lead = BPF_CORE_READ(t, group_leader);
	cb_locate(lead, &at);
	return at.key && bpf_map_lookup_elem(&cb_conts, &at.key) && !cb_runtime_stage(lead, &at) ? at.key : 0;
}

static __always_inline __u32 own_number(struct task_struct *t)
{
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	__u32 ns;

	return p ? cb_pid_at(t, BPF_CORE_READ(p, level), &ns) : 0;
}

/* As cb_fill(), for a process of the host that nobody watches. */
static __always_inline void fill_host(struct cb_head *h, struct task_struct *t)
{
	struct task_struct *lead = BPF_CORE_READ(t, group_leader);
	__u32 ns;

	h->pid = cb_pid_at(lead, cb_level, &ns);
	h->tid = cb_pid_at(t, cb_level, &ns);
	h->ppid = cb_pid_at(BPF_CORE_READ(t, real_parent, group_leader), cb_level, &ns);
	h->vpid = own_number(lead);
	h->start_ns = BPF_CORE_READ(lead, start_boottime);
	h->exec_id = h->start_ns | 0xff;
}

static __always_inline void fill(struct contact_note *n, struct cb_state *s, struct task_struct *target)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	if (s)
		n->h = s->h;
	else
		fill_host(&n->h, t);
	n->h.kind = 0;
	n->h.time_ns = bpf_ktime_get_boot_ns();
	n->h.uid = BPF_CORE_READ(t, cred, uid.val);
	bpf_core_read(n->h.comm, sizeof(n->h.comm), &t->comm);
	if (!target)
		return;
	n->vpid = own_number(target);
	n->start_ns = BPF_CORE_READ(target, start_boottime);
	bpf_core_read(n->comm, sizeof(n->comm), &target->comm);
}

/* Sessions from outside are others than the container's own. */
static __always_inline __u64 program_of(struct cb_state *s)
{
	if (by_process)
		return bpf_get_current_pid_tgid() >> 32;
	return cb_call_program() << 1 ^ (s ? s->h.flags & CB_F_ENTERED : 0);
}

/* ---- counting ---- */

/* One container that finds ever new ways must not hide what another does. */
static __always_inline bool admit(__u64 from, __u32 now)
{
	struct share *have = bpf_map_lookup_elem(&shares, &from);

	if (turn_share(have, now) >= (turn_full(now) ? CONTACT_SMALL : CONTACT_SHARE))
		return false;
	turn_take(have, from, now);
	return true;
}

/* What is new is told at once, the rest is counted, and nothing twice. */
static __always_inline int count(struct contact_count *room)
{
	struct contact_key *k = &room->n.key;
	struct cb_stats *st = cb_stat();
	struct contact_count *c;
	__u32 now = turn;
	__u8 yes = 1;
	int made = 1;

	if (!st)
		return 0;
	st->seen++;
	c = turn_find(now, k);
	if (!c && !admit(k->from, now)) {
		k->prog = k->pid = k->num = k->ns = 0;
		room->n.other = 1;
		c = turn_find(now, k);
	}
	if (!c) {
		made = turn_make(now, k, room);
		c = turn_find(now, k);
	}
	if (!c || made < 0) {
		st->lost++;
		st->pending++;
		return 0;
	}
	if (!made && !bpf_map_lookup_elem(&told, k) && !cb_send(&room->n, sizeof(room->n), 0, false)) {
		bpf_map_update_elem(&told, k, &yes, BPF_ANY);
		return 0;
	}
	__sync_fetch_and_add(&c->count, 1);
	return 0;
}

/* ---- contacts ---- */

static __always_inline bool unwanted(__u64 cont)
{
	return !cont || bpf_map_lookup_elem(&cb_unwanted, &cont);
}

#define NAMED 0x10000 /* beside what was done: the room has the name of a file */

/*
 * The current task did it to a process (0: none is known) of the container. ns: a namespace of which not more is
 * known.
 */
__noinline int contact(__u64 to, __u64 task, __u32 what, __u64 num_ns, __u32 error)
{
	struct task_struct *target = (void *)task;
	__u32 self = bpf_get_current_pid_tgid() >> 32, level_ns;
	struct cb_state *s = cb_current();
	__u64 from = s ? s->h.cont : 0;
	struct room *r = get_room();
	struct contact_key *k;

	if (!r || (from == to && (!from || !inside)))
		return 0;
	if ((only_failed && !error) || self == cb_self || (unwanted(from) && unwanted(to)))
		return 0;
	if (target) {
		target = BPF_CORE_READ(target, group_leader);
		if ((__u32)BPF_CORE_READ(target, tgid) == self)
			return 0;
	}
	__builtin_memset(&r->c, 0, sizeof(r->c));
	k = &r->c.n.key;
	k->from = from;
	k->to = to;
	k->prog = program_of(s);
	k->num = num_ns;
	k->ns = num_ns >> 32;
	k->what = what;
	k->error = error;
	if (target)
		k->pid = cb_pid_at(target, cb_level, &level_ns);
	fill(&r->c.n, s, target);
	if (what & NAMED)
		__builtin_memcpy(r->c.n.name, r->name, CONTACT_NAME);
	return count(&r->c);
}

static __always_inline int contact_with(struct task_struct *t, __u32 what, __u32 num, __u32 error)
{
	return t ? contact(cont_of((__u64)t), (__u64)t, what, num, error) : 0;
}

static __always_inline __u32 error_of(long ret)
{
	return ret < 0 && ret > -4096 ? -ret : 0;
}

/* ---- signals ---- */

static __always_inline bool is_queueing(struct cb_state *s)
{
	struct pt_regs *regs;
	int nr;

	if (!CB_TASK_REGS)
		return s && s->queueing;
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	nr = cb_call_number(regs);
	return nr >= 0 && (nr == queue_calls[0] || nr == queue_calls[1] || nr == queue_calls[2]);
}

SEC("tp_btf/signal_generate")
int BPF_PROG(contact_signal, int sig, struct kernel_siginfo *info, struct task_struct *t, int group, int result)
{
	struct cb_state *s, *there;
	int code = 0; /* SI_USER, as of a caller in the kernel that has no more to say (0) */
	__u64 task = 0;

	if ((unsigned long)info == 1) /* SEND_SIG_PRIV: the kernel's own */
		return 0;
	if (info)
		bpf_probe_read_kernel(&code, sizeof(code), &info->si_code);
	if (code > 0)
		return 0;
	s = cb_current();
	/* timers and the like: whoever runs now has nothing to do with it, unless it says so itself */
	if (code && code != SI_QUEUE && code != SI_TKILL && !is_queueing(s))
		return 0;
	there = cb_state_of(t);
	/* the verifier lets no pointer of a kind that it knows pass for a number */
	bpf_probe_read_kernel(&task, sizeof(task), &ctx[2]);
	return contact(there ? there->h.cont : 0, task, CONTACT_SIGNAL, (__u32)sig, 0);
}

static __always_inline int queueing(__u32 now)
{
	struct cb_state *s = cb_current();

	if (s)
		s->queueing = now;
	return 0;
}

SEC("tp")
int contact_queue(struct trace_event_raw_sys_enter *ctx)
{
	return queueing(1);
}

SEC("tp")
int contact_queued(struct trace_event_raw_sys_exit *ctx)
{
	return queueing(0);
}

static __always_inline struct pid *pid_of_file(struct file *f);

/* What was refused never became a signal. */
SEC("tp")
int contact_refused(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct contact_call *call = &calls[ctx->id & CALL_MASK];
	struct task_struct *t;
	struct pt_regs *regs;
	__u32 type = 0;
	int nr;

	if (ctx->ret != -EPERM)
		return 0;
	regs = cb_call_regs(cb_call_self(), ctx);
	if (call->pidfd) {
		t = cb_pid_task(pid_of_file(cb_call_file(cb_call_self(), cb_call_argument(regs, call->pidfd))), PIDTYPE_PID);
	} else {
		nr = cb_call_argument(regs, call->pid);
		if (nr == 0 || nr == -1)
			return 0;
		if (nr < 0) {
			nr = -nr;
			type = PIDTYPE_PGID;
		}
		t = cb_pid_task((struct pid *)cb_call_pid(nr), type);
	}
	return contact_with(t, CONTACT_SIGNAL, cb_call_argument(regs, call->num), EPERM);
}

/* ---- calls that name a process ---- */

static __always_inline bool only_asks(const volatile struct contact_call *call, struct pt_regs *regs, __u32 num)
{
	if (call->change)
		return !cb_call_argument(regs, call->change);
	return call->what == CONTACT_PTRACE && !num; /* PTRACE_TRACEME: whom it names means nothing */
}

SEC("tp")
int contact_pid(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct contact_call *call = &calls[ctx->id & CALL_MASK];
	struct pt_regs *regs = cb_call_regs(cb_call_self(), ctx);
	__u32 num = call->num ? cb_call_argument(regs, call->num) : 0;
	int nr;

	if (only_asks(call, regs, num))
		return 0;
	nr = cb_call_argument(regs, call->pid);
	if (nr > 0)
		contact_with(cb_call_task(nr), call->what, num, error_of(ctx->ret));
	nr = call->pid2 ? cb_call_argument(regs, call->pid2) : 0;
	if (nr > 0)
		contact_with(cb_call_task(nr), call->what, num, error_of(ctx->ret));
	return 0;
}

static __always_inline __u64 magic_of(struct file *f)
{
	return BPF_CORE_READ(f, f_inode, i_sb, s_magic);
}

static __always_inline struct pid *pid_of_proc(struct inode *in)
{
	struct proc_inode *p = (void *)in - bpf_core_field_offset(struct proc_inode, vfs_inode);

	return BPF_CORE_READ(p, pid);
}

/* A pidfd: has a file system of its own since 6.9. A folder of /proc may stand for one, too. */
static __always_inline struct pid *pid_of_file(struct file *f)
{
	__u64 magic;

	if (!f)
		return NULL;
	magic = magic_of(f);
	if (magic == PID_FS_MAGIC)
		return BPF_CORE_READ(f, f_inode, i_private);
	if (magic == ANON_INODE_FS_MAGIC)
		return BPF_CORE_READ(f, private_data);
	return magic == CB_MAGIC_PROC ? pid_of_proc(BPF_CORE_READ(f, f_inode)) : NULL;
}

SEC("tp")
int contact_pidfd(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct contact_call *call = &calls[ctx->id & CALL_MASK];
	struct pt_regs *regs = cb_call_regs(cb_call_self(), ctx);
	__u32 num = call->num ? cb_call_argument(regs, call->num) : 0;
	struct pid *p;

	if (ctx->ret == -EBADF)
		return 0; /* what it named is no process */
	p = pid_of_file(cb_call_file(cb_call_self(), cb_call_argument(regs, call->pidfd)));
	return contact_with(cb_pid_task(p, PIDTYPE_PID), call->what, num, error_of(ctx->ret));
}

/* ---- namespaces ---- */

struct proc_ns_operations___old {
	int type;
} __attribute__((preserve_access_index));
struct ns_common___new {
	__u32 ns_type;
} __attribute__((preserve_access_index));

static __always_inline __u32 type_of_ns(struct ns_common *ns)
{
	struct proc_ns_operations___old *ops;

	if (bpf_core_field_exists(struct ns_common___new, ns_type))
		return BPF_CORE_READ((struct ns_common___new *)ns, ns_type);
	ops = (void *)BPF_CORE_READ(ns, ops);
	return BPF_CORE_READ(ops, type);
}

static __always_inline __u64 owner_of_ns(struct ns_common *ns, __u32 type, __u32 inum)
{
	struct pid_namespace *pids;
	__u64 to = CONTACT_UNKNOWN;
	struct task_struct *init;

	if (type == CLONE_NEWNS) {
		cb_mounts_owner(inum, &to);
	} else if (type == CLONE_NEWPID && inum == cb_pidns) {
		to = 0;
	} else if (type == CLONE_NEWPID) {
		pids = (void *)ns - bpf_core_field_offset(struct pid_namespace, ns);
		init = BPF_CORE_READ(pids, child_reaper);
		if (init)
			to = cont_of((__u64)init);
	}
	return to;
}

SEC("tp")
int contact_setns(struct trace_event_raw_sys_exit *ctx)
{
	struct pt_regs *regs = cb_call_regs(cb_call_self(), ctx);
	struct file *f = cb_call_file(cb_call_self(), cb_call_argument(regs, 1));
	struct ns_common *ns;
	__u64 type, inum;
	struct pid *p;

	if (!f || ctx->ret == -EBADF)
		return 0;
	if (magic_of(f) != NSFS_MAGIC) {
		p = pid_of_file(f);
		return contact_with(cb_pid_task(p, PIDTYPE_PID), CONTACT_SETNS, cb_call_argument(regs, 2), error_of(ctx->ret));
	}
	ns = BPF_CORE_READ(f, f_inode, i_private);
	type = type_of_ns(ns);
	inum = BPF_CORE_READ(ns, inum);
	return contact(owner_of_ns(ns, type, inum), 0, CONTACT_SETNS, inum << 32 | type, error_of(ctx->ret));
}

/* ---- files ---- */

/* What in /proc/PID tells more of a process than ps(1) does, or reaches through it. */
static const struct {
	char name[CONTACT_NAME];
	__u32 what;
} proc_files[] = {
	{ "mem", CONTACT_MEM },	       { "environ", CONTACT_ENVIRON },	 { "maps", CONTACT_MAPS },
	{ "smaps", CONTACT_MAPS },     { "smaps_rollup", CONTACT_MAPS }, { "numa_maps", CONTACT_MAPS },
	{ "pagemap", CONTACT_MAPS },   { "auxv", CONTACT_MAPS },	 { "stack", CONTACT_MAPS },
	{ "syscall", CONTACT_MAPS },   { "fd", CONTACT_FD },		 { "fdinfo", CONTACT_FD },
	{ "map_files", CONTACT_FD },   { "root", CONTACT_ROOT },	 { "cwd", CONTACT_ROOT },
	{ "exe", CONTACT_ROOT },
};

/* Of the name in the room: what it is to reach it; 0: nothing of note */
__noinline __u32 kind_of_name(void)
{
	struct room *r = get_room();
	const __u64 *a, *b;

	if (!r)
		return 0;
	a = (const void *)r->name;
	for (__u32 i = 0; i < sizeof(proc_files) / sizeof(proc_files[0]); i++) {
		b = (const void *)proc_files[i].name;
		if (a[0] == b[0] && a[1] == b[1])
			return proc_files[i].what;
	}
	return 0;
}

/* Distinguishes what is counted; the name itself goes with it. */
static __always_inline __u32 number_of_name(struct room *r)
{
	const __u64 *a = (const void *)r->name;

	return ((a[0] ^ a[1] << 1) * 0x9e3779b97f4a7c15) >> 32;
}

static __always_inline bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static __always_inline int proc_file(struct file *f)
{
	struct pid *p = pid_of_proc(BPF_CORE_READ(f, f_inode));
	struct room *r = get_room();
	struct task_struct *t;
	struct dentry *d;
	__u32 what;

	if (!p || !r)
		return 0; /* not below /proc/PID */
	d = BPF_CORE_READ(f, f_path.dentry);
	__builtin_memset(r->name, 0, CONTACT_NAME);
	bpf_probe_read_kernel_str(r->name, CONTACT_NAME, BPF_CORE_READ(d, d_name.name));
	if (digit(r->name[0])) { /* fdinfo/3 */
		__builtin_memset(r->name, 0, CONTACT_NAME);
		bpf_probe_read_kernel_str(r->name, CONTACT_NAME, BPF_CORE_READ(d, d_parent, d_name.name));
	}
	what = kind_of_name();
	if (!what && BPF_CORE_READ(f, f_mode) & FMODE_WRITE)
		what = CONTACT_WRITE;
	t = what ? cb_pid_task(p, PIDTYPE_PID) : NULL;
	return contact_with(t, what | NAMED, number_of_name(r), 0);
}

/* "/proc/123/NAME..." in the caller's memory: the number, and the name into the room; 0: something else. */
__noinline __u32 parse(__u64 path)
{
	struct room *r = get_room();
	char head[16] = {};
	__u32 nr = 0, len = 0;
	bool end = false;

	if (!r || !path || bpf_probe_read_user_str(head, sizeof(head), (void *)path) < 9)
		return 0;
	for (int i = 0; i < 6; i++)
		if (head[i] != "/proc/"[i])
			return 0;
	for (int i = 6; i < 14; i++) {
		end = !digit(head[i]);
		if (end) {
			end = head[i] == '/';
			break;
		}
		nr = nr * 10 + head[i] - '0';
		len++;
	}
	if (!end)
		return 0;
	__builtin_memset(r->name, 0, CONTACT_NAME);
	bpf_probe_read_user_str(r->name, CONTACT_NAME, (void *)path + 7 + len);
	end = false;
	for (int i = 0; i < CONTACT_NAME; i++) {
		end |= r->name[i] == '/' || !r->name[i];
		if (end)
			r->name[i] = 0;
	}
	return nr;
}

/* A file that is elsewhere: reached through /proc/PID/root, a descriptor or a root left behind. */
__noinline int foreign(__u64 mounted, __u32 how, __u64 path)
{
	struct mount *m = (void *)mounted - bpf_core_field_offset(struct mount, mnt);
	__u32 nr = path ? parse(path) : 0;
	struct task_struct *t = nr ? cb_call_task(nr) : NULL;
	__u64 to = 0, whose = t ? cont_of((__u64)t) : 0;
	bool known = cb_mounts_owner(BPF_CORE_READ(m, mnt_ns, ns.inum), &to);

	if (!known && !t)
		return 0;
	/* the name may have been changed meanwhile */
	if (known && whose != to)
		t = NULL;
	return contact(known ? to : whose, (__u64)t, CONTACT_ROOT, how, 0);
}

static __always_inline int refused_file(__u64 path, __u32 error)
{
	__u32 nr = parse(path), what = nr ? kind_of_name() : 0;
	struct room *r = get_room();

	return what && r ? contact_with(cb_call_task(nr), what | NAMED, number_of_name(r), error) : 0;
}

/* Notes that this container has the file; the same for all that happens with it. */
static __always_inline struct sharers *sharers_of(struct inode_key *k, __u64 cont, bool writes)
{
	struct sharers *s = bpf_map_lookup_elem(&shared_files, k), first = {};
	int at = -1;

	if (!s) {
		first.cont[0] = cont;
		first.wrote[0] = writes;
		first.next = 1;
		bpf_map_update_elem(&shared_files, k, &first, BPF_NOEXIST);
		return NULL;
	}
	for (int i = 0; i < SHARERS; i++)
		if (s->cont[i] == cont)
			at = i;
	if (at < 0) {
		at = s->next++ & (SHARERS - 1);
		s->cont[at & (SHARERS - 1)] = cont;
		s->wrote[at & (SHARERS - 1)] = 0;
	}
	if (writes)
		s->wrote[at & (SHARERS - 1)] = 1;
	return s;
}

/* Told of each container that is still there and has it too. A program of its own to the verifier. */
__noinline int shared_file(__u32 fd)
{
	struct file *f = cb_call_file(cb_call_self(), fd);
	struct cb_state *s = cb_current();
	struct room *r = get_room();
	struct inode_key k = {};
	struct sharers *all;
	__u64 in, sb;
	bool writes;

	if (!s || !r || !f)
		return 0;
	in = CB_LINK(f, file, f_inode);
	if ((CB_GET(in, inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	sb = CB_LINK(in, inode, i_sb);
	if (cb_kernels_own(CB_GET(sb, super_block, s_magic)))
		return 0;
	k.ino = CB_GET(in, inode, i_ino);
	k.dev = CB_GET(sb, super_block, s_dev);
	k.gen = CB_GET(in, inode, i_generation);
	writes = CB_GET(f, file, f_mode) & FMODE_WRITE;
	all = sharers_of(&k, s->h.cont, writes);
	for (int i = 0; all && i < SHARERS; i++) {
		__u64 to = all->cont[i];

		if (!to || to == s->h.cont || !(writes || all->wrote[i]) || !bpf_map_lookup_elem(&cb_conts, &to))
			continue;
		__builtin_memset(r->name, 0, CONTACT_NAME);
		bpf_probe_read_kernel_str(r->name, CONTACT_NAME, BPF_CORE_READ(f, f_path.dentry, d_name.name));
		contact(to, 0, (writes ? CONTACT_SHARED_WRITE : CONTACT_SHARED_READ) | NAMED, (k.ino & 0xffffffff) | (__u64)k.dev << 32, 0);
	}
	return 0;
}

static __always_inline __u64 own_root(struct task_struct *t)
{
	if (cb_cast)
		return CB_POINTER(t->fs, fs_struct, root.mnt);
	return (__u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), fs, root.mnt);
}

SEC("tp")
int contact_open(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct contact_call *call = &calls[ctx->id & CALL_MASK];
	long ret = cb_call_result(ctx);
	__u64 path = 0, magic;
	struct task_struct *t = cb_call_self();
	struct vfsmount *vm;
	struct file *f;
	__u32 how;

	if (ret < 0 && ret != -EACCES && ret != -EPERM)
		return 0;
	if (ret < 0)
		return refused_file(call->path ? cb_call_argument(cb_call_regs(t, ctx), call->path) : 0, -ret);
	f = cb_call_file(t, ret);
	if (!f)
		return 0;
	vm = (void *)CB_LINK(f, file, f_path.mnt);
	magic = CB_GET(CB_LINK(vm, vfsmount, mnt_sb), super_block, s_magic);
	if (magic == CB_MAGIC_PROC)
		return proc_file(f);
	if (!cb_foreign_mounts(vm)) {
		/* most of all: in its own root, which nobody else has */
		if (magic == CB_MAGIC_OVERLAY && (__u64)vm == own_root(t))
			return 0;
		return !only_failed && cb_current() ? shared_file(ret) : 0;
	}
	if (call->path)
		path = cb_call_argument(cb_call_regs(t, ctx), call->path);
	how = BPF_CORE_READ(f, f_mode) & FMODE_WRITE ? CONTACT_BY_WRITE : CONTACT_BY_READ;
	return foreign((__u64)vm, how, path);
}

/* chdir, fchdir and chroot into what is another's */
SEC("tp")
int contact_root(struct trace_event_raw_sys_exit *ctx)
{
	const volatile struct contact_call *call = &calls[ctx->id & CALL_MASK];
	struct task_struct *t = (void *)bpf_get_current_task();
	struct vfsmount *vm;
	__u32 how = call->num;
	__u64 path = 0;

	if (ctx->ret)
		return 0;
	vm = how == CONTACT_BY_CHROOT ? BPF_CORE_READ(t, fs, root.mnt) : BPF_CORE_READ(t, fs, pwd.mnt);
	if (!cb_foreign_mounts(vm))
		return 0;
	if (call->path)
		path = cb_call_argument(cb_call_regs(cb_call_self(), ctx), call->path);
	return foreign((__u64)vm, how, path);
}

/* A program out of another's files */
static __always_inline void contact_exec(struct cb_state *s, struct linux_binprm *b)
{
	struct vfsmount *vm = BPF_CORE_READ(b->file, f_path.mnt);

	s->queueing = 0;
	if (cb_foreign_mounts(vm))
		foreign((__u64)vm, CONTACT_BY_EXEC, 0);
}
