/* SPDX-License-Identifier: GPL-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cb.h"
#include "chain.h"
#include "hash.h"

const unsigned cb_scale[CB_SCALES] = { 20, CB_WINDOW };

/* ---- counts ---- */

static inline size_t key_slot(uint64_t key, size_t nslot)
{
	uint64_t h = (key ^ key >> 31) * cb_hash_seed();

	return (h ^ h >> 32) & (nslot - 1);
}

static void counts_grow(struct cb_counts *c)
{
	struct cb_count *old = c->slot;
	size_t nold = c->nslot, i, at;

	c->nslot = nold ? nold * 2 : 64;
	c->slot = cb_xalloc(c->nslot * sizeof(*c->slot));
	for (i = 0; i < nold; i++) {
		if (!old[i].key)
			continue;
		for (at = key_slot(old[i].key, c->nslot); c->slot[at].key; at = (at + 1) & (c->nslot - 1))
			;
		c->slot[at] = old[i];
	}
	free(old);
}

struct cb_count *cb_counts_get(struct cb_counts *c, uint64_t key)
{
	size_t at;

	if (5 * (c->n + 1) > 3 * c->nslot)
		counts_grow(c);
	for (at = key_slot(key, c->nslot); c->slot[at].key; at = (at + 1) & (c->nslot - 1))
		if (c->slot[at].key == key)
			return &c->slot[at];
	c->slot[at].key = key;
	c->n++;
	return &c->slot[at];
}

void cb_counts_free(struct cb_counts *c)
{
	free(c->slot);
	memset(c, 0, sizeof(*c));
}

double cb_counts_mass(const struct cb_counts *c, unsigned order)
{
	uint64_t all = 0, once = 0, n;
	size_t i, f;

	for (i = 0; i < c->nslot; i++) {
		if (cb_ngram_len(c->slot[i].key) != order + 1)
			continue;
		for (n = f = 0; f < CB_FOLDS; f++)
			n += c->slot[i].n[f];
		all += n;
		if (c->slot[i].units == 1)
			once += n;
	}
	return all ? (double)once / all : 1;
}

/* ---- from counts to costs ---- */

/*
 * An n-gram in the making: as the last symbol after its context (c, p) and as a context itself (n, d). up: the one without
 * its oldest symbol; ctx: its context; index + 1, 0: that is of no symbols, or not looked for yet.
 */
struct node {
	uint64_t key;
	uint32_t c, n, d;
	float p;
	uint32_t up, ctx;
};
struct nodes {
	struct node *node; /* in order of making */
	size_t n, cap;
	uint32_t *slot; /* index + 1 */
	size_t nslot;
};

static void nodes_index(struct nodes *t, size_t nslot)
{
	size_t i, at;

	free(t->slot);
	t->nslot = nslot;
	t->slot = cb_xalloc(t->nslot * sizeof(*t->slot));
	for (i = 0; i < t->n; i++) {
		for (at = key_slot(t->node[i].key, t->nslot); t->slot[at]; at = (at + 1) & (t->nslot - 1))
			;
		t->slot[at] = i + 1;
	}
}

/* Index + 1, 0: there is none, and ret_at is its slot. */
static uint32_t node_find(const struct nodes *t, uint64_t key, size_t *ret_at)
{
	size_t at;

	for (at = key_slot(key, t->nslot); t->slot[at]; at = (at + 1) & (t->nslot - 1))
		if (t->node[t->slot[at] - 1].key == key)
			break;
	*ret_at = at;
	return t->slot[at];
}

static uint32_t node_add(struct nodes *t, uint64_t key, size_t at)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 128;
		t->node = cb_xrealloc(t->node, t->cap * sizeof(*t->node));
	}
	t->node[t->n++] = (struct node){ .key = key };
	if (2 * t->n > t->nslot)
		nodes_index(t, 2 * t->nslot);
	else
		t->slot[at] = t->n;
	return t->n;
}

/* Index + 1 of an n-gram, 0 of that of no symbols. It and all its shorter endings are made unless they are there. */
static uint32_t node_get(struct nodes *t, uint64_t key)
{
	uint32_t first = 0, longer = 0, i;
	size_t at;

	for (unsigned len = cb_ngram_len(key); len; len--) {
		uint64_t k = cb_ngram_key(key, len);
		bool there = (i = node_find(t, k, &at));

		if (!there)
			i = node_add(t, k, at);
		if (longer)
			t->node[longer - 1].up = i;
		else
			first = i;
		if (there)
			break;
		longer = i;
	}
	return first;
}

static uint64_t context_of(uint64_t key)
{
	unsigned len = cb_ngram_len(key);

	return cb_ngram_key((key & ((1ULL << 60) - 1)) >> 10, len - 1);
}

/* Sums what ends alike. */
static void nodes_fill(struct nodes *t, const struct cb_counts *c, unsigned order, int skip)
{
	size_t i, f;
	uint64_t n;
	unsigned len;

	for (i = 0; i < c->nslot; i++) {
		for (n = f = 0; f < CB_FOLDS; f++)
			n += (int)f == skip ? 0 : c->slot[i].n[f];
		if (!c->slot[i].key || !n)
			continue;
		len = cb_ngram_len(c->slot[i].key);
		for (uint32_t at = node_get(t, cb_ngram_key(c->slot[i].key, len < order + 1 ? len : order + 1)); at;
		     at = t->node[at - 1].up)
			t->node[at - 1].c += n;
	}
}

/* Gives every context its followers. What a context is made for stands before it; ctx of the rest stays 0. */
static void nodes_follow(struct nodes *t, struct node *root)
{
	size_t made = t->n, i;
	uint32_t ctx, of;
	struct node *d;

	for (i = 0; i < made; i++) {
		if (!t->node[i].ctx)
			/* the context of what is shorter is what is shorter of the context */
			for (ctx = node_get(t, context_of(t->node[i].key)), of = i + 1; ctx && !t->node[of - 1].ctx;
			     ctx = t->node[ctx - 1].up, of = t->node[of - 1].up)
				t->node[of - 1].ctx = ctx;
		d = t->node[i].ctx ? &t->node[t->node[i].ctx - 1] : root;
		d->n += t->node[i].c;
		d->d++;
	}
}

static void nodes_probabilities(struct nodes *t, const struct node *root, unsigned order)
{
	const struct node *ctx;
	struct node *d;
	uint32_t of;
	unsigned len;
	double lower;
	size_t i, at;

	for (len = 1; len <= order + 1; len++) {
		for (i = 0; i < t->n; i++) {
			d = &t->node[i];
			if (cb_ngram_len(d->key) != len)
				continue;
			lower = len == 1 ? 1.0 / CB_SYMBOLS : t->node[d->up - 1].p;
			of = d->ctx || len == 1 ? d->ctx : node_find(t, context_of(d->key), &at);
			ctx = of ? &t->node[of - 1] : len == 1 ? root : NULL;
			d->p = ctx && ctx->n ? (d->c + ctx->d * lower) / ((double)ctx->n + ctx->d) : lower;
		}
	}
}

static uint8_t cost_of(double p)
{
	double bits = -log2(p) * CB_COST_BIT;

	return bits > 255 ? 255 : bits < 0 ? 0 : lrint(bits);
}

static uint8_t backoff_of(const struct node *d)
{
	return d->n ? cost_of(d->d / ((double)d->n + d->d)) : 0;
}

/* ---- costs ---- */

struct cost {
	uint64_t key;
	uint8_t cost; /* of the last symbol after the others */
	uint8_t back; /* of what was never seen after all of them */
} __attribute__((packed));

struct cb_chain {
	unsigned order;
	uint8_t root; /* back-off of the empty context */
	size_t n, nslot;
	uint64_t seed;
	unsigned shift;
	struct cost *slot;
};

/* Where a key is looked for first. */
static inline size_t cost_slot(const struct cb_chain *c, uint64_t key)
{
	return (key ^ key >> 31) * c->seed >> c->shift;
}

struct cb_chain *cb_chain_new(const struct cb_counts *counts, unsigned order, int skip)
{
	struct cb_chain *c = cb_xalloc(sizeof(*c));
	struct node root = { 0 };
	struct nodes t = { 0 };
	size_t i, at;

	for (i = 256; i < 2 * counts->n; i *= 2)
		;
	nodes_index(&t, i);
	nodes_fill(&t, counts, order, skip);
	nodes_follow(&t, &root);
	nodes_probabilities(&t, &root, order);
	c->order = order;
	c->root = backoff_of(&root);
	c->n = t.n;
	c->seed = cb_hash_seed();
	for (c->nslot = 16, c->shift = 60; c->nslot * 3 < t.n * 5; c->nslot *= 2)
		c->shift--;
	c->slot = cb_xalloc(c->nslot * sizeof(*c->slot));
	for (i = 0; i < t.n; i++) {
		for (at = cost_slot(c, t.node[i].key); c->slot[at].key; at = (at + 1) & (c->nslot - 1))
			;
		c->slot[at] = (struct cost){ t.node[i].key, cost_of(t.node[i].p), backoff_of(&t.node[i]) };
	}
	free(t.node);
	free(t.slot);
	return c;
}

struct cb_chain *cb_chain_free(struct cb_chain *c)
{
	if (c)
		free(c->slot);
	free(c);
	return NULL;
}

size_t cb_chain_entries(const struct cb_chain *c)
{
	return c->n;
}

static inline const struct cost *cost_find(const struct cb_chain *c, uint64_t key)
{
	size_t at;

	for (at = cost_slot(c, key); c->slot[at].key; at = (at + 1) & (c->nslot - 1))
		if (c->slot[at].key == key)
			return &c->slot[at];
	return NULL;
}

void cb_chain_ahead(const struct cb_chain *c, const struct cb_history *h, const uint16_t *x, size_t n)
{
	uint64_t hist = h->hist;

	for (size_t i = 0; i < n; i++) {
		hist = hist << 10 | x[i];
		__builtin_prefetch(&c->slot[cost_slot(c, cb_ngram_key(hist, c->order + 1))]);
	}
}

unsigned cb_chain_next(const struct cb_chain *c, struct cb_history *h, unsigned x)
{
	unsigned back = 0, k = h->n, cost;
	uint64_t with = h->hist << 10 | x;
	const struct cost *s;

	/* a context longer than the last match is in no n-gram of the chain: it has nothing to say */
	if (k > h->matched)
		k = h->matched;
	for (;; k--) {
		s = cost_find(c, cb_ngram_key(with, k + 1));
		if (s) {
			cost = back + s->cost;
			h->matched = k + 1;
			break;
		}
		if (!k) {
			cost = back + c->root + 160; /* 1/1024 */
			h->matched = 0;
			break;
		}
		s = cost_find(c, cb_ngram_key(h->hist, k));
		back += s ? s->back : 0;
	}
	h->hist = with;
	h->n += h->n < c->order;
	return cost;
}

double cb_chain_p(const struct cb_chain *c, struct cb_history h, unsigned x)
{
	return exp2(-(double)cb_chain_next(c, &h, x) / CB_COST_BIT);
}
