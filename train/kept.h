/* SPDX-License-Identifier: GPL-2.0 */
/* The common part of a row, to outlive it. */
#ifndef CB_KEPT_H
#define CB_KEPT_H
#include "cb.h"

struct cb_kept {
	struct cb_common c; /* its texts are those below, or constant */
	char *text[16];
	int n;
};
/* Copies c and its texts; what k held is freed. */
void cb_kept_set(struct cb_kept *k, const struct cb_common *c);
void cb_kept_free(struct cb_kept *k);
#endif
