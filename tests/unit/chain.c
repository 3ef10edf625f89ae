/* SPDX-License-Identifier: GPL-2.0 */
/* Costs against the definition, computed here the slow way. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "cb.h"
#include "chain.h"

#define N 4001

struct text {
	unsigned order;
	uint16_t x[N];
	uint8_t fold[N]; /* of each symbol */
};

static void make(struct text *t, unsigned order)
{
	unsigned r = 12345, i;

	t->order = order;
	for (i = 0; i < N; i++) {
		r = r * 1103515245 + 12345;
		/* most follow from the last one, some do not */
		t->x[i] = i && (r >> 16) % 10 ? t->x[i - 1] * 7 % 29 + 1 + (r >> 20) % 2 : 1 + (r >> 16) % 31;
		t->fold[i] = i / 100 % CB_FOLDS;
	}
}

static void count(const struct text *t, struct cb_counts *c)
{
	uint64_t hist = 0;
	unsigned i, n = 0;
	struct cb_count *e;

	for (i = 0; i < N; i++) {
		hist = hist << 10 | t->x[i];
		n += n <= t->order;
		e = cb_counts_get(c, cb_ngram_key(hist, n));
		e->n[t->fold[i]]++;
		e->units++;
	}
}

/* How often x came after the k symbols before position at; *n of all, *d different. */
static unsigned seen(const struct text *t, const uint16_t *h, unsigned k, unsigned x, int skip, unsigned *n, unsigned *d)
{
	bool had[CB_SYMBOLS] = { false };
	unsigned i, j, c = 0;

	*n = *d = 0;
	for (i = k; i < N; i++) {
		if (t->fold[i] == skip)
			continue;
		for (j = 0; j < k && t->x[i - k + j] == h[j]; j++)
			;
		if (j < k)
			continue;
		++*n;
		*d += !had[t->x[i]];
		had[t->x[i]] = true;
		c += t->x[i] == x;
	}
	return c;
}

static double probability(const struct text *t, const uint16_t *at, unsigned k, unsigned x, int skip)
{
	double p = 1.0 / CB_SYMBOLS;
	unsigned i, c, n, d;

	for (i = 0; i <= k; i++) {
		c = seen(t, at - i, i, x, skip, &n, &d);
		if (n)
			p = (c + d * p) / (n + d);
	}
	return p;
}

static void check(unsigned order, int skip)
{
	struct text *t = calloc(1, sizeof(*t));
	struct cb_history h = { .matched = CB_ORDER + 1 };
	struct cb_counts counts = { 0 };
	struct cb_chain *c;
	unsigned i, x, cost;
	double want;

	make(t, order);
	count(t, &counts);
	c = cb_chain_new(&counts, order, skip);
	for (i = 0; i < 401; i++) {
		/* now and then what was never seen, so that the way back is gone, too */
		x = i % 53 == 52 ? 900 : t->x[i];
		want = -log2(probability(t, t->x + i, i < order ? i : order, x, skip)) * CB_COST_BIT;
		cost = cb_chain_next(c, &h, x);
		/* every order passed on the way is rounded */
		if (fabs(cost - want) > 3.5)
			fail_msg("place %u: cost %u, expected %.1f", i, cost, want);
		if (x == 900)
			h = (struct cb_history){ .matched = CB_ORDER + 1 };
		if (x == 900) { /* what came before is there again */
			unsigned k = i + 1 < order ? i + 1 : order, n;

			for (n = 0; n < k; n++)
				h.hist = h.hist << 10 | t->x[i + 1 - k + n];
			h.n = k;
		}
	}
	cb_chain_free(c);
	cb_counts_free(&counts);
	free(t);
}

static void test_definition(void **state)
{
	check(5, -1);
	check(3, -1);
	check(1, -1);
}

static void test_fold_left_out(void **state)
{
	check(5, 2);
}

static void test_probabilities_sum_to_one(void **state)
{
	struct text *t = calloc(1, sizeof(*t));
	struct cb_history h = { .matched = CB_ORDER + 1 };
	struct cb_counts counts = { 0 };
	struct cb_chain *c;
	double sum = 0;
	unsigned x;

	make(t, 5);
	count(t, &counts);
	c = cb_chain_new(&counts, 5, -1);
	for (x = 0; x < 37; x++)
		cb_chain_next(c, &h, t->x[x]);
	for (x = 0; x < CB_SYMBOLS; x++)
		sum += cb_chain_p(c, h, x);
	assert_true(sum > 0.97 && sum < 1.03);
	cb_chain_free(c);
	cb_counts_free(&counts);
	free(t);
}

static void test_empty(void **state)
{
	struct cb_history h = { .matched = CB_ORDER + 1 };
	struct cb_counts counts = { 0 };
	struct cb_chain *c = cb_chain_new(&counts, 5, -1);

	assert_int_equal(cb_chain_next(c, &h, 7), 160);
	assert_int_equal(cb_chain_next(c, &h, 7), 160);
	assert_int_equal(cb_chain_entries(c), 0);
	cb_chain_free(c);
	assert_true(cb_counts_mass(&counts, 5) == 1);
}

static void test_windows(void **state)
{
	struct cb_windows w = { 0 };
	unsigned cost[1009], i, j, k, sum;

	for (i = 0; i < 1009; i++) {
		cost[i] = i * 7919 % 256;
		cb_windows_put(&w, cost[i]);
		for (k = 0; k < CB_SCALES; k++) {
			for (sum = 0, j = 0; j < cb_scale[k] && j <= i; j++)
				sum += cost[i - j];
			assert_int_equal(w.sum[k], sum);
		}
	}
	assert_int_equal(w.since, 1009);
}

static void test_mass(void **state)
{
	struct cb_counts c = { 0 };
	struct cb_count *e = cb_counts_get(&c, cb_ngram_key(0x1234567, 6));

	e->n[0] = 3;
	e->units = 1;
	e = cb_counts_get(&c, cb_ngram_key(0x1234568, 6));
	e->n[1] = 7;
	e->n[4] = 90;
	e->units = 2;
	/* shorter ones stand at the start of streams only */
	cb_counts_get(&c, cb_ngram_key(0x12, 1))->units = 1;
	assert_true(fabs(cb_counts_mass(&c, 5) - 0.03) < 1e-9);
	cb_counts_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_definition), cmocka_unit_test(test_fold_left_out),
		cmocka_unit_test(test_probabilities_sum_to_one), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_windows), cmocka_unit_test(test_mass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
