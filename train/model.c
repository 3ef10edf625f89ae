/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "model.h"

const char *cb_state_name(enum cb_state s)
{
	static const char *const name[] = { "learning", "warn", "ready" };

	return name[s];
}

struct cb_model *cb_model_new(void)
{
	struct cb_model *m = cb_xalloc(sizeof(*m));

	m->order = CB_ORDER;
	m->by = cb_xstrdup("image");
	m->budget = 1;
	return m;
}

static void program_free(struct cb_program *p)
{
	size_t i;

	cb_counts_free(&p->counts);
	for (i = 0; i < CB_SCALES; i++) {
		free(p->held[i].top);
		free(p->held_add[i].top);
	}
	cb_chain_free(p->chain);
	free(p);
}

static void set_free(struct cb_set *set)
{
	size_t i;

	for (i = 0; set && i < CB_LEVELS; i++)
		cb_items_free(&set->level[i]);
	for (i = 0; set && i < set->rates.n; i++)
		free(set->rate[i]);
	if (set) {
		cb_strmap_free(&set->rates);
		free(set->rate);
	}
	free(set);
}

static void subject_free(struct cb_subject *s)
{
	size_t i;

	for (i = 0; i < s->prog.n; i++)
		program_free(s->program[i]);
	for (i = 0; i < s->nset; i++) {
		set_free(s->set[i]);
	}
	cb_strmap_free(&s->prog);
	free(s->program);
	free(s->set);
	free(s->name);
	free(s);
}

struct cb_model *cb_model_free(struct cb_model *m)
{
	size_t i;

	if (!m)
		return NULL;
	for (i = 0; i < m->subj.n; i++)
		subject_free(m->subject[i]);
	for (i = 0; i < m->fields.n; i++) {
		free(m->field[i].dataset);
		free(m->field[i].name);
	}
	for (i = 0; i < m->nallow; i++) {
		free(m->allow[i].subject);
		free(m->allow[i].program);
		free(m->allow[i].field);
		free(m->allow[i].value);
	}
	free(m->allow);
	cb_strmap_free(&m->subj);
	cb_strmap_free(&m->sym);
	cb_strmap_free(&m->fields);
	free(m->subject);
	free(m->by);
	free(m);
	return NULL;
}

struct cb_subject *cb_model_find(const struct cb_model *m, const char *key)
{
	int i = cb_strmap_find(&m->subj, key, strlen(key));

	return i < 0 ? NULL : m->subject[i];
}

struct cb_subject *cb_model_subject(struct cb_model *m, const char *key, const char *name)
{
	struct cb_subject *s = cb_model_find(m, key);
	size_t i;

	if (s || m->subj.n >= CB_SUBJECTS_MAX)
		return s;
	i = cb_strmap_add(&m->subj, key, strlen(key), NULL);
	if (i >= m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->subject = cb_xrealloc(m->subject, m->cap * sizeof(*m->subject));
	}
	s = m->subject[i] = cb_xalloc(sizeof(*s));
	s->key = m->subj.key[i];
	s->name = cb_xstrdup(name);
	return s;
}

struct cb_program *cb_subject_find(const struct cb_subject *s, const char *path)
{
	int i = cb_strmap_find(&s->prog, path, strlen(path));

	return i < 0 ? NULL : s->program[i];
}

struct cb_program *cb_subject_program(struct cb_subject *s, const char *path)
{
	struct cb_program *p = cb_subject_find(s, path);
	size_t i;

	if (p || s->prog.n >= CB_PROGRAMS_MAX)
		return p;
	i = cb_strmap_add(&s->prog, path, strlen(path), NULL);
	if (i >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->program = cb_xrealloc(s->program, s->cap * sizeof(*s->program));
	}
	p = s->program[i] = cb_xalloc(sizeof(*p));
	p->path = s->prog.key[i];
	p->mass = 1;
	return p;
}

struct cb_set *cb_subject_set(struct cb_subject *s, int field)
{
	if ((size_t)field >= s->nset) {
		s->set = cb_xrealloc(s->set, (field + 1) * sizeof(*s->set));
		memset(s->set + s->nset, 0, (field + 1 - s->nset) * sizeof(*s->set));
		s->nset = field + 1;
	}
	if (!s->set[field])
		s->set[field] = cb_xalloc(sizeof(*s->set[field]));
	return s->set[field];
}

struct cb_rate *cb_set_find_rate(const struct cb_set *s, const char *program)
{
	int i = cb_strmap_find(&s->rates, program, strlen(program));

	return i < 0 ? NULL : s->rate[i];
}

struct cb_rate *cb_set_rate(struct cb_set *s, const char *program)
{
	struct cb_rate *r = cb_set_find_rate(s, program);
	size_t i;

	if (r || s->rates.n >= CB_PROGRAMS_MAX)
		return r;
	i = cb_strmap_add(&s->rates, program, strlen(program), NULL);
	if (i >= s->rate_cap) {
		s->rate_cap = s->rate_cap ? s->rate_cap * 2 : 4;
		s->rate = cb_xrealloc(s->rate, s->rate_cap * sizeof(*s->rate));
	}
	return s->rate[i] = cb_xalloc(sizeof(*r));
}

int cb_levels(enum cb_field_kind k)
{
	return k == CB_FIELD_EXE ? 1 : k == CB_FIELD_ARGS || k == CB_FIELD_PATH ? 3 : cb_field_has_rates(k) ? 0 : 2;
}

static enum cb_field_kind field_kind(const char *dataset, const char *name, enum cb_role role)
{
	static const struct {
		const char *dataset, *name;
		enum cb_field_kind kind;
	} special[] = {
		{ "", "process.executable.path", CB_FIELD_EXE },
		{ "cbtools.exec", "process.command_args", CB_FIELD_ARGS },
		{ "cbtools.file", "file.path", CB_FIELD_PATH },
		{ "cbtools.file", "file.target_path", CB_FIELD_PATH },
		{ "cbtools.peer", "network.peer", CB_FIELD_PEER },
	};
	size_t i;

	if (role == CB_SEQ)
		return CB_FIELD_CALLS;
	if (role == CB_RATE && !strncmp(name, CB_COUNT_FIELD, strlen(CB_COUNT_FIELD)))
		return CB_FIELD_COUNT;
	if (role == CB_RATE || role == CB_LEVEL)
		return role == CB_RATE ? CB_FIELD_RATE : CB_FIELD_LEVEL;
	for (i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (!strcmp(special[i].dataset, dataset) && !strcmp(special[i].name, name))
			return special[i].kind;
	return CB_FIELD_VALUE;
}

int cb_model_field(struct cb_model *m, const char *dataset, const char *name, enum cb_role role)
{
	char *key = cb_xasprintf("%s\t%s", dataset, name);
	bool made = false;
	int i;

	i = m->fields.n < CB_FIELDS_MAX ? cb_strmap_add(&m->fields, key, strlen(key), &made) :
					  cb_strmap_find(&m->fields, key, strlen(key));
	if (made)
		m->field[i] = (struct cb_mfield){ cb_xstrdup(dataset), cb_xstrdup(name), role,
						  field_kind(dataset, name, role) };
	free(key);
	return i;
}

unsigned cb_model_symbol(struct cb_model *m, const char *name, size_t len)
{
	int i;

	if (m->sym.n < CB_SYMBOL_OTHER - 1)
		return cb_strmap_add(&m->sym, name, len, NULL) + 1;
	i = cb_strmap_find(&m->sym, name, len);
	return i < 0 ? CB_SYMBOL_OTHER : i + 1;
}

const char *cb_model_symbol_name(const struct cb_model *m, unsigned symbol)
{
	return symbol && symbol <= m->sym.n ? m->sym.key[symbol - 1] : "other";
}

static bool allow_fits(const char *want, const char *have)
{
	return !*want || !strcmp(want, have);
}

bool cb_model_allowed(const struct cb_model *m, const char *subject, const char *program, const char *field,
		      const char *value, uint64_t now)
{
	const struct cb_allow *a;
	size_t i;

	for (i = 0; i < m->nallow; i++) {
		a = &m->allow[i];
		if ((!a->expires || now < a->expires) && allow_fits(a->subject, subject) &&
		    allow_fits(a->program, program) && !strcmp(a->field, field) && allow_fits(a->value, value))
			return true;
	}
	return false;
}

bool cb_model_rate_allowed(const struct cb_model *m, const char *subject, const char *program, const char *field,
			   double v, uint64_t now)
{
	size_t i, len = strlen(CB_RATE_ALLOW);
	const struct cb_allow *a;

	for (i = 0; i < m->nallow; i++) {
		a = &m->allow[i];
		if ((!a->expires || now < a->expires) && allow_fits(a->subject, subject) &&
		    allow_fits(a->program, program) && !strcmp(a->field, field) &&
		    (!*a->value || (!strncmp(a->value, CB_RATE_ALLOW, len) && v <= strtod(a->value + len, NULL))))
			return true;
	}
	return false;
}

void cb_model_allow(struct cb_model *m, const char *subject, const char *program, const char *field, const char *value)
{
	if (cb_model_allowed(m, subject, program, field, value, 0))
		return;
	m->allow = cb_xrealloc(m->allow, (m->nallow + 1) * sizeof(*m->allow));
	m->allow[m->nallow++] = (struct cb_allow){ cb_xstrdup(subject), cb_xstrdup(program), cb_xstrdup(field),
						   cb_xstrdup(value), 0, true };
}
