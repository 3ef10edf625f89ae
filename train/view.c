/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "view.h"

void cb_view_init(struct cb_view *v, struct cb_names *names, struct cb_model *m, bool learn)
{
	char *label;

	*v = (struct cb_view){ .names = names, .model = m, .learn = learn, .label = -1 };
	v->kind = cb_names_id(names, "event.kind");
	v->action = cb_names_id(names, "event.action");
	v->lost = cb_names_id(names, "event.lost");
	v->count = cb_names_id(names, "event.count");
	v->host = cb_names_id(names, "host.id");
	v->cont_id = cb_names_id(names, "container.id");
	v->cont_name = cb_names_id(names, "container.name");
	v->image = cb_names_id(names, "container.image.name");
	v->image_id = cb_names_id(names, "container.image.id");
	v->pid = cb_names_id(names, "process.pid");
	v->vpid = cb_names_id(names, "process.vpid");
	v->tid = cb_names_id(names, "process.thread.id");
	v->creation = cb_names_id(names, "process.creation.time");
	v->exec_id = cb_names_id(names, "process.exec.id");
	v->exe = cb_names_id(names, "process.executable.path");
	v->entered = cb_names_id(names, "process.entered");
	v->parent = cb_names_id(names, "process.parent.name");
	v->first = cb_names_id(names, "syscall.first");
	v->error = cb_names_id(names, "error.errno");
	if (!strncmp(m->by, "label:", 6)) {
		label = cb_xasprintf("container.label.%s", m->by + 6);
		v->label = cb_names_id(names, label);
		free(label);
	}
}

void cb_view_done(struct cb_view *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		free(v->set[i].field);
	free(v->set);
	cb_buf_free(&v->key);
	cb_buf_free(&v->value);
	cb_buf_free(&v->shape);
}

static enum cb_role common_role(const char *name)
{
	size_t i;

	for (i = 0; i < cb_ncommon_fields; i++)
		if (!strcmp(cb_common_fields[i].name, name))
			return cb_common_fields[i].role;
	return CB_NROLES;
}

static int field_find(const struct cb_view *v, const char *dataset, const char *name, enum cb_role role)
{
	char *key;
	int i;

	if (v->learn)
		return cb_model_field(v->model, dataset, name, role);
	key = cb_xasprintf("%s\t%s", dataset, name);
	i = cb_strmap_find(&v->model->fields, key, strlen(key));
	free(key);
	return i;
}

static void set_add(struct cb_view *v, struct cb_view_set *s, const char *dataset, const char *name, enum cb_role role)
{
	int field;

	/* counts and levels have no detector yet */
	if (role != CB_SET && role != CB_SEQ)
		return;
	field = field_find(v, dataset, name, role);
	if (field < 0)
		return;
	s->field = cb_xrealloc(s->field, (s->n + 1) * sizeof(*s->field));
	s->field[s->n++] = (struct cb_view_field){ cb_names_id(v->names, name), field, v->model->field[field].kind, 0 };
	s->calls |= role == CB_SEQ;
}

struct cb_view_set *cb_view_set(struct cb_view *v, const struct cb_dataset *d)
{
	struct cb_view_set *s;
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->set[i].dataset == d)
			return &v->set[i];
	v->set = cb_xrealloc(v->set, (v->n + 1) * sizeof(*v->set));
	s = &v->set[v->n++];
	*s = (struct cb_view_set){ .dataset = d, .exec = !strcmp(d->name, "cbtools.exec") };
	/* columns that all rows share have one baseline over all datasets, and come first */
	for (i = 0; i < cb_ncommon_fields; i++)
		set_add(v, s, "", cb_common_fields[i].name, cb_common_fields[i].role);
	for (i = 0; i < d->ncol; i++)
		if (common_role(d->col[i].name) == CB_NROLES)
			set_add(v, s, d->name, d->col[i].name, d->col[i].role);
	/* the first that is new gives a row's alarm its name: what was started says more than by whom */
	for (i = 1; i < s->n; i++)
		if (s->field[i].kind == CB_FIELD_ARGS && s->field[i - 1].kind == CB_FIELD_VALUE) {
			struct cb_view_field f = s->field[i];

			s->field[i] = s->field[i - 1];
			s->field[i - 1] = f;
			i = 0;
		}
	return s;
}

static const char *text(const struct cb_row *row, int column)
{
	const char *s = column < 0 ? NULL : cb_row_get(row, column);

	return s ? s : "";
}

static const char *first_of(const char *a, const char *b)
{
	return *a ? a : b;
}

uint64_t cb_view_number(const struct cb_row *row, int column, uint64_t absent)
{
	const char *s = text(row, column);
	char *end;
	uint64_t n;

	if (*s < '0' || *s > '9')
		return absent;
	n = strtoull(s, &end, 10);
	return *end ? absent : n;
}

bool cb_view_is_event(const struct cb_view *v, const struct cb_row *row)
{
	const char *s = text(row, v->kind);

	return !*s || !strcmp(s, "event");
}

void cb_view_who(struct cb_view *v, const struct cb_row *row, struct cb_whose *ret)
{
	const char *id = text(row, v->cont_id), *name = text(row, v->cont_name), *image = text(row, v->image);
	const char *image_id = text(row, v->image_id), *by = v->model->by;
	const char *cont = first_of(name, id);

	ret->cont = first_of(cont, CB_HOST);
	ret->subject = "";
	if (v->label >= 0)
		ret->subject = text(row, v->label);
	else if (!strcmp(by, "image"))
		ret->subject = first_of(image_id, image);
	ret->subject_name = *ret->subject == *image_id && !strcmp(ret->subject, image_id) ? first_of(image, image_id) :
											      ret->subject;
	if (!*ret->subject)
		ret->subject = ret->subject_name = ret->cont;
	ret->exe = text(row, v->exe);
	ret->entered = !strcmp(text(row, v->entered), "true");
	ret->lost = cb_view_number(row, v->lost, 0);
	ret->count = cb_view_number(row, v->count, 1);
	if (!ret->count)
		ret->count = 1;
}

static const char *join(struct cb_view *v, const struct cb_row *row, const int *column, int n)
{
	const char *s;
	int i;

	cb_buf_reset(&v->key);
	for (i = 0; i < n; i++) {
		s = text(row, column[i]);
		cb_buf_put(&v->key, s, strlen(s));
		cb_buf_putc(&v->key, '\t');
	}
	return cb_text(&v->key);
}

const char *cb_view_cont_key(struct cb_view *v, const struct cb_row *row, const struct cb_whose *who)
{
	const int column[] = { v->host, v->cont_id, v->cont_name };

	return join(v, row, column, 3);
}

const char *cb_view_process_key(struct cb_view *v, const struct cb_row *row)
{
	const int by_exec[] = { v->host, v->pid, v->exec_id }, by_pid[] = { v->host, v->pid, v->creation };

	return join(v, row, *text(row, v->exec_id) ? by_exec : by_pid, 3);
}

const char *cb_view_stream_key(struct cb_view *v, const struct cb_row *row)
{
	cb_view_process_key(v, row);
	cb_buf_puts(&v->key, text(row, v->tid));
	cb_buf_putc(&v->key, '\t');
	cb_buf_puts(&v->key, row->dataset->name);
	return cb_text(&v->key);
}

/* "program <tab> value": a tab is in no text of a row. */
const char *cb_view_value(struct cb_view *v, const struct cb_row *row, const struct cb_whose *who,
			  const struct cb_view_field *f, int level)
{
	const char *value = text(row, f->column), *parent;
	struct cb_buf *b = &v->value;

	if (!*value && f->kind != CB_FIELD_ARGS)
		return NULL;
	cb_buf_reset(b);
	if (f->kind != CB_FIELD_EXE && (level == 0 || f->kind == CB_FIELD_ARGS)) {
		cb_shape_text(b, who->exe, strlen(who->exe));
		if (f->kind == CB_FIELD_ARGS && level == 2)
			return cb_text(b);
		cb_buf_putc(b, '\t');
	}
	if (f->kind == CB_FIELD_ARGS && level == 1) {
		parent = text(row, v->parent);
		cb_shape_text(b, parent, strlen(parent));
	} else if (f->kind == CB_FIELD_ARGS) {
		cb_shape_args(b, value, strlen(value));
	} else {
		cb_shape_text(b, value, strlen(value));
	}
	return cb_text(b);
}

int cb_view_missing(const struct cb_view *v, struct cb_err *e)
{
	const struct cb_view_set *s;
	size_t i, k;

	for (i = 0; i < v->n; i++) {
		s = &v->set[i];
		for (k = 0; k < s->n && s->rows; k++)
			if (!s->field[k].with && s->field[k].kind == CB_FIELD_CALLS)
				return cb_fail(e, -EINVAL, "%s: expected a column %s, which is learned of it, got %llu rows without",
					       s->dataset->name, cb_names_name(v->names, s->field[k].column),
					       (unsigned long long)s->rows);
	}
	return 0;
}
