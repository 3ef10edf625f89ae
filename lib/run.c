/* SPDX-License-Identifier: GPL-2.0 */
/* cb_main(): the life of a collector. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

#define DRAIN_NS 50000000ULL	  /* rings are read this often while something comes */
#define REFRESH_NS 500000000ULL	  /* names that came late are looked for this often */
#define HEARTBEAT_NS 10000000000ULL
#define NUMBERS_NS 10000000000ULL /* --prometheus */
#define NS 1000000000ULL
#define LATE_NS 10000000ULL /* whom a pass over the tasks interrupted has to go on before another finds more */

/*
 * A program with this note is a collector of ours, or one made with our runner: it may be asked what it can record.
 * Any other may do anything when it is started.
 */
static const struct {
	uint32_t name_len, len, type;
	char name[8];
	uint32_t version;
} note __attribute__((used, aligned(4), section(CB_NOTE))) = { sizeof(CB_NOTE_OWNER), 4, 1, CB_NOTE_OWNER, 1 };

void *cb_run_data(struct cb_run *run)
{
	return run->data;
}

void cb_run_schema(struct cb_run *run, int index)
{
	run->schema = run->tool->schema[index];
}

bool cb_run_failed(const struct cb_run *run)
{
	return run->opt.failed;
}

bool cb_run_ending(const struct cb_run *run)
{
	return !run->nlinks;
}

bool cb_run_args(const struct cb_run *run)
{
	return !run->opt.no_args;
}

void cb_run_no_table(struct cb_run *run)
{
	run->no_table = true;
}

bool cb_run_table(const struct cb_run *run)
{
	return run->opt.format == CB_TABLE;
}

void cb_run_rows(struct cb_run *run)
{
	run->rows = true;
}

bool cb_run_by_process(const struct cb_run *run)
{
	return cb_filter_by_process(run->opt.filter);
}

uint64_t cb_run_interval(const struct cb_run *run)
{
	return run->opt.interval_ns;
}

bool cb_run_kernel_has(const char *function)
{
	return cb_kernel_has_function(function);
}

bool cb_run_terminal(const struct cb_run *run)
{
	return run->screen;
}

void cb_run_columns(struct cb_run *run, const char *fields)
{
	run->columns = fields;
}

bool cb_run_paused(const struct cb_run *run)
{
	return run->paused;
}

static void say(const struct cb_run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct cb_run *run, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", run->tool->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cb_run_remark(const struct cb_run *run, const char *text)
{
	if (run->opt.verbose)
		say(run, "%s", text);
}

/* libbpf's call-back has no context, and its messages are wanted only by -vv. */
static int libbpf_silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static int open_signals(struct cb_run *run)
{
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run->signals < 0 || run->epoll < 0 || epoll_ctl(run->epoll, EPOLL_CTL_ADD, run->signals, &ev))
		return cb_fail(&run->err, -errno, "signals: %s", strerror(errno));
	return 0;
}

static int take_stats(struct cb_run *run)
{
	run->misses = cb_kernel_misses(run->obj);
	return cb_kernel_stats(run->obj, &run->stats, &run->err);
}

static int turn_recording(struct cb_run *run)
{
	int err = cb_probe_drain(run);

	if (err >= 0)
		err = take_stats(run);
	return err < 0 ? err : cb_emit_turn(run);
}

/* 1: time to end. SIGHUP reopens the recording; without one it ends the tool. */
static int take_signals(struct cb_run *run)
{
	struct signalfd_siginfo si;
	int stop = 0, err;

	while (read(run->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGHUP || !run->rec) {
			stop = 1;
			continue;
		}
		err = turn_recording(run);
		if (err)
			return err;
	}
	return stop;
}

static int wanted_container(struct cb_cont *c, void *arg)
{
	const struct cb_run *run = arg;

	return cb_filter_cont(run->opt.filter, c);
}

static void say_if_none(struct cb_run *run)
{
	if (run->opt.all || run->opt.quiet)
		return;
	if (!cb_conts_each(cb_who_conts(run->who), wanted_container, run))
		say(run, run->tool->once ? "no such container is running" :
		    "no such container is running yet; waiting for one (-a shows processes of the host too)");
}

struct times {
	uint64_t start, tick, tasks, refresh, beat, end; /* boot ns; 0: never */
	uint64_t retry, wait; /* of a pass over the tasks for one who got no state: when at the earliest, how long after the last */
	uint64_t begun; /* of the present interval */
	uint64_t ticks;
};

static int draw(struct cb_run *run)
{
	return run->screen && !run->paused ? run->tool->screen(run, stdout) : 0;
}

static uint64_t tasks_ns(const struct cb_tool *tool)
{
	return tool->tasks_ns ? tool->tasks_ns : 500000000;
}

/* What is left in buffers, then the tool's own counters. */
static int interval(struct cb_run *run, struct times *t, uint64_t now)
{
	int err = run->tool->before ? run->tool->before(run) : 0;

	if (err > 0) {
		err = cb_run_drain(run);
	} else if (!err) {
		err = cb_probe_tasks(run);
		t->tasks = now + tasks_ns(run->tool);
	}
	if (!err && run->tool->tick)
		err = run->tool->tick(run, t->begun, now);
	return err;
}

static int tick(struct cb_run *run, struct times *t, uint64_t now)
{
	int err = interval(run, t, now);

	if (!err)
		err = draw(run);
	t->begun = now;
	t->ticks++;
	while (t->tick <= now)
		t->tick += run->opt.interval_ns;
	return err;
}

/* When they are written next: each interval, but neither too often nor too seldom for those who read it. */
static uint64_t numbers_ns(const struct cb_run *run)
{
	uint64_t every = cb_opts_has_interval(run->tool) ? run->opt.interval_ns : NUMBERS_NS;

	if (every > NUMBERS_NS)
		every = NUMBERS_NS;
	if (every < NS)
		every = NS;
	return run->prom ? run->prom_ns + every : 0;
}

/* A monitoring that has no room is no reason to stop seeing. */
static int write_numbers(struct cb_run *run, uint64_t now)
{
	int err = take_stats(run);

	if (err)
		return err;
	err = cb_emit_prom(run);
	if (err && !run->prom_failed)
		say(run, "%s", run->err.text);
	run->prom_failed = err;
	run->prom_ns = now;
	run->err.text[0] = '\0';
	return 0;
}

/* A pass that was refused too, as when there is no room at all, is tried again less and less often. */
static void put_off(const struct cb_run *run, struct times *t, uint64_t now)
{
	uint64_t most = tasks_ns(run->tool);

	t->wait = *run->late ? t->wait * 2 : 0;
	if (t->wait < LATE_NS)
		t->wait = LATE_NS;
	if (t->wait > most)
		t->wait = most;
	t->retry = now + t->wait;
}

/* What is due at now, in the order that keeps rows in order. 1: time to end. */
static int due(struct cb_run *run, struct times *t, uint64_t now)
{
	uint64_t refresh = t->refresh;
	int err = 0;

	if (t->tick && now >= t->tick) {
		err = tick(run, t, now);
		refresh -= REFRESH_NS / 2; /* one waking for both */
	} else if (now >= t->tasks || (*run->late && now >= t->retry)) {
		err = cb_probe_tasks(run);
		t->tasks = now + tasks_ns(run->tool);
		put_off(run, t, now);
	}
	if (now >= refresh) {
		cb_clock_sync();
		cb_probe_refresh(run);
		t->refresh = now + REFRESH_NS;
	}
	if (!err && now >= t->beat) {
		t->beat = now + HEARTBEAT_NS;
		err = take_stats(run);
		cb_emit_meta(run, "heartbeat");
	}
	if (!err && run->prom && now >= numbers_ns(run))
		err = write_numbers(run, now);
	if (!err && ((t->end && now >= t->end) || (run->opt.count && t->ticks >= run->opt.count)))
		return 1;
	return err;
}

/* What has its time although nothing happens. */
static uint64_t next_due(const struct cb_run *run, const struct times *t)
{
	const uint64_t at[] = { t->tick, t->tasks, t->refresh, t->beat, t->end, numbers_ns(run) };
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] && at[i] < next)
			next = at[i];
	return next;
}

/* Until a record, a signal, a key or what is due; who just had records gathers the next ones. more: some are left. */
static int wait_for_something(struct cb_run *run, const struct times *t, bool more)
{
	uint64_t now = cb_now_boot(), next = more ? now : next_due(run, t);
	struct epoll_event ev[4];
	int n;

	if (!more && !cb_probe_sleep(run) && next > now + DRAIN_NS)
		next = now + DRAIN_NS;
	if (*run->late && next > t->retry)
		next = t->retry;
	n = epoll_wait(run->epoll, ev, 4, next > now ? (next - now + 999999) / 1000000 : 0);
	cb_probe_wake(run);
	return n < 0 && errno != EINTR ? cb_fail(&run->err, -errno, "waiting: %s", strerror(errno)) : 0;
}

static int loop(struct cb_run *run, struct times *t)
{
	bool more = false; /* records are left: a drain does not take for ever */
	int err = 0, out;

	while (!err) {
		err = wait_for_something(run, t, more);
		if (!err)
			err = take_signals(run);
		if (!err)
			err = cb_term_keys(run);
		if (err)
			break;
		err = cb_probe_drain(run);
		more = err > 0;
		if (err >= 0)
			err = run->tool->drained ? run->tool->drained(run) : 0;
		if (err < 0)
			break;
		err = due(run, t, cb_now_boot());
		out = cb_output_flush(run);
		if (out)
			return out;
	}
	return err < 0 ? err : 0;
}

/* Everything that happened before the probes went is still told. */
static int finish(struct cb_run *run, struct times *t)
{
	int err;

	cb_probe_detach(run);
	err = interval(run, t, cb_now_boot());
	if (!err)
		err = draw(run);
	if (!err)
		err = take_stats(run);
	if (!err && run->prom)
		err = cb_emit_prom(run);
	if (!err)
		cb_emit_meta(run, "end");
	return err;
}

/* Whoever started us waits for this, and cannot see the schema row. */
static void tell_ready(const struct cb_run *run)
{
	if (run->opt.ready_fd < 0)
		return;
	if (write(run->opt.ready_fd, "\n", 1) != 1)
		say(run, "--ready: %s", strerror(errno));
	close(run->opt.ready_fd);
}

static int live(struct cb_run *run)
{
	struct times t = {};
	int err = open_signals(run);

	if (!err)
		err = cb_output_open(run);
	if (!err)
		err = cb_probe_start(run);
	cb_raise_priority();
	if (!err)
		err = cb_drop_capabilities(run);
	if (err)
		return err;
	if (run->prom) {
		err = cb_emit_prom(run); /* that it cannot be written is told at once */
		if (err)
			return err;
	}
	cb_emit_meta(run, "schema");
	if (run->opt.gap_ns)
		cb_emit_gap(run, run->opt.gap_ns);
	err = cb_probe_tasks(run);
	if (!err && run->tool->begun)
		err = run->tool->begun(run);
	if (err)
		return err;
	err = cb_output_flush(run);
	if (err)
		return err;
	tell_ready(run);
	say_if_none(run);
	cb_term_begin(run);
	t.start = t.begun = cb_now_boot();
	t.tick = cb_opts_has_interval(run->tool) ? t.start + run->opt.interval_ns : 0;
	t.tasks = t.start + tasks_ns(run->tool);
	t.refresh = t.start;
	t.beat = t.start + HEARTBEAT_NS;
	t.end = run->opt.duration_ns ? t.start + run->opt.duration_ns : 0;
	err = run->tool->once ? 0 : loop(run, &t);
	return err ? err : finish(run, &t);
}

static void say_losses(const struct cb_run *run)
{
	if (run->opt.quiet || run->opt.replay)
		return;
	if (run->stats.lost)
		say(run, "%llu %s lost: the reader was too slow for the buffer",
		    (unsigned long long)run->stats.lost, run->tool->calls ? "calls were" : "records were");
	if (run->stats.nostate || run->stats.life_lost)
		say(run, "%llu tasks were watched late, %llu notes on programs were lost",
		    (unsigned long long)run->stats.nostate, (unsigned long long)run->stats.life_lost);
}

static int end(struct cb_run *run, int err)
{
	int err2;

	if (run->tool->done)
		run->tool->done(run);
	err2 = cb_output_close(run);
	cb_term_end(run);
	cb_probe_free(run);
	cb_filter_free(run->opt.filter);
	cb_who_free(run->who);
	if (run->epoll > 0)
		close(run->epoll);
	if (run->signals > 0)
		close(run->signals);
	if (!err)
		err = err2;
	if (err == -EPIPE)
		return 0; /* the reader has seen enough */
	if (!err) {
		say_losses(run);
		return 0;
	}
	say(run, "%s", run->err.text[0] ? run->err.text : strerror(-err));
	return CB_EXIT_FAILED;
}

int cb_main(const struct cb_tool *tool, int argc, char **argv)
{
	return cb_main_data(tool, NULL, argc, argv);
}

int cb_main_data(const struct cb_tool *tool, void *data, int argc, char **argv)
{
	struct cb_run run = { .tool = tool, .schema = tool->schema[0], .data = data };

	cb_opts_parse(&run, argc, argv);
	if (tool->start)
		tool->start(&run);
	if (run.opt.dump)
		return end(&run, cb_opts_dump(&run, stdout));
	if (run.opt.fields && !strcmp(run.opt.fields, "help")) {
		cb_fields_help(run.schema, stdout);
		return end(&run, 0);
	}
	if (run.opt.verbose < 2)
		libbpf_set_print(libbpf_silent);
	cb_clock_sync();
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is told by write(2) */
	run.who = cb_who_new();
	return end(&run, run.opt.replay ? cb_replay(&run) : live(&run));
}
