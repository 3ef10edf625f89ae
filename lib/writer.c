/* SPDX-License-Identifier: GPL-2.0 */
/* Rows out: which columns, and that no row is too long. The formats are in write_*.c. */
#include <errno.h>
#include <stdlib.h>
#include "writer_impl.h"

/* ---- which columns ---- */

static const char *const needed[] = { "event.dataset", "event.kind", "@timestamp" };
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

static const struct cb_field *field_at(const struct cb_schema *s, size_t i)
{
	if (i < cb_ncommon_fields)
		return &cb_common_fields[i];
	i -= cb_ncommon_fields;
	return i < s->nfields ? &s->field[i] : NULL;
}

static const struct cb_field *find_field(const struct cb_schema *s, const char *name, size_t len)
{
	const struct cb_field *f;

	for (size_t i = 0; (f = field_at(s, i)); i++)
		if (strlen(f->name) == len && !memcmp(f->name, name, len))
			return f;
	return NULL;
}

static void drop(struct cb_fields *l, const struct cb_field *f)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->f[i] != f)
			l->f[n++] = l->f[i];
	l->n = n;
}

static void add(struct cb_fields *l, const struct cb_field *f)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->f[i] == f)
			return;
	l->f[l->n++] = f;
}

/* One word of the list: "x", "+x" or "-x". */
static int take(struct cb_fields *l, const struct cb_schema *s, bool change, const char *p, size_t len,
		struct cb_err *e)
{
	bool sign = len && (*p == '+' || *p == '-');
	const struct cb_field *f = find_field(s, p + sign, len - sign);

	if (sign != change)
		return cb_fail(e, -EINVAL, "--fields: expected names only, or only +NAME and -NAME, got \"%.*s\"",
			       (int)len, p);
	if (!f)
		return cb_fail(e, -EINVAL, "--fields: expected a field of %s (--fields=help lists them), got \"%.*s\"",
			       s->name, (int)(len - sign), p + sign);
	if (sign && *p == '-')
		drop(l, f);
	else
		add(l, f);
	return 0;
}

static int take_list(struct cb_fields *l, const struct cb_schema *s, const char *list, struct cb_err *e)
{
	bool change = *list == '+' || *list == '-';
	size_t len;
	int err;

	if (!change)
		l->n = 0;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		err = take(l, s, change, list, len, e);
		if (err || !list[len])
			return err;
	}
}

/* Readers know a row by these: they stay, in front when they were not named. */
static void keep_needed(struct cb_fields *l, const struct cb_schema *s)
{
	for (size_t i = NEEDED; i-- > 0;) {
		const struct cb_field *f = find_field(s, needed[i], strlen(needed[i]));
		size_t n = l->n;

		add(l, f);
		if (l->n > n) {
			memmove(l->f + 1, l->f, n * sizeof(*l->f));
			l->f[0] = f;
		}
	}
}

int cb_fields_choose(struct cb_fields **ret, const struct cb_schema *s, enum cb_format format, const char *list,
		     struct cb_err *e)
{
	struct cb_fields *l = cb_xalloc(sizeof(*l));
	const struct cb_field *f;
	int err = 0;

	l->f = cb_xalloc((cb_ncommon_fields + s->nfields) * sizeof(*l->f));
	for (size_t i = 0; (f = field_at(s, i)); i++)
		if (format != CB_TABLE || f->title)
			l->f[l->n++] = f;
	if (list)
		err = take_list(l, s, list, e);
	if (!err && format != CB_TABLE)
		keep_needed(l, s);
	if (!err && !l->n)
		err = cb_fail(e, -EINVAL, "--fields: expected at least one field to be left, got \"%s\"", list);
	if (err) {
		cb_fields_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

void cb_fields_free(struct cb_fields *l)
{
	if (!l)
		return;
	free(l->f);
	free(l);
}

void cb_fields_help(const struct cb_schema *s, FILE *to)
{
	const struct cb_field *f;

	fprintf(to, "%-32s %-10s %-9s %-6s %s\n", "FIELD", "COLUMN", "TYPE", "ROLE", "MEANING");
	for (size_t i = 0; (f = field_at(s, i)); i++)
		fprintf(to, "%-32s %-10s %-9s %-6s %s\n", f->name, f->title ? f->title : "-", cb_type_name(f->type),
			cb_role_name(f->role), f->help);
}

/* ---- rows ---- */

void cb_writer_cell(struct cb_writer *w, const struct cb_column *c, const struct cb_event *ev, struct cb_buf *out)
{
	if (c->common) {
		if (!cb_common_empty(c->f, &ev->c))
			cb_field_text(c->f, &ev->c, sizeof(ev->c), w->cap[c->cut], out);
	} else if (ev->rec) {
		cb_field_text(c->f, ev->rec, ev->len, w->cap[c->cut], out);
	}
}

static size_t build(struct cb_writer *w, const struct cb_event *ev, size_t last, size_t first)
{
	w->cap[CB_CUT_LAST] = last;
	w->cap[CB_CUT_FIRST] = first;
	cb_buf_reset(&w->row);
	w->ops->row(w, ev);
	return w->row.len;
}

#define SHORT 64 /* so much of a text is left if that is enough */

/* Builds a row that is too long with the longest texts that fit. */
static void fit(struct cb_writer *w, const struct cb_event *ev)
{
	bool last = build(w, ev, 0, SHORT) > CB_ROW_MAX;
	size_t low = last ? 1 : SHORT, high = CB_ROW_MAX, mid;

	while (low < high) {
		mid = (low + high + 1) / 2;
		if ((last ? build(w, ev, mid, mid < SHORT ? mid : SHORT) : build(w, ev, 0, mid)) <= CB_ROW_MAX)
			low = mid;
		else
			high = mid - 1;
	}
	if (!last)
		build(w, ev, 0, low);
	else if (build(w, ev, low, low < SHORT ? low : SHORT) > CB_ROW_MAX)
		build(w, ev, 0, SHORT); /* made long by what is never cut: cutting the rest helps nobody */
}

static void write_row(struct cb_writer *w, const struct cb_event *ev)
{
	struct cb_event cut;

	if (build(w, ev, 0, 0) > CB_ROW_MAX) {
		cut = *ev;
		cut.c.truncated = true;
		fit(w, &cut);
	}
}

static void write_head(struct cb_writer *w)
{
	w->headed = true;
	if (!w->ops->head)
		return;
	cb_buf_reset(&w->row);
	w->ops->head(w);
	cb_out_row(w->out, w->row.s, w->row.len);
}

void cb_writer_event(struct cb_writer *w, const struct cb_event *ev)
{
	struct cb_event full;

	if (!ev->c.dataset || !ev->c.kind) {
		full = *ev;
		full.c.dataset = ev->c.dataset ? ev->c.dataset : w->dataset;
		full.c.kind = ev->c.kind ? ev->c.kind : "event";
		ev = &full;
	}
	if (!w->headed)
		write_head(w);
	write_row(w, ev);
	cb_out_row(w->out, w->row.s, w->row.len);
}

void cb_writer_meta(struct cb_writer *w, const struct cb_common *c)
{
	struct cb_event ev = { .schema = w->schema, .c = *c };
	bool schema = !strcmp(c->kind, "schema");

	if (!ev.c.dataset)
		ev.c.dataset = w->dataset;
	if (schema || !w->headed)
		write_head(w);
	if (w->format == CB_TABLE)
		return;
	write_row(w, &ev);
	if (schema && w->format == CB_JSON)
		cb_json_schema(w);
	cb_out_row(w->out, w->row.s, w->row.len);
}

/* ---- set up ---- */

/* What names the kind of a row is ours and short; ids must stay whole for as long as anything else can be cut. */
static enum cb_cut cut_of(const struct cb_field *f)
{
	static const char *const ids[] = { "container.id", "container.name", "container.image.name", "container.image.id",
					   "process.executable.path" };

	if (!strncmp(f->name, "event.", 6) || !strncmp(f->name, "host.", 5))
		return CB_CUT_NEVER;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (!strcmp(f->name, ids[i]))
			return CB_CUT_LAST;
	return CB_CUT_FIRST;
}

static int width_of(const struct cb_field *f)
{
	switch (f->type) {
	case CB_TIME: return 12;
	case CB_BOOL: return 5;
	case CB_FLOAT: return 10;
	case CB_ERRNO: return 8;
	case CB_SIGNAL: return 8;
	case CB_CAPS: return 18;
	case CB_SYSCALL: return 18;
	case CB_PATH: return 32;
	case CB_ARGV:
	case CB_SYSCALLS:
	case CB_HIST: return 40;
	case CB_STR:
		if (!strcmp(f->name, "event.action"))
			return 8;
		return f->size < 20 && !cb_field_is_common(f) ? f->size : strcmp(f->name, "process.name") ? 20 : 15;
	default: return f->size == 8 ? 10 : f->size == 4 ? 7 : 5;
	}
}

static void set_column(struct cb_column *c, const struct cb_field *f)
{
	int title = strlen(f->title ? f->title : f->name);

	c->f = f;
	c->common = cb_field_is_common(f);
	c->cut = cut_of(f);
	c->key = cb_xasprintf(",\"%s\":", f->name);
	c->key_len = strlen(c->key);
	c->width = width_of(f) > title ? width_of(f) : title;
	c->right = cb_type_json(f->type) == CB_JSON_NUMBER;
}

int cb_writer_open(struct cb_writer **ret, enum cb_format format, struct cb_out *out, const struct cb_schema *s,
		   const char *fields, struct cb_err *e)
{
	static const struct cb_format_ops *const ops[] = { &cb_table_ops, &cb_csv_ops, &cb_json_ops };
	struct cb_fields *chosen;
	struct cb_writer *w;
	int err = cb_fields_choose(&chosen, s, format, fields, e);

	if (err)
		return err;
	w = cb_xalloc(sizeof(*w));
	w->format = format;
	w->ops = ops[format];
	w->out = out;
	w->schema = s;
	w->dataset = cb_xasprintf("cbtools.%s", s->name);
	w->local_sec = UINT64_MAX;
	w->ncol = chosen->n;
	w->col = cb_xalloc(w->ncol * sizeof(*w->col));
	for (size_t i = 0; i < w->ncol; i++)
		set_column(&w->col[i], chosen->f[i]);
	cb_fields_free(chosen);
	*ret = w;
	return 0;
}

void cb_writer_free(struct cb_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->ncol; i++)
		free(w->col[i].key);
	free(w->col);
	free(w->dataset);
	cb_buf_free(&w->row);
	cb_buf_free(&w->cell);
	free(w);
}
