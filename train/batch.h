/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was learned, by batch (a run of ctrain): taken out of a model, or put into another. Counts, values, days and
 * maxima of rates add up exactly. Held-out windows are scored anew by the counts there are then, as far as they are
 * kept (the 64 largest of a program and batch); the maxima of all other blocks keep the scores of their model.
 */
#ifndef CB_BATCH_H
#define CB_BATCH_H
#include "model.h"

/*
 * The batches of all models but those whose sources an earlier one has already. out must not be there yet.
 * said: what was left out, lines.
 */
int cb_model_merge(const char *out, char *const *path, int n, struct cb_buf *said, struct cb_err *e);
/* The batches with a source of this path or content (NULL: not by it). said: what went with it. -ENOENT: none. */
int cb_model_forget_source(const char *model, const char *path, const char *hash, struct cb_buf *said, struct cb_err *e);
/* All subjects whose key or name fits the pattern of the shell. said: which. -ENOENT: none. */
int cb_model_forget_subject(const char *model, const char *pattern, struct cb_buf *said, struct cb_err *e);
/* What a model was learned from, a line each. */
int cb_model_sources(const char *model, struct cb_buf *said, struct cb_err *e);
#endif
