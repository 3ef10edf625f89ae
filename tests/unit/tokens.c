/* SPDX-License-Identifier: GPL-2.0 */
/* Words of a sequence: where each ends, and that it is the same word each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tokens.h"

struct fixture {
	struct cb_model *model;
	struct cb_tokens *tokens;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->model = cb_model_new();
	f->tokens = cb_tokens_new(f->model, true);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cb_tokens_free(f->tokens);
	cb_model_free(f->model);
	free(f);
	return 0;
}

/* The words of a text that ends where its memory does, but for what may be looked at behind it, with | between them. */
static const char *words(struct fixture *f, const char *text)
{
	static char got[4096];
	size_t len = strlen(text), n = 0;
	char *s = malloc(len + 8);
	const char *at = s;
	int id;

	memcpy(s, text, len + 1);
	memset(s + len + 1, 'z', 7); /* of no word */
	*got = '\0';
	while ((id = cb_tokens_next(f->tokens, &at)) >= 0)
		n += snprintf(got + n, sizeof(got) - n, "|%.*s", (int)f->tokens->name.len[id], f->tokens->name.key[id]);
	assert_true(at <= s + len);
	free(s);
	return got;
}

static void test_words(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(words(f, ""), "");
	assert_string_equal(words(f, "   "), "");
	assert_string_equal(words(f, "read"), "|read");
	assert_string_equal(words(f, " read  write "), "|read|write");
	/* control characters are no words, and nothing to stop at; bytes above 0x7f are letters */
	assert_string_equal(words(f, "a\tb"), "|a|\t|b");
	assert_string_equal(words(f, "12345678\t"), "|12345678|\t");
	assert_string_equal(words(f, "\xc3\xa9t\xc3\xa9 \x80\xff"), "|\xc3\xa9t\xc3\xa9|\x80\xff");
	assert_string_equal(words(f, "a!\x7f b"), "|a!\x7f|b");
}

/* Every length around those that are compared at once, each word behind every other, twice. */
static void test_lengths(void **state)
{
	struct fixture *f = *state;
	char text[128], want[128];

	for (int round = 0; round < 2; round++)
		for (int a = 1; a <= 33; a++)
			for (int b = 1; b <= 33; b++) {
				snprintf(text, sizeof(text), "%.*s %.*s", a, "abcdefghijklmnopqrstuvwxyzABCDEFG", b,
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg");
				snprintf(want, sizeof(want), "|%.*s|%.*s", a, text, b, text + a + 1);
				assert_string_equal(words(f, text), want);
			}
	assert_int_equal(f->tokens->name.n, 66);
}

/* More words than slots: they push each other out and are the same again. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	char text[32], want[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3 << CB_TOKEN_BITS; i++) {
			snprintf(text, sizeof(text), "w%d", i);
			snprintf(want, sizeof(want), "|w%d", i);
			assert_string_equal(words(f, text), want);
		}
	assert_int_equal(f->tokens->name.n, 3 << CB_TOKEN_BITS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lengths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
