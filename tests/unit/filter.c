/* SPDX-License-Identifier: GPL-2.0 */
/* -c, --exclude, -a, -p, -n, -u. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "container.h"
#include "contact.h"

static char *labels[] = { (char *)"tier=db", (char *)"empty=", NULL };
static const struct cb_cont web = { .id = (char *)"0123456789abcdef", .name = (char *)"web-1",
				    .image = (char *)"docker.io/library/nginx:1.25", .image_id = (char *)"sha256:77",
				    .runtime = (char *)"docker", .cgroup = (char *)"/docker/0123", .label = labels,
				    .rootfs = (char *)"" };

static bool asked(const char *include, const char *exclude, bool host, const struct cb_cont *c)
{
	struct cb_filter *f = cb_filter_new();
	bool ret;

	if (include)
		assert_int_equal(cb_filter_include(f, include, NULL), 0);
	if (exclude)
		assert_int_equal(cb_filter_exclude(f, exclude, NULL), 0);
	cb_filter_host(f, host);
	ret = cb_filter_cont(f, c);
	cb_filter_free(f);
	return ret;
}

static void forms(void **state)
{
	static const char *const yes[] = { "web-1", "web-*", "*", "0123", "0123456789abcdef", "image=*nginx*",
					   "image=sha256:77", "label=tier", "label=tier=db", "label=empty",
					   "label=empty=", "/docker", "/docker/", "/docker/0123", "/" };
	static const char *const no[] = { "web", "WEB-1", "012", "0124", "1234", "image=nginx", "label=tie",
					  "label=tier=d", "label=tier=", "label=db", "/docker/012", "/dock",
					  "/docker/0123/x" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (!asked(yes[i], NULL, false, &web))
			fail_msg("%s does not match", yes[i]);
		if (asked(NULL, yes[i], true, &web))
			fail_msg("%s does not exclude", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		if (asked(no[i], NULL, true, &web))
			fail_msg("%s matches", no[i]);
		if (!asked(NULL, no[i], false, &web))
			fail_msg("%s excludes", no[i]);
	}
}

static void host(void **state)
{
	assert_false(asked(NULL, NULL, false, NULL));
	assert_true(asked(NULL, NULL, true, NULL));
	assert_true(asked(NULL, "web-1", true, NULL));
	assert_false(asked("web-1", NULL, true, NULL));
	assert_true(asked(NULL, NULL, false, &web));
}

static void several(void **state)
{
	struct cb_filter *f = cb_filter_new();

	cb_filter_include(f, "other", NULL);
	assert_false(cb_filter_cont(f, &web));
	cb_filter_include(f, "web-?", NULL);
	assert_true(cb_filter_cont(f, &web));
	cb_filter_exclude(f, "label=tier=db", NULL);
	assert_false(cb_filter_cont(f, &web));
	cb_filter_free(f);
}

static void errors(void **state)
{
	static const char *const bad[] = { "", "image=", "label=", "label==x" };
	struct cb_filter *f = cb_filter_new();
	struct cb_err e = { 0 };

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(cb_filter_include(f, bad[i], NULL), -EINVAL);
		assert_int_equal(cb_filter_exclude(f, bad[i], NULL), -EINVAL);
	}
	cb_filter_include(f, "", &e);
	assert_string_equal(e.text, "--container: expected a name, id prefix, image=GLOB, label=K[=V] or /cgroup/path, "
				    "got \"\"");
	e.text[0] = 0;
	cb_filter_exclude(f, "image=", &e);
	assert_string_equal(e.text, "--exclude: expected a name, id prefix, image=GLOB, label=K[=V] or /cgroup/path, "
				    "got \"image=\"");
	/* a bad one leaves nothing behind */
	assert_true(cb_filter_cont(f, &web));
	cb_filter_free(f);
}

static void process(void **state)
{
	struct cb_common row = { .pid = 17, .uid = 5, .comm = "a-name-of-15-by" };
	struct cb_filter *f = cb_filter_new();

	assert_true(cb_filter_event(f, &web, &row));
	cb_filter_pid(f, 3);
	assert_false(cb_filter_event(f, &web, &row));
	cb_filter_pid(f, 17);
	assert_true(cb_filter_event(f, &web, &row));
	cb_filter_comm(f, "a-name-of-15-bytes-and-more");
	assert_true(cb_filter_event(f, &web, &row));
	cb_filter_uid(f, 0);
	assert_false(cb_filter_event(f, &web, &row));
	cb_filter_uid(f, 5);
	assert_true(cb_filter_event(f, &web, &row));
	row.comm = "a-name-of-15-b";
	assert_false(cb_filter_event(f, &web, &row));
	cb_filter_free(f);
}

static void replay(void **state)
{
	struct cb_common row = { .cont_id = "0123456789abcdef", .cont_name = "web-1", .image = "nginx",
				 .image_id = "", .runtime = "docker", .cgroup = "/docker/0123", .comm = "" };
	struct cb_common bare = { .comm = "" };
	struct cb_filter *f = cb_filter_new();

	assert_true(cb_filter_event(f, NULL, &row));
	assert_false(cb_filter_event(f, NULL, &bare));
	cb_filter_host(f, true);
	assert_true(cb_filter_event(f, NULL, &bare));
	cb_filter_include(f, "0123", NULL);
	assert_true(cb_filter_event(f, NULL, &row));
	assert_false(cb_filter_event(f, NULL, &bare));
	cb_filter_exclude(f, "/docker", NULL);
	assert_false(cb_filter_event(f, NULL, &row));
	cb_filter_free(f);
	cb_filter_free(NULL);
}

static bool target_asked(const char *include, const char *exclude, uint32_t pid, const struct cb_event *ev)
{
	struct cb_filter *f = cb_filter_new();
	bool ret;

	if (include)
		assert_int_equal(cb_filter_include(f, include, NULL), 0);
	if (exclude)
		assert_int_equal(cb_filter_exclude(f, exclude, NULL), 0);
	if (pid)
		cb_filter_pid(f, pid);
	ret = cb_filter_target(f, ev);
	cb_filter_free(f);
	return ret;
}

/* What the host does to a container is a row of that container's, too. */
static void target(void **state)
{
	struct contact_rec r = { .target_id = "0123456789abcdef", .target_container = "web-1", .target_image = "nginx:1" };
	struct cb_event ev = { .schema = &cb_schema_contact, .c.pid = 7, .rec = &r, .len = sizeof(r) };

	assert_true(target_asked(NULL, NULL, 0, &ev));
	assert_true(target_asked("web-*", NULL, 0, &ev));
	assert_true(target_asked("0123", NULL, 0, &ev));
	assert_true(target_asked("image=nginx*", NULL, 0, &ev));
	assert_true(target_asked("web-1", NULL, 7, &ev));
	assert_false(target_asked("web-1", NULL, 11, &ev));
	assert_false(target_asked("db", NULL, 0, &ev));
	assert_false(target_asked(NULL, "web-1", 0, &ev));
	assert_false(target_asked("label=tier", NULL, 0, &ev));
	memset(r.target_id, 0, sizeof(r.target_id));
	memset(r.target_container, 'w', sizeof(r.target_container)); /* no end */
	assert_true(target_asked("www*", NULL, 0, &ev));
	memset(r.target_container, 0, sizeof(r.target_container));
	assert_false(target_asked(NULL, NULL, 0, &ev)); /* the host */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),  cmocka_unit_test(host),    cmocka_unit_test(several),
		cmocka_unit_test(errors), cmocka_unit_test(process), cmocka_unit_test(replay),
		cmocka_unit_test(target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
