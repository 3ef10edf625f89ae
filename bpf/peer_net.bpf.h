/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network namespaces: whose they are, their addresses, and what their devices lead to. The same address may be in use
 * in several networks of a host, so an address names a container only together with the network it is seen from.
 *
 * A life may be over before user space can look: a namespace is looked at here, at the first program or contact of a
 * container in it, and told as a whole (struct flow_net).
 */
#ifndef CB_PEER_NET_BPF_H
#define CB_PEER_NET_BPF_H
#include "peer_sock.bpf.h"

#define DEVICES 16 /* of a namespace, and addresses of each, that are looked at */
#define DEVICE_ADDRESSES 8
#define IFF_LOOPBACK 8
#define JOINS 8 /* of networks, from one to its oldest */

__u32 walks = 1; /* user space raises it: each namespace is looked at again */

/* ---- devices ---- */

static __always_inline struct flow_net *net_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_net_rooms, &zero);
}

static __always_inline __u32 netns_of_device(struct net_device *d)
{
	return BPF_CORE_READ(d, nd_net.net, ns.inum);
}

/* A name that no other device has while it is there; for what is joined by it: a bridge, a cable, a lower device. */
static __always_inline __u64 segment(struct net_device *d)
{
	return (__u64)netns_of_device(d) << 32 | (__u32)BPF_CORE_READ(d, ifindex);
}

/* First of a device's upper or lower ones; the master is always the first of the upper. */
static __always_inline struct net_device *adjacent(struct list_head *head, bool master)
{
	struct list_head *l = BPF_CORE_READ(head, next);
	struct netdev_adjacent *a = (void *)l - bpf_core_field_offset(struct netdev_adjacent, list);

	if (!l || l == head || (master && !BPF_CORE_READ(a, master)))
		return NULL;
	return BPF_CORE_READ(a, dev);
}

static __always_inline struct net_device *master_of(struct net_device *d)
{
	return adjacent((void *)d + bpf_core_field_offset(struct net_device, adj_list.upper), true);
}

static __always_inline struct net_device *lower_of(struct net_device *d)
{
	return adjacent((void *)d + bpf_core_field_offset(struct net_device, adj_list.lower), false);
}

struct net_device___priv { /* since 6.10; before, it follows the structure, at a multiple of 32 */
	__u8 priv[0];
} __attribute__((preserve_access_index));

/*
 * The other end of a veth pair. Its own part of a device begins with a pointer to it, in every kernel; that one's
 * points back, so nothing is taken on trust.
 */
static __always_inline struct net_device *veth_far(struct net_device *d)
{
	__u32 at = bpf_core_field_exists(struct net_device___priv, priv) ?
			   bpf_core_field_offset(struct net_device___priv, priv) :
			   (bpf_core_type_size(struct net_device) + 31) & ~31U;
	struct net_device *far = NULL, *back = NULL;

	bpf_probe_read_kernel(&far, sizeof(far), (void *)d + at);
	bpf_probe_read_kernel(&back, sizeof(back), (void *)far + at);
	return far && back == d ? far : NULL;
}

static __always_inline void link_add(struct flow_net *n, __u64 on, __u32 netns)
{
	__u32 i = n->nlink;

	if (i >= FLOW_LINKS) {
		n->cut = 1;
		return;
	}
	n->link[i & (FLOW_LINKS - 1)].segment = on;
	n->link[i & (FLOW_LINKS - 1)].netns = netns;
	n->nlink = i + 1;
}

/* Both ends of a pair without a bridge have to come to the same. */
static __always_inline __u64 cable(struct net_device *d, struct net_device *far)
{
	struct net_device *m = master_of(far);

	if (!m)
		m = master_of(d);
	return segment(m ? m : far < d ? far : d);
}

static __always_inline bool same_kind(const char *kind, const char *name)
{
#pragma unroll
	for (int i = 0; i < 8; i++) {
		if (kind[i] != name[i])
			return false;
		if (!name[i])
			break;
	}
	return true;
}

/* What a device leads to. Of a tunnel, or of what a program makes packets for (tun), nothing is known. */
static __always_inline void device_link(struct flow_net *n, struct net_device *d)
{
	const char *kind = BPF_CORE_READ(d, rtnl_link_ops, kind);
	struct net_device *to;
	char k[8] = {};

	if (!kind) {
		link_add(n, 0, host_netns); /* a card: the wire that the host is on, too */
		return;
	}
	bpf_probe_read_kernel_str(k, sizeof(k), kind);
	if (same_kind(k, "bridge")) {
		link_add(n, segment(d), n->netns);
		return;
	}
	if (same_kind(k, "veth")) {
		to = veth_far(d);
		if (to)
			link_add(n, cable(d, to), netns_of_device(to));
		return;
	}
	to = lower_of(d); /* macvlan, ipvlan, vlan */
	if (to)
		link_add(n, segment(to), netns_of_device(to));
}

static __always_inline void address_add(struct flow_net *n, const __u8 *addr)
{
	__u32 i = n->naddr;

	if (i >= FLOW_ADDRS) {
		n->cut = 1;
		return;
	}
	__builtin_memcpy(n->addr[i & (FLOW_ADDRS - 1)], addr, 16);
	n->naddr = i + 1;
}

static __always_inline void addresses4(struct flow_net *n, struct net_device *d)
{
	struct in_ifaddr *i = BPF_CORE_READ(d, ip_ptr, ifa_list);
	__u8 addr[16];

	for (int k = 0; i && k < DEVICE_ADDRESSES; k++) {
		mapped(addr, BPF_CORE_READ(i, ifa_local));
		address_add(n, addr);
		i = BPF_CORE_READ(i, ifa_next);
	}
}

static __always_inline void addresses6(struct flow_net *n, struct net_device *d)
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
	for (int k = 0; k < DEVICE_ADDRESSES; k++) {
		struct inet6_ifaddr *i = (void *)l - bpf_core_field_offset(struct inet6_ifaddr, if_list);

		if (!l || l == (void *)in + bpf_core_field_offset(struct inet6_dev, addr_list))
			return;
		BPF_CORE_READ_INTO(&addr, i, addr);
		/* of link-local ones every namespace may have the same */
		if (addr.in6_u.u6_addr8[0] != 0xfe)
			address_add(n, addr.in6_u.u6_addr8);
		l = BPF_CORE_READ(l, next);
	}
}

/* Programs of their own to a verifier, which then looks at each once and not at every way it is come to. */
__noinline int peer_device(__u64 of)
{
	struct net_device *d = (void *)of;
	struct flow_net *n = net_room();

	if (!n || (BPF_CORE_READ(d, flags) & IFF_LOOPBACK))
		return 0;
	device_link(n, d);
	addresses4(n, d);
	addresses6(n, d);
	return 0;
}

__noinline int peer_devices(__u64 of, __u64 cont)
{
	struct net *net = (struct net *)of;
	struct flow_net *n = net_room();
	struct list_head *l = BPF_CORE_READ(net, dev_base_head.next);

	if (!n)
		return 0;
	n->cont = cont;
	n->netns = BPF_CORE_READ(net, ns.inum);
	n->nlink = n->naddr = n->cut = n->shared = n->pad = 0;
	for (int i = 0; i < DEVICES; i++) {
		if (!l || l == (void *)net + bpf_core_field_offset(struct net, dev_base_head))
			return 0;
		peer_device((__u64)l - bpf_core_field_offset(struct net_device, dev_list));
		l = BPF_CORE_READ(l, next);
	}
	n->cut = 1;
	return 0;
}

/* ---- networks: namespaces that devices join ---- */

/* The oldest network that this one was found to be the same as. */
static __always_inline __u64 network_root(__u64 network)
{
	for (int i = 0; i < JOINS; i++) {
		__u64 *to = bpf_map_lookup_elem(&flow_joined, &network);

		if (!to)
			break;
		network = *to;
	}
	return network;
}

/* Numbers of networks are never given twice, other than those of namespaces. */
static __noinline struct flow_space *space_get(__u32 netns)
{
	struct flow_space *sp = bpf_map_lookup_elem(&flow_netns, &netns), new = {};

	if (sp)
		return sp;
	new.network = cb_exec_id(bpf_ktime_get_boot_ns());
	bpf_map_update_elem(&flow_netns, &netns, &new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&flow_netns, &netns);
}

static __always_inline void space_join(struct flow_space *sp, __u32 netns)
{
	struct flow_space *far = space_get(netns);
	__u64 a, b;

	if (!far)
		return;
	a = network_root(sp->network);
	b = network_root(far->network);
	if (a < b)
		bpf_map_update_elem(&flow_joined, &b, &a, BPF_ANY);
	else if (a > b)
		bpf_map_update_elem(&flow_joined, &a, &b, BPF_ANY);
	sp->network = far->network = a < b ? a : b;
}

/* Looks at all of a namespace. NULL: there is nothing to tell, or nothing new. */
static __always_inline struct flow_net *space_look(struct flow_space *sp, struct net *net, __u64 cont)
{
	struct flow_net *n = net_room();
	struct flow_addr a = {};
	bool again = sp->walked == walks;

	peer_devices((__u64)net, cont);
	if (!n)
		return NULL;
	n->shared = sp->cont == FLOW_SHARED;
	sp->walked = walks;
	sp->empty = !(n->nlink | n->naddr);
	if (again && sp->empty)
		return NULL;
	for (__u32 i = 0; i < FLOW_LINKS && i < n->nlink; i++)
		space_join(sp, n->link[i].netns);
	a.network = sp->network;
	for (__u32 i = 0; i < FLOW_ADDRS && i < n->naddr; i++) {
		__builtin_memcpy(a.addr, n->addr[i], 16);
		bpf_map_update_elem(&flow_addrs, &a, &n->netns, BPF_ANY);
	}
	return n;
}

/* A container is seen in a namespace: its own, or one that it shares. One that is gone leaves it to the next. */
static __always_inline void space_claim(struct flow_space *sp, __u64 cont)
{
	__u64 first = sp->cont;

	if (!cont || first == cont || first == FLOW_SHARED)
		return;
	sp->walked = 0;
	if (first && bpf_map_lookup_elem(&cb_conts, &first)) {
		sp->cont = FLOW_SHARED;
		return;
	}
	if (first) /* its number may be that of another namespace now */
		sp->network = cb_exec_id(bpf_ktime_get_boot_ns());
	sp->cont = cont;
}

/* Nothing about it is new. */
static __always_inline bool space_settled(struct flow_space *sp, __u32 netns, __u64 cont)
{
	if (netns == host_netns)
		return true;
	return sp->walked == walks && !sp->empty && (!cont || sp->cont == cont || sp->cont == FLOW_SHARED);
}

/* As above, a program of its own to a verifier. */
__noinline int peer_space(__u64 of, __u64 cont)
{
	struct net *net = (struct net *)of;
	__u32 netns = BPF_CORE_READ(net, ns.inum);
	struct flow_space *sp = space_get(netns);
	struct flow_net *n;

	if (!sp || netns == host_netns)
		return 0;
	space_claim(sp, cont);
	n = space_look(sp, net, cont);
	if (n && cb_tell(n, sizeof(*n)))
		sp->walked = 0; /* no room: the next contact tells */
	return 0;
}

/* NULL: no room for it. */
static __always_inline struct flow_space *space_of(struct net *net, __u64 cont)
{
	__u32 netns = BPF_CORE_READ(net, ns.inum);
	struct flow_space *sp = bpf_map_lookup_elem(&flow_netns, &netns);

	if (sp && space_settled(sp, netns, cont))
		return sp;
	peer_space((__u64)net, cont);
	return bpf_map_lookup_elem(&flow_netns, &netns);
}

/* The same where space_of() was asked already. */
static __always_inline struct flow_space *space_seen(struct sock *sk)
{
	__u32 netns = netns_of(sk);

	return bpf_map_lookup_elem(&flow_netns, &netns);
}

static __always_inline bool space_shared(struct flow_space *sp, __u32 netns)
{
	return netns == host_netns || (sp && sp->cont == FLOW_SHARED);
}

/* At an exec, which is before any contact: who only waits, or is only asked for, has to be known, too. */
static __always_inline void space_at_exec(struct cb_state *s, struct task_struct *t)
{
	if (s->h.cont)
		space_of(BPF_CORE_READ(t, nsproxy, net_ns), s->h.cont);
}

/* The same of all tasks there are, for a reader that waits. */
SEC("iter/task")
int peer_spaces(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct cb_state *s = t && t->pid == t->tgid ? cb_state_of(t) : NULL;
	struct flow_space *sp;
	struct flow_net *n;
	struct net *net;
	__u32 netns;

	if (!s || !s->h.cont)
		return 0;
	net = BPF_CORE_READ(t, nsproxy, net_ns);
	netns = BPF_CORE_READ(net, ns.inum);
	if (!net || netns == host_netns)
		return 0;
	sp = space_get(netns);
	if (!sp || space_settled(sp, netns, s->h.cont))
		return 0;
	space_claim(sp, s->h.cont);
	n = space_look(sp, net, s->h.cont);
	if (n && bpf_seq_write(ctx->meta->seq, n, sizeof(*n)))
		sp->walked = 0; /* the kernel asks again, with more room */
	return 0;
}
#endif
