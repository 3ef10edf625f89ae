/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How large is too large: from held-out block maxima, never from rows the counts were made of.
 *
 * A budget of X alarms a container-day is split by weight over what judges a container. With the history of
 * D container-days it allows X * D blocks above the threshold: the order statistic of the held-out maxima. Less
 * than one allowed block means more than the history can tell: then it is the largest maximum and a margin, and
 * what can be promised is one alarm in D days.
 *
 * What happens once (a start, a yearly job) would set the threshold for everything: blocks that tower above all
 * others are learned, set aside, and added to what is promised.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

#define WEIGHT_PROCESS 25.0
#define WEIGHT_PATH 30.0
#define WEIGHT_VALUE 15.0
#define WEIGHT_RATE 2.0 /* there are ten of them */
#define WEIGHT_CALLS 5.0
#define WEIGHT_WINDOWS 5.0
#define MIN_UNITS 5    /* one a fold */
#define MASS_READY 0.001
#define MASS_WARN 0.01
#define MANY_UNITS 30  /* so many carry a threshold even while new n-grams still come */
#define TOWER 1.3      /* an outlier is so many times the next maximum, and ... */
#define TOWER_BITS 0.5 /* ... so much more */
#define MARGIN_BITS 0.25
#define ALONE 2 /* so many calls never seen before are no order yet: the set of calls knows them */
#define MARGIN_SPREAD 0.2 /* of largest - median */
#define FEW 2.0 /* doubt about what few blocks show, in standard errors of so many */

static int top_order(const void *a, const void *b)
{
	const struct cb_top *x = a, *y = b;
	int i;

	if (x->sum != y->sum)
		return x->sum < y->sum ? 1 : -1;
	if (x->len != y->len)
		return x->len < y->len ? 1 : -1;
	i = memcmp(x->sym, y->sym, x->len * sizeof(x->sym[0]));
	return i ? i : x->fold - y->fold;
}

/* Largest first, in an order that the content gives. */
void cb_heldout_sort(struct cb_heldout *h)
{
	if (h->ntop)
		qsort(h->top, h->ntop, sizeof(*h->top), top_order);
}

static unsigned bin(uint32_t sum, unsigned window)
{
	unsigned b = sum / window;

	return b > 255 ? 255 : b;
}

/* A block that is counted already. */
static void heldout_place(struct cb_heldout *h, const struct cb_top *t, unsigned window)
{
	uint32_t i, least = 0;

	if (!h->top)
		h->top = cb_xalloc(CB_TOP * sizeof(*h->top));
	if (h->ntop < CB_TOP) {
		h->top[h->ntop++] = *t;
		return;
	}
	for (i = 1; i < CB_TOP; i++)
		if (top_order(&h->top[i], &h->top[least]) > 0)
			least = i;
	if (top_order(t, &h->top[least]) < 0) {
		h->hist[bin(h->top[least].sum, window)]++;
		h->top[least] = *t;
	} else {
		h->hist[bin(t->sum, window)]++;
	}
}

void cb_heldout_put(struct cb_heldout *h, const struct cb_top *t, unsigned window)
{
	h->blocks++;
	heldout_place(h, t, window);
}

void cb_heldout_add(struct cb_heldout *h, const struct cb_heldout *other, unsigned window)
{
	size_t i;

	h->blocks += other->blocks;
	for (i = 0; i < other->ntop; i++)
		heldout_place(h, &other->top[i], window);
	for (i = 0; i < sizeof(h->hist) / sizeof(h->hist[0]); i++)
		h->hist[i] += other->hist[i];
}

/* The rank'th largest maximum as a mean cost, 0: the largest. */
static double largest(const struct cb_heldout *h, unsigned window, uint32_t rank)
{
	int b;

	if (rank < h->ntop)
		return (double)h->top[rank].sum / window;
	rank -= h->ntop;
	for (b = 255; b >= 0; b--) {
		if (rank < h->hist[b])
			return b + 0.5;
		rank -= h->hist[b];
	}
	return 0;
}

static uint32_t towers(const struct cb_heldout *h, unsigned window)
{
	uint32_t most = h->blocks / 20, i, ret = 0;

	if (h->blocks < 8)
		return 0;
	if (!most)
		most = 1;
	for (i = 0; i < most && i + 1 < h->ntop; i++) {
		double a = largest(h, window, i), b = largest(h, window, i + 1);

		if (a > TOWER * b && a > b + TOWER_BITS * CB_COST_BIT)
			ret = i + 1;
	}
	return ret;
}

static void window_threshold(struct cb_program *p, const struct cb_heldout *h, int scale, double budget, double days)
{
	struct cb_threshold *t = &p->window[scale];
	unsigned window = cb_scale[scale];
	double allowed = budget * days, median, spread, margin, doubt;
	uint32_t rank;

	*t = (struct cb_threshold){ .blocks = h->blocks };
	if (h->blocks < MIN_UNITS)
		return;
	t->aside = towers(h, window);
	rank = t->aside;
	t->top = largest(h, window, rank);
	median = largest(h, window, rank + (h->blocks - rank) / 2);
	spread = t->top - median;
	doubt = 1 + FEW / sqrt(h->blocks - rank);
	margin = fmax(MARGIN_BITS * CB_COST_BIT, MARGIN_SPREAD * spread) * doubt;
	/* an exponential tail from the median to the largest of n */
	t->scale = fmax(spread / log(2.0 * (h->blocks - rank)), 1);
	if (allowed >= rank + 1) {
		rank = allowed;
		t->score = largest(h, window, rank) + 1.0 / window;
		t->per_day = budget;
	} else {
		t->score = t->top + margin;
		t->per_day = days > 0 ? fmax(budget, (t->aside + 1) / days) : budget;
	}
	t->score = fmax(t->score, median + ALONE * doubt * 255 / window);
	/* costs end at 255: no window could reach it */
	t->scored = t->score < 250 && (p->state != CB_LEARNING || p->units >= MANY_UNITS);
}

/* By the blocks of all batches. */
static void windows_threshold(struct cb_program *p, double budget, double days)
{
	struct cb_heldout all;
	int k;

	for (k = 0; k < CB_SCALES; k++) {
		all = (struct cb_heldout){ 0 };
		cb_heldout_add(&all, &p->held[k], cb_scale[k]);
		cb_heldout_add(&all, &p->held_add[k], cb_scale[k]);
		cb_heldout_sort(&all);
		window_threshold(p, &all, k, budget, days);
		free(all.top);
	}
}

static void program_state(struct cb_program *p, unsigned order)
{
	p->mass = cb_counts_mass(&p->counts, order);
	if (p->units < MIN_UNITS || p->mass > MASS_WARN)
		p->state = CB_LEARNING;
	else
		p->state = p->mass > MASS_READY ? CB_WARN : CB_READY;
}

/* The symbols of one program that one unit alone had, by the level program + symbol. */
static void calls_threshold(struct cb_program *p, const struct cb_items *t, double budget, double days)
{
	size_t i, len = strlen(p->path);
	struct cb_threshold *r = &p->calls_set;
	uint32_t novel = 0;

	for (i = 0; i < t->map.n; i++) {
		if (t->map.len[i] <= len || t->map.key[i][len] != '\t' || memcmp(t->map.key[i], p->path, len))
			continue;
		novel += t->item[i].units == 1 && (p->instances >= MIN_UNITS || !t->item[i].start);
	}
	*r = (struct cb_threshold){ .blocks = p->units, .aside = novel };
	r->scored = p->units >= MIN_UNITS && (novel <= 2 || novel * 5 <= p->units);
	r->per_day = days > 0 ? fmax(budget, (novel + 1) / days) : budget;
	r->score = -log10((novel + 0.5) / (p->units + 1.0));
}

/* The finest level whose values would have been new seldom enough; else the one with the fewest. */
static void set_threshold(struct cb_set *set, enum cb_field_kind kind, double budget, double days, uint32_t blocks,
			  bool starts)
{
	struct cb_threshold *t = &set->t;
	uint32_t novel, best = UINT32_MAX;
	int l, n = cb_levels(kind);

	*t = (struct cb_threshold){ .blocks = blocks };
	for (l = 0; l < n; l++) {
		if (set->level[l].dropped)
			continue; /* not all values were kept: new means nothing */
		novel = cb_items_novel(&set->level[l], starts);
		if (novel < best) {
			best = novel;
			t->level = l;
		}
		if (novel <= fmax(budget * days, 1))
			break;
	}
	if (best == UINT32_MAX)
		return;
	t->aside = best;
	t->scored = best <= 2 || best * 5 <= blocks;
	t->per_day = days > 0 ? fmax(budget, (best + 1) / days) : budget;
	t->score = -log10((best + 0.5) / (blocks + 1.0));
	if (t->score < 0)
		t->score = 0;
}

static double field_weight(enum cb_field_kind k)
{
	static const double weight[] = {
		[CB_FIELD_VALUE] = WEIGHT_VALUE, [CB_FIELD_EXE] = WEIGHT_PROCESS, [CB_FIELD_ARGS] = WEIGHT_PROCESS,
		[CB_FIELD_CALLS] = WEIGHT_CALLS, [CB_FIELD_PATH] = WEIGHT_PATH,	  [CB_FIELD_PEER] = WEIGHT_VALUE,
		[CB_FIELD_RATE] = WEIGHT_RATE,	 [CB_FIELD_LEVEL] = WEIGHT_RATE,
		[CB_FIELD_COUNT] = WEIGHT_RATE,
	};

	return weight[k];
}

static void field_thresholds(const struct cb_mfield *f, struct cb_subject *s, struct cb_set *set, double share,
			     uint32_t blocks, bool starts)
{
	size_t k;

	if (cb_field_has_values(f->kind))
		set_threshold(set, f->kind, share, s->days, blocks, starts);
	for (k = 0; k < s->prog.n && f->kind == CB_FIELD_CALLS; k++)
		calls_threshold(s->program[k], &set->level[0], share / s->prog.n, s->days);
	for (k = 0; k < set->rates.n; k++)
		cb_rate_threshold(set->rate[k], f->name, blocks, share / set->rates.n, s->days);
}

static void subject_thresholds(struct cb_model *m, struct cb_subject *s)
{
	double all = 0, share;
	uint32_t blocks = ceil(s->days * 86400e9 / CB_BLOCK_NS);
	bool starts = s->containers >= MIN_UNITS;
	size_t i;

	for (i = 0; i < s->nset; i++)
		all += s->set[i] ? field_weight(m->field[i].kind) : 0;
	all += s->prog.n ? WEIGHT_WINDOWS : 0;
	for (i = 0; i < s->prog.n; i++) {
		program_state(s->program[i], m->order);
		share = m->budget * WEIGHT_WINDOWS / all / (s->prog.n * CB_SCALES);
		windows_threshold(s->program[i], share, s->days);
	}
	for (i = 0; i < s->nset; i++)
		if (s->set[i])
			field_thresholds(&m->field[i], s, s->set[i], m->budget * field_weight(m->field[i].kind) / all, blocks,
					 starts);
}

void cb_model_thresholds(struct cb_model *m)
{
	size_t i;

	for (i = 0; i < m->subj.n; i++)
		subject_thresholds(m, m->subject[i]);
}
