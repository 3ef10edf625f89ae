/* SPDX-License-Identifier: GPL-2.0 */
/* Rows against a model. Everything follows from the rows alone: the same rows, the same alarms. */
#ifndef CB_JUDGE_H
#define CB_JUDGE_H
#include "alarm_out.h"
#include "tokens.h"
#include "view.h"

struct cb_judge;
struct cb_judge_stats {
	uint64_t rows, calls, unknown, lost, streams_dropped;
	uint64_t last; /* UTC ns of the input */
};
/* Surprise of one process, from its first row to its last; in order of first rows. */
struct cb_process_score {
	uint64_t calls, judged_calls, cost;
	uint32_t max[CB_SCALES]; /* sums */
	const struct cb_program *program; /* NULL: no baseline */
	struct cb_common c;
	char *text[8];
};

/* say (may be NULL) takes what a user should know once: one line without newline. */
struct cb_judge *cb_judge_new(struct cb_model *m, struct cb_names *names, struct cb_alarms *a, bool scores,
			      void (*say)(void *arg, const char *text), void *arg);
struct cb_judge *cb_judge_free(struct cb_judge *j);
int cb_judge_row(struct cb_judge *j, const struct cb_row *row, struct cb_err *e);
int cb_judge_missing(const struct cb_judge *j, struct cb_err *e); /* as cb_learn_missing() */
void cb_judge_end(struct cb_judge *j);
const struct cb_judge_stats *cb_judge_stats(const struct cb_judge *j);
size_t cb_judge_processes(const struct cb_judge *j, const struct cb_process_score **ret); /* with scores only */
#endif
