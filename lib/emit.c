/* SPDX-License-Identifier: GPL-2.0 */
/* Records to rows: the common part from the head, the filters, the counters. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "run.h"

int cb_run_fail(struct cb_run *run, int err, const char *fmt, ...)
{
	char text[sizeof(run->err.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return cb_fail(&run->err, err, "%s", text);
}

/* A container may turn up in a record before the reader of life records was asked. */
static struct cb_cont *container(struct cb_run *run, const struct cb_head *h)
{
	struct cb_cont *c = cb_who_cont(run->who, h);

	if (c || !h->cont)
		return c;
	if (run->lives)
		cb_probe_lives(run);
	return cb_who_guess(run->who, h);
}

const char *cb_run_container(struct cb_run *run, const struct cb_head *h)
{
	struct cb_cont *c = container(run, h);

	return c ? c->name : "";
}

const struct cb_cont *cb_run_cont(struct cb_run *run, const struct cb_head *h)
{
	return container(run, h);
}

int cb_run_conts(struct cb_run *run, int (*fn)(struct cb_cont *, void *), void *arg)
{
	return cb_conts_each(cb_who_conts(run->who), fn, arg);
}

/* So may a program. */
const char *cb_run_exe(struct cb_run *run, const struct cb_head *h)
{
	const char *exe = cb_who_exe(run->who, h);

	if (!exe && run->lives) {
		cb_probe_lives(run);
		exe = cb_who_exe(run->who, h);
	}
	return exe ? exe : cb_who_guess_exe(run->who, h);
}

static void fill_process(struct cb_run *run, const struct cb_head *h, struct cb_common *c)
{
	c->pid = h->pid;
	if (!h->pid)
		return;
	c->tid = h->tid;
	c->vpid = h->vpid;
	c->ppid = h->ppid;
	c->uid = h->uid;
	c->creation = h->start_ns ? cb_boot_to_utc(h->start_ns) : 0;
	c->exec_id = h->exec_id;
	c->comm = h->comm;
	c->exe = cb_run_exe(run, h);
	c->entered = h->flags & CB_F_ENTERED;
	c->first = h->flags & CB_F_FIRST;
}

static void fill_host(const struct cb_run *run, struct cb_common *c)
{
	static char dataset[64];

	snprintf(dataset, sizeof(dataset), "cbtools.%s", run->schema->name);
	memset(c, 0, sizeof(*c));
	c->dataset = dataset;
	c->kind = "event";
	c->action = c->cont_id = c->cont_name = c->image = c->image_id = c->runtime = c->cgroup = c->comm = c->exe = "";
	c->host_id = cb_host_id();
	c->boot_id = cb_host_boot_id();
	c->count = 1;
}

static const char *label_of(const struct cb_cont *c, const char *key)
{
	size_t len = strlen(key);

	for (char *const *l = c->label; l && *l; l++)
		if (!strncmp(*l, key, len) && (*l)[len] == '=')
			return *l;
	return "";
}

static struct cb_cont *fill(struct cb_run *run, const struct cb_head *h, struct cb_common *c)
{
	struct cb_cont *cont = container(run, h);

	fill_host(run, c);
	c->time = cb_boot_to_utc(h->time_ns);
	c->truncated = h->flags & CB_F_CUT;
	if (cont) {
		c->cont_id = cont->id;
		c->cont_name = cont->name;
		c->image = cont->image;
		c->image_id = cont->image_id;
		c->runtime = cont->runtime;
		c->cgroup = cont->cgroup;
		c->label = run->opt.label ? label_of(cont, run->opt.label) : "";
	}
	fill_process(run, h, c);
	return cont;
}

bool cb_wanted(struct cb_run *run, const struct cb_head *h)
{
	struct cb_common c;
	struct cb_cont *cont = fill(run, h, &c);

	return cb_filter_event(run->opt.filter, cont, &c);
}

void cb_run_filtered(struct cb_run *run, uint64_t n)
{
	run->filtered += n;
}

void cb_run_made(struct cb_run *run, uint64_t n)
{
	run->made += n;
}

void cb_run_peeked(struct cb_run *run, int64_t n)
{
	run->residual += n;
}

int cb_emit_span(struct cb_run *run, const void *rec, size_t len, const char *action, uint64_t start_ns,
		 uint64_t end_ns, uint64_t count, uint64_t lost)
{
	struct cb_event ev = { .schema = run->schema, .rec = rec, .len = len };
	struct cb_cont *cont = fill(run, rec, &ev.c);

	run->lost_before += lost; /* a row that is filtered leaves it to the next */
	if (!cb_filter_event(run->opt.filter, cont, &ev.c) && !cb_filter_target(run->opt.filter, &ev)) {
		run->filtered += count;
		return 0;
	}
	if (action)
		ev.c.action = action;
	if (end_ns) {
		ev.c.start = cb_boot_to_utc(start_ns);
		ev.c.end = cb_boot_to_utc(end_ns);
		ev.c.duration = end_ns - start_ns;
	}
	ev.c.count = count;
	ev.c.lost = run->lost_before;
	run->lost_before = 0;
	run->sent += count;
	cb_output_event(run, &ev);
	return 0;
}

int cb_emit(struct cb_run *run, const void *rec, size_t len, const char *action)
{
	const struct cb_head *h = rec;

	return cb_emit_span(run, rec, len, action, 0, 0, 1, h->lost);
}

/* seen = sent + filtered + lost; a loss is what the kernel saw and neither of the others got. */
static void fill_meta(struct cb_run *run, const char *kind, struct cb_common *c)
{
	fill_host(run, c);
	c->kind = kind;
	c->count = 0; /* counts are of events */
	c->time = cb_now_utc();
	c->seen = run->stats.seen + run->residual + run->made;
	c->sent = run->sent;
	c->filtered = run->filtered;
	if (run->stats.lost && c->seen > c->sent + c->filtered)
		c->lost = c->seen - c->sent - c->filtered;
	c->misses = run->misses;
}

void cb_emit_meta(struct cb_run *run, const char *kind)
{
	struct cb_common c;

	fill_meta(run, kind, &c);
	cb_output_meta(run, &c);
}

static int tell_gone(struct cb_cont *c, void *arg)
{
	struct cb_run *run = arg;

	if (c->gone)
		cb_prom_gone(run->prom, c->id, c->name, c->gone, run->opt.interval_ns);
	return 0;
}

int cb_emit_prom(struct cb_run *run)
{
	struct cb_common c;

	fill_meta(run, "heartbeat", &c);
	c.lost = run->stats.lost; /* what is on its way is none; a counter never goes back */
	cb_conts_each(cb_who_conts(run->who), tell_gone, run);
	return cb_prom_write(run->prom, &c, cb_now_boot(), &run->err);
}

/* What happened between since_utc and now is missing: there was nobody to see it. */
void cb_emit_gap(struct cb_run *run, uint64_t since_utc)
{
	struct cb_common c;

	fill_meta(run, "gap", &c);
	c.action = "restart";
	c.start = since_utc;
	c.end = c.time;
	c.duration = c.end > c.start ? c.end - c.start : 0;
	cb_output_meta(run, &c);
}

/* What the kernel has sent and nobody has read yet belongs to the next file. */
int cb_emit_turn(struct cb_run *run)
{
	struct cb_common end, schema;

	fill_meta(run, "end", &end);
	if (end.lost > run->stats.lost)
		end.lost = run->stats.lost;
	end.seen = end.sent + end.filtered + end.lost;
	fill_meta(run, "schema", &schema);
	return cb_output_turn(run, &end, &schema);
}
