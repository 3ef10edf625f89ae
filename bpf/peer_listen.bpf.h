/* SPDX-License-Identifier: GPL-2.0 */
/* Who waits for TCP and UDP. */
#ifndef CB_PEER_LISTEN_BPF_H
#define CB_PEER_LISTEN_BPF_H
#include "peer_tcp.bpf.h"

static __always_inline void port_known(struct sock *sk, __u8 proto)
{
	__u64 key = (__u64)netns_of(sk) << 32 | (__u32)proto << 16 | local_port(sk);
	__u8 yes = 1;

	bpf_map_update_elem(&flow_ports, &key, &yes, BPF_ANY);
}

static __always_inline void flow_listens(struct cb_state *s, struct sock *sk, struct flow_room *r, __u8 proto)
{
	struct flow_space *sp = space_seen(sk); /* older kernels allow no deeper stack: callers look */

	r->key.netns = netns_of(sk);
	local_address(sk, r->key.addr);
	local_address(sk, r->flow.laddr);
	r->key.port = r->flow.lport = local_port(sk);
	if (space_shared(sp, r->key.netns))
		owner_learn(sp, s->h.cont, r->key.addr, r->key.netns, r->key.port, proto);
	port_known(sk, proto);
}

/* dropped tasks, too, own the addresses that others' contacts are named by */
static __noinline int inet_listens(struct cb_state *s, struct sock *sk, __u32 proto)
{
	struct flow_sock fs = { .proto = proto, .dir = FLOW_LISTEN };
	struct flow_room *r = room_begin(FLOW_LISTEN, proto);
	struct flow *f;

	if (!r)
		return 0;
	flow_listens(s, sk, r, proto);
	if (s->h.flags & CB_F_DROP)
		return 0;
	f = flow_get(s, r, &fs.flow);
	if (!f)
		return 0;
	flow_contact(f);
	fs.born_ns = f->last_ns;
	if (proto == FLOW_TCP)
		tcp_known(sk, f, &fs);
	flow_notice(f, fs.flow);
	return 0;
}
#endif
