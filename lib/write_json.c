/* SPDX-License-Identifier: GPL-2.0 */
/* JSON Lines: flat objects, the keys are the names of the fields. */
#include "writer_impl.h"

void cb_json_string(struct cb_buf *out, const char *text, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	char *p = cb_buf_room(out, len * 6 + 2);

	*p++ = '"';
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\') {
			*p++ = '\\';
			*p++ = s[i];
		} else if (s[i] < ' ') { /* not in text that cb_escape() made */
			memcpy(p, "\\u00", 4);
			p[4] = digit[s[i] >> 4];
			p[5] = digit[s[i] & 15];
			p += 6;
		} else {
			*p++ = s[i];
		}
	}
	*p++ = '"';
	*p = 0;
	out->len = p - out->s;
}

/* Types whose text is ours, and so holds neither quote nor backslash. */
static bool is_clean(enum cb_type t)
{
	return t != CB_STR && t != CB_PATH && t != CB_HIST && t != CB_ARGV;
}

static bool has_special(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '"' || s[i] == '\\')
			return true;
	return false;
}

static bool json_argv(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev)
{
	const char *args = (const char *)ev->rec + c->f->off, *word;
	size_t avail, len, pos = 0, cap = w->cap[c->cut], sum = 0;
	bool any = false, cut = false;

	if (!ev->rec || ev->len <= c->f->off)
		return false;
	avail = ev->len - c->f->off;
	if (avail > c->f->size)
		avail = c->f->size;
	cb_buf_add(&w->row, "[", 1);
	while (!cut && (!cap || sum < cap) && cb_argv_next(args, avail, &pos, &word, &len)) {
		cb_buf_reset(&w->cell);
		cut = cb_argv_word(&w->cell, word, len, cap ? cap - sum : 0);
		if (any)
			cb_buf_add(&w->row, ",", 1);
		cb_json_string(&w->row, w->cell.s, w->cell.len);
		sum += w->cell.len + 3; /* quotes and comma count, or empty words would never end */
		any = true;
	}
	cb_buf_add(&w->row, "]", 1);
	return any;
}

static bool json_string(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev)
{
	size_t start;

	cb_buf_add(&w->row, "\"", 1);
	start = w->row.len;
	cb_writer_cell(w, c, ev, &w->row);
	if (w->row.len == start)
		return false;
	if (!is_clean(c->f->type) && has_special(w->row.s + start, w->row.len - start)) {
		cb_buf_reset(&w->cell);
		cb_buf_add(&w->cell, w->row.s + start, w->row.len - start);
		w->row.len = start - 1;
		cb_json_string(&w->row, w->cell.s, w->cell.len);
	} else {
		cb_buf_add(&w->row, "\"", 1);
	}
	return true;
}

static bool json_value(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev)
{
	size_t start = w->row.len;

	if (c->f->type == CB_ARGV)
		return json_argv(w, c, ev);
	if (cb_type_json(c->f->type) == CB_JSON_STRING)
		return json_string(w, c, ev);
	cb_writer_cell(w, c, ev, &w->row);
	return w->row.len > start;
}

static void json_row(struct cb_writer *w, const struct cb_event *ev)
{
	for (size_t i = 0; i < w->ncol; i++) {
		const struct cb_column *c = &w->col[i];
		size_t before = w->row.len;

		cb_buf_add(&w->row, c->key, c->key_len);
		if (!json_value(w, c, ev))
			w->row.len = before;
	}
	w->row.s[0] = '{'; /* the first key's comma; there always is one: the kind */
	cb_buf_add(&w->row, "}\n", 2);
}

void cb_json_schema(struct cb_writer *w)
{
	w->row.len -= 2;
	cb_buf_printf(&w->row, ",\"schema.version\":%u,\"schema.fields\":[", w->schema->version);
	for (size_t i = 0; i < w->ncol; i++) {
		const struct cb_field *f = w->col[i].f;

		cb_buf_printf(&w->row, "%s{\"name\":\"%s\",\"type\":\"%s\",\"role\":\"%s\"}", i ? "," : "", f->name,
			      cb_type_name(f->type), cb_role_name(f->role));
	}
	cb_buf_add(&w->row, "]}\n", 3);
}

const struct cb_format_ops cb_json_ops = { json_row, NULL };

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(s, word, len);
}

/* What readers make of an array, back into one: the inverse of put_word() in read_json.c. */
static void json_words(struct cb_buf *out, const char *text)
{
	struct cb_buf word = { 0 };
	size_t len, i;

	cb_buf_putc(out, '[');
	for (;; text += len + 1) {
		len = strcspn(text, " ");
		cb_buf_reset(&word);
		for (i = 0; i < len; i++) {
			bool space = text[i] == '\\' && len - i >= 4 && !memcmp(text + i, "\\x20", 4);

			cb_buf_putc(&word, space ? ' ' : text[i]);
			/* a backslash is two: the second begins nothing */
			if (text[i] == '\\' && !space && i + 1 < len)
				cb_buf_putc(&word, text[++i]);
			i += space ? 3 : 0;
		}
		if (is_word(text, len, "''"))
			cb_buf_reset(&word);
		else if (is_word(text, len, "\\x27'"))
			memcpy(word.s, "''", word.len = 2);
		cb_json_string(out, word.len ? word.s : "", word.len);
		if (!text[len])
			break;
		cb_buf_putc(out, ',');
	}
	cb_buf_putc(out, ']');
	cb_buf_free(&word);
}

void cb_json_row(struct cb_buf *out, const struct cb_pair *p, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!p[i].text || !p[i].text[0])
			continue;
		cb_buf_putc(out, any ? ',' : '{');
		cb_json_string(out, p[i].name, strlen(p[i].name));
		cb_buf_putc(out, ':');
		if (p[i].form == CB_PAIR_RAW)
			cb_buf_puts(out, p[i].text);
		else if (p[i].form == CB_PAIR_WORDS)
			json_words(out, p[i].text);
		else
			cb_json_string(out, p[i].text, strlen(p[i].text));
		any = true;
	}
	cb_buf_puts(out, any ? "}\n" : "{}\n");
}
