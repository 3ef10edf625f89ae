/* SPDX-License-Identifier: GPL-2.0 */
/* UDP: each datagram at its call, and the questions to name servers. */
#ifndef CB_PEER_UDP_BPF_H
#define CB_PEER_UDP_BPF_H
#include "peer_call.bpf.h"
#include "peer_inet.bpf.h"

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
	__builtin_memset(r->name, 0, sizeof(r->name));
	bpf_probe_read_kernel(r->name, below(n, FLOW_NAME), r->raw + 12);
	r->namelen = n;
	hash_name(r);
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
	flow_contact(f);
	flow_notice(f, id);
	return 0;
}

/*
 * Whom a datagram is from: by a hook of all cgroups that only UDP passes, and only where the caller asks for it, in the
 * middle of the call. The address is the kernel's, which the caller's other threads cannot change.
 */
bool hooked = false; /* by user space: these are attached */

static __always_inline void from_kernel(struct bpf_sock_addr *ctx, struct flow_from *from)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct flow_from *have = bpf_map_lookup_elem(&flow_froms, &tid);

	from->sock = (__u64)ctx->sk;
	from->tid = tid;
	from->port = bpf_ntohs(ctx->user_port);
	if (have)
		*have = *from;
	else
		bpf_map_update_elem(&flow_froms, &tid, from, BPF_ANY);
}

SEC("cgroup/recvmsg4")
int peer_from4(struct bpf_sock_addr *ctx)
{
	struct flow_from from = {};

	mapped(from.addr, ctx->user_ip4);
	from_kernel(ctx, &from);
	return 1;
}

SEC("cgroup/recvmsg6")
int peer_from6(struct bpf_sock_addr *ctx)
{
	struct flow_from from = {};
	__u32 *addr = (void *)from.addr;

	addr[0] = ctx->user_ip6[0];
	addr[1] = ctx->user_ip6[1];
	addr[2] = ctx->user_ip6[2];
	addr[3] = ctx->user_ip6[3];
	from_kernel(ctx, &from);
	return 1;
}

#define FROM_HOOK 1 /* as an address in the caller's memory: what the hook was told */

/* Where there is no room the element of a thread that did not receive for long becomes another's, even under its hands. */
static __always_inline bool hook_address(struct sock *sk, __u8 *to, __u16 *port)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct flow_from *from = bpf_map_lookup_elem(&flow_froms, &tid);

	if (!from || from->sock != (__u64)sk || from->tid != tid)
		return false;
	__builtin_memcpy(to, from->addr, sizeof(from->addr));
	*port = from->port;
	return true;
}

/* Read by whoever wants it, or looked at only: the next datagram is another's. */
static __always_inline int hook_forget(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct flow_from *from = bpf_map_lookup_elem(&flow_froms, &tid);

	if (from)
		from->sock = 0;
	return 0;
}

/* Key and ends of a datagram's flow. to: address in the caller's memory, of an unconnected socket; or FROM_HOOK. */
static __noinline struct flow_room *udp_ends(struct cb_state *s, struct sock *sk, __u64 to)
{
	bool server = udp_is_server(sk);
	struct flow_space *sp = space_seen(sk);
	struct flow_room *r = room_begin(server ? FLOW_IN : FLOW_OUT, FLOW_UDP);

	if (!r)
		return NULL;
	ends(sk, r, server);
	if (!r->flow.rport) {
		__builtin_memset(r->key.addr, 0, sizeof(r->key.addr));
		if ((to == FROM_HOOK ? hook_address(sk, r->key.addr, &r->flow.rport) :
				       user_address(to, r->key.addr, &r->flow.rport)) &&
		    !server)
			r->key.port = r->flow.rport;
	}
	__builtin_memcpy(r->raddr, r->key.addr, sizeof(r->raddr));
	find_peer(s, sp, r);
	if (!server && space_shared(sp, r->key.netns))
		owner_learn(sp, s->h.cont, r->flow.laddr, r->key.netns, r->flow.lport, FLOW_UDP);
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
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
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
	if (!f)
		return 0;
	if (r->key.dir == FLOW_IN || (r->key.flags & FLOW_F_OTHER))
		flow_contact(f);
	flow_bytes(f, false, ret);
	flow_notice(f, id);
	return 0;
}

/*
 * One of several messages of a call: programs of their own to a verifier, which then looks at them once. The namespace
 * is looked at here and not deeper down: older kernels allow 512 bytes of stack for all calls together.
 */
__noinline int peer_one_received(__u64 sk, __u64 from, __u64 ret)
{
	struct cb_state *s = cb_current();

	if (!s)
		return 0;
	space_of(net_of((struct sock *)sk), s->h.cont);
	return udp_received(s, (struct sock *)sk, from, ret);
}

__noinline int peer_one_sent(__u64 sk, __u64 to, __u64 buf, __u64 len, __u64 ret)
{
	struct peer_msg m = { .to = to, .buf = buf, .len = len };
	struct cb_state *s = cb_current();

	if (!s)
		return 0;
	space_of(net_of((struct sock *)sk), s->h.cont);
	return udp_sent(s, (struct sock *)sk, &m, ret);
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
		peer_one_received((__u64)sk, m.to, got);
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
	return peer_one_received((__u64)sk, m.to, ret);
}

/* recvfrom, recvmsg and recvmmsg, where the length is known from within */
SEC("tp")
int peer_received(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s = awaited ? cb_current() : NULL;

	if (!s || !s->call.busy)
		return 0;
	s->call.busy = 0;
	__sync_fetch_and_add(&awaited, -1);
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
		peer_one_sent((__u64)sk, m.to, m.buf, m.len, put);
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
	return peer_one_sent((__u64)sk, m.to, m.buf, m.len, ctx->ret);
}
#endif
