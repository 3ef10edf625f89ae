/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Values seen or not: programs, arguments, paths, peers, users, and the calls a program makes.
 * A value is generalised to a shape first; each is kept at several levels of detail, finest first.
 */
#ifndef CB_ITEMS_H
#define CB_ITEMS_H
#include "cb.h"
#include "strmap.h"

/* What a buffer holds, as a string. */
static inline const char *cb_text(const struct cb_buf *b)
{
	return b->len ? b->s : "";
}

#define CB_LEVELS 3
#define CB_ITEMS_MAX 4096 /* values of one field and level of one subject; more are counted as dropped */
#define CB_SHAPE_MAX 240

/*
 * Shape of a value: a run of digits is "#", 8 or more hex digits with a digit among them (or a UUID) "*", a
 * random ending (letters of both cases or letters and digits mixed, after . - or _) "?". Appends.
 */
void cb_shape_text(struct cb_buf *out, const char *s, size_t len);
/*
 * Shape of a CB_ARGV text without its values: options by name, paths as cb_shape_text(), numbers "#", other
 * words "word", and of a word with spaces (a script) the commands it names: "text(curl,sh)".
 */
void cb_shape_args(struct cb_buf *out, const char *s, size_t len);

struct cb_item {
	uint64_t n, n_add;
	uint32_t units, units_add;
	uint32_t owner, block; /* where the last unit began */
	bool start, start_add; /* its first unit was the start of its owner */
	bool fresh;	       /* not yet seen in this run: whatever unit comes is a new one */
	uint64_t first, last;  /* UTC ns */
	uint64_t first_add, last_add;
};
struct cb_items {
	struct cb_strmap map;
	struct cb_item *item; /* by number in map */
	size_t cap;
	uint64_t dropped, dropped_add; /* the second: in this run */
	/* by cb_items_novel(): */
	uint32_t novel;
};
/* A value seen in a unit (a time block of an owner: a container or a process). */
void cb_items_see(struct cb_items *t, const char *s, size_t len, uint64_t n, uint32_t owner, uint32_t block,
		  bool start, uint64_t time);
/*
 * How many values one unit alone had: what a model without that unit would have called new (leave one out).
 * Values of a start count only if starts are common enough to be judged by each other.
 */
uint32_t cb_items_novel(struct cb_items *t, bool count_starts);
/* Numbers of the up to max most common values that begin with prefix; returns how many. */
size_t cb_items_common(const struct cb_items *t, const char *prefix, size_t max, uint32_t *ret);
void cb_items_free(struct cb_items *t);
#endif
