/* SPDX-License-Identifier: GPL-2.0 */
/* Who talked to whom, added up, as a table and as a picture. */
#ifndef CB_MATRIX_H
#define CB_MATRIX_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "cb.h"

/* What one side saw. When both are watched each tells of the same meeting: it is counted once, as from saw it. */
struct cb_meeting {
	const char *from, *to, *transport;
	uint16_t port;	  /* 0: none, or one of many */
	bool seen_by_to;
	uint64_t contacts, failures;
	uint64_t sent, received; /* bytes, as from sees it */
};

struct cb_matrix;
struct cb_matrix *cb_matrix_new(void);
void cb_matrix_free(struct cb_matrix *m);
void cb_matrix_add(struct cb_matrix *m, const struct cb_meeting *what);
void cb_matrix_print(struct cb_matrix *m, FILE *to);
bool cb_matrix_can(const char *file); /* by the name's ending */
/* Through gnuplot: a field of colours, lines are from, columns to. */
int cb_matrix_draw(struct cb_matrix *m, const char *file, struct cb_err *e);
#endif
