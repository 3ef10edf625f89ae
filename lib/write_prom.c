/* SPDX-License-Identifier: GPL-2.0 */
/* Rows to numbers in Prometheus' text format. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "buf.h"
#include "field.h"
#include "hash.h"
#include "prom.h"

#define MAX_CONTAINERS 4096    /* then the one that was silent for longest goes */
#define MAX_LABELS 1024	       /* different calls, actions or values of a field, then "other" */
#define LABEL_BYTES 200
#define LINGER_NS 30000000000ULL /* a container that is gone is told for so long: scrapes come each 15 s or so */
#define LATE_NS 2000000000ULL	 /* its last events may come so much later than at the end of the interval */
#define ID_FULL 64		 /* ids of so many digits are known by their first */
#define ID_SHORT 12

enum kind { EVENTS, LAST, RATE, LEVEL };

/* A metric: one HELP, one TYPE, many series. */
struct family {
	enum kind kind;
	const struct cb_field *f; /* RATE and LEVEL */
	char *name;
	double unit; /* one of the field's in base units */
};

struct series_key {
	uint32_t family, label;
};

struct series {
	struct series_key key;
	double value; /* in the field's unit */
	UT_hash_handle hh;
};

struct cont {
	char *key;
	char *id;     /* whole */
	char *labels; /* container="web",id="...",... */
	uint64_t seen, gone;
	struct series *series;
	UT_hash_handle hh; /* in the order last seen */
};

/* What follows the container's labels: ,action="start" */
struct label {
	char *text;
	uint32_t number;
	UT_hash_handle hh;
};

struct cb_prom {
	char *path, *tmp;
	const struct cb_schema *schema;
	const struct cb_field *label_field, *syscall_field;
	uint64_t silent_ns;
	struct family *family;
	uint32_t nfamily;
	struct cont *cont;
	struct label *label;
	const char **label_text; /* by number */
	uint32_t nlabel;
	struct cb_buf key, text, out;
};

/* ---- names ---- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static void cut_end(char *s, const char *end)
{
	if (ends_with(s, end))
		s[strlen(s) - strlen(end)] = 0;
}

/* "container.cpu.time_ns" of dataset resource: cpu_time; what every series has is not said again. */
static char *stem(const struct cb_schema *s, const struct cb_field *f)
{
	const char *name = f->name;
	size_t len = strlen(s->name);
	char *stem;

	if (!strncmp(name, "container.", 10))
		name += 10;
	else if (!strncmp(name, s->name, len) && name[len] == '.')
		name += len + 1;
	stem = cb_xstrdup(name);
	for (char *p = stem; *p; p++)
		*p = isalnum((unsigned char)*p) ? tolower((unsigned char)*p) : '_';
	cut_end(stem, "_total");
	return stem;
}

/* Base units, counters end in _total, and the endings of histograms are kept for those. */
static char *family_name(const struct cb_schema *s, const struct cb_field *f)
{
	const char *unit = "", *end = f->role == CB_RATE ? "_total" : "";
	char *base = stem(s, f), *name;

	if (f->type == CB_DURATION || ends_with(base, "_ns")) {
		cut_end(base, "_ns");
		unit = "_seconds";
	} else if (f->type == CB_BYTES && !ends_with(base, "_bytes") && strcmp(base, "bytes")) {
		unit = "_bytes";
	}
	if (!*end && !*unit && (ends_with(base, "_count") || ends_with(base, "_sum") || ends_with(base, "_bucket")))
		end = "_now";
	name = cb_xasprintf("cbtools_%s_%s%s%s", s->name, base, unit, end);
	free(base);
	return name;
}

static void add_family(struct cb_prom *p, enum kind kind, const struct cb_field *f)
{
	struct family *m;

	p->family = cb_xrealloc(p->family, (p->nfamily + 1) * sizeof(*p->family));
	m = &p->family[p->nfamily++];
	*m = (struct family){ .kind = kind, .f = f, .unit = 1 };
	if (f) {
		m->name = family_name(p->schema, f);
		if (f->type == CB_DURATION || ends_with(f->name, "_ns"))
			m->unit = 1e9;
	} else {
		m->name = cb_xasprintf("cbtools_%s_%s", p->schema->name,
				       kind == EVENTS ? "events_total" : "last_event_timestamp_seconds");
		if (kind == LAST)
			m->unit = 1e9;
	}
}

struct cb_prom *cb_prom_new(const char *path, const struct cb_schema *s, const char *label, uint64_t silent_ns)
{
	struct cb_prom *p = cb_xalloc(sizeof(*p));

	p->path = cb_xstrdup(path);
	p->tmp = cb_xasprintf("%s.tmp", path);
	p->schema = s;
	p->silent_ns = silent_ns;
	add_family(p, EVENTS, NULL);
	add_family(p, LAST, NULL);
	for (size_t i = 0; i < s->nfields; i++) {
		const struct cb_field *f = &s->field[i];

		if (label && !strcmp(f->name, label))
			p->label_field = f;
		if (f->type == CB_SYSCALL)
			p->syscall_field = f;
		if (f->role == CB_RATE)
			add_family(p, RATE, f);
		if (f->role == CB_LEVEL)
			add_family(p, LEVEL, f);
	}
	return p;
}

static struct cont *cont_free(struct cont *c)
{
	struct series *s, *tmp;

	HASH_ITER(hh, c->series, s, tmp) {
		HASH_DEL(c->series, s);
		free(s);
	}
	free(c->key);
	free(c->id);
	free(c->labels);
	free(c);
	return NULL;
}

static void cont_drop(struct cb_prom *p, struct cont *c)
{
	HASH_DEL(p->cont, c);
	cont_free(c);
}

struct cb_prom *cb_prom_free(struct cb_prom *p)
{
	struct cont *c, *ctmp;
	struct label *l, *ltmp;

	if (!p)
		return NULL;
	HASH_ITER(hh, p->cont, c, ctmp)
		cont_drop(p, c);
	HASH_ITER(hh, p->label, l, ltmp) {
		HASH_DEL(p->label, l);
		free(l->text);
		free(l);
	}
	for (uint32_t i = 0; i < p->nfamily; i++)
		free(p->family[i].name);
	free(p->family);
	free(p->label_text);
	cb_buf_free(&p->key);
	cb_buf_free(&p->text);
	cb_buf_free(&p->out);
	free(p->path);
	free(p->tmp);
	free(p);
	return NULL;
}

/* ---- labels ---- */

/* text: in the form of field.h, so without control characters */
static void put_label(struct cb_buf *b, const char *name, const char *text, size_t len)
{
	if (b->len)
		cb_buf_putc(b, ',');
	cb_buf_printf(b, "%s=\"", name);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			cb_buf_putc(b, '\\');
		cb_buf_putc(b, text[i]);
	}
	cb_buf_putc(b, '"');
}

static size_t short_len(const char *id)
{
	size_t len = strlen(id);

	return len == ID_FULL && strspn(id, "0123456789abcdef") == len ? ID_SHORT : len;
}

static void put_common(struct cb_prom *p, struct cb_buf *b, const char *name, const char *s, size_t len)
{
	static const struct cb_field text = { .type = CB_STR, .size = UINT16_MAX };

	cb_buf_reset(&p->key);
	cb_field_text(&text, s, len, LABEL_BYTES, &p->key);
	put_label(b, name, p->key.len ? p->key.s : "", p->key.len);
}

static char *cont_labels(struct cb_prom *p, const struct cb_common *c)
{
	struct cb_buf b = { 0 };

	put_common(p, &b, "container", c->cont_name, strlen(c->cont_name));
	put_common(p, &b, "id", c->cont_id, short_len(c->cont_id));
	put_common(p, &b, "image", c->image, strlen(c->image));
	put_common(p, &b, "runtime", c->runtime, strlen(c->runtime));
	return b.s;
}

/* One that was never seen, before the number is given. */
static struct label *label_add(struct cb_prom *p, const char *text, size_t len)
{
	struct label *l = cb_xalloc(sizeof(*l));

	l->text = cb_xalloc(len + 1);
	memcpy(l->text, text, len);
	l->number = p->nlabel++;
	p->label_text = cb_xrealloc(p->label_text, p->nlabel * sizeof(*p->label_text));
	p->label_text[l->number] = l->text;
	HASH_ADD_KEYPTR(hh, p->label, l->text, len, l);
	return l;
}

static uint32_t label_number(struct cb_prom *p, const struct cb_buf *b)
{
	static const char other[] = "value=\"other\"";
	const char *text = b->len ? b->s : "";
	size_t len = b->len;
	struct label *l;

	HASH_FIND(hh, p->label, text, len, l);
	if (!l && p->nlabel >= MAX_LABELS) {
		text = other;
		len = sizeof(other) - 1;
		HASH_FIND(hh, p->label, text, len, l);
	}
	return (l ? l : label_add(p, text, len))->number;
}

/* Counts of events are by action and by the field that was asked for. */
static uint32_t event_label(struct cb_prom *p, const struct cb_event *ev)
{
	const char *name = p->label_field ? strrchr(p->label_field->name, '.') : NULL;

	cb_buf_reset(&p->text);
	if (*ev->c.action)
		put_common(p, &p->text, "action", ev->c.action, strlen(ev->c.action));
	if (p->label_field) {
		cb_buf_reset(&p->key);
		cb_field_text(p->label_field, ev->rec, ev->len, LABEL_BYTES, &p->key);
		put_label(&p->text, name ? name + 1 : p->label_field->name, p->key.len ? p->key.s : "", p->key.len);
	}
	return label_number(p, &p->text);
}

static uint32_t value_label(struct cb_prom *p, const struct cb_event *ev)
{
	cb_buf_reset(&p->text);
	if (p->syscall_field) {
		cb_buf_reset(&p->key);
		cb_field_text(p->syscall_field, ev->rec, ev->len, LABEL_BYTES, &p->key);
		put_label(&p->text, "syscall", p->key.len ? p->key.s : "", p->key.len);
	}
	return label_number(p, &p->text);
}

/* ---- events ---- */

static void cont_key(struct cb_prom *p, const struct cb_common *c)
{
	const char *id = *c->cont_id ? c->cont_id : c->cont_name;

	cb_buf_reset(&p->key);
	cb_buf_printf(&p->key, "%s\n%.*s", c->runtime, (int)short_len(id), id);
}

static struct cont *cont_get(struct cb_prom *p, const struct cb_common *c, uint64_t now)
{
	struct cont *have;
	char *labels;

	cont_key(p, c);
	HASH_FIND(hh, p->cont, p->key.s, p->key.len, have);
	if (have) {
		HASH_DEL(p->cont, have); /* to the end of the list */
	} else {
		if (HASH_COUNT(p->cont) >= MAX_CONTAINERS)
			cont_drop(p, p->cont);
		have = cb_xalloc(sizeof(*have));
		have->key = cb_xstrdup(p->key.s);
		have->id = cb_xstrdup(*c->cont_id ? c->cont_id : c->cont_name);
	}
	HASH_ADD_KEYPTR(hh, p->cont, have->key, strlen(have->key), have);
	have->seen = now;
	have->gone = 0;
	labels = cont_labels(p, c); /* it may have been given another name */
	free(have->labels);
	have->labels = labels;
	return have;
}

static double *series(struct cont *c, uint32_t family, uint32_t label)
{
	struct series_key key = { family, label };
	struct series *s;

	HASH_FIND(hh, c->series, &key, sizeof(key), s);
	if (!s) {
		s = cb_xalloc(sizeof(*s));
		s->key = key;
		HASH_ADD(hh, c->series, key, sizeof(s->key), s);
	}
	return &s->value;
}

void cb_prom_event(struct cb_prom *p, const struct cb_event *ev, uint64_t now)
{
	struct cont *c = cont_get(p, &ev->c, now);
	uint32_t by_event = event_label(p, ev), by_value = value_label(p, ev);
	double v;
	char *end;

	for (uint32_t i = 0; i < p->nfamily; i++) {
		const struct family *m = &p->family[i];

		switch (m->kind) {
		case EVENTS: *series(c, i, by_event) += ev->c.count; continue;
		case LAST: *series(c, i, by_event) = ev->c.time; continue;
		default: break;
		}
		cb_buf_reset(&p->text);
		cb_field_text(m->f, ev->rec, ev->len, 0, &p->text);
		if (!p->text.len)
			continue;
		v = strtod(p->text.s, &end);
		if (*end)
			continue;
		if (m->kind == RATE)
			*series(c, i, by_value) += v;
		else
			*series(c, i, by_value) = v;
	}
}

/* One with the same id may have been started since. */
void cb_prom_gone(struct cb_prom *p, const char *cont_id, const char *cont_name, uint64_t when, uint64_t interval)
{
	const char *id = *cont_id ? cont_id : cont_name;

	for (struct cont *c = p->cont; c; c = c->hh.next)
		if (!c->gone && c->seen < when + interval + LATE_NS && !strcmp(c->id, id))
			c->gone = when;
}

/* ---- the file ---- */

static void put_head(struct cb_buf *b, const char *name, const char *type, const char *help)
{
	cb_buf_printf(b, "# HELP %s ", name);
	for (; *help; help++)
		cb_buf_puts(b, *help == '\\' ? "\\\\" : *help == '\n' ? "\\n" : (const char[]){ *help, 0 });
	cb_buf_printf(b, "\n# TYPE %s %s\n", name, type);
}

static void put_family(struct cb_prom *p, uint32_t i)
{
	static const char *const type[] = { "counter", "gauge", "counter", "gauge" };
	const struct family *m = &p->family[i];
	char *help = m->f			? cb_xstrdup(m->f->help)
		     : m->kind == EVENTS ? cb_xasprintf("events of cbtools.%s", p->schema->name)
					 : cb_xasprintf("time of the last event of cbtools.%s", p->schema->name);
	bool any = false;

	for (const struct cont *c = p->cont; c; c = c->hh.next)
		for (const struct series *s = c->series; s; s = s->hh.next) {
			const char *more = p->label_text[s->key.label];

			if (s->key.family != i)
				continue;
			if (!any)
				put_head(&p->out, m->name, type[m->kind], help);
			any = true;
			cb_buf_printf(&p->out, "%s{%s%s%s} ", m->name, c->labels, *more ? "," : "", more);
			cb_float_text(&p->out, s->value / m->unit, -1);
			cb_buf_putc(&p->out, '\n');
		}
	free(help);
}

static void put_own(struct cb_prom *p, const char *name, const char *help, uint64_t v)
{
	char *full = cb_xasprintf("cbtools_collector_%s_total", name);

	put_head(&p->out, full, "counter", help);
	cb_buf_printf(&p->out, "%s{dataset=\"%s\"} %llu\n", full, p->schema->name, (unsigned long long)v);
	free(full);
}

static void drop_old(struct cb_prom *p, uint64_t now)
{
	struct cont *c, *tmp;

	HASH_ITER(hh, p->cont, c, tmp)
		if ((c->gone && now - c->gone >= LINGER_NS) || (p->silent_ns && now - c->seen >= p->silent_ns))
			cont_drop(p, c);
}

/* Read by node-exporter, which runs as somebody else. */
static int write_file(const struct cb_prom *p, struct cb_err *e)
{
	int fd = open(p->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644), err = 0;

	if (fd < 0)
		return cb_fail(e, -errno, "%s: cannot open for writing: %s", p->tmp, strerror(errno));
	for (size_t done = 0; !err && done < p->out.len;) {
		ssize_t n = write(fd, p->out.s + done, p->out.len - done);

		if (n > 0)
			done += n;
		else if (n == 0 || errno != EINTR)
			err = n ? errno : ENOSPC;
	}
	if (!err && fchmod(fd, 0644))
		err = errno;
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(p->tmp, p->path))
		err = errno;
	if (!err)
		return 0;
	unlink(p->tmp);
	return cb_fail(e, -err, "%s: cannot write: %s", p->path, strerror(err));
}

int cb_prom_write(struct cb_prom *p, const struct cb_common *c, uint64_t now, struct cb_err *e)
{
	drop_old(p, now);
	cb_buf_reset(&p->out);
	for (uint32_t i = 0; i < p->nfamily; i++)
		put_family(p, i);
	put_own(p, "seen", "records that the probes saw, or rows read", c->seen);
	put_own(p, "sent", "of these, told", c->sent);
	put_own(p, "filtered", "of these, not asked for", c->filtered);
	put_own(p, "lost", "of these, lost because the reader was too slow", c->lost);
	put_own(p, "recursion_misses", "runs of a probe that the kernel skipped", c->misses);
	return write_file(p, e);
}
