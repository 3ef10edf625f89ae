/* SPDX-License-Identifier: GPL-2.0 */
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

int cb_tokens_next(struct cb_tokens *t, const char **text)
{
	const unsigned char *s = (const unsigned char *)*text, *from;
	struct cb_token_slot *c;
	uint32_t hash = 0;
	size_t len;

	while (*s == ' ')
		s++;
	if (!*s)
		return -1;
	for (from = s; *s > ' '; s++)
		hash = hash * 33 + *s;
	if (s == from) /* a control character: no word, nothing to stop at */
		s++;
	len = s - from;
	*text = (const char *)s;
	hash ^= hash >> 15;
	c = &t->cache[hash & (CB_TOKEN_CACHE - 1)];
	if (c->name && c->hash == hash && c->len == len && !memcmp(c->name, from, len))
		return c->id;
	c->id = token_add(t, (const char *)from, len);
	c->name = t->name.key[c->id];
	c->len = t->name.len[c->id];
	c->hash = hash;
	return c->id;
}
