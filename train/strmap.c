/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "cb.h"
#include "hash.h"
#include "strmap.h"

static void grow(struct cb_strmap *m)
{
	size_t n = m->nslot ? m->nslot * 2 : 16, i, at;

	free(m->slot);
	m->slot = cb_xalloc(n * sizeof(*m->slot));
	m->nslot = n;
	for (i = 0; i < m->n; i++) {
		for (at = m->hash[i] & (n - 1); m->slot[at]; at = (at + 1) & (n - 1))
			;
		m->slot[at] = i + 1;
	}
}

static int find(const struct cb_strmap *m, const char *s, size_t len, uint32_t hash, size_t *ret_at)
{
	size_t at;
	uint32_t i;

	for (at = hash & (m->nslot - 1); (i = m->slot[at]); at = (at + 1) & (m->nslot - 1)) {
		i--;
		if (m->hash[i] == hash && m->len[i] == len && !memcmp(m->key[i], s, len))
			return i;
	}
	*ret_at = at;
	return -1;
}

int cb_strmap_find(const struct cb_strmap *m, const char *s, size_t len)
{
	size_t at;

	return m->n ? find(m, s, len, cb_hash_bytes(s, len), &at) : -1;
}

int cb_strmap_add(struct cb_strmap *m, const char *s, size_t len, bool *ret_new)
{
	uint32_t hash = cb_hash_bytes(s, len);
	size_t at = 0;
	int i;

	if (2 * (m->n + 1) > m->nslot)
		grow(m);
	i = find(m, s, len, hash, &at);
	if (ret_new)
		*ret_new = i < 0;
	if (i >= 0)
		return i;
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 8;
		m->key = cb_xrealloc(m->key, m->cap * sizeof(*m->key));
		m->len = cb_xrealloc(m->len, m->cap * sizeof(*m->len));
		m->hash = cb_xrealloc(m->hash, m->cap * sizeof(*m->hash));
	}
	m->key[m->n] = cb_xalloc(len + 1);
	memcpy(m->key[m->n], s, len);
	m->len[m->n] = len;
	m->hash[m->n] = hash;
	m->slot[at] = m->n + 1;
	return m->n++;
}

void cb_strmap_free(struct cb_strmap *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		free(m->key[i]);
	free(m->key);
	free(m->len);
	free(m->hash);
	free(m->slot);
	memset(m, 0, sizeof(*m));
}
