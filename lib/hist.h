/* SPDX-License-Identifier: GPL-2.0 */
/* Times in buckets: 16 to each power of two, so that a quantile is right to 1/16. */
#ifndef CB_HIST_H
#define CB_HIST_H
#include "cb.h"

#define CB_HIST_BUCKETS (60 * 16)

struct cb_hist {
	uint64_t n, sum; /* values and their sum, ns */
	uint32_t bucket[CB_HIST_BUCKETS];
};

void cb_hist_add(struct cb_hist *h, uint64_t ns);
uint64_t cb_hist_mean(const struct cb_hist *h);		   /* CB_UNKNOWN without values */
uint64_t cb_hist_quantile(const struct cb_hist *h, double q); /* lower end of its bucket; CB_UNKNOWN without values */
/* "LOWER:COUNT ..." for each power of two that has any; whole pairs that fit into room */
void cb_hist_text(const struct cb_hist *h, char *to, size_t room);
#endif
