/* SPDX-License-Identifier: GPL-2.0 */
#include <stdio.h>
#include "hist.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned exp;

	if (ns < 16)
		return ns;
	exp = 63 - __builtin_clzll(ns);
	return (exp - 3) * 16 + ((ns >> (exp - 4)) & 15);
}

static uint64_t lower_end(unsigned bucket)
{
	unsigned exp = bucket / 16 + 3;

	return bucket < 16 ? bucket : (16ULL + bucket % 16) << (exp - 4);
}

void cb_hist_add(struct cb_hist *h, uint64_t ns)
{
	unsigned b = bucket_of(ns);

	h->n++;
	h->sum += ns;
	h->bucket[b < CB_HIST_BUCKETS ? b : CB_HIST_BUCKETS - 1]++;
}

uint64_t cb_hist_mean(const struct cb_hist *h)
{
	return h->n ? h->sum / h->n : CB_UNKNOWN;
}

uint64_t cb_hist_quantile(const struct cb_hist *h, double q)
{
	double want = q * h->n;
	uint64_t below = 0;

	for (unsigned b = 0; h->n && b < CB_HIST_BUCKETS; b++) {
		below += h->bucket[b];
		if (h->bucket[b] && below >= want)
			return lower_end(b);
	}
	return CB_UNKNOWN;
}

/* The first sixteen buckets are single nanoseconds: 0, 1, 2-3, 4-7, 8-15 are their powers of two. */
static unsigned power_begins(unsigned power)
{
	return power < 4 ? (power ? 1u << power : 0) : (power - 3) * 16;
}

void cb_hist_text(const struct cb_hist *h, char *to, size_t room)
{
	size_t at = 0;

	to[0] = '\0';
	for (unsigned p = 0; power_begins(p) < CB_HIST_BUCKETS; p++) {
		uint64_t n = 0;
		int len;

		for (unsigned b = power_begins(p); b < power_begins(p + 1) && b < CB_HIST_BUCKETS; b++)
			n += h->bucket[b];
		if (!n)
			continue;
		len = snprintf(to + at, room - at, "%s%llu:%llu", at ? " " : "",
			       (unsigned long long)(p ? 1ULL << p : 0), (unsigned long long)n);
		if (len < 0 || (size_t)len >= room - at) {
			to[at] = '\0';
			return;
		}
		at += len;
	}
}
