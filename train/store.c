/* SPDX-License-Identifier: GPL-2.0 */
/* The model's file: one transaction, written aside, renamed. Read once, read-only. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "field.h"
#include "model.h"

static const char schema[] =
#include "train/schema.sql.h"
	;

struct db {
	sqlite3 *db;
	const char *path; /* for messages */
	struct cb_err *e;
	int err;	  /* the first error; all later steps do nothing */
};

static int db_fail(struct db *d)
{
	int code = sqlite3_errcode(d->db);

	if (d->err)
		return d->err;
	d->err = code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOTADB ? -EINVAL : -EIO;
	if (code == SQLITE_NOTADB)
		return cb_fail(d->e, d->err, "%s: expected a model, got another kind of file", d->path);
	return cb_fail(d->e, d->err, "%s: %s", d->path, sqlite3_errmsg(d->db));
}

static int db_open(struct db *d, const char *path, int flags, struct cb_err *e)
{
	/* sqlite takes some names for something else than files */
	char *name = cb_xasprintf("%s%s", *path == '/' ? "" : "./", path);
	int r = sqlite3_open_v2(name, &d->db, flags, NULL);

	free(name);
	d->path = path;
	d->e = e;
	d->err = 0;
	return r == SQLITE_OK ? 0 : db_fail(d);
}

static void db_exec(struct db *d, const char *sql)
{
	if (!d->err && sqlite3_exec(d->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		db_fail(d);
}

static sqlite3_stmt *db_prepare(struct db *d, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (!d->err && sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		db_fail(d);
	return s;
}

/* Next row of a query; false at its end or after an error. */
static bool db_step(struct db *d, sqlite3_stmt *s)
{
	int r;

	if (d->err || !s)
		return false;
	r = sqlite3_step(s);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		db_fail(d);
	return r == SQLITE_ROW;
}

/* Runs an insertion. format: i int64, d double, s text, b blob with its length. */
static void db_put(struct db *d, sqlite3_stmt *s, const char *format, ...)
{
	const void *blob;
	va_list ap;
	int i;

	if (d->err)
		return;
	va_start(ap, format);
	for (i = 1; *format; format++, i++) {
		if (*format == 'i') {
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		} else if (*format == 'd') {
			sqlite3_bind_double(s, i, va_arg(ap, double));
		} else if (*format == 's') {
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			blob = va_arg(ap, const void *);
			sqlite3_bind_blob(s, i, blob, va_arg(ap, int64_t), SQLITE_STATIC);
		}
	}
	va_end(ap);
	db_step(d, s);
	sqlite3_reset(s);
}

static int64_t db_number(struct db *d, const char *sql)
{
	sqlite3_stmt *s = db_prepare(d, sql);
	int64_t n = db_step(d, s) ? sqlite3_column_int64(s, 0) : 0;

	sqlite3_finalize(s);
	return n;
}

static const char *column(sqlite3_stmt *s, int i)
{
	const char *t = (const char *)sqlite3_column_text(s, i);

	return t ? t : "";
}

/*
 * Version 1 had no rates, and knew files by name only. Its values of files would make all that is done to them look
 * new: they are learned anew.
 */
static const char migrate_1[] =
	"CREATE TABLE rate (subject, field, program, span, blocks, starts, start, floor, top, hist, scored, score, per_day, "
	"largest, scale, effective, aside, PRIMARY KEY (subject, field, program, span));"
	"DELETE FROM item WHERE field IN (SELECT id FROM field WHERE dataset = 'cbtools.file');"
	"DELETE FROM threshold WHERE field IN (SELECT id FROM field WHERE dataset = 'cbtools.file');"
	"PRAGMA user_version = 2;";

/* A copy of an older model in memory, as this version has it. */
static void migrate(struct db *d)
{
	sqlite3 *old = d->db;
	sqlite3_backup *b;

	d->db = NULL;
	if (sqlite3_open(":memory:", &d->db) != SQLITE_OK) {
		db_fail(d);
	} else {
		b = sqlite3_backup_init(d->db, "main", old, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
			db_fail(d);
	}
	db_exec(d, migrate_1);
	sqlite3_close(old);
}

/* Opened, and a model of a version we know. */
static int open_model(struct db *d, const char *path, int flags, struct cb_err *e)
{
	int64_t version, id;
	struct stat st;

	*d = (struct db){ 0 };
	if (stat(path, &st) < 0)
		return d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return d->err = cb_fail(e, -EINVAL, "%s: expected a model, got something that is no file", path);
	if (db_open(d, path, flags, e) < 0)
		return d->err;
	id = db_number(d, "PRAGMA application_id");
	version = db_number(d, "PRAGMA user_version");
	if (!d->err && id != CB_MODEL_ID)
		d->err = cb_fail(e, -EINVAL, "%s: expected a model, got another kind of database", path);
	else if (!d->err && version > CB_MODEL_VERSION)
		d->err = cb_fail(e, -EINVAL, "%s: expected a model of version %d or older, got version %lld", path,
				 CB_MODEL_VERSION, (long long)version);
	else if (!d->err && version < CB_MODEL_VERSION)
		migrate(d);
	return d->err;
}

static void db_close(struct db *d)
{
	sqlite3_close(d->db);
	d->db = NULL;
}

/* ---- load ---- */

static struct cb_subject *subject_at(struct cb_model *m, int64_t id)
{
	return id > 0 && id <= (int64_t)m->subj.n ? m->subject[id - 1] : NULL;
}

/* All programs in order of their numbers. */
struct programs {
	struct cb_program **p;
	size_t n, cap;
};

static void load_names(struct db *d, struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT key, value FROM meta");

	while (db_step(d, s)) {
		if (!strcmp(column(s, 0), "order"))
			m->order = sqlite3_column_int(s, 1);
		else if (!strcmp(column(s, 0), "budget"))
			m->budget = sqlite3_column_double(s, 1);
		else if (!strcmp(column(s, 0), "by")) {
			free(m->by);
			m->by = cb_xstrdup(column(s, 1));
		}
	}
	sqlite3_finalize(s);
	if (m->order > CB_ORDER)
		m->order = CB_ORDER;
	s = db_prepare(d, "SELECT name FROM symbol ORDER BY id");
	while (db_step(d, s))
		cb_strmap_add(&m->sym, column(s, 0), sqlite3_column_bytes(s, 0), NULL);
	sqlite3_finalize(s);
	s = db_prepare(d, "SELECT dataset, name, role FROM field ORDER BY id");
	while (db_step(d, s)) {
		int role = cb_role_find(column(s, 2));

		cb_model_field(m, column(s, 0), column(s, 1), role < 0 ? CB_NONE : role);
	}
	sqlite3_finalize(s);
}

static void load_subjects(struct db *d, struct cb_model *m, struct programs *g)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT key, name, containers, days, dropped FROM subject ORDER BY id");
	struct cb_subject *su;
	struct cb_program *p;

	while (db_step(d, s)) {
		su = cb_model_subject(m, column(s, 0), column(s, 1));
		if (!su)
			break;
		su->containers = sqlite3_column_int64(s, 2);
		su->days = sqlite3_column_double(s, 3);
		su->dropped = sqlite3_column_int64(s, 4);
	}
	sqlite3_finalize(s);
	s = db_prepare(d, "SELECT subject, path, calls, units, instances, mass, state FROM program ORDER BY id");
	while (db_step(d, s)) {
		su = subject_at(m, sqlite3_column_int64(s, 0));
		p = su ? cb_subject_program(su, column(s, 1)) : NULL;
		if (!p) {
			d->err = cb_fail(d->e, -EINVAL, "%s: the model is damaged: program %zu", d->path, g->n + 1);
			break;
		}
		p->calls = sqlite3_column_int64(s, 2);
		p->units = sqlite3_column_int64(s, 3);
		p->instances = sqlite3_column_int64(s, 4);
		p->mass = sqlite3_column_double(s, 5);
		p->state = !strcmp(column(s, 6), "ready") ? CB_READY : !strcmp(column(s, 6), "warn") ? CB_WARN : CB_LEARNING;
		if (g->n == g->cap) {
			g->cap = g->cap ? g->cap * 2 : 64;
			g->p = cb_xrealloc(g->p, g->cap * sizeof(*g->p));
		}
		g->p[g->n++] = p;
	}
	sqlite3_finalize(s);
}

static struct cb_program *program_at(const struct programs *g, int64_t id)
{
	return id > 0 && id <= (int64_t)g->n ? g->p[id - 1] : NULL;
}

static void freeze(struct cb_program *p, unsigned order)
{
	p->chain = cb_chain_new(&p->counts, order, -1);
	cb_counts_free(&p->counts);
}

static void load_counts(struct db *d, struct cb_model *m, const struct programs *g, bool judge)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT program, k, fold, SUM(n), SUM(units) FROM ngram "
					"GROUP BY program, k, fold ORDER BY program, k, fold");
	struct cb_program *p = NULL, *last = NULL;
	struct cb_count *c;
	int64_t k;
	int fold;

	while (db_step(d, s)) {
		p = program_at(g, sqlite3_column_int64(s, 0));
		k = sqlite3_column_int64(s, 1);
		fold = sqlite3_column_int(s, 2);
		if (!p || fold < 0 || fold >= CB_FOLDS || !cb_ngram_len(k) || cb_ngram_len(k) > CB_ORDER + 1)
			continue;
		if (judge && last && last != p)
			freeze(last, m->order);
		last = p;
		c = cb_counts_get(&p->counts, k);
		c->n[fold] += sqlite3_column_int64(s, 3);
		c->units += sqlite3_column_int64(s, 4);
	}
	if (judge && last)
		freeze(last, m->order);
	sqlite3_finalize(s);
}

static void load_items(struct db *d, struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT subject, field, level, value, SUM(n), SUM(units), MAX(start), MIN(first), "
					"MAX(last) FROM item GROUP BY subject, field, level, value "
					"ORDER BY subject, field, level, value");
	struct cb_subject *su;
	struct cb_items *t;
	struct cb_item *i;
	int64_t field, level;
	int id;

	while (db_step(d, s)) {
		su = subject_at(m, sqlite3_column_int64(s, 0));
		field = sqlite3_column_int64(s, 1) - 1;
		level = sqlite3_column_int64(s, 2);
		if (!su || field < 0 || field >= (int64_t)m->fields.n || level < 0 || level >= CB_LEVELS)
			continue;
		t = &cb_subject_set(su, field)->level[level];
		cb_items_see(t, column(s, 3), sqlite3_column_bytes(s, 3), sqlite3_column_int64(s, 4), 0, 0, false,
			     sqlite3_column_int64(s, 7));
		id = cb_strmap_find(&t->map, column(s, 3), sqlite3_column_bytes(s, 3));
		if (id < 0)
			continue;
		i = &t->item[id];
		*i = (struct cb_item){ .n = sqlite3_column_int64(s, 4), .units = sqlite3_column_int64(s, 5),
				       .start = sqlite3_column_int(s, 6), .fresh = true,
				       .first = sqlite3_column_int64(s, 7), .last = sqlite3_column_int64(s, 8) };
	}
	sqlite3_finalize(s);
	s = db_prepare(d, "SELECT subject, field, level, n FROM dropped");
	while (db_step(d, s)) {
		su = subject_at(m, sqlite3_column_int64(s, 0));
		field = sqlite3_column_int64(s, 1) - 1;
		level = sqlite3_column_int64(s, 2);
		if (su && field >= 0 && field < (int64_t)m->fields.n && level >= 0 && level < CB_LEVELS)
			cb_subject_set(su, field)->level[level].dropped = sqlite3_column_int64(s, 3);
	}
	sqlite3_finalize(s);
}

static void load_heldout(struct db *d, const struct programs *g)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT program, scale, blocks, hist FROM heldout");
	struct cb_program *p;
	struct cb_heldout *h;
	struct cb_top *t;
	int scale, bytes;

	while (db_step(d, s)) {
		p = program_at(g, sqlite3_column_int64(s, 0));
		scale = sqlite3_column_int(s, 1);
		if (!p || scale < 0 || scale >= CB_SCALES || sqlite3_column_bytes(s, 3) != sizeof(h->hist))
			continue;
		p->held[scale].blocks = sqlite3_column_int64(s, 2);
		memcpy(p->held[scale].hist, sqlite3_column_blob(s, 3), sizeof(h->hist));
	}
	sqlite3_finalize(s);
	s = db_prepare(d, "SELECT program, scale, sum, fold, before, symbols FROM heldout_top ORDER BY program, scale, rank");
	while (db_step(d, s)) {
		p = program_at(g, sqlite3_column_int64(s, 0));
		scale = sqlite3_column_int(s, 1);
		bytes = sqlite3_column_bytes(s, 5);
		if (!p || scale < 0 || scale >= CB_SCALES || bytes > (int)sizeof(t->sym) || p->held[scale].ntop >= CB_TOP)
			continue;
		h = &p->held[scale];
		if (!h->top)
			h->top = cb_xalloc(CB_TOP * sizeof(*h->top));
		t = &h->top[h->ntop++];
		t->sum = sqlite3_column_int64(s, 2);
		t->fold = sqlite3_column_int(s, 3) % CB_FOLDS;
		t->len = bytes / sizeof(t->sym[0]);
		t->before = sqlite3_column_int(s, 4);
		memcpy(t->sym, sqlite3_column_blob(s, 5), bytes);
	}
	sqlite3_finalize(s);
}

static struct cb_threshold *threshold_at(struct cb_model *m, const struct programs *g, sqlite3_stmt *s)
{
	struct cb_subject *su = subject_at(m, sqlite3_column_int64(s, 0));
	struct cb_program *p = program_at(g, sqlite3_column_int64(s, 1));
	int64_t field = sqlite3_column_int64(s, 2) - 1;
	const char *detector = column(s, 3);

	if (p && !strcmp(detector, "window20"))
		return &p->window[0];
	if (p && !strcmp(detector, "window200"))
		return &p->window[1];
	if (p && !strcmp(detector, "calls"))
		return &p->calls_set;
	if (su && !strcmp(detector, "set") && field >= 0 && field < (int64_t)m->fields.n)
		return &cb_subject_set(su, field)->t;
	return NULL;
}

static void load_thresholds(struct db *d, struct cb_model *m, const struct programs *g)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT subject, program, field, detector, scored, score, per_day, top, scale, blocks, "
					"aside, level FROM threshold");
	struct cb_threshold *t;

	while (db_step(d, s)) {
		t = threshold_at(m, g, s);
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

static void load_rates(struct db *d, struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT subject, field, program, span, blocks, starts, start, floor, top, hist, scored, "
					"score, per_day, largest, scale, effective, aside FROM rate "
					"ORDER BY subject, field, rowid");
	struct cb_maxima *x;
	struct cb_rate *r;

	while (db_step(d, s)) {
		struct cb_subject *su = subject_at(m, sqlite3_column_int64(s, 0));
		int64_t field = sqlite3_column_int64(s, 1) - 1, span = sqlite3_column_int64(s, 3);
		size_t top = sqlite3_column_bytes(s, 8);

		if (!su || field < 0 || field >= (int64_t)m->fields.n || span < 0 || span >= CB_SPANS ||
		    top > sizeof(x->top) || sqlite3_column_bytes(s, 9) != sizeof(x->hist))
			continue;
		r = cb_set_rate(cb_subject_set(su, field), column(s, 2));
		if (!r)
			continue;
		x = &r->span[span];
		x->blocks = sqlite3_column_int64(s, 4);
		r->starts = sqlite3_column_int64(s, 5);
		r->start[span] = sqlite3_column_double(s, 6);
		r->floor = sqlite3_column_double(s, 7);
		x->ntop = top / sizeof(x->top[0]);
		if (top)
			memcpy(x->top, sqlite3_column_blob(s, 8), top);
		memcpy(x->hist, sqlite3_column_blob(s, 9), sizeof(x->hist));
		r->t[span] = (struct cb_threshold){ sqlite3_column_int(s, 10),	  sqlite3_column_double(s, 11),
						    sqlite3_column_double(s, 12), sqlite3_column_double(s, 13),
						    sqlite3_column_double(s, 14), sqlite3_column_int64(s, 15),
						    sqlite3_column_int64(s, 16),  0 };
		r->t[span].scored &= r->floor > 0 && r->t[span].scale > 0;
	}
	sqlite3_finalize(s);
}

static void load_allow(struct db *d, struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "SELECT subject, program, field, value, expires FROM allow ORDER BY id");

	while (db_step(d, s)) {
		m->allow = cb_xrealloc(m->allow, (m->nallow + 1) * sizeof(*m->allow));
		m->allow[m->nallow++] = (struct cb_allow){ cb_xstrdup(column(s, 0)), cb_xstrdup(column(s, 1)),
							   cb_xstrdup(column(s, 2)), cb_xstrdup(column(s, 3)),
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
	struct cb_model *m = cb_model_new();
	struct programs g = { 0 };
	struct db d;

	if (open_model(&d, path, SQLITE_OPEN_READONLY, e) == 0) {
		db_exec(&d, "BEGIN");
		load_names(&d, m);
		load_subjects(&d, m, &g);
		load_counts(&d, m, &g, judge);
		load_items(&d, m);
		load_heldout(&d, &g);
		load_thresholds(&d, m, &g);
		load_rates(&d, m);
		load_allow(&d, m);
		mark_seen(m);
	}
	db_close(&d);
	free(g.p);
	if (d.err) {
		cb_model_free(m);
		return d.err;
	}
	*ret = m;
	return 0;
}

int cb_model_has_source(const char *path, const char *hash, bool *ret, struct cb_err *e)
{
	sqlite3_stmt *s;
	struct db d;

	if (open_model(&d, path, SQLITE_OPEN_READONLY, e) == 0) {
		s = db_prepare(&d, "SELECT 1 FROM source WHERE hash = ?");
		if (s)
			sqlite3_bind_text(s, 1, hash, -1, SQLITE_STATIC);
		*ret = db_step(&d, s);
		sqlite3_finalize(s);
	}
	db_close(&d);
	return d.err;
}

int cb_model_check(const char *path, struct cb_err *e)
{
	sqlite3_stmt *s;
	struct db d;

	if (open_model(&d, path, SQLITE_OPEN_READONLY, e) == 0) {
		s = db_prepare(&d, "PRAGMA integrity_check(1)");
		if (db_step(&d, s) && strcmp(column(s, 0), "ok"))
			d.err = cb_fail(e, -EIO, "%s: the model is damaged: %s", path, column(s, 0));
		sqlite3_finalize(s);
	}
	db_close(&d);
	return d.err;
}

/* ---- save ---- */

static void save_names(struct db *d, const struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "INSERT OR REPLACE INTO meta VALUES (?, ?)");
	char number[64];
	size_t i;

	snprintf(number, sizeof(number), "%u", m->order);
	db_put(d, s, "ss", "order", number);
	db_put(d, s, "ss", "by", m->by);
	snprintf(number, sizeof(number), "%.17g", m->budget);
	db_put(d, s, "ss", "budget", number);
	db_put(d, s, "ss", "program", "cbtools " CB_VERSION);
	sqlite3_finalize(s);
	s = db_prepare(d, "INSERT OR REPLACE INTO symbol VALUES (?, ?)");
	for (i = 0; i < m->sym.n; i++)
		db_put(d, s, "is", (int64_t)i + 1, m->sym.key[i]);
	sqlite3_finalize(s);
	s = db_prepare(d, "INSERT OR REPLACE INTO field VALUES (?, ?, ?, ?)");
	for (i = 0; i < m->fields.n; i++)
		db_put(d, s, "isss", (int64_t)i + 1, m->field[i].dataset, m->field[i].name, cb_role_name(m->field[i].role));
	sqlite3_finalize(s);
}

static int64_t save_sources(struct db *d, const struct cb_source *source, size_t n)
{
	int64_t batch = db_number(d, "SELECT COALESCE(MAX(batch), 0) + 1 FROM source");
	sqlite3_stmt *s = db_prepare(d, "INSERT INTO source (batch, path, hash, rows, lost, first, last) "
					"VALUES (?, ?, ?, ?, ?, ?, ?)");
	size_t i;

	for (i = 0; i < n; i++)
		db_put(d, s, "issiiii", batch, source[i].path, source[i].hash, (int64_t)source[i].rows,
		       (int64_t)source[i].lost, (int64_t)source[i].first, (int64_t)source[i].last);
	sqlite3_finalize(s);
	return batch;
}

static int count_order(const void *a, const void *b)
{
	const struct cb_count *x = *(const struct cb_count *const *)a, *y = *(const struct cb_count *const *)b;

	return (int64_t)x->key < (int64_t)y->key ? -1 : (int64_t)x->key > (int64_t)y->key;
}

/* What this run added, in the order of the table, which is also what makes it fast. */
static void save_counts(struct db *d, sqlite3_stmt *s, const struct cb_counts *c, int64_t program, int64_t batch)
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
			db_put(d, s, "iiiiii", program, (int64_t)list[i]->key, (int64_t)f, batch,
			       (int64_t)list[i]->add[f], (int64_t)units);
			units = 0; /* of all folds together */
		}
	}
	free(list);
}

static void save_heldout(struct db *d, sqlite3_stmt *s, sqlite3_stmt *tops, const struct cb_heldout *h, int64_t program,
			 int64_t scale)
{
	uint32_t i;

	db_put(d, s, "iiib", program, scale, (int64_t)h->blocks, h->hist, (int64_t)sizeof(h->hist));
	for (i = 0; i < h->ntop; i++)
		db_put(d, tops, "iiiiiib", program, scale, (int64_t)i, (int64_t)h->top[i].sum, (int64_t)h->top[i].fold,
		       (int64_t)h->top[i].before, h->top[i].sym, (int64_t)(h->top[i].len * sizeof(h->top[i].sym[0])));
}

static void save_threshold(struct db *d, sqlite3_stmt *s, int64_t subject, int64_t program, int64_t field,
			   const char *detector, const struct cb_threshold *t)
{
	db_put(d, s, "iiisiddddiii", subject, program, field, detector, (int64_t)t->scored, t->score, t->per_day, t->top,
	       t->scale, (int64_t)t->blocks, (int64_t)t->aside, (int64_t)t->level);
}

static void save_programs(struct db *d, const struct cb_model *m, int64_t batch)
{
	sqlite3_stmt *id_of = db_prepare(d, "SELECT id FROM program WHERE subject = ? AND path = ?");
	sqlite3_stmt *put = db_prepare(d, "INSERT OR REPLACE INTO program VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *ngram = db_prepare(d, "INSERT INTO ngram VALUES (?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *held = db_prepare(d, "INSERT INTO heldout VALUES (?, ?, ?, ?)");
	sqlite3_stmt *tops = db_prepare(d, "INSERT INTO heldout_top VALUES (?, ?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *thr = db_prepare(d, "INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	int64_t next = db_number(d, "SELECT COALESCE(MAX(id), 0) + 1 FROM program"), id;
	const struct cb_program *p;
	size_t i, k;

	for (i = 0; i < m->subj.n && !d->err; i++) {
		for (k = 0; k < m->subject[i]->prog.n && !d->err; k++) {
			p = m->subject[i]->program[k];
			sqlite3_bind_int64(id_of, 1, i + 1);
			sqlite3_bind_text(id_of, 2, p->path, -1, SQLITE_STATIC);
			id = db_step(d, id_of) ? sqlite3_column_int64(id_of, 0) : next++;
			sqlite3_reset(id_of);
			db_put(d, put, "iisiiids", id, (int64_t)i + 1, p->path, (int64_t)p->calls, (int64_t)p->units,
			       (int64_t)p->instances, p->mass, cb_state_name(p->state));
			save_counts(d, ngram, &p->counts, id, batch);
			save_heldout(d, held, tops, &p->held[0], id, 0);
			save_heldout(d, held, tops, &p->held[1], id, 1);
			save_threshold(d, thr, i + 1, id, 0, "window20", &p->window[0]);
			save_threshold(d, thr, i + 1, id, 0, "window200", &p->window[1]);
			save_threshold(d, thr, i + 1, id, 0, "calls", &p->calls_set);
		}
	}
	sqlite3_finalize(id_of);
	sqlite3_finalize(put);
	sqlite3_finalize(ngram);
	sqlite3_finalize(held);
	sqlite3_finalize(tops);
	sqlite3_finalize(thr);
}

static void save_rates(struct db *d, sqlite3_stmt *s, const struct cb_set *set, int64_t subject, int64_t field)
{
	const struct cb_threshold *t;
	const struct cb_maxima *x;
	const struct cb_rate *r;
	size_t i;
	int k;

	for (i = 0; i < set->rates.n; i++) {
		r = set->rate[i];
		for (k = 0; k < CB_SPANS; k++) {
			x = &r->span[k];
			t = &r->t[k];
			db_put(d, s, "iisiiiddbbiddddii", subject, field, set->rates.key[i], (int64_t)k, (int64_t)x->blocks,
			       (int64_t)r->starts, r->start[k], r->floor, x->top, (int64_t)(x->ntop * sizeof(x->top[0])),
			       x->hist, (int64_t)sizeof(x->hist), (int64_t)t->scored, t->score, t->per_day, t->top,
			       t->scale, (int64_t)t->blocks, (int64_t)t->aside);
		}
	}
}

static int name_order(const void *a, const void *b, void *arg)
{
	const struct cb_strmap *m = arg;

	return strcmp(m->key[*(const uint32_t *)a], m->key[*(const uint32_t *)b]);
}

static void save_level(struct db *d, sqlite3_stmt *s, const struct cb_items *t, int64_t subject, int64_t field,
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
			db_put(d, s, "iiisiiiiii", subject, field, level, t->map.key[list[k]], batch, (int64_t)i->n_add,
			       (int64_t)i->units_add, (int64_t)i->start_add, (int64_t)i->first, (int64_t)i->last);
	}
	free(list);
}

static void save_subjects(struct db *d, const struct cb_model *m, int64_t batch)
{
	sqlite3_stmt *put = db_prepare(d, "INSERT OR REPLACE INTO subject VALUES (?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *item = db_prepare(d, "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *thr = db_prepare(d, "INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	sqlite3_stmt *drop = db_prepare(d, "INSERT OR REPLACE INTO dropped VALUES (?, ?, ?, ?)");
	sqlite3_stmt *rate = db_prepare(d, "INSERT INTO rate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	const struct cb_subject *s;
	size_t i, f;
	int l;

	for (i = 0; i < m->subj.n && !d->err; i++) {
		s = m->subject[i];
		db_put(d, put, "issidi", (int64_t)i + 1, s->key, s->name, (int64_t)s->containers, s->days,
		       (int64_t)s->dropped);
		for (f = 0; f < s->nset; f++) {
			if (!s->set[f])
				continue;
			save_rates(d, rate, s->set[f], i + 1, f + 1);
			if (cb_field_has_rates(m->field[f].kind))
				continue;
			save_threshold(d, thr, i + 1, 0, f + 1, "set", &s->set[f]->t);
			for (l = 0; l < CB_LEVELS; l++) {
				save_level(d, item, &s->set[f]->level[l], i + 1, f + 1, l, batch);
				if (s->set[f]->level[l].dropped)
					db_put(d, drop, "iiii", (int64_t)i + 1, (int64_t)f + 1, (int64_t)l,
					       (int64_t)s->set[f]->level[l].dropped);
			}
		}
	}
	sqlite3_finalize(put);
	sqlite3_finalize(item);
	sqlite3_finalize(thr);
	sqlite3_finalize(drop);
	sqlite3_finalize(rate);
}

static void save_allow(struct db *d, const struct cb_model *m)
{
	sqlite3_stmt *s = db_prepare(d, "INSERT INTO allow (subject, program, field, value, reason, expires, added) "
					"VALUES (?, ?, ?, ?, 'confirmed', 0, ?)");
	size_t i;

	for (i = 0; i < m->nallow; i++)
		if (m->allow[i].added)
			db_put(d, s, "ssssi", m->allow[i].subject, m->allow[i].program, m->allow[i].field, m->allow[i].value,
			       (int64_t)cb_now_utc());
	sqlite3_finalize(s);
}

static void copy_base(struct db *to, const char *base)
{
	sqlite3_backup *b;
	struct db from;

	if (to->err)
		return;
	to->err = open_model(&from, base, SQLITE_OPEN_READONLY, to->e);
	if (!to->err) {
		b = sqlite3_backup_init(to->db, "main", from.db, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
			db_fail(to);
	}
	db_close(&from);
}

/* A file of our own beside path, open; the caller unlinks or renames it. */
static int open_aside(struct db *d, const char *path, char **ret, struct cb_err *e)
{
	char *aside = cb_xasprintf("%s.%ld.new", path, (long)getpid());
	int fd;

	*d = (struct db){ 0 };
	unlink(aside);
	fd = open(aside, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
		free(aside);
		return d->err;
	}
	close(fd);
	*ret = aside;
	if (db_open(d, aside, SQLITE_OPEN_READWRITE, e) == 0) {
		d->path = path;
		/* nobody else knows the file, and a half one is thrown away: no journal */
		db_exec(d, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
	}
	return d->err;
}

static int finish_aside(struct db *d, const char *path, char *aside, struct cb_err *e)
{
	int fd;

	db_close(d);
	if (!d->err) {
		fd = open(aside, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0 || rename(aside, path) < 0)
			d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (d->err)
		unlink(aside);
	free(aside);
	return d->err;
}

/* What is in the file is not to be added again by the next save. */
static void forget_added(struct cb_model *m)
{
	struct cb_counts *c;
	struct cb_items *t;
	size_t i, k, n;

	for (i = 0; i < m->nallow; i++)
		m->allow[i].added = false;
	for (i = 0; i < m->subj.n; i++) {
		for (k = 0; k < m->subject[i]->prog.n; k++) {
			c = &m->subject[i]->program[k]->counts;
			for (n = 0; n < c->nslot; n++) {
				memset(c->slot[n].add, 0, sizeof(c->slot[n].add));
				c->slot[n].units_add = 0;
			}
		}
		for (k = 0; k < m->subject[i]->nset * CB_LEVELS; k++) {
			if (!m->subject[i]->set[k / CB_LEVELS])
				continue;
			t = &m->subject[i]->set[k / CB_LEVELS]->level[k % CB_LEVELS];
			for (n = 0; n < t->map.n; n++) {
				t->item[n].n_add = 0;
				t->item[n].units_add = 0;
				t->item[n].start_add = false;
			}
		}
	}
}

int cb_model_save(struct cb_model *m, const char *path, const char *base, const struct cb_source *source, size_t n,
		  struct cb_err *e)
{
	char pragma[96], *aside = NULL;
	int64_t batch;
	struct db d;

	if (open_aside(&d, path, &aside, e) < 0 && !aside)
		return d.err;
	if (base) {
		copy_base(&d, base);
	} else {
		snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d; PRAGMA user_version = %d", CB_MODEL_ID,
			 CB_MODEL_VERSION);
		db_exec(&d, pragma);
		db_exec(&d, schema);
	}
	db_exec(&d, "BEGIN; DELETE FROM threshold; DELETE FROM heldout; DELETE FROM heldout_top; DELETE FROM rate");
	batch = save_sources(&d, source, n);
	save_names(&d, m);
	save_subjects(&d, m, batch);
	save_programs(&d, m, batch);
	save_allow(&d, m);
	db_exec(&d, "COMMIT");
	finish_aside(&d, path, aside, e);
	if (!d.err)
		forget_added(m);
	return d.err;
}

int cb_model_add_allow(const char *path, const struct cb_allow *a, const char *reason, struct cb_err *e)
{
	sqlite3_stmt *s;
	char *aside = NULL;
	struct db d;

	if (open_aside(&d, path, &aside, e) < 0 && !aside)
		return d.err;
	copy_base(&d, path);
	s = db_prepare(&d, "INSERT INTO allow (subject, program, field, value, reason, expires, added) "
			   "VALUES (?, ?, ?, ?, ?, ?, ?)");
	if (s)
		db_put(&d, s, "sssssii", a->subject, a->program, a->field, a->value, reason, (int64_t)a->expires,
		       (int64_t)cb_now_utc());
	sqlite3_finalize(s);
	return finish_aside(&d, path, aside, e);
}
