/* SPDX-License-Identifier: GPL-2.0 */
/* A model in words, for ctrain and cmodel show. */
#ifndef CB_SUMMARY_H
#define CB_SUMMARY_H
#include "model.h"

void cb_summary(struct cb_buf *out, const struct cb_model *m);
/* Alarms a container-day that a subject's history can promise: the sum over all that judges it. */
double cb_promise(const struct cb_subject *s);
/* "10/day", "2/hour" or a number a day -> alarms a container-day. */
int cb_parse_budget(const char *text, double *ret, struct cb_err *e);
#endif
