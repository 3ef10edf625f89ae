/* SPDX-License-Identifier: GPL-2.0 */
/* A row as learning and judging see it: whose it is, and which of its values are learned. */
#ifndef CB_VIEW_H
#define CB_VIEW_H
#include "model.h"
#include "reader.h"

#define CB_APPEARS_NS 3000000000ULL /* a container seen so long after the first row starts then */

struct cb_view_field {
	int column; /* id of the row's value */
	int field;  /* of the model */
	enum cb_field_kind kind;
	uint64_t with; /* rows that had it */
};
/* How often rows of one action come. */
struct cb_view_count {
	char *action;
	int field; /* of the model, -1: not learned */
};
/* What one dataset means to the model; made once. */
struct cb_view_set {
	const struct cb_dataset *dataset;
	struct cb_view_field *field;
	size_t n;
	uint64_t rows;
	bool watched; /* rows of it came, if only its schema */
	bool calls; /* has a sequence */
	bool counts; /* a row is something that was done, so that how often counts */
	struct cb_view_count *count;
	size_t ncount;
	bool exec; /* cbtools.exec: ends and failures say nothing new */
	bool rules; /* there are written rules for it */
	int *other; /* columns that name another container */
	size_t nother;
};
struct cb_view {
	struct cb_names *names;
	struct cb_model *model;
	bool labelled; /* a row had the label that the model goes by */
	bool learn; /* fields new to the model are added */
	struct cb_view_set *set;
	size_t n;
	int kind, action, lost, count, host, cont_id, cont_name, image, image_id, label, pid, tid, creation, exec_id, exe, entered,
		init, vpid, parent, first, error, duration, flags;
	struct cb_buf key, value, shape; /* scratch of the current row */
};

struct cb_whose {
	const char *subject, *subject_name; /* key of the model and what to show */
	const char *cont;		    /* name, id or CB_HOST */
	const char *exe;		    /* "" when the row does not say */
	bool entered;
	uint64_t lost, count;
};

void cb_view_init(struct cb_view *v, struct cb_names *names, struct cb_model *m, bool learn);
void cb_view_done(struct cb_view *v);
struct cb_view_set *cb_view_set(struct cb_view *v, const struct cb_dataset *d);
/* Pointers live as long as the row. */
void cb_view_who(struct cb_view *v, const struct cb_row *row, struct cb_whose *ret);
/* Keys, valid until the next call: of the container, the process, the thread's stream. */
/* Where a container is known by its name only. */
const char *cb_view_place(struct cb_view *v, const struct cb_row *row, const char *cont);
/* Name of another container that the row tells of, NULL: none. */
const char *cb_view_other(const struct cb_view_set *s, const struct cb_row *row, const struct cb_whose *who);
const char *cb_view_cont_key(struct cb_view *v, const struct cb_row *row, const struct cb_whose *who);
const char *cb_view_process_key(struct cb_view *v, const struct cb_row *row);
const char *cb_view_stream_key(struct cb_view *v, const struct cb_row *row);
/* Value of a SET field at a level, NULL: none; valid until the next call. */
const char *cb_view_value(struct cb_view *v, const struct cb_row *row, const struct cb_whose *who,
			  const struct cb_view_field *f, int level);

bool cb_view_is_event(const struct cb_view *v, const struct cb_row *row);
/* Is it about the container's first process? Recordings of before process.first have only its number. */
bool cb_view_is_first(const struct cb_view *v, const struct cb_row *row);
/* -EINVAL if a dataset's rows never had a column that is learned of it. */
int cb_view_missing(const struct cb_view *v, struct cb_err *e);
/* Field of how often such rows come, -1: nobody wants to know. */
int cb_view_count_field(struct cb_view *v, struct cb_view_set *s, const struct cb_row *row);
/* A number of a RATE or LEVEL field; false: not measured. */
bool cb_view_amount(const struct cb_row *row, int column, double *ret);
uint64_t cb_view_number(const struct cb_row *row, int column, uint64_t absent);
#endif
