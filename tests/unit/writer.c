/* SPDX-License-Identifier: GPL-2.0 */
/* Rows out in all formats, what hostile text cannot do to them, and files that fill up, go away or are cut. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>
#include "exec.h"
#include "field.h"
#include "sequence.h"
#include "syscall.h"
#include "writer.h"

#define T0 1795535454123456789u /* 2026-11-24T15:50:54.123456789Z */

static char dir[] = "/tmp/cb-writer-XXXXXX";
static char path[PATH_MAX];
static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return rng_state >> 33;
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Whole file, NUL-terminated, to be freed. */
static char *slurp(const char *name, size_t *len)
{
	FILE *f = fopen(name, "r");
	char *s = calloc(1, 1 << 22);

	assert_non_null(f);
	*len = fread(s, 1, (1 << 22) - 1, f);
	fclose(f);
	return s;
}

/* Everything that whole frames of a zstd file hold. */
static char *slurp_zst(const char *name, size_t *len)
{
	size_t n, cap = 1 << 22;
	char *packed = slurp(name, &n), *s = calloc(1, cap);

	*len = ZSTD_decompress(s, cap - 1, packed, n); /* takes frames one after the other, fails on half a one */
	if (ZSTD_isError(*len))
		fail_msg("%s: %s", name, ZSTD_getErrorName(*len));
	free(packed);
	return s;
}

static struct cb_common common_part(void)
{
	return (struct cb_common){
		.time = T0, .dataset = "cbtools.exec", .kind = "event", .action = "exec", .count = 1,
		.host_id = "h1", .boot_id = "b1", .cont_id = "c0ffee", .cont_name = "web", .image = "nginx:1.27",
		.image_id = "sha256:1", .runtime = "runc", .cgroup = "/system.slice/web", .pid = 4711, .vpid = 1,
		.tid = 4711, .ppid = 1, .creation = T0 - 1000000000, .exec_id = 77, .comm = "nginx",
		.exe = "/usr/sbin/nginx", .uid = 0,
	};
}

static struct exec_rec exec_rec = {
	.caps = 0x1ff, .lifetime_ns = 5, .error = ENOENT, .code = 0, .signal = 0, .gid = 33,
	.origin = "image", .parent = "sh", .requested = "/bin/\"x\"", .lineage = "sh<init",
	.args = "nginx\0-g\0daemon off; \"a\\b\",c\0\0x\n",
};
#define ARGS_LEN 33

/* Rows of one writer, as they are in the file. */
static char *rows_of(enum cb_format format, const struct cb_schema *s, const char *fields,
		     void (*make)(struct cb_writer *w))
{
	struct cb_err e = { "" };
	struct cb_writer *w;
	struct cb_out *o;
	size_t len;

	assert_int_equal(cb_out_open(&o, in_dir("rows"), &e), 0);
	if (cb_writer_open(&w, format, o, s, fields, &e))
		fail_msg("%s", e.text);
	make(w);
	cb_writer_free(w);
	assert_int_equal(cb_out_close(o, &e), 0);
	return slurp(path, &len);
}

static void make_event(struct cb_writer *w)
{
	struct cb_event ev = { &cb_schema_exec, common_part(), &exec_rec, offsetof(struct exec_rec, args) + ARGS_LEN };

	cb_writer_event(w, &ev);
}

static void make_host_event(struct cb_writer *w)
{
	struct exec_rec r = { 0 };
	struct cb_event ev = { &cb_schema_exec, { .time = T0, .cont_id = "", .comm = "x" }, &r,
			       offsetof(struct exec_rec, args) };

	cb_writer_event(w, &ev);
}

static void make_meta(struct cb_writer *w)
{
	struct cb_common c = { .time = T0, .kind = "schema", .host_id = "h1", .boot_id = "b1" };

	cb_writer_meta(w, &c);
	c.kind = "heartbeat";
	c.seen = 3;
	cb_writer_meta(w, &c);
	c.kind = "gap";
	c.lost = 7;
	cb_writer_meta(w, &c);
	c.kind = "end";
	cb_writer_meta(w, &c);
}

static void test_json(void **state)
{
	char *s = rows_of(CB_JSON, &cb_schema_exec, NULL, make_event);

	assert_string_equal(s,
		"{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"event\",\"@timestamp\":\"2026-11-24T15:50:54.123456789Z\","
		"\"event.count\":1,\"host.id\":\"h1\",\"host.boot.id\":\"b1\",\"container.id\":\"c0ffee\","
		"\"container.name\":\"web\",\"container.image.name\":\"nginx:1.27\",\"container.image.id\":\"sha256:1\","
		"\"container.runtime\":\"runc\",\"container.cgroup.path\":\"/system.slice/web\",\"event.action\":\"exec\","
		"\"process.pid\":4711,\"process.vpid\":1,\"process.thread.id\":4711,\"process.parent_pid\":1,"
		"\"process.creation.time\":\"2026-11-24T15:50:53.123456789Z\",\"process.exec.id\":77,"
		"\"process.name\":\"nginx\",\"process.executable.path\":\"/usr/sbin/nginx\",\"user.id\":0,"
		"\"process.parent.name\":\"sh\",\"process.lineage\":\"sh<init\",\"process.capabilities.effective\":\"0x1ff\","
		"\"group.id\":33,\"process.executable.origin\":\"image\",\"process.executable.requested\":\"/bin/\\\"x\\\"\","
		"\"error.errno\":\"ENOENT\",\"process.exit_code\":0,\"process.lifetime_ns\":5,"
		"\"process.command_args\":[\"nginx\",\"-g\",\"daemon off; \\\"a\\\\\\\\b\\\",c\",\"\",\"x\\\\x0a\"]}\n");
	free(s);
	s = rows_of(CB_JSON, &cb_schema_exec, NULL, make_host_event);
	assert_string_equal(s, "{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"event\","
			       "\"@timestamp\":\"2026-11-24T15:50:54.123456789Z\","
			       "\"process.capabilities.effective\":\"0x0\",\"group.id\":0,\"process.exit_code\":0,"
			       "\"process.lifetime_ns\":0}\n");
	free(s);
}

static void test_csv(void **state)
{
	char *s = rows_of(CB_CSV, &cb_schema_exec, "@timestamp,error.errno,process.executable.requested,process.pid,"
						   "process.entered,process.command_args", make_event);

	assert_string_equal(s, "event.dataset,event.kind,@timestamp,error.errno,process.executable.requested,process.pid,"
			       "process.entered,process.command_args\n"
			       "cbtools.exec,event,2026-11-24T15:50:54.123456789Z,ENOENT,\"/bin/\"\"x\"\"\",4711,,"
			       "\"nginx -g daemon\\x20off;\\x20\"\"a\\\\b\"\",c '' x\\x0a\"\n");
	free(s);
}

static void test_table(void **state)
{
	char *s;

	setenv("TZ", "XYZ-02:00", 1);
	tzset();
	s = rows_of(CB_TABLE, &cb_schema_exec, "@timestamp,container.name,process.pid,error.errno,process.command_args",
		    make_event);
	assert_string_equal(s, "TIME         CONTAINER                PID ERR      ARGS\n"
			       "17:50:54.123 web                     4711 ENOENT   nginx -g daemon\\x20off;\\x20\"a\\\\b\",c '' x\\x0a\n");
	free(s);
	s = rows_of(CB_TABLE, &cb_schema_exec, "container.name,process.pid,process.lineage,group.id,error.errno",
		    make_host_event);
	assert_string_equal(s, "CONTAINER                PID process.lineage      group.id ERR\n"
			       "-                          - -                           0 -\n");
	free(s);
	s = rows_of(CB_TABLE, &cb_schema_exec, "process.pid", make_meta);
	assert_string_equal(s, "    PID\n");
	free(s);
}

static void make_wide(struct cb_writer *w)
{
	struct cb_common c = common_part();
	struct cb_event ev = { &cb_schema_exec, c, &exec_rec, offsetof(struct exec_rec, args) };

	ev.c.cont_name = "a-container-name-that-is-far-too-long";
	cb_writer_event(w, &ev);
	ev.c.cont_name = "\xe6\xbc\xa2\xe6\xbc\xa2"; /* two columns each */
	cb_writer_event(w, &ev);
	ev.c.cont_name = "\x1b[2J\n\xe2\x80\xae";
	cb_writer_event(w, &ev);
}

static void test_table_hostile(void **state)
{
	char *s = rows_of(CB_TABLE, &cb_schema_exec, "container.name,process.name", make_wide);

	assert_string_equal(s, "CONTAINER            COMM\n"
			       "a-container-name-th+ nginx\n"
			       "\xe6\xbc\xa2\xe6\xbc\xa2                 nginx\n"
			       "\\x1b[2J\\x0a\\xe2\\x80+ nginx\n");
	free(s);
}

static void test_meta(void **state)
{
	char *s = rows_of(CB_JSON, &cb_schema_exec, "event.lost,event.seen,event.sent,process.pid", make_meta), *p;

	p = strchr(s, '\n') + 1;
	assert_string_equal(p,
		"{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"heartbeat\",\"@timestamp\":\"2026-11-24T15:50:54.123456789Z\","
		"\"event.lost\":0,\"event.seen\":3,\"event.sent\":0}\n"
		"{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"gap\",\"@timestamp\":\"2026-11-24T15:50:54.123456789Z\","
		"\"event.lost\":7}\n"
		"{\"event.dataset\":\"cbtools.exec\",\"event.kind\":\"end\",\"@timestamp\":\"2026-11-24T15:50:54.123456789Z\","
		"\"event.lost\":7,\"event.seen\":3,\"event.sent\":0}\n");
	free(s);
	s = rows_of(CB_CSV, &cb_schema_exec, "event.lost,event.seen", make_meta);
	assert_string_equal(s, "event.dataset,event.kind,@timestamp,event.lost,event.seen\n"
			       "cbtools.exec,schema,2026-11-24T15:50:54.123456789Z,,\n"
			       "cbtools.exec,heartbeat,2026-11-24T15:50:54.123456789Z,0,3\n"
			       "cbtools.exec,gap,2026-11-24T15:50:54.123456789Z,7,\n"
			       "cbtools.exec,end,2026-11-24T15:50:54.123456789Z,7,3\n");
	free(s);
}

/* A reader that never saw our headers can model every dataset: the schema row tells all columns. */
static void test_schema_row(void **state)
{
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		char *rows = rows_of(CB_JSON, *s, NULL, make_meta);
		size_t len = strcspn(rows, "\n") + 1;
		json_t *row = json_loadb(rows, len, 0, NULL), *fields = json_object_get(row, "schema.fields");

		assert_true(len <= CB_ROW_MAX);
		assert_string_equal(json_string_value(json_object_get(row, "event.kind")), "schema");
		assert_int_equal(json_integer_value(json_object_get(row, "schema.version")), (*s)->version);
		assert_int_equal(json_array_size(fields), cb_ncommon_fields + (*s)->nfields);
		for (size_t i = 0; i < json_array_size(fields); i++) {
			const struct cb_field *f = i < cb_ncommon_fields ? &cb_common_fields[i] :
									   &(*s)->field[i - cb_ncommon_fields];
			json_t *o = json_array_get(fields, i);

			assert_string_equal(json_string_value(json_object_get(o, "name")), f->name);
			assert_string_equal(json_string_value(json_object_get(o, "type")), cb_type_name(f->type));
			assert_string_equal(json_string_value(json_object_get(o, "role")), cb_role_name(f->role));
		}
		json_decref(row);
		free(rows);
	}
}

static void choose_fails(const char *list, const char *want)
{
	struct cb_err e = { "" };
	struct cb_fields *l;

	assert_int_equal(cb_fields_choose(&l, &cb_schema_exec, CB_TABLE, list, &e), -EINVAL);
	assert_string_equal(e.text, want);
}

static void test_choose(void **state)
{
	char *s = rows_of(CB_TABLE, &cb_schema_exec, "-@timestamp,-event.action,-container.name,-process.parent.name,"
						     "+user.id,-process.executable.origin", make_meta);

	assert_string_equal(s, "    PID COMM            ERR         CODE SIG      ARGS                                     user.id\n");
	free(s);
	s = rows_of(CB_CSV, &cb_schema_exec, "user.id,event.kind,user.id", make_event);
	assert_string_equal(s, "event.dataset,@timestamp,user.id,event.kind\n"
			       "cbtools.exec,2026-11-24T15:50:54.123456789Z,0,event\n");
	free(s);
	choose_fails("user.id,nonsense",
		     "--fields: expected a field of exec (--fields=help lists them), got \"nonsense\"");
	choose_fails("", "--fields: expected a field of exec (--fields=help lists them), got \"\"");
	choose_fails("user.id,", "--fields: expected a field of exec (--fields=help lists them), got \"\"");
	choose_fails("+user.id,process.pid", "--fields: expected names only, or only +NAME and -NAME, got \"process.pid\"");
	choose_fails("user.id,-process.pid", "--fields: expected names only, or only +NAME and -NAME, got \"-process.pid\"");
}

static void test_help(void **state)
{
	size_t len;
	char *s;
	FILE *f = open_memstream(&s, &len);

	cb_fields_help(&cb_schema_exec, f);
	fclose(f);
	for (size_t i = 0; i < cb_ncommon_fields; i++)
		assert_non_null(strstr(s, cb_common_fields[i].name));
	assert_non_null(strstr(s, "process.lifetime_ns"));
	free(s);
}

/* ---- hostile rows of every schema ---- */

static char junk[8][6000];

static void fill_junk(void)
{
	static const char *const bad[] = { "\n", "\x1b", "\\", "\"", ",", "\xe2\x80\xae", "\xff", "\"\"", "''", " ",
					   "\xf0\x9f\x98\x80", "=1+1", "\xc2\x85", "abcdefgh" };

	for (int i = 0; i < 8; i++) {
		size_t len = 0, want = rng() % 4 ? rng() % 80 : rng() % 5900;

		while (len < want) {
			const char *b = bad[rng() % (sizeof(bad) / sizeof(bad[0]))];

			memcpy(junk[i] + len, b, strlen(b));
			len += strlen(b);
		}
		junk[i][len] = 0;
	}
}

static void fill_record(const struct cb_schema *s, unsigned char *rec)
{
	for (size_t k = 0; k < s->size; k++)
		rec[k] = rng() % 5 ? (unsigned char)junk[rng() % 8][rng() % 40] : rng() & 0xff;
	for (size_t i = 0; i < s->nfields; i++) {
		const struct cb_field *f = &s->field[i];

		if (f->type == CB_SYSCALLS) /* as callers do: no more than fit */
			for (size_t k = 0; k < f->size; k += 2)
				memcpy(rec + f->off + k, (uint16_t[]){ rng() % 2 ? rng() % 340 : 0x400 }, 2);
	}
}

static struct cb_event hostile_event(const struct cb_schema *s, const void *rec)
{
	struct cb_event ev = { s, common_part(), rec, s->size };

	ev.c.dataset = NULL;
	ev.c.cont_name = junk[0];
	ev.c.image = junk[1];
	ev.c.cgroup = junk[2];
	ev.c.comm = junk[3];
	ev.c.exe = junk[4];
	ev.c.cont_id = junk[5];
	return ev;
}

static size_t cells;

static void count_cell(void *s, size_t len, void *arg)
{
	cells++;
}

static size_t count_cells(const char *row, size_t len)
{
	struct csv_parser p;

	cells = 0;
	assert_int_equal(csv_init(&p, CSV_STRICT | CSV_STRICT_FINI), 0);
	assert_int_equal(csv_parse(&p, row, len, count_cell, NULL, NULL), len);
	assert_int_equal(csv_fini(&p, count_cell, NULL, NULL), 0);
	csv_free(&p);
	return cells;
}

static void check_json(const char *row, size_t len, const struct cb_event *ev)
{
	json_error_t je;
	json_t *o = json_loadb(row, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &je); /* jansson also wants valid UTF-8 */
	const char *calls;

	if (!o)
		fail_msg("%s at %d: %.*s", je.text, je.position, 400, row + (je.position > 200 ? je.position - 200 : 0));
	assert_memory_equal(row, "{\"event.dataset\":\"cbtools.", 25);
	calls = json_string_value(json_object_get(o, "syscall.sequence"));
	if (ev->schema == &cb_schema_sequence) { /* never cut */
		const struct sequence_rec *r = ev->rec;

		assert_int_equal(cb_syscalls_fit(r->calls, SEQ_CALLS, strlen(calls)), SEQ_CALLS);
		assert_int_equal(cb_syscalls_fit(r->calls, SEQ_CALLS, strlen(calls) - 1), SEQ_CALLS - 1);
	}
	if (!json_object_get(o, "event.truncated")) /* so nothing was cut */
		assert_true(len + strlen(junk[0]) < 2 * CB_ROW_MAX);
	json_decref(o);
}

static void hostile_rows(enum cb_format format, const struct cb_schema *s, int rounds)
{
	struct cb_err e = { "" };
	unsigned char *rec = calloc(1, s->size);
	struct cb_writer *w;
	struct cb_out *o;

	for (int i = 0; i < rounds; i++) {
		struct cb_event ev;
		char *rows, *p, *nl;
		size_t len, n = 0;

		fill_junk();
		fill_record(s, rec);
		ev = hostile_event(s, rec);
		assert_int_equal(cb_out_open(&o, in_dir("hostile"), &e), 0);
		assert_int_equal(cb_writer_open(&w, format, o, s, NULL, &e), 0);
		cb_writer_event(w, &ev);
		cb_writer_free(w);
		assert_int_equal(cb_out_close(o, &e), 0);
		rows = slurp(path, &len);
		for (p = rows; (nl = strchr(p, '\n')); p = nl + 1, n++) {
			assert_true(nl + 1 - p <= CB_ROW_MAX);
			assert_true(nl == p || nl[-1] != ' ' || format != CB_TABLE);
			if (format == CB_CSV)
				assert_int_equal(count_cells(p, nl + 1 - p), cb_ncommon_fields + s->nfields);
			if (format == CB_JSON)
				check_json(p, nl + 1 - p, &ev);
		}
		assert_int_equal(n, format == CB_JSON ? 1 : 2); /* no row was forged */
		assert_true(p == rows + len);
		free(rows);
	}
	free(rec);
}

static void test_hostile(void **state)
{
	rng_state = 20261124;
	for (const struct cb_schema *const *s = cb_schemas; *s; s++)
		for (int format = CB_TABLE; format <= CB_JSON; format++)
			hostile_rows(format, *s, 211);
}

static void make_long(struct cb_writer *w)
{
	static char cgroup[5000];
	struct cb_event ev = { &cb_schema_exec, common_part(), &exec_rec, offsetof(struct exec_rec, args) + ARGS_LEN };

	memset(cgroup, '"', sizeof(cgroup) - 1);
	ev.c.cgroup = cgroup;
	cb_writer_event(w, &ev);
}

/* What is cut is cut no more than it must be, ids and short texts stay. */
static void test_cut(void **state)
{
	char *s = rows_of(CB_JSON, &cb_schema_exec, NULL, make_long);
	json_t *o = json_loads(s, 0, NULL);
	size_t len = strlen(s);

	assert_true(len <= CB_ROW_MAX && len >= CB_ROW_MAX - 2);
	assert_true(json_is_true(json_object_get(o, "event.truncated")));
	assert_string_equal(json_string_value(json_object_get(o, "process.executable.path")), "/usr/sbin/nginx");
	assert_int_equal(json_array_size(json_object_get(o, "process.command_args")), 5);
	json_decref(o);
	free(s);
}

static void test_pairs(void **state)
{
	static const struct cb_pair p[] = { { "a", "x\"\\\n" }, { "b", "" }, { "c", NULL }, { "d", "17", CB_PAIR_RAW } };
	/* spaces, an empty word, two quotes, a backslash in front of what looks like a space */
	static const struct cb_pair words = { "w", "sh a\\x20b '' \\x27' \\\\x20 \\x0a 7", CB_PAIR_WORDS };
	struct cb_buf b = { 0 };

	cb_json_row(&b, p, 4);
	cb_json_row(&b, p + 1, 2);
	assert_string_equal(b.s, "{\"a\":\"x\\\"\\\\\\u000a\",\"d\":17}\n{}\n");
	cb_buf_reset(&b);
	cb_json_row(&b, &words, 1);
	assert_string_equal(b.s, "{\"w\":[\"sh\",\"a b\",\"\",\"''\",\"\\\\\\\\x20\",\"\\\\x0a\",\"7\"]}\n");
	cb_buf_free(&b);
}

/* ---- where rows go ---- */

static void put(struct cb_out *o, int from, int n)
{
	char row[80];

	for (int i = from; i < from + n; i++) {
		snprintf(row, sizeof(row), "row %d %08x %08x\n", i, rng(), rng());
		cb_out_row(o, row, strlen(row));
	}
}

/* Rows 0 to n-1 in order, each once, and nothing else. */
static void assert_rows(const char *s, size_t len, int n)
{
	const char *end = s + len;
	int i;

	for (i = 0; s < end; i++) {
		assert_int_equal(atoi(s + 4), i);
		s = memchr(s, '\n', end - s);
		assert_non_null(s);
		s++;
	}
	assert_int_equal(i, n);
}

static void test_out_errors(void **state)
{
	struct cb_err e = { "" };
	struct cb_out *o = NULL;

	assert_int_equal(cb_out_open(&o, in_dir("no/such/folder"), &e), -ENOENT);
	assert_null(o);
	assert_non_null(strstr(e.text, "no/such/folder: cannot open for writing: No such file or directory"));
	e.text[0] = 0;
	assert_int_equal(cb_out_open(&o, "/dev/full", &e), 0);
	assert_int_equal(cb_out_flush(o, &e), 0); /* nothing to write, nothing wrong */
	put(o, 0, 5);
	assert_int_equal(cb_out_flush(o, &e), -ENOSPC);
	assert_string_equal(e.text, "/dev/full: cannot write: No space left on device; 5 rows not written");
	assert_int_equal(cb_out_bytes(o), 0);
	assert_int_equal(cb_out_close(o, &e), -ENOSPC);
	assert_int_equal(cb_out_close(NULL, &e), 0);
}

static void test_out_hold(void **state)
{
	struct cb_err e = { "" };
	struct cb_out *o;

	assert_int_equal(cb_out_open(&o, "/dev/full", &e), 0);
	put(o, 0, 1000003); /* more than is held for better times */
	assert_int_equal(cb_out_flush(o, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "are lost"));
	assert_int_equal(cb_out_close(o, NULL), -ENOSPC);
}

/* The disk fills up in the middle of a row, later has room again. */
static void full_and_back(const char *name, char *(*read_all)(const char *, size_t *))
{
	struct rlimit unlimited, small;
	struct cb_err e = { "" };
	struct cb_out *o;
	struct stat st;
	size_t len;
	char *s;

	getrlimit(RLIMIT_FSIZE, &unlimited);
	small = unlimited;
	small.rlim_cur = 40000;
	assert_int_equal(cb_out_open(&o, in_dir(name), &e), 0);
	put(o, 0, 997);
	assert_int_equal(cb_out_flush(o, &e), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(o, 997, 3001);
	assert_int_equal(cb_out_flush(o, &e), -EFBIG);
	assert_non_null(strstr(e.text, "rows not written"));
	s = read_all(path, &len); /* as a recorder killed now would leave it */
	assert_true(len > 0 && s[len - 1] == '\n');
	free(s);
	assert_int_equal(cb_out_flush(o, NULL), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	put(o, 3998, 5);
	assert_int_equal(cb_out_flush(o, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(cb_out_bytes(o), st.st_size);
	assert_int_equal(cb_out_close(o, &e), 0);
	s = read_all(path, &len);
	assert_rows(s, len, 4003);
	free(s);
}

static void test_out_full(void **state)
{
	full_and_back("full", slurp);
	full_and_back("full.zst", slurp_zst);
}

/* What was flushed can be read, though nobody closed the file. */
static void test_zst(void **state)
{
	struct cb_err e = { "" };
	struct cb_out *o;
	struct stat st;
	size_t len;
	char *s;

	umask(0);
	assert_int_equal(cb_out_open(&o, in_dir("a.zst"), &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	put(o, 0, 101);
	assert_int_equal(cb_out_flush(o, &e), 0);
	put(o, 101, 1009);
	assert_int_equal(cb_out_flush(o, &e), 0);
	put(o, 1110, 3); /* not flushed: not there */
	s = slurp_zst(path, &len);
	assert_rows(s, len, 1110);
	free(s);
	assert_int_equal(cb_out_close(o, &e), 0);
	s = slurp_zst(path, &len);
	assert_rows(s, len, 1113);
	free(s);
}

static void test_reopen(void **state)
{
	struct cb_err e = { "" };
	char old[PATH_MAX];
	struct cb_out *o;
	size_t len;
	char *s;

	assert_int_equal(cb_out_open(&o, in_dir("log"), &e), 0);
	put(o, 0, 7);
	snprintf(old, sizeof(old), "%s", in_dir("log.1"));
	assert_int_equal(rename(in_dir("log"), old), 0);
	assert_int_equal(cb_out_reopen(o, &e), 0);
	s = slurp(old, &len);
	assert_rows(s, len, 7); /* what came before the rotation is in the old file */
	free(s);
	put(o, 0, 3);
	assert_int_equal(cb_out_reopen(o, &e), 0); /* not moved away: goes on */
	put(o, 3, 2);
	assert_int_equal(cb_out_close(o, &e), 0);
	s = slurp(in_dir("log"), &len);
	assert_rows(s, len, 5);
	free(s);
}

/* Rows to our own stdout, which is a pipe; O_DIRECT keeps each write(2) apart. Returns the reading end. */
static struct cb_out *to_pipe(int flags, int size, int *reader, int *saved)
{
	struct cb_err e = { "" };
	struct cb_out *o;
	int fd[2];

	assert_int_equal(pipe2(fd, flags), 0);
	assert_int_equal(fcntl(fd[0], F_SETPIPE_SZ, size), size);
	fflush(stdout);
	*saved = dup(1);
	dup2(fd[1], 1);
	close(fd[1]);
	*reader = fd[0];
	assert_int_equal(cb_out_open(&o, "-", &e), 0);
	return o;
}

static void test_pipe(void **state)
{
	static char row[6001], got[PIPE_BUF * 4];
	int reader, saved, err, writes = 0;
	struct cb_out *o = to_pipe(O_DIRECT, 1 << 20, &reader, &saved);
	size_t sum = 0;
	ssize_t n;

	put(o, 0, 601);
	memset(row, 'x', 6000);
	row[6000] = '\n';
	cb_out_row(o, row, sizeof(row));
	err = cb_out_close(o, NULL);
	dup2(saved, 1);
	close(saved);
	assert_int_equal(err, 0);
	for (; (n = read(reader, got, sizeof(got))) > 0; sum += n, writes++)
		if (got[0] == 'r') { /* short rows: whole ones, and together no more than a pipe takes at once */
			assert_true(n <= PIPE_BUF);
			assert_int_equal(got[n - 1], '\n');
		}
	assert_true(writes > 4 && writes < 20);
	assert_true(sum > 601 * 20 + 6001);
	close(reader);
}

#define ALONE_ROW 2801
#define ALONE_ROWS 101

/* A number in a file of /proc, behind a word; a letter as its code. */
static long proc_number(pid_t pid, const char *file, const char *word)
{
	char name[64], text[4096] = "", *at;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/%s", pid, file);
	f = fopen(name, "r");
	assert_non_null(f);
	fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	at = strstr(text, word);
	assert_non_null(at);
	at += strlen(word);
	return *at >= 'A' ? *at : atol(at);
}

static int in_pipe(int reader)
{
	int n = 0;

	ioctl(reader, FIONREAD, &n);
	return n;
}

/* Who has a pipe for itself writes many rows at once, and is killed while it waits for room. */
static void test_pipe_alone(void **state)
{
	static char row[ALONE_ROW], got[1 << 17];
	int reader, saved, n = 0, was;
	struct cb_out *o = to_pipe(0, 1 << 16, &reader, &saved);
	long calls;
	pid_t pid = fork();

	if (!pid) {
		cb_out_alone(o);
		memset(row, 'x', sizeof(row) - 1);
		row[sizeof(row) - 1] = '\n';
		for (int i = 0; i < ALONE_ROWS; i++)
			cb_out_row(o, row, sizeof(row));
		_exit(cb_out_flush(o, NULL) ? 1 : 0);
	}
	dup2(saved, 1);
	close(saved);
	do {
		was = n;
		usleep(10000);
		n = in_pipe(reader);
	} while (n < 10 * ALONE_ROW || n != was || proc_number(pid, "stat", ") ") != 'S');
	calls = proc_number(pid, "io", "syscw: ");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(read(reader, got, sizeof(got)), n);
	assert_int_equal(n % ALONE_ROW, 0);
	assert_int_equal(got[n - 1], '\n');
	assert_true(calls < n / ALONE_ROW / 2);
	close(reader);
	cb_out_close(o, NULL);
}

static void test_epipe(void **state)
{
	struct cb_err e = { "" };
	int reader, saved, first, second;
	struct cb_out *o = to_pipe(O_DIRECT, 1 << 20, &reader, &saved);

	close(reader);
	put(o, 0, 3);
	first = cb_out_flush(o, &e);
	second = cb_out_close(o, NULL);
	dup2(saved, 1);
	close(saved);
	assert_int_equal(first, -EPIPE);
	assert_int_equal(second, -EPIPE);
	assert_string_equal(e.text, "standard output: cannot write: Broken pipe; 3 rows not written");
}

static int set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "rows", "hostile", "full", "full.zst", "a.zst", "log", "log.1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),	   cmocka_unit_test(test_csv),	     cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_hostile), cmocka_unit_test(test_meta),   cmocka_unit_test(test_schema_row),
		cmocka_unit_test(test_choose),	   cmocka_unit_test(test_help),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_pairs),     cmocka_unit_test(test_out_errors),
		cmocka_unit_test(test_out_hold),   cmocka_unit_test(test_out_full),  cmocka_unit_test(test_zst),
		cmocka_unit_test(test_reopen),	   cmocka_unit_test(test_pipe),	     cmocka_unit_test(test_pipe_alone),
		cmocka_unit_test(test_epipe),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
