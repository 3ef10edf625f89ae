/* SPDX-License-Identifier: GPL-2.0 */
/* What a socket says: its ends, its protocol, its network namespace. */
#ifndef CB_PEER_SOCK_BPF_H
#define CB_PEER_SOCK_BPF_H
#include "call.bpf.h"
#include "peer_map.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_MPTCP 262
#define SOCK_BINDPORT_LOCK 8
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000
#define MSG_TRUNC 0x20
#define DNS_PORT 53
#define EALREADY 114
#define EINPROGRESS 115
#define EISCONN 106
#define EAGAIN 11
#define EINTR 4
#define ERESTARTSYS 512
#define ECANCELED 125

static __always_inline void mapped(__u8 *to, __u32 v4)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &v4, 4);
}

static __always_inline void local_address(struct sock *sk, __u8 *to)
{
	struct in6_addr a = {};

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&a, sk, __sk_common.skc_v6_rcv_saddr);
		__builtin_memcpy(to, &a, 16);
	} else {
		mapped(to, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	}
}

static __always_inline void remote_address(struct sock *sk, __u8 *to)
{
	struct in6_addr a = {};

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&a, sk, __sk_common.skc_v6_daddr);
		__builtin_memcpy(to, &a, 16);
	} else {
		mapped(to, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
}

static __always_inline bool is_mapped(const __u8 *a)
{
	const __u32 *w = (const void *)a;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_loopback(const __u8 *a)
{
	const __u32 *w = (const void *)a;

	if (is_mapped(a))
		return a[12] == 127;
	return !w[0] && !w[1] && !w[2] && w[3] == bpf_htonl(1);
}

static __always_inline bool is_any(const __u8 *a)
{
	const __u32 *w = (const void *)a;

	return !w[3] && (is_mapped(a) || (!w[0] && !w[1] && !w[2]));
}

static __always_inline __u32 netns_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline struct net *net_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net);
}

static __always_inline __u16 local_port(struct sock *sk)
{
	/* skc_num is taken back when it closes, this is not */
	return bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
}

static __always_inline __u16 remote_port(struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __always_inline __u16 protocol_of(struct sock *sk)
{
	/* 16 bits since 5.6, and in the same place */
	return BPF_CORE_READ(sk, sk_protocol);
}

/* An address in the caller's memory, as sockaddr. False if it is no internet address. */
static __always_inline bool user_address(__u64 from, __u8 *to, __u16 *port)
{
	struct sockaddr_in6 a = {};

	if (!from || bpf_probe_read_user(&a, sizeof(struct sockaddr_in), (void *)from))
		return false;
	*port = bpf_ntohs(a.sin6_port);
	if (a.sin6_family == AF_INET) {
		mapped(to, ((struct sockaddr_in *)&a)->sin_addr.s_addr);
		return true;
	}
	if (a.sin6_family != AF_INET6 || bpf_probe_read_user(&a, sizeof(a), (void *)from))
		return false;
	__builtin_memcpy(to, &a.sin6_addr, 16);
	return true;
}

static __always_inline struct sock *socket_of_file(struct file *f, struct socket **ret)
{
	struct socket *so;

	if ((BPF_CORE_READ(f, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	so = BPF_CORE_READ(f, private_data);
	*ret = so;
	return BPF_CORE_READ(so, sk);
}

static __always_inline struct sock *socket_of_fd(__u32 fd, struct socket **ret)
{
	struct file *f = cb_call_file(cb_call_self(), fd);

	return f ? socket_of_file(f, ret) : NULL;
}

static __always_inline __u64 inode_of(struct sock *sk)
{
	struct socket *so = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *a = (void *)so - bpf_core_field_offset(struct socket_alloc, socket);

	return so ? BPF_CORE_READ(a, vfs_inode.i_ino) : 0;
}

static __always_inline bool same_address(const __u8 *a, const __u8 *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline bool udp_is_server(struct sock *sk)
{
	return !BPF_CORE_READ(sk, __sk_common.skc_dport) &&
	       (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK);
}

static __always_inline bool is_udp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && protocol_of(sk) == FLOW_UDP;
}
#endif
