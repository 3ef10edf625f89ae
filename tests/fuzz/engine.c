/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any bytes as the files that engines and the kernel keep of a container: JSON, databases, mountinfo, command lines,
 * cgroup paths. The input is a list of parts: "%%", a letter that names the file (the table below), its bytes; what
 * comes before the first is the path of the cgroup. Whatever comes out must keep the promises of container.h.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TASKS "run/containerd/io.containerd.runtime.v2.task"
#define PID 100	   /* the container's init; 99: its parent outside, 98: a daemon */
#define LONGEST 4200 /* of a text: a name that is a cgroup's */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From 'a' on */
static const char *const files[] = {
	"proc/100/status",
	"proc/100/cgroup",
	"proc/100/mountinfo",
	"proc/99/status",
	"proc/99/cmdline",
	"proc/1/mountinfo",
	"proc/98/cmdline",
	"run/docker.pid",
	"etc/docker/daemon.json",
	"var/lib/docker/containers/" ID "/config.v2.json",
	"var/lib/docker/image/overlay2/layerdb/mounts/" ID "/mount-id",
	"run/docker/runtime-runc/moby/" ID "/state.json",
	"var/lib/containers/storage/overlay-containers/containers.json",
	"var/lib/containers/storage/libpod/bolt_state.db",
	"var/lib/containers/storage/db.sql",
	"run/containers/storage/overlay-containers/" ID "/userdata/config.json",
	TASKS "/default/web/config.json",
	TASKS "/k8s.io/" ID "/config.json",
	"run/containerd/runc/default/web/state.json",
	"var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
	"run/runc/web/state.json",
	"run/crun/web/status",
	"run/crun/web/config.json",
	"var/lib/lxc/web/config",
	"run/systemd/machines/web",
	"etc/passwd",
};
#define NFILES (sizeof(files) / sizeof(files[0]))

static char root[64];
static int tree = -1;

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void remove_tree(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	require(!system(command));
}

static void make_tree(void)
{
	char path[512];

	strcpy(root, access("/dev/shm", W_OK) ? "/tmp/cbfuzz-XXXXXX" : "/dev/shm/cbfuzz-XXXXXX");
	require(mkdtemp(root));
	atexit(remove_tree);
	tree = open(root, O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < NFILES; i++) {
		snprintf(path, sizeof(path), "%s", files[i]);
		for (char *p = path; (p = strchr(p, '/')); *p++ = '/') {
			*p = 0;
			mkdirat(tree, path, 0755);
		}
	}
}

static const uint8_t *next_part(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = memmem(at, end - at, "%%", 2);

	return p && p + 2 < end ? p : end;
}

/* Returns the cgroup's path; the caller frees. */
static char *make_files(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *at = next_part(data, end), *next;
	char *cgroup = strndup((const char *)data, at - data);

	for (size_t i = 0; i < NFILES; i++)
		unlinkat(tree, files[i], 0);
	for (; at < end; at = next) {
		size_t i = at[2] - (size_t)'a';
		int fd;

		next = next_part(at + 3, end);
		if (i >= NFILES)
			continue;
		fd = openat(tree, files[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		require(fd >= 0 && write(fd, at + 3, next - at - 3) == next - at - 3);
		close(fd);
	}
	return cgroup;
}

static void check_text(const char *s)
{
	require(s && strnlen(s, LONGEST) < LONGEST);
}

static void check(const struct cb_cont *c)
{
	size_t n = 0;

	check_text(c->id);
	check_text(c->name);
	check_text(c->image);
	check_text(c->image_id);
	check_text(c->runtime);
	check_text(c->cgroup);
	require(*c->name && *c->runtime && c->rootfs);
	for (char **l = c->label; *l; l++) {
		check_text(*l);
		require(strchr(*l, '=') && ++n <= 256);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cb_engine_hint hint;
	struct cb_conts *c;
	char *cgroup;

	if (tree < 0)
		make_tree();
	cgroup = make_files(data, size);
	cb_engine_of_path(cgroup, &hint);
	require(memchr(hint.runtime, 0, sizeof(hint.runtime)) && memchr(hint.id, 0, sizeof(hint.id)));
	c = cb_conts_new(root);
	check(cb_conts_add(c, 1, PID, cgroup, 0));
	check(cb_conts_add(c, 2, PID, "", 0));
	check(cb_conts_add(c, 3, 0, cgroup, 0));
	/* two of the three have a command line */
	for (uint32_t pid = 98; pid <= PID; pid++)
		cb_conts_soon(c, 4, pid);
	check(cb_conts_add(c, 4, 0, cgroup, 0));
	cb_conts_refresh(c);
	check(cb_conts_get(c, 1));
	cb_conts_free(c);
	free(cgroup);
	return 0;
}
