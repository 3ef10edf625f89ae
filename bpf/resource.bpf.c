/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resources that no file has, or not cheaply: the kernel keeps sums in every task; the iterator adds what is new of
 * them to the container's total, a task that ends adds its rest itself. So nothing is attached to the scheduler,
 * and the total only grows. Tasks, descriptors and memory are looked at in the pass that ends an interval.
 *
 * Of a thousand containers most sleep. A pass asks of a task first whether it has run since it was last seen, by a
 * table that lies in memory as the tasks come, and touches nothing else of one that has not. So what a container has
 * of tasks and descriptors is kept up to date by those that do something, and counted anew now and then.
 */
#define BPF_NO_KFUNC_PROTOTYPES /* of vmlinux.h: it may be of a kernel that has those below, or not */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "resource.h"

const volatile __u32 host_netns = 0;

/* number of the pass that ends an interval; 0: the runner's other passes */
__u32 pass = 0;
bool whole = false; /* this pass looks at every task */

#define CB_STATE_DATA                                                                                                  \
	struct resource_use seen; /* already in the total */                                                           \
	__u32 ready;                                                                                                   \
	__u32 fds;	   /* of a process, where its leader is */                                                     \
	__u32 fds_counted; /* in which pass */                                                                         \
	__u32 counted;	   /* is among tasks (and fds) of the container since this count of them began */

struct cb_state;
struct seq_file;
struct task_struct;
static __always_inline void resource_exec(struct cb_state *s, struct task_struct *t);
static __always_inline void resource_fork(struct cb_state *s, struct task_struct *t);
static __always_inline void resource_fork_late(struct cb_state *parent, struct task_struct *t);
static __always_inline void resource_exit(struct cb_state *s, struct task_struct *t, bool last);
static __always_inline void resource_gone(struct cb_state *s);
static __always_inline void resource_peek(struct seq_file *seq, struct cb_state *s, struct task_struct *t);
static __always_inline bool resource_slept(struct task_struct *t);

#define CB_ON_EXEC(ctx, s, t, bprm) resource_exec(s, t)
#define CB_ON_FORK(ctx, s, t) resource_fork(s, t)
#define CB_ON_FORK_LATE(s, t) resource_fork_late(s, t)
#define CB_ON_EXIT(ctx, s, t, last) resource_exit(s, t, last)
#define CB_ON_GONE(s) resource_gone(s)
#define CB_PEEK(seq, s, t) resource_peek(seq, s, t)
#define CB_SKIP(t) resource_slept(t)

#include "task.bpf.h"

#define PF_EXITING 0x4
#define FD_WORDS 1024 /* descriptors of a process are counted up to 65,536 */
#define CGROUP_LEVELS 8

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct resource_total);
} totals SEC(".maps");

/* id of a container's folder in the hierarchy that accounts memory; 0: it has none. The tool writes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} memory_cgroup SEC(".maps");

/* by thread id: the CPU time that a task had when it was last looked at */
#define SLEEPERS 65536
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLEEPERS);
	__type(key, __u32);
	__type(value, __u64);
} sleepers SEC(".maps");

struct note_room {
	struct cb_peek p;
	struct resource_note n;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct note_room);
} note_rooms SEC(".maps");

/* The container's first process, and the pid namespace it is the init of. */
static __always_inline void find_init(struct resource_total *e, struct cb_state *s, struct task_struct *t)
{
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	struct task_struct *init;
	struct upid u = {};
	__u32 ns;

	e->pid = s->h.pid;
	e->pidns = 0;
	if (!s->h.cont || !p || BPF_CORE_READ(p, level) <= cb_level)
		return;
	bpf_core_read(&u, sizeof(u), &p->numbers[(cb_level + 1) & 31]);
	init = BPF_CORE_READ(u.ns, child_reaper, group_leader);
	e->pidns = BPF_CORE_READ(u.ns, ns.inum);
	e->pid = cb_pid_at(init, cb_level, &ns);
}

/* A container not seen so far: from the iterator it was there before the tool. */
static __noinline int total_open(struct cb_state *s, struct task_struct *t, int known)
{
	__u32 zero = 0;
	struct note_room *o = bpf_map_lookup_elem(&note_rooms, &zero);
	struct resource_total *e;
	struct cb_stats *st;
	__u64 key;

	if (!s || !t || !o)
		return 0;
	e = &o->n.total;
	__builtin_memset(e, 0, sizeof(*e));
	key = s->h.cont;
	e->opened_ns = bpf_ktime_get_boot_ns();
	e->known = known;
	e->count = 1; /* 0 is in none */
	find_init(e, s, t);
	if (bpf_map_update_elem(&totals, &key, e, BPF_NOEXIST)) {
		st = cb_stat();
		if (st && !bpf_map_lookup_elem(&totals, &key))
			st->nostate++;
		return 0;
	}
	o->n.h = s->h;
	o->n.what = RESOURCE_OPENED;
	cb_send(&o->n, sizeof(o->n), 0, !known);
	return 0;
}

static __always_inline struct resource_total *total_of(__u64 key)
{
	return bpf_map_lookup_elem(&totals, &key);
}

/* All are counted anew. Whoever comes or goes at this moment does so in the count that it belongs to. */
static __always_inline void count_again(struct resource_total *e)
{
	__u32 next = e->count + 1;

	e->level[next & 1].tasks = e->level[next & 1].fds = 0;
	*(volatile __u32 *)&e->count = next;
}

/* A task that is there: once in a count. */
static __always_inline void count_task(struct resource_total *e, struct cb_state *s)
{
	__u32 now = *(volatile __u32 *)&e->count;

	if (s->counted == now)
		return;
	s->counted = now;
	__sync_fetch_and_add(&e->level[now & 1].tasks, 1);
	__sync_fetch_and_add(&e->level[now & 1].fds, s->fds);
}

static __always_inline void uncount_task(struct resource_total *e, struct cb_state *s)
{
	__u32 now = *(volatile __u32 *)&e->count;

	if (s->counted != now)
		return;
	s->counted = 0;
	__sync_fetch_and_add(&e->level[now & 1].tasks, -1);
	__sync_fetch_and_add(&e->level[now & 1].fds, -(__u64)s->fds);
}

static __always_inline void use_of(struct task_struct *t, struct resource_use *u)
{
	u->runtime = t->se.sum_exec_runtime;
	u->utime = t->utime;
	u->stime = t->stime;
	u->minor = t->min_flt;
	u->major = t->maj_flt;
	u->delay = bpf_core_field_exists(t->sched_info) ? t->sched_info.run_delay : 0;
	u->read_bytes = u->write_bytes = 0;
	if (bpf_core_field_exists(t->ioac.read_bytes)) {
		u->read_bytes = t->ioac.read_bytes;
		u->write_bytes = t->ioac.write_bytes - t->ioac.cancelled_write_bytes;
	}
}

/* Wraps where a difference is negative, as it should. */
static __always_inline void account(struct resource_total *e, struct cb_state *s, struct task_struct *t)
{
	struct resource_use now;

	use_of(t, &now);
	__sync_fetch_and_add(&e->use.runtime, now.runtime - s->seen.runtime);
	__sync_fetch_and_add(&e->use.utime, now.utime - s->seen.utime);
	__sync_fetch_and_add(&e->use.stime, now.stime - s->seen.stime);
	__sync_fetch_and_add(&e->use.delay, now.delay - s->seen.delay);
	__sync_fetch_and_add(&e->use.minor, now.minor - s->seen.minor);
	__sync_fetch_and_add(&e->use.major, now.major - s->seen.major);
	__sync_fetch_and_add(&e->use.read_bytes, now.read_bytes - s->seen.read_bytes);
	__sync_fetch_and_add(&e->use.write_bytes, now.write_bytes - s->seen.write_bytes);
	s->seen = now;
}

static __always_inline void resource_exec(struct cb_state *s, struct task_struct *t)
{
	struct resource_total *e;

	if (s->h.flags & CB_F_DROP)
		return;
	if (!s->ready) {
		/* what it did before, it did for the runtime */
		use_of(t, &s->seen);
		s->ready = 1;
	}
	e = total_of(s->h.cont);
	if (!e) {
		total_open(s, t, 0);
		e = total_of(s->h.cont);
	}
	if (!e)
		return;
	__sync_fetch_and_add(&e->execs, 1);
	count_task(e, s);
}

static __always_inline void count_fork(struct resource_total *e, struct task_struct *t)
{
	if (t->pid == t->tgid)
		__sync_fetch_and_add(&e->forks, 1);
	else
		__sync_fetch_and_add(&e->threads, 1);
}

static __always_inline void resource_fork(struct cb_state *s, struct task_struct *t)
{
	struct resource_total *e;

	s->ready = 1; /* its sums begin at 0 */
	if (s->h.flags & CB_F_DROP)
		return;
	e = total_of(s->h.cont);
	if (!e)
		return;
	count_task(e, s);
	count_fork(e, t);
}

/* The kernel had no storage for it just now; the iterator will find it, if it lives on. */
static __always_inline void resource_fork_late(struct cb_state *parent, struct task_struct *t)
{
	struct resource_total *e = parent->h.flags & CB_F_DROP ? NULL : total_of(parent->h.cont);

	if (e)
		count_fork(e, t);
}

static __always_inline bool oom_killed(struct task_struct *t)
{
	/* mm/oom_kill.c mark_oom_victim(); it may have been about to end anyway */
	return BPF_CORE_READ(t, signal, oom_mm) && (BPF_CORE_READ(t, exit_code) & 0x7f) == 9;
}

static __always_inline void resource_gone(struct cb_state *s)
{
	__u32 zero = 0;
	struct note_room *o = bpf_map_lookup_elem(&note_rooms, &zero);
	struct resource_total *e = total_of(s->h.cont);

	if (!o || !e || !s->ready || (s->h.flags & CB_F_DROP))
		return;
	o->n.h = s->h;
	o->n.h.time_ns = bpf_ktime_get_boot_ns();
	o->n.what = RESOURCE_GONE;
	o->n.total = *e;
	cb_send(&o->n, sizeof(o->n), 0, true);
}

static __always_inline void resource_exit(struct cb_state *s, struct task_struct *t, bool last)
{
	struct resource_total *e;

	if (!s->ready || (s->h.flags & CB_F_DROP))
		return;
	e = total_of(s->h.cont);
	if (!e)
		return;
	account(e, s, t);
	uncount_task(e, s);
	if (last && oom_killed(t))
		__sync_fetch_and_add(&e->oom_kills, 1);
}

/*
 * A task's sums are brought up to date when it leaves the CPU, so one that ends is short of up to a tick: all that
 * most commands of a script use. When it is freed the rest is there (where the state is: 5.11).
 */
SEC("tp_btf/sched_process_free")
int BPF_PROG(resource_free, struct task_struct *t)
{
	struct cb_state *s = cb_state_of(t);
	struct resource_total *e;

	if (!s || !s->ready || (s->h.flags & CB_F_DROP))
		return 0;
	e = total_of(s->h.cont);
	if (e)
		account(e, s, t);
	return 0;
}

static __always_inline __u32 ones(__u64 w)
{
	w -= (w >> 1) & 0x5555555555555555ULL;
	w = (w & 0x3333333333333333ULL) + ((w >> 2) & 0x3333333333333333ULL);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (w * 0x0101010101010101ULL) >> 56;
}

/* Straight from the task, here and below: with a thousand containers reads through a helper were half of a pass. */
static __noinline int descriptors(struct task_struct *t)
{
	struct files_struct *files = t->files;
	unsigned long *bits, w;
	struct fdtable *fdt;
	__u32 max, n = 0;

	if (!files)
		return 0;
	fdt = files->fdt;
	max = fdt->max_fds;
	bits = fdt->open_fds;
	for (__u32 i = 0; i < FD_WORDS; i++) {
		if (i * 64 >= max || bpf_probe_read_kernel(&w, sizeof(w), bits + i))
			break;
		n += ones(w);
	}
	return n;
}

/* The folder's own counter of pages, as memory.current or memory.usage_in_bytes would tell. */
static __noinline int memory(struct task_struct *t, struct resource_total *e, __u64 id)
{
	struct cgroup_subsys_state *css;
	struct mem_cgroup *m;

	if (!e || !bpf_core_type_exists(struct mem_cgroup) ||
	    !bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	css = t->cgroups->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)];
	/* the task may stand below: systemd in a container makes folders of its own */
	for (int i = 0; i < CGROUP_LEVELS && css; i++) {
		if (css->cgroup->kn->id == id) {
			m = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
			e->memory_pages = BPF_CORE_READ(m, memory.usage.counter);
			e->limit_pages = BPF_CORE_READ(m, memory.max);
			e->memory_found = 1;
			return 0;
		}
		css = css->parent;
	}
	return 0;
}

/* A process whose memory no cgroup accounts: the tool asks /proc. */
static __always_inline void tell_process(struct seq_file *seq, struct cb_state *s)
{
	__u32 zero = 0;
	struct note_room *o = bpf_map_lookup_elem(&note_rooms, &zero);

	if (!o)
		return;
	o->p.what = LIFE_PEEK;
	o->p.size = sizeof(o->p) + __builtin_offsetof(struct resource_note, total);
	o->n.h = s->h;
	o->n.what = RESOURCE_PROCESS;
	bpf_seq_write(seq, o, sizeof(o->p) + __builtin_offsetof(struct resource_note, total));
}

/* A process's descriptors; a thread of it that ran may have changed them. */
static __always_inline void count_fds(struct resource_total *e, struct cb_state *s, struct task_struct *t)
{
	struct cb_state *of = t->pid == t->tgid ? s : cb_state_of(t->group_leader);
	__u32 was;

	if (!of || of->fds_counted == pass)
		return;
	was = of->fds;
	of->fds = descriptors(t);
	of->fds_counted = pass;
	if (of->counted == e->count)
		__sync_fetch_and_add(&e->level[of->counted & 1].fds, (__u64)of->fds - was);
}

/* False: no cgroup accounts its memory. */
static __always_inline bool levels(struct resource_total *e, struct cb_state *s, struct task_struct *t)
{
	__u64 key = s->h.cont, *id;

	count_fds(e, s, t);
	if (e->memory_pass == pass)
		return true;
	e->memory_found = 0;
	id = bpf_map_lookup_elem(&memory_cgroup, &key);
	if (!id || !*id)
		return false;
	memory(t, e, *id);
	if (e->memory_found)
		e->memory_pass = pass;
	return true;
}

static __always_inline __u64 *sleeper(struct task_struct *t)
{
	__u32 i = t->pid & (SLEEPERS - 1);

	return bpf_map_lookup_elem(&sleepers, &i);
}

/* It used nothing and opened nothing since it was looked at. Two that share a place are both looked at. */
static __always_inline bool resource_slept(struct task_struct *t)
{
	__u64 *had, now;

	if (pass && whole)
		return false;
	had = sleeper(t);
	now = t->se.sum_exec_runtime;
	return had && now && *had == now;
}

/* In a pass that ends an interval. False: as levels(). */
static __always_inline bool look(struct resource_total *e, struct cb_state *s, struct task_struct *t)
{
	__u64 *had = sleeper(t);

	count_task(e, s);
	account(e, s, t);
	if (had)
		*had = s->seen.runtime;
	return levels(e, s, t);
}

static __always_inline void resource_peek(struct seq_file *seq, struct cb_state *s, struct task_struct *t)
{
	struct resource_total *e;

	/* one that is about to end does it itself */
	if ((s->ready && !pass) || (s->h.flags & CB_F_DROP) || (t->flags & PF_EXITING))
		return;
	e = total_of(s->h.cont);
	if (!e) {
		total_open(s, t, 1);
		e = total_of(s->h.cont);
	}
	if (!e)
		return;
	if (!s->ready) {
		use_of(t, &s->seen);
		s->ready = 1;
	}
	if (whole && pass && e->pass != pass) {
		e->pass = pass;
		count_again(e);
	}
	if (!pass)
		count_task(e, s);
	else if (!look(e, s, t) && t->pid == t->tgid)
		tell_process(seq, s);
}

struct bpf_iter_task___any {
	__u64 opaque[3];
} __attribute__((aligned(8)));

extern int bpf_iter_task_new(struct bpf_iter_task___any *it, struct task_struct *t, unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task___any *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task___any *it) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

#define ALL_THREADS 1 /* kernel/bpf/task_iter.c BPF_TASK_ITER_ALL_THREADS */

/*
 * A pass over the tasks that are known, run by the tool: where the kernel takes it (6.18) half the cost of the
 * iterator, whose walk alone, with tasks that are in no cache, was most of a pass.
 */
SEC("syscall")
int resource_walk(void *ctx)
{
	struct bpf_iter_task___any it;
	struct resource_total *e;
	struct task_struct *t;
	struct cb_state *s;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, ALL_THREADS);
	while ((t = bpf_iter_task_next(&it))) {
		if (resource_slept(t) || !t->bpf_storage)
			continue;
		s = bpf_task_storage_get(&cb_states, t, 0, 0);
		if (!s || !s->ready || (s->h.flags & CB_F_DROP) || (t->flags & PF_EXITING))
			continue;
		e = total_of(s->h.cont);
		if (e)
			look(e, s, t);
	}
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

/* Of a container in the host's network no device tells: its sockets do, where the kernel has these (6.3). */
static __always_inline bool outside(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;
	__u32 *a6 = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;

	if (family == 2)
		return (bpf_ntohl(sk->__sk_common.skc_daddr) >> 24) != 127;
	if (family != 10)
		return false;
	if (a6[0] || a6[1])
		return true;
	if (a6[2] == bpf_htonl(0xffff))
		return (bpf_ntohl(a6[3]) >> 24) != 127;
	return a6[2] || a6[3] != bpf_htonl(1);
}

static __always_inline struct resource_total *on_host_net(struct sock *sk, int n)
{
	struct cb_state *s;

	/* every message of any socket passes here: what the socket tells comes first, without a call */
	if (n <= 0 || sk->__sk_common.skc_net.net->ns.inum != host_netns || !outside(sk))
		return NULL;
	s = cb_current();
	if (!s || (s->h.flags & CB_F_DROP))
		return NULL;
	return total_of(s->h.cont);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(resource_sent, struct sock *sk, int ret, int flags)
{
	struct resource_total *e = on_host_net(sk, ret);

	if (e)
		__sync_fetch_and_add(&e->tx_bytes, ret);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(resource_received, struct sock *sk, int ret, int flags)
{
	struct resource_total *e = on_host_net(sk, ret);

	if (e && !(flags & 2 /* MSG_PEEK */))
		__sync_fetch_and_add(&e->rx_bytes, ret);
	return 0;
}
