/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "phrases.h"
#include "cb.h"
#include "hash.h"

/* What is told from what, by the first words: where a loop may go on in several ways, there are some of one key. */
#define SETS 1024
#define WAYS 4
#define KEY_BYTES 32
#define HISTORY ((1ull << 10 * CB_ORDER) - 1) /* no chain looks further back */

/* A look in vain, with the keeping of it, costs a third of what a find saves. */
#define LUCK_HIT 3
#define LUCK_MIN -32
#define LUCK_MAX 512
#define LUCK_REST 512

struct cb_phrases {
	uint32_t tag[SETS][WAYS];
	unsigned turn;
	struct cb_phrase phrase[SETS][WAYS];
	char text[SETS][WAYS][CB_PHRASE_TEXT];
};

struct cb_phrases *cb_phrases_new(void)
{
	return cb_xalloc(sizeof(struct cb_phrases));
}

struct cb_phrases *cb_phrases_free(struct cb_phrases *p)
{
	free(p);
	return NULL;
}

/* Never 0. */
static uint64_t key_of(const struct cb_chain *chain, const struct cb_history *h, const char *text)
{
	uint64_t v[KEY_BYTES / 8], k = (uintptr_t)chain ^ (h->hist & HISTORY) ^ cb_hash_seed();

	memcpy(v, text, sizeof(v));
	for (size_t i = 0; i < KEY_BYTES / 8; i++) {
		k = (k ^ v[i]) * 0x9e3779b97f4a7c15ull;
		k ^= k >> 29;
	}
	return k | 1ull << 32;
}

static inline bool is_same(const struct cb_phrase *p, const char *is, const struct cb_chain *chain,
			   const struct cb_history *h, const char *text, size_t left)
{
	return p->chain == chain && p->from.hist == (h->hist & HISTORY) && p->from.n == h->n && p->from.matched == h->matched &&
	       p->len <= left && !memcmp(is, text, p->len) && (unsigned char)text[p->len] <= ' ';
}

const struct cb_phrase *cb_phrases_find(struct cb_phrases *p, struct cb_phrase_luck *luck, const struct cb_chain *chain,
					const struct cb_history *h, const char *text, size_t left, uint64_t *key)
{
	unsigned set;

	*key = 0;
	if (left < KEY_BYTES)
		return NULL;
	if (luck->rest) {
		luck->rest--;
		return NULL;
	}
	*key = key_of(chain, h, text);
	set = *key % SETS;
	for (int i = 0; i < WAYS; i++) {
		if (p->tag[set][i] != *key >> 32 || !is_same(&p->phrase[set][i], p->text[set][i], chain, h, text, left))
			continue;
		luck->credit += luck->credit < LUCK_MAX ? LUCK_HIT : 0;
		return &p->phrase[set][i];
	}
	if (--luck->credit < LUCK_MIN)
		*luck = (struct cb_phrase_luck){ .rest = LUCK_REST };
	return NULL;
}

void cb_phrases_put(struct cb_phrases *p, uint64_t key, const struct cb_phrase *phrase, const char *text)
{
	unsigned set = key % SETS, way = p->turn++ % WAYS;
	struct cb_phrase *new = &p->phrase[set][way];

	if (!key || phrase->len > CB_PHRASE_TEXT)
		return;
	*new = *phrase;
	new->from.hist &= HISTORY;
	new->sum = 0;
	for (int i = 0; i < CB_PHRASE; i++)
		new->sum += new->cost[i];
	memcpy(p->text[set][way], text, new->len);
	p->tag[set][way] = key >> 32;
}
