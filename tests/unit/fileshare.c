/* SPDX-License-Identifier: GPL-2.0 */
/* Which files containers share. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "fileshare.h"

#define WEB 11
#define DB 22
#define CACHE 33

static struct cb_file_id file(uint64_t ino)
{
	return (struct cb_file_id){ .ino = ino, .dev = 8 << 20 | 1, .gen = 5 };
}

static void test_first_and_other(void **state)
{
	struct cb_fileshare *s = cb_fileshare_new();

	assert_int_equal(cb_fileshare_with(s, file(1), WEB), 0);
	cb_fileshare_used(s, file(1), WEB);
	cb_fileshare_used(s, file(1), WEB);
	assert_int_equal(cb_fileshare_with(s, file(1), WEB), 0);
	assert_int_equal(cb_fileshare_with(s, file(1), DB), WEB);
	cb_fileshare_used(s, file(1), DB);
	assert_int_equal(cb_fileshare_with(s, file(1), WEB), DB);
	assert_int_equal(cb_fileshare_with(s, file(1), DB), WEB);
	cb_fileshare_used(s, file(1), CACHE); /* a third one changes nothing for the two */
	assert_int_equal(cb_fileshare_with(s, file(1), WEB), DB);
	assert_int_equal(cb_fileshare_with(s, file(1), CACHE), WEB);
	assert_int_equal(cb_fileshare_with(s, file(2), DB), 0);
	cb_fileshare_free(s);
}

static void test_host(void **state)
{
	struct cb_fileshare *s = cb_fileshare_new();

	cb_fileshare_used(s, file(1), 0);
	cb_fileshare_used(s, file(1), WEB);
	assert_int_equal(cb_fileshare_with(s, file(1), WEB), 0);
	assert_int_equal(cb_fileshare_with(s, file(1), 0), WEB);
	cb_fileshare_free(s);
}

static void test_same_number(void **state)
{
	struct cb_fileshare *s = cb_fileshare_new();
	struct cb_file_id later = file(1), elsewhere = file(1);

	later.gen++;
	elsewhere.dev++;
	cb_fileshare_used(s, file(1), WEB);
	assert_int_equal(cb_fileshare_with(s, later, DB), 0);
	assert_int_equal(cb_fileshare_with(s, elsewhere, DB), 0);
	cb_fileshare_free(s);
}

static void test_not_shareable(void **state)
{
	static struct file_note n = { .ino = 7, .dev = 8 << 20 | 1, .gen = 5, .imode = 0100644, .magic = 0xef53 };
	struct cb_fileshare *s = cb_fileshare_new();
	struct cb_file_id id = cb_file_id_of(&n);

	assert_int_equal(id.ino, 7);
	assert_int_equal(id.dev, 8 << 20 | 1);
	assert_int_equal(id.gen, 5);
	n.imode = 0040755; /* a directory */
	assert_int_equal(cb_file_id_of(&n).dev, 0);
	n.imode = 0010644; /* a pipe with a name */
	assert_int_equal(cb_file_id_of(&n).dev, 0);
	n.imode = 0100644;
	n.bits = FILE_ANON;
	assert_int_equal(cb_file_id_of(&n).dev, 0);
	n.bits = FILE_DELETED;
	assert_int_equal(cb_file_id_of(&n).dev, 8 << 20 | 1);
	n.magic = 0x9fa0; /* /proc */
	id = cb_file_id_of(&n);
	assert_int_equal(id.dev, 0);
	cb_fileshare_used(s, id, WEB);
	assert_int_equal(cb_fileshare_with(s, id, DB), 0);
	cb_fileshare_free(s);
}

/* The table is full at 65536: what was not used for longest is forgotten. */
static void test_bounded(void **state)
{
	struct cb_fileshare *s = cb_fileshare_new();

	for (uint64_t i = 1; i <= 65536; i++)
		cb_fileshare_used(s, file(i), WEB);
	cb_fileshare_used(s, file(1), WEB); /* 2 is now the oldest */
	cb_fileshare_used(s, file(65537), WEB);
	assert_int_equal(cb_fileshare_with(s, file(1), DB), WEB);
	assert_int_equal(cb_fileshare_with(s, file(2), DB), 0);
	assert_int_equal(cb_fileshare_with(s, file(3), DB), WEB);
	assert_int_equal(cb_fileshare_with(s, file(65537), DB), WEB);
	cb_fileshare_free(s);
	cb_fileshare_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_and_other), cmocka_unit_test(test_host),	cmocka_unit_test(test_same_number),
		cmocka_unit_test(test_not_shareable),	cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
