/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets: their names, and whose the other end is. */
#ifndef CB_PEER_UNIX_BPF_H
#define CB_PEER_UNIX_BPF_H
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

static __noinline int unix_contact(struct cb_state *s, struct sock *sk, __u32 dir, long ret)
{
	struct flow_room *r = room_begin(dir, FLOW_UNIX);
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
	if (!f) {
		flow_lost();
		return 0;
	}
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
#endif
