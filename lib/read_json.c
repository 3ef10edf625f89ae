/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A line of JSON -> a row. Own parser: rows are flat objects of short texts, taken apart where they lie,
 * several times faster than building a tree of them. Nested objects (other people's rows) get dotted
 * names, arrays become the text form of CB_ARGV; an array that holds more than plain values stays JSON text.
 */
#include <errno.h>
#include <string.h>
#include "reader_impl.h"

struct json {
	struct cb_reader *r;
	struct cb_err *e;
	char *p, *end; /* *end is NUL */
	int nkeys;     /* of the outermost object */
	struct text {
		char *s;
		size_t len;
		bool copied; /* made in r->tmp: another string overwrites it */
	} key;
};

static int bad(struct json *j, const char *p, const char *what)
{
	return cb_reader_bad(j->r, j->e, p, j->end - p, "%s", what);
}

static void space(struct json *j)
{
	while (*j->p == ' ' || *j->p == '\t' || *j->p == '\r')
		j->p++;
}

/* ---- strings ---- */

static int hex4(const char *s)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int c = s[i], d = c >= '0' && c <= '9' ? c - '0' :
				  c >= 'a' && c <= 'f' ? c - 'a' + 10 :
				  c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* A lone surrogate becomes three bytes that are no UTF-8, and is then escaped as such. */
static void put_utf8(struct cb_buf *b, unsigned c)
{
	if (c < 0x80) {
		cb_buf_putc(b, c);
		return;
	}
	if (c < 0x800) {
		cb_buf_putc(b, 0xc0 | c >> 6);
	} else if (c < 0x10000) {
		cb_buf_putc(b, 0xe0 | c >> 12);
		cb_buf_putc(b, 0x80 | (c >> 6 & 0x3f));
	} else {
		cb_buf_putc(b, 0xf0 | c >> 18);
		cb_buf_putc(b, 0x80 | (c >> 12 & 0x3f));
		cb_buf_putc(b, 0x80 | (c >> 6 & 0x3f));
	}
	cb_buf_putc(b, 0x80 | (c & 0x3f));
}

/* At a backslash: appends what it stands for; bytes used or -1. */
static int put_escape(struct cb_buf *b, const char *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int c, low;

	if (s[1] != 'u') {
		at = s[1] ? strchr(from, s[1]) : NULL;
		if (!at)
			return -1;
		cb_buf_putc(b, to[at - from]);
		return 2;
	}
	c = hex4(s + 2);
	if (c < 0)
		return -1;
	if (c >= 0xd800 && c < 0xdc00 && s[6] == '\\' && s[7] == 'u') {
		low = hex4(s + 8);
		if (low >= 0xdc00 && low < 0xe000) {
			put_utf8(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return 12;
		}
	}
	put_utf8(b, c);
	return 6;
}

/* The rest of a string that is not plain: into r->tmp, in text form. */
static int odd_string(struct json *j, char *start, struct text *t)
{
	struct cb_buf *raw = &j->r->word, *b = &j->r->tmp;
	char *p = start;

	cb_buf_reset(raw);
	cb_buf_reset(b);
	while (*p != '"') {
		size_t n = cb_plain(p, j->end - p);
		int used;

		cb_buf_put(raw, p, n);
		p += n;
		if ((unsigned char)*p >= 0x7f) {
			cb_buf_putc(raw, *p++);
		} else if (*p == '\\') {
			used = put_escape(raw, p);
			if (used < 0)
				return bad(j, p, "a JSON escape as \\n or \\u00e4");
			p += used;
		} else if (*p != '"') {
			return bad(j, p, "the end of a string, without control characters in it");
		}
	}
	j->p = p + 1;
	cb_reader_normalise(b, raw->len ? raw->s : "", raw->len);
	*t = (struct text){ b->len ? b->s : "", b->len, true };
	return 0;
}

/* At the opening quote. A plain string stays where it is; its closing quote is left for the caller to overwrite. */
static int string(struct json *j, struct text *t)
{
	char *s = j->p + 1;
	size_t n = cb_plain(s, j->end - s);

	if (s[n] != '"')
		return odd_string(j, s, t);
	*t = (struct text){ s, n, false };
	j->p = s + n + 1;
	return 0;
}

/* ---- numbers, true, false, null: as they stand ---- */

static const char *digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* End of the number at p, NULL if there is none. */
static const char *number_end(const char *p)
{
	const char *from;

	p += *p == '-';
	from = p;
	p = digits(p);
	if (p == from || (*from == '0' && p > from + 1))
		return NULL;
	if (*p == '.') {
		from = ++p;
		p = digits(p);
		if (p == from)
			return NULL;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		from = p;
		p = digits(p);
		if (p == from)
			return NULL;
	}
	return p;
}

static int bare(struct json *j, struct text *t)
{
	static const char *const word[] = { "true", "false", "null" };
	const char *end = NULL;

	for (size_t i = 0; i < 3 && !end; i++)
		if (!strncmp(j->p, word[i], strlen(word[i])))
			end = j->p + strlen(word[i]);
	if (!end)
		end = number_end(j->p);
	if (!end)
		return bad(j, j->p, "a JSON value");
	*t = (struct text){ j->p, *j->p == 'n' ? 0 : end - j->p, false };
	j->p += end - j->p;
	return 0;
}

/* ---- nested values ---- */

static int skip(struct json *j, int depth, bool *nested);

/* Behind the bracket: members up to the closing one, checked and left alone. */
static int skip_members(struct json *j, char close, int depth, bool *nested)
{
	struct text t;
	int err;

	space(j);
	if (*j->p == close)
		return j->p++, 0;
	for (;; j->p++) {
		space(j);
		if (close == '}') {
			if (*j->p != '"')
				return bad(j, j->p, "a name in quotes");
			err = string(j, &t);
			if (err)
				return err;
			space(j);
			if (*j->p++ != ':')
				return bad(j, j->p - 1, "a colon after the name");
		}
		err = skip(j, depth, nested);
		if (err)
			return err;
		space(j);
		if (*j->p == close)
			return j->p++, 0;
		if (*j->p != ',')
			return bad(j, j->p, close == '}' ? "a comma or }" : "a comma or ]");
	}
}

static int skip(struct json *j, int depth, bool *nested)
{
	struct text t;

	space(j);
	if (*j->p == '"')
		return string(j, &t);
	if (*j->p != '{' && *j->p != '[')
		return bare(j, &t);
	if (depth >= CB_MAX_DEPTH)
		return bad(j, j->p, "less nesting");
	*nested = true;
	return skip_members(j, *j->p++ == '{' ? '}' : ']', depth + 1, nested);
}

/* A word of an array in the form of CB_ARGV. */
static void put_word(struct cb_buf *b, const struct text *t)
{
	if (!t->len || (t->len == 2 && !memcmp(t->s, "''", 2))) {
		cb_buf_puts(b, t->len ? "\\x27'" : "''");
		return;
	}
	for (size_t i = 0; i < t->len; i++) {
		if (t->s[i] == ' ')
			cb_buf_puts(b, "\\x20");
		else
			cb_buf_putc(b, t->s[i]);
	}
}

/* At the bracket of an array of plain values that was checked already. */
static void join(struct json *j, struct text *t)
{
	struct cb_buf *b = &j->r->words;
	struct text word;

	cb_buf_reset(b);
	for (j->p++, space(j); *j->p != ']'; space(j)) {
		if (*j->p == ',')
			j->p++;
		space(j);
		if (*j->p == '"' ? string(j, &word) : bare(j, &word))
			break;
		if (b->len)
			cb_buf_putc(b, ' ');
		put_word(b, &word);
	}
	j->p++;
	*t = (struct text){ b->len ? b->s : "", b->len, true };
}

static int array(struct json *j, int depth, struct text *t)
{
	struct cb_buf *b = &j->r->words;
	bool nested = false;
	char *start = j->p;
	int err;

	j->p++;
	err = skip_members(j, ']', depth + 1, &nested);
	if (err)
		return err;
	if (nested) {
		cb_buf_reset(b);
		cb_escape(b, start, j->p - start, false);
		*t = (struct text){ b->s, b->len, true };
		return 0;
	}
	j->p = start;
	join(j, t);
	return 0;
}

/* ---- the object ---- */

/* The column of the key at hand; prefix: names of the objects around it, with dots. */
static int column(struct json *j, struct cb_buf *prefix)
{
	struct cb_reader *r = j->r;
	const struct text *k = &j->key;
	size_t before = prefix->len;
	int id, pos = j->nkeys++;

	if (before) {
		cb_buf_put(prefix, k->s, k->len);
		id = cb_reader_column(r, prefix->s, prefix->len, j->e);
		prefix->len = before;
		return id;
	}
	if (pos < r->norder) {
		id = r->order[pos];
		if (cb_names_len(r->names, id) == k->len && !memcmp(cb_names_name(r->names, id), k->s, k->len))
			return id;
	}
	id = cb_reader_column(r, k->s, k->len, j->e);
	if (id < 0 || pos > r->norder)
		return id;
	if (pos == r->order_cap) {
		r->order_cap = r->order_cap ? r->order_cap * 2 : 64;
		r->order = cb_xrealloc(r->order, r->order_cap * sizeof(*r->order));
	}
	r->order[pos] = id;
	r->norder += pos == r->norder;
	return id;
}

static int object(struct json *j, struct cb_buf *prefix, int depth);

static int nested_object(struct json *j, struct cb_buf *prefix, int depth)
{
	size_t before = prefix->len;
	int err;

	if (depth >= CB_MAX_DEPTH)
		return bad(j, j->p, "less nesting");
	cb_buf_put(prefix, j->key.s, j->key.len);
	cb_buf_putc(prefix, '.');
	if (prefix->len > CB_MAX_NAME)
		return cb_reader_bad(j->r, j->e, prefix->s, prefix->len, "a column name of 1 to %d bytes", CB_MAX_NAME);
	err = object(j, prefix, depth + 1);
	prefix->len = before;
	return err;
}

/* A value that is no object, into the row. Returns the comma or brace behind it: the value's NUL may take its place. */
static int value(struct json *j, int id, int depth)
{
	struct text t;
	int err, c;

	if (*j->p == '"')
		err = string(j, &t);
	else
		err = *j->p == '[' ? array(j, depth, &t) : bare(j, &t);
	if (err)
		return err;
	space(j);
	c = *j->p;
	if (c != ',' && c != '}')
		return bad(j, j->p, "a comma or }");
	if (t.copied)
		t.s = cb_reader_keep(j->r, t.s, t.len);
	else
		t.s[t.len] = '\0';
	cb_reader_set(j->r, id, t.s, t.len);
	return c;
}

/* One name and its value; the comma or brace behind it. */
static int member(struct json *j, struct cb_buf *prefix, int depth)
{
	int err, id;

	if (*j->p != '"')
		return bad(j, j->p, "a name in quotes");
	err = string(j, &j->key);
	if (err)
		return err;
	space(j);
	if (*j->p != ':')
		return bad(j, j->p, "a colon after the name");
	j->p++;
	space(j);
	if (*j->p == '{') {
		err = nested_object(j, prefix, depth);
		space(j);
		if (!err && *j->p != ',' && *j->p != '}')
			err = bad(j, j->p, "a comma or }");
		return err ? err : *j->p;
	}
	id = column(j, prefix);
	return id < 0 ? id : value(j, id, depth);
}

/* At the opening brace. */
static int object(struct json *j, struct cb_buf *prefix, int depth)
{
	int c = ',';

	j->p++;
	space(j);
	if (*j->p == '}') {
		j->p++;
		return 0;
	}
	while (c == ',') {
		space(j);
		c = member(j, prefix, depth);
		if (c < 0)
			return c;
		j->p++;
	}
	return 0;
}

int cb_json_read(struct cb_reader *r, char *s, size_t len, struct cb_err *e)
{
	struct json j = { .r = r, .e = e, .p = s, .end = s + len };
	int err;

	space(&j);
	if (*j.p != '{')
		return bad(&j, j.p, "a JSON object");
	cb_buf_reset(&r->prefix);
	err = object(&j, &r->prefix, 0);
	if (err)
		return err;
	space(&j);
	return *j.p ? bad(&j, j.p, "the end of the row") : 1;
}
