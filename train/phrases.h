/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that were judged before: a server repeats itself, so most of its calls stand in the same text after the same
 * history as earlier ones, and cost the same. Kept are eight calls at a time, by all that their costs depend on.
 */
#ifndef CB_PHRASES_H
#define CB_PHRASES_H
#include "chain.h"

#define CB_PHRASE 8
#define CB_PHRASE_TEXT 120 /* bytes; eight calls of longer names are not kept */

struct cb_phrase {
	const struct cb_chain *chain; /* NULL: empty */
	struct cb_history from, to;   /* before, after */
	uint16_t word[CB_PHRASE];     /* of the tokens */
	uint8_t cost[CB_PHRASE];      /* as windows take it */
	uint16_t sum;		      /* of cost */
	size_t len;		      /* of its text, up to the end of the last word */
};

struct cb_phrases;
struct cb_phrases *cb_phrases_new(void);
struct cb_phrases *cb_phrases_free(struct cb_phrases *p);

/* One stream's: who never repeats himself is not looked for, but for now and then. Zeroed at the start. */
struct cb_phrase_luck {
	int16_t credit;
	uint16_t rest; /* phrases until the next look */
};
/*
 * What text, of which left bytes are left, begins with, NULL: not kept. key: for cb_phrases_put() of what was not found, 0:
 * not to be kept either.
 */
const struct cb_phrase *cb_phrases_find(struct cb_phrases *p, struct cb_phrase_luck *luck, const struct cb_chain *chain,
					const struct cb_history *h, const char *text, size_t left, uint64_t *key);
/* Keeps a copy in place of another, with the sum of its costs; nothing if its text is too long. */
void cb_phrases_put(struct cb_phrases *p, uint64_t key, const struct cb_phrase *phrase, const char *text);
#endif
