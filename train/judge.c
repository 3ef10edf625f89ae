/* SPDX-License-Identifier: GPL-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "explain.h"
#include "judge.h"
#include "phrases.h"
#include "recent.h"
#include "rules.h"
#include "technique.h"

#define CONTS 4096
#define STREAMS 16384
#define TRACKS 65536
#define LOSS_NS CB_BLOCK_NS /* an alarm so soon after a loss is marked */
#define SAID_MAX 64

struct cont {
	struct cb_subject *subject; /* NULL: no baseline */
	char *key, *place;
	uint64_t since; /* started then, 0: was there before */
	bool told;	/* that it has no baseline */
};
/* How much, of a container or of one program in it. */
struct track {
	struct cb_track now;
	const struct cb_rate *rate; /* NULL: no baseline */
	bool high; /* told, and not back to normal yet */
};
struct stream {
	struct cb_subject *subject;
	struct cb_program *program; /* NULL: no baseline of its own */
	char *name;		    /* of the program, generalised */
	struct cb_history hist;
	struct cb_recall recall;
	uint32_t limit[CB_SCALES], quiet[CB_SCALES]; /* alarm from this sum; calls to be silent */
	uint64_t expect;
	uint32_t epoch;
	size_t process; /* with scores */
	struct cb_phrase_luck luck;
};
struct cb_judge {
	struct cb_model *model;
	struct cb_view view;
	struct cb_tokens *tokens;
	struct cb_phrases *phrases;
	struct cb_alarms *alarms;
	struct cb_judge_stats stats;
	void (*say)(void *arg, const char *text);
	void *arg;
	struct cb_strmap said;
	struct cb_recent conts, streams, tracks;
	uint64_t begin, now, lost_until, lost_lately;
	uint32_t epoch;
	struct cb_finding f; /* of the row at hand */
	struct cb_buf subject_text, program_text, value_text;
	bool scores;
	struct cb_strmap processes;
	struct cb_process_score *process;
	size_t process_cap;
};

static void drop_cont(void *value, void *arg)
{
	struct cont *c = value;

	free(c->key);
	free(c->place);
	free(c);
}

static void drop_stream(void *value, void *arg)
{
	struct stream *s = value;

	free(s->name);
	free(s);
}

struct cb_judge *cb_judge_new(struct cb_model *m, struct cb_names *names, struct cb_alarms *a, bool scores,
			      void (*say)(void *arg, const char *text), void *arg)
{
	struct cb_judge *j = cb_xalloc(sizeof(*j));

	j->model = m;
	j->alarms = a;
	j->scores = scores;
	j->say = say;
	j->arg = arg;
	cb_view_init(&j->view, names, m, false);
	j->tokens = cb_tokens_new(m, false);
	j->phrases = cb_phrases_new();
	j->conts = (struct cb_recent){ .max = CONTS, .drop = drop_cont };
	j->streams = (struct cb_recent){ .max = STREAMS, .drop = drop_stream };
	j->tracks = (struct cb_recent){ .max = TRACKS };
	return j;
}

struct cb_judge *cb_judge_free(struct cb_judge *j)
{
	size_t i, k;

	if (!j)
		return NULL;
	for (i = 0; i < j->processes.n; i++)
		for (k = 0; k < sizeof(j->process[i].text) / sizeof(j->process[i].text[0]); k++)
			free(j->process[i].text[k]);
	free(j->process);
	cb_strmap_free(&j->processes);
	cb_strmap_free(&j->said);
	cb_recent_free(&j->conts);
	cb_recent_free(&j->streams);
	cb_recent_free(&j->tracks);
	cb_view_done(&j->view);
	cb_tokens_free(j->tokens);
	cb_phrases_free(j->phrases);
	cb_buf_free(&j->subject_text);
	cb_buf_free(&j->program_text);
	cb_buf_free(&j->value_text);
	cb_buf_free(&j->f.reason);
	cb_buf_free(&j->f.expected);
	cb_buf_free(&j->f.calls);
	free(j);
	return NULL;
}

const struct cb_judge_stats *cb_judge_stats(const struct cb_judge *j)
{
	return &j->stats;
}

size_t cb_judge_processes(const struct cb_judge *j, const struct cb_process_score **ret)
{
	*ret = j->process;
	return j->processes.n;
}

static void say_once(struct cb_judge *j, const char *fmt, const char *a, const char *b)
{
	char *text = cb_xasprintf(fmt, a, b);
	bool made = false;

	if (j->said.n < SAID_MAX)
		cb_strmap_add(&j->said, text, strlen(text), &made);
	if (made && j->say)
		j->say(j->arg, text);
	free(text);
}

/* ---- findings ---- */

static void finding(struct cb_judge *j, const char *kind, const char *detector, const char *field,
		    const struct cb_subject *s, const char *program, const char *value, double score)
{
	struct cb_finding *f = &j->f;

	f->kind = kind;
	f->detector = detector;
	f->field = field;
	f->subject = s->key;
	f->subject_name = s->name;
	f->program = program;
	f->value = value;
	f->score = score;
	f->technique = NULL;
	cb_buf_reset(&f->reason);
	cb_buf_reset(&f->expected);
	cb_buf_reset(&f->calls);
}

static int raise(struct cb_judge *j, const struct cb_row *row, const struct cont *c, struct cb_err *e)
{
	uint64_t lost = j->now < j->lost_until ? j->lost_lately : 0;

	if (j->scores)
		return 0;
	if (!j->f.technique)
		j->f.technique = cb_technique(j->f.field, j->f.value);
	if (lost)
		cb_buf_printf(&j->f.reason, " (%llu rows were lost shortly before: it may be their gap)",
			      (unsigned long long)lost);
	return cb_alarms_raise(j->alarms, &j->f, row, c->key, c->place, j->now, lost, e);
}

static const char *kind_of(const struct cb_mfield *f, const char *dataset)
{
	if (f->kind == CB_FIELD_EXE || !strcmp(dataset, "cbtools.exec"))
		return "process";
	if (f->kind == CB_FIELD_CALLS || !strcmp(dataset, "cbtools.syscall"))
		return "syscall";
	if (f->kind == CB_FIELD_COUNT)
		return "access";
	return cb_field_has_rates(f->kind) || !strcmp(dataset, "cbtools.resource") ? "resource" : "access";
}

static bool known(const struct cb_items *i, const char *s)
{
	return cb_strmap_find(&i->map, s, strlen(s)) >= 0;
}

/* What is new about a process start, coarsest first. Sets value and words. */
static void explain_args(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who,
			 const struct cb_view_field *vf, const struct cb_set *set)
{
	struct cb_finding *f = &j->f;
	struct cb_buf *prefix = &j->subject_text;
	const char *v;

	cb_buf_reset(&j->value_text);
	v = cb_view_value(&j->view, row, who, vf, 2);
	cb_buf_reset(prefix);
	cb_buf_printf(prefix, "%s\t", v);
	if (!known(&set->level[2], v)) {
		cb_buf_puts(&j->value_text, "start");
		cb_buf_printf(&f->reason, "%s was never %s", v, who->entered ? "entered from outside" : "started here");
		cb_explain_common(&f->expected, &set->level[2], "");
		return;
	}
	v = cb_view_value(&j->view, row, who, vf, 1);
	if (!who->entered && !known(&set->level[1], v) && set->t.level == 1) {
		v = strchr(v, '\t') + 1;
		cb_buf_printf(&j->value_text, "parent %s", v);
		cb_buf_printf(&f->reason, "%.*s was never started by %s", (int)prefix->len - 1, prefix->s, v);
		cb_explain_common(&f->expected, &set->level[1], prefix->s);
		return;
	}
	v = strchr(cb_view_value(&j->view, row, who, vf, 0), '\t') + 1;
	cb_buf_puts(&j->value_text, v);
	cb_buf_printf(&f->reason, "%.*s was never started with such arguments: %s", (int)prefix->len - 1, prefix->s, v);
	cb_explain_common(&f->expected, &set->level[0], prefix->s);
}

static void explain_value(struct cb_judge *j, const char *value, const struct cb_set *set, const struct cb_mfield *mf)
{
	struct cb_finding *f = &j->f;
	const char *tab = strchr(value, '\t');
	struct cb_buf *prefix = &j->subject_text;

	cb_buf_reset(prefix);
	if (tab)
		cb_buf_put(prefix, value, tab + 1 - value);
	cb_buf_reset(&j->value_text);
	cb_buf_puts(&j->value_text, tab ? tab + 1 : value);
	if (mf->kind == CB_FIELD_PATH) /* what else was done in this way */
		cb_buf_put(prefix, cb_text(&j->value_text), strcspn(cb_text(&j->value_text), "/"));
	if (mf->kind == CB_FIELD_EXE)
		cb_buf_printf(&f->reason, "program %s was never seen here", value);
	else if (mf->kind == CB_FIELD_PATH)
		cb_buf_printf(&f->reason, "%s: never seen %s", cb_text(&j->value_text), tab ? "of this program" : "here");
	else
		cb_buf_printf(&f->reason, "%s %s was never seen %s", mf->name, cb_text(&j->value_text),
			      tab ? "of this program" : "here");
	cb_explain_common(&f->expected, &set->level[set->t.level], cb_text(prefix));
}

/* -1: the value is known, or the field is not judged; else the row's finding is made, or grows. */
static int judge_set(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who, struct cb_subject *s,
		     const struct cb_view_field *vf, bool first)
{
	struct cb_set *set = (size_t)vf->field < s->nset ? s->set[vf->field] : NULL;
	const struct cb_mfield *mf = &j->model->field[vf->field];
	const char *value;
	int level;

	if (!set || !set->t.scored)
		return -1;
	/* a container watched in the middle of its life starts again: no start was there to learn from */
	if (!set->level[0].map.n && !who->entered && cb_view_is_first(&j->view, row))
		return -1;
	level = who->entered && set->t.level == 1 ? 2 : set->t.level;
	value = cb_view_value(&j->view, row, who, vf, level);
	if (!value || known(&set->level[level], value))
		return -1;
	if (!first) {
		value = strchr(value, '\t') ? strchr(value, '\t') + 1 : value;
		cb_buf_printf(&j->f.reason, "; %s %s is new, too", mf->name, value);
		if (!j->f.technique)
			j->f.technique = cb_technique(mf->name, value);
		return -1;
	}
	cb_buf_reset(&j->program_text);
	cb_shape_text(&j->program_text, who->exe, strlen(who->exe));
	finding(j, kind_of(mf, row->dataset->name), "set", mf->name, s, cb_text(&j->program_text), "",
		set->t.score);
	if (vf->kind == CB_FIELD_ARGS) {
		explain_args(j, row, who, vf, set);
	} else {
		/* explain_value() makes its own copies; value is scratch of the view */
		explain_value(j, value, set, mf);
	}
	j->f.value = cb_text(&j->value_text);
	j->f.technique = cb_technique(mf->name, j->f.value);
	return 0;
}

static int judge_sets(struct cb_judge *j, const struct cb_row *row, const struct cb_view_set *vs,
		      const struct cb_whose *who, const struct cont *c, struct cb_err *e)
{
	struct cb_subject *s = who->entered ? cb_model_find(j->model, CB_ENTERED) : c->subject;
	bool first = true;
	size_t i;

	for (i = 0; s && i < vs->n; i++) {
		if (!cb_field_has_values(vs->field[i].kind) || (who->entered && vs->field[i].kind != CB_FIELD_ARGS))
			continue;
		if (judge_set(j, row, who, s, &vs->field[i], first) == 0)
			first = false;
	}
	return first ? 0 : raise(j, row, c, e);
}

/* ---- sequences ---- */

static struct cb_process_score *process_of(struct cb_judge *j, const struct cb_row *row, size_t *ret);

static struct stream *stream_of(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who,
				const struct cont *c)
{
	const char *key = cb_view_stream_key(&j->view, row);
	size_t len = j->view.key.len;
	struct stream *s = cb_recent_get(&j->streams, key, len);
	struct cb_threshold *t;
	struct cb_buf *b = &j->program_text;
	int k;

	if (s)
		return s;
	s = cb_xalloc(sizeof(*s));
	cb_recent_put(&j->streams, key, len, s);
	cb_buf_reset(b);
	cb_shape_text(b, who->exe, strlen(who->exe));
	s->name = cb_xstrdup(cb_text(b));
	s->subject = c->subject;
	s->program = cb_subject_find(c->subject, s->name);
	s->hist.matched = CB_ORDER + 1;
	s->expect = UINT64_MAX;
	s->epoch = j->epoch;
	for (k = 0; k < CB_SCALES; k++) {
		t = s->program ? &s->program->window[k] : NULL;
		s->limit[k] = t && t->scored ? ceil(t->score * cb_scale[k]) : UINT32_MAX;
	}
	if (j->scores)
		process_of(j, row, &s->process)->program = s->program;
	return s;
}

static void stream_break(struct stream *s)
{
	s->hist = (struct cb_history){ .matched = CB_ORDER + 1 };
	memset(&s->recall, 0, sizeof(s->recall));
	memset(s->quiet, 0, sizeof(s->quiet));
}

static int window_alarm(struct cb_judge *j, const struct cb_row *row, const struct cont *c, struct stream *s,
			const struct cb_mfield *mf, int scale, struct cb_err *e)
{
	static const char *const name[CB_SCALES] = { "window20", "window200" };

	int k;

	/* the other scale's window holds the same calls */
	for (k = 0; k < CB_SCALES; k++)
		s->quiet[k] = cb_scale[k];
	finding(j, "syscall", name[scale], mf->name, s->subject, s->name, "", 0);
	cb_explain_window(&j->f, &j->value_text, j->model, s->program, j->tokens, &s->recall, scale);
	j->f.value = cb_text(&j->value_text);
	return raise(j, row, c, e);
}

/*
 * A call never seen of this program; of a program too seldom seen: never seen of the whole subject. What is told so is
 * not told once more by the order that it disturbs, up to 200 calls later.
 */
static int call_alarm(struct cb_judge *j, const struct cb_row *row, const struct cont *c, struct stream *s,
		      const struct cb_view_field *vf, int word, struct cb_err *e)
{
	const struct cb_mfield *mf = &j->model->field[vf->field];
	const struct cb_set *set = (size_t)vf->field < s->subject->nset ? s->subject->set[vf->field] : NULL;
	const char *name = j->tokens->name.key[word];
	bool own = s->program && s->program->calls_set.scored;

	if (!set || (!own && (!set->t.scored || known(&set->level[1], name))))
		return 0;
	finding(j, "syscall", "calls", mf->name, s->subject, s->name, name, own ? s->program->calls_set.score : set->t.score);
	cb_buf_printf(&j->f.reason, "%s was never called by %s", name, own ? "this program" : "any program here");
	if (s->program && s->program->chain)
		cb_explain_instead(&j->f.expected, j->model, s->program, j->tokens, &s->recall);
	else
		cb_explain_common(&j->f.expected, &set->level[1], "");
	cb_explain_calls(&j->f.calls, j->tokens, &s->recall);
	if (!j->scores) /* which stand in place of alarms, and are of all there is */
		cb_windows_waive(&s->recall.w);
	return raise(j, row, c, e);
}

static void process_put(struct cb_process_score *p, const struct stream *s, unsigned cost)
{
	int k;

	p->judged_calls++;
	p->cost += cost;
	for (k = 0; k < CB_SCALES; k++)
		if (s->recall.w.sum[k] > p->max[k])
			p->max[k] = s->recall.w.sum[k];
}

/* What all calls of a row have in common. */
struct calls {
	const struct cb_row *row;
	const struct cont *c;
	struct stream *s;
	const struct cb_view_field *vf;
	const struct cb_chain *chain;
	struct cb_process_score *p;
	const uint64_t *seen;
};

static inline int judge_call(struct cb_judge *j, const struct calls *in, unsigned word, unsigned x, struct cb_err *e)
{
	struct stream *s = in->s;
	unsigned cost = in->chain ? cb_chain_next(in->chain, &s->hist, x) : 0;
	int err = 0, k;

	s->recall.word[s->recall.w.at] = word;
	cb_windows_put(&s->recall.w, cost);
	if (in->p && in->chain)
		process_put(in->p, s, cost);
	if (__builtin_expect(!(in->seen[x / 64] >> x % 64 & 1), 0))
		err = call_alarm(j, in->row, in->c, s, in->vf, word, e);
	for (k = 0; k < CB_SCALES; k++) {
		if (s->quiet[k])
			s->quiet[k]--;
		else if (__builtin_expect(s->recall.w.sum[k] >= s->limit[k], 0) && !err)
			err = window_alarm(j, in->row, in->c, s, &j->model->field[in->vf->field], k, e);
	}
	return err;
}

/* Of a stream that raises nothing by them: what these calls did before they do again. */
static bool judged_before(const struct stream *s, const struct cb_phrase *p)
{
	for (int k = 0; k < CB_SCALES; k++)
		if (s->quiet[k] || s->recall.w.sum[k] + p->sum >= s->limit[k])
			return false;
	return true;
}

static void judge_again(struct stream *s, const struct cb_phrase *p)
{
	for (int i = 0; i < CB_PHRASE; i++) {
		s->recall.word[s->recall.w.at] = p->word[i];
		cb_windows_put(&s->recall.w, p->cost[i]);
	}
	s->hist = p->to;
}

#define CALLS_AHEAD 16 /* so many of a chain's look-ups are on their way to the memory at once */

/* The next calls, a phrase if it is to be kept by key. Returns how many there were, 0: the text is at its end. */
static size_t judge_next(struct cb_judge *j, const struct calls *in, const char **text, uint64_t key, int *ret_err,
			 struct cb_err *e)
{
	struct stream *s = in->s;
	struct cb_phrase phrase = { .chain = in->chain, .from = s->hist };
	uint16_t word[CALLS_AHEAD], symbol[CALLS_AHEAD];
	uint8_t cost[CALLS_AHEAD];
	const char *from = *text;
	size_t want = key ? CB_PHRASE : CALLS_AHEAD, n, all = 0;
	bool known = true;
	unsigned at, x;
	int id;

	for (n = 0; n < want && (id = cb_tokens_next(j->tokens, text)) >= 0; all++) {
		word[n] = id;
		symbol[n] = j->tokens->symbol[id];
		n += !!symbol[n];
	}
	if (in->chain)
		cb_chain_ahead(in->chain, &s->hist, symbol, n);
	for (size_t i = 0; i < n && !*ret_err; i++) {
		at = s->recall.w.at;
		x = symbol[i];
		known = known && in->seen[x / 64] >> x % 64 & 1;
		*ret_err = judge_call(j, in, word[i], x, e);
		cost[i] = s->recall.w.ring[at];
	}
	if (key && known && n == CB_PHRASE && all == n && !*ret_err) {
		phrase.to = s->hist;
		phrase.len = *text - from;
		memcpy(phrase.word, word, sizeof(phrase.word));
		memcpy(phrase.cost, cost, sizeof(phrase.cost));
		cb_phrases_put(j->phrases, key, &phrase, from);
	}
	return all;
}

static int judge_calls(struct cb_judge *j, const struct cb_row *row, const struct cont *c, struct stream *s,
		       const struct cb_view_field *vf, struct cb_err *e)
{
	static const uint64_t none[CB_SYMBOLS / 64];
	const struct calls in = {
		row, c, s, vf, s->program ? s->program->chain : NULL, j->scores ? &j->process[s->process] : NULL,
		s->program ? s->program->seen : none,
	};
	const char *text = row->val[vf->column], *end = text + row->len[vf->column];
	const struct cb_phrase *p;
	uint64_t n = 0, key = 0;
	size_t did = 1;
	int err = 0;

	for (; did && !err; n += did) {
		/* scores are of each call */
		p = in.chain && !in.p ? cb_phrases_find(j->phrases, &s->luck, in.chain, &s->hist, text, end - text, &key) : NULL;
		if (p && judged_before(s, p)) {
			judge_again(s, p);
			text += p->len;
			did = CB_PHRASE;
		} else {
			did = judge_next(j, &in, &text, p ? 0 : key, &err, e);
		}
	}
	s->expect = s->expect == UINT64_MAX ? n : s->expect + n;
	j->stats.calls += n;
	if (in.p)
		in.p->calls += n;
	return err;
}

static int judge_sequence(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who,
			  const struct cont *c, struct cb_view_field *vf, struct cb_err *e)
{
	uint64_t first = cb_view_number(row, j->view.first, UINT64_MAX);
	struct stream *s;

	if (!cb_row_get(row, vf->column))
		return 0;
	vf->with++;
	s = stream_of(j, row, who, c);
	if (first == UINT64_MAX ? s->epoch != j->epoch : s->expect != first)
		stream_break(s);
	s->epoch = j->epoch;
	if (first != UINT64_MAX)
		s->expect = first;
	return judge_calls(j, row, c, s, vf, e);
}

/* ---- how much ---- */

static struct track *track_of(struct cb_judge *j, const struct cont *c, const char *program, int field)
{
	struct cb_buf *b = &j->view.key;
	struct track *t;

	cb_buf_reset(b);
	cb_buf_printf(b, "%s\t%d\t%s", c->key, field, program);
	t = cb_recent_get(&j->tracks, b->s, b->len);
	if (t)
		return t;
	t = cb_xalloc(sizeof(*t));
	if ((size_t)field < c->subject->nset && c->subject->set[field])
		t->rate = cb_set_find_rate(c->subject->set[field], program);
	cb_recent_put(&j->tracks, b->s, b->len, t);
	return t;
}

/* 0: such a value is never an alarm. */
static double limit_of(const struct cb_judge *j, const struct cont *c, const struct cb_rate *r, int span)
{
	if (!r->t[span].scored)
		return 0;
	if (c->since && j->now - c->since < CB_BLOCK_NS)
		return cb_rate_start_limit(r, span);
	return r->t[span].score;
}

/* The span whose value is too large, -1: none. Told once, until it is normal again. */
static int too_much(const struct cb_judge *j, const struct cont *c, struct track *t)
{
	bool normal = true;
	double limit;
	int k;

	for (k = 0; t->rate && k < CB_SPANS; k++) {
		limit = t->now.known[k] ? limit_of(j, c, t->rate, k) : 0;
		if (limit <= 0)
			continue;
		if (t->now.value[k] >= limit && !t->high) {
			t->high = true;
			return k;
		}
		normal &= t->now.value[k] < limit && t->now.value[k] <= fmax(t->rate->t[k].top, t->rate->floor);
	}
	if (normal)
		t->high = false;
	return -1;
}

static void explain_amount(struct cb_judge *j, const struct cont *c, const struct track *t, const struct cb_mfield *mf,
			   const char *program, int span)
{
	const struct cb_threshold *th = &t->rate->t[span];
	bool level = mf->kind == CB_FIELD_LEVEL;
	struct cb_finding *f = &j->f;
	double v = t->now.value[span];

	cb_buf_reset(&j->value_text);
	cb_rate_bucket(&j->value_text, t->rate, v);
	finding(j, kind_of(mf, mf->dataset), cb_rate_name(level, span), mf->name, c->subject, program, cb_text(&j->value_text),
		cb_rate_score(t->rate, span, v));
	cb_buf_printf(&f->reason, "%s: ", mf->name);
	cb_rate_text(&f->reason, mf->name, level, v);
	cb_buf_puts(&f->reason, level ? (span ? " more within a minute" : "") : span ? " over 4 s" : " over 1 s");
	cb_buf_puts(&f->reason, *program ? " by this program; alarm from " : "; alarm from ");
	cb_rate_text(&f->reason, mf->name, level, limit_of(j, c, t->rate, span));
	cb_buf_puts(&f->expected, "at most ");
	cb_rate_text(&f->expected, mf->name, level, th->top);
	cb_buf_printf(&f->expected, " in %u blocks of 10 s", th->blocks - th->aside);
}

static int judge_amount(struct cb_judge *j, const struct cb_row *row, const struct cont *c, int field, const char *program,
			double v, bool *told, struct cb_err *e)
{
	const struct cb_mfield *mf = &j->model->field[field];
	struct track *t = track_of(j, c, program, field);
	int span;

	cb_track_put(&t->now, mf->kind == CB_FIELD_LEVEL, row->time, cb_view_number(row, j->view.duration, 0), v);
	span = too_much(j, c, t);
	if (span < 0 || *told)
		return 0;
	*told = true;
	if (cb_model_rate_allowed(j->model, c->subject->key, program, mf->name, t->now.value[span], j->now))
		return 0;
	explain_amount(j, c, t, mf, program, span);
	return raise(j, row, c, e);
}

/* Of the container, and of the program. */
static int judge_field(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who, const struct cont *c,
		       int field, double v, struct cb_err *e)
{
	bool told = false;
	int err;

	cb_buf_reset(&j->program_text);
	cb_shape_text(&j->program_text, who->exe, strlen(who->exe));
	err = judge_amount(j, row, c, field, "", v, &told, e);
	if (!err && j->program_text.len)
		err = judge_amount(j, row, c, field, j->program_text.s, v, &told, e);
	return err;
}

static int judge_amounts(struct cb_judge *j, const struct cb_row *row, struct cb_view_set *vs, const struct cb_whose *who,
			 const struct cont *c, struct cb_err *e)
{
	int err = 0, count = cb_view_count_field(&j->view, vs, row);
	size_t i;
	double v;

	for (i = 0; i < vs->n && !err; i++)
		if (cb_field_has_rates(vs->field[i].kind) && cb_view_amount(row, vs->field[i].column, &v))
			err = judge_field(j, row, who, c, vs->field[i].field, v, e);
	return err || count < 0 ? err : judge_field(j, row, who, c, count, who->count, e);
}

/* ---- scores ---- */

static const char *keep(struct cb_process_score *p, int i, const struct cb_row *row, int column)
{
	const char *s = cb_row_get(row, column);

	return p->text[i] = cb_xstrdup(s ? s : "");
}

static struct cb_process_score *process_of(struct cb_judge *j, const struct cb_row *row, size_t *ret)
{
	const char *key = cb_view_process_key(&j->view, row);
	struct cb_process_score *p;
	bool made;

	*ret = cb_strmap_add(&j->processes, key, strlen(key), &made);
	if (*ret >= j->process_cap) {
		j->process_cap = j->process_cap ? j->process_cap * 2 : 64;
		j->process = cb_xrealloc(j->process, j->process_cap * sizeof(*j->process));
	}
	p = &j->process[*ret];
	if (!made)
		return p;
	*p = (struct cb_process_score){ .c = { .time = row->time, .dataset = "cbtools.score", .kind = "event",
					       .action = "", .boot_id = "", .runtime = "", .cgroup = "" } };
	p->c.count = 1;
	p->c.host_id = keep(p, 0, row, j->view.host);
	p->c.cont_id = keep(p, 1, row, j->view.cont_id);
	p->c.cont_name = keep(p, 2, row, j->view.cont_name);
	p->c.image = keep(p, 3, row, j->view.image);
	p->c.image_id = keep(p, 4, row, j->view.image_id);
	p->c.comm = keep(p, 5, row, cb_names_id(j->view.names, "process.name"));
	p->c.exe = keep(p, 6, row, j->view.exe);
	p->c.pid = cb_view_number(row, j->view.pid, 0);
	p->c.exec_id = cb_view_number(row, j->view.exec_id, 0);
	return p;
}

/* ---- written rules ---- */

static int judge_rules(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who, const struct cont *c,
		       struct cb_err *e)
{
	static const struct cb_subject nobody = { .key = "", .name = "" };
	const struct cb_rule *r = NULL;
	struct cb_finding *f = &j->f;
	const char *value;
	int err = 0;
	size_t i;

	while (!err && (r = cb_rules_next(j->view.names, row, r))) {
		cb_buf_reset(&j->program_text);
		cb_shape_text(&j->program_text, who->exe, strlen(who->exe));
		finding(j, r->kind, "rule", CB_RULE_FIELD, c->subject ? c->subject : &nobody, cb_text(&j->program_text),
			r->name, CB_RULE_SCORE);
		f->technique = r->technique;
		cb_buf_printf(&f->reason, "%s (", r->text);
		for (i = 0; i < sizeof(r->match) / sizeof(r->match[0]) && r->match[i].column; i++) {
			value = cb_row_get(row, cb_names_id(j->view.names, r->match[i].column));
			cb_buf_printf(&f->reason, "%s%s %.200s", i ? ", " : "", r->match[i].column, value ? value : "");
		}
		cb_buf_putc(&f->reason, ')');
		cb_buf_puts(&f->expected, "never, in any container");
		err = raise(j, row, c, e);
	}
	return err;
}

/* ---- rows ---- */

static struct cont *cont_of(struct cb_judge *j, const struct cb_row *row, const struct cb_whose *who)
{
	const char *key = cb_view_cont_key(&j->view, row, who);
	size_t len = j->view.key.len;
	struct cont *c = cb_recent_get(&j->conts, key, len);

	if (c)
		return c;
	c = cb_xalloc(sizeof(*c));
	c->key = cb_xstrdup(key);
	c->since = j->now - j->begin >= CB_APPEARS_NS ? j->now : 0;
	c->place = cb_xstrdup(cb_view_place(&j->view, row, who->cont));
	cb_recent_put(&j->conts, c->key, len, c);
	c->subject = cb_model_find(j->model, who->subject);
	return c;
}

/* What the host does to containers comes with their rows: that it has no baseline is no news. */
static void say_unknown(struct cb_judge *j, const struct cb_view_set *vs, const struct cb_whose *who, struct cont *c)
{
	if (c->told || (vs->nother && !strcmp(who->cont, CB_HOST)))
		return;
	c->told = true;
	say_once(j, "no baseline for %s (%s): written rules only", who->cont, who->subject_name);
}

static void note_loss(struct cb_judge *j, uint64_t lost)
{
	if (!lost)
		return;
	j->epoch++;
	j->stats.lost += lost;
	j->lost_lately = (j->now < j->lost_until ? j->lost_lately : 0) + lost;
	j->lost_until = j->now + LOSS_NS;
}

static bool skip(struct cb_judge *j, const struct cb_row *row, const struct cb_view_set *vs)
{
	const char *action = cb_row_get(row, j->view.action);

	return vs->exec && (cb_row_get(row, j->view.error) || (action && !strcmp(action, "exit")));
}

int cb_judge_row(struct cb_judge *j, const struct cb_row *row, struct cb_err *e)
{
	struct cb_view_set *vs;
	struct cb_whose who;
	struct cont *c;
	const char *name;
	size_t i;
	int err;

	if (!j->begin)
		j->begin = row->time;
	if (row->time > j->now)
		j->now = j->stats.last = row->time;
	cb_alarms_tick(j->alarms, j->now, false);
	if (!cb_view_is_event(&j->view, row))
		return 0;
	j->stats.rows++;
	if (!row->dataset) {
		name = cb_row_get(row, cb_names_id(j->view.names, "event.dataset"));
		j->stats.unknown++;
		say_once(j, "rows of %s come without a schema row (%s): not judged", name ? name : "no dataset", row->file);
		return 0;
	}
	cb_view_who(&j->view, row, &who);
	note_loss(j, who.lost);
	c = cont_of(j, row, &who);
	vs = cb_view_set(&j->view, row->dataset);
	err = vs->rules && !who.entered ? judge_rules(j, row, &who, c, e) : 0;
	if (!c->subject)
		say_unknown(j, vs, &who, c);
	if (err || !c->subject || skip(j, row, vs))
		return err;
	vs->rows += !who.entered;
	if (vs->exec && !who.entered && cb_view_is_first(&j->view, row))
		c->since = j->now;
	name = cb_view_other(vs, row, &who);
	if (name)
		cb_alarms_link(j->alarms, c->place, cb_view_place(&j->view, row, name), j->now);
	err = judge_sets(j, row, vs, &who, c, e);
	if (!err && !who.entered)
		err = judge_amounts(j, row, vs, &who, c, e);
	for (i = 0; i < vs->n && !err && !who.entered; i++)
		if (vs->field[i].kind == CB_FIELD_CALLS)
			err = judge_sequence(j, row, &who, c, &vs->field[i], e);
	return err;
}

void cb_judge_end(struct cb_judge *j)
{
	j->stats.streams_dropped = j->streams.dropped;
	cb_alarms_tick(j->alarms, j->now, true);
}

int cb_judge_missing(const struct cb_judge *j, struct cb_err *e)
{
	return cb_view_missing(&j->view, e);
}
