/* SPDX-License-Identifier: GPL-2.0 */
/* Who has which port of an address, where several share a network namespace (or it is the host's). */
#ifndef CB_PEER_OWN_BPF_H
#define CB_PEER_OWN_BPF_H
#include "peer_net.bpf.h"

/* Loopback, and any address, is of the namespace alone; others are of a network. */
static __always_inline void owner_key(struct flow_owner_key *k, const __u8 *addr, __u32 netns, __u64 network, __u16 port,
				      __u8 proto)
{
	bool any = is_any(addr);

	__builtin_memset(k, 0, sizeof(*k));
	if (!any)
		__builtin_memcpy(k->addr, addr, 16);
	k->net = any || is_loopback(addr) ? netns : network;
	k->port = port;
	k->proto = proto;
}

static __always_inline void owner_learn(struct flow_space *sp, __u64 cont, const __u8 *addr, __u32 netns, __u16 port,
					__u8 proto)
{
	struct flow_owner new = { .cont = cont, .netns = netns }, *has;
	struct flow_owner_key k;

	if (!port || !sp)
		return;
	owner_key(&k, addr, netns, network_root(sp->network), port, proto);
	has = bpf_map_lookup_elem(&flow_owner, &k);
	if (has && has->netns != netns && bpf_map_lookup_elem(&cb_conts, &has->cont))
		new.cont = FLOW_SHARED; /* two namespaces of a network have it: better no name than a wrong one */
	bpf_map_update_elem(&flow_owner, &k, &new, BPF_ANY);
}

/* here: the address is one of the caller's own namespace, so who listens on all of them has it too */
static __always_inline __u64 owner_find(struct flow_space *sp, const __u8 *addr, __u32 netns, __u16 port, __u8 proto,
					bool here)
{
	struct flow_owner_key k;
	struct flow_owner *o;

	owner_key(&k, addr, netns, sp ? network_root(sp->network) : 0, port, proto);
	o = bpf_map_lookup_elem(&flow_owner, &k);
	if (!o && here) {
		__builtin_memset(k.addr, 0, sizeof(k.addr));
		k.net = netns;
		o = bpf_map_lookup_elem(&flow_owner, &k);
	}
	return o && o->cont != FLOW_SHARED ? o->cont : 0;
}

/* Who accepted what came from this end of a container: behind translated addresses the client cannot tell. */
static __always_inline void accepted_from(struct flow_space *sp, __u64 cont, const __u8 *addr, __u16 port)
{
	struct flow_owner_key k = {};
	struct flow_addr a = {};

	if (!sp)
		return;
	a.network = network_root(sp->network);
	__builtin_memcpy(a.addr, addr, 16);
	if (!bpf_map_lookup_elem(&flow_addrs, &a))
		return;
	__builtin_memcpy(k.addr, addr, 16);
	k.net = a.network;
	k.port = port;
	k.proto = FLOW_TCP;
	bpf_map_update_elem(&flow_accepted, &k, &cont, BPF_ANY);
}
#endif
