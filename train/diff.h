/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CB_DIFF_H
#define CB_DIFF_H
#include "model.h"

/*
 * What two models know of the same subjects, a line each: "- " only a, "+ " only b, "~ " both, but otherwise. Returns
 * the number of lines.
 */
size_t cb_model_diff(struct cb_buf *out, const struct cb_model *a, const struct cb_model *b);
#endif
