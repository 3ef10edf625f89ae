/* SPDX-License-Identifier: GPL-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "items.h"

/* ---- shapes ---- */

static size_t run_hex(const char *s, size_t len, bool *ret_digit)
{
	size_t i;

	for (i = 0, *ret_digit = false; i < len && isxdigit((unsigned char)s[i]); i++)
		*ret_digit |= isdigit((unsigned char)s[i]) != 0;
	return i;
}

static size_t run_uuid(const char *s, size_t len)
{
	static const int part[] = { 8, 4, 4, 4, 12 };
	size_t at = 0, i;
	bool digit;

	for (i = 0; i < 5; i++) {
		if (i && (at >= len || s[at++] != '-'))
			return 0;
		if (at + part[i] > len || run_hex(s + at, part[i], &digit) != (size_t)part[i])
			return 0;
		at += part[i];
	}
	return at;
}

/* An ending as mkstemp(3) and the like make it. */
static size_t run_random(const char *s, size_t len)
{
	size_t i, upper = 0, lower = 0, digit = 0, turns = 0;

	for (i = 0; i < len && isalnum((unsigned char)s[i]); i++) {
		upper += isupper((unsigned char)s[i]) != 0;
		lower += islower((unsigned char)s[i]) != 0;
		digit += isdigit((unsigned char)s[i]) != 0;
		turns += i && !isupper((unsigned char)s[i]) != !isupper((unsigned char)s[i - 1]);
	}
	if (i < 6 || i > 16 || (i < len && s[i] != '/' && s[i] != '.'))
		return 0;
	return (upper && lower && turns >= 2) || (digit && upper + lower >= 2 && digit >= 2) ? i : 0;
}

void cb_shape_text(struct cb_buf *out, const char *s, size_t len)
{
	size_t at = 0, n, from = out->len;
	bool digit, word = true;

	while (at < len && out->len - from < CB_SHAPE_MAX) {
		if (s[at] == '\\') { /* an escape stays one */
			n = len - at >= 4 && s[at + 1] == 'x' ? 4 : len - at >= 2 ? 2 : 1;
			cb_buf_put(out, s + at, n);
			at += n;
			word = true;
			continue;
		}
		if (word && (n = run_uuid(s + at, len - at))) {
			cb_buf_putc(out, '*');
		} else if (word && (n = run_hex(s + at, len - at, &digit)) >= 8 && digit) {
			cb_buf_putc(out, '*');
		} else if (at && strchr(".-_", s[at - 1]) && (n = run_random(s + at, len - at))) {
			cb_buf_putc(out, '?');
		} else if (isdigit((unsigned char)s[at])) {
			for (n = 1; at + n < len && isdigit((unsigned char)s[at + n]); n++)
				;
			cb_buf_putc(out, '#');
		} else {
			cb_buf_putc(out, s[at]);
			n = 1;
		}
		at += n;
		word = !isalnum((unsigned char)s[at - 1]);
	}
	if (at < len)
		cb_buf_puts(out, "~");
}

static bool is_space(const char *s, size_t len)
{
	return len >= 4 && !memcmp(s, "\\x20", 4);
}

static bool command_char(char c)
{
	return isalnum((unsigned char)c) || strchr("_-.+", c);
}

/* The commands a script names: the first word after its start and after ; & | ( and newline. */
static void shape_script(struct cb_buf *out, const char *s, size_t len)
{
	size_t at = 0, end, name, n = 0;
	bool first = true;

	cb_buf_puts(out, "text(");
	while (at < len && n < 8) {
		if (is_space(s + at, len - at)) {
			at += 4;
			continue;
		}
		if (strchr(";&|(`", s[at]) || (s[at] == '\\' && len - at >= 4)) {
			first = true;
			at += s[at] == '\\' ? 4 : 1;
			continue;
		}
		for (end = name = at; end < len && (command_char(s[end]) || s[end] == '/'); end++)
			if (s[end] == '/')
				name = end + 1;
		if (first && end > name && end - name <= 24 && (end == len || s[end] != '=')) {
			if (n++)
				cb_buf_putc(out, ',');
			cb_shape_text(out, s + name, end - name);
			first = false;
		}
		/* an assignment before a command leaves the next word the first one */
		first = first && end < len && s[end] == '=';
		for (at = end; at < len && !is_space(s + at, len - at) && !strchr(";&|(`\\", s[at]); at++)
			;
		if (at == end && at < len && !strchr(";&|(`", s[at]) && s[at] != '\\')
			at++;
	}
	cb_buf_putc(out, ')');
}

static void shape_word(struct cb_buf *out, const char *s, size_t len)
{
	size_t i, n;

	if (len && s[0] == '-') { /* an option; its value after = is none of our business */
		const char *eq = memchr(s, '=', len);

		n = eq ? (size_t)(eq - s) : len;
		cb_shape_text(out, s, n > 32 ? 32 : n);
		if (eq)
			cb_buf_puts(out, "=");
		return;
	}
	for (i = 0; i < len; i++)
		if (is_space(s + i, len - i)) {
			shape_script(out, s, len);
			return;
		}
	if (len && s[0] == '/') {
		cb_shape_text(out, s, len);
		return;
	}
	for (i = 0; i < len && (isdigit((unsigned char)s[i]) || strchr(".:,+", s[i])); i++)
		;
	cb_buf_puts(out, len == 2 && !memcmp(s, "''", 2) ? "''" : i == len ? "#" : "word");
}

void cb_shape_args(struct cb_buf *out, const char *s, size_t len)
{
	size_t at = 0, n, words = 0, from = out->len, last = 0, mark;

	while (at < len && out->len - from < CB_SHAPE_MAX) {
		n = strcspn(s + at, " ");
		if (n > len - at)
			n = len - at;
		mark = out->len;
		if (words)
			cb_buf_putc(out, ' ');
		/* the program's own name is a name, wherever it lies */
		if (words)
			shape_word(out, s + at, n);
		else
			cb_shape_text(out, s + at, n);
		/* a list of a hundred files is one shape */
		if (words > 1 && out->len - mark == mark - last && !memcmp(out->s + mark, out->s + last, mark - last)) {
			out->len = mark;
			out->s[mark] = 0;
		} else {
			last = mark;
		}
		words++;
		at += n + 1;
	}
	if (at < len)
		cb_buf_puts(out, "~");
}

/* ---- items ---- */

void cb_items_see(struct cb_items *t, const char *s, size_t len, uint64_t n, uint32_t owner, uint32_t block,
		  bool start, uint64_t time)
{
	struct cb_item *i;
	bool made;
	int id;

	if (t->map.n >= CB_ITEMS_MAX && cb_strmap_find(&t->map, s, len) < 0) {
		t->dropped += n;
		t->dropped_add += n;
		return;
	}
	id = cb_strmap_add(&t->map, s, len, &made);
	if ((size_t)id >= t->cap) {
		t->cap = t->cap ? t->cap * 2 : 8;
		t->item = cb_xrealloc(t->item, t->cap * sizeof(*t->item));
	}
	i = &t->item[id];
	if (made)
		*i = (struct cb_item){ .fresh = true, .first = time };
	/* neighbouring blocks are one unit: what lies on their border is no evidence of a repetition; the third is */
	if (i->fresh || i->owner != owner || block > i->block + 1) {
		i->owner = owner;
		i->block = block;
		if (!i->units_add)
			i->start_add = start;
		if (!i->units)
			i->start = start;
		i->units++;
		i->units_add++;
	}
	if (i->fresh || time < i->first_add)
		i->first_add = time;
	if (i->fresh || time > i->last_add)
		i->last_add = time;
	i->fresh = false;
	i->n += n;
	i->n_add += n;
	if (time > i->last)
		i->last = time;
	if (time < i->first)
		i->first = time;
}

uint32_t cb_items_novel(struct cb_items *t, bool count_starts)
{
	size_t i;

	t->novel = 0;
	for (i = 0; i < t->map.n; i++)
		t->novel += t->item[i].units == 1 && (count_starts || !t->item[i].start);
	return t->novel;
}

size_t cb_items_common(const struct cb_items *t, const char *prefix, size_t max, uint32_t *ret)
{
	size_t i, k, n = 0, len = strlen(prefix);

	for (i = 0; i < t->map.n; i++) {
		if (t->map.len[i] < len || memcmp(t->map.key[i], prefix, len))
			continue;
		for (k = n; k && t->item[ret[k - 1]].n < t->item[i].n; k--)
			if (k < max)
				ret[k] = ret[k - 1];
		if (k < max) {
			ret[k] = i;
			n += n < max;
		}
	}
	return n;
}

void cb_items_free(struct cb_items *t)
{
	cb_strmap_free(&t->map);
	free(t->item);
	memset(t, 0, sizeof(*t));
}
