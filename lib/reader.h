/* SPDX-License-Identifier: GPL-2.0 */
/* Rows in: CSV and JSON Lines, plain or zstd, of any dataset, known to us or not. */
#ifndef CB_READER_H
#define CB_READER_H
#include "cb.h"

/* A dataset as its schema row, --schema file or our own table describes it. */
struct cb_col {
	char *name;
	enum cb_type type;
	enum cb_role role;
};
struct cb_dataset {
	char *name; /* "cbtools.exec" */
	unsigned version;
	struct cb_col *col;
	size_t ncol;
};

/*
 * One row. Values are texts in the form of field.h, NUL-terminated, valid until the next call on the
 * same reader. Column ids are per set of readers (struct cb_names) and never change, so that a caller
 * looks a name up once.
 */
struct cb_names; /* name <-> id, shared by all readers of a program */
struct cb_names *cb_names_new(void);
int cb_names_id(struct cb_names *n, const char *name); /* adds when new */
const char *cb_names_name(const struct cb_names *n, int id);
int cb_names_count(const struct cb_names *n);
void cb_names_free(struct cb_names *n);
/*
 * The dataset of that name: the last schema row or --schema file that came through any reader of these
 * names, else our own table, else NULL. Stays valid until cb_names_free(); a changed definition is a new
 * pointer.
 */
const struct cb_dataset *cb_names_dataset(struct cb_names *n, const char *name);
/* Names and rows are chosen by others, so that both have an end. */
#define CB_MAX_COLUMNS 4096
#define CB_MAX_ROW (1 << 20) /* bytes of a line */

struct cb_row {
	const char **val;  /* by column id; NULL: not in this row, or empty (JSON leaves out what CSV leaves empty) */
	size_t *len;
	int ncol;	   /* ids below this are valid */
	const int *present; /* ids in this row, in its order */
	int npresent;
	const char *file;  /* where it stood, for messages; lives as long as the reader or inputs */
	unsigned long line;
	const struct cb_dataset *dataset; /* NULL when the row names none we know */
	uint64_t time;	   /* "@timestamp" as UTC ns, 0 if absent */
};

/* The text of a column, NULL when the row has none. Ids given out after the row was read are fine. */
static inline const char *cb_row_get(const struct cb_row *row, int id)
{
	return id < row->ncol ? row->val[id] : NULL;
}

struct cb_reader;
/* path "-": stdin. The format is found by looking: '{' JSON, zstd magic, else a CSV header. */
int cb_reader_open(struct cb_reader **ret, struct cb_names *names, const char *path, struct cb_err *e);
/*
 * 1: a row, 0: end, -EAGAIN: a pipe has no whole row now (only after cb_reader_nonblock) or a signal came,
 * -EINVAL: a bad row, reported in e as FILE:LINE, skipped: call again; other: the input itself failed
 * (-ENODATA: a zstd frame is cut, all rows before the cut were returned), then 0. A last line without
 * newline is a cut row (-EINVAL), unless it is complete JSON. e is cleared first.
 */
int cb_reader_next(struct cb_reader *r, struct cb_row *ret, struct cb_err *e);
int cb_reader_fd(const struct cb_reader *r);
void cb_reader_nonblock(struct cb_reader *r);
bool cb_reader_ended(const struct cb_reader *r); /* an end row came: the stream is whole */
const struct cb_dataset *cb_reader_dataset(struct cb_reader *r, const char *name); /* known so far, else NULL */
int cb_reader_schema_file(struct cb_names *names, const char *path, struct cb_err *e); /* --schema FILE: JSON schema rows */
void cb_reader_free(struct cb_reader *r);

/* Row -> typed event for -r and round trips. rec: room for schema->size; strings of ev->c borrow the row's
 * or the names', until the next row or call. Unknown columns are ignored, missing ones stay zero. */
int cb_event_from_row(const struct cb_schema *s, struct cb_names *names, const struct cb_row *row, void *rec,
		      struct cb_event *ev, struct cb_err *e);

/*
 * Several inputs as one: files, folders (every file in them that is a recording, by name), FIFOs, "-".
 * Files are merged by @timestamp (ties: order given), so that the same recordings give the same order
 * every time; pipes are taken as rows arrive. Mixed: files first.
 */
struct cb_inputs;
/* n 0: "-". A file is opened when its first row's time comes, so that a folder may hold any number. */
int cb_inputs_open(struct cb_inputs **ret, struct cb_names *names, char *const *paths, int n, struct cb_err *e);
/* As cb_reader_next(); waits up to timeout_ms for pipes (-1: for ever), -EAGAIN when it passed or a signal
 * came. An input that failed is given up, the others go on. The row stays valid until the next call. */
int cb_inputs_next(struct cb_inputs *in, struct cb_row *ret, int timeout_ms, struct cb_err *e);
bool cb_inputs_live(const struct cb_inputs *in); /* some input is a pipe */
int cb_inputs_cut(const struct cb_inputs *in);	 /* how many ended without an end row */
void cb_inputs_free(struct cb_inputs *in);

/* What cb_inputs_open() would read: folders replaced by their recordings (.jsonl .json .csv, also .zst; one
 * level of folders below; by name, numbers by value). -ENOENT when a folder holds none. */
int cb_sources_list(char *const *paths, int n, char ***ret, int *nret, struct cb_err *e);
void cb_sources_free(char **list, int n);
/* 128 bits of the content (of a .zst what is in it, so that compressing a recording does not make it new).
 * Tells whether a source was learned already; no defence against somebody who makes two alike on purpose. */
int cb_source_hash(const char *path, char hex[33], struct cb_err *e);
#endif
