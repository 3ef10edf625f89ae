/* SPDX-License-Identifier: GPL-2.0 */
/* The call under way: its arguments, and what it sends. */
#ifndef CB_PEER_CALL_BPF_H
#define CB_PEER_CALL_BPF_H
#include "peer_sock.bpf.h"

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

/* what a call sends: where to, if it says so, and its first buffer; all in the caller's memory */
struct peer_msg {
	__u64 to, tolen, buf, len;
};

/* In a frame of its own: older kernels add up those of all that call each other. */
static __noinline int message(__u64 msg, struct peer_msg *ret)
{
	struct user_msghdr h = {};
	struct iovec v = {};

	ret->to = ret->tolen = ret->buf = ret->len = 0;
	if (bpf_probe_read_user(&h, sizeof(h), (void *)msg))
		return 0;
	ret->to = (__u64)h.msg_name;
	ret->tolen = (__u32)h.msg_namelen;
	if (h.msg_iovlen && !bpf_probe_read_user(&v, sizeof(v), h.msg_iov)) {
		ret->buf = (__u64)v.iov_base;
		ret->len = v.iov_len;
	}
	return 0;
}

/* struct mmsghdr of the kernel's interface: a msghdr and the length that was sent or received */
#define MMSG_SIZE (sizeof(struct user_msghdr) + 8)
#define MMSG_MAX 32

/* What the call under way sends, by its number and arguments. */
static __noinline int sending(struct cb_state *s, __u32 nr, const __u64 *arg, struct peer_msg *ret)
{
	struct iovec v = {};

	ret->to = ret->tolen = ret->buf = ret->len = 0;
	if (nr == nr_sendto) {
		ret->to = arg[4];
		ret->tolen = (__u32)arg[5];
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
#define CALL_ARGUMENT6(regs) BPF_CORE_READ(regs, r9)
#else
#define CALL_ARGUMENT6(regs) BPF_CORE_READ((regs), regs[5])
#endif

#define CALL_ARGUMENTS 6

/* In the middle of a call: the task's registers still hold its arguments. */
static __always_inline __u32 call_now(__u64 *arg)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	for (int i = 0; i < CALL_ARGUMENTS - 1; i++)
		arg[i] = cb_call_argument(regs, i + 1);
	arg[CALL_ARGUMENTS - 1] = CALL_ARGUMENT6(regs);
	return cb_call_number(regs);
}
#endif
