/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rules.h"
#include "view.h"

#define COUNTS_MAX 64 /* actions of a dataset */

void cb_view_init(struct cb_view *v, struct cb_names *names, struct cb_model *m, bool learn)
{
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
	v->init = cb_names_id(names, "process.first");
	v->parent = cb_names_id(names, "process.parent.name");
	v->first = cb_names_id(names, "syscall.first");
	v->error = cb_names_id(names, "error.errno");
	v->duration = cb_names_id(names, "event.duration_ns");
	v->flags = cb_names_id(names, "file.flags");
	if (!strncmp(m->by, "label:", 6)) {
		v->label = cb_names_id(names, "container.label");
	}
}

void cb_view_done(struct cb_view *v)
{
	size_t i, k;

	for (i = 0; i < v->n; i++) {
		for (k = 0; k < v->set[i].ncount; k++)
			free(v->set[i].count[k].action);
		free(v->set[i].count);
		free(v->set[i].field);
		free(v->set[i].other);
	}
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

	if (role == CB_NONE)
		return;
	field = field_find(v, dataset, name, role);
	if (field < 0)
		return;
	s->field = cb_xrealloc(s->field, (s->n + 1) * sizeof(*s->field));
	s->field[s->n++] = (struct cb_view_field){ cb_names_id(v->names, name), field, v->model->field[field].kind, 0 };
	s->calls |= role == CB_SEQ;
}

static void other_add(struct cb_view *v, struct cb_view_set *s, const char *name)
{
	static const char end[] = ".container.name";
	size_t len = strlen(name);

	if (len < sizeof(end) || strcmp(name + len - (sizeof(end) - 1), end))
		return;
	s->other = cb_xrealloc(s->other, (s->nother + 1) * sizeof(*s->other));
	s->other[s->nother++] = cb_names_id(v->names, name);
}

/* The first that is new gives a row's alarm its name: what was started says more than by whom. */
static int telling_order(const void *a, const void *b)
{
	static const int rank[] = { [CB_FIELD_EXE] = 0,	  [CB_FIELD_ARGS] = 1, [CB_FIELD_PATH] = 2, [CB_FIELD_PEER] = 3,
				    [CB_FIELD_VALUE] = 4, [CB_FIELD_CALLS] = 5, [CB_FIELD_RATE] = 6, [CB_FIELD_LEVEL] = 7,
				    [CB_FIELD_COUNT] = 8 };
	const struct cb_view_field *x = a, *y = b;
	int order = rank[x->kind] - rank[y->kind];

	return order ? order : x->field - y->field;
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
	*s = (struct cb_view_set){ .dataset = d, .exec = !strcmp(d->name, "cbtools.exec"),
				  .rules = cb_rules_any(d->name) };
	/* columns that all rows share have one baseline over all datasets, and come first */
	for (i = 0; i < cb_ncommon_fields; i++)
		set_add(v, s, "", cb_common_fields[i].name, cb_common_fields[i].role);
	for (i = 0; i < d->ncol; i++)
		if (common_role(d->col[i].name) == CB_NROLES) {
			set_add(v, s, d->name, d->col[i].name, d->col[i].role);
			s->counts |= d->col[i].role == CB_SET;
			other_add(v, s, d->col[i].name);
		}
	s->counts &= !s->calls;
	qsort(s->field, s->n, sizeof(*s->field), telling_order);
	return s;
}

static const char *text(const struct cb_row *row, int column)
{
	const char *s = column < 0 ? NULL : cb_row_get(row, column);

	return s ? s : "";
}

int cb_view_count_field(struct cb_view *v, struct cb_view_set *s, const struct cb_row *row)
{
	const char *action = text(row, v->action);
	char *name;
	size_t i;

	for (i = 0; i < s->ncount; i++)
		if (!strcmp(s->count[i].action, action))
			return s->count[i].field;
	if (!s->counts || s->ncount == COUNTS_MAX)
		return -1;
	s->count = cb_xrealloc(s->count, (s->ncount + 1) * sizeof(*s->count));
	name = cb_xasprintf(CB_COUNT_FIELD "%s%s", *action ? ":" : "", action);
	s->count[i] = (struct cb_view_count){ cb_xstrdup(action), field_find(v, s->dataset->name, name, CB_RATE) };
	s->ncount++;
	free(name);
	return s->count[i].field;
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

bool cb_view_amount(const struct cb_row *row, int column, double *ret)
{
	const char *s = text(row, column);
	char *end;

	*ret = strtod(s, &end);
	return end != s && !*end && *ret >= 0 && *ret < 1e18;
}

const char *cb_view_other(const struct cb_view_set *s, const struct cb_row *row, const struct cb_whose *who)
{
	const char *name;
	size_t i;

	for (i = 0; i < s->nother; i++) {
		name = text(row, s->other[i]);
		if (*name && strcmp(name, who->cont))
			return name;
	}
	return NULL;
}

bool cb_view_is_first(const struct cb_view *v, const struct cb_row *row)
{
	return !strcmp(text(row, v->init), "true") || cb_view_number(row, v->vpid, 0) == 1;
}

bool cb_view_is_event(const struct cb_view *v, const struct cb_row *row)
{
	const char *s = text(row, v->kind);

	return !*s || !strcmp(s, "event");
}

/* Of KEY=VALUE, if it is the key that the model goes by. */
static const char *label_value(struct cb_view *v, const struct cb_row *row)
{
	const char *label = text(row, v->label), *key = v->model->by + 6;
	size_t len = strlen(key);

	if (strncmp(label, key, len) || label[len] != '=')
		return "";
	v->labelled = true;
	return label + len + 1;
}

void cb_view_who(struct cb_view *v, const struct cb_row *row, struct cb_whose *ret)
{
	const char *id = text(row, v->cont_id), *name = text(row, v->cont_name), *image = text(row, v->image);
	const char *image_id = text(row, v->image_id), *by = v->model->by;
	const char *cont = first_of(name, id);

	ret->cont = first_of(cont, CB_HOST);
	ret->subject = "";
	if (v->label >= 0)
		ret->subject = label_value(v, row);
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

const char *cb_view_place(struct cb_view *v, const struct cb_row *row, const char *cont)
{
	cb_buf_reset(&v->key);
	cb_buf_printf(&v->key, "%s\t%s", text(row, v->host), cont);
	return v->key.s;
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

/*
 * What is done to a file, then the file. Of what failed only the folder: whoever asks a server for files that are
 * not there chooses their names.
 */
static void put_file(struct cb_view *v, const struct cb_row *row, const char *path, bool folder)
{
	const char *action = text(row, v->action), *flags = text(row, v->flags), *slash = strrchr(path, '/');
	bool failed = *text(row, v->error), opens = !strcmp(action, "open") || !strcmp(action, "create");
	bool writes = strstr(flags, "write") || strstr(flags, "append") || strstr(flags, "truncate");

	cb_buf_puts(&v->value, opens ? (writes ? "write" : "read") : *action ? action : "use");
	if (!strcmp(action, "map"))
		cb_buf_puts(&v->value, strstr(flags, "exec") ? " to run" : writes ? " to write" : "");
	cb_buf_puts(&v->value, failed ? " failed " : " ");
	if (slash && (folder || failed))
		cb_shape_text(&v->value, path, slash + 1 - path);
	else
		cb_shape_text(&v->value, path, strlen(path));
}

/* "outbound tcp 10.1.2.0/24:443", "outbound tcp web-7:80", "listening unix /run/x.17": names are generalised. */
static void put_peer(struct cb_buf *b, const char *s)
{
	while (*s) {
		size_t len = strcspn(s, " "), address = strspn(s, "0123456789abcdef.:/"), name = len;

		while (name && s[name - 1] >= '0' && s[name - 1] <= '9')
			name--;
		if (!name || s[name - 1] != ':')
			name = len;
		if (address < len)
			cb_shape_text(b, s, name);
		else
			name = 0;
		cb_buf_put(b, s + name, len - name);
		if (s[len])
			cb_buf_putc(b, ' ');
		s += len + !!s[len];
	}
}

static bool has_program(enum cb_field_kind k, int level)
{
	return k == CB_FIELD_ARGS || (k != CB_FIELD_EXE && level == 0);
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
	if (has_program(f->kind, level)) {
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
	} else if (f->kind == CB_FIELD_PATH) {
		put_file(v, row, value, level == 2);
	} else if (f->kind == CB_FIELD_PEER) {
		put_peer(b, value);
	} else {
		cb_shape_text(b, value, strlen(value));
	}
	return cb_text(b);
}

int cb_view_missing(const struct cb_view *v, struct cb_err *e)
{
	const struct cb_view_set *s;
	uint64_t rows = 0;
	size_t i, k;

	for (i = 0; i < v->n; i++)
		rows += v->set[i].rows;
	if (v->label >= 0 && rows && !v->labelled)
		return cb_fail(e, -EINVAL, "%s: expected rows with this label (collectors write it with --label=%s), got %llu without",
			       v->model->by, v->model->by + 6, (unsigned long long)rows);

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
