/* SPDX-License-Identifier: GPL-2.0 */
/* Sequences kept until they are counted; see learn.h. */
#ifndef CB_ABSORB_H
#define CB_ABSORB_H
#include "model.h"

struct cb_segment { /* a row */
	uint32_t program, stream, process;
	uint32_t at, n; /* in calls */
	int16_t field;
	bool joined; /* goes on where the stream's last segment ended */
	uint32_t unit;
	uint64_t time;
};
struct cb_bprogram {
	struct cb_subject *subject;
	struct cb_program *program;
};
struct cb_bprocess {
	uint32_t program;
	bool started, counted; /* its first call was seen; has an ordinal */
	uint32_t ordinal; /* in its program, over all batches */
	uint32_t base;	  /* its first unit */
	uint64_t first, last;
};
struct cb_batch {
	struct cb_bprogram *program;
	size_t nprogram;
	struct cb_bprocess *process;
	size_t nprocess;
	struct cb_segment *seg;
	size_t nseg, seg_cap;
	uint16_t *calls;
	size_t ncalls, cap;
};
uint32_t cb_batch_program(struct cb_batch *b, struct cb_subject *s, struct cb_program *p);
void cb_batch_process(struct cb_batch *b, uint32_t process, uint32_t program, bool started);
void cb_batch_segment(struct cb_batch *b, uint32_t stream, uint32_t process, uint32_t program, int field,
		      uint64_t time, bool joined);
static inline void cb_batch_call(struct cb_batch *b, unsigned symbol)
{
	if (b->ncalls == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 65536;
		b->calls = cb_xrealloc(b->calls, b->cap * sizeof(*b->calls));
	}
	b->calls[b->ncalls++] = symbol;
	b->seg[b->nseg - 1].n++;
}
/* Counts everything, scores the folds, empties the batch. */
void cb_batch_absorb(struct cb_batch *b, struct cb_model *m);
void cb_batch_free(struct cb_batch *b);
#endif
