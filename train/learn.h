/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows into a model.
 *
 * Values are counted as rows come. Sequences are kept (two bytes a call) until cb_learn_absorb(): then processes
 * are known from end to end, so that they, or the time blocks of those that live long, can be dealt out to the
 * five folds; the counts are made, and every fold is scored by the counts of the others.
 *
 * A second recording is learned on top of the first in the same way. The calls of the first are gone by then,
 * but its largest held-out windows are not: they are scored anew, by all counts but their own fold's. All
 * other maxima of its blocks stay as they were; more counts only make them smaller, so what comes of it errs
 * to the side of too few alarms.
 */
#ifndef CB_LEARN_H
#define CB_LEARN_H
#include "tokens.h"
#include "view.h"

#define CB_BATCH_CALLS (64 << 20) /* so many are absorbed by themselves, to bound the memory */

struct cb_learn;
struct cb_learn_stats {
	uint64_t rows, calls, lossy, unknown, entered, gaps, lost;
	uint64_t first, last; /* UTC ns */
};
/* lossy: learn from rows with event.lost > 0, too. */
struct cb_learn *cb_learn_new(struct cb_model *m, struct cb_names *names, bool lossy);
struct cb_learn *cb_learn_free(struct cb_learn *l); /* not the model */
void cb_learn_row(struct cb_learn *l, const struct cb_row *row);
void cb_learn_absorb(struct cb_learn *l); /* and thresholds */
/* -EINVAL if rows of a dataset lacked what should be learned of them. */
int cb_learn_missing(const struct cb_learn *l, struct cb_err *e);
const struct cb_learn_stats *cb_learn_stats(const struct cb_learn *l);
#endif
