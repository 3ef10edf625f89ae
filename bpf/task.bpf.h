/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Membership. A task is watched when it carries state. It gets it at its first exec inside a container's
 * namespaces, or from the iterator when the tool starts; its children inherit it, wherever they go.
 * So the hot path is one look-up and nothing that a container does to itself changes what it is.
 *
 * Before including, a probe may define
 *   CB_STATE_DATA		members it wants to keep per task (struct cb_state begins with a cb_head)
 *   CB_ON_EXEC(ctx, s, t, bprm), CB_ON_EXIT(ctx, s, t, last), CB_ON_FORK(ctx, s, t)
 *			statements run for watched tasks
 *   CB_ON_FORK_LATE(s, t)	the same for a child t that the kernel had no storage for just then; s: its parent's state
 *   CB_ON_GONE(s)	the same when the container is over, after CB_ON_EXIT of its last task
 *   CB_PEEK(seq, s, t)	statement of the iterator for a watched task
 *   CB_SKIP(t)		condition under which the iterator passes a task by, whatever it is
 * and it sends with cb_send().
 */
#ifndef CB_TASK_BPF_H
#define CB_TASK_BPF_H
#include "life.h"
#include "path.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* set by the runner before load */
const volatile bool cb_storage = true; /* the kernel has task storage; else a hash by thread id */
const volatile bool cb_all = false;    /* host tasks too */
const volatile bool cb_v1 = false;     /* pure cgroup v1: names from the pids (or memory) hierarchy */
const volatile int cb_v1_subsys = 0;
const volatile __u32 cb_pidns = 0; /* "the host" is where the tool runs: inodes of its namespaces */
const volatile __u32 cb_mntns = 0;
const volatile __u32 cb_self_ns = 0;
const volatile __u64 cb_ring = 1024 * 1024; /* bytes of cb_events, by cb_kernel_ring() */
/* found by the first pass of the iterator, before anything is classified (cb_finding) */
bool cb_finding = true;
__u32 cb_level = 0;	 /* depth of the tool's pid namespace */
__u32 cb_self = 0;	 /* the tool itself: never watched */
__u32 cb_init_mntns = 0; /* of the first process there: the tool's own mounts, a service's, may not be the host's */
bool cb_dropping = false; /* cb_unwanted holds something, or did */
volatile bool cb_asleep = false; /* the reader does not poll: the next record wakes it */
volatile bool cb_late = false;	 /* a task got no state: the iterator is wanted */

struct cb_state {
	struct cb_head h;
#ifdef CB_STATE_DATA
	CB_STATE_DATA
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct cb_state);
} cb_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct cb_state);
} cb_states_tid SEC(".maps");

struct cb_known {
	__u64 since;
	__u32 mntns; /* that are its own, 0: none are known */
	__s32 tasks; /* of one that shares the host's pid namespace */
};

/* containers told to user space */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct cb_known);
} cb_conts SEC(".maps");

/* mount namespace -> the container it is of, for those who enter nothing else and for who reaches into it */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} cb_mntnss SEC(".maps");

/* containers that -c or --exclude rule out: user space writes, the iterator marks their tasks */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} cb_unwanted SEC(".maps");

#define CB_LIVES (512 * 1024)
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CB_LIVES);
} cb_lives SEC(".maps");

/* records; cb_kernel_ring() resizes it */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} cb_events SEC(".maps");

/* what a container has put into a ring since it is tight */
struct cb_share_key {
	__u64 cont;
	__u64 ring;
};
struct cb_share {
	__u64 from; /* where the ring's end was then: behind what is counted once the reader is past it */
	__u64 bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct cb_share_key);
	__type(value, struct cb_share);
} cb_shares SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cb_stats);
} cb_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cb_life);
} cb_life_room SEC(".maps");

/* a state before it is put into the hash by thread id: too large for the stack */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cb_state);
} cb_state_room SEC(".maps");

static __always_inline struct cb_stats *cb_stat(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cb_stats, &zero);
}

static __always_inline struct cb_state *cb_state_of(struct task_struct *t)
{
	__u32 tid;

	if (cb_storage)
		return bpf_task_storage_get(&cb_states, t, 0, 0);
	tid = t->pid;
	return bpf_map_lookup_elem(&cb_states_tid, &tid);
}

/*
 * The hot path. Most tasks of a host carry no storage of any program: seen without a call. ret: the task too, where
 * it is wanted (asking again costs a call); NULL without task storage.
 */
static __always_inline struct cb_state *cb_current_task(struct task_struct **ret)
{
	struct task_struct *t;
	__u32 tid;

	if (cb_storage) {
		t = bpf_get_current_task_btf();
		*ret = t;
		return t->bpf_storage ? bpf_task_storage_get(&cb_states, t, 0, 0) : NULL;
	}
	*ret = NULL;
	tid = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&cb_states_tid, &tid);
}

static __always_inline struct cb_state *cb_current(void)
{
	struct task_struct *t;

	return cb_current_task(&t);
}

/*
 * After a record was put into a ring. The reader says that it sleeps and then looks at the rings once more, we look
 * whether it sleeps once the record is there (which the kernel publishes with a full barrier): one sees the other.
 */
static __always_inline void cb_rouse(void *ring)
{
	void *nothing;

	if (!cb_asleep)
		return;
	cb_asleep = false;
	nothing = bpf_ringbuf_reserve(ring, sizeof(__u64), 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

static __always_inline struct cb_state *cb_state_make(struct task_struct *t)
{
	struct cb_state *s, *empty;
	__u32 zero = 0, tid = t->pid;

	if (cb_storage) {
		s = bpf_task_storage_get(&cb_states, t, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else {
		empty = bpf_map_lookup_elem(&cb_state_room, &zero);
		if (!empty)
			return NULL;
		bpf_map_update_elem(&cb_states_tid, &tid, empty, BPF_ANY);
		s = bpf_map_lookup_elem(&cb_states_tid, &tid);
	}
	if (!s) {
		struct cb_stats *st = cb_stat();

		if (st)
			st->nostate++;
		/* the iterator makes good for it, and need not wait for its time */
		cb_late = true;
		cb_rouse(&cb_lives);
	}
	return s;
}

/*
 * A ring that is more than half full is tight: from there on a container may have in it half as much as is left free,
 * whatever it would like to. So however many write as fast as they can there is room for one that wrote little.
 */
static __always_inline bool cb_admit(void *ring, __u64 whole, __u64 used, __u64 cont, __u32 size)
{
	struct cb_share_key k = { .cont = cont, .ring = (__u64)(ring == (void *)&cb_lives) };
	struct cb_share first = { .bytes = size }, *have;

	if (used * 2 <= whole)
		return true;
	have = bpf_map_lookup_elem(&cb_shares, &k);
	if (!have || have->from < bpf_ringbuf_query(ring, BPF_RB_CONS_POS)) {
		first.from = bpf_ringbuf_query(ring, BPF_RB_PROD_POS);
		bpf_map_update_elem(&cb_shares, &k, &first, BPF_ANY);
		return true;
	}
	if (used >= whole || have->bytes + size > (whole - used) / 2)
		return false;
	__sync_fetch_and_add(&have->bytes, size);
	return true;
}

/* The reader polls; it is woken where the ring is half full. */
static __always_inline __u64 cb_wake(__u64 used)
{
	return used * 2 > cb_ring ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/*
 * Sends a record (head first) to the main ring; n: how much it counts for in seen, sent and lost. now: wakes the
 * reader, else it finds it when it polls.
 */
static __always_inline long cb_send(void *rec, __u32 size, __u64 n, bool now)
{
	struct cb_head *h = rec;
	struct cb_stats *st = cb_stat();
	__u64 pending, used;
	long err;

	if (!st)
		return -1;
	pending = st->pending;
	h->lost = pending > 0xffffffff ? 0xffffffff : pending;
	st->seen += n;
	used = bpf_ringbuf_query(&cb_events, BPF_RB_AVAIL_DATA);
	err = -1;
	if (cb_admit(&cb_events, cb_ring, used, h->cont, size))
		err = bpf_ringbuf_output(&cb_events, rec, size, now ? BPF_RB_FORCE_WAKEUP : cb_wake(used));
	if (err) {
		st->lost += n;
		st->pending = pending + n;
	} else {
		st->sent += n;
		st->pending = 0;
		cb_rouse(&cb_events);
	}
	return err;
}

/* Sends what stands for no event of its own: it is counted nowhere. */
static __always_inline long cb_tell(void *rec, __u32 size)
{
	long err = bpf_ringbuf_output(&cb_events, rec, size, cb_wake(bpf_ringbuf_query(&cb_events, BPF_RB_AVAIL_DATA)));

	if (!err)
		cb_rouse(&cb_events);
	return err;
}

static __always_inline __u32 cb_pid_at(struct task_struct *t, __u32 level, __u32 *ret_inum)
{
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	struct upid u = {};

	*ret_inum = 0;
	if (!p || level > BPF_CORE_READ(p, level))
		return 0;
	bpf_core_read(&u, sizeof(u), &p->numbers[level & 31]);
	*ret_inum = BPF_CORE_READ(u.ns, ns.inum);
	return u.nr;
}

static __always_inline struct cgroup *cb_cgroup(struct task_struct *t)
{
	struct css_set *cs = BPF_CORE_READ(t, cgroups);
	struct cgroup_subsys_state *css = NULL;

	if (!cb_v1)
		return BPF_CORE_READ(cs, dfl_cgrp);
	bpf_core_read(&css, sizeof(css), &cs->subsys[cb_v1_subsys & 15]);
	return BPF_CORE_READ(css, cgroup);
}

static const __u8 cb_hexdigit[256] = {
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
	['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
};

static __always_inline bool cb_is_conmon(const char *s)
{
	return s[0] == 'c' && s[1] == 'o' && s[2] == 'n' && s[3] == 'm' && s[4] == 'o' && s[5] == 'n' && s[6] == '-';
}

/*
 * Does the folder's name hold an engine's id: 64 hexadecimal digits? Counted without a branch, for the verifier. What
 * podman and CRI-O keep beside a container (libpod-conmon-ID.scope, crio-conmon-ID.scope) is none.
 */
static __always_inline bool cb_cgroup_is_container(struct cgroup *cg)
{
	char name[96] = {};
	__u32 digits = 0;

	if (bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(cg, kn, name)) < 65)
		return false;
	if (cb_is_conmon(name + sizeof("libpod-") - 1) || cb_is_conmon(name + sizeof("crio-") - 1))
		return false;
	for (int i = 0; i < 96; i++)
		digits += cb_hexdigit[(__u8)name[i]];
	return digits >= 64;
}

static __always_inline bool cb_host_mounts(__u32 mntns)
{
	return mntns == cb_mntns || mntns == cb_init_mntns;
}

/* Where a task stands, by its namespaces; a container's key is the same in every tool. */
struct cb_place {
	__u64 key;     /* 0: the host */
	__u32 mntns;
	__u32 vinit;   /* pid in the container's outermost pid namespace: 1 is its init; 0: shares the host's */
};

/*
 * A container that shares the host's pid namespace is known by its cgroup. Any other key begins with a number of a
 * namespace, and those begin at 0xf0000000 (PROC_DYNAMIC_FIRST).
 */
static __always_inline __u64 cb_key_of_cgroup(struct cgroup *cg)
{
	return (1ULL << 63) | BPF_CORE_READ(cg, kn, id);
}

static __always_inline bool cb_shares_pids(__u64 key)
{
	return key >> 60 == 8;
}

/* The key of the container whose pid namespace lies in that of the tool, and the task's number there. */
static __always_inline __u64 cb_key_of_pidns(struct pid *p, __u32 *ret_nr, struct task_struct **ret_init)
{
	struct upid u = {};
	__u64 born;

	bpf_core_read(&u, sizeof(u), &p->numbers[(cb_level + 1) & 31]);
	*ret_nr = u.nr;
	*ret_init = BPF_CORE_READ(u.ns, child_reaper);
	born = BPF_CORE_READ(*ret_init, group_leader, start_boottime) / 1000000;
	return ((__u64)BPF_CORE_READ(u.ns, ns.inum) << 32) | (__u32)born;
}

static __noinline int cb_locate(struct task_struct *t, struct cb_place *ret)
{
	__u32 host = 0;
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	struct task_struct *init;
	struct cgroup *cg;
	__u64 *known;

	ret->key = 0;
	ret->vinit = 0;
	ret->mntns = BPF_CORE_READ(t, nsproxy, mnt_ns, ns.inum);
	if (!p || !ret->mntns)
		return 0;
	cb_pid_at(t, cb_level, &host);
	if (host != cb_pidns || cb_host_mounts(ret->mntns))
		return 0;
	known = bpf_map_lookup_elem(&cb_mntnss, &ret->mntns);
	if (known && cb_shares_pids(*known)) {
		/* with whatever pid namespaces it makes */
		ret->key = *known;
		return 0;
	}
	if (BPF_CORE_READ(p, level) > cb_level) {
		/* the outermost namespace below the tool's: what nests inside a container is part of it */
		ret->key = cb_key_of_pidns(p, &ret->vinit, &init);
		return 0;
	}
	/* its own cgroup tells more than the mounts: those may be of one that it made */
	cg = cb_cgroup(t);
	if (cg && cb_cgroup_is_container(cg))
		ret->key = cb_key_of_cgroup(cg);
	else if (known)
		ret->key = *known;
	return 0;
}

static __always_inline struct cb_life *cb_life_begin(struct cb_state *s, __u32 what)
{
	__u32 zero = 0;
	struct cb_life *l = bpf_map_lookup_elem(&cb_life_room, &zero);

	if (!l)
		return NULL;
	l->what = what;
	l->h = s->h;
	l->len = 0;
	l->cut = 0;
	return l;
}

static __always_inline __u32 cb_life_size(struct cb_life *l)
{
	__u32 len = *(volatile __u32 *)&l->len;

	if (len > LIFE_NAMES + 255)
		len = LIFE_NAMES + 255;
	l->size = __builtin_offsetof(struct cb_life, names) + len;
	return l->size;
}

static __always_inline void cb_life_send(struct cb_life *l, __u64 flags)
{
	__u32 size = cb_life_size(l);
	struct cb_stats *st;

	if (size > sizeof(*l))
		return;
	if (!cb_admit(&cb_lives, CB_LIVES, bpf_ringbuf_query(&cb_lives, BPF_RB_AVAIL_DATA), l->h.cont, size) ||
	    bpf_ringbuf_output(&cb_lives, l, size, flags)) {
		st = cb_stat();
		if (st)
			st->life_lost++;
		return;
	}
	cb_rouse(&cb_lives);
}

/* Fills the part of the head that stays the same from here to the next exec. */
static __always_inline void cb_fill(struct cb_state *s, struct task_struct *t)
{
	struct task_struct *lead = t->group_leader;
	struct pid *p;
	struct upid u = {};
	__u32 level, ns;

	s->h.pid = cb_pid_at(lead, cb_level, &ns);
	s->h.tid = cb_pid_at(t, cb_level, &ns);
	s->h.ppid = cb_pid_at(BPF_CORE_READ(t, real_parent, group_leader), cb_level, &ns);
	p = BPF_CORE_READ(lead, thread_pid);
	level = BPF_CORE_READ(p, level);
	bpf_core_read(&u, sizeof(u), &p->numbers[level & 31]);
	s->h.vpid = u.nr;
	s->h.uid = BPF_CORE_READ(t, cred, uid.val);
	s->h.start_ns = BPF_CORE_READ(lead, start_boottime);
	bpf_core_read(s->h.comm, sizeof(s->h.comm), &t->comm);
}

static __always_inline __u32 cb_mounts_of(struct task_struct *t)
{
	return BPF_CORE_READ(t, nsproxy, mnt_ns, ns.inum);
}

/*
 * Are these mounts the container's own? Those of a cgroup's are, unless who stands in it shares them with a parent that
 * does not: an engine that is a service has mounts of its own, and starts helpers there. Who made just a pid namespace
 * stands in the mounts of his maker, and their name is not his to give: the maker may be a container, watched or not. A
 * program like unshare(1) enters new mounts itself before it makes the first process; it comes from other mounts, and
 * makes no other.
 */
static __always_inline bool cb_has_mounts(struct task_struct *t, struct cb_place *at)
{
	struct task_struct *init, *maker;
	__u64 *known;
	__u32 nr;

	if (cb_shares_pids(at->key)) {
		maker = BPF_CORE_READ(t, real_parent);
		return cb_mounts_of(maker) != at->mntns || cb_cgroup(maker) == cb_cgroup(t);
	}
	if (!at->vinit)
		return false;
	known = bpf_map_lookup_elem(&cb_mntnss, &at->mntns);
	if (known && bpf_map_lookup_elem(&cb_conts, known))
		return false;
	cb_key_of_pidns(BPF_CORE_READ(t, thread_pid), &nr, &init);
	maker = BPF_CORE_READ(init, real_parent);
	if (cb_mounts_of(maker) != at->mntns)
		return true;
	return BPF_CORE_READ(maker, nsproxy, pid_ns_for_children, ns.inum) == at->key >> 32 &&
	       cb_mounts_of(BPF_CORE_READ(maker, real_parent)) != at->mntns;
}

/* Nothing but its last task tells that a container without a pid namespace of its own is over. */
static __always_inline void cb_cont_came(__u64 key)
{
	struct cb_known *k;

	if (!cb_shares_pids(key))
		return;
	k = bpf_map_lookup_elem(&cb_conts, &key);
	if (k)
		__sync_fetch_and_add(&k->tasks, 1);
}

/* Where process numbers have begun anew a container's first process is not the first of its tasks that is come upon. */
static __always_inline void cb_put_first(struct cb_life *l, struct task_struct *t)
{
	struct task_struct *init;
	__u32 nr, ns;

	cb_key_of_pidns(BPF_CORE_READ(t, thread_pid), &nr, &init);
	init = BPF_CORE_READ(init, group_leader);
	nr = cb_pid_at(init, cb_level, &ns);
	if (!nr)
		return;
	l->h.pid = nr;
	l->h.start_ns = BPF_CORE_READ(init, start_boottime);
}

/* Tells user space of a container it has not heard of. True when it was new. */
static __always_inline bool cb_register(struct cb_state *s, struct task_struct *t, struct cb_place *at, bool iter,
					void *seq)
{
	struct cb_known k = { .since = bpf_ktime_get_boot_ns() }, *there;
	bool fresh = !bpf_map_update_elem(&cb_conts, &at->key, &k, BPF_NOEXIST);
	struct cb_life *l;

	there = bpf_map_lookup_elem(&cb_conts, &at->key);
	if (there && !there->mntns && (fresh || cb_shares_pids(at->key)) && cb_has_mounts(t, at)) {
		there->mntns = at->mntns;
		bpf_map_update_elem(&cb_mntnss, &at->mntns, &at->key, BPF_ANY);
	}
	if (!fresh)
		return false;
	l = cb_life_begin(s, LIFE_CONT);
	if (!l)
		return true;
	if (at->vinit > 1)
		cb_put_first(l, t);
	cb_walk_cgroup(l, cb_cgroup(t));
	if (!iter) {
		cb_life_send(l, BPF_RB_FORCE_WAKEUP);
	} else {
		__u32 size = cb_life_size(l);

		if (size <= sizeof(*l))
			bpf_seq_write(seq, l, size);
	}
	return true;
}

/* Unique for each exec on this machine since boot. */
static __always_inline __u64 cb_exec_id(__u64 now)
{
	return (now & ~0xffULL) | (bpf_get_smp_processor_id() & 0xff);
}

/* Came from outside: not the container's init, and its parent stands elsewhere. */
static __always_inline bool cb_entered(struct task_struct *t, struct cb_place *at)
{
	struct cb_place up;
	struct task_struct *parent = BPF_CORE_READ(t, real_parent);

	if (at->vinit == 1)
		return false;
	if (!at->vinit)
		return bpf_map_lookup_elem(&cb_conts, &at->key) != NULL;
	cb_locate(parent, &up);
	/* nsenter is in the mount namespace itself, its child in both */
	return up.key != at->key || !up.vinit;
}

/* The exec of a task that is in no container so far (s NULL: not watched so far): the first inside one? */
static __always_inline struct cb_state *cb_join(struct cb_state *s, struct task_struct *t)
{
	struct cb_place at;
	bool entered, fresh;

	if ((__u32)t->tgid == cb_self)
		return NULL;
	cb_locate(t, &at);
	if (!at.key && !cb_all)
		return NULL;
	if (!s) {
		s = cb_state_make(t);
		if (!s)
			return NULL;
		cb_fill(s, t);
	}
	if (!at.key)
		return s;
	s->h.cont = at.key;
	entered = cb_entered(t, &at);
	fresh = cb_register(s, t, &at, false, NULL);
	cb_cont_came(at.key);
	if (entered)
		s->h.flags |= CB_F_ENTERED;
	else if (at.vinit == 1 || (!at.vinit && fresh))
		s->h.flags |= CB_F_FIRST;
	return s;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(cb_sched_exec, struct task_struct *t, int old_pid, struct linux_binprm *bprm)
{
	struct cb_state *s;
	struct cb_life *l;
	__u64 now;

	if (!cb_storage && (__u32)old_pid != (__u32)t->pid) {
		/* a thread that was not the leader took its number */
		__u32 was = old_pid, is = t->pid;

		s = bpf_map_lookup_elem(&cb_states_tid, &was);
		if (s) {
			bpf_map_update_elem(&cb_states_tid, &is, s, BPF_ANY);
			bpf_map_delete_elem(&cb_states_tid, &was);
		}
	}
	s = cb_state_of(t);
	if (s) {
#ifdef CB_BEFORE_EXEC
		CB_BEFORE_EXEC(ctx, s, t);
#endif
		cb_fill(s, t);
	}
	if (!s || !s->h.cont) {
		s = cb_join(s, t);
		if (!s)
			return 0;
	}
	now = bpf_ktime_get_boot_ns();
	s->h.exec_id = cb_exec_id(now);
	s->h.time_ns = now;
	l = cb_life_begin(s, LIFE_EXEC);
	if (l) {
		cb_walk_file(l, bprm->file, t);
		cb_life_send(l, BPF_RB_NO_WAKEUP);
	}
#ifdef CB_ON_EXEC
	CB_ON_EXEC(ctx, s, t, bprm);
#endif
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(cb_sched_fork, struct task_struct *parent, struct task_struct *child)
{
	struct cb_state *ps = cb_state_of(parent), *s;

	if (!ps)
		return 0;
	s = cb_state_make(child);
	if (!s) {
#ifdef CB_ON_FORK_LATE
		CB_ON_FORK_LATE(ps, child);
#endif
		return 0;
	}
	s->h.cont = ps->h.cont;
	s->h.exec_id = ps->h.exec_id;
	s->h.flags = ps->h.flags;
	if (child->tgid != parent->tgid)
		s->h.flags &= ~CB_F_FIRST;
	cb_fill(s, child);
	cb_cont_came(s->h.cont);
#ifdef CB_ON_FORK
	CB_ON_FORK(ctx, s, child);
#endif
	return 0;
}

/* s: of its last task; NULL: nobody watched that */
static __always_inline void cb_cont_gone(__u64 key, struct cb_state *s)
{
	struct cb_known *k = bpf_map_lookup_elem(&cb_conts, &key);
	struct cb_life *l;
	__u32 mntns, zero = 0;
	__u64 *of;

	if (!k && (!s || cb_shares_pids(key)))
		return;
	if (k) {
		mntns = k->mntns;
		/* two tasks may be the last at once: one of them tells */
		if (bpf_map_delete_elem(&cb_conts, &key))
			return;
		of = bpf_map_lookup_elem(&cb_mntnss, &mntns);
		if (of && *of == key)
			bpf_map_delete_elem(&cb_mntnss, &mntns);
	}
	bpf_map_delete_elem(&cb_unwanted, &key);
#ifdef CB_ON_GONE
	if (s)
		CB_ON_GONE(s);
#endif
	l = bpf_map_lookup_elem(&cb_life_room, &zero);
	if (!l)
		return;
	__builtin_memset(l, 0, __builtin_offsetof(struct cb_life, names));
	l->what = LIFE_GONE;
	if (s)
		l->h = s->h;
	l->h.cont = key;
	l->h.time_ns = bpf_ktime_get_boot_ns();
	cb_life_send(l, BPF_RB_NO_WAKEUP);
}

/* A task of a container that shares the host's pid namespace has ended. */
static __always_inline void cb_cont_left(struct cb_state *s)
{
	__u64 key = s->h.cont;
	struct cb_known *k = bpf_map_lookup_elem(&cb_conts, &key);

	if (!k)
		return;
	__sync_fetch_and_add(&k->tasks, -1);
	if (*(volatile __s32 *)&k->tasks <= 0)
		cb_cont_gone(key, s);
}

/* The init of a container has ended, and with it all of it. s: its state, if it was watched */
static __always_inline void cb_init_left(struct cb_state *s, struct task_struct *t)
{
	struct pid *p = BPF_CORE_READ(t->group_leader, thread_pid);
	struct task_struct *init;
	__u64 key;
	__u32 nr;

	if (!p || BPF_CORE_READ(p, level) <= cb_level)
		return;
	key = cb_key_of_pidns(p, &nr, &init);
	if (nr != 1 || (s && s->h.cont != key))
		return;
	cb_cont_gone(key, s);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(cb_sched_exit, struct task_struct *t)
{
	struct cb_state *s = cb_state_of(t);
	__u32 tid = t->pid;
	bool last = t->signal->live.counter == 0;

	if (!s) {
		/* an init that never executed anything: its children did */
		if (last)
			cb_init_left(NULL, t);
		return 0;
	}
#ifdef CB_ON_EXIT
	CB_ON_EXIT(ctx, s, t, last);
#endif
	if (cb_shares_pids(s->h.cont))
		cb_cont_left(s);
	else if (last)
		cb_init_left(s, t);
	if (!cb_storage)
		bpf_map_delete_elem(&cb_states_tid, &tid);
	return 0;
}

/* Its folder is gone, and no task is left that went elsewhere in time: should one not have been counted. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cb_cgroup_rmdir, struct cgroup *cg, const char *path)
{
	__u64 key = cb_key_of_cgroup(cg);
	struct cb_known *k = bpf_map_lookup_elem(&cb_conts, &key);

	if (k && k->tasks <= 0)
		cb_cont_gone(key, NULL);
	return 0;
}

/*
 * A container that shares the host's pid namespace is known by its first exec only, when its runtime may be about to
 * remove what names it. So user space hears who prepares a cgroup like a container's, while that process is there.
 */
static __always_inline void cb_soon(struct cgroup *cg, struct task_struct *runtime)
{
	__u64 key = cb_key_of_cgroup(cg);
	__u32 zero = 0, ns, pid;
	struct cb_life *l;

	if (!cb_cgroup_is_container(cg) || bpf_map_lookup_elem(&cb_conts, &key) || !cb_host_mounts(cb_mounts_of(runtime)))
		return;
	/* in another pid namespace that number is another's */
	pid = cb_pid_at(runtime, cb_level, &ns);
	l = bpf_map_lookup_elem(&cb_life_room, &zero);
	if (ns != cb_pidns || !l)
		return;
	__builtin_memset(l, 0, __builtin_offsetof(struct cb_life, names));
	l->what = LIFE_SOON;
	l->h.cont = key;
	l->h.ppid = pid;
	l->h.time_ns = bpf_ktime_get_boot_ns();
	cb_life_send(l, BPF_RB_FORCE_WAKEUP);
}

/* Made by the runtime itself. crun's child is born there: nobody is moved. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cb_cgroup_mkdir, struct cgroup *cg, const char *path)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();

	if (BPF_CORE_READ(cg, root) == BPF_CORE_READ(cb_cgroup(t), root))
		cb_soon(cg, BPF_CORE_READ(t, group_leader));
	return 0;
}

/*
 * Made by systemd for a child of the runtime's, or there before. Where a container moves its own tasks, tens of thousands
 * a second if it likes, tells nothing: its first has the runtime for a parent, too.
 */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cb_cgroup_attach, struct cgroup *cg, const char *path, struct task_struct *t)
{
	if (cg == cb_cgroup(t) && cb_host_mounts(cb_mounts_of((struct task_struct *)bpf_get_current_task())))
		cb_soon(cg, BPF_CORE_READ(t, real_parent, group_leader));
	return 0;
}

/*
 * The iterator: gives state to what ran before the tool did (and to what could not get it at fork), tells
 * of programs and containers found so, marks the tasks of unwanted containers, and peeks at buffers.
 */
/*
 * The runtime's own stages have not yet executed what the container is for: its init-to-be, or one that comes from
 * outside. Told by the kernel, not by a name, which a process of the container may give itself. A thread has the
 * leader's place, and only the leader's flag tells.
 */
static __always_inline bool cb_runtime_stage(struct task_struct *lead, struct cb_place *at)
{
	struct cb_place up;

	if (!at->key || !(BPF_CORE_READ(lead, flags) & 0x00000040 /* PF_FORKNOEXEC */))
		return false;
	if (at->vinit == 1)
		return true;
	cb_locate(BPF_CORE_READ(lead, real_parent), &up);
	return up.key != at->key;
}

/* As cb_entered(), for one whose way in was not seen: whoever has an ancestor outside but the init. */
static __always_inline bool cb_was_entered(struct task_struct *t, struct cb_place *at)
{
	struct cb_place here = *at;

	if (!at->vinit)
		return false;
	for (int i = 0; i < 16; i++) {
		if (here.vinit == 1)
			return false;
		if (here.key != at->key)
			return true;
		t = BPF_CORE_READ(t, real_parent);
		cb_locate(t, &here);
	}
	return false;
}

static __always_inline struct cb_state *cb_adopt(struct task_struct *t, void *seq)
{
	struct task_struct *lead = t->group_leader;
	struct cb_place at;
	struct cb_state *s;
	struct cb_life *l;
	__u32 size;

	if ((t->flags & 0x00200000 /* PF_KTHREAD */) || (__u32)t->tgid == cb_self)
		return NULL;
	cb_locate(lead, &at);
	if ((!at.key && !cb_all) || cb_runtime_stage(lead, &at))
		return NULL;
	/* its end may have been told already, and it would be counted for ever */
	if (cb_shares_pids(at.key) && (t->flags & 0x00000004 /* PF_EXITING */))
		return NULL;
	s = cb_state_make(t);
	if (!s)
		return NULL;
	s->h.cont = at.key;
	cb_fill(s, t);
	s->h.exec_id = s->h.start_ns | 0xff;
	s->h.time_ns = s->h.start_ns;
	if (at.key) {
		cb_register(s, t, &at, true, seq);
		cb_cont_came(at.key);
		if (cb_was_entered(lead, &at))
			s->h.flags |= CB_F_ENTERED;
		else if (at.vinit == 1)
			s->h.flags |= CB_F_FIRST;
	}
	if (t != lead)
		return s;
	l = cb_life_begin(s, LIFE_EXEC);
	if (!l)
		return s;
	cb_walk_file(l, BPF_CORE_READ(t, mm, exe_file), t);
	size = cb_life_size(l);
	if (size <= sizeof(*l))
		bpf_seq_write(seq, l, size);
	return s;
}

/*
 * No name tells a process how deep its pid namespace lies, and it may not be allowed to look at the namespaces of the
 * first one there: the kernel tells both.
 */
static __always_inline void cb_find(struct task_struct *t)
{
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	__u32 level = BPF_CORE_READ(p, level), inum;
	struct task_struct *first;
	struct upid u = {};
	struct cgroup *cg;

	if (cb_pid_at(t, level, &inum) != cb_self_ns || inum != cb_pidns)
		return;
	cb_level = level;
	cb_self = t->tgid;
	bpf_core_read(&u, sizeof(u), &p->numbers[level & 31]);
	first = BPF_CORE_READ(u.ns, child_reaper);
	cg = cb_cgroup(first);
	/* who enters the pid namespace of a container to watch it (docker run --pid=container:NAME) is its guest */
	cb_init_mntns = cg && cb_cgroup_is_container(cg) ? 0 : cb_mounts_of(first);
	if (!cb_init_mntns)
		cb_init_mntns = cb_mntns;
}

SEC("iter/task")
int cb_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	void *seq = ctx->meta->seq;
	struct cb_state *s;

	if (!t)
		return 0;
	if (cb_finding) {
		cb_find(t);
		return 0;
	}
#ifdef CB_SKIP
	if (CB_SKIP(t))
		return 0;
#endif
	/* most tasks of a host, seen without a call */
	if (cb_storage && !cb_all && !t->bpf_storage && cb_host_mounts(t->group_leader->nsproxy->mnt_ns->ns.inum))
		return 0;
	s = cb_state_of(t);
	if (!s)
		s = cb_adopt(t, seq);
	if (!s)
		return 0;
	if (cb_dropping) {
		if (bpf_map_lookup_elem(&cb_unwanted, &s->h.cont))
			s->h.flags |= CB_F_DROP;
		else
			s->h.flags &= ~CB_F_DROP;
	}
#ifdef CB_PEEK
	CB_PEEK(seq, s, t);
#endif
	return 0;
}
#endif
