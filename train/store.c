/* SPDX-License-Identifier: GPL-2.0 */
/* The model's file: one transaction, written aside, renamed. Read once, read-only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "db.h"
#include "field.h"
#include "model.h"

#define IDS_MAX (CB_SUBJECTS_MAX * CB_PROGRAMS_MAX)

/* ---- load ---- */

/* What has a number in the file, by it. */
struct ids {
	void **p;
	int64_t n;
};
struct load {
	struct cb_db db;
	struct cb_model *m;
	struct ids subjects, programs;
};

static void ids_put(struct ids *ids, int64_t id, void *p)
{
	int64_t n = ids->n ? ids->n : 64;

	if (id <= 0 || id > IDS_MAX)
		return;
	while (n <= id)
		n *= 2;
	if (n > ids->n) {
		ids->p = cb_xrealloc(ids->p, n * sizeof(*ids->p));
		memset(ids->p + ids->n, 0, (n - ids->n) * sizeof(*ids->p));
		ids->n = n;
	}
	ids->p[id] = p;
}

static void *ids_get(const struct ids *ids, int64_t id)
{
	return id > 0 && id < ids->n ? ids->p[id] : NULL;
}

static struct cb_subject *subject_at(const struct load *l, int64_t id)
{
	return ids_get(&l->subjects, id);
}

static struct cb_program *program_at(const struct load *l, int64_t id)
{
	return ids_get(&l->programs, id);
}

/* The set that columns subject and field, from 0 on, name; NULL: there is none of these. add: makes it. */
static struct cb_set *set_at(const struct load *l, sqlite3_stmt *s, bool add)
{
	struct cb_subject *su = subject_at(l, sqlite3_column_int64(s, 0));
	int64_t field = sqlite3_column_int64(s, 1) - 1;

	if (!su || field < 0 || field >= (int64_t)l->m->fields.n)
		return NULL;
	return add ? cb_subject_set(su, field) : field < (int64_t)su->nset ? su->set[field] : NULL;
}

static void load_names(struct load *l)
{
	struct cb_db *d = &l->db;
	struct cb_model *m = l->m;
	sqlite3_stmt *s = cb_db_prepare(d, "SELECT key, value FROM meta");

	while (cb_db_step(d, s)) {
		if (!strcmp(cb_db_text(s, 0), "order"))
			m->order = sqlite3_column_int(s, 1);
		else if (!strcmp(cb_db_text(s, 0), "budget"))
			m->budget = sqlite3_column_double(s, 1);
		else if (!strcmp(cb_db_text(s, 0), "by")) {
			free(m->by);
			m->by = cb_xstrdup(cb_db_text(s, 1));
		}
	}
	sqlite3_finalize(s);
	if (m->order > CB_ORDER)
		m->order = CB_ORDER;
	s = cb_db_prepare(d, "SELECT name FROM symbol ORDER BY id");
	while (cb_db_step(d, s))
		cb_strmap_add(&m->sym, cb_db_text(s, 0), sqlite3_column_bytes(s, 0), NULL);
	sqlite3_finalize(s);
	s = cb_db_prepare(d, "SELECT dataset, name, role FROM field ORDER BY id");
	while (cb_db_step(d, s)) {
		int role = cb_role_find(cb_db_text(s, 2));

		cb_model_field(m, cb_db_text(s, 0), cb_db_text(s, 1), role < 0 ? CB_NONE : role);
	}
	sqlite3_finalize(s);
}

static void load_subjects(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT key, name, containers, days, dropped, id FROM subject ORDER BY id");
	struct cb_subject *su;

	while (cb_db_step(&l->db, s)) {
		su = cb_model_subject(l->m, cb_db_text(s, 0), cb_db_text(s, 1));
		if (!su)
			break;
		su->containers = sqlite3_column_int64(s, 2);
		su->days = sqlite3_column_double(s, 3);
		su->dropped = sqlite3_column_int64(s, 4);
		su->id = sqlite3_column_int64(s, 5);
		ids_put(&l->subjects, su->id, su);
	}
	sqlite3_finalize(s);
}

static void load_programs(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, path, calls, units, instances, mass, state, id FROM program "
						"ORDER BY id");
	struct cb_subject *su;
	struct cb_program *p;

	while (cb_db_step(&l->db, s)) {
		su = subject_at(l, sqlite3_column_int64(s, 0));
		p = su ? cb_subject_program(su, cb_db_text(s, 1)) : NULL;
		if (!su && l->m->subj.n < CB_SUBJECTS_MAX) {
			l->db.err = cb_fail(l->db.e, -EINVAL, "%s: the model is damaged: program %lld is of no subject", l->db.path,
					    (long long)sqlite3_column_int64(s, 7));
			break;
		}
		if (!p)
			continue;
		p->calls = sqlite3_column_int64(s, 2);
		p->units = sqlite3_column_int64(s, 3);
		p->instances = sqlite3_column_int64(s, 4);
		p->mass = sqlite3_column_double(s, 5);
		p->state = !strcmp(cb_db_text(s, 6), "ready") ? CB_READY : !strcmp(cb_db_text(s, 6), "warn") ? CB_WARN : CB_LEARNING;
		p->id = sqlite3_column_int64(s, 7);
		ids_put(&l->programs, p->id, p);
	}
	sqlite3_finalize(s);
}

static void freeze(struct cb_program *p, unsigned order)
{
	p->chain = cb_chain_new(&p->counts, order, -1);
	cb_counts_free(&p->counts);
}

static void load_counts(struct load *l, bool judge)
{
	/* in the order of the table, most of a model's file: what has one key stands together, and is added up here */
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT program, k, fold, n, units FROM ngram ORDER BY program, k, fold, batch");
	struct cb_program *p = NULL, *last = NULL;
	struct cb_count *c = NULL;
	int64_t k;
	int fold;

	while (cb_db_step(&l->db, s)) {
		p = program_at(l, sqlite3_column_int64(s, 0));
		k = sqlite3_column_int64(s, 1);
		fold = sqlite3_column_int(s, 2);
		if (!p || fold < 0 || fold >= CB_FOLDS || !cb_ngram_len(k) || cb_ngram_len(k) > CB_ORDER + 1)
			continue;
		if (judge && last && last != p)
			freeze(last, l->m->order);
		if (last != p || (uint64_t)k != c->key)
			c = cb_counts_get(&p->counts, k);
		last = p;
		c->n[fold] += sqlite3_column_int64(s, 3);
		c->units += sqlite3_column_int64(s, 4);
	}
	if (judge && last)
		freeze(last, l->m->order);
	sqlite3_finalize(s);
}

/* What was watched for, if only to see nothing. */
static void load_watched(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT DISTINCT subject, field FROM field_batch ORDER BY subject, field");
	struct cb_set *set;

	while (cb_db_step(&l->db, s)) {
		set = set_at(l, s, true);
		if (set && cb_field_has_rates(l->m->field[sqlite3_column_int64(s, 1) - 1].kind))
			cb_set_rate(set, "");
	}
	sqlite3_finalize(s);
}

static void load_item(struct cb_items *t, sqlite3_stmt *s)
{
	const char *value = cb_db_text(s, 3);
	size_t len = sqlite3_column_bytes(s, 3);
	int id;

	cb_items_see(t, value, len, sqlite3_column_int64(s, 4), 0, 0, false, sqlite3_column_int64(s, 7));
	id = cb_strmap_find(&t->map, value, len);
	if (id < 0)
		return;
	t->item[id] = (struct cb_item){ .n = sqlite3_column_int64(s, 4), .units = sqlite3_column_int64(s, 5),
					.start = sqlite3_column_int(s, 6), .fresh = true,
					.first = sqlite3_column_int64(s, 7), .last = sqlite3_column_int64(s, 8) };
}

static void load_items(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, field, level, value, SUM(n), SUM(units), MAX(start), MIN(first), "
						"MAX(last) FROM item GROUP BY subject, field, level, value "
						"ORDER BY subject, field, level, value");
	struct cb_set *set;
	int64_t level;

	while (cb_db_step(&l->db, s)) {
		level = sqlite3_column_int64(s, 2);
		set = level < 0 || level >= CB_LEVELS ? NULL : set_at(l, s, true);
		if (set)
			load_item(&set->level[level], s);
	}
	sqlite3_finalize(s);
	s = cb_db_prepare(&l->db, "SELECT subject, field, level, SUM(n) FROM dropped GROUP BY subject, field, level");
	while (cb_db_step(&l->db, s)) {
		level = sqlite3_column_int64(s, 2);
		set = level < 0 || level >= CB_LEVELS ? NULL : set_at(l, s, true);
		if (set)
			set->level[level].dropped = sqlite3_column_int64(s, 3);
	}
	sqlite3_finalize(s);
}

/* Where the block maxima of columns program and scale go, NULL: nowhere. */
static struct cb_heldout *heldout_at(const struct load *l, sqlite3_stmt *s)
{
	struct cb_program *p = program_at(l, sqlite3_column_int64(s, 0));
	int64_t scale = sqlite3_column_int64(s, 1);

	return p && scale >= 0 && scale < CB_SCALES ? &p->held[scale] : NULL;
}

static void load_tops(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT program, scale, sum, fold, before, symbols, batch, rank FROM heldout_top "
						"ORDER BY program, scale, batch, rank");
	struct cb_heldout one, *h;
	struct cb_top t;
	int bytes;

	while (cb_db_step(&l->db, s)) {
		h = heldout_at(l, s);
		bytes = sqlite3_column_bytes(s, 5);
		if (!h || bytes > (int)sizeof(t.sym))
			continue;
		t = (struct cb_top){ .sum = sqlite3_column_int64(s, 2), .fold = (unsigned)sqlite3_column_int(s, 3) % CB_FOLDS,
				     .before = sqlite3_column_int(s, 4), .len = bytes / sizeof(t.sym[0]),
				     .batch = sqlite3_column_int64(s, 6), .rank = sqlite3_column_int(s, 7) };
		memcpy(t.sym, sqlite3_column_blob(s, 5), bytes);
		/* it is among the blocks that were counted */
		one = (struct cb_heldout){ .top = &t, .ntop = 1 };
		cb_heldout_add(h, &one, cb_scale[h - program_at(l, sqlite3_column_int64(s, 0))->held]);
	}
	sqlite3_finalize(s);
}

static void load_heldout(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT program, scale, blocks, hist FROM heldout");
	struct cb_heldout one = { 0 }, *h;

	while (cb_db_step(&l->db, s)) {
		h = heldout_at(l, s);
		if (!h || sqlite3_column_bytes(s, 3) != sizeof(one.hist))
			continue;
		one.blocks = sqlite3_column_int64(s, 2);
		memcpy(one.hist, sqlite3_column_blob(s, 3), sizeof(one.hist));
		cb_heldout_add(h, &one, 1);
	}
	sqlite3_finalize(s);
	load_tops(l);
}

static struct cb_threshold *threshold_at(const struct load *l, sqlite3_stmt *s)
{
	struct cb_program *p = program_at(l, sqlite3_column_int64(s, 2));
	const char *detector = cb_db_text(s, 3);
	struct cb_set *set;

	if (p && !strcmp(detector, "window20"))
		return &p->window[0];
	if (p && !strcmp(detector, "window200"))
		return &p->window[1];
	if (p && !strcmp(detector, "calls"))
		return &p->calls_set;
	set = strcmp(detector, "set") ? NULL : set_at(l, s, false);
	return set ? &set->t : NULL;
}

static void load_thresholds(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, field, program, detector, scored, score, per_day, top, scale, "
						"blocks, aside, level FROM threshold");
	struct cb_threshold *t;

	while (cb_db_step(&l->db, s)) {
		t = threshold_at(l, s);
		if (!t)
			continue;
		*t = (struct cb_threshold){ sqlite3_column_int(s, 4),	 sqlite3_column_double(s, 5), sqlite3_column_double(s, 6),
					    sqlite3_column_double(s, 7), sqlite3_column_double(s, 8), sqlite3_column_int64(s, 9),
					    sqlite3_column_int64(s, 10), sqlite3_column_int(s, 11) };
		if (t->level < 0 || t->level >= CB_LEVELS)
			t->level = 0;
	}
	sqlite3_finalize(s);
}

static void load_maxima(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, field, program, span, blocks, starts, start, top, hist "
						"FROM rate_batch ORDER BY subject, field, batch, rowid");
	struct cb_maxima one;
	struct cb_set *set;
	struct cb_rate *r;
	int64_t span;
	size_t top;

	while (cb_db_step(&l->db, s)) {
		span = sqlite3_column_int64(s, 3);
		top = sqlite3_column_bytes(s, 7);
		set = span < 0 || span >= CB_SPANS || top > sizeof(one.top) || sqlite3_column_bytes(s, 8) != sizeof(one.hist) ?
			      NULL : set_at(l, s, true);
		r = set ? cb_set_rate(set, cb_db_text(s, 2)) : NULL;
		if (!r)
			continue;
		one = (struct cb_maxima){ .ntop = top / sizeof(one.top[0]), .blocks = sqlite3_column_int64(s, 4) };
		if (top)
			memcpy(one.top, sqlite3_column_blob(s, 7), top);
		memcpy(one.hist, sqlite3_column_blob(s, 8), sizeof(one.hist));
		cb_maxima_add(&r->span[span], &one);
		r->starts += span ? 0 : sqlite3_column_int64(s, 5);
		if (sqlite3_column_double(s, 6) > r->start[span])
			r->start[span] = sqlite3_column_double(s, 6);
	}
	sqlite3_finalize(s);
}

static void load_rates(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, field, program, span, floor, scored, score, per_day, largest, "
						"scale, effective, aside FROM rate");
	struct cb_threshold *t;
	struct cb_set *set;
	struct cb_rate *r;
	int64_t span;

	load_maxima(l);
	while (cb_db_step(&l->db, s)) {
		span = sqlite3_column_int64(s, 3);
		set = span < 0 || span >= CB_SPANS ? NULL : set_at(l, s, false);
		r = set ? cb_set_find_rate(set, cb_db_text(s, 2)) : NULL;
		if (!r)
			continue;
		r->floor = sqlite3_column_double(s, 4);
		t = &r->t[span];
		*t = (struct cb_threshold){ sqlite3_column_int(s, 5),	 sqlite3_column_double(s, 6), sqlite3_column_double(s, 7),
					    sqlite3_column_double(s, 8), sqlite3_column_double(s, 9), sqlite3_column_int64(s, 10),
					    sqlite3_column_int64(s, 11), 0 };
		t->scored &= r->floor > 0 && t->scale > 0;
	}
	sqlite3_finalize(s);
}

static void load_allow(struct load *l)
{
	sqlite3_stmt *s = cb_db_prepare(&l->db, "SELECT subject, program, field, value, expires FROM allow ORDER BY id");
	struct cb_model *m = l->m;

	while (cb_db_step(&l->db, s)) {
		m->allow = cb_xrealloc(m->allow, (m->nallow + 1) * sizeof(*m->allow));
		m->allow[m->nallow++] = (struct cb_allow){ cb_xstrdup(cb_db_text(s, 0)), cb_xstrdup(cb_db_text(s, 1)),
							   cb_xstrdup(cb_db_text(s, 2)), cb_xstrdup(cb_db_text(s, 3)),
							   sqlite3_column_int64(s, 4), false };
	}
	sqlite3_finalize(s);
}

/* Which symbols each program was seen to use, from the items "program <tab> symbol". */
static void mark_seen(struct cb_model *m)
{
	size_t i, f, k;

	for (i = 0; i < m->subj.n; i++) {
		for (f = 0; f < m->subject[i]->nset; f++) {
			struct cb_set *set = m->subject[i]->set[f];
			const struct cb_strmap *map;

			if (!set || m->field[f].kind != CB_FIELD_CALLS)
				continue;
			map = &set->level[0].map;
			for (k = 0; k < map->n; k++) {
				char *tab = strrchr(map->key[k], '\t');
				int p = tab ? cb_strmap_find(&m->subject[i]->prog, map->key[k], tab - map->key[k]) : -1;
				int x = tab ? cb_strmap_find(&m->sym, tab + 1, strlen(tab + 1)) + 1 : 0;

				if (p >= 0 && x > 0)
					m->subject[i]->program[p]->seen[x / 64] |= 1ULL << x % 64;
			}
		}
	}
}

int cb_model_load(struct cb_model **ret, const char *path, bool judge, struct cb_err *e)
{
	struct load l = { .m = cb_model_new() };

	if (cb_db_open_model(&l.db, path, SQLITE_OPEN_READONLY, e) == 0) {
		cb_db_exec(&l.db, "BEGIN");
		load_names(&l);
		load_subjects(&l);
		load_programs(&l);
		load_counts(&l, judge);
		load_watched(&l);
		load_items(&l);
		load_heldout(&l);
		load_thresholds(&l);
		load_rates(&l);
		load_allow(&l);
		mark_seen(l.m);
	}
	cb_db_close(&l.db);
	free(l.subjects.p);
	free(l.programs.p);
	if (l.db.err) {
		cb_model_free(l.m);
		return l.db.err;
	}
	*ret = l.m;
	return 0;
}

int cb_model_has_source(const char *path, const char *hash, bool *ret, struct cb_err *e)
{
	sqlite3_stmt *s;
	struct cb_db d;

	if (cb_db_open_model(&d, path, SQLITE_OPEN_READONLY, e) == 0) {
		s = cb_db_prepare(&d, "SELECT 1 FROM source WHERE hash = ?");
		if (s)
			sqlite3_bind_text(s, 1, hash, -1, SQLITE_STATIC);
		*ret = cb_db_step(&d, s);
		sqlite3_finalize(s);
	}
	cb_db_close(&d);
	return d.err;
}

int cb_model_check(const char *path, struct cb_err *e)
{
	sqlite3_stmt *s;
	struct cb_db d;

	if (cb_db_open_model(&d, path, SQLITE_OPEN_READONLY, e) == 0) {
		s = cb_db_prepare(&d, "PRAGMA integrity_check(1)");
		if (cb_db_step(&d, s) && strcmp(cb_db_text(s, 0), "ok"))
			d.err = cb_fail(e, -EIO, "%s: the model is damaged: %s", path, cb_db_text(s, 0));
		sqlite3_finalize(s);
	}
	cb_db_close(&d);
	return d.err;
}

/* ---- save ---- */

static void save_names(struct cb_db *d, const struct cb_model *m)
{
	sqlite3_stmt *s = cb_db_prepare(d, "INSERT OR REPLACE INTO meta VALUES (?, ?)");
	char number[64];
	size_t i;

	snprintf(number, sizeof(number), "%u", m->order);
	cb_db_put(d, s, "ss", "order", number);
	cb_db_put(d, s, "ss", "by", m->by);
	snprintf(number, sizeof(number), "%.17g", m->budget);
	cb_db_put(d, s, "ss", "budget", number);
	cb_db_put(d, s, "ss", "program", "cbtools " CB_VERSION);
	sqlite3_finalize(s);
	s = cb_db_prepare(d, "INSERT OR REPLACE INTO symbol VALUES (?, ?)");
	for (i = 0; i < m->sym.n; i++)
		cb_db_put(d, s, "is", (int64_t)i + 1, m->sym.key[i]);
	sqlite3_finalize(s);
	s = cb_db_prepare(d, "INSERT OR REPLACE INTO field VALUES (?, ?, ?, ?)");
	for (i = 0; i < m->fields.n; i++)
		cb_db_put(d, s, "isss", (int64_t)i + 1, m->field[i].dataset, m->field[i].name, cb_role_name(m->field[i].role));
	sqlite3_finalize(s);
}

static void save_sources(struct cb_db *d, const struct cb_source *source, size_t n, int64_t batch)
{
	sqlite3_stmt *s = cb_db_prepare(d, "INSERT INTO source (batch, path, hash, rows, lost, first, last) "
					   "VALUES (?, ?, ?, ?, ?, ?, ?)");
	size_t i;

	for (i = 0; i < n; i++)
		cb_db_put(d, s, "issiiii", batch, source[i].path, source[i].hash, (int64_t)source[i].rows,
			  (int64_t)source[i].lost, (int64_t)source[i].first, (int64_t)source[i].last);
	sqlite3_finalize(s);
}

static int count_order(const void *a, const void *b)
{
	const struct cb_count *x = *(const struct cb_count *const *)a, *y = *(const struct cb_count *const *)b;

	return (int64_t)x->key < (int64_t)y->key ? -1 : (int64_t)x->key > (int64_t)y->key;
}

/* What this run added, in the order of the table, which is also what makes it fast. */
static void save_counts(struct cb_db *d, sqlite3_stmt *s, const struct cb_counts *c, int64_t program, int64_t batch)
{
	const struct cb_count **list = cb_xalloc((c->n + 1) * sizeof(*list));
	size_t i, n = 0;
	uint32_t units;
	int f;

	for (i = 0; i < c->nslot; i++)
		if (c->slot[i].key)
			list[n++] = &c->slot[i];
	qsort(list, n, sizeof(*list), count_order);
	for (i = 0; i < n; i++) {
		units = list[i]->units_add;
		for (f = 0; f < CB_FOLDS; f++) {
			if (!list[i]->add[f])
				continue;
			cb_db_put(d, s, "iiiiii", program, (int64_t)list[i]->key, (int64_t)f, batch,
			       (int64_t)list[i]->add[f], (int64_t)units);
			units = 0; /* of all folds together */
		}
	}
	free(list);
}

/* Statements of tables that programs are saved to. */
struct program_stmts {
	sqlite3_stmt *put, *batch, *ngram, *held, *top, *again, *threshold;
};

static void save_heldout(struct cb_db *d, struct program_stmts *s, const struct cb_program *p, int scale, int64_t batch)
{
	const struct cb_heldout *h = &p->held_add[scale];
	const struct cb_top *t;
	uint32_t i;

	if (h->blocks)
		cb_db_put(d, s->held, "iiiib", p->id, (int64_t)scale, batch, (int64_t)h->blocks, h->hist, (int64_t)sizeof(h->hist));
	for (i = 0; i < h->ntop; i++) {
		t = &h->top[i];
		cb_db_put(d, s->top, "iiiiiiib", p->id, (int64_t)scale, batch, (int64_t)i, (int64_t)t->sum, (int64_t)t->fold,
			  (int64_t)t->before, t->sym, (int64_t)(t->len * sizeof(t->sym[0])));
	}
	/* those of earlier batches were scored again */
	for (i = 0; i < p->held[scale].ntop; i++) {
		t = &p->held[scale].top[i];
		cb_db_put(d, s->again, "iiiii", (int64_t)t->sum, p->id, (int64_t)scale, (int64_t)t->batch, (int64_t)t->rank);
	}
}

static void save_threshold(struct cb_db *d, sqlite3_stmt *s, int64_t subject, int64_t program, int64_t field,
			   const char *detector, const struct cb_threshold *t)
{
	cb_db_put(d, s, "iiisiddddiii", subject, program, field, detector, (int64_t)t->scored, t->score, t->per_day, t->top,
	       t->scale, (int64_t)t->blocks, (int64_t)t->aside, (int64_t)t->level);
}

static void save_program(struct cb_db *d, struct program_stmts *s, const struct cb_program *p, int64_t subject,
			 int64_t batch)
{
	int k;

	cb_db_put(d, s->put, "iisiiids", p->id, subject, p->path, (int64_t)p->calls, (int64_t)p->units,
		  (int64_t)p->instances, p->mass, cb_state_name(p->state));
	if (p->calls_add || p->instances_add)
		cb_db_put(d, s->batch, "iiiii", p->id, batch, (int64_t)p->calls_add, (int64_t)p->units_add,
			  (int64_t)p->instances_add);
	save_counts(d, s->ngram, &p->counts, p->id, batch);
	for (k = 0; k < CB_SCALES; k++)
		save_heldout(d, s, p, k, batch);
	save_threshold(d, s->threshold, subject, p->id, 0, "window20", &p->window[0]);
	save_threshold(d, s->threshold, subject, p->id, 0, "window200", &p->window[1]);
	save_threshold(d, s->threshold, subject, p->id, 0, "calls", &p->calls_set);
}

static void save_programs(struct cb_db *d, struct cb_model *m)
{
	struct program_stmts s = {
		.put = cb_db_prepare(d, "INSERT OR REPLACE INTO program VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
		.batch = cb_db_prepare(d, "INSERT INTO program_batch VALUES (?, ?, ?, ?, ?)"),
		.ngram = cb_db_prepare(d, "INSERT INTO ngram VALUES (?, ?, ?, ?, ?, ?)"),
		.held = cb_db_prepare(d, "INSERT INTO heldout VALUES (?, ?, ?, ?, ?)"),
		.top = cb_db_prepare(d, "INSERT INTO heldout_top VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
		.again = cb_db_prepare(d, "UPDATE heldout_top SET sum = ? WHERE program = ? AND scale = ? AND batch = ? AND rank = ?"),
		.threshold = cb_db_prepare(d, "INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	};
	int64_t next = cb_db_number(d, "SELECT COALESCE(MAX(id), 0) + 1 FROM program");
	struct cb_program *p;
	size_t i, k;

	for (i = 0; i < m->subj.n && !d->err; i++) {
		for (k = 0; k < m->subject[i]->prog.n && !d->err; k++) {
			p = m->subject[i]->program[k];
			p->id = p->id ? p->id : next++;
			save_program(d, &s, p, m->subject[i]->id, m->batch);
		}
	}
	sqlite3_finalize(s.put);
	sqlite3_finalize(s.batch);
	sqlite3_finalize(s.ngram);
	sqlite3_finalize(s.held);
	sqlite3_finalize(s.top);
	sqlite3_finalize(s.again);
	sqlite3_finalize(s.threshold);
}

/* Statements of tables that subjects are saved to. */
struct subject_stmts {
	sqlite3_stmt *put, *batch, *field, *item, *dropped, *maxima, *rate, *threshold;
};

static void save_rate(struct cb_db *d, struct subject_stmts *s, const struct cb_rate *r, const char *program, int64_t subject,
		      int64_t field, int64_t batch)
{
	const struct cb_threshold *t;
	const struct cb_maxima *x;
	int k;

	for (k = 0; k < CB_SPANS; k++) {
		t = &r->t[k];
		x = &r->span_add[k];
		cb_db_put(d, s->rate, "iisididdddii", subject, field, program, (int64_t)k, r->floor, (int64_t)t->scored, t->score,
			  t->per_day, t->top, t->scale, (int64_t)t->blocks, (int64_t)t->aside);
		if (x->blocks || r->starts_add)
			cb_db_put(d, s->maxima, "iisiiiidbb", subject, field, program, (int64_t)k, batch, (int64_t)x->blocks,
				  (int64_t)r->starts_add, r->start_add[k], x->top, (int64_t)(x->ntop * sizeof(x->top[0])), x->hist,
				  (int64_t)sizeof(x->hist));
	}
}

static int name_order(const void *a, const void *b, void *arg)
{
	const struct cb_strmap *m = arg;

	return strcmp(m->key[*(const uint32_t *)a], m->key[*(const uint32_t *)b]);
}

static void save_level(struct cb_db *d, sqlite3_stmt *s, const struct cb_items *t, int64_t subject, int64_t field,
		       int64_t level, int64_t batch)
{
	uint32_t *list = cb_xalloc((t->map.n + 1) * sizeof(*list));
	const struct cb_item *i;
	size_t k;

	for (k = 0; k < t->map.n; k++)
		list[k] = k;
	qsort_r(list, t->map.n, sizeof(*list), name_order, (void *)&t->map);
	for (k = 0; k < t->map.n; k++) {
		i = &t->item[list[k]];
		if (i->n_add)
			cb_db_put(d, s, "iiisiiiiii", subject, field, level, t->map.key[list[k]], batch, (int64_t)i->n_add,
				  (int64_t)i->units_add, (int64_t)i->start_add, (int64_t)i->first_add, (int64_t)i->last_add);
	}
	free(list);
}

static void save_set(struct cb_db *d, struct subject_stmts *s, const struct cb_set *set, enum cb_field_kind kind,
		     int64_t subject, int64_t field, int64_t batch)
{
	size_t i;
	int l;

	if (set->watched)
		cb_db_put(d, s->field, "iii", subject, field, batch);
	for (i = 0; i < set->rates.n; i++)
		save_rate(d, s, set->rate[i], set->rates.key[i], subject, field, batch);
	if (cb_field_has_rates(kind))
		return;
	save_threshold(d, s->threshold, subject, 0, field, "set", &set->t);
	for (l = 0; l < CB_LEVELS; l++) {
		save_level(d, s->item, &set->level[l], subject, field, l, batch);
		if (set->level[l].dropped_add)
			cb_db_put(d, s->dropped, "iiiii", subject, field, (int64_t)l, batch, (int64_t)set->level[l].dropped_add);
	}
}

static void save_subjects(struct cb_db *d, struct cb_model *m)
{
	struct subject_stmts s = {
		.put = cb_db_prepare(d, "INSERT OR REPLACE INTO subject VALUES (?, ?, ?, ?, ?, ?)"),
		.batch = cb_db_prepare(d, "INSERT INTO subject_batch VALUES (?, ?, ?, ?, ?)"),
		.field = cb_db_prepare(d, "INSERT INTO field_batch VALUES (?, ?, ?)"),
		.item = cb_db_prepare(d, "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		.dropped = cb_db_prepare(d, "INSERT INTO dropped VALUES (?, ?, ?, ?, ?)"),
		.maxima = cb_db_prepare(d, "INSERT INTO rate_batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		.rate = cb_db_prepare(d, "INSERT INTO rate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		.threshold = cb_db_prepare(d, "INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	};
	int64_t next = cb_db_number(d, "SELECT COALESCE(MAX(id), 0) + 1 FROM subject");
	struct cb_subject *su;
	size_t i, f;

	for (i = 0; i < m->subj.n && !d->err; i++) {
		su = m->subject[i];
		su->id = su->id ? su->id : next++;
		cb_db_put(d, s.put, "issidi", su->id, su->key, su->name, (int64_t)su->containers, su->days, (int64_t)su->dropped);
		if (su->containers_add || su->days_add || su->dropped_add)
			cb_db_put(d, s.batch, "iiidi", su->id, m->batch, (int64_t)su->containers_add, su->days_add,
				  (int64_t)su->dropped_add);
		for (f = 0; f < su->nset; f++)
			if (su->set[f])
				save_set(d, &s, su->set[f], m->field[f].kind, su->id, f + 1, m->batch);
	}
	sqlite3_finalize(s.put);
	sqlite3_finalize(s.batch);
	sqlite3_finalize(s.field);
	sqlite3_finalize(s.item);
	sqlite3_finalize(s.dropped);
	sqlite3_finalize(s.maxima);
	sqlite3_finalize(s.rate);
	sqlite3_finalize(s.threshold);
}

static void save_allow(struct cb_db *d, const struct cb_model *m)
{
	sqlite3_stmt *s = cb_db_prepare(d, "INSERT INTO allow (subject, program, field, value, reason, expires, added) "
					"VALUES (?, ?, ?, ?, 'confirmed', 0, ?)");
	size_t i;

	for (i = 0; i < m->nallow; i++)
		if (m->allow[i].added)
			cb_db_put(d, s, "ssssi", m->allow[i].subject, m->allow[i].program, m->allow[i].field, m->allow[i].value,
			       (int64_t)cb_now_utc());
	sqlite3_finalize(s);
}

int cb_model_save(struct cb_model *m, const char *path, const char *base, const struct cb_source *source, size_t n,
		  struct cb_err *e)
{
	char *aside = NULL;
	struct cb_db d;
	size_t i;

	if (cb_db_aside(&d, path, "new", &aside, e) < 0 && !aside)
		return d.err;
	if (base)
		cb_db_copy(&d, base);
	else
		cb_db_schema(&d);
	cb_db_exec(&d, "BEGIN; DELETE FROM threshold; DELETE FROM rate");
	if (!m->batch)
		m->batch = cb_db_next_batch(&d);
	cb_db_drop_batch(&d, m->batch); /* what this run wrote before is written anew */
	save_sources(&d, source, n, m->batch);
	save_names(&d, m);
	save_subjects(&d, m);
	save_programs(&d, m);
	save_allow(&d, m);
	cb_db_exec(&d, "COMMIT");
	cb_db_finish(&d, path, aside, e);
	for (i = 0; i < m->nallow && !d.err; i++)
		m->allow[i].added = false;
	return d.err;
}

int cb_model_add_allow(const char *path, const struct cb_allow *a, const char *reason, struct cb_err *e)
{
	sqlite3_stmt *s;
	char *aside = NULL;
	struct cb_db d;

	if (cb_db_aside(&d, path, "new", &aside, e) < 0 && !aside)
		return d.err;
	cb_db_copy(&d, path);
	s = cb_db_prepare(&d, "INSERT INTO allow (subject, program, field, value, reason, expires, added) "
			      "VALUES (?, ?, ?, ?, ?, ?, ?)");
	if (s)
		cb_db_put(&d, s, "sssssii", a->subject, a->program, a->field, a->value, reason, (int64_t)a->expires,
			  (int64_t)cb_now_utc());
	sqlite3_finalize(s);
	return cb_db_finish(&d, path, aside, e);
}
