/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every schema there is: each byte of the record is described once, names are unique, and compared with
 * tests/golden/schema-NAME.txt nothing was changed or taken away. After adding a field or raising a version:
 *
 *	CB_GOLDEN=write build/tests/schema
 *
 * writes those files anew; it refuses what would break readers of older recordings.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "field.h"
#include "writer.h"

static bool variable(enum cb_type t)
{
	return t == CB_ARGV || t == CB_SYSCALLS;
}

static bool size_fits(const struct cb_field *f)
{
	switch (f->type) {
	case CB_UINT:
	case CB_INT:
	case CB_DURATION:
	case CB_BYTES: return f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8;
	case CB_FLOAT: return f->size == 4 || f->size == 8;
	case CB_BOOL: return f->size == 1;
	case CB_TIME:
	case CB_CAPS: return f->size == 8;
	case CB_ERRNO:
	case CB_SIGNAL: return f->size == 2 || f->size == 4;
	case CB_SYSCALL: return f->size == 2;
	case CB_SYSCALLS: return f->size % 2 == 0;
	default: return f->size > 0;
	}
}

/* A byte that no field tells of would carry old kernel memory up, unseen. */
static void test_every_byte_once(void **state)
{
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		unsigned char *seen = calloc(1, (*s)->size);

		memset(seen, 1, sizeof(struct cb_head));
		for (size_t i = 0; i < (*s)->nfields; i++) {
			const struct cb_field *f = &(*s)->field[i];

			if ((size_t)f->off + f->size > (*s)->size)
				fail_msg("%s: %s lies outside the record", (*s)->name, f->name);
			for (size_t k = 0; k < f->size; k++)
				if (seen[f->off + k]++)
					fail_msg("%s: byte %zu of %s belongs to another field too", (*s)->name, k, f->name);
		}
		for (size_t k = 0; k < (*s)->size; k++)
			if (!seen[k])
				fail_msg("%s: byte %zu of the record belongs to no field", (*s)->name, k);
		free(seen);
	}
}

static void test_fields(void **state)
{
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		assert_true((*s)->version > 0);
		for (size_t i = 0; i < (*s)->nfields; i++) {
			const struct cb_field *f = &(*s)->field[i];

			if (!size_fits(f))
				fail_msg("%s: %s: no %s has %u bytes", (*s)->name, f->name, cb_type_name(f->type), f->size);
			if (variable(f->type) && (size_t)f->off + f->size != (*s)->size)
				fail_msg("%s: %s must be last in the record", (*s)->name, f->name);
			if (!strchr(f->name, '.') || strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789._") != strlen(f->name))
				fail_msg("%s: %s is no name such as process.exit_code", (*s)->name, f->name);
			assert_true(f->help && *f->help && (!f->title || *f->title));
		}
	}
}

static void no_twin(const char *schema, const char *name, const struct cb_field *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(f[i].name, name))
			fail_msg("%s: %s is there twice", schema, name);
}

static void test_names_unique(void **state)
{
	for (size_t i = 0; i < cb_ncommon_fields; i++)
		no_twin("common", cb_common_fields[i].name, cb_common_fields, i);
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		for (size_t i = 0; i < (*s)->nfields; i++) {
			no_twin((*s)->name, (*s)->field[i].name, (*s)->field, i);
			no_twin((*s)->name, (*s)->field[i].name, cb_common_fields, cb_ncommon_fields);
		}
		for (const struct cb_schema *const *t = cb_schemas; t != s; t++)
			assert_string_not_equal((*s)->name, (*t)->name);
	}
}

static void test_find(void **state)
{
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		char dataset[80];

		snprintf(dataset, sizeof(dataset), "cbtools.%s", (*s)->name);
		assert_ptr_equal(cb_schema_find((*s)->name), *s);
		assert_ptr_equal(cb_schema_find(dataset), *s);
	}
	assert_null(cb_schema_find("cbtools."));
	assert_null(cb_schema_find("nonsense"));
}

/* The common columns are a schema as well, of version 1 until one changes its meaning: then all do. */
static struct cb_schema common = { "common", 1, "", sizeof(struct cb_common), cb_common_fields, 0 };

/* A field as the golden file has it. */
static bool has(const struct cb_schema *s, const char *line)
{
	char want[200];

	for (size_t i = 0; i < s->nfields; i++) {
		snprintf(want, sizeof(want), "%s %s %s\n", s->field[i].name, cb_type_name(s->field[i].type),
			 cb_role_name(s->field[i].role));
		if (!strcmp(line, want))
			return true;
	}
	return false;
}

/* Compares; true if the golden file is complete too. */
static bool compatible(const struct cb_schema *s, FILE *golden)
{
	unsigned version = 0;
	char line[200];
	size_t n = 0;

	if (fscanf(golden, "version %u\n", &version) != 1)
		fail_msg("%s: the golden file does not begin with its version", s->name);
	if (version > s->version)
		fail_msg("%s: version %u was published, and now it is %u", s->name, version, s->version);
	for (; fgets(line, sizeof(line), golden); n++)
		if (version == s->version && !has(s, line))
			fail_msg("%s: version %u promises \"%.*s\": raise the version", s->name, version,
				 (int)strcspn(line, "\n"), line);
	return version == s->version && n == s->nfields;
}

static void write_golden(const struct cb_schema *s, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "version %u\n", s->version);
	for (size_t i = 0; i < s->nfields; i++)
		fprintf(f, "%s %s %s\n", s->field[i].name, cb_type_name(s->field[i].type),
			cb_role_name(s->field[i].role));
	assert_int_equal(fclose(f), 0);
}

static void check_golden(const struct cb_schema *s)
{
	const char *mode = getenv("CB_GOLDEN");
	bool complete = false;
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/schema-%s.txt", s->name);
	f = fopen(path, "r");
	if (f) {
		complete = compatible(s, f);
		fclose(f);
	}
	if (complete)
		return;
	if (!mode || strcmp(mode, "write"))
		fail_msg("%s: %s; CB_GOLDEN=write build/tests/schema brings it up to date", path,
			 f ? "lacks what is new" : "is missing");
	write_golden(s, path);
}

static void test_only_grows(void **state)
{
	common.nfields = cb_ncommon_fields;
	check_golden(&common);
	for (const struct cb_schema *const *s = cb_schemas; *s; s++)
		check_golden(*s);
}

/* What the design promised to scripts, whatever the golden file says. */
static void test_frozen_names(void **state)
{
	static const char *const frozen[] = {
		"event.dataset", "event.kind", "event.action", "@timestamp", "event.start", "event.end",
		"event.duration_ns", "event.count", "event.lost", "event.truncated", "host.id", "host.boot.id",
		"container.id", "container.name", "container.image.name", "container.image.id", "container.runtime",
		"process.pid", "process.vpid", "process.thread.id", "process.parent_pid", "process.creation.time",
		"process.name", "process.executable.path", "user.id",
	};

	for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
		size_t k;

		for (k = 0; k < cb_ncommon_fields && strcmp(cb_common_fields[k].name, frozen[i]); k++)
			;
		if (k == cb_ncommon_fields)
			fail_msg("%s is gone", frozen[i]);
	}
	for (size_t k = 0; k < cb_ncommon_fields; k++)
		assert_int_equal(cb_common_fields[k].role,
				 strcmp(cb_common_fields[k].name, "process.executable.path") ? CB_NONE : CB_SET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_once), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_names_unique),	cmocka_unit_test(test_find),
		cmocka_unit_test(test_only_grows),	cmocka_unit_test(test_frozen_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
