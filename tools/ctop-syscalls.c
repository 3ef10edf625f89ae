/* SPDX-License-Identifier: GPL-2.0 */
/* ctop-syscalls: which system calls containers make, how many, which fail; or (-S) all of them in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include "argclass.h"
#include "cb.h"
#include "chunk.h"
#include "field.h"
#include "hist.h"
#include "sequence.h"
#include "syscall.h"
#include "syscalls.skel.h"
#include "uring.h"

CB_SKEL(syscalls)

#define SEQ_TEXT 2400	  /* of a row's calls: with the common part it stays under CB_ROW_MAX */
#define RING (4u << 20)
#define FORGET_NS 10000000000ULL /* a stream of which nothing is heard */

/* A stream of numbered calls: a thread since its start or its last exec. */
struct stream_key {
	uint64_t thread_ns;
	uint64_t exec_id;
	uint64_t tid;
};

struct stream {
	struct stream_key key;
	uint64_t next; /* number of the call that comes next */
	uint64_t flushed; /* the same of what was sent, not peeked at */
	uint64_t told_ns; /* when a chunk or a peek last told of it, boot */
	bool ended;
	struct stream *next_ended;
	UT_hash_handle hh;
};

/* What is counted: a call of a container, or of a process. */
struct cell_key {
	uint64_t cont, start_ns;
	uint32_t pid, nr;
};

struct by_errno {
	uint32_t err, count;
};

struct cell {
	struct cell_key key;
	struct cb_head head; /* of the last chunk */
	uint64_t count, errors;
	struct by_errno *by;
	size_t nby;
	struct cb_hist *hist; /* -L */
	UT_hash_handle hh;
};

enum order { BY_RATE, BY_ERRORS, BY_TIME, BY_CONTAINER, BY_CALL, NORDERS };

struct top {
	enum chunk_mode mode;
	bool by_process;
	enum order order;
	struct stream *stream, *ended;
	struct cell *cell;
	uint64_t from, to; /* interval on the screen */
	uint64_t lost;	   /* calls, not yet told */
	struct cell *shown; /* the interval on the screen */
	uint64_t shown_lost;
};

/* ---- chunks to new calls ---- */

static struct stream *stream_get(struct top *t, const struct cb_chunk *c)
{
	struct stream_key key = { c->thread_ns, c->h.exec_id, c->h.tid };
	struct stream *s;

	HASH_FIND(hh, t->stream, &key, sizeof(key), s);
	if (s)
		return s;
	s = cb_xalloc(sizeof(*s));
	s->key = key;
	HASH_ADD(hh, t->stream, key, sizeof(s->key), s);
	return s;
}

static void stream_free(struct top *t, struct stream *s)
{
	HASH_DEL(t->stream, s);
	free(s);
}

/* It may have been peeked at before it ended, and the peek is used after its last chunk. */
static void stream_end(struct top *t, struct stream *s)
{
	if (s->ended)
		return;
	s->ended = true;
	s->next_ended = t->ended;
	t->ended = s;
}

/* No peek is waiting now. */
static int drained(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	struct stream *s;

	while ((s = t->ended)) {
		t->ended = s->next_ended;
		stream_free(t, s);
	}
	return 0;
}

/*
 * A thread whose last chunk was lost is never told to have ended. Who lives and has calls in its buffer is peeked at
 * in every pass; of who has none, nothing need be known.
 */
static void forget_streams(struct cb_run *run, struct top *t, uint64_t now)
{
	struct stream *s, *next;

	HASH_ITER(hh, t->stream, s, next) {
		if (s->ended || now < s->told_ns + FORGET_NS)
			continue;
		if (s->next > s->flushed) /* the kernel counted them as lost */
			cb_run_peeked(run, -(int64_t)(s->next - s->flushed));
		stream_free(t, s);
	}
}

static int emit_sequence(struct cb_run *run, const struct cb_chunk *c, uint32_t from, uint32_t n, uint64_t lost)
{
	struct sequence_rec r = { .h = c->h };

	r.h.kind = 1;
	r.first = c->first + from;
	memcpy(r.calls, c->call + from, n * sizeof(r.calls[0]));
	return cb_emit_span(run, &r, offsetof(struct sequence_rec, calls) + n * sizeof(r.calls[0]), NULL,
			    c->began_ns ? c->began_ns : c->h.time_ns, c->h.time_ns, n, lost);
}

/* One row, or more where the names are long. */
static int take_sequence(struct cb_run *run, struct top *t, const struct cb_chunk *c, uint32_t from)
{
	int err = 0;

	while (!err && from < c->n) {
		uint32_t n = cb_syscalls_fit(c->call + from, c->n - from, SEQ_TEXT);

		err = emit_sequence(run, c, from, n, t->lost);
		t->lost = 0;
		from += n;
	}
	return err;
}

static struct cell *cell_get(struct top *t, const struct cb_head *h, uint32_t nr)
{
	struct cell_key key = { .cont = h->cont, .nr = nr };
	struct cell *cell;

	if (t->by_process) {
		key.pid = h->pid;
		key.start_ns = h->start_ns;
	}
	HASH_FIND(hh, t->cell, &key, sizeof(key), cell);
	if (cell)
		return cell;
	cell = cb_xalloc(sizeof(*cell));
	cell->key = key;
	HASH_ADD(hh, t->cell, key, sizeof(cell->key), cell);
	return cell;
}

static void count_error(struct cell *c, uint32_t err)
{
	c->errors++;
	for (size_t i = 0; i < c->nby; i++)
		if (c->by[i].err == err) {
			c->by[i].count++;
			return;
		}
	c->by = cb_xrealloc(c->by, (c->nby + 1) * sizeof(*c->by));
	c->by[c->nby++] = (struct by_errno){ err, 1 };
}

/* One call of a chunk: number, errno in the upper half; with -L the time above both. */
static uint64_t call_of(const struct top *t, const struct cb_chunk *c, uint32_t i)
{
	return t->mode == CHUNK_LATENCY ? c->took[i] : c->ret[i];
}

static void count_time(struct cell *c, uint32_t took)
{
	if (!c->hist)
		c->hist = cb_xalloc(sizeof(*c->hist));
	cb_hist_add(c->hist, took & CHUNK_LONG ? (uint64_t)(took & ~CHUNK_LONG) << 20 : took);
}

static bool is_uring(uint32_t nr)
{
	return nr >= CB_URING_BASE && nr < CB_URING_BASE + CB_URING_OPS;
}

static int take_counts(struct cb_run *run, struct top *t, const struct cb_chunk *c, uint32_t from)
{
	uint32_t last = UINT32_MAX;
	struct cell *cell = NULL;

	if (!cb_wanted(run, &c->h)) {
		cb_run_filtered(run, c->n - from);
		return 0;
	}
	for (; from < c->n; from++) {
		uint64_t call = call_of(t, c, from);
		uint32_t nr = call & 0xffff, err = (uint32_t)call >> CHUNK_ERR_SHIFT;

		if (nr == CHUNK_NR_SIGRETURN)
			nr = cb_syscall_number("rt_sigreturn");
		if (nr != last) {
			cell = cell_get(t, &c->h, nr);
			cell->head = c->h;
			last = nr;
		}
		cell->count++;
		if (err)
			count_error(cell, err);
		if (t->mode == CHUNK_LATENCY && !is_uring(nr)) /* only its submission is seen */
			count_time(cell, call >> 32);
	}
	return 0;
}

/*
 * Calls known from peeks alone, until the chunk that holds them is sent (or lost, which the kernel counts too). A
 * thread that ends after the probes went takes its last chunk with it.
 */
static void count_peeked(struct cb_run *run, struct top *t, struct stream *s, const struct cb_chunk *c, bool peek)
{
	uint64_t end = c->first + c->n, next = s->next > c->first ? s->next : c->first;

	if (peek) {
		if (end > next)
			cb_run_peeked(run, end - next);
		return;
	}
	if (s->next > s->flushed)
		cb_run_peeked(run, -(int64_t)(s->next - s->flushed));
	s->flushed = end;
	t->lost += c->h.lost;
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	struct top *t = cb_run_data(run);
	const struct cb_chunk *c = rec;
	size_t head = offsetof(struct cb_chunk, call);
	size_t each = t->mode == CHUNK_SEQUENCES ? 2 : t->mode == CHUNK_COUNTS ? 4 : 8;
	uint32_t from = 0;
	struct stream *s;
	int err = 0;

	if (len < head || c->n > CHUNK_SEQUENCE || len - head < c->n * each)
		return cb_run_fail(run, -EIO, "chunk of %u calls in %zu bytes", c->n, len);
	s = stream_get(t, c);
	s->told_ns = c->h.time_ns;
	if (c->first < s->next) /* known from a peek */
		from = s->next - c->first;
	count_peeked(run, t, s, c, peek);
	if (from < c->n) {
		s->next = c->first + c->n;
		err = t->mode == CHUNK_SEQUENCES ? take_sequence(run, t, c, from) : take_counts(run, t, c, from);
	}
	if (c->last && !peek)
		stream_end(t, s);
	return err;
}

/* ---- counts to rows ---- */

static int by_count(const void *a, const void *b)
{
	const struct by_errno *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->err < y->err ? -1 : x->err > y->err;
}

/* Most first; what does not fit is left out, the number of different ones says so. */
static void errors_text(struct cell *c, char *to, size_t room)
{
	size_t at = 0;

	if (c->nby)
		qsort(c->by, c->nby, sizeof(*c->by), by_count);
	to[0] = '\0';
	for (size_t i = 0; i < c->nby; i++) {
		int n = snprintf(to + at, room - at, "%s%s:%u", at ? " " : "", cb_errno_name(c->by[i].err),
				 c->by[i].count);

		if (n < 0 || (size_t)n >= room - at) {
			to[at] = '\0';
			return;
		}
		at += n;
	}
}

static double rate(uint64_t count, uint64_t from, uint64_t to)
{
	return to > from ? count * 1e9 / (to - from) : 0;
}

static int emit_cell(struct cb_run *run, struct top *t, struct cell *c, uint64_t from, uint64_t to, uint64_t lost)
{
	struct syscall_rec r = { .h = c->head, .count = c->count, .errors = c->errors, .nr = c->key.nr };

	r.h.kind = 0;
	r.h.time_ns = to;
	r.rate = rate(c->count, from, to);
	r.distinct = c->nby;
	errors_text(c, r.errors_by, sizeof(r.errors_by));
	r.mean_ns = r.p50_ns = r.p99_ns = CB_UNKNOWN;
	if (c->hist) {
		r.mean_ns = cb_hist_mean(c->hist);
		r.p50_ns = cb_hist_quantile(c->hist, 0.5);
		r.p99_ns = cb_hist_quantile(c->hist, 0.99);
		cb_hist_text(c->hist, r.hist, sizeof(r.hist));
	}
	if (!t->by_process)
		r.h.pid = 0;
	r.h.tid = 0;
	return cb_emit_span(run, &r, sizeof(r), NULL, from, to, c->count, lost);
}

/* qsort_r: by what is asked for, most first; names upwards */
static int cell_order(const void *a, const void *b, void *arg)
{
	const struct cell *x = *(struct cell *const *)a, *y = *(struct cell *const *)b;
	enum order order = *(const enum order *)arg;
	uint64_t m = x->count, n = y->count;
	int names;

	if (order == BY_CONTAINER && x->key.cont != y->key.cont)
		return x->key.cont < y->key.cont ? -1 : 1;
	if (order == BY_CALL) {
		names = strcmp(cb_syscall_name(x->key.nr), cb_syscall_name(y->key.nr));
		if (names)
			return names;
	}
	if (order == BY_ERRORS && x->errors != y->errors)
		m = x->errors, n = y->errors;
	if (order == BY_TIME && x->hist && y->hist)
		m = x->hist->sum, n = y->hist->sum;
	if (m != n)
		return m < n ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static struct cell **sorted_cells(struct cell *table, enum order order, size_t *ret_n)
{
	size_t n = HASH_COUNT(table), i = 0;
	struct cell **all = cb_xalloc((n + 1) * sizeof(*all)), *c;

	for (c = table; c; c = c->hh.next)
		all[i++] = c;
	qsort_r(all, n, sizeof(*all), cell_order, &order);
	*ret_n = n;
	return all;
}

static void clear_cells(struct cell **table)
{
	struct cell *c, *next;

	HASH_ITER(hh, *table, c, next) {
		HASH_DEL(*table, c);
		free(c->by);
		free(c->hist);
		free(c);
	}
}

/* The screen keeps an interval for as long as it shows it. */
static void show(struct cb_run *run, struct top *t, uint64_t from, uint64_t to)
{
	if (!cb_run_paused(run)) {
		clear_cells(&t->shown);
		t->shown = t->cell;
		t->cell = NULL;
		t->from = from;
		t->to = to;
		t->shown_lost = t->lost;
	}
	clear_cells(&t->cell);
	t->lost = 0;
}

static int tick(struct cb_run *run, uint64_t from, uint64_t to)
{
	struct top *t = cb_run_data(run);
	struct cell **all;
	size_t n;
	int err = 0;

	forget_streams(run, t, to);
	if (t->mode == CHUNK_SEQUENCES)
		return 0;
	all = sorted_cells(t->cell, BY_RATE, &n);
	for (size_t i = 0; !err && i < n; i++)
		err = emit_cell(run, t, all[i], from, to, i ? 0 : t->lost);
	free(all);
	show(run, t, from, to);
	return err;
}

/* ---- the screen ---- */

static const char *const order_names[] = { "rate", "errors", "time", "container", "call" };

static void screen_head(struct cb_run *run, struct top *t, uint64_t calls, FILE *out)
{
	cb_screen_begin(out, cb_boot_to_utc(t->to));
	fprintf(out, "  %.0f calls/s in %.1f s", rate(calls, t->from, t->to), (t->to - t->from) / 1e9);
	if (t->shown_lost)
		fprintf(out, "  %llu lost", (unsigned long long)t->shown_lost);
	fprintf(out, "  by %s%s  (s sorts, p pauses, q ends)", order_names[t->order],
		cb_run_paused(run) ? ", paused" : "");
	fprintf(out, "\n\n%-20s ", "CONTAINER");
	if (t->by_process)
		fprintf(out, "%8s %-15s ", "PID", "COMM");
	fprintf(out, "%-22s %10s %9s  ", "CALL", "RATE/S", "ERRORS");
	if (t->mode == CHUNK_LATENCY)
		fprintf(out, "%10s %10s %10s  ", "MEAN us", "P50 us", "P99 us");
	fputs("BY ERROR\n", out);
}

static void screen_row(struct cb_run *run, struct top *t, struct cell *c, int width, FILE *out)
{
	const char *name = cb_run_container(run, &c->head);
	struct cb_buf line = {};
	char by[132];

	errors_text(c, by, sizeof(by));
	cb_screen_text(&line, name, strlen(name), 20);
	if (t->by_process) {
		cb_buf_printf(&line, "%8u ", c->key.pid);
		cb_screen_text(&line, c->head.comm, strnlen(c->head.comm, CB_COMM), 15);
	}
	cb_buf_printf(&line, "%-22s %10.1f %9llu  ", cb_syscall_name(c->key.nr), rate(c->count, t->from, t->to),
		      (unsigned long long)c->errors);
	if (c->hist)
		cb_buf_printf(&line, "%10.1f %10.1f %10.1f  ", cb_hist_mean(c->hist) / 1e3,
			      cb_hist_quantile(c->hist, 0.5) / 1e3, cb_hist_quantile(c->hist, 0.99) / 1e3);
	cb_buf_puts(&line, by);
	fprintf(out, "%.*s\n", width, line.s);
	cb_buf_free(&line);
}

static int screen(struct cb_run *run, FILE *out)
{
	struct top *t = cb_run_data(run);
	struct cell **all;
	uint64_t calls = 0;
	int height, width;
	size_t n;

	cb_screen_size(&height, &width);
	all = sorted_cells(t->shown, t->order, &n);
	for (size_t i = 0; i < n; i++)
		calls += all[i]->count;
	screen_head(run, t, calls, out);
	for (int i = 0; i < (int)n && i + 4 < height; i++)
		screen_row(run, t, all[i], width, out);
	free(all);
	return fflush(out) ? -errno : 0;
}

static bool key(struct cb_run *run, int c)
{
	struct top *t = cb_run_data(run);

	if (c != 's')
		return false;
	t->order = (t->order + 1) % NORDERS;
	if (t->order == BY_TIME && t->mode != CHUNK_LATENCY)
		t->order++;
	return true;
}

/* ---- set-up ---- */

#define LATENCIES "-syscall.latency_mean_ns,-syscall.latency_p50_ns,-syscall.latency_p99_ns"
#define PROCESS "-process.pid,-process.name"

static void start(struct cb_run *run)
{
	const struct top *t = cb_run_data(run);

	if (t->mode == CHUNK_SEQUENCES)
		cb_run_columns(run, "-event.action");
	else if (t->mode == CHUNK_LATENCY)
		cb_run_columns(run, t->by_process ? "-event.action" : "-event.action," PROCESS);
	else
		cb_run_columns(run, t->by_process ? "-event.action," LATENCIES : "-event.action," PROCESS "," LATENCIES);
}

/* A kernel without rings has neither event. */
static bool attach_uring(struct cb_run *run)
{
	return cb_run_attach(run, "uring_submit", "io_uring/io_uring_submit_req") > 0 ||
	       cb_run_attach(run, "uring_submit", "io_uring/io_uring_submit_sqe") > 0;
}

static int setup(struct cb_run *run, void *skel)
{
	struct top *t = cb_run_data(run);
	struct syscalls_bpf *s = skel;
	int err;

	s->rodata->mode = t->mode;
	cb_argclass_rules(&s->rodata->arg_table, s->rodata->arg_rule);
	err = cb_run_program(run, "enter", t->mode == CHUNK_SEQUENCES);
	if (!err)
		err = cb_run_program(run, "enter_clock", t->mode == CHUNK_LATENCY);
	if (!err)
		err = cb_run_program(run, "leave", t->mode != CHUNK_SEQUENCES);
	if (!err)
		err = cb_run_program(run, "uring_submit", attach_uring(run));
	if (!err && t->mode == CHUNK_SEQUENCES)
		err = bpf_map__set_max_entries(s->maps.seats, libbpf_num_possible_cpus() * CHUNK_SEATS);
	return err ? err : cb_run_ring(run, RING);
}

enum { KEY_BY = CB_KEY_TOOL };

static const struct argp_option options[] = {
	{ "sequences", 'S', NULL, 0, "every thread's calls in order, in chunks, nothing left out", 3 },
	{ "latency", 'L', NULL, 0, "time spent in calls too: mean, median, 99th percentile, histogram", 3 },
	{ "by", KEY_BY, "WHAT", 0, "count by container (the usual) or by process", 3 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static int parse(struct cb_run *run, int key, char *arg)
{
	static const char *const units[] = { "container", "process" };
	struct top *t = cb_run_data(run);
	int by;

	if (key == 'S') {
		if (t->mode == CHUNK_LATENCY)
			return cb_run_fail(run, -EINVAL, "--sequences and --latency exclude each other");
		t->mode = CHUNK_SEQUENCES;
		cb_run_schema(run, 1);
		return 0;
	}
	if (key == 'L') {
		if (t->mode == CHUNK_SEQUENCES)
			return cb_run_fail(run, -EINVAL, "--sequences and --latency exclude each other");
		t->mode = CHUNK_LATENCY;
		return 0;
	}
	by = cb_run_choice(run, "--by", arg, units, 2);
	t->by_process = by == 1;
	return by < 0 ? by : 0;
}

static void done(struct cb_run *run)
{
	struct top *t = cb_run_data(run);
	struct stream *s, *next;

	clear_cells(&t->cell);
	clear_cells(&t->shown);
	HASH_ITER(hh, t->stream, s, next)
		stream_free(t, s);
	free(t);
}

static const struct cb_tool ctop_syscalls = {
	.name = "ctop-syscalls",
	.args = "[INTERVAL [COUNT]]",
	.doc = "Counts the system calls of containers, or (-S) shows all of them in order.",
	.examples = "ctop-syscalls                    a screen, refreshed every second\n"
		    "ctop-syscalls 5 3 -j             three reports of 5 s each as JSON Lines\n"
		    "ctop-syscalls --by=process 2 1   by process\n"
		    "ctop-syscalls -L -c web 10 1     how long the calls of one container take\n"
		    "ctop-syscalls -S -j -c web -d 2  all calls of one container in order\n",
	.schema = { &cb_schema_syscall, &cb_schema_sequence },
	.streams = "sequence -S",
	.skel = &syscalls_skel,
	.option = options,
	.interval_ns = 1000000000,
	.calls = true,
	.parse = parse,
	.start = start,
	.setup = setup,
	.record = record,
	.drained = drained,
	.tick = tick,
	.screen = screen,
	.key = key,
	.done = done,
};

int main(int argc, char **argv)
{
	struct top *t = cb_xalloc(sizeof(*t));

	return cb_main_data(&ctop_syscalls, t, argc, argv);
}
