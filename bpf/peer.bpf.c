/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contacts of watched tasks, counted in the kernel: one flow per program and other side. User space reads the table
 * each interval, so a flood of contacts costs a container its own detail and nobody else's.
 *
 * TCP: the state changes of its sockets say when a connection is tried, made and closed; the socket itself counts
 * its payload, so no send or receive pays. UDP and unix sockets: at sock_send_length and sock_recv_length where the
 * kernel has them, else at the calls that carry addresses.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "flow.h"

const volatile bool by_process = false; /* flows are a process's, not a program's */
const volatile bool lengths = false;	/* sock_send_length and sock_recv_length are there */
const volatile __u32 host_netns = 0;
/* numbers of calls on this machine; ~0: it has no such */
const volatile __u32 nr_sendto = ~0U, nr_sendmsg = ~0U, nr_sendmmsg = ~0U, nr_write = ~0U, nr_writev = ~0U;
const volatile __u32 nr_recvfrom = ~0U, nr_recvmsg = ~0U, nr_recvmmsg = ~0U;
bool listeners_only = false; /* first pass over the sockets that are there at the start */

/* a system call's arguments, kept from its entry (or its middle) to its exit */
struct peer_call {
	__u64 arg[5];
	__u32 nr;
	__u32 busy; /* connect: was under way already; receive: there is something to account */
	__u64 sk;
	__u32 len;
	__u32 tried; /* a SYN went out */
};

#define CB_STATE_DATA                                                                                                  \
	struct peer_call call;                                                                                         \
	__u64 prog, prog_of; /* the program's file, found out for this exec */                                         \
	__u64 found;	     /* the task itself while the iterator looks at its files: then it is not the current one */                    \
	__u64 many;	     /* sendmmsg: its vector, and the message that comes next */                               \
	__u32 many_next;                                                                                               \
	__u32 pad;

#include "task.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_MPTCP 262
#define SOCK_BINDPORT_LOCK 8
#define SS_CONNECTING 2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define DNS_PORT 53
#define DEVICES 8	    /* of a namespace, and their addresses, that are looked at */
#define DEVICE_ADDRESSES 4
#define EALREADY 114
#define EINPROGRESS 115
#define EISCONN 106
#define EAGAIN 11
#define EINTR 4
#define ERESTARTSYS 512
#define ECANCELED 125

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOW_MAX);
	__type(key, struct flow_key);
	__type(value, __u64);
} flow_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOW_MAX);
	__type(key, __u64);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOW_MAX);
	__type(key, struct flow_err);
	__type(value, __u64);
} flow_errs SEC(".maps");

/* open TCP connections and listeners: taken away when they close */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct flow_sock);
} flow_socks SEC(".maps");

/* unix sockets, and UDP sockets that send to many: nothing tells when they close */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct flow_sock);
} flow_loose SEC(".maps");

/* made: by the kernel half; gone: by user space */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} flow_made SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} flow_gone SEC(".maps");

/* network namespace -> its container, FLOW_SHARED: several, or the host's */
#define FLOW_SHARED (~0ULL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} flow_netns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct flow_owner_key);
	__type(value, __u64);
} flow_owner SEC(".maps");

/* addresses of the network namespaces that containers were seen in */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u8[16]);
	__type(value, struct flow_addr);
} flow_addrs SEC(".maps");

/* who accepted a connection from this end of a container: behind translated addresses the client cannot tell */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct flow_owner_key);
	__type(value, __u64);
} flow_accepted SEC(".maps");

/* namespace and port of those who listen: which side of a connection found at the start began it */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} flow_ports SEC(".maps");

/* Scratch; used in the caller's own context only, never from an interrupt. */
struct flow_room {
	struct flow_key key;
	struct flow flow;
	__u8 raddr[16]; /* of the other side, where the key holds something else */
	__u32 namelen;
	__u32 pad;
	char name[FLOW_NAME];
	char raw[FLOW_NAME * 2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_room);
} flow_rooms SEC(".maps");

/* A length that a verifier believes to be below the power of two: the compiler may not see that it is anyway. */
static __always_inline __u32 below(__u64 n, __u32 power)
{
	asm volatile("" : "+r"(n));
	return n & (power - 1);
}

static __always_inline struct flow_room *room_raw(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_rooms, &zero);
}

static __always_inline struct flow_room *room_begin(__u8 dir, __u8 proto)
{
	struct flow_room *r = room_raw();

	if (!r)
		return NULL;
	__builtin_memset(&r->key, 0, sizeof(r->key));
	__builtin_memset(r->flow.laddr, 0, sizeof(r->flow.laddr));
	__builtin_memset(r->raddr, 0, sizeof(r->raddr));
	r->flow.lport = r->flow.rport = 0;
	r->flow.peer_pid = 0;
	r->namelen = 0;
	r->key.dir = dir;
	r->key.proto = proto;
	return r;
}

/* ---- addresses ---- */

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
	struct task_struct *t = (void *)bpf_get_current_task();
	struct fdtable *ft = BPF_CORE_READ(t, files, fdt);
	struct file **all = BPF_CORE_READ(ft, fd), *f = NULL;

	if (fd >= BPF_CORE_READ(ft, max_fds))
		return NULL;
	bpf_probe_read_kernel(&f, sizeof(f), all + fd);
	return f ? socket_of_file(f, ret) : NULL;
}

static __always_inline __u64 inode_of(struct sock *sk)
{
	struct socket *so = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *a = (void *)so - bpf_core_field_offset(struct socket_alloc, socket);

	return so ? BPF_CORE_READ(a, vfs_inode.i_ino) : 0;
}

/* ---- who shares a network namespace, and who has which address there ---- */

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

static __always_inline bool same_address(const __u8 *a, const __u8 *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* ---- flows ---- */

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
		s->prog = BPF_CORE_READ(in, i_ino) << 20 ^ BPF_CORE_READ(in, i_sb, s_dev);
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

static __always_inline void flow_fill(struct cb_state *s, struct flow_room *r, __u64 now)
{
	struct flow *f = &r->flow;
	struct task_struct *t = task_of(s);

	f->key = r->key;
	f->h = s->h;
	f->h.time_ns = now;
	f->h.uid = BPF_CORE_READ(t, cred, uid.val);
	bpf_core_read(f->h.comm, sizeof(f->h.comm), &t->comm);
	f->last_ns = now;
	f->contacts = f->failures = f->failed_other = f->tx = f->rx = 0;
	f->opened = f->closed = f->lasted_ns = f->noticed = 0;
	__builtin_memcpy(f->raddr, r->raddr, sizeof(f->raddr));
	f->pad = 0;
	f->namelen = r->key.flags & FLOW_F_OTHER ? 0 : r->namelen;
	bpf_probe_read_kernel(f->name, sizeof(f->name), r->name);
}

static __noinline struct flow *flow_make(struct cb_state *s, struct flow_room *r, __u64 *ret_id)
{
	__u64 now = bpf_ktime_get_boot_ns(), id = cb_exec_id(now);

	flow_fill(s, r, now);
	if (bpf_map_update_elem(&flows, &id, &r->flow, BPF_NOEXIST))
		return NULL;
	if (bpf_map_update_elem(&flow_ids, &r->key, &id, BPF_NOEXIST)) {
		/* another CPU was faster */
		bpf_map_delete_elem(&flows, &id);
		return flow_by_key(&r->key, ret_id);
	}
	if (!(r->key.flags & FLOW_F_OTHER)) {
		count_made(share_key(s->h.cont));
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

/* The flow of r->key, made if there is none. NULL: no room. */
static __noinline struct flow *flow_get(struct cb_state *s, struct flow_room *r, __u64 *ret_id)
{
	struct flow *f;

	r->key.cont = s->h.cont;
	r->key.prog = program_of(s);
	r->key.flags = s->h.flags & CB_F_ENTERED ? FLOW_F_ENTERED : 0;
	f = flow_by_key(&r->key, ret_id);
	if (f)
		return f;
	if (share_used(s->h.cont)) {
		r->key.flags = FLOW_F_OTHER;
		r->key.prog = r->key.peer = 0;
		r->key.netns = r->key.port = 0;
		__builtin_memset(r->key.addr, 0, sizeof(r->key.addr));
		f = flow_by_key(&r->key, ret_id);
		if (f)
			return f;
	}
	return flow_make(s, r, ret_id);
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

	bpf_ringbuf_output(&cb_events, &n, sizeof(n), cb_wake(1 << 20));
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

/* ---- TCP ---- */

/* Payload that crossed the wire once, FIN not counted. */
static __always_inline void tcp_payload(struct sock *sk, __u64 *tx, __u64 *rx)
{
	struct tcp_sock *tp = (void *)sk;

	*tx = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
	*rx = BPF_CORE_READ(tp, bytes_received);
	if (*rx && (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1UL << SOCK_DONE)))
		(*rx)--;
}

static __always_inline void ends(struct sock *sk, struct flow_room *r, bool inbound)
{
	r->key.netns = netns_of(sk);
	remote_address(sk, r->key.addr);
	local_address(sk, r->flow.laddr);
	r->flow.lport = local_port(sk);
	r->flow.rport = remote_port(sk);
	r->key.port = inbound ? r->flow.lport : r->flow.rport;
}

static __always_inline void find_peer(struct cb_state *s, struct sock *sk, struct flow_room *r)
{
	__u8 *own = r->flow.laddr, *other = r->key.addr;
	bool here = is_loopback(other) || same_address(own, other);
	__u16 proto = r->key.proto;

	if (here && !netns_shared(s, sk, r->key.netns))
		r->key.peer = s->h.cont;
	else
		r->key.peer = owner_find(other, r->key.netns, r->flow.rport, proto, here);
}

static __always_inline int tcp_tried(struct sock *sk)
{
	struct cb_state *s = cb_current();
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = FLOW_OUT };
	__u64 key = (__u64)sk;
	struct flow_room *r;
	struct flow *f;

	if (!s)
		return 0;
	s->call.tried = 1;
	r = room_begin(FLOW_OUT, FLOW_TCP);
	if (!r)
		return 0;
	ends(sk, r, false);
	fs.shared = netns_shared(s, sk, r->key.netns);
	fs.born_ns = bpf_ktime_get_boot_ns();
	fs.ino = s->h.cont;
	if (s->h.flags & CB_F_DROP) {
		if (fs.shared)
			bpf_map_update_elem(&flow_socks, &key, &fs, BPF_ANY);
		return 0;
	}
	find_peer(s, sk, r);
	f = flow_get(s, r, &fs.flow);
	if (!f) {
		flow_lost();
		return 0;
	}
	flow_contact(f);
	bpf_map_update_elem(&flow_socks, &key, &fs, BPF_ANY);
	return 0;
}

static __always_inline int tcp_made(struct sock *sk, struct flow_sock *fs)
{
	__u8 own[16];
	struct flow *f;

	if (fs->shared) {
		local_address(sk, own);
		owner_learn(fs->ino, own, netns_of(sk), local_port(sk), FLOW_TCP);
	}
	f = bpf_map_lookup_elem(&flows, &fs->flow);
	if (!f || fs->open)
		return 0;
	fs->open = 1;
	__sync_fetch_and_add(&f->opened, 1);
	if (!f->lport)
		f->lport = local_port(sk);
	flow_notice(f, fs->flow);
	return 0;
}

static __always_inline void tcp_close(struct sock *sk, struct flow_sock *fs)
{
	struct flow *f = bpf_map_lookup_elem(&flows, &fs->flow);
	__u64 tx, rx, now = bpf_ktime_get_boot_ns();

	if (!f)
		return;
	if (fs->dir != FLOW_LISTEN) {
		tcp_payload(sk, &tx, &rx);
		__sync_fetch_and_add(&f->tx, tx - fs->tx0);
		__sync_fetch_and_add(&f->rx, rx - fs->rx0);
	}
	__sync_fetch_and_add(&f->lasted_ns, now - fs->born_ns);
	__sync_fetch_and_add(&f->closed, 1);
	f->last_ns = now;
}

static __always_inline int tcp_ended(struct sock *sk, struct flow_sock *in_map, int was)
{
	struct flow_sock fs = *in_map;
	__u64 key = (__u64)sk;
	struct flow *f;
	__u32 err;

	bpf_map_delete_elem(&flow_socks, &key);
	if (was != TCP_SYN_SENT && fs.open) {
		tcp_close(sk, &fs);
		return 0;
	}
	f = bpf_map_lookup_elem(&flows, &fs.flow);
	if (!f)
		return 0;
	err = BPF_CORE_READ(sk, sk_err);
	flow_failed(f, fs.flow, err ? err : ECANCELED);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(peer_state, struct sock *sk, int was, int is)
{
	__u64 key = (__u64)sk;
	struct flow_sock *fs;

	if (is == TCP_SYN_SENT)
		return protocol_of(sk) == FLOW_TCP ? tcp_tried(sk) : 0;
	if (is != TCP_CLOSE && (was != TCP_SYN_SENT || is != TCP_ESTABLISHED))
		return 0;
	fs = bpf_map_lookup_elem(&flow_socks, &key);
	if (!fs)
		return 0;
	return is == TCP_CLOSE ? tcp_ended(sk, fs, was) : tcp_made(sk, fs);
}

/* A connection or listener becomes known: accepted, or there before the tool was. */
static __always_inline void tcp_known(struct sock *sk, struct flow *f, struct flow_sock *fs)
{
	__u64 key = (__u64)sk;

	fs->open = 1;
	if (bpf_map_update_elem(&flow_socks, &key, fs, BPF_NOEXIST))
		return;
	__sync_fetch_and_add(&f->opened, 1);
	/* closed meanwhile, or reset before it was accepted: whoever takes it out counts it */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE && !bpf_map_delete_elem(&flow_socks, &key))
		tcp_close(sk, fs);
}

static __always_inline void accepted_from(struct cb_state *s, struct flow_room *r)
{
	struct flow_owner_key k;
	__u64 cont = s->h.cont;

	if (!bpf_map_lookup_elem(&flow_addrs, r->key.addr))
		return;
	owner_key(&k, r->key.addr, r->key.netns, r->flow.rport, FLOW_TCP);
	bpf_map_update_elem(&flow_accepted, &k, &cont, BPF_ANY);
}

static __noinline int tcp_accepted(struct cb_state *s, struct sock *sk)
{
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = FLOW_IN };
	struct flow_room *r = room_begin(FLOW_IN, FLOW_TCP);
	struct flow *f;

	if (!r)
		return 0;
	ends(sk, r, true);
	accepted_from(s, r);
	find_peer(s, sk, r);
	f = flow_get(s, r, &fs.flow);
	if (!f) {
		flow_lost();
		return 0;
	}
	flow_contact(f);
	fs.born_ns = f->last_ns;
	if (protocol_of(sk) == FLOW_TCP)
		tcp_known(sk, f, &fs);
	flow_notice(f, fs.flow);
	return 0;
}

/* ---- names of unix sockets, questions ---- */

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
	struct hlist_node *n = p ? BPF_CORE_READ(p, tasks[PIDTYPE_TGID].first) : NULL;
	struct task_struct *t;
	struct cb_place at;
	__u32 ns;

	if (!n)
		return 0;
	t = (void *)n - bpf_core_field_offset(struct task_struct, pid_links[PIDTYPE_TGID]);
	*ret_pid = cb_pid_at(t, cb_level, &ns);
	cb_locate(t, &at);
	return at.key;
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

/* ---- calls: connect, accept, listen, bind ---- */

static __always_inline struct cb_state *wanted(void)
{
	struct cb_state *s = cb_current();

	return s && !(s->h.flags & CB_F_DROP) ? s : NULL;
}

/* Only of the arguments that every call attached to has: the kernel refuses a look beyond them. */
static __always_inline struct cb_state *entered_call(struct trace_event_raw_sys_enter *ctx)
{
	struct cb_state *s = wanted();

	if (!s)
		return NULL;
	s->call.nr = ctx->id;
	s->call.arg[0] = ctx->args[0];
	s->call.arg[1] = ctx->args[1];
	s->call.arg[2] = ctx->args[2];
	return s;
}

/* sendmsg, sendmmsg, recvmsg and recvmmsg, to be looked at again at their exit */
SEC("tp")
int peer_enter(struct trace_event_raw_sys_enter *ctx)
{
	entered_call(ctx);
	return 0;
}

/* the same of sendto and recvfrom */
SEC("tp")
int peer_enter_address(struct trace_event_raw_sys_enter *ctx)
{
	struct cb_state *s = entered_call(ctx);

	if (!s)
		return 0;
	s->call.arg[3] = ctx->args[3];
	s->call.arg[4] = ctx->args[4];
	return 0;
}

SEC("tp/syscalls/sys_enter_connect")
int peer_connect_enter(struct trace_event_raw_sys_enter *ctx)
{
	struct cb_state *s = entered_call(ctx);
	struct socket *so = NULL;

	if (!s)
		return 0;
	s->call.tried = 0;
	/* a second connect only asks how the first went */
	s->call.busy = socket_of_fd(ctx->args[0], &so) && BPF_CORE_READ(so, state) == SS_CONNECTING;
	return 0;
}

/* It failed before a packet could go. */
static __noinline int inet_refused(struct cb_state *s, struct sock *sk, __u32 proto, long ret)
{
	struct flow_room *r = room_begin(FLOW_OUT, proto);
	__u16 port = 0;
	struct flow *f;
	__u64 id = 0;

	if (!r || !user_address(s->call.arg[1], r->key.addr, &port))
		return 0;
	r->key.netns = netns_of(sk);
	r->key.port = r->flow.rport = port;
	f = flow_get(s, r, &id);
	if (!f) {
		flow_lost();
		return 0;
	}
	flow_contact(f);
	flow_failed(f, id, -ret);
	return 0;
}

/* what a call sends: where to, if it says so, and its first buffer; all in the caller's memory */
struct peer_msg {
	__u64 to, buf, len;
};

static __noinline int udp_sent(struct cb_state *s, struct sock *sk, struct peer_msg *m, long ret);

static __always_inline bool still_trying(long ret)
{
	return ret == -EINPROGRESS || ret == -EALREADY || ret == -EISCONN || ret == -EINTR || ret == -ERESTARTSYS;
}

static __always_inline int connected(long ret)
{
	struct cb_state *s = wanted();
	struct peer_msg none = {};
	struct socket *so = NULL;
	struct sock *sk;
	__u16 family, proto;

	if (!s)
		return 0;
	sk = socket_of_fd(s->call.arg[0], &so);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	proto = protocol_of(sk);
	if (family == AF_UNIX)
		return ret == -EAGAIN ? 0 : unix_contact(s, sk, FLOW_OUT, ret);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (proto == FLOW_TCP && ret < 0 && !s->call.tried && !s->call.busy && !still_trying(ret))
		return inet_refused(s, sk, FLOW_TCP, ret);
	if (proto != FLOW_UDP)
		return 0;
	if (ret < 0)
		return inet_refused(s, sk, FLOW_UDP, ret);
	/* what is then written with write(2) is not seen without the tracepoints of lengths */
	if (!lengths && remote_port(sk))
		return udp_sent(s, sk, &none, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_connect")
int peer_connect(struct trace_event_raw_sys_exit *ctx)
{
	return connected(ctx->ret);
}

/* accept and accept4 */
SEC("tp")
int peer_accept(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s;
	struct socket *so = NULL;
	struct sock *sk;
	__u16 family;

	if (ctx->ret < 0)
		return 0;
	s = wanted();
	if (!s)
		return 0;
	sk = socket_of_fd(ctx->ret, &so);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX)
		return unix_contact(s, sk, FLOW_IN, 0);
	if ((family == AF_INET || family == AF_INET6) &&
	    (protocol_of(sk) == FLOW_TCP || protocol_of(sk) == IPPROTO_MPTCP))
		return tcp_accepted(s, sk);
	return 0;
}

static __always_inline void port_known(struct sock *sk, __u8 proto)
{
	__u64 key = (__u64)netns_of(sk) << 32 | (__u32)proto << 16 | local_port(sk);
	__u8 yes = 1;

	bpf_map_update_elem(&flow_ports, &key, &yes, BPF_ANY);
}

static __always_inline void flow_listens(struct cb_state *s, struct sock *sk, struct flow_room *r, __u8 proto)
{
	r->key.netns = netns_of(sk);
	local_address(sk, r->key.addr);
	local_address(sk, r->flow.laddr);
	r->key.port = r->flow.lport = local_port(sk);
	if (netns_shared(s, sk, r->key.netns))
		owner_learn(s->h.cont, r->key.addr, r->key.netns, r->key.port, proto);
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
	if (!f) {
		flow_lost();
		return 0;
	}
	flow_contact(f);
	fs.born_ns = f->last_ns;
	if (proto == FLOW_TCP)
		tcp_known(sk, f, &fs);
	flow_notice(f, fs.flow);
	return 0;
}

static __always_inline bool udp_is_server(struct sock *sk)
{
	return !BPF_CORE_READ(sk, __sk_common.skc_dport) &&
	       (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK);
}

/* listen and bind */
SEC("tp")
int peer_listen_enter(struct trace_event_raw_sys_enter *ctx)
{
	struct cb_state *s = cb_current();

	if (s)
		s->call.arg[0] = ctx->args[0];
	return 0;
}

SEC("tp/syscalls/sys_exit_listen")
int peer_listen(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = ctx->ret ? NULL : cb_current();
	struct socket *so = NULL;
	struct sock *sk = s ? socket_of_fd(s->call.arg[0], &so) : NULL;
	__u16 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX)
		return s->h.flags & CB_F_DROP ? 0 : unix_contact(s, sk, FLOW_LISTEN, 0);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	return inet_listens(s, sk, FLOW_TCP);
}

SEC("tp/syscalls/sys_exit_bind")
int peer_bind(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = ctx->ret ? NULL : cb_current();
	struct socket *so = NULL;
	struct sock *sk = s ? socket_of_fd(s->call.arg[0], &so) : NULL;
	__u16 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX && BPF_CORE_READ(so, type) == SOCK_DGRAM && !(s->h.flags & CB_F_DROP))
		return unix_contact(s, sk, FLOW_LISTEN, 0);
	if ((family == AF_INET || family == AF_INET6) && protocol_of(sk) == FLOW_UDP && udp_is_server(sk))
		return inet_listens(s, sk, FLOW_UDP);
	return 0;
}

/* ---- UDP ---- */

static __always_inline void flow_bytes(struct flow *f, bool sent, __u64 n)
{
	__sync_fetch_and_add(sent ? &f->tx : &f->rx, n);
	f->last_ns = bpf_ktime_get_boot_ns();
}

/* Where a question's name ends: its labels, each with its length before it. 0: it is none. */
static __always_inline __u32 question_length(const char *q, __u32 have)
{
	__u32 at = 0;

	for (int i = 0; i < 64; i++) {
		__u8 n;

		if (at >= FLOW_NAME - 6 || at >= have)
			return 0;
		n = q[at & (FLOW_NAME - 1)];
		if (!n)
			return at + 5; /* with type and class */
		if (n > 63)
			return 0;
		at += n + 1;
	}
	return 0;
}

/* What was asked, as it stands in the datagram; user space makes text of it. */
static __noinline int udp_question(struct cb_state *s, struct peer_msg *m)
{
	struct flow_room *r = room_raw();
	struct flow *f;
	__u32 have, n;
	__u64 id = 0;

	if (!r || m->len < 17)
		return 0;
	have = m->len > 12 + FLOW_NAME ? 12 + FLOW_NAME : m->len;
	if (bpf_probe_read_user(r->raw, below(have, 512), (void *)m->buf))
		return 0;
	/* a question, not an answer; and at least one */
	if ((r->raw[2] & 0xf8) || (!r->raw[4] && !r->raw[5]))
		return 0;
	n = question_length(r->raw + 12, have - 12);
	if (!n || n >= FLOW_NAME || n > have - 12)
		return 0;
	/* server and addresses stay those of the datagram that asked */
	r->key.dir = FLOW_QUERY;
	r->key.netns = 0;
	__builtin_memset(r->name, 0, sizeof(r->name));
	bpf_probe_read_kernel(r->name, below(n, FLOW_NAME), r->raw + 12);
	r->namelen = n;
	hash_name(r);
	f = flow_get(s, r, &id);
	if (!f) {
		flow_lost();
		return 0;
	}
	flow_contact(f);
	flow_notice(f, id);
	return 0;
}

/* Key and ends of a datagram's flow. to: address in the caller's memory, of an unconnected socket. */
static __noinline struct flow_room *udp_ends(struct cb_state *s, struct sock *sk, __u64 to)
{
	bool server = udp_is_server(sk);
	struct flow_room *r = room_begin(server ? FLOW_IN : FLOW_OUT, FLOW_UDP);

	if (!r)
		return NULL;
	ends(sk, r, server);
	if (!r->flow.rport) {
		__builtin_memset(r->key.addr, 0, sizeof(r->key.addr));
		if (user_address(to, r->key.addr, &r->flow.rport) && !server)
			r->key.port = r->flow.rport;
	}
	__builtin_memcpy(r->raddr, r->key.addr, sizeof(r->raddr));
	find_peer(s, sk, r);
	return r;
}

static __noinline int udp_sent(struct cb_state *s, struct sock *sk, struct peer_msg *m, long ret)
{
	struct flow_room *r = udp_ends(s, sk, m->to);
	struct flow *f;
	bool out;
	__u64 id = 0;

	if (!r)
		return 0;
	out = r->key.dir == FLOW_OUT;
	if (out && netns_shared(s, sk, r->key.netns))
		owner_learn(s->h.cont, r->flow.laddr, r->key.netns, r->flow.lport, FLOW_UDP);
	f = flow_get(s, r, &id);
	if (!f) {
		flow_lost();
		return 0;
	}
	if (out)
		flow_contact(f);
	if (ret < 0) {
		flow_failed(f, id, -ret);
		return 0;
	}
	flow_bytes(f, true, ret);
	flow_notice(f, id);
	if (out && m->to)
		loose_known(sk, id, FLOW_OUT, FLOW_UDP);
	if (out && m->buf && r->flow.rport == DNS_PORT)
		udp_question(s, m);
	return 0;
}

static __noinline int udp_received(struct cb_state *s, struct sock *sk, __u64 from, long ret)
{
	struct flow_room *r = udp_ends(s, sk, from);
	struct flow *f;
	__u64 id = 0;

	if (!r)
		return 0;
	if (!r->flow.rport && r->key.dir == FLOW_OUT) {
		/* the caller does not ask whom it is from: the one it last sent to */
		f = loose_flow(sk);
		if (f)
			flow_bytes(f, false, ret);
		if (f)
			return 0;
	}
	f = flow_get(s, r, &id);
	if (!f) {
		flow_lost();
		return 0;
	}
	if (r->key.dir == FLOW_IN || (r->key.flags & FLOW_F_OTHER))
		flow_contact(f);
	flow_bytes(f, false, ret);
	flow_notice(f, id);
	return 0;
}

static __always_inline void message(__u64 msg, struct peer_msg *ret)
{
	struct user_msghdr h = {};
	struct iovec v = {};

	ret->to = ret->buf = ret->len = 0;
	if (bpf_probe_read_user(&h, sizeof(h), (void *)msg))
		return;
	ret->to = (__u64)h.msg_name;
	if (h.msg_iovlen && !bpf_probe_read_user(&v, sizeof(v), h.msg_iov)) {
		ret->buf = (__u64)v.iov_base;
		ret->len = v.iov_len;
	}
}

/* struct mmsghdr of the kernel's interface: a msghdr and the length that was sent or received */
#define MMSG_SIZE (sizeof(struct user_msghdr) + 8)
#define MMSG_MAX 32

/* What the call under way sends, by its number and arguments. */
static __noinline int sending(struct cb_state *s, __u32 nr, const __u64 *arg, struct peer_msg *ret)
{
	struct iovec v = {};

	ret->to = ret->buf = ret->len = 0;
	if (nr == nr_sendto) {
		ret->to = arg[4];
		ret->buf = arg[1];
		ret->len = arg[2];
	} else if (nr == nr_write) {
		ret->buf = arg[1];
		ret->len = arg[2];
	} else if (nr == nr_sendmsg) {
		message(arg[1], ret);
	} else if (nr == nr_sendmmsg) {
		/* the kernel takes one message after the other */
		if (s->many != arg[1] || s->many_next >= arg[2])
			s->many_next = 0;
		s->many = arg[1];
		message(arg[1] + s->many_next * MMSG_SIZE, ret);
		s->many_next++;
	} else if (nr == nr_writev && !bpf_probe_read_user(&v, sizeof(v), (void *)arg[1])) {
		ret->buf = (__u64)v.iov_base;
		ret->len = v.iov_len;
	}
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define CALL_NR(regs) BPF_CORE_READ(regs, orig_ax)
#define CALL_ARGS(regs, to)                                                                                            \
	do {                                                                                                           \
		(to)[0] = BPF_CORE_READ(regs, di);                                                                     \
		(to)[1] = BPF_CORE_READ(regs, si);                                                                     \
		(to)[2] = BPF_CORE_READ(regs, dx);                                                                     \
		(to)[3] = BPF_CORE_READ(regs, r10);                                                                    \
		(to)[4] = BPF_CORE_READ(regs, r8);                                                                     \
	} while (0)
#else
#define CALL_NR(regs) BPF_CORE_READ((regs), syscallno)
#define CALL_ARGS(regs, to)                                                                                            \
	do {                                                                                                           \
		(to)[0] = BPF_CORE_READ((regs), orig_x0);                                                              \
		for (int i_ = 1; i_ < 5; i_++)                                                                         \
			bpf_core_read(&(to)[i_], 8, &(regs)->regs[i_]);                                                \
	} while (0)
#endif

/* In the middle of a call: the task's registers still hold its arguments. */
static __always_inline __u32 call_now(__u64 *arg)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	CALL_ARGS(regs, arg);
	return CALL_NR(regs);
}

/* Bytes of a unix socket whose contact is known. */
static __always_inline int unix_bytes(struct sock *sk, int n, bool sent)
{
	struct flow *f = n > 0 ? loose_flow(sk) : NULL;

	if (f)
		flow_bytes(f, sent, n);
	return 0;
}

static __always_inline bool is_udp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) && protocol_of(sk) == FLOW_UDP;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(peer_sent, struct sock *sk, int ret, int flags)
{
	__u64 arg[5] = {};
	struct peer_msg m;
	struct cb_state *s;
	__u32 nr;

	if (sk->sk_protocol == FLOW_TCP)
		return 0;
	if (sk->__sk_common.skc_family == AF_UNIX)
		return unix_bytes(sk, ret, true);
	if (!is_udp(sk))
		return 0;
	s = wanted();
	if (!s || ret == -EAGAIN)
		return 0;
	nr = call_now(arg);
	sending(s, nr, arg, &m);
	return udp_sent(s, sk, &m, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(peer_got, struct sock *sk, int ret, int flags)
{
	__u64 arg[5] = {};
	struct cb_state *s;
	__u32 nr;

	if (sk->sk_protocol == FLOW_TCP || ret < 0 || (flags & MSG_PEEK))
		return 0;
	if (sk->__sk_common.skc_family == AF_UNIX)
		return unix_bytes(sk, ret, false);
	if (!is_udp(sk))
		return 0;
	s = wanted();
	if (!s)
		return 0;
	if (sk->__sk_common.skc_dport)
		return udp_received(s, sk, 0, ret);
	/* whom it is from is put into the caller's memory later on in these calls */
	nr = call_now(arg);
	if (nr == nr_recvfrom || nr == nr_recvmsg || nr == nr_recvmmsg) {
		__builtin_memcpy(s->call.arg, arg, sizeof(arg));
		s->call.nr = nr;
		s->call.sk = (__u64)sk;
		s->call.len = ret;
		s->call.busy = 1;
		return 0;
	}
	return udp_received(s, sk, 0, ret);
}

static __always_inline int received_many(struct cb_state *s, struct sock *sk, long n)
{
	for (int i = 0; i < MMSG_MAX; i++) {
		__u64 at = s->call.arg[1] + i * MMSG_SIZE;
		struct peer_msg m;
		__u32 got = 0;

		if (i >= n)
			break;
		message(at, &m);
		bpf_probe_read_user(&got, sizeof(got), (void *)at + sizeof(struct user_msghdr));
		udp_received(s, sk, m.to, got);
	}
	return 0;
}

static __always_inline int received(struct cb_state *s, struct sock *sk, long ret)
{
	struct peer_msg m = { .to = s->call.arg[4] };

	if (s->call.nr == nr_recvmmsg)
		return received_many(s, sk, ret);
	if (s->call.nr == nr_recvmsg)
		message(s->call.arg[1], &m);
	return udp_received(s, sk, m.to, ret);
}

/* recvfrom, recvmsg and recvmmsg, where the length is known from within */
SEC("tp")
int peer_received(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = cb_current();

	if (!s || !s->call.busy)
		return 0;
	s->call.busy = 0;
	if (ctx->ret < 0)
		return 0;
	return received(s, (struct sock *)s->call.sk, s->call.nr == nr_recvmmsg ? ctx->ret : s->call.len);
}

/* the same where it is not: with peer_enter */
SEC("tp")
int peer_call_received(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = ctx->ret < 0 ? NULL : wanted();
	struct socket *so = NULL;
	struct sock *sk = s ? socket_of_fd(s->call.arg[0], &so) : NULL;

	if (!sk || !is_udp(sk) || (s->call.nr == nr_recvfrom && (s->call.arg[3] & MSG_PEEK)))
		return 0;
	return received(s, sk, ctx->ret);
}

static __always_inline int sent_many(struct cb_state *s, struct sock *sk, long n)
{
	for (int i = 0; i < MMSG_MAX; i++) {
		__u64 at = s->call.arg[1] + i * MMSG_SIZE;
		struct peer_msg m;
		__u32 put = 0;

		if (i >= n)
			break;
		message(at, &m);
		bpf_probe_read_user(&put, sizeof(put), (void *)at + sizeof(struct user_msghdr));
		udp_sent(s, sk, &m, put);
	}
	return 0;
}

/* sendto, sendmsg and sendmmsg */
SEC("tp")
int peer_call_sent(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = ctx->ret == -EAGAIN ? NULL : wanted();
	struct socket *so = NULL;
	struct sock *sk = s ? socket_of_fd(s->call.arg[0], &so) : NULL;
	struct peer_msg m;

	if (!sk || !is_udp(sk))
		return 0;
	if (s->call.nr == nr_sendmmsg && ctx->ret > 0)
		return sent_many(s, sk, ctx->ret);
	s->many_next = 0;
	sending(s, s->call.nr, s->call.arg, &m);
	return udp_sent(s, sk, &m, ctx->ret);
}

/* ---- iterators ---- */

/* Payload so far of connections that are open. */
SEC("iter/bpf_map_elem")
int peer_live(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key;
	struct flow_sock *fs = ctx->value;
	struct flow_live l = {};
	struct sock *sk;

	if (!key || !fs || fs->dir == FLOW_LISTEN || !fs->open)
		return 0;
	sk = (struct sock *)*key;
	l.sock = *key;
	l.flow = fs->flow;
	tcp_payload(sk, &l.tx, &l.rx);
	l.gone = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE;
	l.tx -= fs->tx0;
	l.rx -= fs->rx0;
	bpf_seq_write(ctx->meta->seq, &l, sizeof(l));
	return 0;
}

static __always_inline void found_connection(struct cb_state *s, struct sock *sk)
{
	__u64 port = (__u64)netns_of(sk) << 32 | (__u32)FLOW_TCP << 16 | local_port(sk);
	bool inbound = bpf_map_lookup_elem(&flow_ports, &port) != NULL;
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = inbound ? FLOW_IN : FLOW_OUT };
	struct flow_room *r = room_begin(fs.dir, FLOW_TCP);
	__u64 key = (__u64)sk;
	struct flow *f;

	if (!r || bpf_map_lookup_elem(&flow_socks, &key))
		return;
	ends(sk, r, inbound);
	fs.shared = netns_shared(s, sk, r->key.netns);
	if (fs.shared)
		owner_learn(s->h.cont, r->flow.laddr, r->key.netns, r->flow.lport, FLOW_TCP);
	if (s->h.flags & CB_F_DROP)
		return;
	find_peer(s, sk, r);
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
		if (listeners_only && state == TCP_LISTEN && !(s->h.flags & CB_F_DROP))
			unix_contact(s, sk, FLOW_LISTEN, 0);
		return 0;
	}
	if (family != AF_INET && family != AF_INET6)
		return 0;
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
