/* SPDX-License-Identifier: GPL-2.0 */
/* TCP: by the state changes of its sockets. The socket itself counts its payload. */
#ifndef CB_PEER_TCP_BPF_H
#define CB_PEER_TCP_BPF_H
#include "peer_inet.bpf.h"

/* Payload that crossed the wire once, FIN not counted. */
static __always_inline void tcp_payload(struct sock *sk, __u64 *tx, __u64 *rx)
{
	struct tcp_sock *tp = (void *)sk;

	*tx = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
	*rx = BPF_CORE_READ(tp, bytes_received);
	if (*rx && (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1UL << SOCK_DONE)))
		(*rx)--;
}

static __always_inline int tcp_tried(struct sock *sk)
{
	struct cb_state *s = cb_current();
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = FLOW_OUT };
	__u64 key = (__u64)sk;
	struct flow_space *sp;
	struct flow_room *r;
	struct flow *f;

	if (!s)
		return 0;
	s->call.tried = key;
	sp = space_of(net_of(sk), s->h.cont);
	r = room_begin(FLOW_OUT, FLOW_TCP);
	if (!r)
		return 0;
	ends(sk, r, false);
	fs.shared = space_shared(sp, r->key.netns);
	fs.born_ns = bpf_ktime_get_boot_ns();
	fs.cont = s->h.cont;
	if (s->h.flags & CB_F_DROP) {
		if (fs.shared)
			bpf_map_update_elem(&flow_socks, &key, &fs, BPF_ANY);
		return 0;
	}
	find_peer(s, sp, r);
	f = flow_get(s, r, &fs.flow);
	if (!f)
		return 0;
	flow_contact(f);
	bpf_map_update_elem(&flow_socks, &key, &fs, BPF_ANY);
	return 0;
}

static __always_inline int tcp_made(struct sock *sk, struct flow_sock *fs)
{
	__u8 own[16];
	struct flow *f;

	if (fs->shared) {
		__u32 netns = netns_of(sk);

		local_address(sk, own);
		owner_learn(space_get(netns), fs->cont, own, netns, local_port(sk), FLOW_TCP);
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

static __noinline int tcp_accepted(struct cb_state *s, struct sock *sk)
{
	struct flow_sock fs = { .proto = FLOW_TCP, .dir = FLOW_IN };
	struct flow_space *sp = space_of(net_of(sk), s->h.cont);
	struct flow_room *r = room_begin(FLOW_IN, FLOW_TCP);
	struct flow *f;

	if (!r)
		return 0;
	ends(sk, r, true);
	accepted_from(sp, s->h.cont, r->key.addr, r->flow.rport);
	find_peer(s, sp, r);
	f = flow_get(s, r, &fs.flow);
	if (!f)
		return 0;
	flow_contact(f);
	fs.born_ns = f->last_ns;
	if (protocol_of(sk) == FLOW_TCP)
		tcp_known(sk, f, &fs);
	flow_notice(f, fs.flow);
	return 0;
}
#endif
