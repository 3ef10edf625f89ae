/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "absorb.h"

#define FOLD_BLOCKS 10 /* blocks of a process that lives through the whole batch: two a fold */
#define FOLD_MAX_NS 600000000000ULL

uint32_t cb_batch_program(struct cb_batch *b, struct cb_subject *s, struct cb_program *p)
{
	size_t i;

	for (i = 0; i < b->nprogram; i++)
		if (b->program[i].program == p)
			return i;
	b->program = cb_xrealloc(b->program, (i + 1) * sizeof(*b->program));
	b->program[i] = (struct cb_bprogram){ s, p };
	return b->nprogram++;
}

void cb_batch_process(struct cb_batch *b, uint32_t process, uint32_t program, bool started)
{
	size_t cap = 64;

	if (process < b->nprocess)
		return;
	while (cap <= process)
		cap *= 2;
	if (process == 0 || !(process & (process - 1)))
		b->process = cb_xrealloc(b->process, cap * sizeof(*b->process));
	b->process[process] = (struct cb_bprocess){ .program = program, .started = started };
	b->nprocess = process + 1;
}

void cb_batch_segment(struct cb_batch *b, uint32_t stream, uint32_t process, uint32_t program, int field,
		      uint64_t time, bool joined)
{
	struct cb_bprocess *p = &b->process[process];

	if (b->nseg == b->seg_cap) {
		b->seg_cap = b->seg_cap ? b->seg_cap * 2 : 1024;
		b->seg = cb_xrealloc(b->seg, b->seg_cap * sizeof(*b->seg));
	}
	b->seg[b->nseg++] = (struct cb_segment){ .program = program, .stream = stream, .process = process,
						 .at = b->ncalls, .field = field, .joined = joined, .time = time };
	if (!p->first || time < p->first)
		p->first = time;
	if (time > p->last)
		p->last = time;
}

void cb_batch_free(struct cb_batch *b)
{
	free(b->program);
	free(b->process);
	free(b->seg);
	free(b->calls);
	memset(b, 0, sizeof(*b));
}

static int seg_order(const void *a, const void *b)
{
	const struct cb_segment *x = a, *y = b;

	if (x->program != y->program)
		return x->program < y->program ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static uint64_t fold_length(const struct cb_batch *b)
{
	uint64_t first = UINT64_MAX, last = 0, len;
	size_t i;

	for (i = 0; i < b->nprocess; i++) {
		first = b->process[i].first < first ? b->process[i].first : first;
		last = b->process[i].last > last ? b->process[i].last : last;
	}
	len = last > first ? (last - first) / FOLD_BLOCKS : 0;
	len = (len + CB_BLOCK_NS - 1) / CB_BLOCK_NS * CB_BLOCK_NS;
	return len < CB_BLOCK_NS ? CB_BLOCK_NS : len > FOLD_MAX_NS ? FOLD_MAX_NS : len;
}

/* One process of one program at work: its unit number is base + block. */
static uint32_t unit_block(const struct cb_bprocess *p, uint64_t time, uint64_t length)
{
	if (p->last - p->first <= length || time < p->first)
		return 0;
	return (time - p->first) / length;
}

/* A stretch of one stream inside one unit. */
struct run {
	size_t seg, nseg;
	uint32_t fold, unit, block, process;
	bool begins; /* nothing came before, or it is not known */
};
struct absorb {
	struct cb_batch *b;
	struct cb_model *m;
	struct cb_program *p;
	struct cb_subject *s;
	struct run *run;
	size_t nrun, cap;
	uint16_t *sym; /* of the run at hand, up to CB_ORDER symbols of context in front */
	uint64_t *block; /* time block of each */
	size_t nsym, sym_cap, before;
};

static bool same_run(const struct run *r, const struct cb_segment *last, const struct cb_segment *s)
{
	return r->unit == s->unit && last->stream == s->stream && s->joined;
}

static void find_runs(struct absorb *a, size_t from, size_t to, uint64_t length)
{
	struct cb_batch *b = a->b;
	struct cb_segment *s;
	struct cb_bprocess *p;
	struct run *r = NULL;
	size_t i;

	a->nrun = 0;
	for (i = from; i < to; i++) {
		s = &b->seg[i];
		p = &b->process[s->process];
		s->unit = p->base + unit_block(p, s->time, length);
		if (r && same_run(r, s - 1, s)) {
			r->nseg++;
			continue;
		}
		if (a->nrun == a->cap) {
			a->cap = a->cap ? a->cap * 2 : 64;
			a->run = cb_xrealloc(a->run, a->cap * sizeof(*a->run));
		}
		r = &a->run[a->nrun++];
		*r = (struct run){ .seg = i, .nseg = 1, .unit = s->unit, .block = s->unit - p->base,
				   .process = s->process };
		r->fold = (p->ordinal + r->block) % CB_FOLDS;
		r->begins = i == from || s[-1].stream != s->stream || !s->joined;
	}
}

static void sym_put(struct absorb *a, uint16_t sym, uint64_t block)
{
	if (a->nsym == a->sym_cap) {
		a->sym_cap = a->sym_cap ? a->sym_cap * 2 : 4096;
		a->sym = cb_xrealloc(a->sym, a->sym_cap * sizeof(*a->sym));
		a->block = cb_xrealloc(a->block, a->sym_cap * sizeof(*a->block));
	}
	a->sym[a->nsym] = sym;
	a->block[a->nsym++] = block;
}

/* The last symbols of the segments before the run, as far as they belong to the stream without a gap. */
static void run_context(struct absorb *a, const struct run *r)
{
	const struct cb_batch *b = a->b;
	uint16_t last[CB_ORDER];
	size_t n = 0, i = r->seg, k;

	while (!r->begins && n < a->m->order && i > 0 && b->seg[i].joined && b->seg[i - 1].stream == b->seg[i].stream) {
		i--;
		for (k = b->seg[i].n; k > 0 && n < a->m->order; k--)
			last[n++] = b->calls[b->seg[i].at + k - 1];
	}
	a->before = n;
	while (n)
		sym_put(a, last[--n], 0);
}

static void run_load(struct absorb *a, const struct run *r)
{
	const struct cb_segment *s;
	size_t i, k;

	a->nsym = 0;
	run_context(a, r);
	for (i = 0; i < r->nseg; i++) {
		s = &a->b->seg[r->seg + i];
		for (k = 0; k < s->n; k++)
			sym_put(a, a->b->calls[s->at + k], s->time / CB_BLOCK_NS);
	}
}

static void count_symbols(struct absorb *a, const struct run *r, const uint64_t *seen)
{
	const struct cb_segment *seg = &a->b->seg[r->seg];
	const struct cb_bprocess *p = &a->b->process[r->process];
	struct cb_set *set = cb_subject_set(a->s, seg->field);
	struct cb_buf key = { 0 };
	/* ordinals are of one program, the second level is of all of them */
	uint32_t owner = p->ordinal * CB_PROGRAMS_MAX + cb_strmap_find(&a->s->prog, a->p->path, strlen(a->p->path));
	bool start = p->started && !r->block;
	unsigned x;

	for (x = 1; x < CB_SYMBOLS; x++) {
		const char *name;
		size_t at;

		if (!(seen[x / 64] & 1ULL << x % 64))
			continue;
		name = cb_model_symbol_name(a->m, x);
		cb_buf_reset(&key);
		cb_buf_puts(&key, a->p->path);
		cb_buf_putc(&key, '\t');
		at = key.len;
		cb_buf_puts(&key, name);
		cb_items_see(&set->level[0], key.s, key.len, 1, owner, r->block * 2, start, seg->time);
		cb_items_see(&set->level[1], key.s + at, key.len - at, 1, owner, r->block * 2, start, seg->time);
	}
	cb_buf_free(&key);
}

static void count_run(struct absorb *a, const struct run *r)
{
	uint64_t hist = 0, seen[CB_SYMBOLS / 64] = { 0 };
	unsigned order = a->m->order;
	struct cb_count *c;
	size_t i, n = 0;

	run_load(a, r);
	for (i = 0; i < a->nsym; i++) {
		hist = hist << 10 | a->sym[i];
		n += n <= order;
		if (i < a->before)
			continue;
		seen[a->sym[i] / 64] |= 1ULL << a->sym[i] % 64;
		c = cb_counts_get(&a->p->counts, cb_ngram_key(hist, n));
		c->n[r->fold]++;
		c->add[r->fold]++;
		if (c->last != r->unit + 1) {
			c->last = r->unit + 1;
			c->units++;
			c->units_add++;
		}
	}
	a->p->calls += a->nsym - a->before;
	a->p->calls_add += a->nsym - a->before;
	count_symbols(a, r, seen);
}

/* ---- held-out scores ---- */

struct best {
	uint32_t sum;
	size_t end; /* index behind the window's last symbol; 0: none */
	uint32_t since;
};

static void keep_best(struct absorb *a, const struct run *r, struct best *best, int scale)
{
	struct cb_top t = { .sum = best->sum, .fold = r->fold };
	size_t len, from;

	if (!best->end)
		return;
	len = best->since < cb_scale[scale] ? best->since : cb_scale[scale];
	from = best->end - len;
	t.before = from < a->m->order ? from : a->m->order;
	t.len = len + t.before;
	memcpy(t.sym, a->sym + from - t.before, t.len * sizeof(t.sym[0]));
	cb_heldout_put(&a->p->held_add[scale], &t, cb_scale[scale]);
	*best = (struct best){ 0 };
}

/*
 * A window counts if all of it lies in this run, so that no call of it is in the counts it is judged by (this is
 * the guard gap between folds), or if the stream begins here.
 */
static void score_run(struct absorb *a, const struct cb_chain *chain, const struct run *r)
{
	struct cb_history h = { .matched = CB_ORDER + 1 };
	struct best best[CB_SCALES] = { 0 };
	struct cb_windows w = { 0 };
	uint64_t block = 0;
	size_t i;
	int k;

	run_load(a, r);
	for (i = 0; i < a->nsym; i++) {
		unsigned cost = cb_chain_next(chain, &h, a->sym[i]);

		if (i < a->before)
			continue;
		if (a->block[i] != block)
			for (k = 0; k < CB_SCALES; k++)
				keep_best(a, r, &best[k], k);
		block = a->block[i];
		cb_windows_put(&w, cost);
		for (k = 0; k < CB_SCALES; k++)
			if ((r->begins || w.since >= cb_scale[k]) && (!best[k].end || w.sum[k] > best[k].sum))
				best[k] = (struct best){ w.sum[k], i + 1, w.since };
	}
	for (k = 0; k < CB_SCALES; k++)
		keep_best(a, r, &best[k], k);
}

static void score_again(struct cb_heldout *held, const struct cb_chain *chain, unsigned fold)
{
	struct cb_history h;
	struct cb_top *t;
	size_t i, n;
	unsigned cost;

	for (i = 0; i < held->ntop; i++) {
		t = &held->top[i];
		if (t->fold != fold)
			continue;
		h = (struct cb_history){ .matched = CB_ORDER + 1 };
		t->sum = 0;
		for (n = 0; n < t->len; n++) {
			cost = cb_chain_next(chain, &h, t->sym[n]);
			t->sum += n < t->before ? 0 : cb_window_cost(cost);
		}
	}
}

static void score_program_again(struct cb_program *p, const struct cb_chain *chain, unsigned fold)
{
	int k;

	for (k = 0; k < CB_SCALES; k++) {
		score_again(&p->held[k], chain, fold);
		score_again(&p->held_add[k], chain, fold);
	}
}

void cb_model_rescore(struct cb_model *m)
{
	struct cb_chain *chain;
	struct cb_program *p;
	size_t i, k;
	unsigned f;

	for (i = 0; i < m->subj.n; i++) {
		for (k = 0; k < m->subject[i]->prog.n; k++) {
			p = m->subject[i]->program[k];
			for (f = 0; f < CB_FOLDS; f++) {
				chain = cb_chain_new(&p->counts, m->order, f);
				score_program_again(p, chain, f);
				cb_chain_free(chain);
			}
		}
	}
}

static void absorb_program(struct absorb *a, size_t from, size_t to, uint64_t length)
{
	struct cb_chain *chain;
	unsigned f;
	size_t i;

	a->p = a->b->program[a->b->seg[from].program].program;
	a->s = a->b->program[a->b->seg[from].program].subject;
	find_runs(a, from, to, length);
	for (i = 0; i < a->nrun; i++)
		count_run(a, &a->run[i]);
	for (f = 0; f < CB_FOLDS; f++) {
		chain = cb_chain_new(&a->p->counts, a->m->order, f);
		score_program_again(a->p, chain, f);
		for (i = 0; i < a->nrun; i++)
			if (a->run[i].fold == f)
				score_run(a, chain, &a->run[i]);
		cb_chain_free(chain);
	}
}

/* Numbers units; they go on where the program's last batch ended. */
static void number_units(struct cb_batch *b, uint64_t length)
{
	struct cb_bprocess *p;
	struct cb_program *g;
	size_t i;

	for (i = 0; i < b->nprocess; i++) {
		p = &b->process[i];
		g = b->program[p->program].program;
		p->ordinal = g->instances++;
		g->instances_add++;
		p->base = g->units;
		g->units += 1 + unit_block(p, p->last, length);
		g->units_add += 1 + unit_block(p, p->last, length);
	}
}

void cb_batch_absorb(struct cb_batch *b, struct cb_model *m)
{
	struct absorb a = { .b = b, .m = m };
	uint64_t length = fold_length(b);
	size_t i, from;

	number_units(b, length);
	if (b->nseg)
		qsort(b->seg, b->nseg, sizeof(*b->seg), seg_order);
	for (from = 0; from < b->nseg; from = i) {
		for (i = from; i < b->nseg && b->seg[i].program == b->seg[from].program; i++)
			;
		absorb_program(&a, from, i, length);
	}
	free(a.run);
	free(a.sym);
	free(a.block);
	b->nseg = b->ncalls = b->nprocess = b->nprogram = 0;
}
