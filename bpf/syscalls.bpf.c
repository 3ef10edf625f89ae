/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls of watched tasks, whole and in order: at sys_enter for sequences, at sys_exit for counts with
 * errors. Each thread fills a buffer of its own in its state, a chunk, which is sent when full, at exec and at exit;
 * threads that pause are peeked at by the iterator. A sequence goes through the thread's seat on its CPU first (chunk.h):
 * most calls cost an index and a store. No event rate can lose what is not counted as lost.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "argclass.h"
#include "chunk.h"
#include "uring.h"

const volatile __u32 mode = CHUNK_COUNTS;
const volatile struct cb_argtable arg_table = {};
const volatile struct cb_argrule arg_rule[CB_ARGCLASS_MAX + 1] = {};

#define CB_STATE_DATA                                                                                                  \
	__u64 first;                                                                                                   \
	__u64 began_ns;                                                                                                \
	__u64 thread_ns;                                                                                               \
	__u32 n;                                                                                                       \
	__u32 last;                                                                                                    \
	union {                                                                                                        \
		__u16 call[CHUNK_SEQUENCE];                                                                            \
		__u32 ret[CHUNK_CALLS];                                                                                \
		__u64 took[CHUNK_TOOK];                                                                                \
	};                                                                                                             \
	__u64 entered_ns; /* after what is sent */                                                                     \
	__u32 seat;       /* number of its seat, from 1 on; 0: none */

struct cb_state;
struct seq_file;
struct task_struct;
static __always_inline void chunk_exec(struct cb_state *s, struct task_struct *t);
static __always_inline void chunk_exit(struct cb_state *s, struct task_struct *t);
static __always_inline void chunk_peek(struct seq_file *seq, struct cb_state *s, struct task_struct *t);

#define CB_BEFORE_EXEC(ctx, s, t) chunk_exec(s, t)
#define CB_ON_EXIT(ctx, s, t, last) chunk_exit(s, t)
#define CB_PEEK(seq, s, t) chunk_peek(seq, s, t)

#include "task.bpf.h"

#define CHUNK_HEAD __builtin_offsetof(struct cb_chunk, call)

_Static_assert(__builtin_offsetof(struct cb_state, call) == CHUNK_HEAD, "a state is sent as a chunk");
_Static_assert(__builtin_offsetof(struct cb_state, entered_ns) == sizeof(struct cb_chunk), "a state is sent as a chunk");

static __always_inline __u32 chunk_bytes(__u32 n)
{
	return (n & 511) * (mode == CHUNK_SEQUENCES ? 2 : mode == CHUNK_COUNTS ? 4 : 8);
}

static __always_inline __u32 chunk_calls(void)
{
	return mode == CHUNK_SEQUENCES ? CHUNK_SEQUENCE : mode == CHUNK_COUNTS ? CHUNK_CALLS : CHUNK_TOOK;
}

static __always_inline void chunk_send(struct cb_state *s, struct task_struct *t, __u32 n)
{
	__u32 size;

	if (n > chunk_calls())
		n = chunk_calls();
	size = CHUNK_HEAD + chunk_bytes(n);
	if (size > sizeof(struct cb_chunk))
		size = sizeof(struct cb_chunk);
	s->n = n;
	s->h.time_ns = bpf_ktime_get_boot_ns();
	if (!s->thread_ns) {
		s->thread_ns = BPF_CORE_READ(t, start_boottime);
		bpf_core_read(s->h.comm, sizeof(s->h.comm), &t->comm);
	}
	cb_send(s, size, n, false);
	s->first += n;
	s->began_ns = s->h.time_ns;
	s->n = 0;
}

static __always_inline void chunk_full(struct cb_state *s, __u32 n)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	bpf_core_read(s->h.comm, sizeof(s->h.comm), &t->comm);
	chunk_send(s, t, n);
}

static __always_inline void chunk_add(struct cb_state *s, __u64 v)
{
	__u32 n = s->n;

	if (mode == CHUNK_SEQUENCES)
		s->call[n & (CHUNK_SEQUENCE - 1)] = v;
	else if (mode == CHUNK_LATENCY)
		s->took[n & (CHUNK_TOOK - 1)] = v;
	else
		s->ret[n & (CHUNK_CALLS - 1)] = v;
	s->n = ++n;
	if (n >= chunk_calls())
		chunk_full(s, chunk_calls());
}

/* ---- seats ---- */

/* user space makes as many as there are CPUs */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct chunk_seat);
} seats SEC(".maps");

/* m calls behind the n that are in to: false when there is no room. Bounds that older verifiers see too. */
static __always_inline bool seat_read(__u16 *to, __u32 n, __u32 m, struct chunk_seat *seat)
{
	asm volatile("" : "+r"(n), "+r"(m));
	if (n > CHUNK_SEQUENCE - CHUNK_SEAT_CALLS || m > CHUNK_SEAT_CALLS)
		return false;
	return !bpf_probe_read_kernel(&to[n], m * sizeof(*to), seat->call);
}

/*
 * The one that t may have on this CPU. Its place follows from how far its registers, at the top of its stack, lie from
 * itself: which stays as it is, and is the one thing the verifier lets us reckon from pointers.
 */
static __always_inline struct chunk_seat *seat_here(struct task_struct *t, struct pt_regs *regs, __u32 *at)
{
	__u64 h = ((void *)t - (void *)regs) * 0x9e3779b97f4a7c15;

	*at = bpf_get_smp_processor_id() << CHUNK_SEAT_BITS | h >> (64 - CHUNK_SEAT_BITS);
	return bpf_map_lookup_elem(&seats, at);
}

static __always_inline struct chunk_seat *seat_of(struct cb_state *s, struct task_struct *t)
{
	__u32 at = s->seat - 1;
	struct chunk_seat *seat = s->seat ? bpf_map_lookup_elem(&seats, &at) : NULL;

	return seat && seat->owner == (__u64)t ? seat : NULL;
}

/* Whoever has a seat has room in the chunk for what lies there: so a peek shows all of both. */
static __always_inline void chunk_room(struct cb_state *s)
{
	if (s->n > CHUNK_SEQUENCE - CHUNK_SEAT_CALLS)
		chunk_full(s, s->n);
}

/* What lies there goes into the chunk, behind what is there. By its owner only. */
static __noinline int seat_clear(struct cb_state *s, struct chunk_seat *seat)
{
	__u32 n = s->n, m = seat->n;

	seat->n = 0;
	if (s->h.flags & CB_F_DROP)
		return 0;
	if (!seat_read(s->call, n, m, seat))
		return 0; /* never so */
	s->n = n + m;
	chunk_room(s);
	return 0;
}

static __always_inline void seat_empty(struct cb_state *s, struct task_struct *t)
{
	struct chunk_seat *seat = seat_of(s, t);

	if (seat && seat->n)
		seat_clear(s, seat);
}

static __always_inline void seat_leave(struct cb_state *s, struct task_struct *t)
{
	struct chunk_seat *seat = seat_of(s, t);

	if (!seat)
		return;
	if (seat->n)
		seat_clear(s, seat);
	s->seat = 0;
	barrier();
	*(volatile __u64 *)&seat->owner = 0;
}

/*
 * On another CPU than before, or for the first time. Seats of a CPU are taken on that CPU only, where no two programs
 * of ours run at once; given back they are anywhere, by their owner.
 */
static __noinline int seat_take(struct cb_state *s, struct task_struct *t, struct chunk_seat *seat, __u32 at)
{
	seat_leave(s, t);
	if (seat->owner)
		return 0;
	chunk_room(s);
	seat->n = 0;
	barrier();
	*(volatile __u64 *)&seat->owner = (__u64)t;
	s->seat = at + 1;
	return 1;
}

/* ---- the ends of a stream ---- */

static __always_inline void chunk_exec(struct cb_state *s, struct task_struct *t)
{
	seat_empty(s, t);
	s->last = 1;
	chunk_send(s, t, s->n);
	s->last = 0;
	s->first = 0;
	s->thread_ns = 0;
}

static __always_inline void chunk_exit(struct cb_state *s, struct task_struct *t)
{
	seat_leave(s, t);
	s->last = 1;
	chunk_send(s, t, s->n);
}

/*
 * The owner may be writing on another CPU. Buffer and number of its first call are read twice: where the
 * number moved, the copy is torn and the full chunk is on its way through the ring anyway.
 */
struct peek_room {
	struct cb_peek p;
	struct cb_chunk c;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peek_room);
} peek_rooms SEC(".maps");

static __always_inline void chunk_peek(struct seq_file *seq, struct cb_state *s, struct task_struct *t)
{
	volatile struct cb_state *vs = s;
	__u32 zero = 0, n = vs->n, more = 0, size;
	struct chunk_seat *seat = seat_of(s, t);
	__u64 first = vs->first;
	struct peek_room *o;

	if (seat)
		more = *(volatile __u32 *)&seat->n;
	if (n + more == 0 || n >= chunk_calls() || (s->h.flags & CB_F_DROP))
		return;
	o = bpf_map_lookup_elem(&peek_rooms, &zero);
	if (!o || bpf_probe_read_kernel(&o->c, sizeof(o->c), s))
		return;
	if (more && seat_read(o->c.call, n, more, seat)) {
		barrier();
		if (vs->n != n)
			return;
		n += more;
	}
	barrier();
	if (!n || vs->first != first || o->c.first != first)
		return;
	o->c.n = n;
	o->c.last = 0;
	if (!o->c.thread_ns)
		o->c.thread_ns = t->start_boottime;
	bpf_core_read(o->c.h.comm, sizeof(o->c.h.comm), &t->comm);
	o->c.h.time_ns = bpf_ktime_get_boot_ns();
	size = sizeof(o->p) + CHUNK_HEAD + chunk_bytes(n);
	if (size > sizeof(*o))
		return;
	o->p.what = LIFE_PEEK;
	o->p.size = size;
	bpf_seq_write(seq, o, size);
}

/* Straight from the registers: a probe read costs more than all the rest. */
#if defined(__TARGET_ARCH_x86)
#define ARG(regs, n, reg) ((regs)->reg)
#else
#define ARG(regs, n, reg) PT_REGS_PARM##n##_CORE_SYSCALL(regs)
#endif

/* The class of a call that has rules, else the call itself. */
static __always_inline __u16 classify(struct pt_regs *regs, __u16 nr, __u8 rule)
{
	if (rule > CB_ARGCLASS_MAX)
		rule = arg_table.spread[(rule - CB_ARGCLASS_MAX - 1) & (CB_ARGCLASS_SPREADS - 1)]
				       [ARG(regs, 1, di) & (CB_ARGCLASS_SPREAD - 1)];
	for (int i = 0; i < 12 && rule; i++) {
		__u32 at = (rule - 1) & CB_ARGCLASS_MAX;
		const volatile struct cb_argrule *r = &arg_rule[at];
		__u64 v;

		switch (r->arg) {
		case 0: v = ARG(regs, 1, di); break;
		case 1: v = ARG(regs, 2, si); break;
		case 2: v = ARG(regs, 3, dx); break;
		case 3: v = ARG(regs, 4, r10); break;
		default: v = ARG(regs, 5, r8); break;
		}
		if (r->deref && bpf_probe_read_user(&v, sizeof(v), (void *)v))
			return nr;
		if ((v & r->mask) == r->value)
			return CB_ARGCLASS_BASE + at;
		rule = r->next;
	}
	return nr;
}

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/thread_info.h TS_COMPAT: the call came through the 32-bit table. */
static __always_inline bool compat_call(struct task_struct *t)
{
	if (cb_storage)
		return t->thread_info.status & 2;
	t = (void *)bpf_get_current_task();
	return BPF_CORE_READ(t, thread_info.status) & 2;
}
#else
static __always_inline bool compat_call(struct task_struct *t)
{
	return false;
}
#endif

static __always_inline __u16 token(struct pt_regs *regs, long id, struct task_struct *t, struct cb_state *s)
{
	if (compat_call(t)) {
		if (!s)
			s = cb_current();
		if (s)
			s->h.flags |= CB_F_COMPAT;
		return (id & 0x3ff) | 0x8000;
	}
	if (id >= 0 && id < CB_ARGCLASS_CALLS) {
		__u8 rule = arg_table.first[id];

		return rule ? classify(regs, id, rule) : id;
	}
	return id < 0 || id >= CHUNK_NR_NONE ? CHUNK_NR_NONE : id;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(enter, struct pt_regs *regs, long id)
{
	struct task_struct *t = cb_storage ? bpf_get_current_task_btf() : NULL;
	struct chunk_seat *seat = NULL;
	struct cb_state *s = NULL;
	__u32 at = 0, n;
	__u16 nr;

	if (cb_storage) {
		/* most tasks of a host, seen without a call */
		if (!t->bpf_storage)
			return 0;
		seat = seat_here(t, regs, &at);
	}
	if (!seat || seat->owner != (__u64)t) {
		s = cb_current_task(&t);
		if (!s || (s->h.flags & CB_F_DROP))
			return 0;
		if (seat && !seat_take(s, t, seat, at))
			seat = NULL;
	}
	nr = token(regs, id, t, s);
	if (!seat) {
		chunk_add(s, nr);
		return 0;
	}
	n = seat->n;
	if (n < CHUNK_SEAT_CALLS) {
		seat->call[n] = nr;
		seat->n = ++n;
	}
	if (n < CHUNK_SEAT_CALLS)
		return 0;
	s = cb_current_task(&t);
	if (s)
		seat_clear(s, seat);
	return 0;
}

/* -L: when the call was made. The clock is most of what this costs. */
SEC("tp_btf/sys_enter")
int BPF_PROG(enter_clock, struct pt_regs *regs, long id)
{
	struct cb_state *s = cb_current();

	if (s && !(s->h.flags & CB_F_DROP))
		s->entered_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline __u32 chunk_time(struct cb_state *s)
{
	__u64 took = s->entered_ns ? bpf_ktime_get_ns() - s->entered_ns : 0;

	s->entered_ns = 0;
	if (took < CHUNK_LONG)
		return took;
	took >>= 20;
	return took < CHUNK_LONG ? took | CHUNK_LONG : 0xffffffff;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave, struct pt_regs *regs, long ret)
{
	struct task_struct *t;
	struct cb_state *s = cb_current_task(&t);
	__u32 v;
	long id;

	if (!s || (s->h.flags & CB_F_DROP))
		return 0;
#if defined(__TARGET_ARCH_x86)
	id = regs->orig_ax;
#else
	id = BPF_CORE_READ(regs, syscallno);
#endif
	v = id < 0 ? CHUNK_NR_SIGRETURN : (id < CHUNK_NR_NONE ? (__u32)id : CHUNK_NR_NONE);
	if (compat_call(t)) {
		s->h.flags |= CB_F_COMPAT;
		v |= 0x8000;
	}
	if (ret < 0 && ret > -4096)
		v |= (__u32)-ret << CHUNK_ERR_SHIFT;
	chunk_add(s, mode == CHUNK_LATENCY ? v | (__u64)chunk_time(s) << 32 : v);
	return 0;
}

/* The event was renamed in 6.4; both know the operation. */
struct trace_event_raw_io_uring_submit_sqe {
	u8 opcode;
} __attribute__((preserve_access_index));

SEC("tp")
int uring_submit(void *ctx)
{
	struct task_struct *t;
	struct cb_state *s = cb_current_task(&t);
	__u32 off;
	__u8 op = 0;

	if (!s || (s->h.flags & CB_F_DROP))
		return 0;
	if (bpf_core_type_exists(struct trace_event_raw_io_uring_submit_req))
		off = bpf_core_field_offset(struct trace_event_raw_io_uring_submit_req, opcode);
	else
		off = bpf_core_field_offset(struct trace_event_raw_io_uring_submit_sqe, opcode);
	bpf_probe_read_kernel(&op, sizeof(op), ctx + off);
	if (cb_storage)
		seat_empty(s, t);
	chunk_add(s, CB_URING_BASE + op);
	if (s->seat)
		chunk_room(s);
	return 0;
}
