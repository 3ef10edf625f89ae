/* SPDX-License-Identifier: GPL-2.0 */
/* One reader: good rows, and every kind of bad one, after which reading goes on. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>
#include <cmocka.h>
#include "reader.h"
#include "reader_impl.h"

static char dir[] = "/tmp/cb-reader-XXXXXX";
static char path[64];

static void put(const char *name, const void *s, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s, len), len);
	close(fd);
}

/* Rows as "name=text name=text", one a line; errors as "! text" without the folder. */
static void dump(struct cb_reader *r, struct cb_names *names, struct cb_buf *out)
{
	struct cb_err e;
	struct cb_row row;
	int err;

	while ((err = cb_reader_next(r, &row, &e))) {
		if (err < 0) {
			assert_memory_equal(e.text, dir, strlen(dir));
			cb_buf_printf(out, "! %s\n", e.text + strlen(dir) + 1);
			assert_int_not_equal(err, -EAGAIN);
			continue;
		}
		for (int i = 0; i < row.npresent; i++) {
			int id = row.present[i];

			assert_true(row.len[id] == strlen(row.val[id]));
			cb_buf_printf(out, "%s%s=%s", i ? "|" : "", cb_names_name(names, id), row.val[id]);
		}
		cb_buf_putc(out, '\n');
	}
	cb_buf_putc(out, '\0');
}

static char *read_all(const char *s, size_t len)
{
	struct cb_names *names = cb_names_new();
	struct cb_buf out = {};
	struct cb_reader *r;
	struct cb_err e = {};

	put(path, s, len);
	assert_int_equal(cb_reader_open(&r, names, path, &e), 0);
	dump(r, names, &out);
	cb_reader_free(r);
	cb_names_free(names);
	return out.s;
}

static void check(const char *s, size_t len, const char *want)
{
	char *got = read_all(s, len);

	assert_string_equal(got, want);
	free(got);
}
#define CHECK(text, want) check(text, sizeof(text) - 1, want)

static void json_rows(void **state)
{
	CHECK("", "");
	CHECK("\n\n \n", "");
	CHECK("{}\n", "\n");
	CHECK("{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":-0.5e+3}\n", "a=1|b=x\nb=y|a=-0.5e+3\n");
	CHECK(" { \"a\" : true , \"b\" : null , \"c\" : false } \r\n", "a=true|c=false\n");
	CHECK("\xef\xbb\xbf{\"a\":1}\n", "a=1\n");
	CHECK("{\"a\":\"\",\"b\":2}\n", "b=2\n"); /* empty is absent, as in CSV */
	CHECK("{\"a\":1,\"b\":2,\"a\":3}\n", "a=3|b=2\n");
	CHECK("{\"a\":1,\"b\":2,\"a\":\"\"}\n", "b=2\n");
	CHECK("{\"a\":123456789012345678901234567890}\n", "a=123456789012345678901234567890\n");
	CHECK("{\"event\":{\"dataset\":\"x\",\"a\":{\"b\":1}},\"c\":2}\n", "event.dataset=x|event.a.b=1|c=2\n");
	CHECK("{\"a\":{},\"b\":1}\n", "b=1\n");
	CHECK("{\"a\":1}\n{\"a\":2}", "a=1\na=2\n"); /* whole without a newline */
}

static void json_text(void **state)
{
	CHECK("{\"a\":\"q\\\"s\\/\\u00e4\\ud83d\\ude00\"}\n", "a=q\"s/\xc3\xa4\xf0\x9f\x98\x80\n");
	CHECK("{\"a\":\"x\\ny\\u0000z\\u202e\"}\n", "a=x\\x0ay\\x00z\\xe2\\x80\\xae\n");
	CHECK("{\"a\":\"\\\\x0a \\\\\\\\ \\\\n\"}\n", "a=\\x0a \\\\ \\\\n\n"); /* only the last is no escape of ours */
	CHECK("{\"a\":\"\xff\xc3\xa4\x7f\"}\n", "a=\\xff\xc3\xa4\\x7f\n");
	CHECK("{\"a\":\"\\ud800\"}\n", "a=\\xed\\xa0\\x80\n");
	CHECK("{\"a\\tb\":\"1\"}\n", "a\\x09b=1\n");
}

static void json_arrays(void **state)
{
	CHECK("{\"a\":[\"ls\",\"-l\",\"a b\",\"\",\"''\"],\"b\":1}\n", "a=ls -l a\\x20b '' \\x27'|b=1\n");
	CHECK("{\"a\":[ 1 , true , null , \"x\\ny\" ] }\n", "a=1 true '' x\\x0ay\n");
	CHECK("{\"a\":[],\"b\":[\"\"]}\n", "b=''\n");
	CHECK("{\"a\":[{\"b\":\"\\n\"},[1, 2]],\"c\":3}\n", "a=[{\"b\":\"\\\\n\"},[1, 2]]|c=3\n");
}

static void json_bad(void **state)
{
	CHECK("{\"a\":1\n{\"a\":2}\n", "! in:1: expected a comma or }, got the end of the row\na=2\n");
	CHECK("{\"a\":1}\n{\"a\":tru}\n{\"a\":3}\n", "a=1\n! in:2: expected a JSON value, got \"tru}\"\na=3\n");
	CHECK("{\"a\":01}\n", "! in:1: expected a JSON value, got \"01}\"\n");
	CHECK("{\"a\":1.}\n", "! in:1: expected a JSON value, got \"1.}\"\n");
	CHECK("{\"a\":NaN}\n", "! in:1: expected a JSON value, got \"NaN}\"\n");
	CHECK("{\"a\":1,}\n", "! in:1: expected a name in quotes, got \"}\"\n");
	CHECK("{a:1}\n", "! in:1: expected a name in quotes, got \"a:1}\"\n");
	CHECK("{\"a\" 1}\n", "! in:1: expected a colon after the name, got \"1}\"\n");
	CHECK("{\"a\":1}}\n", "! in:1: expected the end of the row, got \"}\"\n");
	CHECK("{\"a\":[1 2]}\n", "! in:1: expected a comma or ], got \"2]}\"\n");
	CHECK("{\"a\":\"x\n", "! in:1: expected the end of a string, without control characters in it, got the end of the row\n");
	CHECK("{\"a\":\"\x01\"}\n", "! in:1: expected the end of a string, without control characters in it, got \"\\x01\"}\"\n");
	CHECK("{\"a\":\"\\x\"}\n", "! in:1: expected a JSON escape as \\\\n or \\\\u00e4, got \"\\\\x\"}\"\n");
	CHECK("{\"a\":\"\\u12\"}\n", "! in:1: expected a JSON escape as \\\\n or \\\\u00e4, got \"\\\\u12\"}\"\n");
	CHECK("{\"a\":1}\n\0{\"a\":2}\n{\"a\":3}\n", "a=1\n! in:2: expected text without NUL bytes, got \"\\x00{\"a\":2}\"\na=3\n");
	CHECK("{\"a\":1}\nhello\n{\"a\":2}\n", "a=1\n! in:2: expected a JSON object, got \"hello\"\na=2\n");
	CHECK("{\"a\":1}\n{\"a\":", "a=1\n! in:2: expected a whole row before the end of the input, got \"{\"a\":\"\n");
	CHECK("{\"\":1}\n", "! in:1: expected a column name of 1 to 256 bytes, got the end of the row\n");
	CHECK("{\"@timestamp\":\"yesterday\"}\n{\"a\":1}\n",
	      "! in:1: expected @timestamp: a time as 2026-11-24T15:50:54.123456789Z, got \"yesterday\"\na=1\n");
}

static void json_deep(void **state)
{
	struct cb_buf b = {};
	char *got;

	for (int i = 0; i < 100003; i++)
		cb_buf_puts(&b, "{\"a\":");
	cb_buf_puts(&b, "\n{\"a\":");
	for (int i = 0; i < 100003; i++)
		cb_buf_putc(&b, '[');
	cb_buf_puts(&b, "\n{\"a\":1}\n");
	got = read_all(b.s, b.len);
	assert_non_null(strstr(got, "! in:1: expected less nesting, got \"{"));
	assert_non_null(strstr(got, "! in:2: expected less nesting, got \"[[["));
	assert_non_null(strstr(got, "\na=1\n"));
	free(got);
	cb_buf_free(&b);
}

/* 11 MB in a line, then the stream goes on. */
static void long_line(void **state)
{
	struct cb_buf b = {};
	char *got;

	cb_buf_puts(&b, "{\"a\":1}\n{\"b\":\"");
	for (int i = 0; i < 1000003; i++)
		cb_buf_puts(&b, "0123456789a");
	cb_buf_puts(&b, "\"}\n{\"a\":2}\n");
	got = read_all(b.s, b.len);
	assert_string_equal(got, "a=1\n! in:2: expected a row of at most 1048576 bytes, got "
				 "\"{\"b\":\"0123456789a0123456789a0123456789a0...\"\na=2\n");
	free(got);
	/* exactly as long as allowed */
	cb_buf_reset(&b);
	cb_buf_puts(&b, "{\"b\":\"");
	while (b.len < CB_MAX_ROW - 2)
		cb_buf_putc(&b, 'x');
	cb_buf_puts(&b, "\"}\n{\"a\":2}\n");
	got = read_all(b.s, b.len);
	assert_int_equal(strlen(got), CB_MAX_ROW - 8 + strlen("b=\na=2\n"));
	free(got);
	cb_buf_free(&b);
}

static void many_columns(void **state)
{
	struct cb_buf b = {};
	char *got;

	for (int i = 0; i < 5003; i++)
		cb_buf_printf(&b, "{\"k%d\":1}\n", i);
	cb_buf_puts(&b, "{\"k1\":2}\n");
	got = read_all(b.s, b.len);
	assert_non_null(strstr(got, ": expected at most 4096 different column names, got \"k5002\"\nk1=2\n"));
	free(got);
	cb_buf_free(&b);
}

static void csv_rows(void **state)
{
	CHECK("a,b\n1,2\n3,\n,4\n,\n", "a=1|b=2\na=3\nb=4\n\n");
	CHECK("\xef\xbb\xbf" "a,b\r\n1,2\r\n\r\n3,4\r\n", "a=1|b=2\na=3|b=4\n");
	CHECK("a,b\n\"x,\"\"y\"\"\", z \n", "a=x,\"y\"|b= z \n");
	CHECK("\"a\",\"b\"\n\"1\",\"2\"\n", "a=1|b=2\n");
	CHECK("a,b\n\"x\r\ny\",2\n3,4\n", "a=x\\x0d\\x0ay|b=2\na=3|b=4\n");
	CHECK("a,b\n\\x0a \\\\ \\n,\xff\t\n", "a=\\x0a \\\\ \\\\n|b=\\xff\\x09\n");
	CHECK("a,a\n1,2\n3,\n", "a=2\n\n"); /* the last of a name holds */
}

/* A cell of 300,007 lines; and a quote that is never closed costs one line, not the rest, and no hours. */
static void csv_newlines(void **state)
{
	struct cb_buf b = {};
	char *got;
	int errors = 0, rows = 0;

	for (int closed = 0; closed < 2; closed++) {
		cb_buf_reset(&b);
		cb_buf_puts(&b, "a,b\n1,\"x");
		for (int i = 0; i < 300007; i++)
			cb_buf_puts(&b, closed ? "\n" : "\n1,2");
		cb_buf_puts(&b, closed ? "\"\n3,4\n" : "\n3,4\n");
		got = read_all(b.s, b.len);
		if (closed) {
			assert_int_equal(strlen(got), strlen("a=1|b=x\na=3|b=4\n") + 4 * 300007);
		} else {
			for (char *p = got; *p; p = strchr(p, '\n') + 1)
				*p == '!' ? errors++ : rows++;
			assert_int_equal(errors, 1);
			assert_int_equal(rows, 300008);
		}
		free(got);
	}
	cb_buf_free(&b);
}

static void csv_headers(void **state)
{
	CHECK("a,b\n1,2\na,b\n3,4\n", "a=1|b=2\na=3|b=4\n");
	CHECK("@timestamp,a\n,2\n@timestamp,b\n,4\n", "a=2\nb=4\n");
	CHECK("@timestamp,a\n,2\n@timestamp,b,c\n,4,5\n", "a=2\nb=4|c=5\n");
	/* what a process calls itself does not make a header */
	CHECK("a,event.kind\nevent.kind,x\nevent.dataset,event\n", "a=event.kind|event.kind=x\na=event.dataset|event.kind=event\n");
}

static void csv_bad(void **state)
{
	CHECK("a,b\n1,2,3\n4,5\n6\n", "! in:2: expected 2 columns as in the header, got \"3: 1,2,3\"\na=4|b=5\n"
				      "! in:4: expected 2 columns as in the header, got \"1: 6\"\n");
	CHECK("a,b\n1\"2,3\n4,5\n6,7\n", "! in:2: expected a closing quote, got \"1\"2,3\"\na=4|b=5\na=6|b=7\n");
	CHECK("a,b\n\"x\"y,3\n4,5\n", "! in:2: expected CSV cells, quoted from comma to comma or not at all, got \"\"x\"y,3\"\na=4|b=5\n");
	CHECK("a,b\n\"1,2\n3,\"\n4,5\n", "! in:2: expected 2 columns as in the header, got \"1: \"1,2\\x0a3,\"\"\na=4|b=5\n");
	CHECK("a,b\n1,\0002\n3,4\n", "! in:2: expected text without NUL bytes, got \"1,\\x002\"\na=3|b=4\n");
	CHECK("a,b\n1,2\n3,4", "a=1|b=2\n! in:3: expected a whole row before the end of the input, got \"3,4\"\n");
	CHECK("a,b", "! in:1: expected a whole row before the end of the input, got \"a,b\"\n");
	CHECK("a,b\n1,2\n{\"a\":1}\n", "a=1|b=2\n! in:3: expected CSV cells, quoted from comma to comma or not at all, got \"{\"a\":1}\"\n");
}

static void garbage(void **state)
{
	CHECK("hello\n", "! in:1: expected a JSON object or a CSV header, got \"hello\"\n");
	CHECK("hello", "! in:1: expected a JSON object or a CSV header, got \"hello\"\n");
	CHECK("\x7f" "ELF\x02\x01\0\0\n\0\0x,y\n\n", "! in:1: expected a JSON object or a CSV header, got \"\\x7fELF\\x02\\x01\\x00\\x00\"\n");
	CHECK("hello\na,b\n1,2\n@timestamp,b\n,2\n", "! in:1: expected a JSON object or a CSV header, got \"hello\"\nb=2\n");
	CHECK("(\n", "! in:1: expected a JSON object or a CSV header, got \"(\"\n");
}

static void schema_rows(void **state)
{
	static const char text[] =
		"{\"event.kind\":\"schema\",\"event.dataset\":\"acme.door\",\"schema.version\":3,\"schema.fields\":["
		"{\"name\":\"door.id\",\"type\":\"uint\",\"role\":\"set\"},{\"name\":\"door.note\"}]}\n"
		"{\"event.dataset\":\"acme.door\",\"door.id\":7}\n"
		"{\"event.kind\":\"schema\",\"event.dataset\":\"x\",\"schema.fields\":[{\"name\":\"y\",\"role\":\"king\"}]}\n"
		"{\"event.kind\":\"schema\",\"event.dataset\":\"x\",\"schema.fields\":[{\"title\":\"y\"}]}\n"
		"{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"end\"}\n"
		"{\"event.dataset\":\"acme.door\",\"event.kind\":\"end\"}\n";
	struct cb_names *names = cb_names_new();
	struct cb_err e = {};
	struct cb_reader *r;
	struct cb_row row;
	const struct cb_dataset *ds;

	put(path, text, strlen(text));
	assert_int_equal(cb_reader_open(&r, names, path, &e), 0);
	assert_null(cb_reader_dataset(r, "acme.door"));
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	ds = row.dataset;
	assert_ptr_equal(ds, cb_reader_dataset(r, "acme.door"));
	assert_string_equal(ds->name, "acme.door");
	assert_int_equal(ds->version, 3);
	assert_int_equal(ds->ncol, 2);
	assert_string_equal(ds->col[0].name, "door.id");
	assert_int_equal(ds->col[0].type, CB_UINT);
	assert_int_equal(ds->col[0].role, CB_SET);
	assert_int_equal(ds->col[1].type, CB_STR);
	assert_int_equal(ds->col[1].role, CB_NONE);
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_ptr_equal(row.dataset, ds);
	assert_string_equal(cb_row_get(&row, cb_names_id(names, "door.id")), "7");
	assert_null(cb_row_get(&row, cb_names_id(names, "never.seen")));
	assert_int_equal(cb_reader_next(r, &row, &e), -EINVAL);
	assert_non_null(strstr(e.text, "in:3: schema.fields: \"y\": expected a role: none, set, seq, rate or level, got \"king\""));
	assert_int_equal(cb_reader_next(r, &row, &e), -EINVAL);
	assert_non_null(strstr(e.text, "in:4: schema.fields: expected objects with a name"));
	assert_int_equal(cb_reader_next(r, &row, &e), 1); /* our own table is known without a schema row */
	assert_string_equal(row.dataset->name, "cbtools.exec");
	assert_false(cb_reader_ended(r)); /* one dataset of two */
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_int_equal(cb_reader_next(r, &row, &e), 0);
	assert_true(cb_reader_ended(r));
	assert_ptr_equal(cb_names_dataset(names, "acme.door"), ds);
	cb_reader_free(r);
	/* the same file as --schema FILE says what is wrong with it */
	assert_int_equal(cb_reader_schema_file(names, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "in:3:"));
	put(path, "{\"a\":1}\n", 8);
	e.text[0] = 0;
	assert_int_equal(cb_reader_schema_file(names, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "expected JSON rows with event.kind \"schema\""));
	put(path, text, strchr(text, '\n') + 1 - text);
	assert_int_equal(cb_reader_schema_file(names, path, &e), 0);
	cb_names_free(names);
}

/* ---- zstd ---- */

static size_t frames(char *out, size_t cap, int n, bool many)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_outBuffer o = { out, cap, 0 };
	char line[64];

	for (int i = 0; i < n; i++) {
		ZSTD_inBuffer in = { line, snprintf(line, sizeof(line), "{\"a\":%d}\n", i), 0 };

		ZSTD_compressStream2(c, &o, &in, many ? ZSTD_e_end : ZSTD_e_flush);
	}
	if (!many) {
		ZSTD_inBuffer none = {};

		ZSTD_compressStream2(c, &o, &none, ZSTD_e_end);
	}
	ZSTD_freeCCtx(c);
	return o.pos;
}

static int count_rows(const char *s, int *errors)
{
	int n = 0;

	*errors = 0;
	for (; *s; s = strchr(s, '\n') + 1)
		*s == '!' ? ++*errors : n++;
	return n;
}

static void zstd_whole(void **state)
{
	char buf[20000], *got;
	int errors;

	for (int many = 0; many < 2; many++) {
		got = read_all(buf, frames(buf, sizeof(buf), 331, many));
		assert_int_equal(count_rows(got, &errors), 331);
		assert_int_equal(errors, 0);
		assert_non_null(strstr(got, "\na=330\n"));
		free(got);
	}
}

/* Cut anywhere: the rows before it, in order, then one error (or none, between two frames). */
static void zstd_cut(void **state)
{
	char buf[20000], *got;
	int errors, n, last = 0;
	size_t len;

	for (int many = 0; many < 2; many++) {
		len = frames(buf, sizeof(buf), 37, many);
		last = 0;
		for (size_t cut = 4; cut < len; cut++) {
			got = read_all(buf, cut);
			n = count_rows(got, &errors);
			assert_true(n >= last && errors <= 1);
			if (!many || errors) {
				assert_int_equal(errors, 1);
				assert_non_null(strstr(got, "! in: expected the rest of a zstd frame, got the end: the recording was cut\n"));
			}
			last = n;
			free(got);
		}
		assert_true(last >= 36);
	}
}

static void zstd_bad(void **state)
{
	char buf[20000], *got;
	size_t len = frames(buf, sizeof(buf), 3, true);

	memcpy(buf + len, "garbage", 7);
	got = read_all(buf, len + 7);
	assert_memory_equal(got, "a=0\na=1\na=2\n! in: ", 18);
	free(got);
}

/* ---- opening, pipes, events ---- */

static void open_errors(void **state)
{
	struct cb_names *names = cb_names_new();
	struct cb_reader *r = NULL;
	struct cb_err e = {};

	assert_int_equal(cb_reader_open(&r, names, dir, &e), -EISDIR);
	assert_non_null(strstr(e.text, ": expected a file, got a folder"));
	e.text[0] = 0;
	assert_int_equal(cb_reader_open(&r, names, "/nowhere/x", &e), -ENOENT);
	assert_string_equal(e.text, "/nowhere/x: cannot open: No such file or directory");
	if (geteuid()) {
		e.text[0] = 0;
		put(path, "", 0);
		chmod(path, 0);
		assert_int_equal(cb_reader_open(&r, names, path, &e), -EACCES);
		assert_non_null(strstr(e.text, "cannot open: Permission denied"));
		chmod(path, 0600);
	}
	assert_null(r);
	cb_names_free(names);
}

static void pipe_rows(void **state)
{
	struct cb_names *names = cb_names_new();
	struct cb_reader *r;
	struct cb_err e = {};
	struct cb_row row;
	char name[80];
	int p[2];

	assert_int_equal(pipe(p), 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", p[0]);
	assert_int_equal(cb_reader_open(&r, names, name, &e), 0);
	cb_reader_nonblock(r);
	assert_int_equal(cb_reader_next(r, &row, &e), -EAGAIN);
	assert_int_equal(write(p[1], "(\na,b\n\"1", 8), 8); /* might be zstd; then a cell that is not over */
	assert_int_equal(cb_reader_next(r, &row, &e), -EINVAL);
	assert_int_equal(cb_reader_next(r, &row, &e), -EAGAIN);
	cb_reader_free(r);
	assert_int_equal(cb_reader_open(&r, names, name, &e), 0);
	cb_reader_nonblock(r);
	assert_int_equal(write(p[1], "a,b\n\"1\n", 7), 7);
	assert_int_equal(cb_reader_next(r, &row, &e), -EAGAIN);
	assert_int_equal(cb_reader_next(r, &row, &e), -EAGAIN);
	assert_int_equal(write(p[1], "2\",3\n4,", 7), 7);
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_string_equal(cb_row_get(&row, cb_names_id(names, "a")), "1\\x0a2");
	assert_int_equal(row.line, 2);
	assert_int_equal(cb_reader_next(r, &row, &e), -EAGAIN);
	assert_int_equal(write(p[1], "5\n", 2), 2);
	close(p[1]);
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_string_equal(cb_row_get(&row, cb_names_id(names, "b")), "5");
	assert_int_equal(row.line, 4);
	close(p[0]);
	assert_int_equal(cb_reader_next(r, &row, &e), 0);
	cb_reader_free(r);
	cb_names_free(names);
}

static void event_errors(void **state)
{
	const struct cb_schema *s = cb_schemas[0];
	struct cb_names *names = cb_names_new();
	void *rec = cb_xalloc(s->size);
	struct cb_reader *r;
	struct cb_err e = {};
	struct cb_event ev;
	struct cb_row row;
	static const char text[] = "{\"process.pid\":7,\"process.name\":\"a\\\\x0ab\",\"no.such\":1}\n"
				   "{\"process.pid\":\"x\"}\n";

	put(path, text, strlen(text));
	assert_int_equal(cb_reader_open(&r, names, path, &e), 0);
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_int_equal(cb_event_from_row(s, names, &row, rec, &ev, &e), 0);
	assert_int_equal(ev.c.pid, 7);
	assert_string_equal(ev.c.comm, "a\nb");
	assert_string_equal(ev.c.cont_id, "");
	assert_int_equal(cb_reader_next(r, &row, &e), 1);
	assert_int_equal(cb_event_from_row(s, names, &row, rec, &ev, &e), -EINVAL);
	assert_non_null(strstr(e.text, "in:2: process.pid: expected a number, got \"x\""));
	cb_reader_free(r);
	cb_names_free(names);
	free(rec);
}

/* Every byte at every place, of text that ends in the middle of what is looked at at once, too. */
static void plain_text(void **state)
{
	char s[41 + 15];

	for (size_t at = 0; at < sizeof(s); at++)
		for (int c = 0; c < 256; c++) {
			bool odd = c < 0x20 || c >= 0x7f || c == '"' || c == '\\';

			memset(s, 'a', sizeof(s));
			s[at] = c;
			for (size_t len = 0; len <= 41; len++)
				assert_int_equal(cb_plain(s, len), odd && at < len ? at : len);
		}
}

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/in", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_rows),   cmocka_unit_test(json_text),    cmocka_unit_test(json_arrays),
		cmocka_unit_test(json_bad),    cmocka_unit_test(json_deep),    cmocka_unit_test(long_line),
		cmocka_unit_test(many_columns), cmocka_unit_test(csv_rows), cmocka_unit_test(csv_newlines),    cmocka_unit_test(csv_headers),
		cmocka_unit_test(csv_bad),     cmocka_unit_test(garbage),      cmocka_unit_test(schema_rows),
		cmocka_unit_test(zstd_whole),  cmocka_unit_test(zstd_cut),     cmocka_unit_test(zstd_bad),
		cmocka_unit_test(open_errors), cmocka_unit_test(pipe_rows),    cmocka_unit_test(event_errors),
		cmocka_unit_test(plain_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
