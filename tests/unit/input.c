/* SPDX-License-Identifier: GPL-2.0 */
/* Several inputs as one: folders, order of time, pipes, cut recordings, hashes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>
#include <cmocka.h>
#include "reader.h"

static char dir[32];

static char *at(const char *name)
{
	static char full[8][128];
	static int i;
	char *s = full[i++ % 8];

	snprintf(s, sizeof(full[0]), "%s/%s", dir, name);
	return s;
}

static void put(const char *name, const char *text)
{
	size_t len = strlen(text), n = strlen(name);
	char buf[4096];
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	if (n > 4 && !strcmp(name + n - 4, ".zst")) {
		len = ZSTD_compress(buf, sizeof(buf), text, len, 3);
		text = buf;
	}
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

#define ROW(sec, id) "{\"@timestamp\":\"2026-11-24T15:50:" #sec ".000000000Z\",\"id\":\"" id "\"}\n"
#define END "{\"event.kind\":\"end\"}\n"

struct fixture {
	struct cb_names *names;
	struct cb_inputs *in;
	struct cb_err e;
	struct cb_row row;
	int id;
};

static int setup(void **state)
{
	struct fixture *f = cb_xalloc(sizeof(*f));

	strcpy(dir, "/tmp/cb-input-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	f->names = cb_names_new();
	f->id = cb_names_id(f->names, "id");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char *cmd = cb_xasprintf("rm -rf '%s'", dir);
	int err = system(cmd);

	free(cmd);
	cb_inputs_free(f->in);
	cb_names_free(f->names);
	free(f);
	return err;
}

static void open_inputs(struct fixture *f, char *const *paths, int n)
{
	cb_inputs_free(f->in);
	f->in = NULL;
	f->e.text[0] = '\0';
	if (cb_inputs_open(&f->in, f->names, paths, n, &f->e))
		fail_msg("%s", f->e.text);
}

/* Ids of all rows; "-" an end row, "!" an error. */
static const char *all(struct fixture *f, int timeout_ms)
{
	static char out[256];
	size_t n = 0;
	int err;

	while ((err = cb_inputs_next(f->in, &f->row, timeout_ms, &f->e)) && err != -EAGAIN && n < sizeof(out) - 2) {
		const char *id = err == 1 ? cb_row_get(&f->row, f->id) : "!";

		n += snprintf(out + n, sizeof(out) - n, "%s", id ? id : "-");
	}
	out[n] = '\0';
	return out;
}

static void merges_by_time(void **state)
{
	struct fixture *f = *state;
	char *paths[3];

	put("a.jsonl", ROW(10, "a") ROW(20, "b") ROW(40, "c") END);
	put("b.csv", "@timestamp,id\n2026-11-24T15:50:10Z,A\n2026-11-24T15:50:30Z,B\n,C\n2026-11-24T15:50:50Z,D\n");
	put("c.jsonl.zst", ROW(00, "0") ROW(45, "4") END);
	paths[0] = at("a.jsonl"), paths[1] = at("b.csv"), paths[2] = at("c.jsonl.zst");
	open_inputs(f, paths, 3);
	assert_false(cb_inputs_live(f->in));
	/* ties as given; a row without a time stays behind the one before */
	assert_string_equal(all(f, -1), "0aAbBCc-4-D");
	assert_int_equal(cb_inputs_cut(f->in), 1);
	paths[0] = at("b.csv"), paths[1] = at("a.jsonl");
	open_inputs(f, paths, 2);
	assert_string_equal(all(f, -1), "AabBCc-D");
	assert_int_equal(cb_inputs_next(f->in, &f->row, 0, &f->e), 0);
}

static void folders(void **state)
{
	struct fixture *f = *state;
	char *paths[1] = { dir }, **list;
	int n;

	assert_int_equal(cb_inputs_open(&f->in, f->names, paths, 1, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, ": expected recordings"));
	put("exec.10.jsonl", ROW(30, "3") END);
	put("exec.9.jsonl", ROW(20, "2") END);
	put("exec.1.jsonl.zst", ROW(10, "1") END);
	put("notes.txt", ROW(15, "x"));
	put(".hidden.jsonl", ROW(15, "y"));
	mkdir(at("sub"), 0700);
	mkdir(at("sub/deep"), 0700);
	put("sub/z.json", ROW(25, "z") END);
	put("sub/deep/w.json", ROW(25, "w") END);
	assert_int_equal(mkfifo(at("pipe.jsonl"), 0600), 0);
	open_inputs(f, paths, 1);
	assert_string_equal(all(f, -1), "1-2-z-3-");
	assert_int_equal(cb_inputs_cut(f->in), 0);
	assert_int_equal(cb_sources_list(paths, 1, &list, &n, &f->e), 0);
	assert_int_equal(n, 4);
	assert_string_equal(list[0], at("exec.1.jsonl.zst"));
	assert_string_equal(list[1], at("exec.9.jsonl"));
	assert_string_equal(list[2], at("exec.10.jsonl"));
	assert_string_equal(list[3], at("sub/z.json"));
	cb_sources_free(list, n);
}

/* More files than may be open at once, each open only in its time. */
static void many_files(void **state)
{
	struct fixture *f = *state;
	char name[32], text[128], *paths[1] = { dir };
	uint64_t last = 0;
	int n = 0;

	for (int i = 0; i < 1501; i++) {
		snprintf(name, sizeof(name), "r%04d.jsonl", (i * 7) % 1501);
		snprintf(text, sizeof(text), "{\"@timestamp\":\"2026-11-24T15:%02d:%02d.%03dZ\",\"id\":\"x\"}\n", i / 60, i % 60, i % 7);
		put(name, text);
	}
	open_inputs(f, paths, 1);
	while (cb_inputs_next(f->in, &f->row, -1, &f->e) == 1) {
		assert_true(f->row.time > last);
		last = f->row.time;
		n++;
	}
	assert_int_equal(n, 1501);
	assert_int_equal(cb_inputs_cut(f->in), 1501);
}

static void errors_go_on(void **state)
{
	struct fixture *f = *state;
	char *paths[2], buf[4096], text[4096] = "";
	size_t len;
	int fd;

	put("a.jsonl", "garbage\n" ROW(10, "a") "{\n" ROW(20, "b") END);
	/* blocks before the cut are whole: each was flushed */
	for (int i = 0; i < 3; i++)
		strcat(text, ROW(15, "z"));
	len = ZSTD_compress(buf, sizeof(buf), text, strlen(text), 3);
	memcpy(buf + len, buf, len);
	fd = open(at("b.jsonl.zst"), O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, buf, 2 * len - 3), 2 * len - 3);
	close(fd);
	paths[0] = at("a.jsonl"), paths[1] = at("b.jsonl.zst");
	open_inputs(f, paths, 2);
	assert_string_equal(all(f, -1), "!a!zzz!b-");
	assert_int_equal(cb_inputs_cut(f->in), 1);
	paths[1] = at("missing.jsonl");
	cb_inputs_free(f->in);
	f->in = NULL;
	f->e.text[0] = '\0';
	assert_int_equal(cb_inputs_open(&f->in, f->names, paths, 2, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "missing.jsonl: cannot open: No such file"));
}

static void say(int fd, const char *s)
{
	assert_int_equal(write(fd, s, strlen(s)), strlen(s));
}

static void pipes(void **state)
{
	struct fixture *f = *state;
	char *paths[3];
	int a, b;

	put("f.jsonl", ROW(10, "f") END);
	mkfifo(at("a"), 0600);
	mkfifo(at("b"), 0600);
	paths[0] = at("a"), paths[1] = at("f.jsonl"), paths[2] = at("b");
	open_inputs(f, paths, 3); /* nobody writes yet, and nobody waits for that */
	assert_true(cb_inputs_live(f->in));
	assert_string_equal(all(f, 0), "f-");
	a = open(at("a"), O_WRONLY);
	b = open(at("b"), O_WRONLY);
	assert_int_equal(cb_inputs_next(f->in, &f->row, 3, &f->e), -EAGAIN);
	say(b, ROW(30, "3") "{\"id\":");
	assert_string_equal(all(f, 0), "3");
	say(a, ROW(10, "1") "{\n" ROW(11, "2"));
	say(b, "\"4\"}\n" END);
	assert_string_equal(all(f, 0), "4-1!2"); /* the pipe that was heard last is read on first */
	close(b);
	say(a, END);
	close(a);
	assert_string_equal(all(f, -1), "-"); /* and then the end, not a wait for ever */
	assert_int_equal(cb_inputs_cut(f->in), 0);
}

/* One that never stops does not keep the others from being heard. */
static void fair(void **state)
{
	struct fixture *f = *state;
	char *paths[2];
	int before = 0;
	pid_t pid;

	mkfifo(at("a"), 0600);
	mkfifo(at("b"), 0600);
	paths[0] = at("a"), paths[1] = at("b");
	open_inputs(f, paths, 2);
	pid = fork();
	if (!pid) {
		int fd = open(at("a"), O_WRONLY);

		while (write(fd, ROW(10, "a"), strlen(ROW(10, "a"))) > 0)
			;
		_exit(0);
	}
	while (cb_inputs_next(f->in, &f->row, -1, &f->e) != 1)
		;
	say(open(at("b"), O_WRONLY), ROW(10, "b"));
	for (;;) {
		assert_int_equal(cb_inputs_next(f->in, &f->row, -1, &f->e), 1);
		if (*cb_row_get(&f->row, f->id) == 'b')
			break;
		assert_true(++before < 20011);
	}
	cb_inputs_free(f->in);
	f->in = NULL;
	kill(pid, SIGKILL); /* it holds the reading end as well, and so never sees it closed */
	waitpid(pid, NULL, 0);
}

/* A compressed pipe: rows come as frames end. */
static void zstd_pipe(void **state)
{
	struct fixture *f = *state;
	char *paths[1], buf[4096], *big = cb_xalloc(1 << 20), *packed = cb_xalloc(1 << 20);
	size_t len, n = 0;
	pid_t pid;
	int a;

	mkfifo(at("a"), 0600);
	paths[0] = at("a");
	open_inputs(f, paths, 1);
	a = open(at("a"), O_WRONLY);
	len = ZSTD_compress(buf, sizeof(buf), ROW(10, "1"), strlen(ROW(10, "1")), 3);
	assert_int_equal(write(a, buf, 3), 3);
	assert_int_equal(cb_inputs_next(f->in, &f->row, 0, &f->e), -EAGAIN);
	assert_int_equal(write(a, buf + 3, len - 3), len - 3);
	assert_string_equal(all(f, 0), "1");
	/* a few bytes that become many: the decoder holds more than one read gives */
	for (int i = 0; i < 10007; i++)
		n += sprintf(big + n, "%s", ROW(10, "1"));
	len = ZSTD_compress(packed, 1 << 20, big, n, 3);
	pid = fork();
	if (!pid)
		_exit(write(a, packed, len) != (ssize_t)len);
	n = 0;
	while (n < 10007) {
		int err = cb_inputs_next(f->in, &f->row, -1, &f->e);

		assert_int_equal(err, 1);
		n++;
	}
	close(a);
	waitpid(pid, NULL, 0);
	assert_int_equal(cb_inputs_next(f->in, &f->row, -1, &f->e), 0);
	free(big);
	free(packed);
}

static void hashes(void **state)
{
	struct fixture *f = *state;
	char a[33], b[33];

	put("a.jsonl", ROW(10, "a") END);
	put("a.jsonl.zst", ROW(10, "a") END);
	put("b.jsonl", ROW(10, "b") END);
	put("empty", "");
	put("one", "a");
	put("paren", "(");
	assert_int_equal(cb_source_hash(at("a.jsonl"), a, &f->e), 0);
	assert_int_equal(cb_source_hash(at("a.jsonl.zst"), b, &f->e), 0);
	assert_string_equal(a, b);
	assert_int_equal(cb_source_hash(at("b.jsonl"), b, &f->e), 0);
	assert_string_not_equal(a, b);
	/* the published values of FNV-1a 128 */
	assert_int_equal(cb_source_hash(at("empty"), a, &f->e), 0);
	assert_string_equal(a, "6c62272e07bb014262b821756295c58d");
	assert_int_equal(cb_source_hash(at("one"), a, &f->e), 0);
	assert_string_equal(a, "d228cb696f1a8caf78912b704e4a8964");
	assert_int_equal(cb_source_hash(at("paren"), b, &f->e), 0);
	assert_string_not_equal(b, "6c62272e07bb014262b821756295c58d");
	assert_int_equal(cb_source_hash(at("none"), a, &f->e), -ENOENT);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(cb_source_hash(at("fifo"), a, NULL), -ESPIPE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(merges_by_time), TEST(folders), TEST(many_files), TEST(errors_go_on), TEST(pipes),
		TEST(fair),	      TEST(zstd_pipe), TEST(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
