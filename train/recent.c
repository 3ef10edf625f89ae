/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "cb.h"
#include "recent.h"

static void half_put(struct cb_recent_half *h, const char *key, size_t len, void *value)
{
	size_t i = cb_strmap_add(&h->map, key, len, NULL);

	if (i >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->value = cb_xrealloc(h->value, h->cap * sizeof(*h->value));
	}
	h->value[i] = value;
}

static void half_drop(struct cb_recent *r, struct cb_recent_half *h, bool count)
{
	size_t i;

	for (i = 0; i < h->map.n; i++) {
		if (!h->value[i]) /* moved to the other half */
			continue;
		r->dropped += count;
		if (r->drop)
			r->drop(h->value[i], r->arg);
		else
			free(h->value[i]);
	}
	cb_strmap_free(&h->map);
	free(h->value);
	*h = (struct cb_recent_half){ 0 };
}

void *cb_recent_get(struct cb_recent *r, const char *key, size_t len)
{
	int i = cb_strmap_find(&r->new.map, key, len);
	void *value;

	if (i >= 0)
		return r->new.value[i];
	i = cb_strmap_find(&r->old.map, key, len);
	value = i < 0 ? NULL : r->old.value[i];
	if (!value)
		return NULL;
	r->old.value[i] = NULL;
	cb_recent_put(r, key, len, value);
	return value;
}

void cb_recent_put(struct cb_recent *r, const char *key, size_t len, void *value)
{
	if (r->new.map.n >= r->max) {
		half_drop(r, &r->old, true);
		r->old = r->new;
		r->new = (struct cb_recent_half){ 0 };
	}
	half_put(&r->new, key, len, value);
}

void cb_recent_each(struct cb_recent *r, void (*fn)(void *value, void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < r->old.map.n; i++)
		if (r->old.value[i])
			fn(r->old.value[i], arg);
	for (i = 0; i < r->new.map.n; i++)
		fn(r->new.value[i], arg);
}

void cb_recent_free(struct cb_recent *r)
{
	half_drop(r, &r->old, false);
	half_drop(r, &r->new, false);
}
