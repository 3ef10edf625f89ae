/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "absorb.h"
#include "learn.h"

#define GAP_NS 60000000000ULL /* a longer silence of all streams is time nobody watched */

struct cont {
	struct cb_subject *subject;
	uint64_t since; /* watched time */
	bool ended;
	bool starts; /* it was not there when watching began */
};
struct stream {
	uint32_t process, program;
	struct cb_subject *subject; /* NULL: not learned */
	uint64_t expect; /* number of its next call */
	uint32_t epoch;	 /* of losses */
};

/* How much, of a container or of one program in it. */
struct track {
	struct cb_track now;
	struct cb_rate *rate; /* NULL: there are too many */
	double most[CB_SPANS]; /* of the block at hand */
	uint64_t block;
	bool start, any;
};

struct cb_learn {
	struct cb_model *model;
	struct cb_view view;
	struct cb_tokens *tokens;
	bool lossy;
	struct cb_learn_stats stats;
	struct cb_strmap conts; /* number: owner of units */
	struct cont *cont;
	size_t cont_cap;
	uint64_t clock, watched; /* UTC ns; ns */
	uint32_t epoch;
	struct cb_strmap streams, processes;
	struct stream *stream;
	size_t stream_cap;
	struct cb_strmap tracks;
	struct track *track;
	size_t track_cap;
	struct cb_batch batch;
};

struct cb_learn *cb_learn_new(struct cb_model *m, struct cb_names *names, bool lossy)
{
	struct cb_learn *l = cb_xalloc(sizeof(*l));

	l->model = m;
	l->lossy = lossy;
	cb_view_init(&l->view, names, m, true);
	l->tokens = cb_tokens_new(m, true);
	return l;
}

struct cb_learn *cb_learn_free(struct cb_learn *l)
{
	if (!l)
		return NULL;
	cb_view_done(&l->view);
	cb_tokens_free(l->tokens);
	cb_strmap_free(&l->conts);
	cb_strmap_free(&l->streams);
	cb_strmap_free(&l->processes);
	free(l->cont);
	free(l->stream);
	cb_strmap_free(&l->tracks);
	free(l->track);
	cb_batch_free(&l->batch);
	free(l);
	return NULL;
}

const struct cb_learn_stats *cb_learn_stats(const struct cb_learn *l)
{
	return &l->stats;
}

static void clock_on(struct cb_learn *l, uint64_t time)
{
	if (!time)
		return;
	if (!l->stats.first)
		l->stats.first = l->clock = time;
	if (time <= l->clock)
		return;
	l->watched += time - l->clock < GAP_NS ? time - l->clock : 0;
	l->clock = l->stats.last = time;
}

static void add_days(struct cb_subject *s, double days)
{
	s->days += days;
	s->days_add += days;
}

/* Its days are counted here or at the end of the input. */
static void cont_end(struct cb_learn *l, struct cont *c)
{
	if (!c->ended && c->subject)
		add_days(c->subject, (l->watched - c->since) / 86400e9);
	c->ended = true;
}

static struct cont *cont_of(struct cb_learn *l, const struct cb_row *row, const struct cb_whose *who)
{
	const char *key = cb_view_cont_key(&l->view, row, who);
	bool made;
	size_t i = cb_strmap_add(&l->conts, key, strlen(key), &made);
	struct cont *c;

	if (i >= l->cont_cap) {
		l->cont_cap = l->cont_cap ? l->cont_cap * 2 : 16;
		l->cont = cb_xrealloc(l->cont, l->cont_cap * sizeof(*l->cont));
	}
	c = &l->cont[i];
	if (made) {
		*c = (struct cont){ cb_model_subject(l->model, who->subject, who->subject_name), l->watched, false, l->watched >= CB_APPEARS_NS };
		if (c->subject) {
			c->subject->containers++;
			c->subject->containers_add++;
		}
	}
	return c;
}

static void learn_sets(struct cb_learn *l, const struct cb_row *row, const struct cb_view_set *vs,
		       const struct cb_whose *who, struct cont *c)
{
	uint32_t owner = c - l->cont, block = l->watched / CB_BLOCK_NS;
	bool start = l->watched - c->since < CB_BLOCK_NS;
	struct cb_subject *s = c->subject;
	uint64_t n = vs->calls ? 1 : who->count; /* of a sequence the count is its calls */
	const struct cb_view_field *f;
	const char *value;
	size_t i;
	int level;

	if (who->entered) {
		s = cb_model_subject(l->model, CB_ENTERED, CB_ENTERED);
		start = false;
	}
	for (i = 0; s && i < vs->n; i++) {
		f = &vs->field[i];
		if (!cb_field_has_values(f->kind) || (who->entered && f->kind != CB_FIELD_ARGS))
			continue;
		for (level = 0; level < cb_levels(f->kind); level++) {
			if (who->entered && level == 1) /* whoever came in from outside has a parent outside */
				continue;
			value = cb_view_value(&l->view, row, who, f, level);
			if (value)
				cb_items_see(&cb_subject_set(s, f->field)->level[level], value, strlen(value),
					     n, owner, block, start, row->time);
		}
	}
}

static void track_flush(struct track *t)
{
	int k;

	if (t->any && t->rate && t->start)
		cb_rate_put_start(t->rate, t->most);
	for (k = 0; t->any && t->rate && k < CB_SPANS; k++) {
		if (!t->start && t->most[k] >= 0)
			cb_rate_put(t->rate, k, t->most[k]);
		t->most[k] = -1;
	}
	t->any = false;
}

static struct track *track_of(struct cb_learn *l, const char *cont, const char *program, struct cont *c, int field)
{
	struct cb_buf *b = &l->view.shape;
	struct track *t;
	bool made;
	size_t i;

	cb_buf_reset(b);
	cb_buf_printf(b, "%s\t%d\t%s", cont, field, program);
	i = cb_strmap_add(&l->tracks, b->s, b->len, &made);
	if (i >= l->track_cap) {
		l->track_cap = l->track_cap ? l->track_cap * 2 : 64;
		l->track = cb_xrealloc(l->track, l->track_cap * sizeof(*l->track));
	}
	t = &l->track[i];
	if (made)
		*t = (struct track){ .rate = cb_set_rate(cb_subject_set(c->subject, field), program) };
	return t;
}

static void learn_amount(struct cb_learn *l, const struct cb_row *row, struct cont *c, struct track *t, bool level, double v)
{
	uint64_t block = l->watched / CB_BLOCK_NS;
	int k;

	if (t->any && block != t->block)
		track_flush(t);
	if (!t->any) {
		t->any = true;
		t->block = block;
		t->start = c->starts && l->watched - c->since < CB_BLOCK_NS;
		for (k = 0; k < CB_SPANS; k++)
			t->most[k] = -1;
	}
	cb_track_put(&t->now, level, row->time, cb_view_number(row, l->view.duration, 0), v);
	for (k = 0; k < CB_SPANS; k++)
		if (t->now.known[k] && t->now.value[k] > t->most[k])
			t->most[k] = t->now.value[k];
}

/* Of the container, and of the program. */
static void learn_field(struct cb_learn *l, const struct cb_row *row, const struct cb_whose *who, struct cont *c, int field,
			bool level, double v)
{
	char program[CB_SHAPE_MAX * 2];
	struct cb_buf *b = &l->view.value;
	const char *cont;

	cb_buf_reset(b);
	cb_shape_text(b, who->exe, strlen(who->exe));
	snprintf(program, sizeof(program), "%s", cb_text(b));
	cont = cb_view_cont_key(&l->view, row, who);
	learn_amount(l, row, c, track_of(l, cont, "", c, field), level, v);
	if (*program)
		learn_amount(l, row, c, track_of(l, cont, program, c, field), level, v);
}

static void learn_amounts(struct cb_learn *l, const struct cb_row *row, struct cb_view_set *vs, const struct cb_whose *who,
			  struct cont *c)
{
	int count = cb_view_count_field(&l->view, vs, row);
	const struct cb_view_field *f;
	size_t i;
	double v;

	for (i = 0; i < vs->n; i++) {
		f = &vs->field[i];
		if (cb_field_has_rates(f->kind) && cb_view_amount(row, f->column, &v))
			learn_field(l, row, who, c, f->field, f->kind == CB_FIELD_LEVEL, v);
	}
	if (count >= 0)
		learn_field(l, row, who, c, count, false, who->count);
}

static struct stream *stream_of(struct cb_learn *l, const struct cb_row *row, const struct cb_whose *who,
				struct cont *c)
{
	const char *key = cb_view_stream_key(&l->view, row);
	bool made;
	size_t i = cb_strmap_add(&l->streams, key, strlen(key), &made);
	struct cb_buf *b = &l->view.shape;
	struct cb_program *p;
	struct stream *s;

	if (i >= l->stream_cap) {
		l->stream_cap = l->stream_cap ? l->stream_cap * 2 : 64;
		l->stream = cb_xrealloc(l->stream, l->stream_cap * sizeof(*l->stream));
	}
	s = &l->stream[i];
	if (!made)
		return s;
	cb_buf_reset(b);
	cb_shape_text(b, who->exe, strlen(who->exe));
	p = cb_subject_program(c->subject, cb_text(b));
	*s = (struct stream){ .subject = p ? c->subject : NULL, .expect = UINT64_MAX, .epoch = l->epoch };
	if (!p)
		return s;
	s->program = cb_batch_program(&l->batch, c->subject, p);
	key = cb_view_process_key(&l->view, row);
	s->process = cb_strmap_add(&l->processes, key, strlen(key), NULL);
	cb_batch_process(&l->batch, s->process, s->program, cb_view_number(row, l->view.first, 0) == 0);
	return s;
}

static void learn_sequence(struct cb_learn *l, const struct cb_row *row, const struct cb_whose *who, struct cont *c,
			   struct cb_view_field *f)
{
	const char *text = cb_row_get(row, f->column);
	uint64_t first = cb_view_number(row, l->view.first, UINT64_MAX), n = 0;
	struct stream *s;
	bool joined;
	int id;

	if (!text)
		return;
	f->with++;
	s = stream_of(l, row, who, c);
	if (!s->subject) {
		c->subject->dropped++;
		c->subject->dropped_add++;
		return;
	}
	/* without a number only the loss counter tells of a gap */
	joined = first == UINT64_MAX ? s->epoch == l->epoch : s->expect == first;
	if (!joined && s->expect != UINT64_MAX)
		l->stats.gaps++;
	cb_batch_segment(&l->batch, s - l->stream, s->process, s->program, f->field, row->time, joined);
	for (; (id = cb_tokens_next(l->tokens, &text)) >= 0; n++)
		if (l->tokens->symbol[id])
			cb_batch_call(&l->batch, l->tokens->symbol[id]);
	s->expect = first == UINT64_MAX ? 0 : first + n;
	s->epoch = l->epoch;
	l->stats.calls += n;
}

static bool says_end(struct cb_learn *l, const struct cb_row *row, const struct cb_view_set *vs)
{
	const char *action = cb_row_get(row, l->view.action);

	return vs->exec && action && !strcmp(action, "exit");
}

void cb_learn_row(struct cb_learn *l, const struct cb_row *row)
{
	struct cb_view_set *vs;
	struct cb_whose who;
	struct cont *c;
	size_t i;

	clock_on(l, row->time);
	if (row->dataset)
		cb_view_set(&l->view, row->dataset)->watched = true;
	if (!cb_view_is_event(&l->view, row))
		return;
	l->stats.rows++;
	if (!row->dataset) {
		l->stats.unknown++;
		return;
	}
	cb_view_who(&l->view, row, &who);
	if (who.lost) {
		l->epoch++;
		l->stats.lost += who.lost;
		if (!l->lossy) {
			l->stats.lossy++;
			return;
		}
	}
	c = cont_of(l, row, &who);
	if (!c->subject) {
		l->model->dropped++;
		return;
	}
	vs = cb_view_set(&l->view, row->dataset);
	if (says_end(l, row, vs)) {
		if (cb_view_is_first(&l->view, row))
			cont_end(l, c);
		return;
	}
	if (vs->exec && cb_row_get(row, l->view.error))
		return;
	vs->rows += !who.entered;
	if (who.entered)
		l->stats.entered++;
	if (vs->exec && cb_view_is_first(&l->view, row) && !who.entered)
		c->starts = true;
	learn_sets(l, row, vs, &who, c);
	if (!who.entered)
		learn_amounts(l, row, vs, &who, c);
	for (i = 0; i < vs->n && !who.entered; i++)
		if (vs->field[i].kind == CB_FIELD_CALLS)
			learn_sequence(l, row, &who, c, &vs->field[i]);
	if (l->batch.ncalls >= CB_BATCH_CALLS)
		cb_learn_absorb(l);
}

static void note_field(struct cb_subject *s, int field, enum cb_field_kind kind, bool entered)
{
	bool rates = cb_field_has_rates(kind);
	struct cb_set *set;

	if (field < 0 ||
	    (kind != CB_FIELD_ARGS && (entered || (!rates && (!cb_field_has_values(kind) || kind == CB_FIELD_EXE)))))
		return;
	set = cb_subject_set(s, field);
	set->watched = true;
	if (rates)
		cb_set_rate(set, "");
}

/*
 * Who was watched by a collector and did nothing of the kind has an empty set, which is not the same as none:
 * the first program started there is new.
 */
static void note_watched(struct cb_learn *l, struct cb_subject *s, bool entered)
{
	const struct cb_view_set *vs;
	size_t i, k;

	for (i = 0; i < l->view.n; i++) {
		vs = &l->view.set[i];
		for (k = 0; vs->watched && k < vs->n; k++)
			note_field(s, vs->field[k].field, vs->field[k].kind, entered);
		for (k = 0; vs->watched && k < vs->ncount; k++)
			note_field(s, vs->count[k].field, CB_FIELD_COUNT, entered);
	}
}

/* Sessions from outside are watched as long as any container is. */
static void count_days(struct cb_learn *l)
{
	struct cb_subject *entered;
	double days = 0, add = 0;
	size_t i;

	for (i = 0; i < l->conts.n; i++) {
		struct cont *c = &l->cont[i];

		if (c->subject)
			note_watched(l, c->subject, false);
		if (c->ended || !c->subject)
			continue;
		add_days(c->subject, (l->watched - c->since) / 86400e9);
		c->since = l->watched;
	}
	entered = cb_model_subject(l->model, CB_ENTERED, CB_ENTERED);
	if (!entered)
		return;
	for (i = 0; i < l->model->subj.n; i++) {
		days += l->model->subject[i] == entered ? 0 : l->model->subject[i]->days;
		add += l->model->subject[i] == entered ? 0 : l->model->subject[i]->days_add;
	}
	entered->days = days;
	entered->days_add = add;
	note_watched(l, entered, true);
}

void cb_learn_absorb(struct cb_learn *l)
{
	size_t i;

	for (i = 0; i < l->tracks.n; i++)
		track_flush(&l->track[i]);
	count_days(l);
	cb_batch_absorb(&l->batch, l->model);
	cb_model_thresholds(l->model);
	/* streams that go on begin anew; numbers of their processes are free again */
	cb_strmap_free(&l->streams);
	cb_strmap_free(&l->processes);
}

int cb_learn_missing(const struct cb_learn *l, struct cb_err *e)
{
	return cb_view_missing(&l->view, e);
}
