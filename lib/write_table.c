/* SPDX-License-Identifier: GPL-2.0 */
/* Table for people: fixed widths, numbers right, the last column as long as it is. */
#include <time.h>
#include "writer_impl.h"

#define NS 1000000000ULL
#define DAY_NS (86400 * NS)

/* Columns on the screen of the character at s (valid UTF-8), *n: its bytes. wcwidth() would ask the locale. */
static int char_width(const unsigned char *s, size_t *n)
{
	static const struct {
		uint32_t first, last;
		int width;
	} other[] = {
		{ 0x300, 0x36f, 0 },	 { 0x1100, 0x115f, 2 },	  { 0x1ab0, 0x1aff, 0 },   { 0x1dc0, 0x1dff, 0 },
		{ 0x200b, 0x200d, 0 },	 { 0x20d0, 0x20ff, 0 },	  { 0x2e80, 0x303e, 2 },   { 0x3041, 0xa4cf, 2 },
		{ 0xac00, 0xd7a3, 2 },	 { 0xf900, 0xfaff, 2 },	  { 0xfe00, 0xfe0f, 0 },   { 0xfe20, 0xfe2f, 0 },
		{ 0xfe30, 0xfe6f, 2 },	 { 0xfeff, 0xfeff, 0 },	  { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
		{ 0xe0000, 0xe0fff, 0 },
	};
	uint32_t c;

	*n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	c = *n == 1 ? s[0] : s[0] & (0x7f >> *n);
	for (size_t i = 1; i < *n; i++)
		c = c << 6 | (s[i] & 0x3f);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (c >= other[i].first && c <= other[i].last)
			return other[i].width;
	return 1;
}

/* Bytes of the text that fill at most width columns; *cols: how many they are. */
static size_t text_fill(const char *s, size_t len, int width, int *cols)
{
	size_t pos = 0, n;
	int w;

	for (*cols = 0; pos < len; pos += n) {
		w = char_width((const unsigned char *)s + pos, &n);
		if (*cols + w > width)
			break;
		*cols += w;
	}
	return pos;
}

static void blanks(struct cb_buf *row, int n)
{
	if (n <= 0)
		return;
	memset(cb_buf_room(row, n), ' ', n);
	row->len += n;
}

/* A number is never cut; of a text that is too long a + says so. */
static void put_cell(struct cb_writer *w, const struct cb_column *c, const char *s, size_t len)
{
	bool last = c == w->col + w->ncol - 1;
	int cols;
	size_t n;

	if (c->right) {
		blanks(&w->row, c->width - (int)len);
		cb_buf_add(&w->row, s, len);
	} else if (last) {
		cb_buf_add(&w->row, s, len);
	} else {
		n = text_fill(s, len, c->width, &cols);
		if (n < len)
			n = text_fill(s, len, c->width - 1, &cols);
		cb_buf_add(&w->row, s, n);
		if (n < len)
			cb_buf_add(&w->row, "+", 1);
		blanks(&w->row, c->width - cols - (n < len));
	}
	if (!last)
		cb_buf_add(&w->row, " ", 1);
}

static void end_line(struct cb_buf *row)
{
	while (row->len && row->s[row->len - 1] == ' ')
		row->len--;
	cb_buf_add(row, "\n", 1);
}

/* Local time of day with milliseconds; the day where it is not within one of the row's own time. */
static void time_cell(struct cb_writer *w, uint64_t utc_ns, uint64_t row_ns)
{
	time_t sec = utc_ns / NS;
	char day[32];
	struct tm tm;

	if ((utc_ns > row_ns ? utc_ns - row_ns : row_ns - utc_ns) >= DAY_NS && localtime_r(&sec, &tm)) {
		strftime(day, sizeof(day), "%b %e %H:%M", &tm);
		cb_buf_puts(&w->cell, day);
		return;
	}
	if (w->local_sec != utc_ns / NS && localtime_r(&sec, &tm)) {
		strftime(w->local, sizeof(w->local), "%H:%M:%S", &tm);
		w->local_sec = utc_ns / NS;
	}
	cb_buf_printf(&w->cell, "%s.%03u", w->local, (unsigned)(utc_ns / 1000000 % 1000));
}

/* Copies a field of 8 bytes if the row has it. */
static bool get(const struct cb_column *c, const struct cb_event *ev, void *ret)
{
	const char *base = c->common ? (const char *)&ev->c : ev->rec;

	if (c->f->size != 8 || (c->common ? cb_common_empty(c->f, &ev->c) : ev->len < (size_t)c->f->off + 8))
		return false;
	memcpy(ret, base + c->f->off, 8);
	return true;
}

/* Times and fractions are shorter here than in a stream. */
static void table_cell(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev)
{
	uint64_t ns;
	double v;

	if (c->f->type == CB_TIME && get(c, ev, &ns)) {
		if (ns)
			time_cell(w, ns, ev->c.time);
	} else if (c->f->type == CB_FLOAT && get(c, ev, &v)) {
		cb_float_text(&w->cell, v, 1);
	} else {
		cb_writer_cell(w, c, ev, &w->cell);
	}
}

static void table_row(struct cb_writer *w, const struct cb_event *ev)
{
	for (size_t i = 0; i < w->ncol; i++) {
		cb_buf_reset(&w->cell);
		table_cell(w, &w->col[i], ev);
		if (w->cell.len)
			put_cell(w, &w->col[i], w->cell.s, w->cell.len);
		else
			put_cell(w, &w->col[i], "-", 1);
	}
	end_line(&w->row);
}

static void table_head(struct cb_writer *w)
{
	for (size_t i = 0; i < w->ncol; i++) {
		const struct cb_field *f = w->col[i].f;
		const char *title = f->title ? f->title : f->name;

		put_cell(w, &w->col[i], title, strlen(title));
	}
	end_line(&w->row);
}

const struct cb_format_ops cb_table_ops = { table_row, table_head };
