/* SPDX-License-Identifier: GPL-2.0 */
/* The words of a sequence, fast: text -> number of the word here -> symbol of the model. */
#ifndef CB_TOKENS_H
#define CB_TOKENS_H
#include "model.h"

#define CB_TOKENS_MAX 65000 /* different words; all further ones are one */
#define CB_TOKEN_BITS 11 /* of the number of a slot */

/* A word of up to 15 bytes, as nearly all names of calls are. */
struct cb_token_slot {
	uint64_t a, b; /* the word itself, NULs behind it; all zero: empty */
	uint16_t id;
};
struct cb_tokens {
	struct cb_strmap name;
	uint16_t *symbol; /* by word; 0: no symbol, to be skipped */
	size_t cap;
	struct cb_model *model;
	bool learn; /* new words become symbols while there is room */
	struct cb_token_slot cache[1 << CB_TOKEN_BITS];
};
struct cb_tokens *cb_tokens_new(struct cb_model *m, bool learn);
struct cb_tokens *cb_tokens_free(struct cb_tokens *t);
/*
 * The next word of text, which is moved behind it; -1 at the end. Up to 7 bytes behind the text's NUL are looked at, as
 * those of a row may be.
 */
int cb_tokens_next(struct cb_tokens *t, const char **text);
#endif
