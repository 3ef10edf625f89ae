/* SPDX-License-Identifier: GPL-2.0 */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "diff.h"

#define OTHER_THAN 1.5 /* a largest value so many times the other's is told */

struct diff {
	struct cb_buf *out;
	size_t n;
	const char *subject;
};

static void __attribute__((format(printf, 3, 4))) tell(struct diff *d, char sign, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cb_buf_printf(d->out, "%c %s: %s\n", sign, d->subject, text);
	d->n++;
}

/* Tabs part what a value is made of; nobody need see that. */
static void tell_value(struct diff *d, char sign, const char *field, const char *value)
{
	char text[CB_SHAPE_MAX * 3], *s = text;

	snprintf(text, sizeof(text), "%s", value);
	while ((s = strchr(s, '\t')))
		*s = ' ';
	tell(d, sign, "%s %s", field, text);
}

static void diff_values(struct diff *d, char sign, const char *field, const struct cb_items *a, const struct cb_items *b)
{
	size_t i;

	for (i = 0; i < a->map.n; i++)
		if (!b || cb_strmap_find(&b->map, a->map.key[i], a->map.len[i]) < 0)
			tell_value(d, sign, field, a->map.key[i]);
}

static void diff_rate(struct diff *d, const struct cb_mfield *f, const char *program, const struct cb_rate *a,
		      const struct cb_rate *b)
{
	double x = fmax(a->t[0].top, a->floor), y = fmax(b->t[0].top, b->floor);
	struct cb_buf t = { 0 };

	if (x <= y * OTHER_THAN && y <= x * OTHER_THAN)
		return;
	cb_rate_text(&t, f->name, f->kind == CB_FIELD_LEVEL, a->t[0].top);
	cb_buf_puts(&t, " -> ");
	cb_rate_text(&t, f->name, f->kind == CB_FIELD_LEVEL, b->t[0].top);
	tell(d, '~', "%s%s%s at most %s", f->name, *program ? " " : "", program, t.s);
	cb_buf_free(&t);
}

static void diff_rates(struct diff *d, const struct cb_mfield *f, const struct cb_set *a, const struct cb_set *b)
{
	struct cb_rate *r;
	size_t i;

	for (i = 0; i < a->rates.n; i++) {
		r = cb_set_find_rate(b, a->rates.key[i]);
		if (r)
			diff_rate(d, f, a->rates.key[i], a->rate[i], r);
		else
			tell(d, '-', "%s %s", f->name, a->rates.key[i]);
	}
	for (i = 0; i < b->rates.n; i++)
		if (!cb_set_find_rate(a, b->rates.key[i]))
			tell(d, '+', "%s %s", f->name, b->rates.key[i]);
}

static const struct cb_set *set_of(const struct cb_subject *s, int field)
{
	return field >= 0 && (size_t)field < s->nset ? s->set[field] : NULL;
}

/* Number of a field in the other model, -1: it has none. */
static int field_in(const struct cb_model *m, const struct cb_mfield *f)
{
	size_t i;

	for (i = 0; i < m->fields.n; i++)
		if (!strcmp(m->field[i].dataset, f->dataset) && !strcmp(m->field[i].name, f->name) && m->field[i].kind == f->kind)
			return i;
	return -1;
}

static void diff_fields(struct diff *d, const struct cb_model *a, const struct cb_subject *x, const struct cb_model *b,
			const struct cb_subject *y)
{
	const struct cb_set *one, *two;
	const struct cb_mfield *f;
	size_t i;

	for (i = 0; i < a->fields.n; i++) {
		f = &a->field[i];
		one = set_of(x, i);
		two = set_of(y, field_in(b, f));
		if (one && two && cb_field_has_rates(f->kind))
			diff_rates(d, f, one, two);
		else if (one && two)
			diff_values(d, '-', f->name, &one->level[0], &two->level[0]);
		else if (one)
			tell(d, '-', "%s, which the other did not watch", f->name);
	}
	for (i = 0; i < b->fields.n; i++) {
		f = &b->field[i];
		one = set_of(x, field_in(a, f));
		two = set_of(y, i);
		if (one && two && !cb_field_has_rates(f->kind))
			diff_values(d, '+', f->name, &two->level[0], &one->level[0]);
		else if (two && !one)
			tell(d, '+', "%s, which the first did not watch", f->name);
	}
}

static void diff_programs(struct diff *d, const struct cb_subject *x, const struct cb_subject *y)
{
	const struct cb_program *p, *q;
	size_t i;

	for (i = 0; i < x->prog.n; i++) {
		p = x->program[i];
		q = cb_subject_find(y, p->path);
		if (!q)
			tell(d, '-', "calls of %s", p->path);
		else if (p->state != q->state)
			tell(d, '~', "calls of %s are %s -> %s", p->path, cb_state_name(p->state), cb_state_name(q->state));
	}
	for (i = 0; i < y->prog.n; i++)
		if (!cb_subject_find(x, y->program[i]->path))
			tell(d, '+', "calls of %s", y->program[i]->path);
}

size_t cb_model_diff(struct cb_buf *out, const struct cb_model *a, const struct cb_model *b)
{
	struct diff d = { .out = out };
	const struct cb_subject *x, *y;
	size_t i;

	for (i = 0; i < a->subj.n; i++) {
		x = a->subject[i];
		y = cb_model_find(b, x->key);
		d.subject = x->name;
		if (!y) {
			tell(&d, '-', "%u containers", x->containers);
			continue;
		}
		diff_programs(&d, x, y);
		diff_fields(&d, a, x, b, y);
	}
	for (i = 0; i < b->subj.n; i++) {
		y = b->subject[i];
		d.subject = y->name;
		if (!cb_model_find(a, y->key))
			tell(&d, '+', "%u containers", y->containers);
	}
	return d.n;
}
