/* SPDX-License-Identifier: GPL-2.0 */
/* The model's file: what is saved comes back, counts add, nothing half written stays; thresholds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "batch.h"

struct place {
	char folder[64], path[96];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/cb-model-XXXXXX");
	if (!mkdtemp(p->folder))
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/m.db", p->folder);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	rmdir(p->folder);
	free(p);
	return 0;
}

static int files(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* As if two units of a program had been learned. */
static void learn(struct cb_model *m, unsigned n)
{
	struct cb_subject *s = cb_model_subject(m, "sha256:1", "web");
	int set = cb_model_field(m, "acme.door", "door", CB_SET), rate = cb_model_field(m, "acme.door", "opened", CB_RATE);
	struct cb_program *p = cb_subject_program(s, "/bin/x");
	struct cb_top top = { .sum = 20 * 16 * n, .fold = 3, .before = 1, .len = 21, .sym = { 1, 2, 1 } };
	unsigned a = cb_model_symbol(m, "read", 4), b = cb_model_symbol(m, "write", 5);
	struct cb_count *c;

	s->days += 0.25;
	s->days_add += 0.25;
	s->containers++;
	s->containers_add++;
	c = cb_counts_get(&p->counts, cb_ngram_key((uint64_t)a << 10 | b, 2));
	c->n[3] += n;
	c->add[3] += n;
	c->units++;
	c->units_add++;
	p->calls += n;
	p->calls_add += n;
	p->units++;
	p->units_add++;
	cb_items_see(&cb_subject_set(s, set)->level[1], "north", 5, n, 0, 0, false, 77);
	cb_rate_put(cb_set_rate(cb_subject_set(s, rate), "/bin/x"), 1, n);
	cb_heldout_put(&p->held_add[0], &top, 20);
	cb_model_thresholds(m);
}

static void check(const struct cb_model *m, unsigned n, unsigned units)
{
	struct cb_subject *s = cb_model_find(m, "sha256:1");
	struct cb_program *p;
	struct cb_count *c;
	uint64_t key;
	int id;

	assert_non_null(s);
	assert_string_equal(s->name, "web");
	assert_int_equal(s->containers, units);
	assert_true(s->days == 0.25 * units);
	p = cb_subject_find(s, "/bin/x");
	assert_non_null(p);
	assert_int_equal(p->calls, n);
	assert_int_equal(p->held[0].ntop, units);
	assert_int_equal(p->held[0].top[0].fold, 3);
	assert_int_equal(p->held[0].top[0].len, 21);
	assert_int_equal(p->held[0].top[0].sym[1], 2);
	key = cb_ngram_key((uint64_t)(cb_strmap_find(&m->sym, "read", 4) + 1) << 10 |
				   (cb_strmap_find(&m->sym, "write", 5) + 1), 2);
	c = cb_counts_get(&p->counts, key);
	assert_int_equal(c->n[3], n);
	assert_int_equal(c->units, units);
	assert_int_equal(c->add[3], 0);
	id = cb_strmap_find(&s->set[0]->level[1].map, "north", 5);
	assert_true(id >= 0);
	assert_int_equal(s->set[0]->level[1].item[id].n, n);
	assert_int_equal(s->set[0]->level[1].item[id].units, units);
	assert_int_equal(cb_set_find_rate(s->set[1], "/bin/x")->span[1].blocks, units);
	assert_int_equal(cb_set_find_rate(s->set[1], "/bin/x")->span[1].ntop, units);
	assert_null(cb_set_find_rate(s->set[1], ""));
}

static void test_saved_comes_back_and_adds(void **state)
{
	struct place *p = *state;
	struct cb_source source = { .path = "a.jsonl", .hash = "abcd", .rows = 7 };
	struct cb_model *m = cb_model_new();
	struct cb_err e = { 0 };
	struct stat st;
	bool has;

	learn(m, 7);
	assert_int_equal(cb_model_save(m, p->path, NULL, &source, 1, &e), 0);
	cb_model_free(m);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(files(p->folder), 1);
	assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
	check(m, 7, 1);
	assert_int_equal(cb_model_has_source(p->path, "abcd", &has, &e), 0);
	assert_true(has);
	assert_int_equal(cb_model_has_source(p->path, "abce", &has, &e), 0);
	assert_false(has);

	learn(m, 11);
	source.hash = "abce";
	assert_int_equal(cb_model_save(m, p->path, p->path, &source, 1, &e), 0);
	/* saved twice, added once */
	source.hash = NULL;
	assert_int_equal(cb_model_save(m, p->path, p->path, &source, 1, &e), 0);
	cb_model_free(m);
	assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
	check(m, 18, 2);
	cb_model_free(m);
	assert_int_equal(cb_model_load(&m, p->path, true, &e), 0);
	assert_non_null(cb_subject_find(cb_model_find(m, "sha256:1"), "/bin/x")->chain);
	cb_model_free(m);
}

static void test_allow(void **state)
{
	struct place *p = *state;
	struct cb_allow a = { "sha256:1", "", "door", "it's \"\\x1b\"; --", 2000, true };
	struct cb_model *m = cb_model_new();
	struct cb_err e = { 0 };

	learn(m, 3);
	assert_int_equal(cb_model_save(m, p->path, NULL, NULL, 0, &e), 0);
	cb_model_free(m);
	assert_int_equal(cb_model_add_allow(p->path, &a, "why not", &e), 0);
	assert_int_equal(cb_model_load(&m, p->path, true, &e), 0);
	assert_true(cb_model_allowed(m, "sha256:1", "/any", "door", a.value, 1999));
	assert_false(cb_model_allowed(m, "sha256:1", "/any", "door", a.value, 2000));
	assert_false(cb_model_allowed(m, "sha256:2", "/any", "door", a.value, 1));
	assert_false(cb_model_allowed(m, "sha256:1", "/any", "door", "it's", 1));
	cb_model_free(m);
	assert_int_equal(files(p->folder), 1);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refused(const char *path, const char *words)
{
	struct cb_model *m = NULL;
	struct cb_err e = { 0 };

	if (cb_model_load(&m, path, false, &e) >= 0)
		fail_msg("loaded; expected: %s", words);
	assert_null(m);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
	assert_null(strchr(e.text, '\n'));
}

static void test_other_files(void **state)
{
	struct place *p = *state;
	struct cb_model *m = cb_model_new();
	struct cb_err e = { 0 };
	FILE *f;

	refused(p->path, "No such file");
	refused(p->folder, "no file");
	f = fopen(p->path, "w");
	for (int i = 0; i < 1009; i++)
		fprintf(f, "no model %d\n", i);
	fclose(f);
	refused(p->path, "another kind of file");
	unlink(p->path);
	run_sql(p->path, "CREATE TABLE x (y)");
	refused(p->path, "another kind of database");
	unlink(p->path);
	learn(m, 3);
	assert_int_equal(cb_model_save(m, p->path, NULL, NULL, 0, &e), 0);
	run_sql(p->path, "PRAGMA user_version = 4");
	refused(p->path, "got version 4");
	run_sql(p->path, "PRAGMA user_version = 3; DROP TABLE ngram");
	refused(p->path, "ngram");
	cb_model_free(m);
}

/* Numbers that no model of ours holds end nothing. */
static void test_hostile_file(void **state)
{
	struct place *p = *state;
	struct cb_model *m = cb_model_new();
	struct cb_err e = { 0 };

	learn(m, 3);
	assert_int_equal(cb_model_save(m, p->path, NULL, NULL, 0, &e), 0);
	cb_model_free(m);
	run_sql(p->path, "INSERT INTO ngram VALUES (1, -1, 0, 9, 5, 5), (1, 1, 0, 9, 5, 5), (77, 5, 77, 1, 1, 1),"
			 "(1, 1152921504606846977, 0, 9, -5, -5);"
			 "INSERT INTO item VALUES (1, 99, 0, 'x', 1, 1, 1, 0, 0, 0), (1, 1, -7, 'x', 1, 1, 1, 0, 0, 0),"
			 "(-3, 1, 0, x'00ff', 1, 1, 1, 0, 0, 0);"
			 "UPDATE heldout_top SET fold = -77, before = 200, symbols = zeroblob(3);"
			 "UPDATE heldout SET hist = 'short';"
			 "UPDATE threshold SET level = 4711, scale = 0;"
			 "INSERT INTO heldout_top VALUES (1, 0, 1, 5, 1, 1, 1, zeroblob(100000)), (1, 7, 1, 5, 1, 1, 1, 'x');"
			 "UPDATE rate SET floor = -1, scale = 0, scored = 1;"
			 "UPDATE rate_batch SET blocks = -5, top = zeroblob(7);"
			 "INSERT INTO rate VALUES (1, 2, 'y', 9, 1, 1, 1, 1, 1, 1, 1, 1);"
			 "INSERT INTO rate_batch VALUES (1, 2, 'y', 9, 1, 1, 1, 1, 'x', 'x'),"
			 "(1, 2, 'z', 1, 1, 1, 1, 1, zeroblob(1000), zeroblob(1024)), (1, 2, 'z', 1, 2, 1, 1, 1, 'x', zeroblob(1024));"
			 "INSERT INTO subject VALUES (-9, 'a', 'a', 1, 1, 0), (99999999999, 'b', 'b', 1, 1, 0);"
			 "INSERT INTO field_batch VALUES (1, 0, 1), (77, 1, 1), (1, 256, 1);"
			 "UPDATE meta SET value = '4000000000' WHERE key = 'order'");
	assert_int_equal(cb_model_load(&m, p->path, true, &e), 0);
	cb_model_thresholds(m);
	cb_model_free(m);
	assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
	assert_true(m->order <= CB_ORDER);
	cb_model_free(m);
}

/* The tables of version 2: no batches but of counts and values. */
static const char version_2[] =
	"ALTER TABLE rate RENAME TO r; ALTER TABLE heldout RENAME TO h; ALTER TABLE heldout_top RENAME TO t;"
	"CREATE TABLE rate AS SELECT r.subject, r.field, r.program, r.span, blocks, starts, start, floor, top, hist, scored, score,"
	" per_day, largest, scale, effective, aside FROM r JOIN rate_batch USING (subject, field, program, span);"
	"CREATE TABLE heldout AS SELECT program, scale, blocks, hist FROM h;"
	"CREATE TABLE heldout_top AS SELECT program, scale, rank, sum, fold, before, symbols FROM t;"
	"DROP TABLE dropped; CREATE TABLE dropped (subject, field, level, n);"
	"DROP TABLE r; DROP TABLE h; DROP TABLE t; DROP TABLE rate_batch; DROP TABLE subject_batch; DROP TABLE program_batch;"
	"DROP TABLE field_batch; PRAGMA user_version = 2";

static void test_version_2(void **state)
{
	struct place *p = *state;
	struct cb_model *m = cb_model_new();
	struct cb_source source = { .path = "a.jsonl", .hash = "abcd", .rows = 7 };
	struct cb_buf said = { 0 };
	struct cb_err e = { 0 };
	int i;

	learn(m, 7);
	assert_int_equal(cb_model_save(m, p->path, NULL, &source, 1, &e), 0);
	cb_model_free(m);
	run_sql(p->path, version_2);
	for (i = 0; i < 3; i++) {
		assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
		check(m, i < 2 ? 7 : 18, i < 2 ? 1 : 2);
		if (i)
			learn(m, 11);
		if (i < 2)
			assert_int_equal(cb_model_save(m, p->path, p->path, NULL, 0, &e), 0);
		cb_model_free(m);
	}
	/* of what it kept as a sum only, nothing can be taken away: which is said */
	assert_int_equal(cb_model_forget_source(p->path, "a.jsonl", NULL, &said, &e), 0);
	assert_non_null(strstr(said.s, "forgotten: a.jsonl, 7 rows\n"));
	assert_non_null(strstr(said.s, "older version"));
	cb_buf_free(&said);
	assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
	assert_true(m->subject[0]->days == 0.5);
	assert_int_equal(m->subject[0]->set[0]->level[1].item[0].n, 11);
	cb_model_free(m);
}

/* As version 1 wrote it: no rates, and other values of files. It is read, and saved as it is now. */
static void test_version_1(void **state)
{
	struct place *p = *state;
	struct cb_model *m = cb_model_new();
	struct cb_err e = { 0 };
	int file = cb_model_field(m, "cbtools.file", "file.path", CB_SET), i;

	learn(m, 3);
	cb_items_see(&cb_subject_set(m->subject[0], file)->level[1], "/etc/x", 6, 1, 0, 0, false, 77);
	assert_int_equal(cb_model_save(m, p->path, NULL, NULL, 0, &e), 0);
	cb_model_free(m);
	run_sql(p->path, version_2);
	run_sql(p->path, "DROP TABLE rate; PRAGMA user_version = 1");
	for (i = 0; i < 2; i++) {
		assert_int_equal(cb_model_load(&m, p->path, false, &e), 0);
		assert_non_null(cb_subject_find(m->subject[0], "/bin/x"));
		assert_true(!m->subject[0]->set[file] || !m->subject[0]->set[file]->level[1].map.n);
		assert_true(!m->subject[0]->set[file] || !m->subject[0]->set[file]->t.scored);
		if (!i)
			assert_int_equal(cb_model_save(m, p->path, p->path, NULL, 0, &e), 0);
		cb_model_free(m);
	}
}

static void test_failed_save_leaves_the_old(void **state)
{
	struct place *p = *state;
	struct cb_model *m = cb_model_new();
	char path[128];
	struct cb_err e = { 0 };

	learn(m, 3);
	snprintf(path, sizeof(path), "%s/no/m.db", p->folder);
	assert_int_equal(cb_model_save(m, path, NULL, NULL, 0, &e), -ENOENT);
	assert_non_null(strstr(e.text, path));
	/* the place is taken by a folder: made aside, not renamed, removed */
	e.text[0] = 0;
	assert_true(cb_model_save(m, p->folder, NULL, NULL, 0, &e) < 0);
	assert_int_equal(files(p->folder), 0);
	cb_model_free(m);
	unlink(p->path);
}

/* Many units of one program whose block maxima are given. */
static struct cb_model *with_maxima(const double *bits, int n, double budget, double days)
{
	struct cb_model *m = cb_model_new();
	struct cb_subject *s = cb_model_subject(m, "s", "s");
	struct cb_program *p = cb_subject_program(s, "/p");
	struct cb_count *c = cb_counts_get(&p->counts, cb_ngram_key(1, 6));

	m->budget = budget;
	s->days = days;
	c->n[0] = 1000;
	c->units = p->units = p->instances = n;
	for (int i = 0; i < n; i++) {
		struct cb_top t = { .sum = bits[i] * 16 * 20, .len = 20, .fold = i % 5 };

		cb_heldout_put(&p->held[0], &t, 20);
	}
	cb_model_thresholds(m);
	return m;
}

static void test_thresholds(void **state)
{
	double bits[1009];
	struct cb_model *m;
	const struct cb_threshold *t;

	for (int i = 0; i < 1009; i++)
		bits[i] = 2 + i * 5 % 1009 / 500.0; /* 2 to 4.016 */
	/* tighter than the history carries: above all of it */
	m = with_maxima(bits, 1009, 1, 0.5);
	t = &m->subject[0]->program[0]->window[0];
	assert_true(t->scored && t->blocks == 1009 && t->aside == 0);
	assert_true(t->score > 4.016 * 16 && t->score < 6 * 16);
	assert_true(t->per_day == 2);
	cb_model_free(m);
	/* the windows of one program have all of this budget by halves: 101 blocks a day on this scale */
	m = with_maxima(bits, 1009, 202, 1);
	t = &m->subject[0]->program[0]->window[0];
	assert_true(t->score >= 3.8 * 16 && t->score < 4.8 * 16);
	assert_true(t->per_day == 101);
	cb_model_free(m);
	/* too few units: no threshold, no judgement */
	m = with_maxima(bits, 4, 1, 1);
	assert_false(m->subject[0]->program[0]->window[0].scored);
	cb_model_free(m);
	/* the margin above the same largest one, and the floor where all are alike: of few blocks two thirds more */
	{
		double often[1009], alike[1009], margin[2], floor[2];
		int blocks[2] = { 7, 1009 };

		for (int i = 0; i < 1009; i++) {
			often[i] = i % 10 ? 0.9 : 4.5;
			alike[i] = 0.9;
		}
		for (int k = 0; k < 2; k++) {
			m = with_maxima(often, blocks[k], 1, 0.001);
			t = &m->subject[0]->program[0]->window[0];
			margin[k] = t->score - t->top;
			cb_model_free(m);
			m = with_maxima(alike, blocks[k], 1, 0.001);
			t = &m->subject[0]->program[0]->window[0];
			floor[k] = t->score - t->top;
			cb_model_free(m);
		}
		assert_true(margin[1] > 0.7 * 16 && margin[1] < 0.8 * 16);
		assert_true(margin[0] > 1.6 * margin[1] && margin[0] < 1.7 * margin[1]);
		assert_true(floor[1] > 2 * 255 / 20.0 && floor[1] < 2.2 * 255 / 20);
		assert_true(floor[0] > 1.6 * floor[1] && floor[0] < 1.7 * floor[1]);
	}
	/* one start that towers above the rest is set aside, and counted into the promise */
	bits[17] = 15;
	m = with_maxima(bits, 101, 1, 0.5);
	t = &m->subject[0]->program[0]->window[0];
	assert_int_equal(t->aside, 1);
	assert_true(t->score < 6 * 16 && t->per_day == 4);
	cb_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_saved_comes_back_and_adds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_version_2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_version_1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_save_leaves_the_old, setup, teardown),
		cmocka_unit_test(test_thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
