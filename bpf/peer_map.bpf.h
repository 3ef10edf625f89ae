/* SPDX-License-Identifier: GPL-2.0 */
/* The tables of the peer probe, and the room in which a flow is put together. */
#ifndef CB_PEER_MAP_BPF_H
#define CB_PEER_MAP_BPF_H
#include "flow.h"

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

/* sockets whose connect did not wait, with their inode: the next one on it only asks how that went */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} flow_trying SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct flow_bound);
} flow_bounds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow_pair_key);
	__type(value, struct flow_pair);
} flow_pairs SEC(".maps");

/* by thread */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct flow_from);
} flow_froms SEC(".maps");

/* thread -> the socket that its datagram was just put into */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} flow_ready SEC(".maps");

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

/* network namespaces that containers were seen in, or that theirs lead to */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct flow_space);
} flow_netns SEC(".maps");

/* networks that turned out to be one: to the older */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} flow_joined SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct flow_owner_key);
	__type(value, struct flow_owner);
} flow_owner SEC(".maps");

/* addresses of the namespaces that containers were seen in, and the namespace */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_addr);
	__type(value, __u32);
} flow_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct flow_owner_key);
	__type(value, __u64);
} flow_accepted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_net);
} flow_net_rooms SEC(".maps");

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
#endif
