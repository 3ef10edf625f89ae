/* SPDX-License-Identifier: GPL-2.0 */
/* Calls judged before are found by all that their costs depend on, and by nothing less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "phrases.h"

static const struct cb_chain *const chain = (void *)0x1000, *const other = (void *)0x2000;
static const uint16_t word[CB_PHRASE] = { 2, 3, 5, 7, 11, 13, 17, 19 };
static const uint8_t cost[CB_PHRASE] = { 1, 0, 255, 4, 0, 0, 9, 255 };
static const struct cb_history from = { .hist = 0x123456789abc, .n = 5, .matched = 6 }, to = { .hist = 0x777, .n = 5, .matched = 4 };
static const char eight[] = " read write read write openat close fstat read";

static struct cb_phrases *p;
static struct cb_phrase_luck luck;
static uint64_t key;

static int setup(void **state)
{
	(void)state;
	p = cb_phrases_new();
	luck = (struct cb_phrase_luck){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	p = cb_phrases_free(p);
	return 0;
}

static const struct cb_phrase *find(const struct cb_chain *c, struct cb_history h, const char *text)
{
	char room[256];

	strcpy(room, text);
	return cb_phrases_find(p, &luck, c, &h, room, strlen(room), &key);
}

static void put(const struct cb_chain *c, struct cb_history h, const char *text, size_t len)
{
	struct cb_phrase new = { .chain = c, .from = h, .to = to, .len = len };

	memcpy(new.word, word, sizeof(word));
	memcpy(new.cost, cost, sizeof(cost));
	cb_phrases_put(p, key, &new, text);
}

static void keep(const struct cb_chain *c, struct cb_history h, const char *text, size_t len)
{
	assert_null(find(c, h, text));
	assert_true(key);
	put(c, h, text, len);
}

static void test_found(void **state)
{
	const struct cb_phrase *f;

	(void)state;
	keep(chain, from, eight, strlen(eight));
	f = find(chain, from, eight);
	assert_non_null(f);
	assert_memory_equal(f->word, word, sizeof(word));
	assert_memory_equal(f->cost, cost, sizeof(cost));
	assert_int_equal(f->sum, 524);
	assert_int_equal(f->len, strlen(eight));
	assert_int_equal(f->to.hist, to.hist);
	assert_int_equal(f->to.n, to.n);
	assert_int_equal(f->to.matched, to.matched);
	assert_non_null(find(chain, from, " read write read write openat close fstat read and more"));
	assert_non_null(find(chain, from, " read write read write openat close fstat read\nx"));
}

static void test_not_found(void **state)
{
	struct cb_history h = from;

	(void)state;
	keep(chain, from, eight, strlen(eight));
	assert_null(find(other, from, eight));
	/* the last word goes on, or is not whole */
	assert_null(find(chain, from, " read write read write openat close fstat readv"));
	assert_null(find(chain, from, " read write read write openat close fstat rea"));
	assert_null(find(chain, from, " read write read write openat close lstat read"));
	h.hist ^= 1;
	assert_null(find(chain, h, eight));
	h.hist = from.hist ^ 1ull << 49; /* the oldest of five symbols */
	assert_null(find(chain, h, eight));
	h.hist = from.hist ^ 1ull << 50; /* older: no chain looks there */
	assert_non_null(find(chain, h, eight));
	h = from;
	h.n = 4;
	assert_null(find(chain, h, eight));
	h = from;
	h.matched = 5;
	assert_null(find(chain, h, eight));
	assert_non_null(find(chain, from, eight));
}

static void test_shortest_and_longest(void **state)
{
	char text[256];

	(void)state;
	/* too little is left to tell it by, and it is not to be kept */
	assert_null(find(chain, from, " a b c d e f g h"));
	assert_int_equal(key, 0);
	put(chain, from, " a b c d e f g h", 16);
	assert_null(find(chain, from, " a b c d e f g h"));
	/* longer than what is kept, by one byte and by so many that a narrow number would call it short */
	memset(text, 'x', sizeof(text));
	text[CB_PHRASE_TEXT + 1] = 0;
	keep(chain, from, text, CB_PHRASE_TEXT + 1);
	keep(chain, from, text, 65536 + CB_PHRASE_TEXT);
	assert_null(find(chain, from, text));
	text[CB_PHRASE_TEXT] = 0;
	keep(chain, from, text, CB_PHRASE_TEXT);
	assert_non_null(find(chain, from, text));
}

/* Loops that go on in several ways after the same words. */
static void test_ways(void **state)
{
	static const char *const end[] = { "read", "write", "close", "fstat" };
	char text[128];

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), " the first words are the same in all of them but %s", end[i]);
		keep(chain, from, text, strlen(text));
	}
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), " the first words are the same in all of them but %s", end[i]);
		assert_non_null(find(chain, from, text));
	}
}

static void test_luck(void **state)
{
	char text[128];
	int looked = 0, i;

	(void)state;
	/* who never repeats himself */
	for (i = 0; i < 5440; i++) {
		snprintf(text, sizeof(text), " %d never the same again and again and again", i);
		assert_null(find(chain, from, text));
		looked += !!key;
	}
	assert_in_range(looked, 300, 400);
	/* another is looked for at once */
	luck = (struct cb_phrase_luck){ 0 };
	keep(chain, from, eight, strlen(eight));
	/* half of it in vain is well worth it */
	for (looked = i = 0; i < 5440; i++) {
		snprintf(text, sizeof(text), " %d never the same again and again and again", i);
		assert_null(find(chain, from, text));
		looked += !!key;
		assert_non_null(find(chain, from, eight));
	}
	assert_int_equal(looked, 5440);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shortest_and_longest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_luck, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
