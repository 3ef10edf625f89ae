/* SPDX-License-Identifier: GPL-2.0 */
/* What TCP and UDP have in common: both ends, and whose they are. */
#ifndef CB_PEER_INET_BPF_H
#define CB_PEER_INET_BPF_H
#include "peer_flow.bpf.h"

static __always_inline void ends(struct sock *sk, struct flow_room *r, bool inbound)
{
	r->key.netns = netns_of(sk);
	remote_address(sk, r->key.addr);
	local_address(sk, r->flow.laddr);
	r->flow.lport = local_port(sk);
	r->flow.rport = remote_port(sk);
	r->key.port = inbound ? r->flow.lport : r->flow.rport;
}

static __always_inline void find_peer(struct cb_state *s, struct flow_space *sp, struct flow_room *r)
{
	__u8 *own = r->flow.laddr, *other = r->key.addr;
	bool here = is_loopback(other) || same_address(own, other);

	if (here && !space_shared(sp, r->key.netns))
		r->key.peer = s->h.cont;
	else
		r->key.peer = owner_find(sp, other, r->key.netns, r->flow.rport, r->key.proto, here);
}

/* It failed before a packet could go. */
static __noinline int inet_refused(struct cb_state *s, struct sock *sk, __u32 proto, long ret)
{
	struct flow_room *r;
	__u16 port = 0;
	struct flow *f;
	__u64 id = 0;

	space_of(net_of(sk), s->h.cont);
	r = room_begin(FLOW_OUT, proto);
	if (!r || !user_address(s->call.arg[1], r->key.addr, &port))
		return 0;
	r->key.netns = netns_of(sk);
	r->key.port = r->flow.rport = port;
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
	flow_contact(f);
	flow_failed(f, id, -ret);
	return 0;
}
#endif
