/* SPDX-License-Identifier: GPL-2.0 */
/* How much is too much: windows over rows, thresholds from block maxima. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

#define S 1000000000ULL

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static void test_windows_of_a_rate(void **state)
{
	struct cb_track t = { 0 };

	cb_track_put(&t, false, 10 * S, S, 100);
	assert_true(near(t.value[0], 100) && near(t.value[1], 25));
	/* of another program, in the same interval */
	cb_track_put(&t, false, 10 * S + 7, S, 40);
	assert_true(near(t.value[0], 140) && near(t.value[1], 35));
	cb_track_put(&t, false, 11 * S, S, 60);
	assert_true(near(t.value[0], 60) && near(t.value[1], 50));
	/* at 15 the first is out of the window; the interval was a long one */
	cb_track_put(&t, false, 14 * S + S / 2, 3 * S + S / 2, 70);
	assert_true(near(t.value[0], 20) && near(t.value[1], 130 / 4.5));
	/* a row without an interval counts for the second in which it came */
	cb_track_put(&t, false, 100 * S, 0, 5);
	cb_track_put(&t, false, 100 * S + S / 4, 0, 6);
	assert_true(near(t.value[0], 11) && near(t.value[1], 11 / 4.0));
}

static void test_growth_of_a_level(void **state)
{
	struct cb_track t = { 0 };
	uint64_t s;

	for (s = 0; s < 200; s++) {
		cb_track_put(&t, true, (s + 1) * S, S, 1e9 + s * 1e6);
		assert_true(near(t.value[0], 1e9 + s * 1e6));
		assert_int_equal(t.known[1], s > 50);
		if (t.known[1])
			assert_true(t.value[1] >= 50e6 && t.value[1] <= 60e6);
	}
	cb_track_put(&t, true, 201 * S, S, 5);
	assert_true(t.value[1] == 0);
}

static void test_threshold(void **state)
{
	struct cb_rate r = { 0 }, few = { 0 }, other = { 0 };
	double before;
	int i;

	/* all below the floor: twice of it, whatever little there was */
	for (i = 0; i < 7; i++)
		cb_maxima_put(&r.span[0], 1e6 * i);
	cb_rate_threshold(&r, "container.cpu.time_ns", 7, 0.01, 7 / 8640.0);
	assert_true(r.t[0].scored && r.floor == 1e8);
	assert_true(r.t[0].score > 1.5e8 && r.t[0].score < 4.1e8);
	before = r.t[0].score;
	/* a longer history needs less of a margin */
	for (; i < 8640; i++)
		cb_maxima_put(&r.span[0], 1e6 * (i % 7));
	cb_rate_threshold(&r, "container.cpu.time_ns", i, 0.01, 1);
	assert_true(r.t[0].score < before);
	/* one that towers above all is set aside, two of a kind are not */
	cb_maxima_put(&r.span[0], 9e8);
	cb_rate_threshold(&r, "container.cpu.time_ns", i, 0.01, 1);
	assert_int_equal(r.t[0].aside, 1);
	assert_true(r.t[0].score < before && r.t[0].per_day >= 1);
	/* of few blocks the tail is known badly: a wider margin, but never more than three times */
	for (i = 0; i < 5; i++)
		cb_maxima_put(&few.span[0], 2e8 + 2e7 * i);
	cb_rate_threshold(&few, "container.cpu.time_ns", 5, 0.01, 5 / 8640.0);
	assert_true(few.t[0].score > 8.3e8 && few.t[0].score < 8.5e8);
	for (i = 0; i < 8640; i++)
		cb_maxima_put(&few.span[0], 2e8 + 2e7 * (i % 5));
	cb_rate_threshold(&few, "container.cpu.time_ns", 8645, 0.01, 1);
	assert_true(few.t[0].score < 5e8);
	/* too little was seen */
	cb_maxima_put(&other.span[0], 1);
	cb_rate_threshold(&other, "container.cpu.time_ns", 1, 0.01, 1);
	assert_false(other.t[0].scored);
	/* not in the table: its own median */
	for (i = 0; i < 100; i++)
		cb_maxima_put(&other.span[0], 5000 + i);
	cb_rate_threshold(&other, "acme.widgets", 0, 0.01, 1);
	assert_true(other.floor > 4000 && other.floor < 6500);
	assert_true(other.t[0].score > 7000 && other.t[0].score < 22000);
}

static void test_start_has_its_own(void **state)
{
	struct cb_rate r = { 0 };
	int i;

	for (i = 0; i < 50; i++)
		cb_maxima_put(&r.span[0], 1);
	cb_rate_threshold(&r, "container.process.forks", 50, 0.01, 0.1);
	assert_true(cb_rate_start_limit(&r, 0) == 0); /* never seen: not judged */
	r.starts = 1;
	r.start[0] = 300;
	assert_true(cb_rate_start_limit(&r, 0) == 600);
	assert_true(r.t[0].score < 80);
}

/* Every maximum is counted once; the largest are exact. */
static void test_maxima(void **state)
{
	struct cb_maxima m = { 0 };
	uint32_t n = 0;
	int i;

	for (i = 0; i < 1009; i++)
		cb_maxima_put(&m, (i * 37) % 1009);
	for (i = 0; i < CB_RATE_BINS; i++)
		n += m.hist[i];
	assert_int_equal(n + m.ntop, 1009);
	for (i = 0; i < CB_RATE_TOP; i++)
		assert_true(m.top[i] == 1008 - i);
	cb_maxima_put(&m, INFINITY);
	cb_maxima_put(&m, 1e300);
	assert_int_equal(m.blocks, 1011);
}

static void test_words(void **state)
{
	static const struct {
		const char *field;
		bool level;
		double v;
		const char *text;
	} t[] = {
		{ "container.cpu.time_ns", false, 1.234e9, "1.23 CPUs" },
		{ "container.memory.anon_bytes", true, 12.3e6, "12 MB" },
		{ "container.memory.anon_bytes", true, 6.3e6, "6300 kB" },
		{ "container.network.tx_bytes", false, 999, "999 B/s" },
		{ "container.process.forks", false, 2.5, "2.5/s" },
		{ "acme.widgets", true, 7, "7" },
	};
	struct cb_rate r = { .floor = 1e8 };
	struct cb_buf b = { 0 };
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cb_buf_reset(&b);
		cb_rate_text(&b, t[i].field, t[i].level, t[i].v);
		assert_string_equal(cb_text(&b), t[i].text);
	}
	cb_buf_reset(&b);
	cb_rate_bucket(&b, &r, 9.4e8);
	assert_string_equal(cb_text(&b), "up to 3200000000");
	cb_buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_of_a_rate), cmocka_unit_test(test_growth_of_a_level),
		cmocka_unit_test(test_threshold),	  cmocka_unit_test(test_start_has_its_own),
		cmocka_unit_test(test_maxima),		  cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
