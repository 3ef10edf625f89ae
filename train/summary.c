/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "summary.h"

int cb_parse_budget(const char *text, double *ret, struct cb_err *e)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n > 0 && n < 1e9) || (*end && strcmp(end, "/day") && strcmp(end, "/hour")))
		return cb_fail(e, -EINVAL, "expected a number above 0 and /day or /hour, got \"%s\"", text);
	*ret = !strcmp(end, "/hour") ? n * 24 : n;
	return 0;
}

static double set_promise(const struct cb_set *s)
{
	double all = s->t.scored ? s->t.per_day : 0;
	size_t i, k;

	for (i = 0; i < s->rates.n; i++)
		for (k = 0; k < CB_SPANS; k++)
			all += s->rate[i]->t[k].scored ? s->rate[i]->t[k].per_day : 0;
	return all;
}

double cb_promise(const struct cb_subject *s)
{
	double all = 0;
	size_t i, k;

	for (i = 0; i < s->prog.n; i++) {
		for (k = 0; k < CB_SCALES; k++)
			all += s->program[i]->window[k].scored ? s->program[i]->window[k].per_day : 0;
		all += s->program[i]->calls_set.scored ? s->program[i]->calls_set.per_day : 0;
	}
	for (i = 0; i < s->nset; i++)
		all += s->set[i] ? set_promise(s->set[i]) : 0;
	return all;
}

static void duration(struct cb_buf *out, double days)
{
	if (days >= 2)
		cb_buf_printf(out, "%.1f container-days", days);
	else if (days * 24 >= 2)
		cb_buf_printf(out, "%.1f container-hours", days * 24);
	else
		cb_buf_printf(out, "%.1f container-minutes", days * 1440);
}

static void window(struct cb_buf *out, const struct cb_threshold *t)
{
	if (t->scored)
		cb_buf_printf(out, " %8.1f", t->score / CB_COST_BIT);
	else
		cb_buf_printf(out, " %8s", "-");
}

static void program(struct cb_buf *out, const struct cb_program *p)
{
	cb_buf_printf(out, "  %-40s %11llu %9u %9u %8.4f %-8s", *p->path ? p->path : "(no program)",
		      (unsigned long long)p->calls, p->instances, p->units, p->mass, cb_state_name(p->state));
	window(out, &p->window[0]);
	window(out, &p->window[1]);
	cb_buf_printf(out, " %s\n", p->calls_set.scored ? "yes" : "no");
}

static void set(struct cb_buf *out, const struct cb_mfield *f, const struct cb_set *s)
{
	static const char *const args[] = { "program + arguments", "parent + program", "program" };
	static const char *const path[] = { "program + use + path", "use + path", "use + folder" };
	static const char *const other[] = { "program + value", "value" };
	const char *level = f->kind == CB_FIELD_ARGS ? args[s->t.level] :
			    f->kind == CB_FIELD_PATH ? path[s->t.level] :
			    f->kind == CB_FIELD_EXE  ? "value" :
						       other[s->t.level & 1];

	cb_buf_printf(out, "  %-40s %11zu %9u %9u %8s %-8s judged by %s\n", f->name, s->level[s->t.level].map.n, s->t.aside,
		      s->t.blocks, "", s->t.scored ? "ready" : "learning", s->t.scored ? level : "nothing");
}

static void limit(struct cb_buf *out, const struct cb_mfield *f, const struct cb_rate *r, int span)
{
	const struct cb_threshold *t = &r->t[span];
	struct cb_buf b = { 0 };

	if (t->scored)
		cb_rate_text(&b, f->name, f->kind == CB_FIELD_LEVEL, t->score);
	cb_buf_printf(out, " %12s", b.len ? b.s : "-");
	cb_buf_free(&b);
}

static void rates(struct cb_buf *out, const struct cb_mfield *f, const struct cb_set *s)
{
	const struct cb_rate *r;
	struct cb_buf b = { 0 };
	size_t i;

	for (i = 0; i < s->rates.n; i++) {
		r = s->rate[i];
		cb_buf_reset(&b);
		cb_rate_text(&b, f->name, f->kind == CB_FIELD_LEVEL, r->t[0].top);
		cb_buf_printf(out, "  %-40s %9u %12s", f->name, r->t[0].blocks, b.s);
		limit(out, f, r, 0);
		limit(out, f, r, 1);
		cb_buf_printf(out, " %s\n", s->rates.key[i]);
	}
	cb_buf_free(&b);
}

static void all_rates(struct cb_buf *out, const struct cb_model *m, const struct cb_subject *s)
{
	bool first = true;
	size_t i;

	for (i = 0; i < s->nset; i++) {
		if (!s->set[i] || !s->set[i]->rates.n)
			continue;
		if (first)
			cb_buf_printf(out, "  %-40s %9s %12s %12s %12s %s\n", "HOW MUCH", "BLOCKS", "LARGEST", "ALARM", "4 S/GROWTH",
				      "PROGRAM");
		first = false;
		rates(out, &m->field[i], s->set[i]);
	}
}

static void subject(struct cb_buf *out, const struct cb_model *m, const struct cb_subject *s)
{
	double promise = cb_promise(s);
	size_t i;

	cb_buf_printf(out, "%s: %u containers, ", s->name, s->containers);
	duration(out, s->days);
	cb_buf_putc(out, '\n');
	if (s->prog.n)
		cb_buf_printf(out, "  %-40s %11s %9s %9s %8s %-8s %8s %8s %s\n", "PROGRAM", "CALLS", "PROCESSES", "UNITS",
			      "NEW MASS", "STATE", "BITS 20", "BITS 200", "SET");
	for (i = 0; i < s->prog.n; i++)
		program(out, s->program[i]);
	for (i = 0; i < s->nset && (!s->set[i] || !cb_field_has_values(m->field[i].kind)); i++)
		;
	if (i < s->nset)
		cb_buf_printf(out, "  %-40s %11s %9s %9s\n", "FIELD", "VALUES", "ONCE", "BLOCKS");
	for (; i < s->nset; i++)
		if (s->set[i] && cb_field_has_values(m->field[i].kind))
			set(out, &m->field[i], s->set[i]);
	all_rates(out, m, s);
	if (s->dropped)
		cb_buf_printf(out, "  rows of more than %d programs were left out: %llu\n", CB_PROGRAMS_MAX,
			      (unsigned long long)s->dropped);
	for (i = 0; i < s->nset; i++)
		if (s->set[i] && s->set[i]->level[0].dropped)
			cb_buf_printf(out, "  %s: values beyond %d were left out: %llu rows\n", m->field[i].name, CB_ITEMS_MAX,
				      (unsigned long long)s->set[i]->level[0].dropped);
	if (!promise)
		cb_buf_puts(out, "  promise: none, nothing is judged yet\n");
	else
		cb_buf_printf(out, "  promise: %.3g false alarms a container-day%s\n", promise,
			      promise > m->budget * 1.0001 ? " (more than the budget: the history is too short)" : "");
}

void cb_summary(struct cb_buf *out, const struct cb_model *m)
{
	size_t i;

	cb_buf_printf(out, "by %s, order %u, budget %.3g alarms a container-day, %zu symbols\n", m->by, m->order, m->budget,
		      m->sym.n);
	for (i = 0; i < m->subj.n; i++)
		if (m->subject[i]->containers || m->subject[i]->nset)
			subject(out, m, m->subject[i]);
	if (m->dropped)
		cb_buf_printf(out, "rows of more than %d subjects were left out: %llu\n", CB_SUBJECTS_MAX,
			      (unsigned long long)m->dropped);
}
