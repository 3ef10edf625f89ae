/* SPDX-License-Identifier: GPL-2.0 */
/* Flows: found or made within the share of their container, counted, told. */
#ifndef CB_PEER_FLOW_BPF_H
#define CB_PEER_FLOW_BPF_H
#include "peer_own.bpf.h"

static __always_inline struct task_struct *task_of(struct cb_state *s)
{
	return s->found ? (void *)s->found : (void *)bpf_get_current_task();
}

/* Every exec of a program is the same program: its file, not its process. */
static __always_inline __u64 program_of(struct cb_state *s)
{
	struct inode *in;

	if (by_process)
		return s->h.start_ns + s->h.pid;
	if (s->prog_of != s->h.exec_id || !s->prog) {
		in = BPF_CORE_READ(task_of(s), mm, exe_file, f_inode);
		s->prog = cb_mix(BPF_CORE_READ(in, i_ino), BPF_CORE_READ(in, i_sb, s_dev));
		s->prog_of = s->h.exec_id;
	}
	return s->prog;
}

static __always_inline __u64 counted(void *map, __u64 key)
{
	__u64 *n = bpf_map_lookup_elem(map, &key);

	return n ? *n : 0;
}

/* Key 0 holds the sum of all. */
static __always_inline void count_made(__u64 key)
{
	__u64 *n = bpf_map_lookup_elem(&flow_made, &key), one = 1;

	if (!n) {
		if (!bpf_map_update_elem(&flow_made, &key, &one, BPF_NOEXIST))
			return;
		n = bpf_map_lookup_elem(&flow_made, &key);
	}
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* A container key is never 1; the host's share is counted there, so that 0 stays the sum. */
static __always_inline __u64 share_key(__u64 cont)
{
	return cont ? cont : 1;
}

static __always_inline bool share_used(__u64 cont)
{
	__u64 key = share_key(cont), all = counted(&flow_made, 0) - counted(&flow_gone, 0);
	__u64 own = counted(&flow_made, key) - counted(&flow_gone, key);

	return own >= (all > FLOW_MAX / 4 * 3 ? FLOW_SHARE_FULL : FLOW_SHARE);
}

static __always_inline struct flow *flow_by_key(struct flow_key *k, __u64 *ret_id)
{
	__u64 *id = bpf_map_lookup_elem(&flow_ids, k);

	if (!id)
		return NULL;
	*ret_id = *id;
	return bpf_map_lookup_elem(&flows, ret_id);
}

/* As it is now: a program may have changed its user and its name since its exec. */
static __always_inline void head_now(struct cb_state *s, struct cb_head *h)
{
	struct task_struct *t = task_of(s);

	*h = s->h;
	h->uid = BPF_CORE_READ(t, cred, uid.val);
	bpf_core_read(h->comm, sizeof(h->comm), &t->comm);
}

static __always_inline void flow_fill(struct flow_room *r, __u64 now)
{
	struct flow *f = &r->flow;

	f->key = r->key;
	f->h.time_ns = now;
	f->last_ns = now;
	f->contacts = f->failures = f->failed_other = f->tx = f->rx = 0;
	f->opened = f->closed = f->lasted_ns = f->noticed = 0;
	__builtin_memcpy(f->raddr, r->raddr, sizeof(f->raddr));
	f->pad = 0;
	f->namelen = r->key.flags & FLOW_F_OTHER ? 0 : r->namelen;
	bpf_probe_read_kernel(f->name, sizeof(f->name), r->name);
}

static __noinline struct flow *flow_make(struct flow_room *r, __u64 *ret_id)
{
	__u64 now = bpf_ktime_get_boot_ns(), id = cb_exec_id(now);

	flow_fill(r, now);
	if (bpf_map_update_elem(&flows, &id, &r->flow, BPF_NOEXIST))
		return NULL;
	if (bpf_map_update_elem(&flow_ids, &r->key, &id, BPF_NOEXIST)) {
		/* another CPU was faster */
		bpf_map_delete_elem(&flows, &id);
		return flow_by_key(&r->key, ret_id);
	}
	if (!(r->key.flags & FLOW_F_OTHER)) {
		count_made(share_key(r->key.cont));
		count_made(0);
	}
	*ret_id = id;
	return bpf_map_lookup_elem(&flows, &id);
}

static __always_inline void flow_lost(void)
{
	struct cb_stats *st = cb_stat();

	if (!st)
		return;
	st->seen++;
	st->lost++;
}

/* The flow of r->key, made if there is none, of r->flow.h. NULL: no room. */
static __noinline struct flow *flow_take(struct flow_room *r, __u64 *ret_id)
{
	struct flow *f = flow_by_key(&r->key, ret_id);

	if (f)
		return f;
	if (share_used(r->key.cont)) {
		r->key.flags = FLOW_F_OTHER;
		r->key.prog = r->key.peer = 0;
		r->key.netns = r->key.port = 0;
		__builtin_memset(r->key.addr, 0, sizeof(r->key.addr));
		f = flow_by_key(&r->key, ret_id);
		if (f)
			return f;
	}
	f = flow_make(r, ret_id);
	if (!f)
		flow_lost();
	return f;
}

/* The same for what a task does: NULL is counted as lost. */
static __noinline struct flow *flow_get(struct cb_state *s, struct flow_room *r, __u64 *ret_id)
{
	struct flow *f;

	r->key.cont = s->h.cont;
	r->key.prog = program_of(s);
	r->key.flags = s->h.flags & CB_F_ENTERED ? FLOW_F_ENTERED : 0;
	f = flow_by_key(&r->key, ret_id);
	if (f)
		return f;
	head_now(s, &r->flow.h);
	return flow_take(r, ret_id);
}

static __always_inline void flow_contact(struct flow *f)
{
	struct cb_stats *st = cb_stat();

	if (st)
		st->seen++;
	__sync_fetch_and_add(&f->contacts, 1);
	f->last_ns = bpf_ktime_get_boot_ns();
}

static __always_inline void flow_tell(__u64 id, __u32 err)
{
	struct flow_note n = { .flow = id, .err = err };

	cb_tell(&n, sizeof(n));
}

/* What is new is told at once, the rest waits for the interval. */
static __always_inline void flow_notice(struct flow *f, __u64 id)
{
	if (f->noticed)
		return;
	f->noticed = 1;
	flow_tell(id, 0);
}

static __always_inline void flow_failed(struct flow *f, __u64 id, __u32 err)
{
	struct flow_err k = { .flow = id, .err = err };
	__u64 one = 1, *n;

	__sync_fetch_and_add(&f->failures, 1);
	n = bpf_map_lookup_elem(&flow_errs, &k);
	if (!n) {
		if (!bpf_map_update_elem(&flow_errs, &k, &one, BPF_NOEXIST)) {
			f->noticed = 1;
			flow_tell(id, err);
			return;
		}
		n = bpf_map_lookup_elem(&flow_errs, &k);
	}
	__sync_fetch_and_add(n ? n : &f->failed_other, 1);
	flow_notice(f, id);
}

static __always_inline void flow_bytes(struct flow *f, bool sent, __u64 n)
{
	__sync_fetch_and_add(sent ? &f->tx : &f->rx, n);
	f->last_ns = bpf_ktime_get_boot_ns();
}

static __always_inline void loose_known(struct sock *sk, __u64 id, __u8 dir, __u8 proto)
{
	struct flow_sock fs = { .flow = id, .proto = proto, .dir = dir, .ino = inode_of(sk) };
	__u64 key = (__u64)sk;

	bpf_map_update_elem(&flow_loose, &key, &fs, BPF_ANY);
}

static __always_inline struct flow *loose_flow(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct flow_sock *fs = bpf_map_lookup_elem(&flow_loose, &key);

	if (!fs || fs->ino != inode_of(sk))
		return NULL;
	return bpf_map_lookup_elem(&flows, &fs->flow);
}

/* Two running sums over the name, so that its place in the key is fixed in size. */
static __always_inline void hash_name(struct flow_room *r)
{
	__u64 a = 0x9e3779b97f4a7c15ULL, b = r->namelen;
	const __u64 *w = (const void *)r->name;

	for (int i = 0; i < FLOW_NAME / 8; i++) {
		a = (a ^ w[i]) * 0xff51afd7ed558ccdULL;
		a ^= a >> 29;
		b = (b + w[i]) * 0xc4ceb9fe1a85ec53ULL;
		b ^= b >> 31;
	}
	__builtin_memcpy(r->key.addr, &a, 8);
	__builtin_memcpy(r->key.addr + 8, &b, 8);
}
#endif
