/* SPDX-License-Identifier: GPL-2.0 */
/* What writer.c and write_{table,csv,json}.c know of each other; nobody else includes it. */
#ifndef CB_WRITER_IMPL_H
#define CB_WRITER_IMPL_H
#include "buf.h"
#include "field.h"
#include "writer.h"

/* Which texts are cut first when a row is too long. */
enum cb_cut { CB_CUT_NEVER, CB_CUT_LAST, CB_CUT_FIRST, CB_NCUTS };

struct cb_column {
	const struct cb_field *f;
	bool common;
	enum cb_cut cut;
	char *key; /* JSON: ,"process.pid": */
	size_t key_len;
	int width;  /* table */
	bool right; /* table: a number */
};

struct cb_writer;
struct cb_format_ops {
	void (*row)(struct cb_writer *w, const struct cb_event *ev); /* builds w->row, with its newline */
	void (*head)(struct cb_writer *w); /* the same of the heading; NULL: the format has none */
};

struct cb_writer {
	enum cb_format format;
	const struct cb_format_ops *ops;
	struct cb_out *out;
	const struct cb_schema *schema;
	char *dataset;
	struct cb_column *col;
	size_t ncol;
	bool headed;		/* heading was written */
	struct cb_buf row, cell; /* the row being made; a cell that must be changed before it goes there */
	size_t cap[CB_NCUTS];	/* bytes of a text, by cb_column.cut */
	uint64_t local_sec;	/* table: the second for which local holds */
	char local[16];
};

extern const struct cb_format_ops cb_table_ops, cb_csv_ops, cb_json_ops;

struct cb_fields {
	const struct cb_field **f;
	size_t n;
};

/* Appends a column's text, nothing when the row has none. */
void cb_writer_cell(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev, struct cb_buf *out);
/* JSON: appends version and columns to a row that is otherwise made. */
void cb_json_schema(struct cb_writer *w);
#endif
