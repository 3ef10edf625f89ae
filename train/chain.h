/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sequences of symbols: counts of n-grams, and the surprise of the next symbol from them.
 *
 * Interpolated Witten-Bell: after a context h of k symbols, seen n times with d different followers,
 * x (seen c times there) has p_k(x) = (c + d * p_{k-1}(x)) / (n + d), and p_{-1} = 1/1024. A context never
 * seen passes to the shorter one. Costs are -log2 p in 1/16 bit.
 */
#ifndef CB_CHAIN_H
#define CB_CHAIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CB_ORDER 5	    /* the longest context */
#define CB_FOLDS 5
#define CB_SYMBOLS 1024	    /* 0 is none, 1 to 1022 are names of the model, 1023 all other names */
#define CB_SYMBOL_OTHER 1023
#define CB_SCALES 2
extern const unsigned cb_scale[CB_SCALES]; /* windows: 20 and 200 calls */
#define CB_WINDOW 200	    /* the longest of them */
#define CB_COST_BIT 16.0    /* costs a bit */

/*
 * A key holds its up to 6 symbols exactly: the newest in the lowest 10 bits, the number of symbols in the
 * top 4. Only the longest n-gram at each place is counted; shorter ones are sums of those that end alike.
 */
static inline uint64_t cb_ngram_key(uint64_t hist, unsigned len)
{
	return (hist & ((1ULL << 10 * len) - 1)) | (uint64_t)len << 60;
}
static inline unsigned cb_ngram_len(uint64_t key)
{
	return key >> 60;
}

struct cb_count {
	uint64_t key; /* 0: empty */
	uint32_t n[CB_FOLDS];	/* from all sources */
	uint32_t add[CB_FOLDS]; /* of those, from the one being learned now */
	uint32_t units, units_add; /* process instances or time blocks that had it */
	uint32_t last;		/* the last such unit, 0: none */
};
struct cb_counts {
	struct cb_count *slot;
	size_t n, nslot; /* nslot a power of two */
};
struct cb_count *cb_counts_get(struct cb_counts *c, uint64_t key); /* adds; valid until the next call */
void cb_counts_free(struct cb_counts *c);
/* Share of the longest n-grams' occurrences whose n-gram was seen in one unit only (Good-Turing); 1 if none. */
double cb_counts_mass(const struct cb_counts *c, unsigned order);

struct cb_chain; /* costs, ready to use */
/* skip: the fold left out, -1: none. */
struct cb_chain *cb_chain_new(const struct cb_counts *c, unsigned order, int skip);
struct cb_chain *cb_chain_free(struct cb_chain *c);
size_t cb_chain_entries(const struct cb_chain *c);

/* What came before in one thread. Zeroed: nothing. */
struct cb_history {
	uint64_t hist;
	uint8_t n;	 /* symbols in hist that count, at most the order */
	uint8_t matched; /* longest n-gram of the chain that ends here */
};
/*
 * Cost of x, which then becomes part of the history. As large as it gets: a mean over a process that cuts it
 * at 255 finds a sixth fewer of the attacks of ADFA-LD (.248 instead of .291 at 5 % false positives).
 */
unsigned cb_chain_next(const struct cb_chain *c, struct cb_history *h, unsigned x);
/* The n symbols at x will be the next: fetches what their costs are looked for in first. */
void cb_chain_ahead(const struct cb_chain *c, const struct cb_history *h, const uint16_t *x, size_t n);
/* Probability of x after the history, from the costs. */
double cb_chain_p(const struct cb_chain *c, struct cb_history h, unsigned x);

/* Ring sums of the last costs. Zeroed: empty; a window not yet full is divided by its full length. */
struct cb_windows {
	uint32_t sum[CB_SCALES];
	uint16_t at;
	uint32_t since; /* costs put in */
	uint8_t ring[CB_WINDOW];
};
static inline unsigned cb_window_cost(unsigned cost)
{
	return cost > 255 ? 255 : cost;
}
static inline void cb_windows_put(struct cb_windows *w, unsigned cost)
{
	/* the short window's oldest cost lies 20 behind in the same ring */
	unsigned short_at = w->at >= 20 ? w->at - 20 : w->at + CB_WINDOW - 20;

	cost = cb_window_cost(cost);
	w->sum[0] += cost - w->ring[short_at];
	w->sum[1] += cost - w->ring[w->at];
	w->ring[w->at] = cost;
	w->at = w->at + 1 == CB_WINDOW ? 0 : w->at + 1;
	w->since++;
}
/* The last call costs nothing after all. */
static inline void cb_windows_waive(struct cb_windows *w)
{
	unsigned last = (w->at ? w->at : CB_WINDOW) - 1, cost = w->ring[last];

	w->sum[0] -= cost;
	w->sum[1] -= cost;
	w->ring[last] = 0;
}
#endif
