/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for Prometheus: from every schema, with hostile names, in bounds. What promtool says is in tests/live. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "alarm.h"
#include "field.h"
#include "prom.h"
#include "syscall.h"

#define S 1000000000ULL
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/cb-prom-XXXXXX", path[PATH_MAX];

static struct cb_common common_part(const char *name, const char *id)
{
	return (struct cb_common){ .time = 1500 * S + 500000000, .dataset = "cbtools.x", .kind = "event", .action = "", .count = 1,
				   .host_id = "h", .boot_id = "b", .cont_id = id, .cont_name = name, .image = "img",
				   .image_id = "", .runtime = "docker", .cgroup = "", .comm = "", .exe = "" };
}

static char *written(struct cb_prom *p, uint64_t now)
{
	struct cb_common c = { .seen = 12, .sent = 7, .filtered = 3, .lost = 2 };
	struct cb_err e = { "" };
	char *text = calloc(1, 1 << 22);
	FILE *f;

	if (cb_prom_write(p, &c, now, &e))
		fail_msg("%s", e.text);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 22) - 1, f) > 0);
	fclose(f);
	return text;
}

static void has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("expected %s in\n%s", line, text);
}

static void has_not(const char *text, const char *line)
{
	if (strstr(text, line))
		fail_msg("expected no %s in\n%s", line, text);
}

static void syscall_event(struct cb_prom *p, const struct cb_common *c, const char *call, uint64_t n, uint64_t errors,
			  uint64_t now)
{
	struct syscall_rec r = { .count = n, .errors = errors, .nr = cb_syscall_number(call) };
	struct cb_event ev = { &cb_schema_syscall, *c, &r, sizeof(r) };

	ev.c.count = n;
	cb_prom_event(p, &ev, now);
}

static void test_sums_by_call(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_syscall, NULL, 0);
	struct cb_common c = common_part("web", ID);
	char *t;

	syscall_event(p, &c, "read", 11, 2, S);
	syscall_event(p, &c, "read", 6, 0, S);
	syscall_event(p, &c, "write", 5, 1, S);
	t = written(p, S);
#define WEB "{container=\"web\",id=\"0123456789ab\",image=\"img\",runtime=\"docker\""
	has(t, "# TYPE cbtools_syscall_count_total counter\n");
	has(t, "\ncbtools_syscall_count_total" WEB ",syscall=\"read\"} 17\n");
	has(t, "\ncbtools_syscall_errors_total" WEB ",syscall=\"read\"} 2\n");
	has(t, "\ncbtools_syscall_errors_total" WEB ",syscall=\"write\"} 1\n");
	has(t, "cbtools_syscall_events_total" WEB "} 22\n");
	has(t, "cbtools_syscall_last_event_timestamp_seconds" WEB "} 1500.5\n");
	has(t, "cbtools_collector_seen_total{dataset=\"syscall\"} 12\n");
	has(t, "cbtools_collector_sent_total{dataset=\"syscall\"} 7\n");
	has(t, "cbtools_collector_filtered_total{dataset=\"syscall\"} 3\n");
	has(t, "cbtools_collector_lost_total{dataset=\"syscall\"} 2\n");
	free(t);
	cb_prom_free(p);
}

static void test_container_that_is_gone(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_syscall, NULL, 0);
	struct cb_common web = common_part("web", ID), db = common_part("db", "");
	char *t;

	syscall_event(p, &web, "read", 11, 2, 100 * S);
	syscall_event(p, &db, "read", 13, 2, 100 * S);
	/* what it did last is told at the end of an interval of 5 s */
	syscall_event(p, &web, "write", 17, 0, 105 * S);
	cb_prom_gone(p, ID, "web", 101 * S, 5 * S);
	t = written(p, 110 * S);
	has(t, "container=\"web\"");
	free(t);
	t = written(p, 131 * S);
	has_not(t, "container=\"web\"");
	has(t, "container=\"db\"");
	free(t);
	/* one of the same name and id that lives on */
	syscall_event(p, &web, "read", 3, 0, 140 * S);
	cb_prom_gone(p, ID, "web", 101 * S, 5 * S);
	t = written(p, 200 * S);
	has(t, "cbtools_syscall_count_total" WEB ",syscall=\"read\"} 3\n");
	free(t);
	cb_prom_free(p);
}

static void test_new_name_and_silence(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_syscall, NULL, 60 * S);
	struct cb_common old = common_part("old", ID), new = common_part("new", ID);
	char *t;

	syscall_event(p, &old, "read", 11, 2, 10 * S);
	syscall_event(p, &new, "read", 2, 0, 20 * S);
	t = written(p, 30 * S);
	has_not(t, "container=\"old\"");
	has(t, "container=\"new\",id=\"0123456789ab\",image=\"img\",runtime=\"docker\",syscall=\"read\"} 13\n");
	free(t);
	t = written(p, 80 * S);
	has_not(t, "container=\"new\"");
	free(t);
	cb_prom_free(p);
}

/* A label value may hold anything but a bare quote, backslash or newline. */
static void check_lines(const char *t)
{
	for (const char *s = t; *s; s = strchr(s, '\n') + 1) {
		const char *p = s;

		if (*s == '#')
			continue;
		while (islower((unsigned char)*p) || *p == '_' || isdigit((unsigned char)*p))
			p++;
		assert_int_equal(*p, '{');
		do {
			p++;
			while (islower((unsigned char)*p) || *p == '_')
				p++;
			assert_memory_equal(p, "=\"", 2);
			for (p += 2; *p != '"'; p++) {
				assert_true((unsigned char)*p >= ' ');
				if (*p == '\\') {
					p++;
					assert_true(*p == '\\' || *p == '"');
				}
			}
			p++;
		} while (*p == ',');
		assert_memory_equal(p, "} ", 2);
	}
}

static void test_hostile_names(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_alarm, "alarm.kind", 0);
	struct cb_common c = common_part("a\"} 1\ncbtools_x{b=\"\\", "x\\");
	struct alarm_rec r = { .id = 1, .kind = "\"\n\\{}" };
	struct cb_event ev = { &cb_schema_alarm, c, &r, sizeof(r) };
	char *t, action[16];

	ev.c.action = "raised";
	cb_prom_event(p, &ev, S);
	t = written(p, S);
	has(t, "container=\"a\\\"} 1\\\\x0acbtools_x{b=\\\"\\\\\\\\\"");
	check_lines(t);
	free(t);
	/* values that never end are one in the end */
	ev.c.action = action;
	for (int i = 0; i < 5003; i++) {
		snprintf(action, sizeof(action), "a%d", i);
		cb_prom_event(p, &ev, S);
	}
	t = written(p, S);
	has(t, "value=\"other\"} ");
	check_lines(t);
	assert_true(strlen(t) < 1500 * 400);
	free(t);
	cb_prom_free(p);
}

static void test_many_containers(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_syscall, NULL, 0);
	char name[32], *t, *s;
	int n = 0;

	for (int i = 0; i < 5003; i++) {
		struct cb_common c;

		snprintf(name, sizeof(name), "c%d", i);
		c = common_part(name, name);
		syscall_event(p, &c, "read", 1, 0, S + i);
	}
	t = written(p, S);
	for (s = t; (s = strstr(s, "\ncbtools_syscall_count_total{")); s++)
		n++;
	assert_int_equal(n, 4096);
	has(t, "container=\"c5002\"");
	has_not(t, "container=\"c906\"");
	free(t);
	cb_prom_free(p);
}

/* As promtool wants names, for fields that may come. */
static void test_names_of_all_schemas(void **state)
{
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		struct cb_prom *p = cb_prom_new(path, *s, NULL, 0);
		void *rec = calloc(1, (*s)->size);
		struct cb_event ev = { *s, common_part("web", ID), rec, (*s)->size };
		char *t, name[200], type[20];

		cb_prom_event(p, &ev, S);
		t = written(p, S);
		check_lines(t);
		for (char *l = t; (l = strstr(l, "# TYPE ")); l++) {
			const char *end;

			assert_int_equal(sscanf(l, "# TYPE %199s %19s", name, type), 2);
			end = strrchr(name, '_');
			assert_int_equal(!strcmp(end, "_total"), !strcmp(type, "counter"));
			if (!strcmp(end, "_ns") || !strcmp(end, "_count") || !strcmp(end, "_sum") || strstr(name, "_ns_"))
				fail_msg("%s of %s", name, (*s)->name);
		}
		free(t);
		free(rec);
		cb_prom_free(p);
	}
}

static void test_file(void **state)
{
	struct cb_prom *p = cb_prom_new(path, &cb_schema_syscall, NULL, 0);
	struct cb_common c = { 0 };
	struct cb_err e = { "" };
	struct stat st;
	char tmp[PATH_MAX + 8];
	mode_t mask = umask(077);

	free(written(p, S));
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	assert_int_equal(access(tmp, F_OK), -1);
	/* a link that somebody has put there is not followed */
	assert_int_equal(symlink(path, tmp), 0);
	assert_int_equal(cb_prom_write(p, &c, S, &e), -ELOOP);
	assert_non_null(strstr(e.text, tmp));
	unlink(tmp);
	cb_prom_free(p);
	e.text[0] = 0;
	p = cb_prom_new("/nonexistent/x.prom", &cb_schema_syscall, NULL, 0);
	assert_int_equal(cb_prom_write(p, &c, S, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/x.prom.tmp: cannot open for writing"));
	cb_prom_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_by_call),	     cmocka_unit_test(test_container_that_is_gone),
		cmocka_unit_test(test_new_name_and_silence), cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_many_containers),	     cmocka_unit_test(test_names_of_all_schemas),
		cmocka_unit_test(test_file),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/x.prom", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
