/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets: their names, and whose the other end is. */
#ifndef CB_PEER_UNIX_BPF_H
#define CB_PEER_UNIX_BPF_H
#include "peer_call.bpf.h"
#include "peer_flow.bpf.h"

/* Name of a unix socket: path, or NUL and an abstract name. */
static __always_inline void unix_name(struct flow_room *r, struct sock *sk)
{
	struct unix_address *a = BPF_CORE_READ((struct unix_sock *)sk, addr);
	int len;

	__builtin_memset(r->name, 0, sizeof(r->name));
	r->namelen = 0;
	if (!a)
		return;
	len = BPF_CORE_READ(a, len) - 2;
	if (len <= 0 || len > 108)
		return;
	r->namelen = len;
	bpf_probe_read_kernel(r->name, below(len, 128), (void *)a + bpf_core_field_offset(struct unix_address, name) + 2);
}

/* A path ends at its NUL, whatever the length says. */
static __always_inline void user_unix_name(struct flow_room *r, __u64 from, __u64 len)
{
	long n;

	__builtin_memset(r->name, 0, sizeof(r->name));
	r->namelen = 0;
	len -= 2;
	if (!from || len == 0 || len > 108 || bpf_probe_read_user(r->name, 1, (void *)(from + 2)))
		return;
	if (!r->name[0]) {
		if (!bpf_probe_read_user(r->name, below(len, 128), (void *)(from + 2)))
			r->namelen = len;
		return;
	}
	n = bpf_probe_read_user_str(r->name, below(len, 128) + 1, (void *)(from + 2));
	if (n > 0)
		r->namelen = n;
}

/* The container of the process that listened, or that connected. */
static __noinline __u64 unix_peer(struct sock *sk, __u32 *ret_pid)
{
	struct pid *p = BPF_CORE_READ(sk, sk_peer_pid);
	struct task_struct *t = cb_pid_task(p, PIDTYPE_TGID);
	struct cb_place at;
	__u32 ns;

	if (!t)
		return 0;
	*ret_pid = cb_pid_at(t, cb_level, &ns);
	cb_locate(t, &at);
	return at.key;
}

static __always_inline bool is_datagram(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM;
}

static __noinline int unix_contact(struct cb_state *s, struct sock *sk, __u32 dir, long ret)
{
	struct flow_room *r = room_begin(dir, is_datagram(sk) ? FLOW_UNIX_DGRAM : FLOW_UNIX);
	struct flow *f;
	__u64 id = 0;

	if (!r)
		return 0;
	if (dir == FLOW_OUT)
		user_unix_name(r, s->call.arg[1], s->call.arg[2]);
	else
		unix_name(r, sk);
	hash_name(r);
	if (dir != FLOW_LISTEN && ret >= 0)
		r->key.peer = unix_peer(sk, &r->flow.peer_pid);
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
	flow_contact(f);
	if (ret < 0) {
		flow_failed(f, id, -ret);
		return 0;
	}
	if (dir != FLOW_LISTEN && lengths)
		loose_known(sk, id, dir, FLOW_UNIX);
	flow_notice(f, id);
	return 0;
}

/* Bytes of a unix socket whose contact is known. */
static __always_inline int unix_bytes(struct sock *sk, int n, bool sent)
{
	struct flow *f = n > 0 ? loose_flow(sk) : NULL;

	if (f)
		flow_bytes(f, sent, n);
	return 0;
}

/*
 * Datagrams, of sockets that are connected or not. Whom one went to is known from the socket that became readable
 * while it was sent (sk_data_ready), and that socket's owner from when it got its name. Both sides are counted as it
 * is sent: nothing is lost between two sockets of one host. As long as no socket that is watched has a name there is
 * nobody but the host to send to, and a datagram is told by the name it was sent to.
 */
volatile __u32 ready_on = FLOW_READY_OFF; /* written by user space too */

static __always_inline void want_ready(void)
{
	if (!lengths || ready_on != FLOW_READY_OFF)
		return;
	ready_on = FLOW_READY_WANTED;
	flow_tell(0, 0);
}

/* Dropped tasks, too, are those that others' datagrams are named by. */
static __noinline int datagram_bound(struct cb_state *s, struct sock *sk)
{
	struct flow_bound b = { .ino = inode_of(sk), .prog = program_of(s) };
	__u64 key = (__u64)sk;

	head_now(s, &b.h);
	bpf_map_update_elem(&flow_bounds, &key, &b, BPF_ANY);
	want_ready();
	return 0;
}

static __always_inline struct flow_bound *bound(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct flow_bound *b = bpf_map_lookup_elem(&flow_bounds, &key);

	return b && b->ino == inode_of(sk) ? b : NULL;
}

static __noinline __u64 datagram_out(struct cb_state *s, struct sock *to, struct flow_bound *b)
{
	struct flow_room *r = room_begin(FLOW_OUT, FLOW_UNIX_DGRAM);
	__u64 id = 0;

	if (!r)
		return 0;
	unix_name(r, to);
	hash_name(r);
	if (b)
		r->key.peer = b->h.cont;
	flow_get(s, r, &id);
	return id;
}

static __noinline __u64 datagram_in(struct flow_bound *b, struct sock *to, __u64 from)
{
	struct flow_room *r = room_begin(FLOW_IN, FLOW_UNIX_DGRAM);
	__u64 id = 0;

	if (!r || !b || (b->h.flags & CB_F_DROP))
		return 0;
	unix_name(r, to);
	hash_name(r);
	r->key.peer = from;
	r->key.cont = b->h.cont;
	r->key.prog = b->prog;
	r->key.flags = b->h.flags & CB_F_ENTERED ? FLOW_F_ENTERED : 0;
	r->flow.h = b->h;
	flow_take(r, &id);
	return id;
}

static __always_inline void pair_key(struct flow_pair_key *k, struct sock *from, struct sock *to)
{
	k->from = (__u64)from;
	k->to = (__u64)to;
	k->from_ino = inode_of(from);
	k->to_ino = inode_of(to);
}

static __always_inline void pair_bytes(__u64 id, bool sent, __u64 n)
{
	struct flow *f = id ? bpf_map_lookup_elem(&flows, &id) : NULL;

	if (f)
		flow_bytes(f, sent, n);
}

static __always_inline void pair_contact(__u64 id, bool sent, __u64 n)
{
	struct flow *f = id ? bpf_map_lookup_elem(&flows, &id) : NULL;

	if (!f)
		return;
	flow_contact(f);
	flow_bytes(f, sent, n);
	flow_notice(f, id);
}

/* Both flows are still there. They may have been forgotten meanwhile, or had no room. */
static __always_inline bool pair_holds(struct flow_pair *p, bool out, bool in)
{
	return p && (!out || bpf_map_lookup_elem(&flows, &p->out)) && (!in || bpf_map_lookup_elem(&flows, &p->in));
}

/* s: who sends, NULL if it is not watched */
static __noinline int datagram_sent(struct cb_state *s, struct sock *sk, struct sock *to, long n)
{
	bool out = s && !(s->h.flags & CB_F_DROP);
	struct flow_bound *b = bound(to);
	struct flow_pair_key k = {};
	struct flow_pair *p, new = {};

	pair_key(&k, to, sk);
	p = bpf_map_lookup_elem(&flow_pairs, &k);
	if (p) { /* an answer */
		pair_bytes(p->out, false, n);
		pair_bytes(p->in, true, n);
		return 0;
	}
	pair_key(&k, sk, to);
	p = bpf_map_lookup_elem(&flow_pairs, &k);
	if (pair_holds(p, out, b && !(b->h.flags & CB_F_DROP))) {
		new = *p;
	} else {
		new.in = datagram_in(b, to, s ? s->h.cont : 0);
		new.out = out ? datagram_out(s, to, b) : 0;
		bpf_map_update_elem(&flow_pairs, &k, &new, BPF_ANY);
	}
	pair_contact(new.out, true, n);
	pair_contact(new.in, false, n);
	return 0;
}

/* Of one that went to nobody, or to whom is not known. */
static __noinline int datagram_named(struct cb_state *s, struct sock *sk, struct peer_msg *m, long ret)
{
	struct flow_room *r = room_begin(FLOW_OUT, FLOW_UNIX_DGRAM);
	struct sock *to = BPF_CORE_READ((struct unix_sock *)sk, peer);
	struct flow *f;
	__u64 id = 0;

	if (!r)
		return 0;
	if (m->to)
		user_unix_name(r, m->to, m->tolen);
	else if (to)
		unix_name(r, to);
	hash_name(r);
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
	flow_contact(f);
	if (ret < 0) {
		flow_failed(f, id, -ret);
		return 0;
	}
	flow_bytes(f, true, ret);
	flow_notice(f, id);
	want_ready();
	return 0;
}
#endif
