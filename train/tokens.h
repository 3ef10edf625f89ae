/* SPDX-License-Identifier: GPL-2.0 */
/* The words of a sequence, fast: text -> number of the word here -> symbol of the model. */
#ifndef CB_TOKENS_H
#define CB_TOKENS_H
#include "model.h"

#define CB_TOKENS_MAX 65000 /* different words; all further ones are one */
#define CB_TOKEN_CACHE 4096

struct cb_token_slot {
	uint32_t hash;
	uint16_t len, id;
	const char *name;
};
struct cb_tokens {
	struct cb_strmap name;
	uint16_t *symbol; /* by word; 0: no symbol, to be skipped */
	size_t cap;
	struct cb_model *model;
	bool learn; /* new words become symbols while there is room */
	struct cb_token_slot cache[CB_TOKEN_CACHE];
};
struct cb_tokens *cb_tokens_new(struct cb_model *m, bool learn);
struct cb_tokens *cb_tokens_free(struct cb_tokens *t);
/* The next word of text, which is moved behind it; -1 at the end. */
int cb_tokens_next(struct cb_tokens *t, const char **text);
#endif
