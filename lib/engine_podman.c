/* SPDX-License-Identifier: GPL-2.0 */
/* podman and CRI-O: both keep containers in containers/storage and watch each with a conmon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define GRAPH "/var/lib/containers/storage"
#define RUN "/run/containers/storage"
#define STORAGE_MAX (8 << 20) /* one file for all containers */

static const char *const drivers[] = { "overlay", "vfs", "btrfs", "zfs" };
#define NDRIVERS (sizeof(drivers) / sizeof(drivers[0]))

static enum cb_match podman_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	snprintf(ret->runtime, sizeof(ret->runtime), "podman");
	if (cb_part_affix(p, "libpod-conmon-", ".scope", true, ret) ||
	    cb_part_affix(p, "libpod-conmon-", "", true, ret) ||
	    (cb_part_is(p, "conmon") && cb_parent_is(p, "libpod_parent"))) {
		ret->helper = true;
		return CB_SURE;
	}
	if (cb_part_affix(p, "libpod-", ".scope", true, ret) || cb_part_affix(p, "libpod-payload-", "", true, ret) ||
	    cb_part_affix(p, "libpod-payload-", ".scope", true, ret) || cb_part_affix(p, "libpod-", "", true, ret))
		return CB_SURE;
	return CB_NO;
}

static enum cb_match crio_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	snprintf(ret->runtime, sizeof(ret->runtime), "crio");
	if (cb_part_affix(p, "crio-conmon-", ".scope", true, ret) || cb_part_affix(p, "crio-conmon-", "", true, ret)) {
		ret->helper = true;
		return CB_SURE;
	}
	return cb_part_affix(p, "crio-", ".scope", true, ret) || cb_part_affix(p, "crio-", "", true, ret) ? CB_SURE :
													   CB_NO;
}

/* ---- conmon: parent of the payload, its command line names the container ---- */
struct conmon {
	struct cb_buf cmdline; /* what the others point into */
	const char *id, *name, *bundle;
	uid_t uid;
};

static bool read_conmon(struct cb_look *look, struct conmon *ret)
{
	uint32_t parent = cb_look_outside(look);
	char rel[32];
	struct stat st;
	const char *slash, *exit;

	memset(ret, 0, sizeof(*ret));
	snprintf(rel, sizeof(rel), "%u", parent);
	if (!parent || cb_host_proc(look->host, parent, "cmdline", &ret->cmdline) <= 0 ||
	    cb_host_stat(look->host, CB_ADMIN, "/proc", rel, &st))
		return false;
	cb_buf_putc(&ret->cmdline, 0);
	slash = strrchr(ret->cmdline.s, '/');
	ret->uid = st.st_uid;
	ret->id = cb_cmdline_option(&ret->cmdline, "-c");
	ret->name = cb_cmdline_option(&ret->cmdline, "-n");
	ret->bundle = cb_cmdline_option(&ret->cmdline, "-b");
	/* CRI-O has a conmon, too, but gives it no command to clean up */
	exit = cb_cmdline_option(&ret->cmdline, "--exit-command");
	return !strcmp(slash ? slash + 1 : ret->cmdline.s, "conmon") && exit && strstr(exit, "podman") && ret->id &&
	       cb_is_id(ret->id) && ret->name && *ret->name && ret->bundle && ret->bundle[0] == '/';
}

/* ---- containers.json ---- */
struct place {
	enum cb_trust trust;
	char *base, *rel; /* rel ends with '/', or is "" */
	uid_t uid;	  /* who must own the file */
};

/* The parsed file, as long as it has not changed; owned by the host. */
static const json_t *storage(struct cb_look *look, const struct place *p, const char *rel, struct stat *st)
{
	struct cb_host *h = look->host;
	char *file = cb_xasprintf("%s/%s", p->base, rel);
	struct cb_buf b = { 0 };

	if (!cb_host_stat(h, p->trust, p->base, rel, st) && h->storage && !strcmp(file, h->storage_file) &&
	    !memcmp(&st->st_mtim, &h->storage_mtime, sizeof(st->st_mtim))) {
		free(file);
		return st->st_uid == p->uid ? h->storage : NULL;
	}
	json_decref(h->storage);
	free(h->storage_file);
	h->storage = NULL;
	h->storage_file = file;
	if (cb_host_read(h, p->trust, p->base, rel, STORAGE_MAX, &b, st) > 0)
		h->storage = json_loadb(b.s, b.len, 0, NULL);
	h->storage_mtime = st->st_mtim;
	cb_buf_free(&b);
	return h->storage && st->st_uid == p->uid ? h->storage : NULL;
}

static const json_t *find_id(const json_t *array, const char *id)
{
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v)
		if (!strcmp(cb_json_text(v, "id"), id))
			return v;
	return NULL;
}

/* podman rename changes the name here, and not what it was made with (in metadata, and conmon's command line). */
static void take_storage(struct cb_found *f, const json_t *c)
{
	const char *meta = cb_json_text(c, "metadata");
	json_t *m = *meta ? json_loads(meta, 0, NULL) : NULL, *name = json_array_get(json_object_get(c, "names"), 0);

	if (json_is_string(name) || !f->name)
		cb_found_set(&f->name, json_is_string(name) ? json_string_value(name) : cb_json_text(m, "name"));
	cb_found_set(&f->image, cb_json_text(m, "image-name"));
	cb_found_set(&f->image_id, cb_json_text(c, "image"));
	json_decref(m);
}

static int from_storage(struct cb_look *look, const struct place *p, const char *driver, const char *id)
{
	char *rel = cb_xasprintf("%s%s-containers/containers.json", p->rel, driver);
	struct stat st = { 0 };
	const json_t *c = find_id(storage(look, p, rel, &st), id);
	json_t *config;

	if (c) {
		take_storage(&look->found, c);
		cb_found_file(&look->found, p->trust, p->base, rel, &st);
		config = cb_libpod_config(look->host, p->trust, p->base, p->rel, p->uid, id);
		cb_found_labels(&look->found, json_object_get(config, "labels"));
		json_decref(config);
	}
	free(rel);
	return c ? 0 : -ENOENT;
}

/*
 * DIR/overlay-containers/ID/userdata -> DIR as place and "overlay". A user's storage lies below a home: from
 * there on no link is followed.
 */
static bool place_of_bundle(const char *bundle, const char *id, uid_t uid, struct place *ret, char driver[16])
{
	char *path = cb_xstrdup(bundle), *end = cb_xasprintf("-containers/%s/userdata", id);
	char *at = strstr(path, end), *slash, *dot;
	bool ok = false;

	if (at) {
		*at = 0;
		slash = strrchr(path, '/');
		snprintf(driver, 16, "%s", slash ? slash + 1 : "");
		ok = slash && slash > path && cb_safe_name(driver);
	}
	if (ok) {
		slash[0] = 0;
		dot = uid ? strstr(path, "/.local/") : NULL;
		ret->uid = uid;
		ret->trust = uid ? CB_USER : CB_ADMIN;
		ret->rel = dot ? cb_xasprintf("%s/", dot + 1) : uid ? cb_xasprintf("%s/", path + 1) : cb_xstrdup("");
		if (dot)
			*dot = 0;
		ret->base = cb_xstrdup(dot || !uid ? path : "/");
	}
	free(path);
	free(end);
	return ok;
}

static int prove(struct cb_look *look, const char *id)
{
	int ret = cb_oci_prove(look, CB_ADMIN, "/run/runc", id);

	return ret == -ENOENT ? cb_oci_prove(look, CB_ADMIN, "/run/crun", id) : ret;
}

static int from_conmon(struct cb_look *look, const struct conmon *c)
{
	struct place p;
	char driver[16];

	if (!c->uid)
		prove(look, c->id); /* for what else it tells */
	look->found.runtime = "podman";
	look->found.proved = true;
	cb_found_set(&look->found.id, c->id);
	cb_found_set(&look->found.name, c->name);
	if (!place_of_bundle(c->bundle, c->id, c->uid, &p, driver))
		return 0;
	from_storage(look, &p, driver, c->id);
	free(p.base);
	free(p.rel);
	return 0;
}

static int from_default(struct cb_look *look, const char *id)
{
	const struct place p = { CB_ADMIN, GRAPH, "", 0 };

	for (size_t i = 0; i < NDRIVERS; i++) {
		if (from_storage(look, &p, drivers[i], id))
			continue;
		look->found.runtime = "podman";
		cb_found_set(&look->found.id, id);
		return 0;
	}
	return -ENOENT;
}

static int podman_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	struct conmon c = { 0 };
	int ret = from_default(look, hint->id);

	if (!ret)
		return prove(look, hint->id) == -EPERM ? -ENOENT : 0;
	if (read_conmon(look, &c) && !strcmp(c.id, hint->id))
		ret = from_conmon(look, &c);
	cb_buf_free(&c.cmdline);
	return ret;
}

/* ---- without a cgroup: rootless on v1, or moved away ---- */

/* Home of a user by the host's own list. */
static char *home_of(struct cb_look *look, unsigned long uid)
{
	struct cb_buf b = { 0 };
	char *save = NULL, *line, *ret = NULL;

	if (cb_host_read(look->host, CB_ADMIN, "/etc", "passwd", CB_FILE_MAX, &b, NULL) > 0) {
		for (line = strtok_r(b.s, "\n", &save); line && !ret; line = strtok_r(NULL, "\n", &save)) {
			char *field[6] = { line };
			size_t n = 1;

			while (n < 6 && (field[n] = strchr(field[n - 1], ':')))
				*field[n++]++ = 0;
			if (n == 6 && strtoul(field[2], NULL, 10) == uid && field[5][0] == '/')
				ret = cb_xasprintf("%.*s", (int)strcspn(field[5], ":"), field[5]);
		}
	}
	cb_buf_free(&b);
	return ret;
}

/* REST: "overlay-containers/ID/userdata/hosts" */
static int from_run_path(struct cb_look *look, const char *rest, unsigned long uid)
{
	char driver[16], id[65], *home;
	struct place p = { CB_USER, NULL, (char *)".local/share/containers/storage/", uid };
	int ret;

	if (sscanf(rest, "%15[a-z]-containers/%64[0-9a-f]/userdata/", driver, id) != 2 || !cb_is_id(id))
		return -ENOENT;
	if (!uid) {
		ret = from_default(look, id);
	} else {
		home = home_of(look, uid);
		p.base = home;
		ret = home ? from_storage(look, &p, driver, id) : -ENOENT;
		free(home);
	}
	if (!ret) {
		look->found.runtime = "podman";
		cb_found_set(&look->found.id, id);
	}
	return ret;
}

/*
 * conmon was killed: podman mounts RUNROOT/overlay-containers/ID/userdata/hosts into each container. Only
 * podman and root can make files in these folders, so what is mounted from there was put there by podman.
 */
static int from_mounts(struct cb_look *look)
{
	static const char *const point[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv" };
	int ret = -ENOENT, n;
	unsigned long uid;

	for (size_t i = 0; i < 4 && ret; i++) {
		char *path = cb_host_mounted(look->host, look->pid, point[i]);

		if (path && !strncmp(path, RUN "/", sizeof(RUN)))
			ret = from_run_path(look, path + sizeof(RUN), 0);
		else if (path && sscanf(path, "/run/user/%lu/containers/%n", &uid, &n) == 1 && uid)
			ret = from_run_path(look, path + n, uid);
		free(path);
	}
	return ret;
}

static int podman_by_pid(struct cb_look *look)
{
	struct conmon c = { 0 };
	int ret = read_conmon(look, &c) ? from_conmon(look, &c) : from_mounts(look);

	cb_buf_free(&c.cmdline);
	return ret;
}

/* ---- CRI-O: all is in the annotations of the bundle ---- */

/* The first of these annotations that says something, "" if none does. */
static const char *first_of(const json_t *a, const char *const *key)
{
	for (; *key; key++) {
		const char *text = json_string_value(json_object_get(a, *key));

		if (text && *text)
			return text;
	}
	return "";
}

static void take_crio(struct cb_found *f, const json_t *a)
{
	static const char *const type[] = { "io.kubernetes.cri-o.ContainerType", NULL };
	static const char *const name[] = { "io.kubernetes.container.name", "io.kubernetes.cri-o.ContainerName",
					    "io.kubernetes.cri-o.Name", NULL };
	/* the container that holds a pod's namespaces is called POD in every pod */
	static const char *const pod[] = { "io.kubernetes.cri-o.KubeName", "io.kubernetes.cri-o.SandboxName",
					   "io.kubernetes.cri-o.Name", NULL };
	static const char *const image[] = { "io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image", NULL };
	static const char *const image_id[] = { "io.kubernetes.cri-o.ImageRef", "io.kubernetes.cri-o.Image", NULL };
	static const char *const labels[] = { "io.kubernetes.cri-o.Labels", NULL };
	json_t *j = json_loads(first_of(a, labels), 0, NULL);

	cb_found_set(&f->name, first_of(a, strcmp(first_of(a, type), "sandbox") ? name : pod));
	cb_found_set(&f->image, first_of(a, image));
	cb_found_set(&f->image_id, first_of(a, image_id));
	cb_found_labels(f, j);
	json_decref(j);
}

static int crio_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	struct cb_found *f = &look->found;
	int ret = -ENOENT;

	for (size_t i = 0; i < NDRIVERS && ret; i++) {
		char rel[sizeof(hint->id) + 64];
		struct stat st;
		json_t *j, *a;

		snprintf(rel, sizeof(rel), "%s-containers/%s/userdata/config.json", drivers[i], hint->id);
		j = cb_host_json(look->host, CB_ADMIN, RUN, rel, &st);
		a = json_object_get(j, "annotations");
		if (json_object_get(a, "io.kubernetes.cri-o.ContainerID")) {
			f->runtime = "crio";
			cb_found_set(&f->id, hint->id);
			take_crio(f, a);
			cb_found_file(f, CB_ADMIN, RUN, rel, &st);
			ret = prove(look, hint->id) == -EPERM ? -ENOENT : 0;
		}
		json_decref(j);
	}
	return ret;
}

const struct cb_engine cb_engine_podman = { podman_match, podman_resolve, podman_by_pid };
const struct cb_engine cb_engine_crio = { crio_match, crio_resolve, NULL };
