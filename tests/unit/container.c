/* SPDX-License-Identifier: GPL-2.0 */
/* Names from files laid out as each engine documents them, and from files that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <time.h>
#include "boltfile.h"
#include "container.h"
#include "tree.h"

static struct cb_conts *conts;
static uint64_t last_key;

static int setup(void **state)
{
	if (tree_new(state))
		return -1;
	conts = cb_conts_new(tree);
	return 0;
}

static int teardown(void **state)
{
	cb_conts_free(conts);
	return tree_free(state);
}

static struct cb_cont *add(uint32_t pid, const char *cgroup)
{
	return cb_conts_add(conts, ++last_key, pid, cgroup, 77);
}

static void is(const struct cb_cont *c, const char *runtime, const char *id, const char *name, const char *image)
{
	assert_string_equal(c->runtime, runtime);
	assert_string_equal(c->id, id);
	assert_string_equal(c->name, name);
	assert_string_equal(c->image, image);
}

static bool labelled(const struct cb_cont *c, const char *want)
{
	for (char **l = c->label; *l; l++)
		if (!strcmp(*l, want))
			return true;
	return false;
}

/* ---- files of the engines ---- */
static void runc_state(const char *path, unsigned pid, const char *cgroup, const char *rootfs)
{
	tree_put(path,
		 "{\"id\":\"x\",\"init_process_pid\":%u,\"cgroup_paths\":{\"\":\"/sys/fs/cgroup/unified%s\","
		 "\"memory\":\"/sys/fs/cgroup/memory%s\"},\"config\":{\"rootfs\":\"%s\",\"labels\":[\"a=b\","
		 "\"org.opencontainers.image.ref.name=img:1\",\"bundle=/b\",\"bad\",7]}}",
		 pid, cgroup, cgroup, rootfs);
}

static void docker_config(const char *root, const char *id, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/containers/%s/config.v2.json", root, id);
	tree_put(path,
		 "{\"ID\":\"%s\",\"Name\":\"/%s\",\"Image\":\"sha256:88\",\"State\":{\"Pid\":0},\"Config\":{"
		 "\"Image\":\"img:2\",\"Labels\":{\"tier\":\"db\",\"n\":5}}}",
		 id, name);
	snprintf(path, sizeof(path), "%s/image/overlay2/layerdb/mounts/%s/mount-id", root, id);
	tree_put(path, "layer1");
}

/* ---- runc, crun ---- */
static void runc(void **state)
{
	struct cb_cont *c;

	runc_state("run/runc/web/state.json", 41, "/web", "/b/rootfs");
	c = add(0, "/web");
	is(c, "runc", "web", "web", "img:1");
	assert_int_equal(c->pid, 41);
	assert_int_equal(c->since, 77);
	assert_string_equal(c->rootfs, "/b/rootfs");
	assert_string_equal(c->cgroup, "/web");
	assert_true(labelled(c, "a=b"));
	assert_false(labelled(c, "bundle=/b"));
	is(add(0, "/web/inner/deep"), "runc", "web", "web", "img:1");
	runc_state("run/runc/two/state.json", 42, "/system.slice/runc-two.scope", "/b");
	is(add(0, "/system.slice/runc-two.scope/init.scope"), "runc", "two", "two", "img:1");
	/* a path that was chosen freely */
	runc_state("run/runc/three/state.json", 43, "/a/b", "/b");
	is(add(43, "/a/b"), "runc", "three", "three", "img:1");
	/* by the process alone */
	is(add(43, "/elsewhere"), "runc", "three", "three", "img:1");
	/* the name is another's */
	is(add(0, "/x/web"), "unknown", "", "web", "");
}

static void runc_left_over(void **state)
{
	/* it crashed, and its first process's number was given again: ticks since boot tell */
	tree_put("run/runc/old/state.json",
		 "{\"init_process_pid\":41,\"init_process_start\":7001,\"cgroup_paths\":{\"\":\"/old\"}}");
	tree_put("proc/41/stat", "41 (a) b) S 1 41 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 7003 9 9\n");
	is(add(41, "/elsewhere"), "unknown", "", "elsewhere", "");
	tree_put("proc/41/stat", "41 (a) b) S 1 41 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 7001 9 9\n");
	is(add(41, "/elsewhere"), "runc", "old", "old", "");
}

static void runc_below_our_root(void **state)
{
	/* the kernel says more than what /proc does in a cgroup namespace */
	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	tree_proc(50, 1, "50\t1", "/web");
	is(add(50, "/outer/host/web"), "runc", "web", "web", "img:1");
}

static void runc_other_root(void **state)
{
	static const char *const arg[] = { "/usr/sbin/runc", "--root", "/srv/runc", "run", "web", NULL };

	runc_state("srv/runc/web/state.json", 41, "/a/b", "/b");
	tree_proc(41, 40, "41\t1", "/a/b");
	tree_proc(40, 1, "40", "/");
	tree_cmdline(40, arg);
	is(add(41, "/a/b"), "runc", "web", "web", "img:1");
}

#define FOUR(s) s s s s
#define ID_OF(digit) FOUR(FOUR(FOUR(digit)))

static int count_each(struct cb_cont *c, void *arg)
{
	(void)c;
	++*(int *)arg;
	return 0;
}

/* a container of so short a life that no file of its runtime was left to read */
static struct cb_cont *short_lived(uint64_t key, const char *const *arg)
{
	int before = 0, after = 0;

	tree_cmdline(40, arg);
	cb_conts_each(conts, count_each, &before);
	cb_conts_soon(conts, key, 40);
	cb_conts_each(conts, count_each, &after);
	assert_int_equal(before, after);
	assert_null(cb_conts_get(conts, key));
	return cb_conts_add(conts, key, 41, "/" ID_OF("1"), 77);
}

static void runc_begun(void **state)
{
	static const char *const runs[][12] = {
		{ "runc", "run", "web" },
		{ "/usr/sbin/runc", "--root", "/srv/runc", "--log", "/l", "create", "--bundle", "/b", "--pid-file", "/p", "web" },
		{ "./runc", "restore", "-d", "web" },
		{ "runc", "-log", "run", "--criu=c", "--log-format", "", "run", "--", "web" },
		{ "runc", "--debug", "--rootless", "auto", "create", "-bundle", "run", "--preserve-fds", "3", "web" },
	};
	static const char *const none[][12] = {
		{ "runc", "run" }, { "runc", "web" }, { "runc" }, { "", "run", "web" }, { "runc", "exec", "web", "sh" },
		{ "runc", "exec", "web", "run", "it" }, { "runc", "exec", "-e", "A=1", "run", "create", "web" },
		{ "runc", "--log", "run", "exec", "web", "sh" }, { "runc", "run", "--pid-file", "web" }, { "runc", "--root" },
		{ "runc", "delete", "web" }, { "crunch", "run", "web" }, { "sh", "-c", "runc", "run", "web" },
		{ "runc", "run", "../web" }, { "runc", "run", "a/b" }, { "runc", "run", ".." }, { "runc", "run", "" },
		{ "runc", "run", "--help" },
		/* the engine's own id: the engine tells more */
		{ "runc", "run", ID_OF("1") },
	};
	/* crun takes options behind the name, too */
	static const char *const cruns[][12] = {
		{ "/usr/bin/crun", "run", "web" },
		{ "crun", "--cgroup-manager", "disabled", "run", "web", "-d", "--pid-file=p", "-f", "c", "-b", "bundle" },
	};
	uint64_t key = 1000;
	struct cb_cont *c;

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		is(short_lived(++key, runs[i]), "runc", "web", "web", "");
	for (size_t i = 0; i < sizeof(cruns) / sizeof(cruns[0]); i++)
		is(short_lived(++key, cruns[i]), "crun", "web", "web", "");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		is(short_lived(++key, none[i]), "unknown", "", ID_OF("1"), "");
	/* only of that container, and of a process that is there */
	cb_conts_soon(conts, 2000, 40);
	is(cb_conts_add(conts, 2001, 41, "/" ID_OF("2"), 77), "unknown", "", ID_OF("2"), "");
	cb_conts_soon(conts, 2002, 39);
	is(cb_conts_add(conts, 2002, 41, "/" ID_OF("2"), 77), "unknown", "", ID_OF("2"), "");
	/* what a file tells comes first, and comes later too */
	runc_state("run/runc/web/state.json", 42, "/" ID_OF("3"), "/b");
	tree_cmdline(40, runs[0]);
	cb_conts_soon(conts, 3000, 40);
	is(cb_conts_add(conts, 3000, 42, "/" ID_OF("3"), 77), "runc", "web", "web", "img:1");
	unlink(tree_path("run/runc/web/state.json"));
	cb_conts_soon(conts, 3001, 40);
	c = cb_conts_add(conts, 3001, 43, "/" ID_OF("4"), 77);
	is(c, "runc", "web", "web", "");
	runc_state("run/runc/web/state.json", 43, "/" ID_OF("4"), "/b");
	cb_conts_refresh(conts);
	is(c, "runc", "web", "web", "img:1");
	/* it ends, and what was known stays */
	unlink(tree_path("run/runc/web/state.json"));
	is(cb_conts_add(conts, 3001, 43, "/" ID_OF("4"), 77), "runc", "web", "web", "img:1");
}

/* Any name of a few letters may be among the digits of a cgroup. */
static void begun_in_digits(void **state)
{
	static const char *const name[] = { "1", "11", "a", "run" };
	const char *arg[] = { "runc", "run", NULL, NULL };
	struct cb_cont *c;

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		arg[2] = name[i];
		is(short_lived(6000 + i, arg), "runc", name[i], name[i], "");
	}
	/* an engine's id that is not this container's */
	arg[2] = ID_OF("a");
	is(short_lived(6100, arg), "runc", ID_OF("a"), ID_OF("a"), "");
	/* and one that is, whatever is around it */
	tree_cmdline(40, arg);
	cb_conts_soon(conts, 6101, 40);
	c = cb_conts_add(conts, 6101, 41, "/x/some-" ID_OF("a") ".scope", 77);
	is(c, "unknown", "", "some-" ID_OF("a") ".scope", "");
}

/* A runtime puts its child there more than once, and one may have failed there before. */
static void begun_anew(void **state)
{
	static const char *const first[] = { "runc", "run", "first", NULL }, *const second[] = { "runc", "run", "second", NULL };

	tree_cmdline(40, first);
	cb_conts_soon(conts, 7001, 40);
	for (int i = 0; i < 101; i++)
		cb_conts_soon(conts, 7000, 40);
	tree_cmdline(40, second);
	cb_conts_soon(conts, 7000, 40);
	is(cb_conts_add(conts, 7000, 41, "/" ID_OF("1"), 77), "runc", "second", "second", "");
	is(cb_conts_add(conts, 7001, 42, "/" ID_OF("2"), 77), "runc", "first", "first", "");
}

static void begun_bounded(void **state)
{
	const char *arg[] = { "runc", "run", NULL, NULL };
	char name[16];

	for (unsigned i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		arg[2] = name;
		tree_cmdline(40, arg);
		cb_conts_soon(conts, 5000 + i, 40);
	}
	is(cb_conts_add(conts, 5000 + 101 - 65, 41, "/" ID_OF("1"), 77), "unknown", "", ID_OF("1"), "");
	is(cb_conts_add(conts, 5000 + 101 - 64, 41, "/" ID_OF("2"), 77), "runc", "n37", "n37", "");
	is(cb_conts_add(conts, 5100, 41, "/" ID_OF("3"), 77), "runc", "n100", "n100", "");
}

static void crun(void **state)
{
	struct cb_cont *c;

	tree_put("run/crun/web/status", "{\"pid\":41,\"cgroup-path\":\"/system.slice/crun-web.scope\","
					"\"rootfs\":\"rootfs\",\"bundle\":\"/b\"}");
	tree_put("run/crun/web/config.json", "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"img:3\"}}");
	c = add(0, "/system.slice/crun-web.scope/container");
	is(c, "crun", "web", "web", "img:3");
	assert_string_equal(c->rootfs, "/b/rootfs");
	assert_int_equal(c->pid, 41);
}

/* its program runs before the state is written */
static void crun_starts(void **state)
{
	struct cb_cont *c;

	tree_put("run/crun/web/config.json", "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"img:3\"}}");
	tree_put("run/crun/own/config.json", "{\"linux\":{\"cgroupsPath\":\"/a/own\"}}");
	c = add(0, "/web");
	is(c, "crun", "web", "web", "img:3");
	assert_int_equal(c->pid, 0);
	is(add(0, "/a/own"), "crun", "own", "own", "");
	is(add(0, "/b/own"), "unknown", "", "own", "");
	tree_put("run/crun/web/status", "{\"pid\":41,\"cgroup-path\":\"/web\",\"rootfs\":\"/b/rootfs\"}");
	cb_conts_refresh(conts);
	is(c, "crun", "web", "web", "img:3");
	assert_string_equal(c->rootfs, "/b/rootfs");
}

/* ---- docker ---- */
static void docker(void **state)
{
	struct cb_cont *c;

	docker_config("var/lib/docker", ID1, "db-1");
	c = add(9, "/docker/" ID1);
	is(c, "docker", ID1, "db-1", "img:2");
	assert_string_equal(c->image_id, "sha256:88");
	assert_string_equal(c->rootfs, "/var/lib/docker/overlay2/layer1/merged");
	assert_true(labelled(c, "tier=db"));
	assert_null(c->label[1]);
	assert_int_equal(c->pid, 9);
	is(add(0, "/system.slice/docker-" ID1 ".scope/x"), "docker", ID1, "db-1", "img:2");
	is(add(0, "/my/parent/" ID1), "docker", ID1, "db-1", "img:2");
	is(add(0, "/docker/" ID2), "unknown", "", ID2, "");
}

static void docker_roots(void **state)
{
	static const char *const arg[] = { "dockerd", "--data-root", "/srv/one", "--exec-root=/run/one", NULL };

	tree_put("run/docker.pid", "70");
	tree_cmdline(70, arg);
	docker_config("srv/one", ID1, "one");
	runc_state("run/one/runtime-runc/moby/" ID1 "/state.json", 41, "/docker/" ID1, "/merged");
	is(add(0, "/docker/" ID1), "docker", ID1, "one", "img:2");
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs, "/merged");
	/* the state is another cgroup's */
	is(add(0, "/user.slice/docker/" ID1), "unknown", "", ID1, "");
}

static void docker_json_root(void **state)
{
	tree_put("etc/docker/daemon.json", "{\"data-root\":\"/srv/two\"}");
	docker_config("srv/two", ID1, "two");
	is(add(0, "/docker/" ID1), "docker", ID1, "two", "img:2");
}

static void docker_mounted_root(void **state)
{
	/* the daemon's file system is mounted at /mnt/d on the host */
	tree_put("proc/1/mountinfo", "20 1 8:1 / / rw - ext4 /dev/a rw\n21 20 8:2 /sub /mnt/d\\040d rw - ext4 /dev/b rw\n");
	tree_put("proc/41/mountinfo", "30 20 0:99 / / rw - overlay overlay rw\n"
				      "31 30 8:2 /sub/dock/containers/" ID1 "/hosts /etc/hosts rw - ext4 /dev/b rw\n");
	docker_config("mnt/d d/dock", ID1, "three");
	is(add(41, "/docker/" ID1), "docker", ID1, "three", "img:2");
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs, "/mnt/d d/dock/overlay2/layer1/merged");
	/* out of its cgroup: the process must be the one that runc started */
	is(add(41, "/elsewhere"), "unknown", "", "elsewhere", "");
	runc_state("run/docker/runtime-runc/moby/" ID1 "/state.json", 41, "/docker/" ID1, "/merged");
	is(add(41, "/elsewhere"), "docker", ID1, "three", "img:2");
}

static void renamed(void **state)
{
	const struct timespec times[2] = { { 1, 0 }, { 12345, 0 } };
	struct cb_cont *c;

	docker_config("var/lib/docker", ID1, "old");
	c = add(0, "/docker/" ID1);
	docker_config("var/lib/docker", ID1, "new");
	utimensat(AT_FDCWD, tree_path("var/lib/docker/containers/" ID1 "/config.v2.json"), times, 0);
	is(c, "docker", ID1, "old", "img:2");
	cb_conts_refresh(conts);
	is(c, "docker", ID1, "new", "img:2");
	/* removed: what was known stays */
	unlink(tree_path("var/lib/docker/containers/" ID1 "/config.v2.json"));
	cb_conts_refresh(conts);
	is(c, "docker", ID1, "new", "img:2");
}

/* ---- podman, CRI-O ---- */
static void storage(const char *dir, const char *driver)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s-containers/containers.json", dir, driver);
	tree_put(path,
		 "[{\"id\":\"" ID2 "\",\"names\":[\"no\"]},{\"id\":\"" ID1 "\",\"names\":[\"pod-1\"],\"image\":\"99\","
		 "\"metadata\":\"{\\\"image-name\\\":\\\"img:4\\\",\\\"name\\\":\\\"pod-1\\\"}\"}]");
}

/* A user's, also when the test runs as root. */
static unsigned user(void)
{
	return geteuid() ? geteuid() : 1234;
}

/* Files in root's folders are believed when they are root's. */
static void needs_root(void)
{
	if (geteuid())
		skip();
}

static void give(const char *path)
{
	assert_int_equal(chown(tree_path(path), user(), -1), 0);
}

static void podman(void **state)
{
	needs_root();
	storage("var/lib/containers/storage", "overlay");
	runc_state("run/runc/" ID1 "/state.json", 41, "/machine.slice/libpod-" ID1 ".scope", "/merged");
	is(add(0, "/machine.slice/libpod-" ID1 ".scope"), "podman", ID1, "pod-1", "img:4");
	assert_string_equal(cb_conts_get(conts, last_key)->image_id, "99");
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs, "/merged");
	is(add(0, "/machine.slice/libpod-conmon-" ID1 ".scope"), "unknown", "", "libpod-conmon-" ID1 ".scope", "");
	is(add(0, "/user.slice/libpod-" ID1 ".scope"), "unknown", "", "libpod-" ID1 ".scope", "");
}

static void conmon(unsigned pid, const char *bundle)
{
	const char *const arg[] = { "/usr/bin/conmon", "--api-version", "1", "-c", ID1, "-u", ID1, "-b", bundle, "-n",
				    "pod-1", "--exit-command", "/usr/bin/podman", NULL };

	tree_cmdline(pid, arg);
	tree_proc(pid, 1, "40", "/");
	give("proc/40");
}

static void podman_rootless(void **state)
{
	/* no cgroup: the parent tells; its child's child is asked for */
	conmon(40, "/home/u/.local/share/containers/storage/vfs-containers/" ID1 "/userdata");
	storage("home/u/.local/share/containers/storage", "vfs");
	tree_proc(41, 40, "41\t1", "/");
	give("home/u/.local/share/containers/storage/vfs-containers/containers.json");
	tree_proc(42, 41, "42\t2", "/");
	is(add(42, ""), "podman", ID1, "pod-1", "img:4");
	assert_string_equal(cb_conts_get(conts, last_key)->cgroup, "");
	if (!geteuid()) { /* root's own storage is not what a user's conmon may speak for */
		assert_int_equal(chown(tree_path("home/u/.local/share/containers/storage/vfs-containers/"
						 "containers.json"), 0, 0), 0);
		is(add(42, ""), "podman", ID1, "pod-1", "");
	}
	/* a storage that cannot be read costs the image only */
	unlink(tree_path("home/u/.local/share/containers/storage/vfs-containers/containers.json"));
	is(add(42, "/"), "podman", ID1, "pod-1", "");
	/* a process inside that calls itself conmon says nothing */
	tree_proc(41, 1, "41\t1", "/");
	is(add(42, "/"), "unknown", "", "pid:42", "");
}

static void podman_links(void **state)
{
	conmon(40, "/home/u/.local/share/containers/storage/vfs-containers/" ID1 "/userdata");
	storage("home/root-only/containers/storage", "vfs");
	give("home/root-only/containers/storage/vfs-containers/containers.json");
	tree_proc(41, 40, "41\t1", "/");
	assert_int_equal(symlink("../../root-only", tree_path("home/u/.local/share")), 0);
	is(add(41, "/"), "podman", ID1, "pod-1", "");
}

static void podman_mounts(void **state)
{
	needs_root();
	tree_put("proc/1/mountinfo", "20 1 8:1 / / rw - ext4 /dev/a rw\n21 20 0:5 / /run rw - tmpfs t rw\n");
	tree_put("proc/41/mountinfo",
		 "31 30 0:5 /containers/storage/overlay-containers/" ID1 "/userdata/hosts /etc/hosts rw - tmpfs t rw\n");
	tree_put("proc/42/mountinfo",
		 "31 30 8:1 /srv/run/containers/storage/overlay-containers/" ID1 "/userdata/hosts /etc/hosts rw - x y rw\n");
	storage("var/lib/containers/storage", "overlay");
	is(add(41, "/"), "podman", ID1, "pod-1", "img:4");
	/* a volume laid out like podman's folder */
	is(add(42, "/"), "unknown", "", "pid:42", "");
	/* a user's */
	tree_put("etc/passwd", "root:x:0:0::/root:/bin/sh\nu:x:%u:0::/home/u:/bin/sh\n", user());
	tree_put("proc/43/mountinfo",
		 "31 30 0:5 /user/%u/containers/vfs-containers/" ID1 "/userdata/hosts /etc/hosts rw - tmpfs t rw\n",
		 user());
	storage("home/u/.local/share/containers/storage", "vfs");
	give("home/u/.local/share/containers/storage/vfs-containers/containers.json");
	is(add(43, "/"), "podman", ID1, "pod-1", "img:4");
}

/* podman's own database: bolt as podman 4 has it, or sqlite as 5 has it; label may be NULL: not this container. */
static void libpod_bolt(const char *dir, const char *label)
{
	struct bolt_file *f = bolt_new();
	unsigned char v[2][16];
	char config[512], path[512];
	uint64_t root;

	snprintf(config, sizeof(config), "{\"id\":\"%s\",\"name\":\"pod-1\",\"labels\":{\"tier\":\"%s\"}}", ID1, label);
	root = bolt_add(f, (struct bolt_item[]){ { "config", config, strlen(config), 0 }, { 0 } });
	root = bolt_add(f, (struct bolt_item[]){ bolt_bucket(label ? ID1 : ID2, root, v[0]), { 0 } });
	root = bolt_add(f, (struct bolt_item[]){ { "a", "", 0, 0 }, bolt_bucket("ctr", root, v[1]), { 0 } });
	bolt_meta(f, 0, root, 2);
	snprintf(path, sizeof(path), "%s/libpod/bolt_state.db", dir);
	tree_bytes(path, f->s, f->used * BOLT_PAGE);
	free(f);
}

static void libpod_sql(const char *file, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(tree_path(file), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define CONFIG_TABLE \
	"CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, PodID TEXT, JSON TEXT NOT NULL);"
#define CONFIG_ROW(id, label) "INSERT INTO ContainerConfig VALUES('" id "', 'n" id "', NULL, '{\"id\":\"" id "\"," \
			      "\"labels\":{\"tier\":\"" label "\",\"n\":5}}');"

/* A new one each time: labels are looked up with the rest. */
static bool pod_labelled(const char *want)
{
	struct cb_cont *c = add(0, "/machine.slice/libpod-" ID1 ".scope");

	is(c, "podman", ID1, "pod-1", "img:4");
	return want ? labelled(c, want) : !c->label[0];
}

static void podman_labels(void **state)
{
	static const char dir[] = "var/lib/containers/storage";
	char sqlfile[64];

	needs_root();
	storage(dir, "overlay");
	assert_true(pod_labelled(NULL));
	libpod_bolt(dir, "old");
	assert_true(pod_labelled("tier=old"));
	libpod_bolt(dir, NULL);
	assert_true(pod_labelled(NULL));
	/* in either folder */
	libpod_sql("var/lib/containers/storage/libpod/db.sql", CONFIG_TABLE CONFIG_ROW(ID2, "no") CONFIG_ROW(ID1, "below"));
	assert_true(pod_labelled("tier=below"));
	libpod_sql("var/lib/containers/storage/db.sql", "PRAGMA journal_mode = WAL;" CONFIG_TABLE CONFIG_ROW(ID1, "top"));
	assert_true(pod_labelled("tier=top"));
	assert_true(pod_labelled("tier=top"));
	/* written anew: what was kept is not used */
	libpod_sql("var/lib/containers/storage/db.sql", "UPDATE ContainerConfig SET JSON = replace(JSON, 'top', 'new1')");
	assert_true(pod_labelled("tier=new1"));
	/* another user's: may not speak for root's containers */
	snprintf(sqlfile, sizeof(sqlfile), "%s/db.sql", dir);
	give(sqlfile);
	assert_true(pod_labelled("tier=below"));
}

static void podman_bad_database(void **state)
{
	static const char file[] = "var/lib/containers/storage/libpod/db.sql";
	char *noise = malloc(100003);

	needs_root();
	storage("var/lib/containers/storage", "overlay");
	/* a view that never ends, in the table's place */
	libpod_sql(file, "CREATE VIEW ContainerConfig AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
			 "SELECT 'x' AS ID, 'x' AS JSON FROM c WHERE i < 0");
	assert_true(pod_labelled(NULL));
	unlink(tree_path(file));
	libpod_sql(file, CONFIG_TABLE "INSERT INTO ContainerConfig VALUES('" ID1 "', 'a', NULL, '{\"id\":\"" ID2 "\","
				      "\"labels\":{\"tier\":\"other\"}}')");
	assert_true(pod_labelled(NULL));
	for (unsigned i = 0; i < 100003; i++)
		noise[i] = i * i >> 3;
	tree_bytes(file, noise, 100003);
	assert_true(pod_labelled(NULL));
	memcpy(noise, "SQLite format 3", 16);
	tree_bytes(file, noise, 100003);
	tree_bytes("var/lib/containers/storage/libpod/bolt_state.db", noise, 100003);
	assert_true(pod_labelled(NULL));
	tree_bytes(file, "x", 1);
	assert_true(pod_labelled(NULL));
	free(noise);
}

static void podman_rootless_labels(void **state)
{
	static const char dir[] = "home/u/.local/share/containers/storage";
	struct cb_cont *c;

	conmon(40, "/home/u/.local/share/containers/storage/vfs-containers/" ID1 "/userdata");
	storage(dir, "vfs");
	give("home/u/.local/share/containers/storage/vfs-containers/containers.json");
	libpod_bolt(dir, "mine");
	give("home/u/.local/share/containers/storage/libpod/bolt_state.db");
	tree_proc(41, 40, "41\t1", "/");
	c = add(41, "");
	is(c, "podman", ID1, "pod-1", "img:4");
	assert_true(labelled(c, "tier=mine"));
	libpod_sql("home/u/.local/share/containers/storage/db.sql", CONFIG_TABLE CONFIG_ROW(ID1, "sql"));
	give("home/u/.local/share/containers/storage/db.sql");
	assert_true(labelled(add(41, ""), "tier=sql"));
	/* v2 with systemd: by the cgroup, whose init the conmon watches over */
	c = add(41, "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1 ".scope/container");
	is(c, "podman", ID1, "pod-1", "img:4");
	assert_true(labelled(c, "tier=sql"));
}

static void podman_renamed(void **state)
{
	static const char file[] = "var/lib/containers/storage/overlay-containers/containers.json";
	const struct timespec times[2] = { { 1, 0 }, { 12345, 0 } };
	struct cb_cont *c;

	needs_root();
	storage("var/lib/containers/storage", "overlay");
	c = add(0, "/libpod_parent/libpod-" ID1);
	is(c, "podman", ID1, "pod-1", "img:4");
	tree_put(file, "[{\"id\":\"" ID1 "\",\"names\":[\"new\"],\"image\":\"99\",\"metadata\":\"{\\\"image-name\\\":"
		       "\\\"img:4\\\",\\\"name\\\":\\\"pod-1\\\"}\"}]");
	utimensat(AT_FDCWD, tree_path(file), times, 0);
	is(c, "podman", ID1, "pod-1", "img:4");
	cb_conts_refresh(conts);
	is(c, "podman", ID1, "new", "img:4");
	is(add(0, "/libpod_parent/libpod-" ID1), "podman", ID1, "new", "img:4");
}

static void crio(void **state)
{
	struct cb_cont *c;

	tree_put("run/containers/storage/overlay-containers/" ID1 "/userdata/config.json",
		 "{\"annotations\":{\"io.kubernetes.cri-o.ContainerID\":\"" ID1 "\","
		 "\"io.kubernetes.cri-o.ContainerName\":\"k8s_web_pod\",\"io.kubernetes.cri-o.ImageName\":\"img:5\","
		 "\"io.kubernetes.cri-o.Image\":\"55\",\"io.kubernetes.cri-o.Labels\":\"{\\\"app\\\":\\\"w\\\"}\"}}");
	is(add(0, "/kubepods.slice/crio-" ID1 ".scope/container"), "crio", ID1, "k8s_web_pod", "img:5");
	assert_string_equal(cb_conts_get(conts, last_key)->image_id, "55");
	assert_true(labelled(cb_conts_get(conts, last_key), "app=w"));
	is(add(0, "/kubepods/burstable/pod1/crio-" ID1), "crio", ID1, "k8s_web_pod", "img:5");
	is(add(0, "/x/crio-conmon-" ID1), "unknown", "", "crio-conmon-" ID1, "");
	is(add(0, "/x/crio-" ID2), "unknown", "", "crio-" ID2, "");
	/* by the runtime's state */
	runc_state("run/runc/" ID1 "/state.json", 41, "/elsewhere", "/merged");
	is(add(0, "/x/crio-" ID1), "unknown", "", "crio-" ID1, "");
	/* newer: asked for one image, got another name; the pod's own container */
	tree_put("run/containers/storage/overlay-containers/" ID2 "/userdata/config.json",
		 "{\"annotations\":{\"io.kubernetes.cri-o.ContainerID\":\"" ID2 "\",\"io.kubernetes.container.name\":\"POD\","
		 "\"io.kubernetes.cri-o.ContainerType\":\"sandbox\",\"io.kubernetes.cri-o.KubeName\":\"mypod\","
		 "\"io.kubernetes.cri-o.Image\":\"asked:1\",\"io.kubernetes.cri-o.ImageRef\":\"66\","
		 "\"io.kubernetes.cri-o.Labels\":\"not JSON\"}}");
	c = add(0, "/kubepods.slice/crio-" ID2 ".scope");
	is(c, "crio", ID2, "mypod", "asked:1");
	assert_string_equal(c->image_id, "66");
	assert_null(c->label[0]);
}

/* ---- containerd ---- */
#define TASKS "run/containerd/io.containerd.runtime.v2.task"

static void containerd(void **state)
{
	tree_put(TASKS "/cb/web/config.json", "{\"annotations\":{\"who\":\"me\"},\"root\":{\"path\":\"rootfs\"}}");
	is(add(0, "/cb/web"), "containerd", "web", "web", "");
	assert_true(labelled(cb_conts_get(conts, last_key), "who=me"));
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs,
			    "/run/containerd/io.containerd.runtime.v2.task/cb/web/rootfs");
	is(add(0, "/other/web"), "unknown", "", "web", "");
	tree_put(TASKS "/k8s.io/" ID1 "/config.json",
		 "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"c\","
		 "\"io.kubernetes.cri.image-name\":\"img:6\"},\"root\":{\"path\":\"rootfs\"}}");
	is(add(0, "/kubepods.slice/cri-containerd-" ID1 ".scope"), "containerd", ID1, "c", "img:6");
	is(add(0, "/system.slice/kubepods.slice:cri-containerd:" ID1), "containerd", ID1, "c", "img:6");
	is(add(0, "/kubepods/pod1/" ID1), "containerd", ID1, "c", "img:6");
	tree_put(TASKS "/default/" ID2 "/config.json", "{\"annotations\":{\"nerdctl/name\":\"n\"}}");
	is(add(0, "/system.slice/nerdctl-" ID2 ".scope"), "containerd", ID2, "n", "");
	is(add(0, "/default/" ID2), "containerd", ID2, "n", "");
	/* its runc says that it is elsewhere */
	runc_state("run/containerd/runc/cb/web/state.json", 41, "/somewhere", "/x");
	is(add(0, "/cb/web"), "unknown", "", "web", "");
}

/* What the daemon keeps of NS/ID; image NULL: nothing. given: when the name came to its image; the container is of 5 */
static void meta_db(const char *root, const char *ns, const char *id, const char *image, char given)
{
	struct bolt_file *f = bolt_new();
	unsigned char v[8][16], labels[256], target[256];
	char time[15] = { 1 }, since[15] = { 1 }, path[512];
	const struct bolt_item no = { 0 }, label[] = { { "nerdctl/name", "new", 3, 0 }, { "tier", "db", 2, 0 }, no },
			       digest[] = { { "digest", "sha256:77", 9, 0 }, no };
	uint64_t one, images, conts, top;

	time[8] = 5;
	since[8] = given;
	one = bolt_add(f, (struct bolt_item[]){ { "createdat", time, 15, 0 },
						{ "image", image, strlen(image), 0 },
						bolt_inline("labels", label, labels),
						no });
	conts = bolt_add(f, (struct bolt_item[]){ bolt_bucket(id, one, v[0]), no });
	one = bolt_add(f, (struct bolt_item[]){ bolt_inline("target", digest, target), { "updatedat", since, 15, 0 }, no });
	images = bolt_add(f, (struct bolt_item[]){ bolt_bucket(image, one, v[1]), no });
	top = bolt_add(f, (struct bolt_item[]){ bolt_bucket("containers", conts, v[2]),
						bolt_bucket("images", images, v[3]),
						no });
	top = bolt_add(f, (struct bolt_item[]){ bolt_bucket(ns, top, v[4]), { "version", "", 0, 0 }, no });
	top = bolt_add(f, (struct bolt_item[]){ bolt_bucket("v1", top, v[5]), no });
	bolt_meta(f, 1, top, 3);
	snprintf(path, sizeof(path), "%s/io.containerd.metadata.v1.bolt/meta.db", root);
	tree_bytes(path, f->s, f->used * BOLT_PAGE);
	free(f);
}

static void containerd_meta(void **state)
{
	struct cb_cont *c;

	tree_put(TASKS "/cb/web/config.json",
		 "{\"annotations\":{\"who\":\"me\",\"tier\":\"no\"},\"root\":{\"path\":\"rootfs\"}}");
	meta_db("var/lib/containerd", "cb", "web", "docker.io/img:7", 4);
	c = add(0, "/cb/web");
	is(c, "containerd", "web", "new", "docker.io/img:7");
	assert_string_equal(c->image_id, "sha256:77");
	assert_true(labelled(c, "who=me"));
	assert_true(labelled(c, "tier=db"));
	assert_false(labelled(c, "tier=no"));
	/* the name was given to another image since */
	meta_db("var/lib/containerd", "cb", "web", "docker.io/img:7", 6);
	c = add(0, "/cb/web");
	is(c, "containerd", "web", "new", "docker.io/img:7");
	assert_string_equal(c->image_id, "");
	/* the daemon's data are elsewhere: the bundle says where */
	assert_int_equal(symlink("/srv/data/io.containerd.runtime.v2.task/cb/web", tree_path(TASKS "/cb/web/work")), 0);
	is(add(0, "/cb/web"), "containerd", "web", "web", "");
	meta_db("srv/data", "cb", "web", "img:8", 4);
	is(add(0, "/cb/web"), "containerd", "web", "new", "img:8");
	/* nerdctl: renamed; CRI: its annotation is the name that was asked for */
	tree_put(TASKS "/default/" ID1 "/config.json", "{\"annotations\":{\"nerdctl/name\":\"old\"}}");
	meta_db("var/lib/containerd", "default", ID1, "img:9", 4);
	is(add(0, "/system.slice/nerdctl-" ID1 ".scope"), "containerd", ID1, "new", "img:9");
	tree_put(TASKS "/default/" ID1 "/config.json", "{\"annotations\":{\"io.kubernetes.cri.image-name\":\"asked\"}}");
	is(add(0, "/default/" ID1), "containerd", ID1, "new", "asked");
	/* broken or gone: the bundle is enough */
	tree_bytes("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "torn", 4);
	is(add(0, "/default/" ID1), "containerd", ID1, ID1, "asked");
}

static void shim(void **state)
{
	static const char *const arg[] = { "/usr/bin/containerd-shim-runc-v2", "-namespace", "cb", "-id", "web",
					   "-address", "/srv/ctd/containerd.sock", NULL };

	needs_root();
	tree_put("srv/ctd/io.containerd.runtime.v2.task/cb/web/config.json", "{\"annotations\":{}}");
	tree_cmdline(40, arg);
	tree_proc(40, 1, "40", "/");
	tree_proc(41, 40, "41\t1", "/chosen");
	is(add(41, "/chosen"), "containerd", "web", "web", "");
	/* the socket is not where the state is */
	tree_put("run/ctd/state/io.containerd.runtime.v2.task/cb/web/config.json",
		 "{\"annotations\":{\"nerdctl/name\":\"two\"}}");
	assert_int_equal(symlink("/run/ctd/state/io.containerd.runtime.v2.task/cb/web", tree_path("proc/40/cwd")), 0);
	is(add(41, "/chosen"), "containerd", "web", "two", "");
	/* a user's program of that name */
	give("proc/40");
	is(add(41, "/chosen"), "unknown", "", "chosen", "");
}

/* ---- LXC, nspawn ---- */
static void lxc(void **state)
{
	needs_root();
	tree_put("var/lib/lxc/web/config", "# web\nlxc.uts.name = web\nlxc.rootfs.path = dir:/srv/web\n");
	is(add(0, "/lxc.payload.web"), "lxc", "web", "web", "");
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs, "/srv/web");
	is(add(0, "/lxc.payload.web/.lxc"), "lxc", "web", "web", "");
	is(add(0, "/lxc.payload.web-1"), "lxc", "web", "web", "");
	is(add(0, "/lxc/web/init.scope"), "lxc", "web", "web", "");
	is(add(0, "/lxc.payload.nobody"), "unknown", "", "lxc.payload.nobody", "");
	is(add(0, "/lxc.monitor.web"), "unknown", "", "lxc.monitor.web", "");
}

static void lxc_monitor(void **state)
{
	static const char *const arg[] = { "[lxc monitor] /srv/lxc web", NULL };

	tree_put("srv/lxc/web/config", "lxc.rootfs.path=/srv/web\n");
	tree_cmdline(40, arg);
	tree_proc(40, 1, "40", "/lxc.monitor.web");
	tree_proc(41, 40, "41\t1", "/lxc.payload.web");
	is(add(41, "/lxc.payload.web"), "lxc", "web", "web", "");
}

static void nspawn(void **state)
{
	static const char *const arg[] = { "systemd-nspawn", "-q", "--directory=/srv/deb", NULL };

	tree_cmdline(40, arg);
	tree_proc(40, 1, "40", "/supervisor");
	tree_proc(41, 40, "41\t1", "/payload");
	is(add(41, "/payload"), "nspawn", "deb", "deb", "/srv/deb");
	assert_string_equal(cb_conts_get(conts, last_key)->rootfs, "/srv/deb");
	tree_put("run/systemd/machines/my-web", "# x\nNAME=my-web\nROOT=/srv/web\n");
	is(add(0, "/machine.slice/machine-my\\x2dweb.scope/payload"), "nspawn", "my-web", "my-web", "/srv/web");
	is(add(0, "/machine.slice/no.scope/payload"), "unknown", "", "payload", "");
	is(add(0, "/payload"), "unknown", "", "payload", "");
}

/* ---- every place where an engine puts a container, with all that it tells ---- */
#define CONTAINERD_TASK(ns, id) TASKS "/" ns "/" id "/config.json"
#define NERDCTL "{\"annotations\":{\"nerdctl/name\":\"old\",\"nerdctl/namespace\":\"default\"}}"
#define CRI "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"web\",\"io.kubernetes.cri.image-name\":\"img:6\"," \
	    "\"io.kubernetes.cri.container-type\":\"container\",\"tier\":\"db\"}}"
#define CRIO "{\"annotations\":{\"io.kubernetes.cri-o.ContainerID\":\"" ID1 "\",\"io.kubernetes.container.name\":\"web\"," \
	     "\"io.kubernetes.cri-o.ImageName\":\"img:5\",\"io.kubernetes.cri-o.Labels\":\"{\\\"tier\\\":\\\"db\\\"}\"}}"
#define CRIO_FILE "run/containers/storage/overlay-containers/" ID1 "/userdata/config.json"
#define CRUN "{\"pid\":41,\"cgroup-path\":\"%s\",\"rootfs\":\"/b\"}"
#define CRUN_CONFIG "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"img:1\",\"tier\":\"db\"}}"

static void put_docker(const char *cgroup)
{
	docker_config("var/lib/docker", ID1, "web");
}

static void put_ctr(const char *cgroup)
{
	tree_put(CONTAINERD_TASK("ns", "web"), "{\"annotations\":{\"who\":\"me\"}}");
	meta_db("var/lib/containerd", "ns", "web", "img:7", 4);
}

static void put_cri(const char *cgroup)
{
	tree_put(CONTAINERD_TASK("k8s.io", ID1), CRI);
}

static void put_nerdctl(const char *cgroup)
{
	tree_put(CONTAINERD_TASK("default", ID1), NERDCTL);
	meta_db("var/lib/containerd", "default", ID1, "img:7", 4);
}

static void put_podman(const char *cgroup)
{
	storage("var/lib/containers/storage", "overlay");
	libpod_bolt("var/lib/containers/storage", "db");
}

static void put_crio(const char *cgroup)
{
	tree_put(CRIO_FILE, CRIO);
}

static void put_runc(const char *cgroup)
{
	runc_state("run/runc/web/state.json", 41, cgroup, "/b");
}

static void put_crun(const char *cgroup)
{
	tree_put("run/crun/web/status", CRUN, cgroup);
	tree_put("run/crun/web/config.json", CRUN_CONFIG);
}

static void put_buildah(const char *cgroup)
{
	runc_state("run/runc/buildah-buildah7/state.json", 41, cgroup, "/b");
}

static void put_lxc(const char *cgroup)
{
	tree_put("var/lib/lxc/web/config", "lxc.rootfs.path = dir:/b\n");
}

static void put_nspawn(const char *cgroup)
{
	tree_put("run/systemd/machines/web", "NAME=web\nROOT=/srv/web\n");
}

static const struct {
	void (*put)(const char *cgroup);
	const char *cgroup, *runtime, *id, *name, *image, *label;
} layout[] = {
	{ put_docker, "/docker/" ID1, "docker", ID1, "web", "img:2", "tier=db" },
	{ put_docker, "/system.slice/docker-" ID1 ".scope", "docker", ID1, "web", "img:2", "tier=db" },
	{ put_docker, "/my.slice/docker-" ID1 ".scope", "docker", ID1, "web", "img:2", "tier=db" },
	{ put_docker, "/parent/" ID1, "docker", ID1, "web", "img:2", "tier=db" },
	{ put_ctr, "/ns/web", "containerd", "web", "new", "img:7", "tier=db" },
	{ put_cri, "/kubepods/burstable/pod1/" ID1, "containerd", ID1, "web", "img:6", "tier=db" },
	{ put_cri, "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID1 ".scope",
	  "containerd", ID1, "web", "img:6", "tier=db" },
	{ put_cri, "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID1,
	  "containerd", ID1, "web", "img:6", "tier=db" },
	{ put_nerdctl, "/default/" ID1, "containerd", ID1, "new", "img:7", "tier=db" },
	{ put_nerdctl, "/system.slice/nerdctl-" ID1 ".scope", "containerd", ID1, "new", "img:7", "tier=db" },
	{ put_podman, "/libpod_parent/libpod-" ID1, "podman", ID1, "pod-1", "img:4", "tier=db" },
	{ put_podman, "/machine.slice/libpod-" ID1 ".scope", "podman", ID1, "pod-1", "img:4", "tier=db" },
	{ put_podman, "/machine.slice/libpod-" ID1 ".scope/container", "podman", ID1, "pod-1", "img:4", "tier=db" },
	{ put_podman, "/system.slice/web.service/libpod-payload-" ID1, "podman", ID1, "pod-1", "img:4", "tier=db" },
	{ put_crio, "/kubepods/pod1/crio-" ID1, "crio", ID1, "web", "img:5", "tier=db" },
	{ put_crio, "/kubepods.slice/kubepods-pod1.slice/crio-" ID1 ".scope", "crio", ID1, "web", "img:5", "tier=db" },
	{ put_crio, "/kubepods.slice/kubepods-pod1.slice/crio-" ID1 ".scope/container",
	  "crio", ID1, "web", "img:5", "tier=db" },
	{ put_runc, "/web", "runc", "web", "web", "img:1", "a=b" },
	{ put_runc, "/system.slice/runc-web.scope", "runc", "web", "web", "img:1", "a=b" },
	{ put_runc, "/slice/prefix-web.scope", "runc", "web", "web", "img:1", "a=b" },
	{ put_crun, "/web", "crun", "web", "web", "img:1", "tier=db" },
	{ put_crun, "/system.slice/crun-web.scope/container", "crun", "web", "web", "img:1", "tier=db" },
	{ put_buildah, "/buildah-buildah7", "runc", "buildah-buildah7", "buildah-buildah7", "img:1", "a=b" },
	{ put_lxc, "/lxc.payload.web", "lxc", "web", "web", "", NULL },
	{ put_lxc, "/lxc.payload.web/.lxc", "lxc", "web", "web", "", NULL },
	{ put_lxc, "/lxc/web", "lxc", "web", "web", "", NULL },
	{ put_nspawn, "/machine.slice/web.scope/payload", "nspawn", "web", "web", "/srv/web", NULL },
	{ put_nspawn, "/machine.slice/machine-web.scope/payload", "nspawn", "web", "web", "/srv/web", NULL },
	{ put_nspawn, "/machine.slice/systemd-nspawn@web.service/payload", "nspawn", "web", "web", "/srv/web", NULL },
};

/* Of the cgroup itself, and of one that was made inside of it. */
static void layouts(void **state)
{
	needs_root();
	for (size_t i = 0; i < sizeof(layout) / sizeof(layout[0]); i++) {
		char deep[512];
		struct cb_cont *c;

		layout[i].put(layout[i].cgroup);
		snprintf(deep, sizeof(deep), "%s/init.scope/a", layout[i].cgroup);
		for (int n = 0; n < 2; n++) {
			c = add(41, n ? deep : layout[i].cgroup);
			if (strcmp(c->runtime, layout[i].runtime))
				fail_msg("%s: \"%s\"", c->cgroup, c->runtime);
			is(c, layout[i].runtime, layout[i].id, layout[i].name, layout[i].image);
			if (layout[i].label ? !labelled(c, layout[i].label) : c->label[0] != NULL)
				fail_msg("%s: labels", c->cgroup);
		}
		teardown(NULL);
		setup(NULL);
	}
}

/* ---- lies ---- */
static void fake_below(void **state)
{
	/* container 1 makes a cgroup below its own that looks like container 2's, or like a machine */
	docker_config("var/lib/docker", ID1, "bad");
	docker_config("var/lib/docker", ID2, "good");
	runc_state("run/docker/runtime-runc/moby/" ID1 "/state.json", 41, "/docker/" ID1, "/1");
	tree_put("var/lib/lxc/vm/config", "lxc.rootfs.path = /x\n");
	is(add(0, "/docker/" ID1 "/docker/" ID2), "docker", ID1, "bad", "img:2");
	runc_state("run/docker/runtime-runc/moby/" ID2 "/state.json", 42, "/docker/" ID2, "/2");
	is(add(0, "/docker/" ID1 "/docker/" ID2), "docker", ID1, "bad", "img:2");
	is(add(0, "/docker/" ID1 "/lxc.payload.vm"), "docker", ID1, "bad", "img:2");
	is(add(0, "/docker/" ID2), "docker", ID2, "good", "img:2");
}

static void fake_below_named(void **state)
{
	/* the outer one has a name that only the disk knows */
	docker_config("var/lib/docker", ID2, "good");
	runc_state("run/runc/bad/state.json", 41, "/bad", "/1");
	is(add(0, "/bad/docker/" ID2), "runc", "bad", "bad", "img:1");
}

static void broken(void **state)
{
	static const char config[] = "var/lib/docker/containers/" ID1 "/config.v2.json";
	char *big = malloc(3 << 20);

	memset(big, ' ', 3 << 20);
	tree_put(config, "{\"ID\":\"" ID1 "\",\"Name\":\"/cut");
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	tree_put(config, "{\"ID\":\"" ID2 "\",\"Name\":\"/other\"}");
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	tree_put(config, "{\"ID\":7,\"Name\":[]}");
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	tree_put(config, "%s", "");
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	tree_bytes(config, "\0\377\1{", 4);
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	tree_bytes(config, big, 3 << 20);
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	/* labels and config missing or of a wrong kind: what there is */
	tree_put(config, "{\"ID\":\"" ID1 "\",\"Name\":\"/n\",\"Config\":[1],\"Image\":{}}");
	is(add(0, "/docker/" ID1), "docker", ID1, "n", "");
	free(big);
}

static void not_files(void **state)
{
	char secret[4200];

	docker_config("secret", ID1, "secret");
	tree_path("var/lib/docker/containers/" ID1 "/x");
	snprintf(secret, sizeof(secret), "%s/secret/containers/" ID1 "/config.v2.json", tree);
	assert_int_equal(symlink(secret, tree_path("var/lib/docker/containers/" ID1 "/config.v2.json")), 0);
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	unlink(tree_path("var/lib/docker/containers/" ID1 "/config.v2.json"));
	/* nobody writes into it */
	assert_int_equal(mkfifo(tree_path("var/lib/docker/containers/" ID1 "/config.v2.json"), 0600), 0);
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	unlink(tree_path("var/lib/docker/containers/" ID1 "/config.v2.json"));
	tree_path("var/lib/docker/containers/" ID1 "/config.v2.json/x");
	is(add(0, "/docker/" ID1), "unknown", "", ID1, "");
	/* names that would leave the folder */
	is(add(0, "/.."), "unknown", "", "..", "");
	is(add(0, "/../.."), "unknown", "", "..", "");
	is(add(0, "/system.slice/runc-...scope"), "unknown", "", "runc-...scope", "");
}

/* An admin may have moved the whole folder: that link is his. */
static void moved_root(void **state)
{
	docker_config("data/docker", ID1, "moved");
	assert_int_equal(symlink("../../data/docker", tree_path("var/lib/docker")), 0);
	is(add(0, "/docker/" ID1), "docker", ID1, "moved", "img:2");
}

/* ---- the set of them ---- */
static void from_proc(void **state)
{
	struct cb_cont *c;

	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	tree_proc(41, 1, "41\t1", "/web");
	is(add(41, ""), "runc", "web", "web", "img:1");
	assert_string_equal(cb_conts_get(conts, last_key)->cgroup, "/web");
	/* v1: the line of pids before that of memory and systemd; colons in a name */
	tree_put("proc/42/cgroup", "9:name=systemd:/s\n8:memory:/m\n7:pids:/p:q\n6:cpu,cpuacct:/c\n0::/\n");
	c = add(42, "");
	is(c, "unknown", "", "p:q", "");
	assert_string_equal(c->cgroup, "/p:q");
	tree_put("proc/43/cgroup", "garbage\n::\n0::\n");
	is(add(43, ""), "unknown", "", "pid:43", "");
	is(add(44, NULL), "unknown", "", "pid:44", "");
	assert_null(cb_conts_get(conts, 0xdead));
}

static void late(void **state)
{
	struct cb_cont *c = cb_conts_add(conts, 5, 0, "/web", 1);

	is(c, "unknown", "", "web", "");
	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	assert_ptr_equal(cb_conts_add(conts, 5, 41, "/web", 2), c);
	is(c, "runc", "web", "web", "img:1");
	assert_int_equal(c->pid, 41);
	assert_int_equal(c->since, 1);
	/* or at the next look around */
	c = cb_conts_add(conts, 6, 0, "/two", 1);
	runc_state("run/runc/two/state.json", 42, "/two", "/b");
	cb_conts_refresh(conts);
	is(c, "runc", "two", "two", "img:1");
}

static int count(struct cb_cont *c, void *arg)
{
	return ++*(int *)arg == 3;
}

static void kept(void **state)
{
	struct cb_cont *c;
	int n = 0;

	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	c = cb_conts_add(conts, 1000000, 0, "/web", 1);
	unlink(tree_path("run/runc/web/state.json"));
	cb_conts_gone(conts, 1000000, 5);
	cb_conts_gone(conts, 1000000, 9);
	cb_conts_gone(conts, 999, 9);
	assert_int_equal(c->gone, 5);
	is(c, "runc", "web", "web", "img:1");
	/* a flood of others, long gone, leaves the one that has a name; 4096 stay in all */
	for (uint64_t k = 1; k <= 5003; k++) {
		cb_conts_add(conts, k, 0, "/x", 1);
		cb_conts_gone(conts, k, 1);
	}
	assert_ptr_equal(cb_conts_get(conts, 1000000), c);
	is(c, "runc", "web", "web", "img:1");
	assert_null(cb_conts_get(conts, 907));
	assert_null(cb_conts_get(conts, 908));
	assert_non_null(cb_conts_get(conts, 909));
	assert_int_equal(cb_conts_each(conts, count, &n), 1);
	assert_int_equal(n, 3);
	assert_int_equal(cb_conts_each(conts, count, &n), 0);
	assert_int_equal(n, 4099);
}

/* Within the minute they stay, but not without end. */
static void bounded(void **state)
{
	int n = 10;

	for (uint64_t k = 1; k <= 17011; k++) {
		cb_conts_add(conts, k, 0, "/x", 1);
		cb_conts_gone(conts, k, 1ull << 62);
	}
	assert_int_equal(cb_conts_each(conts, count, &n), 0);
	assert_int_equal(n, 10 + 16384);
}

/* Of those alive that nobody knows the last 4096 stay, and whoever has a name. */
static void strangers(void **state)
{
	int n = 10;

	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	cb_conts_add(conts, 1000000, 0, "/web", 1);
	for (uint64_t k = 1; k <= 4103; k++)
		cb_conts_add(conts, k, 0, "/x", 1);
	for (uint64_t k = 1; k <= 7; k++)
		assert_true(cb_conts_get(conts, k)->gone);
	assert_false(cb_conts_get(conts, 8)->gone);
	assert_false(cb_conts_get(conts, 4103)->gone);
	assert_false(cb_conts_get(conts, 1000000)->gone);
	/* they are forgotten like all who went */
	for (uint64_t k = 4104; k <= 4104 + 17011; k++)
		cb_conts_add(conts, k, 0, "/x", 1);
	assert_int_equal(cb_conts_each(conts, count, &n), 0);
	assert_int_equal(n, 10 + 1 + 4096 + 16384);
	assert_null(cb_conts_get(conts, 8));
	is(cb_conts_get(conts, 1000000), "runc", "web", "web", "img:1");
}

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/*
 * Containers with many mounts are made as fast as somebody can on a host with many of runc: to look for each by its
 * process, and again for ten seconds, would take minutes. Whoever comes by a path of an engine has his name at once all
 * the same, and who can only be found by his process, soon.
 */
static void flood(void **state)
{
	struct cb_cont *c;
	uint64_t start, first = last_key + 1;
	char path[64], *mounts = calloc(5003, 64);
	size_t len = 0;
	int i;

	for (i = 0; i < 997; i++) {
		snprintf(path, sizeof(path), "run/runc/c%d/state.json", i);
		runc_state(path, 100000 + i, "/a/rather/long/path/that/is/no/name", "/b");
	}
	for (i = 0; i < 5003; i++)
		len += sprintf(mounts + len, "%d 20 0:99 / /some/where/%d rw - overlay overlay rw\n", i, i);
	tree_bytes("proc/99/mountinfo", mounts, len);
	free(mounts);
	tree_proc(99, 1, "99\t1", "/x");
	runc_state("run/runc/web/state.json", 41, "/web", "/b");
	start = cpu_ms();
	for (i = 0; i < 2003; i++)
		add(99, "/x");
	for (i = 0; i < 31; i++)
		cb_conts_refresh(conts);
	assert_in_range(cpu_ms() - start, 0, 1500);
	is(add(98, "/web"), "runc", "web", "web", "img:1");
	runc_state("run/runc/late/state.json", 43, "/chosen", "/b");
	c = add(43, "/elsewhere");
	/* those that ended are not looked for any more */
	for (uint64_t k = first; k < last_key - 1; k++)
		cb_conts_gone(conts, k, 1);
	for (start = time(NULL); !strcmp(c->runtime, "unknown") && time(NULL) < (time_t)start + 30;) {
		usleep(10000);
		cb_conts_refresh(conts);
	}
	is(c, "runc", "late", "late", "img:1");
}

static void no_root(void **state)
{
	struct cb_conts *c = cb_conts_new("/does/not/exist");

	is(cb_conts_add(c, 1, 7, "/docker/x", 0), "unknown", "", "x", "");
	cb_conts_refresh(c);
	cb_conts_free(c);
	cb_conts_free(NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(runc), T(runc_left_over), T(runc_below_our_root), T(runc_other_root), T(runc_begun), T(begun_in_digits),
		T(begun_anew), T(begun_bounded), T(crun),
		T(crun_starts), T(docker), T(docker_roots), T(docker_json_root), T(docker_mounted_root),
		T(renamed), T(podman), T(podman_rootless), T(podman_links), T(podman_mounts), T(podman_labels),
		T(podman_bad_database), T(podman_rootless_labels), T(podman_renamed), T(crio), T(containerd),
		T(containerd_meta), T(shim), T(lxc), T(lxc_monitor), T(nspawn), T(layouts), T(fake_below),
		T(fake_below_named), T(broken), T(not_files), T(moved_root), T(from_proc), T(late), T(kept),
		T(bounded), T(strangers), T(flood), T(no_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
