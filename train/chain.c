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

/* An n-gram in the making: as the last symbol after its context (c, p) and as a context itself (n, d). */
struct node {
	uint64_t key;
	uint32_t c, n, d;
	float p;
};
struct nodes {
	struct node *node; /* in order of making */
	size_t n, cap;
	uint32_t *slot; /* index + 1 */
	size_t nslot;
};

static void nodes_index(struct nodes *t)
{
	size_t i, at;

	free(t->slot);
	t->nslot = t->nslot ? t->nslot * 2 : 256;
	t->slot = cb_xalloc(t->nslot * sizeof(*t->slot));
	for (i = 0; i < t->n; i++) {
		for (at = key_slot(t->node[i].key, t->nslot); t->slot[at]; at = (at + 1) & (t->nslot - 1))
			;
		t->slot[at] = i + 1;
	}
}

static struct node *node_find(const struct nodes *t, uint64_t key, size_t *ret_at)
{
	size_t at;

	for (at = key_slot(key, t->nslot); t->slot[at]; at = (at + 1) & (t->nslot - 1))
		if (t->node[t->slot[at] - 1].key == key)
			return &t->node[t->slot[at] - 1];
	*ret_at = at;
	return NULL;
}

static struct node *node_get(struct nodes *t, uint64_t key)
{
	struct node *d;
	size_t at = 0;

	if (2 * (t->n + 1) > t->nslot)
		nodes_index(t);
	d = node_find(t, key, &at);
	if (d)
		return d;
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 128;
		t->node = cb_xrealloc(t->node, t->cap * sizeof(*t->node));
	}
	t->slot[at] = t->n + 1;
	d = &t->node[t->n++];
	*d = (struct node){ .key = key };
	return d;
}

static uint64_t context_of(uint64_t key)
{
	unsigned len = cb_ngram_len(key);

	return cb_ngram_key((key & ((1ULL << 60) - 1)) >> 10, len - 1);
}

/* Sums what ends alike, then gives every context its followers. All shorter endings of a node exist, too. */
static void nodes_fill(struct nodes *t, struct node *root, const struct cb_counts *c, unsigned order, int skip)
{
	uint64_t key, n, ctx;
	struct node *d;
	size_t i, f, made;
	unsigned len;

	for (i = 0; i < c->nslot; i++) {
		for (n = f = 0; f < CB_FOLDS; f++)
			n += (int)f == skip ? 0 : c->slot[i].n[f];
		if (!c->slot[i].key || !n)
			continue;
		key = c->slot[i].key;
		for (len = cb_ngram_len(key); len; len--)
			if (len <= order + 1)
				node_get(t, cb_ngram_key(key, len))->c += n;
	}
	made = t->n;
	for (i = 0; i < made; i++) {
		n = t->node[i].c;
		ctx = context_of(t->node[i].key);
		d = cb_ngram_len(ctx) ? node_get(t, ctx) : root;
		d->n += n;
		d->d++;
		for (len = cb_ngram_len(ctx); len > 1; len--)
			node_get(t, cb_ngram_key(ctx, len - 1));
	}
}

static void nodes_probabilities(struct nodes *t, const struct node *root, unsigned order)
{
	const struct node *ctx;
	struct node *d;
	unsigned len;
	uint64_t key;
	double lower;
	size_t i, at;

	for (len = 1; len <= order + 1; len++) {
		for (i = 0; i < t->n; i++) {
			d = &t->node[i];
			if (cb_ngram_len(d->key) != len)
				continue;
			lower = len == 1 ? 1.0 / CB_SYMBOLS : node_find(t, cb_ngram_key(d->key, len - 1), &at)->p;
			key = context_of(d->key);
			ctx = len == 1 ? root : node_find(t, key, &at);
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

struct cb_chain *cb_chain_new(const struct cb_counts *counts, unsigned order, int skip)
{
	struct cb_chain *c = cb_xalloc(sizeof(*c));
	struct node root = { 0 };
	struct nodes t = { 0 };
	size_t i, at;

	nodes_index(&t);
	nodes_fill(&t, &root, counts, order, skip);
	nodes_probabilities(&t, &root, order);
	c->order = order;
	c->root = backoff_of(&root);
	c->n = t.n;
	c->seed = cb_hash_seed();
	for (c->nslot = 16, c->shift = 60; c->nslot * 3 < t.n * 5; c->nslot *= 2)
		c->shift--;
	c->slot = cb_xalloc(c->nslot * sizeof(*c->slot));
	for (i = 0; i < t.n; i++) {
		for (at = (t.node[i].key ^ t.node[i].key >> 31) * c->seed >> c->shift; c->slot[at].key;
		     at = (at + 1) & (c->nslot - 1))
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

	for (at = (key ^ key >> 31) * c->seed >> c->shift; c->slot[at].key; at = (at + 1) & (c->nslot - 1))
		if (c->slot[at].key == key)
			return &c->slot[at];
	return NULL;
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
