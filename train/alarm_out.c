/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "alarm.h"
#include "alarm_out.h"
#include "field.h"
#include "hash.h"
#include "incidents.h"
#include "kept.h"
#include "recent.h"
#include "technique.h"

#define SIGNATURES 1024
/* Values of one field that were never seen: so many are told each, the rest together. What has a name, a while longer. */
#define MANY 8
#define MANY_NAMED 64
/* But what is another search is told beside the first: so many places, each with so many values. */
#define PLACES 8
#define OF_PLACE 2
#define TICK_NS 1000000000ULL

/* An alarm that may come again. The row it was raised with, to be written with its count. */
struct held {
	struct alarm_rec rec;
	struct cb_kept kept;
	uint64_t last, count;
	bool closed;
};
/* All alarms about one field of one program. */
struct group {
	uint64_t last, place; /* folder, host of the last value: its hash */
	unsigned n, places;
};
struct cb_alarms {
	const struct cb_model *model;
	struct cb_names *names;
	struct cb_writer *w, *wi; /* of incidents */
	const char *path;
	struct cb_incidents *incidents;
	void (*watch)(void *arg, const struct cb_event *ev);
	void *watch_arg;
	uint64_t next, ticked;
	struct cb_recent held, groups;
	struct cb_buf key, text, many;
};

static void write_held(struct cb_alarms *a, struct held *h, const char *action, uint64_t lost)
{
	struct cb_event ev = { .schema = &cb_schema_alarm,  .c = h->kept.c, .rec = &h->rec, .len = sizeof(h->rec) };

	ev.c.action = action;
	ev.c.count = h->count;
	ev.c.lost = lost;
	cb_writer_event(a->w, &ev);
	if (a->watch)
		a->watch(a->watch_arg, &ev);
}

void cb_alarms_watch(struct cb_alarms *a, void (*fn)(void *arg, const struct cb_event *ev), void *arg)
{
	a->watch = fn;
	a->watch_arg = arg;
}

static void close_held(struct cb_alarms *a, struct held *h)
{
	if (!h->closed && h->count > 1) {
		h->kept.c.time = h->last;
		write_held(a, h, "ended", 0);
	}
	h->closed = true;
}

static void drop_held(void *value, void *arg)
{
	struct held *h = value;

	close_held(arg, h);
	cb_kept_free(&h->kept);
	free(h);
}

static void write_incident(void *arg, const struct cb_event *ev)
{
	struct cb_alarms *a = arg;

	if (a->wi)
		cb_writer_event(a->wi, ev);
}

struct cb_alarms *cb_alarms_new(const struct cb_model *m, struct cb_names *names, struct cb_writer *w,
				struct cb_writer *incidents, const char *model_path)
{
	struct cb_alarms *a = cb_xalloc(sizeof(*a));

	a->model = m;
	a->names = names;
	a->w = w;
	a->wi = incidents;
	a->path = model_path;
	a->held = (struct cb_recent){ .max = SIGNATURES, .drop = drop_held, .arg = a };
	a->groups = (struct cb_recent){ .max = SIGNATURES };
	a->incidents = cb_incidents_new(write_incident, a);
	return a;
}

struct cb_alarms *cb_alarms_free(struct cb_alarms *a)
{
	if (!a)
		return NULL;
	cb_recent_free(&a->held);
	cb_incidents_free(a->incidents);
	cb_recent_free(&a->groups);
	cb_buf_free(&a->many);
	cb_buf_free(&a->key);
	cb_buf_free(&a->text);
	free(a);
	return NULL;
}

/* Row text into a record's bytes; what does not fit is cut. */
static void put(char *to, size_t size, const char *text, size_t len)
{
	char *raw = cb_xalloc(len + 1);
	int n = cb_unescape(raw, len, text, len);

	if (n < 0) { /* cut inside an escape, or no text of ours */
		memcpy(raw, text, len);
		n = len;
	}
	if ((size_t)n > size)
		n = size;
	memset(to, 0, size);
	memcpy(to, raw, n);
	free(raw);
}

#define PUT(member, s) put(member, sizeof(member), s, strlen(s))
#define PUT_BUF(member, b) put(member, sizeof(member), cb_text(b), (b)->len)

static void quote(struct cb_buf *b, const char *option, const char *s)
{
	cb_buf_printf(b, " %s '", option);
	for (; *s; s++) {
		if (*s == '\'')
			cb_buf_puts(b, "'\"'\"'"); /* no backslash: that begins an escape */
		else
			cb_buf_putc(b, *s);
	}
	cb_buf_putc(b, '\'');
}

/* Escapes stay escapes when it is written: cmodel takes texts as rows have them. */
static void allow_command(struct cb_alarms *a, const struct cb_finding *f, char *to, size_t size)
{
	struct cb_buf *b = &a->text;

	cb_buf_reset(b);
	cb_buf_printf(b, "cmodel allow %s", a->path);
	quote(b, "-s", f->subject);
	if (*f->program)
		quote(b, "-p", f->program);
	quote(b, "-f", f->field);
	quote(b, "-v", f->value);
	put(to, size, b->s, b->len);
}

void cb_alarms_link(struct cb_alarms *a, const char *place, const char *other, uint64_t now)
{
	cb_incidents_link(a->incidents, place, other, now);
}

static void keep_common(struct held *h, const struct cb_common *from, uint64_t time)
{
	struct cb_common c = *from;

	c.time = time;
	c.dataset = "cbtools.alarm";
	c.kind = "event";
	c.action = "";
	c.start = c.end = c.duration = 0;
	c.truncated = false;
	cb_kept_set(&h->kept, &c);
}

static int fill(struct cb_alarms *a, struct held *h, const struct cb_finding *f, const struct cb_row *row,
		const char *place, uint64_t now, struct cb_err *e)
{
	struct cb_event ev;
	int err = cb_event_from_row(&cb_schema_alarm, a->names, row, &h->rec, &ev, e);

	if (err < 0)
		return err;
	keep_common(h, &ev.c, row->time);
	memset(&h->rec, 0, sizeof(h->rec));
	h->rec.id = ++a->next;
	h->rec.incident = cb_incidents_of(a->incidents, place, h->rec.id, now);
	h->rec.score = (int64_t)(f->score * 100 + 0.5) / 100.0;
	PUT(h->rec.kind, f->kind);
	PUT(h->rec.detector, f->detector);
	PUT(h->rec.field, f->field);
	if (f->technique)
		PUT(h->rec.technique, f->technique);
	PUT(h->rec.subject, f->subject);
	PUT(h->rec.program, f->program);
	PUT(h->rec.value, f->value);
	PUT_BUF(h->rec.reason, &f->reason);
	PUT_BUF(h->rec.expected, &f->expected);
	PUT_BUF(h->rec.calls, &f->calls);
	allow_command(a, f, h->rec.allow, sizeof(h->rec.allow));
	return 0;
}

static struct group *group_of(struct cb_alarms *a, const struct cb_finding *f, const char *cont)
{
	struct group *g;

	cb_buf_reset(&a->key);
	cb_buf_printf(&a->key, "%s\t%s\t%s\t%s\t%s", cont, f->subject, f->program, f->detector, f->field);
	g = cb_recent_get(&a->groups, a->key.s, a->key.len);
	if (!g) {
		g = cb_xalloc(sizeof(*g));
		cb_recent_put(&a->groups, a->key.s, a->key.len, g);
	}
	return g;
}

/* NULL: there is none, or it has been quiet for long. */
static struct held *going_on(struct cb_alarms *a, const struct cb_finding *f, const char *cont, uint64_t now,
			     struct held **ret_was)
{
	struct held *h;

	cb_buf_reset(&a->key);
	cb_buf_printf(&a->key, "%s\t%s\t%s\t%s\t%s\t%s", cont, f->subject, f->program, f->detector, f->field, f->value);
	*ret_was = h = cb_recent_get(&a->held, a->key.s, a->key.len);
	return h && now - h->last <= CB_QUIET_NS && !h->closed ? h : NULL;
}

/* What comes before the last / or : of a value. */
static uint64_t place_of_value(const char *value)
{
	size_t len = strlen(value);

	while (len && value[len - 1] != '/' && value[len - 1] != ':')
		len--;
	return cb_hash_bytes(value, len);
}

static void go_elsewhere(struct group *g, unsigned most, uint64_t place)
{
	if (g->place == place || g->places == PLACES)
		return;
	g->place = place;
	g->places++;
	if (g->n > most - OF_PLACE)
		g->n = most - OF_PLACE;
}

/* A scan, a search: told as one from some number on. True: f is now that one. */
static bool too_many(struct cb_alarms *a, struct cb_finding *f, const char *cont, uint64_t now)
{
	struct group *g = group_of(a, f, cont);
	unsigned most = f->technique ? MANY_NAMED : MANY;

	if (now - g->last > CB_QUIET_NS)
		g->n = g->places = 0;
	g->last = now;
	go_elsewhere(g, most, place_of_value(f->value));
	if (strcmp(f->detector, "set") || g->n++ < most)
		return false;
	cb_buf_reset(&a->many);
	cb_buf_printf(&a->many, "more than %u different ones in a row, now: %s", most, cb_text(&f->reason));
	f->reason = a->many;
	f->value = CB_MANY;
	f->technique = cb_technique(f->field, CB_MANY);
	return true;
}

static bool again(struct cb_alarms *a, struct held *h, const char *place, uint64_t now)
{
	uint64_t id;

	if (!h)
		return false;
	h->count++;
	h->last = now;
	id = cb_incidents_of(a->incidents, place, h->rec.incident, now);
	cb_incidents_add(a->incidents, id, &h->rec, &h->kept.c, true, now);
	return true;
}

static bool allowed(const struct cb_alarms *a, const struct cb_finding *f, uint64_t now)
{
	return cb_model_allowed(a->model, f->subject, f->program, f->field, f->value, now);
}

int cb_alarms_raise(struct cb_alarms *a, const struct cb_finding *found, const struct cb_row *row, const char *cont,
		    const char *place, uint64_t now, uint64_t lost, struct cb_err *e)
{
	struct cb_finding copy = *found, *f = &copy;
	struct held *h, *was;
	int err;

	if (allowed(a, f, now) || again(a, going_on(a, f, cont, now, &was), place, now))
		return 0;
	if (too_many(a, f, cont, now) &&
	    (allowed(a, f, now) || again(a, going_on(a, f, cont, now, &was), place, now)))
		return 0;
	going_on(a, f, cont, now, &was); /* the key */
	h = was ? was : cb_xalloc(sizeof(*h));
	if (was)
		close_held(a, was);
	err = fill(a, h, f, row, place, now, e);
	h->last = now;
	h->count = 1;
	h->closed = err < 0;
	if (!was)
		cb_recent_put(&a->held, a->key.s, a->key.len, h);
	if (err)
		return err;
	write_held(a, h, "raised", lost);
	cb_incidents_add(a->incidents, h->rec.incident, &h->rec, &h->kept.c, false, now);
	return 0;
}

struct tick {
	struct cb_alarms *a;
	uint64_t now;
	bool all;
};

static void tick_one(void *value, void *arg)
{
	struct held *h = value;
	struct tick *t = arg;

	if (t->all || t->now - h->last > CB_QUIET_NS)
		close_held(t->a, h);
}

void cb_alarms_tick(struct cb_alarms *a, uint64_t now, bool all)
{
	struct tick t = { a, now, all };

	if (!all && now - a->ticked < TICK_NS)
		return;
	a->ticked = now;
	cb_recent_each(&a->held, tick_one, &t);
	cb_incidents_tick(a->incidents, now, all);
}

uint64_t cb_alarms_count(const struct cb_alarms *a)
{
	return a->next;
}
