/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of an interval, in two tables: the probe counts in that of the present turn, user space empties the other.
 * Before including, a probe defines
 *   TURN_KEY, TURN_COUNT	types of a counter's key and value
 *   TURN_TABLE			how many there may be in a turn
 */
#ifndef CB_TURN_BPF_H
#define CB_TURN_BPF_H

volatile __u32 turn = 0;
__u32 used[2] = {};

struct counters {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TURN_TABLE);
	__type(key, TURN_KEY);
	__type(value, TURN_COUNT);
};
struct counters counts0 SEC(".maps");
struct counters counts1 SEC(".maps");

/* what a container uses of the table in this turn */
struct share {
	__u32 turn;
	__u32 n;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct share);
} shares SEC(".maps");

static __always_inline TURN_COUNT *turn_find(__u32 now, TURN_KEY *k)
{
	return now & 1 ? bpf_map_lookup_elem(&counts1, k) : bpf_map_lookup_elem(&counts0, k);
}

/* 0: it was made, 1: another CPU was faster, -1: no room */
static __always_inline int turn_make(__u32 now, TURN_KEY *k, TURN_COUNT *c)
{
	long err = now & 1 ? bpf_map_update_elem(&counts1, k, c, BPF_NOEXIST) : bpf_map_update_elem(&counts0, k, c, BPF_NOEXIST);

	if (!err)
		__sync_fetch_and_add(&used[now & 1], 1);
	return !err ? 0 : err == -17 /* EEXIST */ ? 1 : -1;
}

/* Is most of the table taken? What is left is for those that use little, so that none can hide what another does. */
static __always_inline bool turn_full(__u32 now)
{
	return used[now & 1] >= TURN_TABLE / 4 * 3;
}

static __always_inline __u32 turn_share(struct share *have, __u32 now)
{
	return have && have->turn == now ? have->n : 0;
}

static __always_inline void turn_take(struct share *have, __u64 whose, __u32 now)
{
	struct share first = { .turn = now, .n = 1 };

	if (!have)
		bpf_map_update_elem(&shares, &whose, &first, BPF_ANY);
	else if (have->turn != now)
		*have = first;
	else
		__sync_fetch_and_add(&have->n, 1);
}
#endif
