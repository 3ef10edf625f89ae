/* SPDX-License-Identifier: GPL-2.0 */
/* The containers there are, counted in one pass over all tasks; nothing is attached. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "containers.h"

/* this is the pass to count in; the tool sets it */
bool counting = false;

struct cb_state;
struct task_struct;
static __always_inline void container_count(struct cb_state *s, struct task_struct *t);

#define CB_PEEK(seq, s, t) container_count(s, t)

#include "task.bpf.h"

#define PF_EXITING 0x4

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct container_total);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct container_total);
} total_room SEC(".maps");

/* The one to name the container by: its init, or the oldest where it shares the host's pid namespace. */
static __always_inline void take_first(struct container_total *c, struct cb_state *s, struct task_struct *t)
{
	__u32 ns, init;

	init = s->h.cont && cb_pid_at(t, cb_level + 1, &ns) == 1;
	if (c->h.pid && (c->init > init || (c->init == init && c->h.start_ns <= s->h.start_ns)))
		return;
	c->h = s->h;
	c->init = init;
}

static __always_inline void container_count(struct cb_state *s, struct task_struct *t)
{
	struct container_total *c, *empty;
	__u64 key = s->h.cont;
	__u32 zero = 0;

	if (!counting || (t->flags & PF_EXITING))
		return;
	c = bpf_map_lookup_elem(&totals, &key);
	if (!c) {
		empty = bpf_map_lookup_elem(&total_room, &zero);
		if (!empty)
			return;
		bpf_map_update_elem(&totals, &key, empty, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&totals, &key);
		if (!c)
			return;
	}
	c->tasks++;
	if (t->pid != t->tgid)
		return;
	c->processes++;
	take_first(c, s, t);
}
