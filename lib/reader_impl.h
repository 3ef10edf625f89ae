/* SPDX-License-Identifier: GPL-2.0 */
/* What reader.c, read_json.c, read_csv.c, dataset.c and input.c know of each other; nobody else includes it. */
#ifndef CB_READER_IMPL_H
#define CB_READER_IMPL_H
#include <csv.h>
#include <zstd.h>
#include "field.h"
#include "reader.h"

/* Columns that the reader itself looks at: cb_names_new() gives them these ids. */
enum { CB_ID_TIME, CB_ID_DATASET, CB_ID_KIND, CB_ID_VERSION, CB_ID_FIELDS };

#define CB_MAX_NAME 256	   /* of a column */
#define CB_MAX_DEPTH 32	   /* of nested JSON */

/* Texts of one row that cannot stay where they were read; their addresses do not change. */
struct cb_block {
	struct cb_block *next;
	size_t cap;
	char s[];
};

enum cb_input_format { CB_IN_UNKNOWN, CB_IN_JSON, CB_IN_CSV };

struct cb_cell {
	char *s;
	size_t len;
};

struct cb_csv {
	struct csv_parser parser;
	bool ready;	     /* parser was initialised */
	bool single;	     /* the last row was bad: no newline inside quotes until a good one */
	struct cb_cell *cell; /* of the row at hand */
	size_t ncell, cap;
	int *id;	     /* of the header, by position */
	size_t ncol;
};

struct cb_reader {
	struct cb_names *names;
	char *path;
	int fd;
	bool regular, nonblock;
	bool eof;  /* the descriptor has no more */
	bool head; /* plain or zstd is decided */

	ZSTD_DStream *zstd;
	char *zbuf;
	size_t zpos, zlen;
	bool zopen; /* inside a frame */
	bool zmore; /* the decoder may hold more text without reading more */

	/* text: a row is taken apart where it lies, so buf moves only between rows */
	char *buf;
	size_t start, scan, len, cap; /* first byte not yet used, first not yet searched for a newline, end */
	unsigned long line;	      /* number of the line that ended before start */
	unsigned long row_line;	      /* of the row at hand */
	bool skipping;		      /* inside a line that is too long */
	bool cr;		      /* the line taken last ended in CR LF */
	bool lost_format;	      /* the first line was neither JSON nor CSV, and this was said */
	enum cb_input_format format;

	/* the row at hand */
	const char **val;
	size_t *vlen;
	int ncol; /* room in val and vlen */
	int *present;
	int npresent, present_cap;
	struct cb_block *first, *block;
	size_t used; /* of block */
	struct cb_buf tmp, word, words, prefix; /* of the JSON parser */

	int *order; /* ids of the last JSON row by position: keys come in the same order, mostly */
	int norder, order_cap;
	struct cb_csv csv;

	char *ds_name; /* dataset of the last row that had one */
	const struct cb_dataset *ds;
	unsigned ds_gen;
	const struct cb_dataset **open; /* datasets with rows after their last end row */
	int nopen, open_cap;
	bool ended;
};

/* reader.c */
/* FILE:LINE: expected WHAT, got "TEXT"; returns -EINVAL. len 0: the end of the row. */
int cb_reader_bad(struct cb_reader *r, struct cb_err *e, const char *got, size_t len, const char *what, ...)
	__attribute__((format(printf, 5, 6)));
char *cb_reader_keep(struct cb_reader *r, const char *s, size_t len); /* copy with NUL, for this row */
/* Text as others wrote it -> the text form of field.h; the identity on what is in that form already. */
void cb_reader_normalise(struct cb_buf *out, const char *s, size_t len);
void cb_reader_set(struct cb_reader *r, int id, const char *s, size_t len);
/* Column id, -EINVAL with text when the name or their number is too long. */
int cb_reader_column(struct cb_reader *r, const char *name, size_t len, struct cb_err *e);
/* Index of the first byte that is not printable ASCII, or is a quote or a backslash; len: none. May look at
 * 15 bytes beyond len. */
size_t cb_plain(const char *s, size_t len);
/* The row at hand goes on in the next line: 1 and the longer row, 0: there is no next line, -EINVAL: it would
 * be too long, -EAGAIN: the row is put back; other errors as cb_reader_next(). */
int cb_reader_more(struct cb_reader *r, char **s, size_t *len, struct cb_err *e);
void cb_reader_only_first(struct cb_reader *r, char **s, size_t *len); /* after 0 or -EINVAL: the row is its first line */
bool cb_reader_ready(const struct cb_reader *r); /* a row may be had without waiting for the descriptor */
int cb_reader_fill(struct cb_reader *r, struct cb_err *e); /* > 0, 0: end, -EAGAIN, error */

/* read_json.c, read_csv.c: 1: a row, 0: a line that is none (header), -EINVAL. s is NUL-terminated. */
int cb_json_read(struct cb_reader *r, char *s, size_t len, struct cb_err *e);
int cb_csv_read(struct cb_reader *r, char *s, size_t len, struct cb_err *e);
bool cb_csv_header(struct cb_reader *r, const char *s, size_t len, bool ours); /* looks like one? */
void cb_csv_free(struct cb_csv *c);

/* dataset.c */
int cb_names_find(const struct cb_names *n, const char *name, size_t len); /* -1: not there */
int cb_names_add(struct cb_names *n, const char *name, size_t len);
size_t cb_names_len(const struct cb_names *n, int id);
unsigned cb_names_generation(const struct cb_names *n); /* counts definitions of datasets */
/* Learns a dataset from the JSON text of schema.fields. -EINVAL, text without FILE:LINE. */
int cb_names_learn(struct cb_names *n, const char *name, const char *version, const char *fields, size_t len,
		   struct cb_err *e);
struct cb_buf *cb_names_scratch(struct cb_names *n);
#endif
