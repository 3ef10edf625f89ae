/* SPDX-License-Identifier: GPL-2.0 */
/* Words for what was found. */
#ifndef CB_EXPLAIN_H
#define CB_EXPLAIN_H
#include "alarm_out.h"
#include "tokens.h"

/* The last calls of a thread with their costs; ring as in struct cb_windows. */
struct cb_recall {
	uint16_t word[CB_WINDOW];
	struct cb_windows w;
};
/* A window whose mean is too large. value: the most surprising place, for the signature; scratch of the caller. */
void cb_explain_window(struct cb_finding *f, struct cb_buf *value, const struct cb_model *m, const struct cb_program *p,
		       const struct cb_tokens *t, const struct cb_recall *r, int scale);
/* "instead of X: a 71 %, b 20 %": what the newest call came in place of. */
void cb_explain_instead(struct cb_buf *out, const struct cb_model *m, const struct cb_program *p,
			const struct cb_tokens *t, const struct cb_recall *r);
/* The last calls, newest at the end, the newest marked. */
void cb_explain_calls(struct cb_buf *out, const struct cb_tokens *t, const struct cb_recall *r);
/* "a (n), b (n)": the most common values of a level that begin with prefix, without it. */
void cb_explain_common(struct cb_buf *out, const struct cb_items *i, const char *prefix);
#endif
