/* SPDX-License-Identifier: GPL-2.0 */
/* The picture of the files used most. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "filetop.h"
#include "fileview.h"

#define NS 1000000000ull

/* cont is id and name; the program's name stands for the file, since a narrow terminal cuts off its path */
static void add(struct cb_filetop *t, const char *cont, const char *comm, const char *path, const char *action,
		uint64_t count, uint64_t read, uint64_t written)
{
	struct file_rec r = { .read_bytes = read, .write_bytes = written };
	struct cb_event ev = { .c = { .cont_id = cont, .cont_name = cont, .comm = comm, .action = action, .count = count,
				      .start = 5 * NS, .end = 7 * NS },
			       .rec = &r };

	snprintf(r.path, sizeof(r.path), "%s", path);
	cb_filetop_add(t, &ev);
}

static char picture[4096];

static void draw(const struct cb_filetop *t, bool paused)
{
	FILE *out = fmemopen(picture, sizeof(picture), "w");

	assert_non_null(out);
	assert_int_equal(cb_filetop_draw(t, paused, out), 0);
	fclose(out);
}

/* The lines that follow the heading: their programs, with a space behind each. */
static void expect(const struct cb_filetop *t, const char *title, const char *comms)
{
	char *save, *line, got[200] = "", comm[16];

	draw(t, false);
	assert_non_null(strstr(picture, title));
	line = strtok_r(strstr(picture, "CONTAINER"), "\n", &save);
	while ((line = strtok_r(NULL, "\n", &save))) {
		assert_int_equal(sscanf(line, "%*s %15s", comm), 1);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", comm);
	}
	assert_string_equal(got, comms);
}

static void test_orders(void **state)
{
	struct cb_filetop *t = cb_filetop_new();

	add(t, "web", "bytes", "/a", "read", 2, 600, 0);
	add(t, "web", "bytes", "/a", "write", 1, 0, 500);
	add(t, "web", "calls", "/b", "read", 9, 1000, 0);
	add(t, "web", "opens", "/c", "open", 3, 0, 0);
	add(t, "web", "opens", "/c", "create", 2, 0, 0);
	add(t, "web", "none", "/d", "unlink", 1, 0, 0);
	expect(t, "  4 files within 2.0 s, by bytes\n", "bytes calls opens none ");
	cb_filetop_next_order(t);
	expect(t, ", by calls\n", "calls opens bytes none ");
	cb_filetop_next_order(t);
	expect(t, ", by opens\n", "opens bytes calls none "); /* what is equal: by path */
	cb_filetop_next_order(t);
	expect(t, ", by bytes\n", "bytes calls opens none ");
	cb_filetop_set_order(t, CB_FILETOP_OPENS);
	expect(t, ", by opens\n", "opens bytes calls none ");
	cb_filetop_free(t);
}

static void test_sums(void **state)
{
	struct cb_filetop *t = cb_filetop_new();

	add(t, "web", "cat", "/x", "open", 3, 0, 0);
	add(t, "web", "dd", "/x", "create", 2, 0, 0); /* the first row names the program */
	add(t, "web", "cat", "/x", "read", 7, 100, 0);
	add(t, "web", "cat", "/x", "write", 1, 0, 20);
	draw(t, true);
	assert_non_null(strstr(picture, "  1 files within 2.0 s, by bytes  (paused)\n"));
	assert_non_null(strstr(picture, "\nweb                  cat                    5       13          100           20"));
	cb_filetop_free(t);
}

static void test_containers_apart(void **state)
{
	struct cb_filetop *t = cb_filetop_new();

	add(t, "web", "second", "/x", "open", 1, 0, 0);
	add(t, "db", "first", "/x", "open", 1, 0, 0);
	expect(t, "  2 files within ", "first second ");
	cb_filetop_free(t);
}

static void test_intervals(void **state)
{
	struct cb_filetop *t = cb_filetop_new();
	struct file_rec r = { .path = "/y" };
	struct cb_event ev = { .c = { .cont_id = "web", .cont_name = "web", .comm = "new", .action = "open", .count = 1,
				      .start = 7 * NS, .end = 8 * NS },
			       .rec = &r };

	add(t, "web", "old", "/x", "open", 1, 0, 0);
	cb_filetop_add(t, &ev);
	expect(t, "  1 files within 1.0 s", "new ");
	ev.c.start = 6 * NS; /* of the same end, but begun before: the interval is that long */
	cb_filetop_add(t, &ev);
	expect(t, "  1 files within 2.0 s", "new ");
	cb_filetop_clear(t);
	expect(t, "  0 files within 0.0 s", "");
	cb_filetop_free(t);
	cb_filetop_free(NULL);
}

/* A name with a newline makes no line of its own. */
static void test_escaped(void **state)
{
	struct cb_filetop *t = cb_filetop_new();

	add(t, "we\nb", "c\nt", "/x\ny", "open", 1, 0, 0);
	expect(t, "  1 files within ", "c\\x0at ");
	cb_filetop_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),	  cmocka_unit_test(test_sums),	  cmocka_unit_test(test_containers_apart),
		cmocka_unit_test(test_intervals), cmocka_unit_test(test_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
