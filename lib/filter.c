/* SPDX-License-Identifier: GPL-2.0 */
/* -c, --exclude, -a, -p, -n, -u: which rows are asked for. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "container.h"

#define MIN_ID 4 /* digits of an id: fewer is a name */

enum form { NAME, IMAGE, LABEL, CGROUP };
struct pattern {
	enum form form;
	char *text;
	bool id; /* NAME that may also be the beginning of an id */
};
struct patterns {
	struct pattern *v;
	size_t n;
};
struct cb_filter {
	struct patterns include, exclude;
	uint32_t *pid, *uid;
	size_t npid, nuid;
	char **comm;
	size_t ncomm;
	bool host;
};

/* What a pattern is held against, of a container or of a row that names one. */
struct subject {
	const char *id, *name, *image, *image_id, *cgroup;
	char *const *label;
};

struct cb_filter *cb_filter_new(void)
{
	return cb_xalloc(sizeof(struct cb_filter));
}

static void patterns_free(struct patterns *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
	free(p->v);
}

void cb_filter_free(struct cb_filter *f)
{
	if (!f)
		return;
	patterns_free(&f->include);
	patterns_free(&f->exclude);
	for (size_t i = 0; i < f->ncomm; i++)
		free(f->comm[i]);
	free(f->comm);
	free(f->pid);
	free(f->uid);
	free(f);
}

static bool after(const char *s, const char *prefix, const char **ret)
{
	size_t n = strlen(prefix);

	*ret = s + n;
	return !strncmp(s, prefix, n);
}

static int add(struct patterns *p, const char *option, const char *text, struct cb_err *e)
{
	struct pattern new = { 0 };
	const char *rest = text;
	size_t len;

	if (after(text, "image=", &rest))
		new.form = IMAGE;
	else if (after(text, "label=", &rest))
		new.form = LABEL;
	else if (*(rest = text) == '/')
		new.form = CGROUP;
	len = strlen(rest);
	if (!len || (new.form == LABEL && *rest == '='))
		return cb_fail(e, -EINVAL,
			       "%s: expected a name, id prefix, image=GLOB, label=K[=V] or /cgroup/path, got \"%s\"",
			       option, text);
	new.id = new.form == NAME && len >= MIN_ID && strspn(rest, "0123456789abcdef") == len;
	new.text = cb_xstrdup(rest);
	/* "/docker/" is "/docker"; "/" is all */
	while (new.form == CGROUP && len && new.text[len - 1] == '/')
		new.text[--len] = 0;
	p->v = cb_xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = new;
	return 0;
}

int cb_filter_include(struct cb_filter *f, const char *pattern, struct cb_err *e)
{
	return add(&f->include, "--container", pattern, e);
}

int cb_filter_exclude(struct cb_filter *f, const char *pattern, struct cb_err *e)
{
	return add(&f->exclude, "--exclude", pattern, e);
}

void cb_filter_pid(struct cb_filter *f, uint32_t pid)
{
	f->pid = cb_xrealloc(f->pid, (f->npid + 1) * sizeof(*f->pid));
	f->pid[f->npid++] = pid;
}

void cb_filter_uid(struct cb_filter *f, uint32_t uid)
{
	f->uid = cb_xrealloc(f->uid, (f->nuid + 1) * sizeof(*f->uid));
	f->uid[f->nuid++] = uid;
}

void cb_filter_comm(struct cb_filter *f, const char *comm)
{
	f->comm = cb_xrealloc(f->comm, (f->ncomm + 1) * sizeof(*f->comm));
	f->comm[f->ncomm++] = cb_xstrdup(comm);
}

void cb_filter_host(struct cb_filter *f, bool host)
{
	f->host = host;
}

/* "K" is any value, "K=V" this one. */
static bool has_label(char *const *label, const char *want)
{
	size_t n = strlen(want);

	for (; label && *label; label++) {
		if (strchr(want, '=') ? !strcmp(*label, want) : !strncmp(*label, want, n) && (*label)[n] == '=')
			return true;
	}
	return false;
}

static bool below(const char *cgroup, const char *path)
{
	size_t n = strlen(path);

	return !strncmp(cgroup, path, n) && (!cgroup[n] || cgroup[n] == '/');
}

static bool matches(const struct pattern *p, const struct subject *s)
{
	switch (p->form) {
	case NAME:
		return !fnmatch(p->text, s->name, 0) || (p->id && !strncmp(s->id, p->text, strlen(p->text)));
	case IMAGE:
		return !fnmatch(p->text, s->image, 0) || (*s->image_id && !fnmatch(p->text, s->image_id, 0));
	case LABEL:
		return has_label(s->label, p->text);
	case CGROUP:
		return below(s->cgroup, p->text);
	}
	return false;
}

static bool any(const struct patterns *p, const struct subject *s)
{
	for (size_t i = 0; i < p->n; i++)
		if (matches(&p->v[i], s))
			return true;
	return false;
}

static bool wanted(const struct cb_filter *f, const struct subject *s)
{
	return (!f->include.n || any(&f->include, s)) && !any(&f->exclude, s);
}

static bool host_wanted(const struct cb_filter *f)
{
	return f->host && !f->include.n;
}

bool cb_filter_cont(const struct cb_filter *f, const struct cb_cont *c)
{
	if (!c)
		return host_wanted(f);
	return wanted(f, &(struct subject){ c->id, c->name, c->image, c->image_id, c->cgroup, c->label });
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* A replayed row: its own columns say what it was. Every container's row has a runtime, the host's has none. */
static bool row_wanted(const struct cb_filter *f, const struct cb_common *row)
{
	struct subject s = { or_empty(row->cont_id), or_empty(row->cont_name), or_empty(row->image),
			     or_empty(row->image_id), or_empty(row->cgroup), NULL };

	if (!*s.id && !*s.name && !*or_empty(row->runtime))
		return host_wanted(f);
	return wanted(f, &s);
}

static bool in(const uint32_t *v, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return !n;
}

/* The kernel keeps 15 bytes of a name. */
static bool comm_wanted(const struct cb_filter *f, const char *comm)
{
	for (size_t i = 0; i < f->ncomm; i++)
		if (!strncmp(f->comm[i], comm, CB_COMM - 1))
			return true;
	return !f->ncomm;
}

bool cb_filter_by_process(const struct cb_filter *f)
{
	return f->npid || f->nuid || f->ncomm;
}

static bool process_wanted(const struct cb_filter *f, const struct cb_common *row)
{
	return in(f->pid, f->npid, row->pid) && in(f->uid, f->nuid, row->uid) &&
	       comm_wanted(f, or_empty(row->comm));
}

bool cb_filter_event(const struct cb_filter *f, const struct cb_cont *c, const struct cb_common *row)
{
	return (c ? cb_filter_cont(f, c) : row_wanted(f, row)) && process_wanted(f, row);
}

/* Text of a field of the row's own table, cut as little as fits; "" if there is none. */
static const char *own_text(const struct cb_event *ev, const char *name, char *to, size_t size)
{
	const struct cb_schema *s = ev->schema;

	*to = '\0';
	for (size_t i = 0; i < s->nfields; i++) {
		const struct cb_field *f = &s->field[i];

		if (f->type == CB_STR && f->off + f->size <= ev->len && !strcmp(f->name, name))
			snprintf(to, size, "%.*s", (int)f->size, (const char *)ev->rec + f->off);
	}
	return to;
}

bool cb_filter_target(const struct cb_filter *f, const struct cb_event *ev)
{
	char id[256], name[256], image[256];
	struct subject s = { own_text(ev, "target.container.id", id, sizeof(id)),
			     own_text(ev, "target.container.name", name, sizeof(name)),
			     own_text(ev, "target.container.image.name", image, sizeof(image)), "", "", NULL };

	return (*s.id || *s.name) && wanted(f, &s) && process_wanted(f, &ev->c);
}
