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
volatile __u32 awaited = 0; /* receives under way that are accounted at their exit: with none that costs no look-up */
bool listeners_only = false; /* first pass over the sockets that are there at the start */

/* a system call's arguments, kept from its middle (or its entry) to its exit */
struct peer_call {
	__u64 arg[6];
	__u32 nr;
	__u32 busy; /* receive: there is something to account */
	__u64 sk;
	__u64 tried; /* the socket that last sent a SYN */
	__u32 len;
	__u32 pad;
};

#define CB_STATE_DATA                                                                                                  \
	struct peer_call call;                                                                                         \
	__u64 prog, prog_of; /* the program's file, found out for this exec */                                         \
	__u64 found;	     /* the task itself while the iterator looks at its files: then it is not the current one */                    \
	__u64 many;	     /* sendmmsg: its vector, and the message that comes next */                               \
	__u32 many_next;                                                                                               \
	__u32 pad;
#define CB_ON_EXEC(ctx, s, t, bprm) space_at_exec(s, t)

struct cb_state;
static __always_inline void space_at_exec(struct cb_state *s, struct task_struct *t);

#include "task.bpf.h"
#include "peer_listen.bpf.h"
#include "peer_tcp.bpf.h"
#include "peer_there.bpf.h"
#include "peer_udp.bpf.h"
#include "peer_unix.bpf.h"

static __always_inline bool still_trying(long ret)
{
	return ret == -EINPROGRESS || ret == -EALREADY || ret == -EINTR || ret == -ERESTARTSYS;
}

/* The socket's states tell of an attempt that sent something, in this call or in one before that did not wait for its end. */
static __always_inline bool told_by_states(struct cb_state *s, struct sock *sk, long ret)
{
	__u64 key = (__u64)sk, ino = inode_of(sk), *was;
	bool told = s->call.tried == key || ret >= 0 || ret == -EISCONN;

	s->call.tried = 0;
	if (still_trying(ret)) {
		bpf_map_update_elem(&flow_trying, &key, &ino, BPF_ANY);
		return true;
	}
	was = bpf_map_lookup_elem(&flow_trying, &key);
	if (!was)
		return told;
	/* that attempt is over, and what comes next on this socket is another */
	told |= *was == ino;
	bpf_map_delete_elem(&flow_trying, &key);
	return told;
}

static __always_inline int connected(struct cb_state *s, long ret)
{
	struct socket *so = NULL;
	struct sock *sk = socket_of_fd(s->call.arg[0], &so);
	__u16 family, proto;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	proto = protocol_of(sk);
	if (family == AF_UNIX && is_datagram(sk) && ret >= 0)
		return lengths ? 0 : datagram_sent(s, sk, BPF_CORE_READ((struct unix_sock *)sk, peer), 0);
	if (family == AF_UNIX)
		return ret == -EAGAIN ? 0 : unix_contact(s, sk, FLOW_OUT, ret);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (proto == FLOW_TCP && !told_by_states(s, sk, ret))
		return inet_refused(s, sk, FLOW_TCP, ret);
	if (proto != FLOW_UDP)
		return 0;
	if (ret < 0)
		return inet_refused(s, sk, FLOW_UDP, ret);
	/* what is then written with write(2) is not seen without the tracepoints of lengths */
	if (!lengths && remote_port(sk))
		return peer_one_sent((__u64)sk, 0, 0, 0, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_connect")
int peer_connect(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *t = cb_call_self();
	long ret = cb_call_result(ctx);
	struct cb_state *s = wanted();
	struct pt_regs *regs;

	if (!s)
		return 0;
	regs = cb_call_regs(t, ctx);
	s->call.arg[0] = cb_call_argument(regs, 1);
	s->call.arg[1] = cb_call_argument(regs, 2);
	s->call.arg[2] = cb_call_argument(regs, 3);
	return connected(s, ret);
}

/* of the socket that waits: nobody knows who it would have been */
static __noinline int accept_failed(struct cb_state *s, struct sock *sk, long ret)
{
	struct flow_room *r = room_begin(FLOW_IN, FLOW_TCP);
	struct flow *f;
	__u64 id = 0;

	if (!r)
		return 0;
	r->key.netns = netns_of(sk);
	local_address(sk, r->flow.laddr);
	r->key.port = r->flow.lport = local_port(sk);
	f = flow_get(s, r, &id);
	if (!f)
		return 0;
	flow_contact(f);
	flow_failed(f, id, -ret);
	return 0;
}

/* accept and accept4 */
SEC("tp")
int peer_accept(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *t = cb_call_self();
	long ret = cb_call_result(ctx);
	struct cb_state *s = wanted();
	struct socket *so = NULL;
	struct sock *sk;
	__u16 family;

	if (!s || ret == -EAGAIN || ret == -EINTR || ret == -ERESTARTSYS)
		return 0;
	sk = socket_of_fd(ret < 0 ? cb_call_argument(cb_call_regs(t, ctx), 1) : ret, &so);
	if (!sk || (ret < 0 && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN))
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX)
		return unix_contact(s, sk, FLOW_IN, ret);
	if ((family != AF_INET && family != AF_INET6) ||
	    (protocol_of(sk) != FLOW_TCP && protocol_of(sk) != IPPROTO_MPTCP))
		return 0;
	return ret < 0 ? accept_failed(s, sk, ret) : tcp_accepted(s, sk);
}

/* Of listen or bind that went well, by a task that is watched, wanted or not. */
static __always_inline struct sock *listening(struct trace_event_raw_sys_exit *ctx, struct cb_state **ret)
{
	struct task_struct *t;
	struct cb_state *s = cb_current_task(&t);
	long failed = cb_call_result(ctx);
	struct socket *so = NULL;

	*ret = s;
	return s && !failed ? socket_of_fd(cb_call_argument(cb_call_regs(t, ctx), 1), &so) : NULL;
}

SEC("tp/syscalls/sys_exit_listen")
int peer_listen(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s;
	struct sock *sk = listening(ctx, &s);
	__u16 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX)
		return s->h.flags & CB_F_DROP ? 0 : unix_contact(s, sk, FLOW_LISTEN, 0);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	space_of(net_of(sk), s->h.cont);
	return inet_listens(s, sk, FLOW_TCP);
}

SEC("tp/syscalls/sys_exit_bind")
int peer_bind(struct trace_event_raw_sys_exit *ctx)
{
	struct cb_state *s;
	struct sock *sk = listening(ctx, &s);
	__u16 family;

	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX && is_datagram(sk)) {
		datagram_bound(s, sk);
		return s->h.flags & CB_F_DROP ? 0 : unix_contact(s, sk, FLOW_LISTEN, 0);
	}
	if ((family != AF_INET && family != AF_INET6) || protocol_of(sk) != FLOW_UDP || !udp_is_server(sk))
		return 0;
	space_of(net_of(sk), s->h.cont);
	return inet_listens(s, sk, FLOW_UDP);
}

/* A socket can be read: of a unix socket in the middle of the call that sends to it. Attached when ready_on says so. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(peer_ready, struct sock *sk)
{
	__u64 to = (__u64)sk;
	__u32 tid;

	/* all that comes over any socket passes here: nothing is asked before it is known to be wanted */
	if (sk->__sk_common.skc_family != AF_UNIX || sk->sk_type != SOCK_DGRAM)
		return 0;
	tid = bpf_get_current_pid_tgid();
	if (cb_current() || bound(sk))
		bpf_map_update_elem(&flow_ready, &tid, &to, BPF_ANY);
	return 0;
}

static __always_inline int datagram(struct sock *sk, long ret)
{
	__u32 tid = bpf_get_current_pid_tgid(), nr;
	__u64 *ready = bpf_map_lookup_elem(&flow_ready, &tid), to = 0, arg[CALL_ARGUMENTS] = {};
	struct cb_state *s = cb_current();
	struct peer_msg m;

	if (ready) {
		to = *ready;
		bpf_map_delete_elem(&flow_ready, &tid);
	}
	if (to && ret >= 0)
		return datagram_sent(s, sk, (struct sock *)to, ret);
	if (!s || (s->h.flags & CB_F_DROP) || ret == -EAGAIN || (ret >= 0 && ready_on == FLOW_READY_ON))
		return 0;
	nr = call_now(arg);
	sending(s, nr, arg, &m);
	to = ret < 0 || m.to ? 0 : (__u64)BPF_CORE_READ((struct unix_sock *)sk, peer);
	return to ? datagram_sent(s, sk, (struct sock *)to, ret) : datagram_named(s, sk, &m, ret);
}

/* Not TCP, here and below: that keeps its own sums, and its messages cost no more than the look at what they are. */
static __noinline int sent(struct sock *sk, int ret)
{
	__u64 arg[CALL_ARGUMENTS] = {};
	struct peer_msg m;
	struct cb_state *s;
	__u32 nr;

	if (sk->__sk_common.skc_family == AF_UNIX)
		return sk->sk_type == SOCK_DGRAM ? datagram(sk, ret) : unix_bytes(sk, ret, true);
	if (!is_udp(sk))
		return 0;
	s = wanted();
	if (!s || ret == -EAGAIN)
		return 0;
	space_of(net_of(sk), s->h.cont);
	nr = call_now(arg);
	sending(s, nr, arg, &m);
	return udp_sent(s, sk, &m, ret);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(peer_sent, struct sock *sk, int ret, int flags)
{
	return sk->sk_protocol == FLOW_TCP ? 0 : sent(sk, ret);
}

static __noinline int got(struct sock *sk, int ret)
{
	__u64 arg[CALL_ARGUMENTS] = {};
	struct cb_state *s;
	__u32 nr;

	if (sk->__sk_common.skc_family == AF_UNIX)
		return unix_bytes(sk, ret, false);
	if (!is_udp(sk))
		return 0;
	s = wanted();
	if (!s)
		return 0;
	space_of(net_of(sk), s->h.cont);
	if (sk->__sk_common.skc_dport)
		return udp_received(s, sk, 0, ret);
	if (hooked) {
		udp_received(s, sk, FROM_HOOK, ret);
		return hook_forget();
	}
	/* whom it is from is put into the caller's memory later on in these calls */
	nr = call_now(arg);
	if (nr == nr_recvfrom || nr == nr_recvmsg || nr == nr_recvmmsg) {
		__builtin_memcpy(s->call.arg, arg, sizeof(arg));
		s->call.nr = nr;
		s->call.sk = (__u64)sk;
		s->call.len = ret;
		if (!s->call.busy)
			__sync_fetch_and_add(&awaited, 1);
		s->call.busy = 1;
		return 0;
	}
	return udp_received(s, sk, 0, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(peer_got, struct sock *sk, int ret, int flags)
{
	if (sk->sk_protocol == FLOW_TCP || ret < 0)
		return 0;
	/* looked at, and still there; or what became of one that was sent */
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		return hooked && is_udp(sk) ? hook_forget() : 0;
	return got(sk, ret);
}
