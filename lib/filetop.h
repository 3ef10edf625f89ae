/* SPDX-License-Identifier: GPL-2.0 */
/* The files used most in an interval, as a picture on a terminal. */
#ifndef CB_FILETOP_H
#define CB_FILETOP_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "cb.h"

enum cb_filetop_order { CB_FILETOP_BYTES, CB_FILETOP_CALLS, CB_FILETOP_OPENS, CB_FILETOP_NORDERS };
extern const char *const cb_filetop_orders[CB_FILETOP_NORDERS]; /* "bytes", "calls", "opens" */

/* A line for each file of a container, from the rows of one interval, be they live or replayed. */
struct cb_filetop;
struct cb_filetop *cb_filetop_new(void); /* by bytes */
void cb_filetop_free(struct cb_filetop *t);
void cb_filetop_set_order(struct cb_filetop *t, enum cb_filetop_order by);
void cb_filetop_next_order(struct cb_filetop *t);
/* ev: a row of a file. With the first of another interval, known by its end, the picture begins anew. */
void cb_filetop_add(struct cb_filetop *t, const struct cb_event *ev);
void cb_filetop_clear(struct cb_filetop *t);
/* The most first, as many as the terminal has room for. -errno: out could not be written. */
int cb_filetop_draw(const struct cb_filetop *t, bool paused, FILE *out);
#endif
