/* SPDX-License-Identifier: GPL-2.0 */
/* Places in file systems to paths of the host. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mounts.h"

static const char mountinfo[] =
	"21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"22 21 0:20 / /proc rw - proc proc rw\n"
	"30 21 0:45 / /var/lib/x/merged rw - overlay overlay rw,lowerdir=a\n"
	"31 21 254:0 /srv/data /mnt/with\\040space rw - ext4 /dev/vda rw\n"
	"32 21 254:16 /sub /mnt/part rw - ext4 /dev/vdb rw\n"
	"bad line\n"
	"33 21 x:y / /nowhere rw - ext4 /dev/vdb rw\n"
	"34 21 0:50\n";

static void expect(struct cb_mounts *m, uint32_t dev, const char *inside, const char *path)
{
	struct cb_buf b = {};
	bool found = cb_mounts_find(m, dev, inside, &b);

	assert_int_equal(found, path != NULL);
	if (path) {
		cb_buf_putc(&b, '\0');
		assert_string_equal(b.s, path);
	}
	cb_buf_free(&b);
}

static void test_find(void **state)
{
	char path[] = "/tmp/cbt-mounts-XXXXXX";
	int fd = mkstemp(path);
	struct cb_mounts *m;

	assert_int_equal(write(fd, mountinfo, sizeof(mountinfo) - 1), sizeof(mountinfo) - 1);
	m = cb_mounts_new(path);
	expect(m, 254 << 20, "/srv/data/file", "/srv/data/file");
	expect(m, 254 << 20, "/", "/");
	expect(m, 45, "/etc/passwd", "/var/lib/x/merged/etc/passwd");
	expect(m, 45, "/", "/var/lib/x/merged");
	expect(m, 254 << 20 | 16, "/sub/a", "/mnt/part/a");
	expect(m, 254 << 20 | 16, "/sub", "/mnt/part");
	/* not below what is mounted, though it begins alike */
	expect(m, 254 << 20 | 16, "/subway", NULL);
	expect(m, 254 << 20 | 16, "/other", NULL);
	expect(m, 50, "/a", NULL);
	expect(m, 99, "/a", NULL);
	cb_mounts_free(m);
	close(fd);
	unlink(path);
}

static void expect_place(struct cb_mounts *m, const char *path, uint32_t dev, const char *inside)
{
	struct cb_buf b = {};
	uint32_t got = 0;

	assert_true(cb_mounts_place(m, path, &got, &b));
	assert_int_equal(got, dev);
	cb_buf_putc(&b, '\0');
	assert_string_equal(b.s, inside);
	cb_buf_free(&b);
}

/* As a container has it: its root, a folder of the host in it, and a second mount on the same place. */
static void test_place(void **state)
{
	static const char text[] = "40 30 0:45 / / rw - overlay overlay rw\n"
				   "41 40 254:0 /srv/data /vol/deep rw - ext4 /dev/vda rw\n"
				   "42 40 0:50 / /tmp rw - tmpfs tmpfs rw\n"
				   "43 42 0:51 /sub /tmp rw - tmpfs tmpfs rw\n";
	char path[] = "/tmp/cbt-mounts-XXXXXX";
	int fd = mkstemp(path);
	struct cb_mounts *m;

	assert_null(cb_mounts_read(path));
	assert_null(cb_mounts_read("/nonexistent/mountinfo"));
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	m = cb_mounts_read(path);
	close(fd);
	unlink(path);
	assert_non_null(m);
	expect_place(m, "/", 45, "/");
	expect_place(m, "/etc/passwd", 45, "/etc/passwd");
	expect_place(m, "/vol/deep", 254 << 20, "/srv/data");
	expect_place(m, "/vol/deep/a/b", 254 << 20, "/srv/data/a/b");
	expect_place(m, "/vol/deeper", 45, "/vol/deeper");
	expect_place(m, "/tmp/x", 51, "/sub/x");
	cb_mounts_free(m);
}

static void test_escapes(void **state)
{
	char path[] = "/tmp/cbt-mounts-XXXXXX";
	static const char line[] = "31 21 8:1 /a\\134b /mnt/with\\040space rw - ext4 /dev/vda rw\n";
	int fd = mkstemp(path);
	struct cb_mounts *m;

	assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
	m = cb_mounts_new(path);
	expect(m, 8 << 20 | 1, "/a\\b/c", "/mnt/with space/c");
	cb_mounts_free(m);
	close(fd);
	unlink(path);
	m = cb_mounts_new("/nonexistent/mountinfo");
	expect(m, 8 << 20 | 1, "/a", NULL);
	cb_mounts_free(m);
	cb_mounts_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_place), cmocka_unit_test(test_escapes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
