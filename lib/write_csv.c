/* SPDX-License-Identifier: GPL-2.0 */
/* CSV (RFC 4180, but lines end with \n alone). Control characters are escaped before, so a row is a line. */
#include <csv.h>
#include "writer_impl.h"

/* Leading and trailing blanks are quoted as well: readers may strip them. */
static bool wants_quotes(const char *s, size_t len)
{
	if (!len)
		return false;
	return s[0] == ' ' || s[len - 1] == ' ' || memchr(s, ',', len) || memchr(s, '"', len);
}

/* Text that lies at the end of the row from start on becomes a cell. */
static void quote(struct cb_writer *w, size_t start)
{
	size_t len = w->row.len - start;

	if (!wants_quotes(w->row.s + start, len))
		return;
	cb_buf_reset(&w->cell);
	cb_buf_add(&w->cell, w->row.s + start, len);
	cb_buf_room(&w->row, len * 2 + 2);
	w->row.len = start + csv_write2(w->row.s + start, len * 2 + 2, w->cell.s, len, '"');
}

static void csv_row(struct cb_writer *w, const struct cb_event *ev)
{
	for (size_t i = 0; i < w->ncol; i++) {
		size_t start;

		if (i)
			cb_buf_add(&w->row, ",", 1);
		start = w->row.len;
		cb_writer_cell(w, &w->col[i], ev, &w->row);
		if (cb_type_json(w->col[i].f->type) == CB_JSON_STRING && w->col[i].f->type != CB_SYSCALLS)
			quote(w, start);
	}
	cb_buf_add(&w->row, "\n", 1);
}

static void csv_head(struct cb_writer *w)
{
	for (size_t i = 0; i < w->ncol; i++)
		cb_buf_printf(&w->row, "%s%s", i ? "," : "", w->col[i].f->name);
	cb_buf_add(&w->row, "\n", 1);
}

const struct cb_format_ops cb_csv_ops = { csv_row, csv_head };
