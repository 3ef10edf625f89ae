/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroup paths as the engines write them: which engine, which id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static const struct {
	const char *path, *runtime, *id;
	bool helper;
} known[] = {
	{ "/docker/" ID, "docker", ID },
	{ "/system.slice/docker-" ID ".scope", "docker", ID },
	{ "/my.slice/docker-" ID ".scope/init.scope/a/b", "docker", ID },
	{ "/docker/" ID "/docker/" OTHER, "docker", OTHER },
	{ "/libpod_parent/libpod-" ID, "podman", ID },
	{ "/machine.slice/libpod-" ID ".scope/container", "podman", ID },
	{ "/system.slice/web.service/libpod-payload-" ID, "podman", ID },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", "podman", ID },
	{ "/libpod_parent/conmon", "podman", "", true },
	{ "/machine.slice/libpod-conmon-" ID ".scope", "podman", ID, true },
	{ "/kubepods/besteffort/pod1/crio-" ID, "crio", ID },
	{ "/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope/container", "crio", ID },
	{ "/x/crio-conmon-" ID, "crio", ID, true },
	{ "/x.slice/crio-conmon-" ID ".scope", "crio", ID, true },
	{ "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope", "containerd", ID },
	{ "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID, "containerd", ID },
	{ "/system.slice/nerdctl-" ID ".scope", "containerd", ID },
	{ "/lxc.payload.web", "lxc", "web" },
	{ "/lxc.payload.web/.lxc", "lxc", "web" },
	{ "/lxc.payload/web/init.scope", "lxc", "web" },
	{ "/lxc.monitor.web", "lxc", "web", true },
	{ "/system.slice/runc-web-1.scope", "runc", "web-1" },
	{ "/system.slice/crun-web.scope/container", "crun", "web" },
	{ "/machine.slice/machine-my\\x2dweb.scope/payload", "nspawn", "my-web" },
	{ "/machine.slice/web.scope/payload/init.scope", "nspawn", "web" },
	{ "/machine.slice/systemd-nspawn@web.service/payload", "nspawn", "web" },
	/* only the disk can tell */
	{ "/web", "", "" },
	{ "/payload", "", "" },
	{ "/default/web", "", "" },
	{ "/my/" ID, "", "" },
	/* not quite */
	{ "", "", "" },
	{ "/", "", "" },
	{ "//", "", "" },
	{ "/..", "", "" },
	{ "/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "", "" },
	{ "/docker/" ID "0", "", "" },
	{ "/docker-" ID, "", "" },
	{ "/system.slice/docker-0123.scope", "", "" },
	{ "/system.slice/runc-.scope", "", "" },
	{ "/lxc.payload.", "", "" },
	{ "docker/" ID, "docker", ID },
};

static void paths(void **state)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct cb_engine_hint h;

		memset(&h, 'x', sizeof(h));
		cb_engine_of_path(known[i].path, &h);
		if (strcmp(h.runtime, known[i].runtime) || strcmp(h.id, known[i].id) || h.helper != known[i].helper)
			fail_msg("%s: \"%s\" \"%s\" %d", known[i].path, h.runtime, h.id, h.helper);
	}
}

static void long_names(void **state)
{
	char path[5000];
	struct cb_engine_hint h;

	memset(path, 'a', sizeof(path));
	memcpy(path, "/lxc.payload.", 13);
	path[sizeof(path) - 1] = 0;
	cb_engine_of_path(path, &h);
	assert_string_equal(h.runtime, "");
	memset(path, '/', sizeof(path) - 1);
	cb_engine_of_path(path, &h);
	assert_string_equal(h.runtime, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(long_names) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
