/* SPDX-License-Identifier: GPL-2.0 */
/* Rows out: table, CSV, JSON Lines, by the tables of fields. */
#ifndef CB_WRITER_H
#define CB_WRITER_H
#include "cb.h"

#define CB_ROW_MAX 4095 /* a longer row could be torn in a shared pipe: text is cut until it fits */

enum cb_format { CB_TABLE, CB_CSV, CB_JSON };

/*
 * Where rows go: a descriptor or a recording (name ends in .zst: compressed in frames, one a flush, so
 * that a killed recorder loses nothing it flushed). Only whole rows are written; on a pipe never more
 * than PIPE_BUF bytes in one write(2) unless a single row is longer, or nobody else writes to it.
 */
struct cb_out;
int cb_out_open(struct cb_out **ret, const char *path, struct cb_err *e); /* "-": stdout; creates 0600 */
void cb_out_alone(struct cb_out *o); /* nobody else writes to that pipe: as many whole rows at once as it has room for */
int cb_out_reopen(struct cb_out *o, struct cb_err *e); /* same path, after a rotation */
void cb_out_row(struct cb_out *o, const char *row, size_t len); /* with its newline */
int cb_out_flush(struct cb_out *o, struct cb_err *e);  /* -EPIPE when the reader went away */
uint64_t cb_out_bytes(const struct cb_out *o);	       /* handed to the file so far */
int cb_out_close(struct cb_out *o, struct cb_err *e);  /* frees; flush errors are errors; NULL is fine */

/* "a,b" exactly these, "+x,-y" the default ones with x and without y; NULL the default. */
struct cb_fields; /* chosen columns, in order */
int cb_fields_choose(struct cb_fields **ret, const struct cb_schema *s, enum cb_format f, const char *list,
		     struct cb_err *e);
void cb_fields_free(struct cb_fields *f);
void cb_fields_help(const struct cb_schema *s, FILE *to); /* --fields=help */

struct cb_writer;
int cb_writer_open(struct cb_writer **ret, enum cb_format f, struct cb_out *out, const struct cb_schema *s,
		   const char *fields, struct cb_err *e);
/* A row of the schema. Returns 0; errors of the output come from cb_out_flush(). */
void cb_writer_event(struct cb_writer *w, const struct cb_event *ev);
/* schema, heartbeat, end, gap: c->kind says which; counters of c are printed. No-op in a table but for
 * "schema" (prints the heading). CSV: the header line before the first row. */
void cb_writer_meta(struct cb_writer *w, const struct cb_common *c);
void cb_writer_free(struct cb_writer *w);

/* One JSON row from names and texts, for programs whose rows are no records (alarms of other data, import).
 * text NULL or "" leaves the field out. */
struct cb_pair {
	const char *name, *text;
	enum cb_pair_form {
		CB_PAIR_TEXT,
		CB_PAIR_RAW,   /* JSON as it stands: a number, a bool */
		CB_PAIR_WORDS, /* in the form of CB_ARGV: an array */
	} form;
};
void cb_json_row(struct cb_buf *out, const struct cb_pair *p, size_t n); /* appends, with newline */
void cb_json_string(struct cb_buf *out, const char *text, size_t len); /* quoted */
#endif
