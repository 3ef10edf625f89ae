/* SPDX-License-Identifier: GPL-2.0 */
/* Shapes of values, and what counts as new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "items.h"
#include "recent.h"

struct shape {
	const char *text, *shape;
};

static void check(const struct shape *s, size_t n, void (*fn)(struct cb_buf *, const char *, size_t))
{
	struct cb_buf b = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		cb_buf_reset(&b);
		fn(&b, s[i].text, strlen(s[i].text));
		assert_string_equal(cb_text(&b), s[i].shape);
	}
	cb_buf_free(&b);
}

static void test_text(void **state)
{
	static const struct shape s[] = {
		{ "/usr/sbin/nginx", "/usr/sbin/nginx" },
		{ "/var/lib/postgresql/15/main/base/16384/2619_fsm", "/var/lib/postgresql/#/main/base/#/#_fsm" },
		{ "/cache/3f/3F9A00BC12DE", "/cache/#f/*" },
		{ "/x/00000000-dead-beef-cafe-0123456789AB/y", "/x/*/y" },
		{ "/tmp/tmp.Xy12ZkLmQ", "/tmp/tmp.?" },
		{ "/tmp/sess-aZbYcXd", "/tmp/sess-?" },
		{ "/etc/nginx.conf", "/etc/nginx.conf" },
		{ "feedface", "feedface" }, /* letters only: a word */
		{ "/a.Capital", "/a.Capital" },
		{ "/a\\x0a7\\\\9", "/a\\x0a#\\\\#" }, /* escapes stay what they are */
		{ "", "" },
	};

	check(s, sizeof(s) / sizeof(s[0]), cb_shape_text);
}

static void test_args(void **state)
{
	static const struct shape s[] = {
		{ "nginx -g daemon\\x20off;", "nginx -g text(daemon)" },
		{ "curl --header=secret -o /tmp/17 http://x/ hunter", "curl --header= -o /tmp/# word" },
		{ "sh -c curl\\x20-s\\x20http://x\\x20|\\x20PASS=q\\x20/bin/sh\\x20-x", "sh -c text(curl,sh)" },
		{ "sh -c id;\\x20uname\\x20-a\\x0awho\\x20x", "sh -c text(id,uname,who)" },
		{ "sleep 3.5", "sleep #" },
		{ "cat a b c d", "cat word" },
		{ "x ''", "x ''" },
		{ "x y ''", "x word ''" },
		{ "", "" },
	};

	check(s, sizeof(s) / sizeof(s[0]), cb_shape_args);
}

static void test_shape_is_bounded(void **state)
{
	char *s = malloc(100001);
	struct cb_buf b = { 0 };

	memset(s, 'z', 100000);
	s[100000] = 0;
	cb_shape_text(&b, s, 100000);
	assert_true(b.len <= CB_SHAPE_MAX + 1);
	cb_buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		s[i] = i % 2 ? ' ' : "/-"[i / 2 % 2];
	cb_shape_args(&b, s, 100000);
	assert_true(b.len <= 2 * CB_SHAPE_MAX);
	cb_buf_free(&b);
	free(s);
}

static void see(struct cb_items *t, const char *s, uint32_t owner, uint32_t block, bool start)
{
	cb_items_see(t, s, strlen(s), 1, owner, block, start, 1000 + block);
}

static void test_novel(void **state)
{
	struct cb_items t = { 0 };
	uint32_t top[2];

	see(&t, "often", 0, 0, true);
	see(&t, "often", 0, 5, false);
	see(&t, "often", 1, 5, false);
	see(&t, "once", 0, 7, false);
	see(&t, "border", 0, 3, false); /* on both sides of a border: one time */
	see(&t, "border", 0, 4, false);
	see(&t, "start", 0, 0, true);
	assert_int_equal(cb_items_novel(&t, false), 2);
	assert_int_equal(cb_items_novel(&t, true), 3);
	assert_int_equal(cb_items_common(&t, "", 2, top), 2);
	assert_string_equal(t.map.key[top[0]], "often");
	assert_string_equal(t.map.key[top[1]], "border");
	assert_int_equal(cb_items_common(&t, "on", 2, top), 1);
	cb_items_free(&t);
}

static void test_values_are_bounded(void **state)
{
	struct cb_items t = { 0 };
	char s[32];

	for (int i = 0; i < CB_ITEMS_MAX + 131; i++) {
		snprintf(s, sizeof(s), "v%d", i);
		see(&t, s, 0, i, false);
	}
	see(&t, "v1", 0, 1, false);
	assert_int_equal(t.map.n, CB_ITEMS_MAX);
	assert_int_equal(t.dropped, 131);
	cb_items_free(&t);
}

static void count_drop(void *value, void *arg)
{
	++*(int *)arg;
	free(value);
}

static void test_recent(void **state)
{
	int dropped = 0;
	struct cb_recent r = { .max = 101, .drop = count_drop, .arg = &dropped };
	char s[32];

	for (int i = 0; i < 1009; i++) {
		int n = snprintf(s, sizeof(s), "k%d", i);

		assert_null(cb_recent_get(&r, s, n));
		cb_recent_put(&r, s, n, strdup(s));
		assert_string_equal(cb_recent_get(&r, "k0", 2), "k0"); /* asked for: stays */
	}
	assert_true(dropped > 700 && (uint64_t)dropped == r.dropped);
	assert_null(cb_recent_get(&r, "k1", 2));
	assert_string_equal(cb_recent_get(&r, "k1008", 5), "k1008");
	cb_recent_free(&r);
	assert_int_equal(dropped, 1009);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_args), cmocka_unit_test(test_shape_is_bounded),
		cmocka_unit_test(test_novel), cmocka_unit_test(test_values_are_bounded), cmocka_unit_test(test_recent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
