/* SPDX-License-Identifier: GPL-2.0 */
/* Who shares a network namespace, and who has which address there. */
#ifndef CB_PEER_OWN_BPF_H
#define CB_PEER_OWN_BPF_H
#include "peer_sock.bpf.h"

static __always_inline void devices4(struct net_device *d, struct flow_addr *a)
{
	struct in_ifaddr *i = BPF_CORE_READ(d, ip_ptr, ifa_list);
	__u8 addr[16];

	for (int n = 0; i && n < DEVICE_ADDRESSES; n++) {
		mapped(addr, BPF_CORE_READ(i, ifa_local));
		if (addr[12] != 127)
			bpf_map_update_elem(&flow_addrs, addr, a, BPF_ANY);
		i = BPF_CORE_READ(i, ifa_next);
	}
}

static __always_inline void devices6(struct net_device *d, struct flow_addr *a)
{
	struct inet6_dev *in;
	struct list_head *l;
	struct in6_addr addr;

	if (!bpf_core_type_exists(struct inet6_ifaddr))
		return;
	in = BPF_CORE_READ(d, ip6_ptr);
	if (!in)
		return;
	l = BPF_CORE_READ(in, addr_list.next);
	for (int n = 0; n < DEVICE_ADDRESSES; n++) {
		struct inet6_ifaddr *i = (void *)l - bpf_core_field_offset(struct inet6_ifaddr, if_list);

		if (!l || l == (void *)in + bpf_core_field_offset(struct inet6_dev, addr_list))
			return;
		BPF_CORE_READ_INTO(&addr, i, addr);
		/* of link-local ones every namespace may have the same */
		if (addr.in6_u.u6_addr8[0] != 0xfe && addr.in6_u.u6_addr8[0])
			bpf_map_update_elem(&flow_addrs, &addr, a, BPF_ANY);
		l = BPF_CORE_READ(l, next);
	}
}

/*
 * A container's life may be over before user space can look: its addresses are taken down at its first contact.
 * Not static: a verifier then looks at it once and not at every way it is come to.
 */
__noinline int peer_devices(__u64 of, __u64 cont)
{
	struct net *net = (struct net *)of;
	struct list_head *l = BPF_CORE_READ(net, dev_base_head.next);
	struct flow_addr a = { .netns = BPF_CORE_READ(net, ns.inum), .cont = cont };

	for (int n = 0; n < DEVICES; n++) {
		struct net_device *d = (void *)l - bpf_core_field_offset(struct net_device, dev_list);

		if (!l || l == (void *)net + bpf_core_field_offset(struct net, dev_base_head))
			return 0;
		devices4(d, &a);
		devices6(d, &a);
		l = BPF_CORE_READ(l, next);
	}
	return 0;
}

static __always_inline bool netns_shared(struct cb_state *s, struct sock *sk, __u32 netns)
{
	__u64 cont = s->h.cont, *has;

	if (netns == host_netns)
		return true;
	has = bpf_map_lookup_elem(&flow_netns, &netns);
	if (!has) {
		bpf_map_update_elem(&flow_netns, &netns, &cont, BPF_NOEXIST);
		peer_devices((__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net), cont);
		return false;
	}
	if (*has != cont && *has != FLOW_SHARED) {
		/* one that is gone leaves it to the next */
		__u64 first = *has;

		*has = bpf_map_lookup_elem(&cb_conts, &first) ? FLOW_SHARED : cont;
		peer_devices((__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net), cont);
	}
	return *has == FLOW_SHARED;
}

static __always_inline void owner_key(struct flow_owner_key *k, const __u8 *addr, __u32 netns, __u16 port, __u8 proto)
{
	bool any = is_any(addr);

	__builtin_memset(k, 0, sizeof(*k));
	if (!any)
		__builtin_memcpy(k->addr, addr, 16);
	if (any || is_loopback(addr))
		k->netns = netns;
	k->port = port;
	k->proto = proto;
}

static __always_inline void owner_learn(__u64 cont, const __u8 *addr, __u32 netns, __u16 port, __u8 proto)
{
	struct flow_owner_key k;

	if (!port)
		return;
	owner_key(&k, addr, netns, port, proto);
	bpf_map_update_elem(&flow_owner, &k, &cont, BPF_ANY);
}

/* here: the address is one of the caller's own namespace, so who listens on all of them has it too */
static __always_inline __u64 owner_find(const __u8 *addr, __u32 netns, __u16 port, __u8 proto, bool here)
{
	struct flow_owner_key k;
	__u64 *cont;

	owner_key(&k, addr, netns, port, proto);
	cont = bpf_map_lookup_elem(&flow_owner, &k);
	if (!cont && here) {
		__builtin_memset(k.addr, 0, sizeof(k.addr));
		k.netns = netns;
		cont = bpf_map_lookup_elem(&flow_owner, &k);
	}
	return cont ? *cont : 0;
}
#endif
