/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "incident.h"
#include "incidents.h"
#include "kept.h"
#include "recent.h"

#define INCIDENTS 1024
#define PLACES 1024
#define LINKS 8
#define WORSE 1.0 /* so much more of a score is worth a row */

struct incident {
	struct incident_rec rec;
	struct cb_kept kept; /* common part of its first alarm */
	uint64_t first, last, count;
	double told; /* score of its last row */
	bool over;
};
/* A container, as to incidents. */
struct place {
	uint64_t id, last; /* incident, and its last alarm here; 0: none */
	struct {
		char *place;
		uint64_t last;
	} other[LINKS]; /* whom it had to do with */
};
struct cb_incidents {
	void (*write)(void *arg, const struct cb_event *ev);
	void *arg;
	struct cb_recent incidents, places;
};

static void tell(struct cb_incidents *in, struct incident *i, const char *action)
{
	struct cb_event ev = { .schema = &cb_schema_incident, .c = i->kept.c, .rec = &i->rec, .len = sizeof(i->rec) };

	ev.c.action = action;
	ev.c.time = i->last;
	ev.c.start = i->first;
	ev.c.end = i->last;
	ev.c.duration = i->last - i->first;
	ev.c.count = i->count;
	i->told = i->rec.score;
	in->write(in->arg, &ev);
}

static void close_incident(struct cb_incidents *in, struct incident *i, const char *action)
{
	if (!i->over)
		tell(in, i, action);
	i->over = true;
}

static void drop_incident(void *value, void *arg)
{
	struct incident *i = value;

	close_incident(arg, i, "closed");
	cb_kept_free(&i->kept);
	free(i);
}

static void drop_place(void *value, void *arg)
{
	struct place *p = value;
	int i;

	for (i = 0; i < LINKS; i++)
		free(p->other[i].place);
	free(p);
}

struct cb_incidents *cb_incidents_new(void (*write)(void *arg, const struct cb_event *ev), void *arg)
{
	struct cb_incidents *in = cb_xalloc(sizeof(*in));

	in->write = write;
	in->arg = arg;
	in->incidents = (struct cb_recent){ .max = INCIDENTS, .drop = drop_incident, .arg = in };
	in->places = (struct cb_recent){ .max = PLACES, .drop = drop_place };
	return in;
}

struct cb_incidents *cb_incidents_free(struct cb_incidents *in)
{
	if (!in)
		return NULL;
	cb_recent_free(&in->incidents);
	cb_recent_free(&in->places);
	free(in);
	return NULL;
}

/* ---- places ---- */

static struct place *place_of(struct cb_incidents *in, const char *name)
{
	struct place *p = cb_recent_get(&in->places, name, strlen(name));

	if (!p) {
		p = cb_xalloc(sizeof(*p));
		cb_recent_put(&in->places, name, strlen(name), p);
	}
	return p;
}

static void link_to(struct place *p, const char *other, uint64_t now)
{
	int i, oldest = 0;

	for (i = 0; i < LINKS; i++) {
		if (p->other[i].place && !strcmp(p->other[i].place, other)) {
			p->other[i].last = now;
			return;
		}
		if (p->other[i].last < p->other[oldest].last)
			oldest = i;
	}
	free(p->other[oldest].place);
	p->other[oldest].place = cb_xstrdup(other);
	p->other[oldest].last = now;
}

void cb_incidents_link(struct cb_incidents *in, const char *place, const char *other, uint64_t now)
{
	link_to(place_of(in, place), other, now);
	/* the other one may only be named here */
	link_to(place_of(in, other), place, now);
}

/* ---- incidents ---- */

static struct incident *find(struct cb_incidents *in, uint64_t id)
{
	return cb_recent_get(&in->incidents, (const char *)&id, sizeof(id));
}

/* Its number, following what it was joined to; 0: none that is still open. */
static uint64_t open_at(struct cb_incidents *in, const struct place *p, uint64_t now)
{
	struct incident *i;
	uint64_t id;

	if (!p || !p->id || now - p->last > CB_QUIET_NS)
		return 0;
	for (id = p->id; (i = find(in, id)) && i->over && i->rec.joined != CB_UNKNOWN;)
		id = i->rec.joined;
	return i && !i->over ? id : 0;
}

/* Adds a word to a list of words unless it is there; false: it was, or there is no room. */
static bool add_word(char *list, size_t size, const char *word)
{
	size_t len = strlen(word), used = strnlen(list, size);
	const char *s = list;

	for (; len && (s = strstr(s, word)); s += len)
		if ((s == list || s[-1] == ' ') && (!s[len] || s[len] == ' '))
			return false;
	if (!len || used + len + 2 > size)
		return false;
	if (used)
		list[used++] = ' ';
	memcpy(list + used, word, len + 1);
	return true;
}

static void add_words(char *list, size_t size, const char *words)
{
	char *copy = cb_xstrdup(words), *save = NULL, *word;

	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		add_word(list, size, word);
	free(copy);
}

#define ADD_WORD(member, s) add_word(member, sizeof(member), s)
#define ADD_WORDS(member, s) add_words(member, sizeof(member), s)

static void set_worst(struct incident *i, double score, const char *reason, size_t size)
{
	i->rec.score = score;
	memset(i->rec.reason, 0, sizeof(i->rec.reason));
	memcpy(i->rec.reason, reason, size < sizeof(i->rec.reason) ? size : sizeof(i->rec.reason));
}

/* Two that were open by themselves are one: the older has all, the younger ends. */
static uint64_t join(struct cb_incidents *in, uint64_t a, uint64_t b)
{
	struct incident *old = find(in, a < b ? a : b), *young = find(in, a < b ? b : a);

	if (a == b || !old || !young)
		return a;
	ADD_WORDS(old->rec.containers, young->rec.containers);
	ADD_WORDS(old->rec.kinds, young->rec.kinds);
	ADD_WORDS(old->rec.techniques, young->rec.techniques);
	old->rec.alarms += young->rec.alarms;
	old->count += young->count;
	old->first = young->first < old->first ? young->first : old->first;
	old->last = young->last > old->last ? young->last : old->last;
	if (young->rec.score > old->rec.score)
		set_worst(old, young->rec.score, young->rec.reason, sizeof(young->rec.reason));
	young->rec.joined = old->rec.id;
	close_incident(in, young, "joined");
	tell(in, old, "updated");
	return old->rec.id;
}

uint64_t cb_incidents_of(struct cb_incidents *in, const char *name, uint64_t alarm, uint64_t now)
{
	struct place *p = place_of(in, name), *o;
	uint64_t id = open_at(in, p, now), other;
	int i;

	for (i = 0; i < LINKS; i++) {
		if (!p->other[i].place || now - p->other[i].last > CB_QUIET_NS)
			continue;
		o = cb_recent_get(&in->places, p->other[i].place, strlen(p->other[i].place));
		other = open_at(in, o, now);
		if (other)
			id = id ? join(in, id, other) : other;
	}
	/* whom it had to do with may have been forgotten with others, but not it */
	p = place_of(in, name);
	p->id = id ? id : alarm;
	p->last = now;
	return p->id;
}

static struct incident *open_incident(struct cb_incidents *in, uint64_t id, const struct cb_common *c, uint64_t now)
{
	struct incident *i = cb_xalloc(sizeof(*i));
	struct cb_common part = { .dataset = "cbtools.incident", .kind = "event", .host_id = c->host_id, .boot_id = c->boot_id,
				  .cont_id = c->cont_id, .cont_name = c->cont_name, .image = c->image,
				  .image_id = c->image_id, .runtime = c->runtime, .cgroup = c->cgroup, .label = c->label };

	cb_kept_set(&i->kept, &part);
	i->first = now;
	i->rec.id = id;
	i->rec.joined = CB_UNKNOWN;
	i->rec.score = -1;
	cb_recent_put(&in->incidents, (const char *)&i->rec.id, sizeof(i->rec.id), i);
	return i;
}

void cb_incidents_add(struct cb_incidents *in, uint64_t id, const struct alarm_rec *r, const struct cb_common *c, bool again,
		      uint64_t now)
{
	struct incident *i = find(in, id);
	bool opened = !i, grew = false;

	if (!i)
		i = open_incident(in, id, c, now);
	i->last = now;
	i->count++;
	if (again && !opened)
		return;
	i->rec.alarms++;
	grew |= ADD_WORD(i->rec.containers, *c->cont_name ? c->cont_name : c->cont_id);
	grew |= ADD_WORD(i->rec.kinds, r->kind);
	ADD_WORD(i->rec.techniques, r->technique);
	if (r->score > i->rec.score)
		set_worst(i, r->score, r->reason, sizeof(r->reason));
	if (opened)
		tell(in, i, "opened");
	else if (grew || i->rec.score >= i->told + WORSE)
		tell(in, i, "updated");
}

struct tick {
	struct cb_incidents *in;
	uint64_t now;
	bool all;
};

static void tick_one(void *value, void *arg)
{
	struct incident *i = value;
	struct tick *t = arg;

	if (t->all || t->now - i->last > CB_QUIET_NS)
		close_incident(t->in, i, "closed");
}

void cb_incidents_tick(struct cb_incidents *in, uint64_t now, bool all)
{
	struct tick t = { in, now, all };

	cb_recent_each(&in->incidents, tick_one, &t);
}
