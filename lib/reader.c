/* SPDX-License-Identifier: GPL-2.0 */
/* Rows in: bytes to lines (plain or zstd), lines to rows, rows to events. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "reader_impl.h"

#define CHUNK (128 * 1024) /* bytes of one read(2) */
#define SLACK 16	   /* behind texts: a NUL, and cb_plain() looks at 16 bytes at a time */
#define SHOWN 40	   /* bytes of bad text in a message */

/* ---- errors ---- */

int cb_reader_bad(struct cb_reader *r, struct cb_err *e, const char *got, size_t len, const char *what, ...)
{
	struct cb_buf text = {}, want = {};
	char buf[200];
	va_list ap;
	int err;

	va_start(ap, what);
	vsnprintf(buf, sizeof(buf), what, ap);
	va_end(ap);
	if (len)
		cb_escape(&text, got, len < SHOWN ? len : SHOWN, false);
	cb_escape(&want, buf, strlen(buf), false);
	if (len)
		err = cb_fail(e, -EINVAL, "%s:%lu: expected %s, got \"%s%s\"", r->path, r->row_line, want.s, text.s,
			      len > SHOWN ? "..." : "");
	else
		err = cb_fail(e, -EINVAL, "%s:%lu: expected %s, got the end of the row", r->path, r->row_line, want.s);
	cb_buf_free(&text);
	cb_buf_free(&want);
	return err;
}

/* ---- text ---- */

/* 16 bytes at once, in whatever registers the machine has for that. */
typedef signed char bytes16 __attribute__((vector_size(16)));

/* Which byte of v, as they lie in memory, is the first that is not 0; v is not 0. */
static unsigned first_byte(uint64_t v)
{
	return (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_ctzll(v) : __builtin_clzll(v)) / 8;
}

size_t cb_plain(const char *s, size_t len)
{
	uint64_t odd[2];
	bytes16 v;

	for (size_t i = 0; i < len; i += 16) {
		memcpy(&v, s + i, 16);
		/* as signed numbers those above 0x7f are below 0x20 */
		v = (v < 0x20) | (v == 0x7f) | (v == '"') | (v == '\\');
		memcpy(odd, &v, 16);
		if (!(odd[0] | odd[1]))
			continue;
		i += odd[0] ? first_byte(odd[0]) : 8 + first_byte(odd[1]);
		return i < len ? i : len;
	}
	return len;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Bytes of an escape of field.h at s, 0 when the backslash there is none. */
static size_t escape_at(const char *s, size_t len)
{
	if (len >= 2 && s[1] == '\\')
		return 2;
	return len >= 4 && s[1] == 'x' && is_hex(s[2]) && is_hex(s[3]) ? 4 : 0;
}

void cb_reader_normalise(struct cb_buf *out, const char *s, size_t len)
{
	while (len) {
		const char *back = memchr(s, '\\', len);
		size_t n = back ? (size_t)(back - s) : len;

		if (n) {
			cb_escape(out, s, n, false);
		} else if ((n = escape_at(s, len))) {
			cb_buf_put(out, s, n);
		} else {
			cb_buf_puts(out, "\\\\");
			n = 1;
		}
		s += n;
		len -= n;
	}
}

/* ---- the row at hand ---- */

char *cb_reader_keep(struct cb_reader *r, const char *s, size_t len)
{
	char *p;

	while (!r->block || r->block->cap - r->used < len + 1) {
		struct cb_block **next = r->block ? &r->block->next : &r->first;

		if (!*next || (*next)->cap < len + 1) {
			size_t cap = len + 1 > 16384 ? len + 1 : 16384;
			struct cb_block *b = cb_xalloc(sizeof(*b) + cap + SLACK);

			b->cap = cap;
			b->next = *next;
			*next = b;
		}
		r->block = *next;
		r->used = 0;
	}
	p = r->block->s + r->used;
	memcpy(p, s, len);
	p[len] = '\0';
	r->used += len + 1;
	return p;
}

static void room_for_columns(struct cb_reader *r)
{
	int n = cb_names_count(r->names), cap;

	if (n <= r->ncol)
		return;
	cap = n + 32;
	r->val = cb_xrealloc(r->val, cap * sizeof(*r->val));
	r->vlen = cb_xrealloc(r->vlen, cap * sizeof(*r->vlen));
	memset(r->val + r->ncol, 0, (cap - r->ncol) * sizeof(*r->val));
	memset(r->vlen + r->ncol, 0, (cap - r->ncol) * sizeof(*r->vlen));
	r->ncol = cap;
}

static void forget_row(struct cb_reader *r)
{
	for (int i = 0; i < r->npresent; i++)
		r->val[r->present[i]] = NULL;
	r->npresent = 0;
	r->block = r->first;
	r->used = 0;
}

static void unset(struct cb_reader *r, int id)
{
	int i = 0;

	while (r->present[i] != id)
		i++;
	memmove(r->present + i, r->present + i + 1, (r->npresent - i - 1) * sizeof(*r->present));
	r->npresent--;
	r->val[id] = NULL;
}

void cb_reader_set(struct cb_reader *r, int id, const char *s, size_t len)
{
	if (id >= r->ncol)
		room_for_columns(r);
	if (!len) {
		if (r->val[id])
			unset(r, id);
		return;
	}
	if (!r->val[id]) {
		if (r->npresent == r->present_cap) {
			r->present_cap = r->present_cap ? r->present_cap * 2 : 64;
			r->present = cb_xrealloc(r->present, r->present_cap * sizeof(*r->present));
		}
		r->present[r->npresent++] = id;
	}
	r->val[id] = s;
	r->vlen[id] = len;
}

int cb_reader_column(struct cb_reader *r, const char *name, size_t len, struct cb_err *e)
{
	int id = cb_names_find(r->names, name, len);

	if (id >= 0)
		return id;
	if (!len || len > CB_MAX_NAME)
		return cb_reader_bad(r, e, name, len, "a column name of 1 to %d bytes", CB_MAX_NAME);
	if (cb_names_count(r->names) >= CB_MAX_COLUMNS)
		return cb_reader_bad(r, e, name, len, "at most %d different column names", CB_MAX_COLUMNS);
	return cb_names_add(r->names, name, len);
}

/* ---- bytes ---- */

static int failed(struct cb_reader *r, struct cb_err *e, int err, const char *what)
{
	r->eof = true;
	r->start = r->scan = r->len; /* a row that lost its end is not told apart from the cut */
	return cb_fail(e, err, "%s: %s", r->path, what);
}

static int open_path(struct cb_reader *r, struct cb_err *e)
{
	struct stat st;

	/* a FIFO is opened at once, whether somebody writes to it already or not */
	r->fd = strcmp(r->path, "-") ? open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
				     : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (r->fd < 0)
		return cb_fail(e, -errno, "%s: cannot open: %s", r->path, strerror(errno));
	if (fstat(r->fd, &st))
		return cb_fail(e, -errno, "%s: cannot read: %s", r->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return cb_fail(e, -EISDIR, "%s: expected a file, got a folder", r->path);
	r->regular = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	return 0;
}

int cb_reader_open(struct cb_reader **ret, struct cb_names *names, const char *path, struct cb_err *e)
{
	struct cb_reader *r = cb_xalloc(sizeof(*r));
	int err;

	r->names = names;
	r->path = cb_xstrdup(path);
	err = open_path(r, e);
	if (err) {
		cb_reader_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void cb_reader_free(struct cb_reader *r)
{
	if (!r)
		return;
	for (struct cb_block *b = r->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeDStream(r->zstd);
	cb_csv_free(&r->csv);
	cb_buf_free(&r->tmp);
	cb_buf_free(&r->word);
	cb_buf_free(&r->words);
	cb_buf_free(&r->prefix);
	free(r->zbuf);
	free(r->buf);
	free(r->val);
	free(r->vlen);
	free(r->present);
	free(r->order);
	free(r->ds_name);
	free(r->open);
	free(r->path);
	free(r);
}

int cb_reader_fd(const struct cb_reader *r)
{
	return r->fd;
}

void cb_reader_nonblock(struct cb_reader *r)
{
	r->nonblock = true;
}

bool cb_reader_ended(const struct cb_reader *r)
{
	return r->ended && !r->nopen;
}

/* One read(2): bytes, 0 at the end, -EAGAIN, or what failed. O_NONBLOCK is not relied on: stdin is shared. */
static ssize_t read_some(struct cb_reader *r, void *p, size_t n, struct cb_err *e)
{
	struct pollfd pfd = { r->fd, POLLIN };
	ssize_t got;
	int ready = 1;

	if (!r->regular)
		ready = poll(&pfd, 1, r->nonblock ? 0 : -1);
	got = ready == 1 ? read(r->fd, p, n) : -1;
	if (got >= 0)
		return got;
	if (!ready || errno == EINTR || errno == EAGAIN)
		return -EAGAIN;
	return failed(r, e, -errno, strerror(errno));
}

/* Room for n more bytes of text; the used part is given up first. */
static void room_for_text(struct cb_reader *r, size_t n)
{
	if (r->start) {
		memmove(r->buf, r->buf + r->start, r->len - r->start);
		r->len -= r->start;
		r->scan -= r->start;
		r->start = 0;
	}
	if (r->cap - r->len >= n + SLACK && r->buf)
		return;
	r->cap = r->len + n + SLACK > r->cap * 2 ? r->len + n + SLACK : r->cap * 2;
	r->buf = cb_xrealloc(r->buf, r->cap);
}

/* The first bytes tell zstd from text; text goes on at once, however few bytes there are. */
static void look_at_head(struct cb_reader *r)
{
	const unsigned char *b = (unsigned char *)r->buf;
	bool frame = r->len >= 4 && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd;
	bool skippable = r->len >= 4 && b[0] >> 4 == 5 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18;

	if (r->len < 4 && (b[0] == 0x28 || b[0] >> 4 == 5))
		return;
	r->head = true;
	if (!frame && !skippable)
		return;
	r->zstd = ZSTD_createDStream();
	r->zbuf = cb_xalloc(CHUNK);
	memcpy(r->zbuf, r->buf, r->len); /* as one read gave it: at most CHUNK */
	r->zlen = r->len;
	r->zopen = r->zmore = true;
	r->start = r->scan = r->len = 0;
}

static int fill_plain(struct cb_reader *r, struct cb_err *e)
{
	size_t want = r->head ? CHUNK : CHUNK - r->len; /* look_at_head() moves it all to zbuf */
	ssize_t got;

	room_for_text(r, CHUNK);
	got = read_some(r, r->buf + r->len, want, e);
	if (got > 0) {
		r->len += got;
		if (!r->head)
			look_at_head(r);
	} else if (!got) {
		r->eof = true;
	}
	return got;
}

static int fill_zstd(struct cb_reader *r, struct cb_err *e)
{
	ZSTD_inBuffer in;
	ZSTD_outBuffer out;
	ssize_t got;
	size_t left;

	room_for_text(r, CHUNK);
	out = (ZSTD_outBuffer){ r->buf + r->len, CHUNK, 0 };
	for (;;) {
		in = (ZSTD_inBuffer){ r->zbuf, r->zlen, r->zpos };
		/* with no input left there may still be output inside the decoder */
		left = ZSTD_decompressStream(r->zstd, &out, &in);
		if (ZSTD_isError(left))
			return failed(r, e, -EBADMSG, ZSTD_getErrorName(left));
		if (in.pos > r->zpos || out.pos)
			r->zopen = left != 0;
		r->zpos = in.pos;
		r->zmore = out.pos;
		if (out.pos) {
			r->len += out.pos;
			return 1;
		}
		if (r->zpos < r->zlen)
			continue;
		got = read_some(r, r->zbuf, CHUNK, e);
		if (got < 0)
			return got;
		if (!got)
			break;
		r->zpos = 0;
		r->zlen = got;
	}
	if (r->zopen)
		return failed(r, e, -ENODATA, "expected the rest of a zstd frame, got the end: the recording was cut");
	r->eof = true;
	return 0;
}

int cb_reader_fill(struct cb_reader *r, struct cb_err *e)
{
	if (r->eof)
		return 0;
	return r->zstd ? fill_zstd(r, e) : fill_plain(r, e);
}

/* ---- lines ---- */

bool cb_reader_ready(const struct cb_reader *r)
{
	return r->zmore || (r->scan < r->len && memchr(r->buf + r->scan, '\n', r->len - r->scan));
}

static int too_long(struct cb_reader *r, struct cb_err *e)
{
	const char *s = r->buf + r->start;

	r->row_line = r->line + 1;
	r->skipping = true;
	return cb_reader_bad(r, e, s, r->len - r->start, "a row of at most %d bytes", CB_MAX_ROW);
}

/* Finds the end of the line that begins at scan (of a new row: at start). 1: *end, 0: no more, errors. */
static int find_line(struct cb_reader *r, size_t *end, struct cb_err *e)
{
	size_t off = r->scan - r->start; /* filling moves the text */
	int err;

	for (;;) {
		size_t have = r->len - r->start;
		char *nl = off < have ? memchr(r->buf + r->start + off, '\n', have - off) : NULL;

		*end = nl ? (size_t)(nl - r->buf) : r->len;
		if (*end - r->start > CB_MAX_ROW)
			return too_long(r, e);
		if (nl)
			return 1;
		off = have;
		err = cb_reader_fill(r, e);
		if (err <= 0)
			return err;
		if (off > r->len - r->start)
			off = 0; /* what looked like text was the head of a frame */
	}
}

/* The rest of a line that is too long is dropped as it comes. */
static int skip_line(struct cb_reader *r, struct cb_err *e)
{
	for (;;) {
		char *s = r->buf + r->start, *nl = memchr(s, '\n', r->len - r->start);
		int err;

		r->start = r->scan = nl ? (size_t)(nl + 1 - r->buf) : r->len;
		if (nl) {
			r->line++;
			r->skipping = false;
			return 1;
		}
		err = cb_reader_fill(r, e);
		if (err <= 0)
			return err;
	}
}

/* Makes buf[start..end) a NUL-terminated line and goes behind it. */
static void take_line(struct cb_reader *r, size_t end, char **s, size_t *len)
{
	char *line = r->buf + r->start;
	size_t n = end - r->start;

	r->cr = n && line[n - 1] == '\r';
	n -= r->cr;
	line[n] = '\0';
	*s = line;
	*len = n;
	r->scan = end < r->len ? end + 1 : r->len;
	r->line++;
}

/* Undoes the last take_line(); scan stays behind it. */
static void untake_line(struct cb_reader *r)
{
	r->buf[r->scan - 1] = '\n';
	if (r->cr)
		r->buf[r->scan - 2] = '\r';
}

int cb_reader_more(struct cb_reader *r, char **s, size_t *len, struct cb_err *e)
{
	size_t end, first = r->scan - r->start;
	int err;

	untake_line(r);
	err = find_line(r, &end, e);
	if (err == 1) {
		take_line(r, end, s, len);
	} else if (err == -EAGAIN) {
		r->scan = r->start;
		r->line = r->row_line - 1;
	} else if (!err || err == -EINVAL) {
		r->skipping = false;
		r->scan = r->start + first;
	}
	return err;
}

void cb_reader_only_first(struct cb_reader *r, char **s, size_t *len)
{
	char *nl = memchr(r->buf + r->start, '\n', r->len - r->start);

	r->line = r->row_line - 1;
	take_line(r, nl - r->buf, s, len);
}

/* ---- rows ---- */

static int no_format(struct cb_reader *r, const char *s, size_t len, struct cb_err *e)
{
	if (r->lost_format)
		return 0;
	r->lost_format = true;
	return cb_reader_bad(r, e, s, len, "a JSON object or a CSV header");
}

static int read_line(struct cb_reader *r, char *s, size_t len, struct cb_err *e)
{
	size_t blank = strspn(s, " \t");

	if (r->row_line == 1 && !strncmp(s, "\xef\xbb\xbf", 3)) {
		s += 3;
		len -= 3;
		blank = strspn(s, " \t");
	}
	if (blank == len)
		return 0;
	if (r->format == CB_IN_UNKNOWN) {
		/* once the first line was garbage only what is surely ours begins a stream */
		if (s[blank] == '{')
			r->format = CB_IN_JSON;
		else if (cb_csv_header(r, s, len, r->lost_format))
			r->format = CB_IN_CSV;
		else
			return no_format(r, s, len, e);
	}
	if (memchr(s, 0, len))
		return cb_reader_bad(r, e, s, len, "text without NUL bytes");
	return r->format == CB_IN_JSON ? cb_json_read(r, s, len, e) : cb_csv_read(r, s, len, e);
}

static void set_open(struct cb_reader *r, const struct cb_dataset *ds, bool open)
{
	for (int i = 0; i < r->nopen; i++) {
		if (r->open[i] != ds && strcmp(r->open[i]->name, ds->name))
			continue;
		if (!open)
			r->open[i] = r->open[--r->nopen];
		return;
	}
	if (!open)
		return;
	if (r->nopen == r->open_cap) {
		r->open_cap = r->open_cap ? r->open_cap * 2 : 4;
		r->open = cb_xrealloc(r->open, r->open_cap * sizeof(*r->open));
	}
	r->open[r->nopen++] = ds;
}

static const struct cb_dataset *find_dataset(struct cb_reader *r)
{
	const char *name = r->val[CB_ID_DATASET];

	if (!name)
		return NULL;
	if (!r->ds_name || r->ds_gen != cb_names_generation(r->names) || strcmp(r->ds_name, name)) {
		free(r->ds_name);
		r->ds_name = cb_xstrdup(name);
		r->ds = cb_names_dataset(r->names, name);
		r->ds_gen = cb_names_generation(r->names);
	}
	return r->ds;
}

/* What the reader itself takes from a row: datasets, and whether the stream is whole. */
static int look_at_kind(struct cb_reader *r, const struct cb_dataset **ds, struct cb_err *e)
{
	const char *kind = r->val[CB_ID_KIND], *fields = r->val[CB_ID_FIELDS];
	bool end = kind && !strcmp(kind, "end");
	struct cb_err why = {};

	if (kind && fields && !strcmp(kind, "schema") && r->val[CB_ID_DATASET] &&
	    cb_names_learn(r->names, r->val[CB_ID_DATASET], r->val[CB_ID_VERSION], fields, r->vlen[CB_ID_FIELDS],
			   &why))
		return cb_fail(e, -EINVAL, "%s:%lu: %s", r->path, r->row_line, why.text);
	*ds = find_dataset(r);
	r->ended |= end;
	if (*ds)
		set_open(r, *ds, !end);
	return 0;
}

static int finish_row(struct cb_reader *r, struct cb_row *ret, struct cb_err *e)
{
	const char *time = r->val[CB_ID_TIME];
	const struct cb_dataset *ds;
	uint64_t ns = 0;
	int err;

	if (time && cb_time_parse(time, r->vlen[CB_ID_TIME], &ns))
		return cb_reader_bad(r, e, time, r->vlen[CB_ID_TIME],
				     "@timestamp: a time as 2026-11-24T15:50:54.123456789Z");
	err = look_at_kind(r, &ds, e);
	if (err)
		return err;
	*ret = (struct cb_row){
		.val = r->val,
		.len = r->vlen,
		.ncol = r->ncol,
		.present = r->present,
		.npresent = r->npresent,
		.file = r->path,
		.line = r->row_line,
		.dataset = ds,
		.time = ns,
	};
	return 1;
}

/* The text between the last newline and the end: whole only if it is a whole JSON object. */
static int last_line(struct cb_reader *r, struct cb_row *ret, struct cb_err *e)
{
	char head[SHOWN + 1], *s;
	size_t len, shown;
	int n = 0;

	if (r->start == r->len)
		return 0;
	r->row_line = r->line + 1;
	take_line(r, r->len, &s, &len);
	r->start = r->scan;
	if (strspn(s, " \t") == len)
		return 0;
	shown = len < sizeof(head) ? len : sizeof(head);
	memcpy(head, s, shown);
	if (r->format != CB_IN_CSV && (r->format == CB_IN_JSON || *s == '{'))
		n = read_line(r, s, len, NULL);
	else if (r->format == CB_IN_UNKNOWN && !cb_csv_header(r, s, len, false))
		return no_format(r, head, shown, e);
	if (n == 1)
		return finish_row(r, ret, e);
	return cb_reader_bad(r, e, head, shown, "a whole row before the end of the input");
}

int cb_reader_next(struct cb_reader *r, struct cb_row *ret, struct cb_err *e)
{
	size_t end, len;
	char *s;
	int err;

	if (e)
		e->text[0] = '\0';
	forget_row(r);
	room_for_columns(r);
	for (;;) {
		err = r->skipping ? skip_line(r, e) : 1;
		if (err == 1)
			err = find_line(r, &end, e);
		if (err == 0)
			return r->skipping ? 0 : last_line(r, ret, e);
		if (err < 0)
			return err;
		r->row_line = r->line + 1;
		take_line(r, end, &s, &len);
		err = read_line(r, s, len, e);
		if (err == -EAGAIN)
			return err; /* a CSV row goes on: scan is back at its start */
		if (err == 1)
			err = finish_row(r, ret, e);
		r->start = r->scan;
		if (err)
			return err;
		forget_row(r);
	}
}

int cb_reader_schema_file(struct cb_names *names, const char *path, struct cb_err *e)
{
	struct cb_reader *r;
	struct cb_row row;
	int err = cb_reader_open(&r, names, path, e), found = 0;
	const char *kind;

	if (err)
		return err;
	while ((err = cb_reader_next(r, &row, e)) == 1) {
		kind = row.val[CB_ID_KIND];
		found += kind && !strcmp(kind, "schema") && row.val[CB_ID_DATASET] && row.val[CB_ID_FIELDS];
	}
	cb_reader_free(r);
	if (!err && !found)
		err = cb_fail(e, -EINVAL,
			      "%s: expected JSON rows with event.kind \"schema\", event.dataset and schema.fields", path);
	return err;
}

const struct cb_dataset *cb_reader_dataset(struct cb_reader *r, const char *name)
{
	return cb_names_dataset(r->names, name);
}

/* ---- events ---- */

/* A string of the common part: the row's own text, unless it must be unescaped. */
static int common_string(const struct cb_field *f, const char *text, size_t len, struct cb_common *c, char **room,
			 struct cb_err *e)
{
	const char **to = (const char **)((char *)c + f->off);
	int n;

	*to = text;
	if (!memchr(text, '\\', len))
		return 0;
	n = cb_unescape(*room, len, text, len);
	if (n < 0)
		return cb_fail(e, -EINVAL, "%s: expected \\xHH or \\\\ after a backslash, got \"%.40s\"", f->name, text);
	*to = *room;
	(*room)[n] = '\0';
	*room += n + 1;
	return 0;
}

static int common_from_row(struct cb_names *names, const struct cb_row *row, struct cb_common *c, struct cb_err *e)
{
	struct cb_buf *scratch = cb_names_scratch(names);
	size_t need = 0, used = sizeof(*c);
	char *room;
	int err = 0;

	for (int i = 0; i < row->npresent; i++)
		need += row->len[row->present[i]] + 1;
	if (scratch->cap < need) {
		scratch->s = cb_xrealloc(scratch->s, need);
		scratch->cap = need;
	}
	room = scratch->s;
	for (size_t i = 0; i < cb_ncommon_fields && !err; i++) {
		const struct cb_field *f = &cb_common_fields[i];
		int id = cb_names_id(names, f->name);
		const char *text = cb_row_get(row, id);

		if (f->type == CB_STR || f->type == CB_PATH)
			err = common_string(f, text ? text : "", text ? row->len[id] : 0, c, &room, e);
		else if (text)
			err = cb_field_parse(f, text, row->len[id], c, &used, e);
	}
	return err;
}

static bool variable(enum cb_type t)
{
	return t == CB_ARGV || t == CB_SYSCALLS;
}

int cb_event_from_row(const struct cb_schema *s, struct cb_names *names, const struct cb_row *row, void *rec,
		      struct cb_event *ev, struct cb_err *e)
{
	const struct cb_field *last = s->nfields ? &s->field[s->nfields - 1] : NULL;
	size_t used = last && variable(last->type) ? last->off : s->size;
	struct cb_err why = {};
	int err;

	memset(rec, 0, s->size);
	for (size_t i = 0; i < s->nfields; i++) /* what an older recording does not have was not measured */
		if (cb_may_be_unknown(&s->field[i]))
			memset((char *)rec + s->field[i].off, 0xff, s->field[i].size);
	*ev = (struct cb_event){ .schema = s, .rec = rec };
	err = common_from_row(names, row, &ev->c, &why);
	for (size_t i = 0; i < s->nfields && !err; i++) {
		int id = cb_names_id(names, s->field[i].name);
		const char *text = cb_row_get(row, id);

		if (text)
			err = cb_field_parse(&s->field[i], text, row->len[id], rec, &used, &why);
	}
	ev->len = used;
	return err ? cb_fail(e, err, "%s:%lu: %s", row->file, row->line, why.text) : 0;
}
