/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much: counts in an interval (role RATE, by the second) and values at its end (role LEVEL).
 *
 * Of a container, all its programs together, and of each program that rows name, the largest value of every block
 * of 10 s is kept. Values count on a log scale, and those below a floor are all the same: from nothing to little is
 * no change. The threshold is the largest block and a margin, which shrinks as the history grows.
 */
#ifndef CB_RATE_H
#define CB_RATE_H
#include "items.h"

#define CB_SPANS 2	/* RATE: over 1 s and 4 s; LEVEL: the value, and how much it grew in a minute */
#define CB_RATE_TOP 8	/* blocks whose maxima are kept exactly */
#define CB_RATE_BINS 256 /* all others, by quarters of a power of two */
#define CB_RATE_GROUPS 12
#define CB_RATE_MARKS 6

struct cb_threshold;
struct cb_buf;

/* Block maxima. */
struct cb_maxima {
	double top[CB_RATE_TOP]; /* largest first */
	uint32_t ntop, blocks;
	uint32_t hist[CB_RATE_BINS];
};
void cb_maxima_put(struct cb_maxima *m, double v);
void cb_maxima_add(struct cb_maxima *m, const struct cb_maxima *other);

struct cb_threshold {
	bool scored;
	double score;	/* alarm from here on; of a window: mean cost; of a rate: the value itself */
	double per_day; /* what the history can carry, alarms a container-day */
	double top, scale; /* of the held-out tail: largest and e-fold; turns a score into a probability */
	uint32_t blocks; /* effective N */
	uint32_t aside; /* blocks learned, but not thresholded by: what happens once */
	int level;	/* of a SET field */
};

/* One program of a subject, or all of them together. */
struct cb_rate {
	struct cb_maxima span[CB_SPANS];
	double start[CB_SPANS]; /* largest while a container started */
	uint32_t starts;	/* blocks of starts */
	struct cb_maxima span_add[CB_SPANS]; /* of all these: in this run */
	double start_add[CB_SPANS];
	uint32_t starts_add;
	double floor;
	struct cb_threshold t[CB_SPANS];
};
void cb_rate_put(struct cb_rate *r, int span, double v);	/* largest of a block */
void cb_rate_put_start(struct cb_rate *r, const double v[CB_SPANS]); /* of a block while a container started */
/* blocks: of time watched; those without a value had none. budget: alarms a container-day for both spans. */
void cb_rate_threshold(struct cb_rate *r, const char *field, uint32_t blocks, double budget, double days);
/* From where on a value of a container that starts just now is an alarm; 0: never. */
double cb_rate_start_limit(const struct cb_rate *r, int span);
/* -log10 of the probability of such a value in a block of normal time. */
double cb_rate_score(const struct cb_rate *r, int span, double v);

/* The last rows of one field: of a container, or of one program in it. Zeroed: none. */
struct cb_track {
	struct {
		uint64_t time, length; /* rows with about the same time are one group */
		double sum;
	} group[CB_RATE_GROUPS];
	int ngroup;
	double mark[CB_RATE_MARKS];
	uint64_t marked;
	int nmark;
	double value[CB_SPANS];
	bool known[CB_SPANS];
};
/* length: of the interval in ns, 0: none. */
void cb_track_put(struct cb_track *t, bool level, uint64_t time, uint64_t length, double v);

const char *cb_rate_name(bool level, int span); /* of the detector */
/* A value with its unit: "1.6 CPUs", "12 MB/s". */
void cb_rate_text(struct cb_buf *out, const char *field, bool level, double v);
/* "up to N": what is allowed when such a value is, at least twice what it takes to be one. */
void cb_rate_bucket(struct cb_buf *out, const struct cb_rate *r, double v);
#endif
