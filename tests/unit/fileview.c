/* SPDX-License-Identifier: GPL-2.0 */
/* Notes of the probe of files to rows. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "fileview.h"

static struct file_note note;
static struct file_rec row;

/* asked, asked2: as given to the call; names, names2: "b/a" stands for /a/b, as the kernel sends it */
static size_t make(uint8_t op, const char *asked, const char *names, const char *asked2, const char *names2)
{
	const char *part[4] = { asked, asked2, names, names2 };
	size_t len[4], at = 0;

	memset(&note, 0, offsetof(struct file_note, data));
	note.op = op;
	for (int i = 0; i < 4; i++) {
		len[i] = part[i] ? strlen(part[i]) + (i >= 2 && *part[i]) : 0;
		if (part[i])
			memcpy(note.data + at, part[i], len[i]);
		for (size_t k = at; i >= 2 && k < at + len[i]; k++)
			if (note.data[k] == '/')
				note.data[k] = '\0';
		at += len[i];
	}
	note.asked[0] = len[0];
	note.asked[1] = len[1];
	note.names[0] = len[2];
	note.names[1] = len[3];
	note.len = at;
	return offsetof(struct file_note, data) + at;
}

static void expect(size_t len, const char *path, const char *target)
{
	assert_int_equal(cb_file_view(&note, len, &row), 0);
	assert_string_equal(row.path, path);
	assert_string_equal(row.target, target);
}

static void test_paths(void **state)
{
	expect(make(FILE_OPEN, NULL, "passwd/etc", NULL, NULL), "/etc/passwd", "");
	expect(make(FILE_OPEN, NULL, "", NULL, NULL), "/", "");
	expect(make(FILE_UNLINK, "x", "b/a", NULL, NULL), "/a/b/x", "");
	expect(make(FILE_UNLINK, "./x//y/.", "b/a", NULL, NULL), "/a/b/x/y", "");
	expect(make(FILE_UNLINK, "../x", "b/a", NULL, NULL), "/a/x", "");
	expect(make(FILE_UNLINK, "../../../x", "b/a", NULL, NULL), "/x", "");
	/* what link/.. is depends on the link */
	expect(make(FILE_UNLINK, "link/../x", "b/a", NULL, NULL), "/a/b/link/../x", "");
	expect(make(FILE_UNLINK, "/../x", NULL, NULL, NULL), "/x", "");
	expect(make(FILE_UNLINK, "/", NULL, NULL, NULL), "/", "");
	expect(make(FILE_CHMOD, "", "b/a", NULL, NULL), "/a/b", "");
	expect(make(FILE_RENAME, "x", "b/a", "y", "c"), "/a/b/x", "/c/y");
	expect(make(FILE_RENAME, "/x", NULL, "../y", "c"), "/x", "/y");
	expect(make(FILE_SYMLINK, "x", "b/a", "../text//.", NULL), "/a/b/x", "../text//.");
}

static void test_errors(void **state)
{
	size_t len = make(FILE_OPEN, NULL, NULL, NULL, NULL);

	note.error = EFAULT; /* not even a name could be read */
	expect(len, "", "");
	assert_int_equal(row.error, EFAULT);
}

static void test_anonymous(void **state)
{
	size_t len = make(FILE_OPEN, NULL, "memfd:x", NULL, NULL);

	note.bits = FILE_ANON;
	note.magic = 0x01021994;
	expect(len, "memfd:x", "");
	len = make(FILE_OPEN, NULL, NULL, NULL, NULL);
	note.bits = FILE_ANON;
	note.magic = 0x50495045;
	expect(len, "pipe:", "");
	note.magic = 0x09041934;
	expect(len, "anon_inode:", "");
	note.magic = 1;
	expect(len, "anon:", "");
}

static void test_words(void **state)
{
	size_t len = make(FILE_CREATE, NULL, "x", NULL, NULL);

	note.num[0] = 0102 | 02000;
	note.num[1] = 04755;
	note.imode = 0100755;
	note.dev = 8 << 20 | 17;
	note.bits = FILE_DELETED | FILE_HOST;
	note.h.cont = 1;
	expect(len, "/x", "");
	assert_string_equal(row.flags, "read|write|append|create|deleted");
	assert_string_equal(row.mode, "4755");
	assert_string_equal(row.type, "file");
	assert_string_equal(row.device, "8:17");
	assert_string_equal(row.foreign, "host");
	len = make(FILE_CHOWN, "/x", NULL, NULL, NULL);
	note.num[0] = 7;
	note.num[1] = UINT32_MAX;
	expect(len, "/x", "");
	assert_string_equal(row.owner, "7:-");
}

static void test_cut(void **state)
{
	char name[FILE_NAMES + 255];
	size_t len;

	memset(name, 'n', sizeof(name));
	for (size_t i = 200; i < sizeof(name); i += 200)
		name[i] = '/';
	name[sizeof(name) - 1] = '\0';
	len = make(FILE_OPEN, NULL, name, NULL, NULL);
	assert_int_equal(cb_file_view(&note, len, &row), 0);
	assert_true(row.h.flags & CB_F_CUT);
	assert_memory_equal(row.path, "...", 3);
	assert_int_equal(strlen(row.path), FILE_PATH - 1);
	assert_memory_equal(row.path + FILE_PATH - 1 - 201, "/nnn", 4); /* the end is whole */
}

static void test_not_whole(void **state)
{
	size_t len = make(FILE_RENAME, "x", "b/a", "y", "c");

	assert_int_equal(cb_file_view(&note, len - 1, &row), -EINVAL);
	assert_int_equal(cb_file_view(&note, 3, &row), -EINVAL);
	note.asked[0] = 500;
	assert_int_equal(cb_file_view(&note, len, &row), -EINVAL);
	len = make(FILE_RENAME, "x", "b/a", "y", "c");
	note.op = FILE_NOPS;
	assert_int_equal(cb_file_view(&note, len, &row), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_errors), cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_words), cmocka_unit_test(test_cut),    cmocka_unit_test(test_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
