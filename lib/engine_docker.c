/* SPDX-License-Identifier: GPL-2.0 */
/* docker: DATA-ROOT/containers/ID/config.v2.json says all, from before the first instruction until --rm. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define DEFAULT_ROOT "/var/lib/docker"
#define DEFAULT_EXEC "/run/docker"

static enum cb_match docker_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	if (cb_part_affix(p, "docker-", ".scope", true, ret)) {
		snprintf(ret->runtime, sizeof(ret->runtime), "docker");
		return CB_SURE;
	}
	if (!cb_part_is_id(p))
		return CB_NO;
	cb_hint_set(ret, "docker", p->s, p->len);
	/* any other parent is one of --cgroup-parent, or another engine's */
	return cb_parent_is(p, "docker") ? CB_SURE : CB_MAYBE;
}

static char *absolute(const char *path)
{
	return path && path[0] == '/' ? cb_xstrdup(path) : NULL;
}

/* What the daemon was started with, as one NUL-separated text; false if none runs. */
static bool daemon_cmdline(struct cb_look *look, struct cb_buf *out)
{
	struct cb_buf pid = { 0 };
	bool ret = false;

	if (cb_host_read(look->host, CB_ADMIN, "/run", "docker.pid", 64, &pid, NULL) > 0 &&
	    cb_host_proc(look->host, strtoul(pid.s, NULL, 10), "cmdline", out) > 0)
		ret = true;
	cb_buf_free(&pid);
	return ret;
}

static char *root_of_config(struct cb_look *look, const char *file)
{
	json_t *j = cb_host_json(look->host, CB_ADMIN, "/", file + strspn(file, "/"), NULL);
	char *ret = absolute(cb_json_text(j, "data-root"));

	if (!ret)
		ret = absolute(cb_json_text(j, "graph"));
	json_decref(j);
	return ret;
}

/* Where the daemon that runs says its data lies, other than by default. */
static char *configured_root(struct cb_look *look, const struct cb_buf *cmdline)
{
	static const char *const option[] = { "--data-root", "-g", "--graph" };
	const char *file = NULL;
	char *ret = NULL;

	if (cmdline->len) {
		for (size_t i = 0; i < 3 && !ret; i++)
			ret = absolute(cb_cmdline_option(cmdline, option[i]));
		file = cb_cmdline_option(cmdline, "--config-file");
	}
	return ret ? ret : root_of_config(look, file ? file : "/etc/docker/daemon.json");
}

/*
 * A second daemon, or one whose pid file is elsewhere: docker mounts ROOT/containers/ID/hosts into each
 * container. The id is the cgroup's, so the container cannot name another by mounting something else there.
 */
static char *mounted_root(struct cb_look *look, const char *id)
{
	static const char *const point[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf" };
	char *ret = NULL, *end = cb_xasprintf("/containers/%s", id);

	for (size_t i = 0; i < 3 && !ret && look->pid; i++) {
		char *path = cb_host_mounted(look->host, look->pid, point[i]);
		char *at = path ? strstr(path, end) : NULL;

		if (at && at[strlen(end)] == '/') {
			*at = 0;
			ret = path;
		} else {
			free(path);
		}
	}
	free(end);
	return ret;
}

/* The container's root as docker mounts it on the host. */
static void take_rootfs(struct cb_look *look, const char *root, const char *id)
{
	struct cb_buf b = { 0 };
	char rel[256], *path;

	snprintf(rel, sizeof(rel), "image/overlay2/layerdb/mounts/%s/mount-id", id);
	if (cb_host_read(look->host, CB_ADMIN, root, rel, 256, &b, NULL) > 0) {
		cb_buf_putc(&b, 0);
		if (cb_safe_name(b.s)) {
			path = cb_xasprintf("%s/overlay2/%s/merged", root, b.s);
			cb_found_set(&look->found.rootfs, path);
			free(path);
		}
	}
	cb_buf_free(&b);
}

/* below: what is inside of "/" need not be looked at for links, a root found through the container must be. */
static int from_root(struct cb_look *look, const char *root, const char *id, bool below)
{
	struct cb_found *f = &look->found;
	const char *base = below ? "/" : root, *name;
	char *rel = below ? cb_xasprintf("%s/containers/%s/config.v2.json", root + 1, id) :
			    cb_xasprintf("containers/%s/config.v2.json", id);
	struct stat st;
	json_t *j = cb_host_json(look->host, CB_ADMIN, base, rel, &st);
	int ret = -ENOENT;

	name = cb_json_text(j, "Name");
	if (j && *name && !strcmp(cb_json_text(j, "ID"), id)) {
		f->runtime = "docker";
		cb_found_set(&f->id, id);
		cb_found_set(&f->name, name + strspn(name, "/"));
		cb_found_set(&f->image, cb_json_text(j, "Config.Image"));
		cb_found_set(&f->image_id, cb_json_text(j, "Image"));
		cb_found_labels(f, json_object_get(json_object_get(j, "Config"), "Labels"));
		cb_found_file(f, CB_ADMIN, base, rel, &st);
		if (!f->pid)
			f->pid = json_integer_value(json_object_get(json_object_get(j, "State"), "Pid"));
		if (!f->rootfs)
			take_rootfs(look, root, id);
		ret = 0;
	}
	json_decref(j);
	free(rel);
	return ret;
}

/* Roots are tried by how sure they are: the default, what the daemon says, what the container has mounted. */
static int from_disk(struct cb_look *look, const char *id)
{
	struct cb_buf cmdline = { 0 };
	char *root;
	int ret = from_root(look, DEFAULT_ROOT, id, false);

	if (!ret)
		return 0;
	daemon_cmdline(look, &cmdline);
	root = configured_root(look, &cmdline);
	cb_buf_free(&cmdline);
	if (root)
		ret = from_root(look, root, id, false);
	free(root);
	if (!ret)
		return 0;
	root = mounted_root(look, id);
	if (root)
		ret = from_root(look, root, id, true);
	free(root);
	return ret;
}

static int prove(struct cb_look *look, const char *id)
{
	struct cb_buf cmdline = { 0 };
	const char *exec = NULL;
	char *base;
	int ret = cb_oci_prove(look, CB_ADMIN, DEFAULT_EXEC "/runtime-runc/moby", id);

	if (ret != -ENOENT)
		return ret;
	if (daemon_cmdline(look, &cmdline))
		exec = cb_cmdline_option(&cmdline, "--exec-root");
	if (exec && exec[0] == '/' && strcmp(exec, DEFAULT_EXEC)) {
		base = cb_xasprintf("%s/runtime-runc/moby", exec);
		ret = cb_oci_prove(look, CB_ADMIN, base, id);
		free(base);
	}
	cb_buf_free(&cmdline);
	return ret;
}

static int docker_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	int ret = from_disk(look, hint->id);

	/* without a state it has not started yet, or has another runtime; another's state makes it a lie */
	if (!ret && prove(look, hint->id) == -EPERM)
		return -ENOENT;
	return ret;
}

/* Moved out of its cgroup: the mounts name it, and it must be the process that runc started. */
static int docker_by_pid(struct cb_look *look)
{
	struct cb_engine_hint hint = { 0 };
	char *path = cb_host_mounted(look->host, look->pid, "/etc/hosts"), *at = path ? strstr(path, "/containers/") : NULL;
	int ret = -ENOENT;

	if (at && sscanf(at, "/containers/%64[0-9a-f]/hosts", hint.id) == 1 && cb_is_id(hint.id))
		ret = docker_resolve(look, &hint);
	free(path);
	return look->found.proved ? ret : -ENOENT;
}

const struct cb_engine cb_engine_docker = { docker_match, docker_resolve, docker_by_pid };
