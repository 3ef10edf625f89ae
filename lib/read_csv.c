/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A line of CSV -> a row. A line without quotes is cut at its commas where it lies; libcsv takes the others.
 * A cell may hold newlines when it is quoted; a quote that is never closed costs its own line only.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reader_impl.h"

void cb_csv_free(struct cb_csv *c)
{
	if (c->ready)
		csv_free(&c->parser);
	free(c->cell);
	free(c->id);
}

/* ---- a line to cells ---- */

static void add_cell(struct cb_csv *c, char *s, size_t len)
{
	if (c->ncell == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->cell = cb_xrealloc(c->cell, c->cap * sizeof(*c->cell));
	}
	c->cell[c->ncell++] = (struct cb_cell){ s, len };
}

static void split(struct cb_csv *c, char *s, size_t len)
{
	char *end = s + len, *comma;

	for (; (comma = memchr(s, ',', end - s)); s = comma + 1) {
		*comma = '\0';
		add_cell(c, s, comma - s);
	}
	add_cell(c, s, end - s);
}

static void on_cell(void *s, size_t len, void *arg)
{
	struct cb_reader *r = arg;

	add_cell(&r->csv, cb_reader_keep(r, s, len), len);
}

static int never(unsigned char c)
{
	return 0;
}

static int is_newline(unsigned char c)
{
	return c == '\n';
}

/* Spaces belong to a cell, and only the newline that we give ends a row. */
static int parser(struct cb_csv *c)
{
	if (c->ready)
		return 0;
	if (csv_init(&c->parser, CSV_STRICT | CSV_APPEND_NULL))
		return -ENOMEM;
	csv_set_space_func(&c->parser, never);
	csv_set_term_func(&c->parser, is_newline);
	c->ready = true;
	return 0;
}

static int quoted(struct cb_reader *r, char *s, size_t len, struct cb_err *e)
{
	struct cb_csv *c = &r->csv;

	if (parser(c))
		return cb_fail(e, -ENOMEM, "%s: no memory", r->path);
	if (csv_parse(&c->parser, s, len, on_cell, NULL, r) == len &&
	    csv_parse(&c->parser, "\n", 1, on_cell, NULL, r) == 1)
		return 0;
	csv_free(&c->parser);
	c->ready = false;
	return cb_reader_bad(r, e, s, len, "CSV cells, quoted from comma to comma or not at all");
}

static bool quotes_open(const char *s, size_t len)
{
	const char *end = s + len;
	bool open = false;

	for (; (s = memchr(s, '"', end - s)); s++)
		open = !open;
	return open;
}

/* Follows a quoted cell over its newlines. */
static int whole_row(struct cb_reader *r, char **s, size_t *len, struct cb_err *e)
{
	bool open = quotes_open(*s, *len);
	struct cb_err why = {};
	size_t seen;
	int err;

	while (open) {
		seen = *len;
		err = r->csv.single ? 0 : cb_reader_more(r, s, len, &why);
		if (err == 1) {
			open ^= quotes_open(*s + seen, *len - seen);
			continue;
		}
		if (err && err != -EINVAL)
			return cb_fail(e, err, "%s", why.text);
		if (!r->csv.single)
			cb_reader_only_first(r, s, len);
		r->csv.single = true;
		return cb_reader_bad(r, e, *s, *len, "a closing quote");
	}
	return 0;
}

static int cells(struct cb_reader *r, char *s, size_t len, struct cb_err *e)
{
	r->csv.ncell = 0;
	if (memchr(s, '"', len))
		return quoted(r, s, len, e);
	split(&r->csv, s, len);
	return 0;
}

/* ---- header ---- */

static bool own_name(const char *s)
{
	return !strcmp(s, "@timestamp") || !strcmp(s, "event.dataset") || !strcmp(s, "event.kind");
}

static bool column_name(const struct cb_cell *c)
{
	if (!c->len || c->len > CB_MAX_NAME || !(isalpha((unsigned char)*c->s) || strchr("@_", *c->s)))
		return false;
	for (size_t i = 0; i < c->len; i++)
		if (!isalnum((unsigned char)c->s[i]) && !strchr("@_.-/: ", c->s[i]))
			return false;
	return true;
}

static bool names_only(const struct cb_csv *c)
{
	for (size_t i = 0; i < c->ncell; i++)
		if (!column_name(&c->cell[i]))
			return false;
	return true;
}

bool cb_csv_header(struct cb_reader *r, const char *s, size_t len, bool ours)
{
	char *copy = cb_xalloc(len + 1);
	bool yes, own = false;

	memcpy(copy, s, len);
	yes = !quotes_open(copy, len) && !cells(r, copy, len, NULL) && r->csv.ncell > 1 && names_only(&r->csv);
	for (size_t i = 0; yes && i < r->csv.ncell; i++)
		own |= own_name(r->csv.cell[i].s);
	r->csv.ncell = 0;
	free(copy);
	return yes && (own || !ours);
}

/*
 * A header again: files were put behind each other. A container chooses what is in most cells, so that a row
 * is a header only by cells that it cannot choose, or as a copy of the one that holds.
 */
static bool header_again(const struct cb_reader *r)
{
	const struct cb_csv *c = &r->csv;
	size_t same = 0, own = 0, own_same = 0;

	for (size_t i = 0; i < c->ncell; i++) {
		const char *name = i < c->ncol ? cb_names_name(r->names, c->id[i]) : "";
		bool is = !strcmp(c->cell[i].s, name);

		same += is;
		own += own_name(c->ncell == c->ncol ? name : c->cell[i].s);
		own_same += is && own_name(name);
	}
	if (c->ncell != c->ncol)
		return own && names_only(c);
	return same == c->ncol || (own && own == own_same && names_only(c));
}

static int header(struct cb_reader *r, struct cb_err *e)
{
	struct cb_csv *c = &r->csv;

	c->ncol = 0;
	c->id = cb_xrealloc(c->id, c->ncell * sizeof(*c->id));
	for (size_t i = 0; i < c->ncell; i++) {
		int id = cb_reader_column(r, c->cell[i].s, c->cell[i].len, e);

		if (id < 0) {
			/* rows must not be taken for the header that failed */
			c->ncol = 0;
			r->format = CB_IN_UNKNOWN;
			r->lost_format = true;
			return id;
		}
		c->id[c->ncol++] = id;
	}
	return 0;
}

/* ---- rows ---- */

static void set(struct cb_reader *r, int id, const struct cb_cell *cell)
{
	struct cb_buf *b = &r->tmp;

	if (cb_plain(cell->s, cell->len) == cell->len) {
		cb_reader_set(r, id, cell->s, cell->len);
		return;
	}
	cb_buf_reset(b);
	cb_reader_normalise(b, cell->s, cell->len);
	cb_reader_set(r, id, cb_reader_keep(r, b->s, b->len), b->len);
}

static int wrong_count(struct cb_reader *r, const char *head, size_t len, struct cb_err *e)
{
	struct cb_buf got = {};
	int err;

	cb_buf_printf(&got, "%zu: ", r->csv.ncell);
	cb_buf_put(&got, head, len);
	err = cb_reader_bad(r, e, got.s, got.len, "%zu columns as in the header", r->csv.ncol);
	cb_buf_free(&got);
	return err;
}

int cb_csv_read(struct cb_reader *r, char *s, size_t len, struct cb_err *e)
{
	struct cb_csv *c = &r->csv;
	char head[64]; /* of the row, which is cut up below */
	size_t shown;
	int err = whole_row(r, &s, &len, e);

	if (err)
		return err;
	shown = len < sizeof(head) ? len : sizeof(head);
	memcpy(head, s, shown);
	err = cells(r, s, len, e);
	if (err)
		return err;
	if (!c->ncol || header_again(r))
		return header(r, e);
	if (c->ncell != c->ncol)
		return wrong_count(r, head, shown, e);
	c->single = false;
	for (size_t i = 0; i < c->ncell; i++)
		set(r, c->id[i], &c->cell[i]);
	return 1;
}
