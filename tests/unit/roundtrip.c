/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every data type there is: random record -> writer -> file -> reader -> record, the same field by field, in
 * JSON and CSV, plain and compressed. A new type in bpf/ is covered without a line here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "field.h"
#include "reader.h"
#include "writer.h"

#define ROWS 331
#define TEXT 61 /* bytes of a text in the common part */

static uint64_t seed;

/* splitmix64: the same rows on every machine */
static uint64_t rnd(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* What has broken readers: quotes, commas, ends of lines, escapes, half characters, right to left, bytes of all values. */
static size_t random_text(char *p, size_t room, unsigned hostile)
{
	static const char *const odd[] = { "\"", ",", "\n", "\r\n", "\\", "\\x0a", "''", " ", "\t", "\x1b[31m", "\x7f",
					   "\xc3\xa4", "\xc3", "\xff", "\xe2\x80\xae", "\xf0\x9f\x98\x80", "{", "}", "[", "]",
					   "\xc2\x85", "\xed\xa0\x80", "\"\"", "=", "@timestamp", "\xef\xbb\xbf" };
	size_t want = rnd() % (room + 1), n = 0;

	while (n < want) {
		if (hostile && rnd() % hostile == 0) {
			const char *s = odd[rnd() % (sizeof(odd) / sizeof(odd[0]))];
			size_t len = strlen(s);

			if (n + len <= want) {
				memcpy(p + n, s, len);
				n += len;
				continue;
			}
		}
		p[n++] = hostile == 1 ? 1 + rnd() % 255 : 'a' + rnd() % 26;
	}
	return n;
}

/* Words that end with NUL, some empty, some '' themselves. */
static size_t random_argv(char *p, size_t room, unsigned hostile)
{
	size_t want = rnd() % (room + 1), n = 0;

	while (n < want) {
		size_t max = want - n - 1 < 97 ? want - n - 1 : 97;

		n += random_text(p + n, max, hostile);
		p[n++] = '\0';
	}
	if (n == room && rnd() % 2) /* cut by the probe: no NUL at the end */
		p[n - 1] = 'x';
	return n;
}

static uint16_t random_call(void)
{
	for (;;) {
		uint16_t nr = rnd() % 460 | (rnd() % 8 ? 0 : CB_SYSCALL_COMPAT);

		if (cb_syscall_number(cb_syscall_name(nr)) == nr)
			return nr;
	}
}

static size_t random_calls(char *p, size_t room)
{
	size_t n = rnd() % (room / 2 + 1);

	for (size_t i = 0; i < n; i++) {
		uint16_t nr = random_call();

		memcpy(p + 2 * i, &nr, 2);
	}
	return 2 * n;
}

static uint64_t random_number(const struct cb_field *f)
{
	switch (f->type) {
	case CB_BOOL: return rnd() % 2;
	case CB_TIME: return 1 + rnd() % UINT64_C(18000000000000000000);
	case CB_ERRNO: return rnd() % 134;
	case CB_SIGNAL: return rnd() % 65;
	case CB_SYSCALL: return random_call();
	default: return rnd() >> rnd() % 64;
	}
}

static void put_number(const struct cb_field *f, char *p)
{
	uint64_t v = random_number(f);
	double d = (double)(int64_t)rnd() / (1 + rnd() % 1000003);
	float small = d;

	if (f->type == CB_FLOAT)
		memcpy(p, f->size == sizeof(small) ? (void *)&small : (void *)&d, f->size);
	else
		memcpy(p, &v, f->size); /* little endian, as all machines we run on */
}

/* Returns the bytes used of a last field, else its size. */
static size_t fill(const struct cb_field *f, char *p, unsigned hostile)
{
	size_t n;

	switch (f->type) {
	case CB_ARGV: return random_argv(p, f->size, hostile);
	case CB_SYSCALLS: return random_calls(p, f->size);
	case CB_STR:
	case CB_PATH:
	case CB_HIST:
		n = random_text(p, f->size, hostile);
		memset(p + n, 0, f->size - n);
		return f->size;
	default: put_number(f, p); return f->size;
	}
}

static bool is_text(enum cb_type t)
{
	return t == CB_STR || t == CB_PATH || t == CB_HIST;
}

static size_t fill_record(const struct cb_schema *s, char *rec, unsigned hostile)
{
	size_t len = s->size;

	memset(rec, 0, s->size);
	for (size_t i = 0; i < s->nfields; i++) {
		const struct cb_field *f = &s->field[i];
		size_t n = fill(f, rec + f->off, hostile);

		if (f->type == CB_ARGV || f->type == CB_SYSCALLS)
			len = f->off + n;
	}
	return len;
}

static void fill_common(const struct cb_schema *s, struct cb_common *c, char text[][TEXT + 1], unsigned hostile)
{
	static const char *const kinds[] = { "event", "gap", "heartbeat" };
	size_t ntext = 0;

	for (size_t i = 0; i < cb_ncommon_fields; i++) {
		const struct cb_field *f = &cb_common_fields[i];

		if (is_text(f->type)) {
			text[ntext][random_text(text[ntext], TEXT, hostile)] = '\0';
			*(const char **)((char *)c + f->off) = text[ntext++];
		} else {
			fill(f, (char *)c + f->off, hostile);
		}
	}
	sprintf(text[0], "cbtools.%s", s->name);
	c->dataset = text[0];
	c->kind = kinds[rnd() % 3];
	c->pid |= 1; /* without a process its columns are left out */
	c->truncated = false;
}

/* ---- what came back ---- */

static const char *text_at(const struct cb_field *f, const void *base)
{
	return *(const char *const *)((const char *)base + f->off);
}

static void same_common(const struct cb_common *a, const struct cb_common *b, bool cut)
{
	for (size_t i = 0; i < cb_ncommon_fields; i++) {
		const struct cb_field *f = &cb_common_fields[i];
		bool counter = !strcmp(f->name, "event.seen") || !strcmp(f->name, "event.sent") ||
			       !strcmp(f->name, "event.filtered") || !strcmp(f->name, "event.recursion_misses");

		if (counter && strcmp(a->kind, "heartbeat"))
			continue; /* belong to rows that sum up */
		if (!strcmp(f->name, "event.truncated"))
			continue;
		if (is_text(f->type) && cut)
			assert_memory_equal(text_at(f, a), text_at(f, b), strlen(text_at(f, b)));
		else if (is_text(f->type))
			assert_string_equal(text_at(f, a), text_at(f, b));
		else
			assert_memory_equal((const char *)a + f->off, (const char *)b + f->off, f->size);
	}
}

static void same_record(const struct cb_event *a, const struct cb_event *b, bool cut)
{
	const struct cb_schema *s = a->schema;

	for (size_t i = 0; i < s->nfields; i++) {
		const struct cb_field *f = &s->field[i];
		const char *x = (const char *)a->rec + f->off, *y = (const char *)b->rec + f->off;
		size_t n = f->size, used = b->len - f->off;

		if (f->type == CB_ARGV || f->type == CB_SYSCALLS)
			n = cut ? used - (used && f->type == CB_ARGV) : a->len - f->off; /* a cut word gets its NUL early */
		else if (is_text(f->type) && cut)
			n = strnlen(y, f->size);
		assert_memory_equal(x, y, n);
	}
	if (!cut)
		assert_int_equal(a->len, b->len);
}

static struct cb_event *random_event(const struct cb_schema *s)
{
	static const unsigned how[] = { 0, 0, 19, 19, 1 }; /* one odd piece in so many bytes; 1: any byte */
	struct {
		struct cb_event ev;
		char text[64][TEXT + 1];
		char rec[];
	} *a = cb_xalloc(sizeof(*a) + s->size);
	unsigned hostile = how[rnd() % 5];

	a->ev.schema = s;
	a->ev.rec = a->rec;
	a->ev.len = fill_record(s, a->rec, hostile);
	fill_common(s, &a->ev.c, a->text, hostile);
	return &a->ev;
}

static void write_rows(const struct cb_schema *s, enum cb_format format, const char *path, struct cb_event **row)
{
	struct cb_common c = { .kind = "schema", .time = cb_now_utc() };
	struct cb_err e = {};
	struct cb_writer *w = NULL;
	struct cb_out *out = NULL;

	if (cb_out_open(&out, path, &e) || cb_writer_open(&w, format, out, s, NULL, &e))
		fail_msg("%s", e.text);
	cb_writer_meta(w, &c);
	for (int i = 0; i < ROWS; i++) {
		cb_writer_event(w, row[i]);
		if (i % 37 == 0)
			assert_int_equal(cb_out_flush(out, &e), 0);
	}
	c.kind = "end";
	cb_writer_meta(w, &c);
	cb_writer_free(w);
	if (cb_out_close(out, &e))
		fail_msg("%s", e.text);
}

static void next(struct cb_reader *r, struct cb_row *row, const char *kind, int kind_id)
{
	struct cb_err e;
	int err = cb_reader_next(r, row, &e);

	if (err != 1)
		fail_msg("%d %s", err, err ? e.text : "no row");
	if (kind)
		assert_string_equal(cb_row_get(row, kind_id), kind);
}

static void check_dataset(const struct cb_schema *s, const struct cb_dataset *ds)
{
	assert_non_null(ds);
	assert_int_equal(ds->version, s->version);
	for (size_t i = 0; i < s->nfields; i++) {
		size_t at = 0;

		while (at < ds->ncol && strcmp(ds->col[at].name, s->field[i].name))
			at++;
		assert_true(at < ds->ncol);
		assert_int_equal(ds->col[at].type, s->field[i].type);
		assert_int_equal(ds->col[at].role, s->field[i].role);
	}
}

static void read_rows(const struct cb_schema *s, const char *path, struct cb_event **want)
{
	struct cb_names *names = cb_names_new();
	int whole = 0, kind = cb_names_id(names, "event.kind");
	char *rec = cb_xalloc(s->size);
	struct cb_err e = {};
	struct cb_reader *r;
	struct cb_event ev;
	struct cb_row row;

	assert_int_equal(cb_reader_open(&r, names, path, &e), 0);
	next(r, &row, "schema", kind);
	check_dataset(s, row.dataset);
	for (int i = 0; i < ROWS; i++) {
		next(r, &row, NULL, kind);
		if (cb_event_from_row(s, names, &row, rec, &ev, &e))
			fail_msg("%s", e.text);
		assert_int_equal(row.time, want[i]->c.time);
		same_common(&want[i]->c, &ev.c, ev.c.truncated);
		same_record(want[i], &ev, ev.c.truncated);
		whole += !ev.c.truncated;
	}
	assert_true(whole > ROWS / 3);
	assert_false(cb_reader_ended(r));
	next(r, &row, "end", kind);
	assert_int_equal(cb_reader_next(r, &row, &e), 0);
	assert_true(cb_reader_ended(r));
	cb_reader_free(r);
	cb_names_free(names);
	free(rec);
}

static void roundtrip(void **state)
{
	static const char *const name[] = { "x.jsonl", "x.jsonl.zst", "x.csv", "x.csv.zst" };
	char dir[] = "/tmp/cb-roundtrip-XXXXXX", path[64];
	struct cb_event *row[ROWS];

	assert_non_null(mkdtemp(dir));
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		seed = 20261124;
		for (int i = 0; i < ROWS; i++)
			row[i] = random_event(*s);
		for (int i = 0; i < 4; i++) {
			snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
			print_message("%s %s\n", (*s)->name, name[i]);
			write_rows(*s, i < 2 ? CB_JSON : CB_CSV, path, row);
			read_rows(*s, path, row);
			unlink(path);
		}
		for (int i = 0; i < ROWS; i++)
			free(row[i]);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(roundtrip) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
