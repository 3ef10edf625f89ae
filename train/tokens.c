/* SPDX-License-Identifier: GPL-2.0 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "tokens.h"

struct cb_tokens *cb_tokens_new(struct cb_model *m, bool learn)
{
	struct cb_tokens *t = cb_xalloc(sizeof(*t));

	t->model = m;
	t->learn = learn;
	return t;
}

struct cb_tokens *cb_tokens_free(struct cb_tokens *t)
{
	if (t) {
		cb_strmap_free(&t->name);
		free(t->symbol);
	}
	free(t);
	return NULL;
}

static unsigned symbol_of(struct cb_tokens *t, const char *s, size_t len)
{
	int i;

	/* the kernel goes on with an interrupted call: when, is chance */
	if (len == 15 && !memcmp(s, "restart_syscall", 15))
		return 0;
	if (t->learn)
		return cb_model_symbol(t->model, s, len);
	i = cb_strmap_find(&t->model->sym, s, len);
	return i < 0 ? CB_SYMBOL_OTHER : i + 1;
}

static unsigned token_add(struct cb_tokens *t, const char *s, size_t len)
{
	size_t id;
	bool made;

	if (t->name.n >= CB_TOKENS_MAX && cb_strmap_find(&t->name, s, len) < 0) {
		s = "other";
		len = 5;
	}
	id = cb_strmap_add(&t->name, s, len, &made);
	if (id >= t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->symbol = cb_xrealloc(t->symbol, t->cap * sizeof(*t->symbol));
	}
	if (made)
		t->symbol[id] = symbol_of(t, s, len);
	return id;
}

#define ONES 0x0101010101010101ull
#define HIGH 0x8080808080808080ull

/* The next 8 bytes as a number, the first lowest. */
static inline uint64_t load(const char *s)
{
	uint64_t v;

	memcpy(&v, s, sizeof(v));
	return le64toh(v);
}

/* Bits above the first of the bytes that ends a word: a space, the NUL or another control character. */
static inline uint64_t ends(uint64_t v)
{
	return (v - ONES * 0x21) & ~v & HIGH;
}

/* What lies before that byte, and how many bytes it is. */
static inline uint64_t before(uint64_t v, uint64_t end, size_t *ret_len)
{
	unsigned bits = __builtin_ctzll(end) & ~7u;

	*ret_len = bits / 8;
	return v & ((1ull << bits) - 1);
}

/* A long word, or a control character, which is none but must not stop us. */
static int other_word(struct cb_tokens *t, const char *from, const char **text)
{
	const char *s = from;

	while ((unsigned char)*s > ' ')
		s++;
	*text = s == from ? s + 1 : s;
	return token_add(t, from, *text - from);
}

int cb_tokens_next(struct cb_tokens *t, const char **text)
{
	const char *s = *text;
	struct cb_token_slot *c;
	uint64_t a, b = 0, end;
	size_t len = 0;

	while (*s == ' ')
		s++;
	if (!*s)
		return -1;
	a = load(s);
	end = ends(a);
	if (end) {
		a = before(a, end, &len);
	} else {
		b = load(s + 8);
		end = ends(b);
		if (end)
			b = before(b, end, &len);
		len += 8;
	}
	if (!end || !len)
		return other_word(t, s, text);
	*text = s + len;
	c = &t->cache[((a ^ (b << 29 | b >> 35)) * 0x9e3779b97f4a7c15) >> (64 - CB_TOKEN_BITS)];
	if (c->a == a && c->b == b)
		return c->id;
	*c = (struct cb_token_slot){ a, b, token_add(t, s, len) };
	return c->id;
}
