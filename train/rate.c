/* SPDX-License-Identifier: GPL-2.0 */
#include <math.h>
#include <string.h>
#include "model.h"

#define NS 1e9
#define SAME_NS 500000000ULL /* rows of one interval are written within */
#define LONG_NS 4000000000ULL
#define MARK_NS 10000000000ULL
#define MIN_BLOCKS 4
#define TOWER 3.0     /* a block so many times the next largest is set aside, ... */
#define TOWER_OF 20   /* ... one in so many */
#define SCALE_MIN 0.07 /* e-fold of the tail, log: values below the floor have no spread, their source does */
#define FEW 2.0	       /* doubt about that, in standard errors of n blocks */
#define FACTOR_MIN 1.5
#define FACTOR_MAX 3.0
#define START_FACTOR 2.0 /* of the largest of all starts */
#define SCORE_MAX 99

enum unit { NUMBER, CPUS, BYTES };

/*
 * Below the floor nothing is unusual: a second, of RATE. A field that is not here has its own median as floor.
 * One that should never happen has a floor below one.
 */
static const struct {
	const char *name;
	double floor;
	enum unit unit;
} known[] = {
	{ "container.cpu.time_ns", 0.1 * NS, CPUS },
	{ "container.memory.usage_bytes", 8e6, BYTES },
	{ "container.memory.anon_bytes", 8e6, BYTES },
	{ "container.memory.oom_kills", 0.1, NUMBER },
	{ "container.disk.read_bytes", 4e6, BYTES },
	{ "container.disk.write_bytes", 4e6, BYTES },
	{ "container.network.rx_bytes", 4e6, BYTES },
	{ "container.network.tx_bytes", 4e6, BYTES },
	{ "container.tasks", 20, NUMBER },
	{ "container.process.forks", 20, NUMBER },
	{ "container.process.execs", 20, NUMBER },
	{ "container.thread.starts", 20, NUMBER },
	{ "container.descriptors", 200, NUMBER },
	{ "source.bytes", 4e6, BYTES },
	{ "destination.bytes", 4e6, BYTES },
	{ "network.failures", 10, NUMBER },
	{ "syscall.count", 1000, NUMBER },
	{ "syscall.errors", 1000, NUMBER },
	{ CB_COUNT_FIELD ":open", 100, NUMBER },
	{ CB_COUNT_FIELD ":map", 100, NUMBER },
	{ CB_COUNT_FIELD ":connect", 50, NUMBER },
	{ CB_COUNT_FIELD ":accept", 50, NUMBER },
	{ CB_COUNT_FIELD ":close", 50, NUMBER },
	{ CB_COUNT_FIELD ":total", 100, NUMBER }, /* of every flow that lasts, in every interval */
	{ CB_COUNT_FIELD ":", 20, NUMBER }, /* all other actions */
};

static int known_find(const char *field)
{
	size_t i, len;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		len = strlen(known[i].name);
		if (!strncmp(known[i].name, field, len) && (!field[len] || known[i].name[len - 1] == ':'))
			return i;
	}
	return -1;
}

/* ---- what was largest ---- */

static int bin(double v)
{
	double b = v > 0 ? 4 * (log2(v) + 10) : 0;

	return b < 0 ? 0 : b >= CB_RATE_BINS ? CB_RATE_BINS - 1 : (int)b;
}

/* A block that is counted already. */
static void maxima_place(struct cb_maxima *m, double v)
{
	uint32_t i = m->ntop;

	if (m->ntop == CB_RATE_TOP) {
		i--;
		if (v <= m->top[i]) {
			m->hist[bin(v)]++;
			return;
		}
		m->hist[bin(m->top[i])]++;
	} else {
		m->ntop++;
	}
	for (; i && m->top[i - 1] < v; i--)
		m->top[i] = m->top[i - 1];
	m->top[i] = v;
}

void cb_maxima_put(struct cb_maxima *m, double v)
{
	m->blocks++;
	maxima_place(m, v);
}

void cb_maxima_add(struct cb_maxima *m, const struct cb_maxima *other)
{
	size_t i;

	m->blocks += other->blocks;
	for (i = 0; i < other->ntop; i++)
		maxima_place(m, other->top[i]);
	for (i = 0; i < CB_RATE_BINS; i++)
		m->hist[i] += other->hist[i];
}

void cb_rate_put(struct cb_rate *r, int span, double v)
{
	cb_maxima_put(&r->span[span], v);
	cb_maxima_put(&r->span_add[span], v);
}

void cb_rate_put_start(struct cb_rate *r, const double v[CB_SPANS])
{
	int k;

	for (k = 0; k < CB_SPANS; k++) {
		r->start[k] = fmax(r->start[k], v[k]);
		r->start_add[k] = fmax(r->start_add[k], v[k]);
	}
	r->starts++;
	r->starts_add++;
}

static double largest(const struct cb_maxima *m, uint32_t rank)
{
	int b;

	if (rank < m->ntop)
		return m->top[rank];
	rank -= m->ntop;
	for (b = CB_RATE_BINS - 1; b > 0; b--) {
		if (rank < m->hist[b])
			return exp2((b + 0.5) / 4 - 10);
		rank -= m->hist[b];
	}
	return 0;
}

static double over(double v, double floor)
{
	return v > floor ? log(v / floor) : 0;
}

/* What is rare is learned first, and the threshold taken from the rest. */
static uint32_t towers(const struct cb_maxima *m, uint32_t blocks, double floor)
{
	uint32_t i, ret = 0;

	for (i = 0; i < blocks / TOWER_OF && i + 1 < m->ntop; i++)
		if (over(m->top[i], floor) - over(m->top[i + 1], floor) > log(TOWER))
			ret = i + 1;
	return ret;
}

static void span_threshold(struct cb_threshold *t, const struct cb_maxima *m, double floor, uint32_t blocks,
			   double budget, double days)
{
	uint32_t aside = towers(m, blocks, floor), n = blocks - aside;
	double top = over(largest(m, aside), floor), median = over(largest(m, aside + n / 2), floor), margin;
	double allowed = budget * CB_BLOCK_NS / 86400e9; /* a block */

	*t = (struct cb_threshold){ .blocks = blocks, .aside = aside, .top = largest(m, aside) };
	if (n < MIN_BLOCKS)
		return;
	/* an exponential tail from the median to the largest of n, and on to what the budget allows; few blocks tell less */
	t->scale = fmax((top - median) / log(2.0 * n), SCALE_MIN) * (1 + FEW / sqrt(n));
	margin = fmin(fmax(t->scale * log(1 / (n * allowed)), log(FACTOR_MIN)), log(FACTOR_MAX));
	t->score = floor * exp(top + margin);
	t->per_day = fmax(budget, exp(-margin / t->scale) / n * 86400e9 / CB_BLOCK_NS);
	if (aside && days > 0)
		t->per_day += aside / days;
	t->scored = true;
}

static double floor_of(const struct cb_rate *r, const char *field, uint32_t blocks)
{
	int i = known_find(field);
	double median;

	if (i >= 0)
		return known[i].floor;
	median = largest(&r->span[0], blocks / 2);
	/* of a number that is nearly always 0 any other is worth a word */
	return median > 0 ? median : 0.5;
}

void cb_rate_threshold(struct cb_rate *r, const char *field, uint32_t blocks, double budget, double days)
{
	int k;

	r->floor = floor_of(r, field, blocks);
	for (k = 0; k < CB_SPANS; k++)
		span_threshold(&r->t[k], &r->span[k], r->floor, blocks > r->span[k].blocks ? blocks : r->span[k].blocks,
			       budget / CB_SPANS, days);
}

double cb_rate_start_limit(const struct cb_rate *r, int span)
{
	double start = r->start[span] > r->floor ? r->start[span] : r->floor;

	if (!r->starts || !r->t[span].scored)
		return 0;
	return fmax(r->t[span].score, start * START_FACTOR);
}

double cb_rate_score(const struct cb_rate *r, int span, double v)
{
	const struct cb_threshold *t = &r->t[span];
	double x = over(v, r->floor) - over(t->top, r->floor);

	return fmin(fmax(0, log10(t->blocks) + x / t->scale / M_LN10), SCORE_MAX);
}

/* ---- what comes ---- */

static void put_level(struct cb_track *t, uint64_t time, double v)
{
	if (t->ngroup && time - t->group[0].time < SAME_NS && v < t->value[0])
		v = t->value[0]; /* of several programs the largest */
	t->ngroup = 1;
	t->group[0].time = time;
	t->value[0] = v;
	t->known[0] = true;
	t->known[1] = t->nmark == CB_RATE_MARKS;
	if (t->known[1])
		t->value[1] = v > t->mark[0] ? v - t->mark[0] : 0;
	if (t->nmark && time - t->marked < MARK_NS)
		return;
	if (t->nmark == CB_RATE_MARKS)
		memmove(t->mark, t->mark + 1, (CB_RATE_MARKS - 1) * sizeof(t->mark[0]));
	else
		t->nmark++;
	t->mark[t->nmark - 1] = v;
	t->marked = time;
}

static void put_rate(struct cb_track *t, uint64_t time, uint64_t length, double v)
{
	uint64_t long_length = 0;
	double sum = 0;
	int drop = 0, last;

	if (!t->ngroup || time >= t->group[t->ngroup - 1].time + SAME_NS) {
		while (drop < t->ngroup && (t->group[drop].time + LONG_NS <= time || t->ngroup - drop == CB_RATE_GROUPS))
			drop++;
		t->ngroup -= drop;
		memmove(t->group, t->group + drop, t->ngroup * sizeof(t->group[0]));
		t->group[t->ngroup].time = time;
		t->group[t->ngroup].length = 0;
		t->group[t->ngroup++].sum = 0;
	}
	last = t->ngroup - 1;
	t->group[last].sum += v;
	if (length > t->group[last].length)
		t->group[last].length = length;
	for (drop = 0; drop < t->ngroup; drop++) {
		sum += t->group[drop].sum;
		long_length += t->group[drop].length;
	}
	t->value[0] = t->group[last].sum * NS / fmax(NS, t->group[last].length);
	t->value[1] = sum * NS / fmax(LONG_NS, long_length);
	t->known[0] = t->known[1] = true;
}

void cb_track_put(struct cb_track *t, bool level, uint64_t time, uint64_t length, double v)
{
	if (level)
		put_level(t, time, v);
	else
		put_rate(t, time, length, v);
}

/* ---- words ---- */

const char *cb_rate_name(bool level, int span)
{
	static const char *const name[2][CB_SPANS] = { { "rate1", "rate4" }, { "level", "growth" } };

	return name[level][span];
}

void cb_rate_text(struct cb_buf *out, const char *field, bool level, double v)
{
	static const char prefix[] = " kMGTPE";
	int i = known_find(field), p = 0;
	enum unit unit = i < 0 ? NUMBER : known[i].unit;

	if (unit == CPUS) {
		cb_buf_printf(out, "%.2f CPUs", v / NS);
		return;
	}
	for (; v >= 9999.5 && prefix[p + 1]; p++)
		v /= 1000;
	cb_buf_printf(out, "%.*f", v < 10 && v != floor(v) ? 1 : 0, v);
	if (p || unit == BYTES)
		cb_buf_putc(out, ' ');
	if (p)
		cb_buf_putc(out, prefix[p]);
	if (unit == BYTES)
		cb_buf_putc(out, 'B');
	if (!level)
		cb_buf_puts(out, "/s");
}

void cb_rate_bucket(struct cb_buf *out, const struct cb_rate *r, double v)
{
	cb_buf_printf(out, CB_RATE_ALLOW "%.0f", ceil(r->floor * exp2(ceil(log2(v / r->floor)) + 1)));
}
