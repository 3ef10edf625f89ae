/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "batch.h"
#include "db.h"

/* ---- begin and end of a change ---- */

static int begin(struct cb_db *d, const char *path, const char *base, char **ret, struct cb_err *e)
{
	if (cb_db_aside(d, path, "part", ret, e) < 0 && !*ret)
		return d->err;
	cb_db_copy(d, base);
	cb_db_exec(d, "BEGIN");
	return d->err;
}

/* Thresholds by what there is now, and the file in its place. The changed copy ends. */
static int finish(struct cb_db *d, const char *path, char *aside, struct cb_err *e)
{
	struct cb_model *m = NULL;

	cb_db_exec(d, "COMMIT");
	cb_db_exec(d, "VACUUM"); /* what was forgotten is not to lie about in free pages */
	cb_db_close(d);
	if (!d->err)
		d->err = cb_model_load(&m, aside, false, e);
	if (!d->err) {
		cb_model_rescore(m);
		cb_model_thresholds(m);
		d->err = cb_model_save(m, path, aside, NULL, 0, e);
	}
	cb_model_free(m);
	unlink(aside);
	free(aside);
	return d->err;
}

/* Totals, from the batches that are left; what none of them has is gone. */
static const char sum_up[] =
	"DELETE FROM program WHERE id NOT IN (SELECT program FROM program_batch UNION SELECT program FROM ngram);"
	"DELETE FROM subject WHERE id NOT IN (SELECT subject FROM subject_batch UNION SELECT subject FROM item UNION "
	"SELECT subject FROM program);"
	"UPDATE subject SET (containers, days, dropped) = (SELECT COALESCE(SUM(containers), 0), COALESCE(SUM(days), 0), "
	"COALESCE(SUM(dropped), 0) FROM subject_batch WHERE subject = subject.id);"
	"UPDATE program SET (calls, units, instances) = (SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(units), 0), "
	"COALESCE(SUM(instances), 0) FROM program_batch WHERE program = program.id);"
	"DELETE FROM threshold; DELETE FROM rate;";

/* ---- forget ---- */

/* What goes, in words. */
static void say_batch(struct cb_db *d, int64_t batch, struct cb_buf *said)
{
	sqlite3_stmt *s = cb_db_prepare(d, "SELECT path, rows, EXISTS (SELECT 1 FROM subject_batch b WHERE b.batch = source.batch) "
					   "FROM source WHERE batch = ? ORDER BY id");
	bool whole = true;

	if (s)
		sqlite3_bind_int64(s, 1, batch);
	while (cb_db_step(d, s)) {
		cb_buf_printf(said, "forgotten: %s, %lld rows\n", cb_db_text(s, 0), (long long)sqlite3_column_int64(s, 1));
		whole = sqlite3_column_int(s, 2);
	}
	sqlite3_finalize(s);
	if (!whole)
		cb_buf_puts(said, "it was learned by an older version, which kept counts and values only by source: its days, block "
				  "maxima and rates stay\n");
}

int cb_model_forget_source(const char *model, const char *path, const char *hash, struct cb_buf *said, struct cb_err *e)
{
	int64_t batch[256];
	char *aside = NULL;
	struct cb_db d;
	sqlite3_stmt *s;
	size_t n = 0, i;

	if (begin(&d, model, model, &aside, e) < 0 && !aside)
		return d.err;
	s = cb_db_prepare(&d, "SELECT DISTINCT batch FROM source WHERE path = ?1 OR hash = ?2 ORDER BY batch");
	if (s) {
		sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, hash, -1, SQLITE_STATIC);
	}
	while (n < sizeof(batch) / sizeof(batch[0]) && cb_db_step(&d, s))
		batch[n++] = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (!d.err && !n)
		d.err = cb_fail(e, -ENOENT, "%s: expected a source it was learned from, got \"%s\"", model, path);
	for (i = 0; i < n; i++) {
		say_batch(&d, batch[i], said);
		cb_db_drop_batch(&d, batch[i]);
	}
	cb_db_exec(&d, sum_up);
	return finish(&d, model, aside, e);
}

static void forget_subject(struct cb_db *d, int64_t id)
{
	static const char *const by_program[] = { "program_batch", "ngram", "heldout", "heldout_top" };
	static const char *const by_subject[] = { "program", "subject_batch", "field_batch", "item", "dropped", "rate_batch" };
	char sql[128];
	size_t i;

	for (i = 0; i < sizeof(by_program) / sizeof(by_program[0]); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE program IN (SELECT id FROM program WHERE subject = ?)", by_program[i]);
		cb_db_exec_number(d, sql, id);
	}
	for (i = 0; i < sizeof(by_subject) / sizeof(by_subject[0]); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE subject = ?", by_subject[i]);
		cb_db_exec_number(d, sql, id);
	}
	cb_db_exec_number(d, "DELETE FROM allow WHERE subject = (SELECT key FROM subject WHERE id = ?)", id);
	cb_db_exec_number(d, "DELETE FROM subject WHERE id = ?", id);
}

static bool fits(const char *pattern, const char *text)
{
	return !strcmp(pattern, text) || !fnmatch(pattern, text, 0);
}

int cb_model_forget_subject(const char *model, const char *pattern, struct cb_buf *said, struct cb_err *e)
{
	int64_t *id = NULL;
	char *aside = NULL;
	struct cb_db d;
	sqlite3_stmt *s;
	size_t n = 0, i;

	if (begin(&d, model, model, &aside, e) < 0 && !aside)
		return d.err;
	s = cb_db_prepare(&d, "SELECT id, key, name, containers FROM subject ORDER BY id");
	while (cb_db_step(&d, s)) {
		if (!fits(pattern, cb_db_text(s, 1)) && !fits(pattern, cb_db_text(s, 2)))
			continue;
		id = cb_xrealloc(id, (n + 1) * sizeof(*id));
		id[n++] = sqlite3_column_int64(s, 0);
		cb_buf_printf(said, "forgotten: %s, %lld containers\n", cb_db_text(s, 2), (long long)sqlite3_column_int64(s, 3));
	}
	sqlite3_finalize(s);
	if (!d.err && !n)
		d.err = cb_fail(e, -ENOENT, "%s: expected a subject of the model, got \"%s\"", model, pattern);
	for (i = 0; i < n; i++)
		forget_subject(&d, id[i]);
	free(id);
	cb_db_exec(&d, sum_up);
	return finish(&d, model, aside, e);
}

/* ---- merge ---- */

/* Symbols of the other model -> ours. */
struct symbols {
	uint16_t ours[CB_SYMBOLS];
};

static uint64_t our_key(const struct symbols *map, uint64_t k)
{
	unsigned n = cb_ngram_len(k), i;
	uint64_t ret = 0;

	for (i = 0; i < n && i <= CB_ORDER; i++)
		ret |= (uint64_t)map->ours[k >> 10 * i & (CB_SYMBOLS - 1)] << 10 * i;
	return cb_ngram_key(ret, n <= CB_ORDER + 1 ? n : 0);
}

static void sql_key(sqlite3_context *c, int n, sqlite3_value **v)
{
	sqlite3_result_int64(c, our_key(sqlite3_user_data(c), sqlite3_value_int64(v[0])));
}

static void sql_window(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct symbols *map = sqlite3_user_data(c);
	uint16_t sym[CB_ORDER + CB_WINDOW];
	int bytes = sqlite3_value_bytes(v[0]), i;

	if (bytes > (int)sizeof(sym))
		bytes = 0;
	if (bytes)
		memcpy(sym, sqlite3_value_blob(v[0]), bytes);
	for (i = 0; i < bytes / (int)sizeof(sym[0]); i++)
		sym[i] = map->ours[sym[i] & (CB_SYMBOLS - 1)];
	sqlite3_result_blob(c, sym, bytes, SQLITE_TRANSIENT);
}

/* Names first: those the other has and we have not, as far as there is room. */
static const char add_names[] =
	"INSERT INTO symbol (name) SELECT name FROM other.symbol WHERE name NOT IN (SELECT name FROM main.symbol) "
	"ORDER BY id LIMIT MAX(0, 1022 - (SELECT COUNT(*) FROM main.symbol));"
	"INSERT INTO field (dataset, name, role) SELECT dataset, name, role FROM other.field o WHERE NOT EXISTS "
	"(SELECT 1 FROM main.field m WHERE m.dataset = o.dataset AND m.name = o.name) "
	"ORDER BY id LIMIT MAX(0, 256 - (SELECT COUNT(*) FROM main.field));"
	"INSERT INTO subject (key, name, containers, days, dropped) SELECT key, name, 0, 0, 0 FROM other.subject "
	"WHERE key NOT IN (SELECT key FROM main.subject) ORDER BY id LIMIT MAX(0, 4096 - (SELECT COUNT(*) FROM main.subject));"
	"CREATE TABLE temp.subj AS SELECT o.id AS b, m.id AS a FROM other.subject o JOIN main.subject m USING (key);"
	"CREATE TABLE temp.fld AS SELECT o.id AS b, m.id AS a FROM other.field o JOIN main.field m USING (dataset, name, role);"
	"INSERT OR IGNORE INTO program (subject, path, calls, units, instances, mass, state) "
	"SELECT s.a, path, 0, 0, 0, 1, 'learning' FROM other.program JOIN temp.subj s ON s.b = subject ORDER BY id;"
	/* turn: folds go on where ours ended, as if the other's processes had come after ours */
	"CREATE TABLE temp.prog AS SELECT o.id AS b, m.id AS a, m.instances % 5 AS turn FROM other.program o "
	"JOIN temp.subj s ON s.b = o.subject JOIN main.program m ON m.subject = s.a AND m.path = o.path;"
	"CREATE INDEX temp.prog_b ON prog (b); CREATE INDEX temp.subj_b ON subj (b); CREATE INDEX temp.fld_b ON fld (b);";

/* temp.skip holds the batches that we have; ?1, ours(): what is added to the number of the others. */
static const char *const add_batches[] = {
	"INSERT INTO source (batch, path, hash, rows, lost, first, last) SELECT batch + ?1, path, hash, rows, lost, first, last "
	"FROM other.source WHERE batch NOT IN temp.skip ORDER BY id",
	"INSERT INTO subject_batch SELECT s.a, batch + ?1, containers, days, dropped FROM other.subject_batch "
	"JOIN temp.subj s ON s.b = subject WHERE batch NOT IN temp.skip",
	"INSERT INTO program_batch SELECT p.a, batch + ?1, calls, units, instances FROM other.program_batch "
	"JOIN temp.prog p ON p.b = program WHERE batch NOT IN temp.skip",
	"INSERT INTO field_batch SELECT s.a, f.a, batch + ?1 FROM other.field_batch JOIN temp.subj s ON s.b = subject "
	"JOIN temp.fld f ON f.b = field WHERE batch NOT IN temp.skip",
	/* several symbols of theirs may be one of ours: other */
	"INSERT INTO ngram SELECT p.a, cb_key(k), (fold + p.turn) % 5, batch + ?1, n, units FROM other.ngram "
	"JOIN temp.prog p ON p.b = program WHERE batch NOT IN temp.skip "
	"ON CONFLICT DO UPDATE SET n = n + excluded.n, units = units + excluded.units",
	"INSERT INTO item SELECT s.a, f.a, level, value, batch + ?1, n, units, start, first, last FROM other.item "
	"JOIN temp.subj s ON s.b = subject JOIN temp.fld f ON f.b = field WHERE batch NOT IN temp.skip",
	"INSERT INTO dropped SELECT s.a, f.a, level, batch + ?1, n FROM other.dropped JOIN temp.subj s ON s.b = subject "
	"JOIN temp.fld f ON f.b = field WHERE batch NOT IN temp.skip",
	"INSERT INTO heldout SELECT p.a, scale, batch + ?1, blocks, hist FROM other.heldout "
	"JOIN temp.prog p ON p.b = program WHERE batch NOT IN temp.skip",
	"INSERT INTO heldout_top SELECT p.a, scale, batch + ?1, rank, sum, (fold + p.turn) % 5, before, cb_window(symbols) "
	"FROM other.heldout_top JOIN temp.prog p ON p.b = program WHERE batch NOT IN temp.skip",
	"INSERT INTO rate_batch SELECT s.a, f.a, program, span, batch + ?1, blocks, starts, start, top, hist FROM other.rate_batch "
	"JOIN temp.subj s ON s.b = subject JOIN temp.fld f ON f.b = field WHERE batch NOT IN temp.skip",
};

static const char add_allow[] =
	"INSERT INTO allow (subject, program, field, value, reason, expires, added) "
	"SELECT subject, program, field, value, reason, expires, added FROM other.allow o WHERE NOT EXISTS "
	"(SELECT 1 FROM main.allow m WHERE m.subject = o.subject AND m.program = o.program AND m.field = o.field AND "
	"m.value = o.value AND m.expires = o.expires) ORDER BY id;"
	"DROP TABLE temp.subj; DROP TABLE temp.fld; DROP TABLE temp.prog; DROP TABLE temp.skip;";

/* A pipe has no hash: it is the same if all else is. */
static const char find_known[] =
	"CREATE TABLE temp.skip AS SELECT DISTINCT o.batch FROM other.source o JOIN main.source m ON "
	"o.hash = m.hash OR (o.hash IS NULL AND m.hash IS NULL AND o.path = m.path AND o.rows = m.rows AND "
	"o.first = m.first AND o.last = m.last);";

static void map_symbols(struct cb_db *d, struct symbols *map)
{
	sqlite3_stmt *s = cb_db_prepare(d, "SELECT o.id, m.id FROM other.symbol o JOIN main.symbol m USING (name)");
	int64_t id;
	int i;

	for (i = 1; i < CB_SYMBOLS; i++)
		map->ours[i] = CB_SYMBOL_OTHER;
	map->ours[0] = 0;
	while (cb_db_step(d, s)) {
		id = sqlite3_column_int64(s, 0);
		if (id > 0 && id < CB_SYMBOL_OTHER)
			map->ours[id] = sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
}

static void say_known(struct cb_db *d, const char *path, struct cb_buf *said)
{
	sqlite3_stmt *s = cb_db_prepare(d, "SELECT path FROM other.source WHERE batch IN temp.skip ORDER BY id");

	while (cb_db_step(d, s))
		cb_buf_printf(said, "%s: what it learned from %s, and in the same run, is there already: left out\n", path,
			      cb_db_text(s, 0));
	sqlite3_finalize(s);
}

/* What had no place: limits of a model, or a column that means something else here. */
static void say_left_out(struct cb_db *d, const char *path, struct cb_buf *said)
{
	static const struct {
		const char *sql, *what;
	} check[] = {
		{ "SELECT COUNT(*) FROM other.symbol WHERE name NOT IN (SELECT name FROM main.symbol)", "calls count as \"other\"" },
		{ "SELECT COUNT(*) FROM other.subject WHERE id NOT IN (SELECT b FROM temp.subj)", "subjects are too many" },
		{ "SELECT COUNT(*) FROM other.field WHERE id NOT IN (SELECT b FROM temp.fld)",
		  "fields are too many, or have another role" },
	};
	int64_t n;
	size_t i;

	for (i = 0; i < sizeof(check) / sizeof(check[0]); i++) {
		n = cb_db_number(d, check[i].sql);
		if (n)
			cb_buf_printf(said, "%s: %lld %s\n", path, (long long)n, check[i].what);
	}
}

static void add_tables(struct cb_db *d, const char *path, struct cb_buf *said)
{
	int64_t after = cb_db_next_batch(d) - cb_db_number(d, "SELECT MIN(batch) FROM other.subject_batch");
	struct symbols map;
	size_t i;

	cb_db_exec(d, find_known);
	say_known(d, path, said);
	cb_db_exec(d, add_names);
	say_left_out(d, path, said);
	map_symbols(d, &map);
	sqlite3_create_function(d->db, "cb_key", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, &map, sql_key, NULL, NULL);
	sqlite3_create_function(d->db, "cb_window", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, &map, sql_window, NULL, NULL);
	for (i = 0; i < sizeof(add_batches) / sizeof(add_batches[0]); i++)
		cb_db_exec_number(d, add_batches[i], after);
	cb_db_exec(d, add_allow);
	cb_db_exec(d, sum_up); /* the folds of the next one go on from here */
}

/* Models of another kind have nothing to say to each other. */
static void same_kind(struct cb_db *d, const struct cb_db *from)
{
	static const char *const key[] = { "by", "order" };
	sqlite3_stmt *s = cb_db_prepare(d, "SELECT m.value, o.value FROM main.meta m JOIN other.meta o USING (key) WHERE key = ?");
	size_t i;

	for (i = 0; s && i < sizeof(key) / sizeof(key[0]); i++) {
		sqlite3_bind_text(s, 1, key[i], -1, SQLITE_STATIC);
		if (cb_db_step(d, s) && strcmp(cb_db_text(s, 0), cb_db_text(s, 1)))
			d->err = cb_fail(d->e, -EINVAL, "%s: expected a model made with --%s=%s as the first, got \"%s\"", from->path,
					 key[i], cb_db_text(s, 0), cb_db_text(s, 1));
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
}

static void add_model(struct cb_db *d, const char *path, struct cb_buf *said)
{
	struct cb_db from;
	sqlite3_backup *b;

	if (d->err)
		return;
	d->err = cb_db_open_model(&from, path, SQLITE_OPEN_READONLY, d->e);
	cb_db_exec(d, "COMMIT; ATTACH ':memory:' AS other");
	if (!d->err) {
		b = sqlite3_backup_init(d->db, "other", from.db, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
			cb_db_fail(d);
	}
	if (!d->err)
		same_kind(d, &from);
	cb_db_close(&from);
	cb_db_exec(d, "BEGIN");
	if (!d->err)
		add_tables(d, path, said);
	cb_db_exec(d, "COMMIT; DETACH other; BEGIN");
}

int cb_model_merge(const char *out, char *const *path, int n, struct cb_buf *said, struct cb_err *e)
{
	char *aside = NULL;
	struct cb_db d;
	int i;

	if (access(out, F_OK) == 0)
		return cb_fail(e, -EEXIST, "%s: expected a model to be made, but it is there already", out);
	if (begin(&d, out, path[0], &aside, e) < 0 && !aside)
		return d.err;
	for (i = 1; i < n; i++)
		add_model(&d, path[i], said);
	return finish(&d, out, aside, e);
}

/* ---- sources ---- */

int cb_model_sources(const char *model, struct cb_buf *said, struct cb_err *e)
{
	sqlite3_stmt *s;
	struct cb_db d;

	if (cb_db_open_model(&d, model, SQLITE_OPEN_READONLY, e) == 0) {
		s = cb_db_prepare(&d, "SELECT batch, path, hash, rows FROM source ORDER BY id");
		while (cb_db_step(&d, s))
			cb_buf_printf(said, "learned in run %lld: %s %s, %lld rows\n", (long long)sqlite3_column_int64(s, 0),
				      cb_db_text(s, 1), *cb_db_text(s, 2) ? cb_db_text(s, 2) : "(pipe)",
				      (long long)sqlite3_column_int64(s, 3));
		sqlite3_finalize(s);
	}
	cb_db_close(&d);
	return d.err;
}
