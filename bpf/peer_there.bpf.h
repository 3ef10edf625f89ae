/* SPDX-License-Identifier: GPL-2.0 */
/* Iterators: what is there before the tool is, and the payload of connections that stay open. */
#ifndef CB_PEER_THERE_BPF_H
#define CB_PEER_THERE_BPF_H
#include "peer_listen.bpf.h"
#include "peer_unix.bpf.h"

/*
 * Payload so far of connections that are open. User space names the sockets and runs it (BPF_PROG_TEST_RUN): there are
 * kernels that refuse iterators over the elements of a map.
 */
struct flow_live live[FLOW_LIVE] = {};
__u32 nlive = 0;

SEC("raw_tp")
int peer_live(void *ctx)
{
	for (__u32 i = 0; i < FLOW_LIVE && i < nlive; i++) {
		struct flow_live *l = &live[i];
		__u64 key = l->sock;
		struct flow_sock *fs = bpf_map_lookup_elem(&flow_socks, &key);
		__u64 tx, rx;

		l->flow = 0;
		if (!fs || fs->dir == FLOW_LISTEN || !fs->open)
			continue;
		tcp_payload((struct sock *)key, &tx, &rx);
		l->tx = tx - fs->tx0;
		l->rx = rx - fs->rx0;
		l->flow = fs->flow;
	}
	return 0;
}

static __always_inline void found_connection(struct cb_state *s, struct sock *sk)
{
	__u64 port = (__u64)netns_of(sk) << 32 | (__u32)FLOW_TCP << 16 | local_port(sk);
	bool inbound = bpf_map_lookup_elem(&flow_ports, &port) != NULL;
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = inbound ? FLOW_IN : FLOW_OUT };
	struct flow_space *sp = space_seen(sk);
	struct flow_room *r = room_begin(fs.dir, FLOW_TCP);
	__u64 key = (__u64)sk;
	struct flow *f;

	if (!r || bpf_map_lookup_elem(&flow_socks, &key))
		return;
	ends(sk, r, inbound);
	fs.shared = space_shared(sp, r->key.netns);
	if (fs.shared)
		owner_learn(sp, s->h.cont, r->flow.laddr, r->key.netns, r->flow.lport, FLOW_TCP);
	if (s->h.flags & CB_F_DROP)
		return;
	find_peer(s, sp, r);
	f = flow_get(s, r, &fs.flow);
	if (!f)
		return;
	f->noticed = 1; /* its beginning was not seen */
	fs.born_ns = bpf_ktime_get_boot_ns();
	tcp_payload(sk, &fs.tx0, &fs.rx0);
	tcp_known(sk, f, &fs);
}

static __always_inline int found(struct cb_state *s, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), proto = protocol_of(sk);
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	if (family == AF_UNIX) {
		bool named = is_datagram(sk) && BPF_CORE_READ((struct unix_sock *)sk, addr);

		if (listeners_only && named)
			datagram_bound(s, sk);
		if (listeners_only && (named || state == TCP_LISTEN) && !(s->h.flags & CB_F_DROP))
			unix_contact(s, sk, FLOW_LISTEN, 0);
		return 0;
	}
	if (family != AF_INET && family != AF_INET6)
		return 0;
	space_of(net_of(sk), s->h.cont);
	if (listeners_only && state == TCP_LISTEN)
		inet_listens(s, sk, FLOW_TCP);
	else if (listeners_only && proto == FLOW_UDP && udp_is_server(sk))
		inet_listens(s, sk, FLOW_UDP);
	else if (!listeners_only && proto == FLOW_TCP && state == TCP_ESTABLISHED)
		found_connection(s, sk);
	return 0;
}

/* What is there before the tool is. The programs' own state says whose it is. */
SEC("iter/task_file")
int peer_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *t = ctx->task;
	struct file *file = ctx->file;
	struct socket *so = NULL;
	struct cb_state *s;
	struct sock *sk;

	if (!t || !file)
		return 0;
	sk = socket_of_file(file, &so);
	if (!sk)
		return 0;
	s = cb_state_of(t);
	if (!s)
		return 0;
	s->found = (__u64)t;
	found(s, sk);
	s->found = 0;
	return 0;
}
#endif
