/* SPDX-License-Identifier: GPL-2.0 */
/* runc and crun, bare and below other engines: their state files say which cgroup and process is whose. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>
#include "engine.h"

#define MAX_SCAN 1024 /* state files looked through for a cgroup path that does not hold the name */

/* "", "/sys/fs/cgroup" or "/sys/fs/cgroup/CONTROLLER" */
static bool is_mount_point(const char *s, size_t len)
{
	static const char base[] = "/sys/fs/cgroup";
	const size_t n = sizeof(base) - 1;

	if (!len)
		return true;
	if (len < n || memcmp(s, base, n))
		return false;
	return len == n || (s[n] == '/' && !memchr(s + n + 1, '/', len - n - 1));
}

/* Is the cgroup the state's, or below it? */
static bool covers(const char *state, const char *cgroup)
{
	size_t n = strlen(state), len = strlen(cgroup);

	for (size_t e = 2; e <= len; e++) {
		if (cgroup[e] && cgroup[e] != '/')
			continue;
		if (n >= e && !memcmp(state + n - e, cgroup, e) && is_mount_point(state, n - e))
			return true;
	}
	return false;
}

/* One path as crun has it, or a path for each controller as runc has them. */
static bool state_covers(const json_t *paths, const char *cgroup)
{
	const char *key;
	json_t *v;

	if (json_is_string(paths))
		return covers(json_string_value(paths), cgroup);
	json_object_foreach((json_t *)paths, key, v)
		if (json_is_string(v) && covers(json_string_value(v), cgroup))
			return true;
	return false;
}

/* A state may be left over from a crash, and its process's number be another's by now. start: clock ticks, 0: unknown. */
static bool started_at(struct cb_look *look, uint64_t start)
{
	struct cb_buf b = { 0 };
	unsigned long long is = start;
	const char *after;

	if (start && cb_host_proc(look->host, look->pid, "stat", &b) > 0) {
		after = strrchr(b.s, ')'); /* the name before it may hold anything */
		if (after)
			sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &is);
	}
	cb_buf_free(&b);
	return is == start;
}

static bool proves(struct cb_look *look, const json_t *paths, uint32_t pid, uint64_t start)
{
	char *own;
	bool ret;

	if (pid && pid == look->pid && started_at(look, start))
		return true;
	if (state_covers(paths, look->cgroup))
		return true;
	if (!look->pid)
		return false;
	/* the kernel's path may begin above the cgroup namespace that engine and we live in */
	own = cb_host_cgroup(look->host, look->pid);
	ret = state_covers(paths, own);
	free(own);
	return ret;
}

struct state_file {
	const char *file, *pid, *start, *paths;
};
static const struct state_file runc_file = { "state.json", "init_process_pid", "init_process_start", "cgroup_paths" };
static const struct state_file crun_file = { "status", "pid", "process-start-time", "cgroup-path" };

/* The state as JSON if it is this container's; err says why not. */
static json_t *own_state(struct cb_look *look, enum cb_trust trust, const char *base, const char *id,
			 const struct state_file *f, struct stat *st, int *err)
{
	char rel[300];
	json_t *j;

	*err = -ENOENT;
	if (!cb_safe_name(id))
		return NULL;
	snprintf(rel, sizeof(rel), "%s/%s", id, f->file);
	j = cb_host_json(look->host, trust, base, rel, st);
	if (!j)
		return NULL;
	if (proves(look, json_object_get(j, f->paths), json_integer_value(json_object_get(j, f->pid)),
		   json_integer_value(json_object_get(j, f->start)))) {
		*err = 0;
		return j;
	}
	*err = -EPERM;
	json_decref(j);
	return NULL;
}

static void take_state(struct cb_look *look, const json_t *j, const struct state_file *f)
{
	const char *rootfs = cb_json_text(j, f == &runc_file ? "config.rootfs" : "rootfs");
	const char *bundle = cb_json_text(j, "bundle"); /* crun's rootfs may be relative to it */
	char *path;

	look->found.proved = true;
	look->found.pid = json_integer_value(json_object_get(j, f->pid));
	if (rootfs[0] == '/') {
		cb_found_set(&look->found.rootfs, rootfs);
	} else if (rootfs[0] && bundle[0] == '/') {
		path = cb_xasprintf("%s/%s", bundle, rootfs);
		cb_found_set(&look->found.rootfs, path);
		free(path);
	}
}

int cb_oci_prove(struct cb_look *look, enum cb_trust trust, const char *base, const char *id)
{
	const struct state_file *const files[] = { &runc_file, &crun_file };
	int err = -ENOENT;

	for (size_t i = 0; i < 2 && err == -ENOENT; i++) {
		struct stat st;
		json_t *j = own_state(look, trust, base, id, files[i], &st, &err);

		if (j)
			take_state(look, j, files[i]);
		json_decref(j);
	}
	return err;
}

static void take_annotation(struct cb_found *f, const char *key, const char *value)
{
	if (!strcmp(key, "org.opencontainers.image.ref.name"))
		cb_found_set(&f->image, value);
	cb_found_label(f, key, value);
}

/* runc keeps annotations as "k=v" texts, and adds the bundle's path as one more */
static void take_runc_labels(struct cb_found *f, const json_t *labels)
{
	size_t i;
	json_t *v;

	json_array_foreach(labels, i, v) {
		char key[256];
		const char *s = json_is_string(v) ? json_string_value(v) : "", *eq = strchr(s, '=');

		if (!eq || eq - s >= (int)sizeof(key) || !strncmp(s, "bundle=", 7))
			continue;
		snprintf(key, sizeof(key), "%.*s", (int)(eq - s), s);
		take_annotation(f, key, eq + 1);
	}
}

/* crun keeps a copy of the bundle's config.json */
static json_t *crun_config(struct cb_look *look, enum cb_trust trust, const char *base, const char *id)
{
	char rel[300];

	snprintf(rel, sizeof(rel), "%s/config.json", id);
	return cb_host_json(look->host, trust, base, rel, NULL);
}

static void take_crun_labels(struct cb_found *f, const json_t *config)
{
	const char *key;
	json_t *v;

	json_object_foreach(json_object_get(config, "annotations"), key, v)
		if (json_is_string(v))
			take_annotation(f, key, json_string_value(v));
}

/*
 * The program runs before crun has written its state; the copy was made before the cgroup. Not proved, so once the
 * state is there it is looked at.
 */
static int crun_starts(struct cb_look *look, enum cb_trust trust, const char *base, const char *id)
{
	const struct stat none = { 0 };
	json_t *config = crun_config(look, trust, base, id);
	const char *cgroup = cb_json_text(config, "linux.cgroupsPath");
	char rel[300];
	int ret = -ENOENT;

	if (config && (!*cgroup || strchr(cgroup, ':') || covers(cgroup, look->cgroup))) {
		look->found.runtime = "crun";
		cb_found_set(&look->found.id, id);
		cb_found_set(&look->found.name, id);
		take_crun_labels(&look->found, config);
		snprintf(rel, sizeof(rel), "%s/%s", id, crun_file.file);
		cb_found_file(&look->found, trust, base, rel, &none);
		ret = 0;
	}
	json_decref(config);
	return ret;
}

static int resolve(struct cb_look *look, enum cb_trust trust, const char *base, const char *id, bool crun)
{
	const struct state_file *f = crun ? &crun_file : &runc_file;
	struct stat st;
	char rel[300];
	int err;
	json_t *j = own_state(look, trust, base, id, f, &st, &err), *config;

	if (!j)
		return crun && err == -ENOENT && cb_safe_name(id) ? crun_starts(look, trust, base, id) : -ENOENT;
	take_state(look, j, f);
	look->found.runtime = crun ? "crun" : "runc";
	cb_found_set(&look->found.id, id);
	cb_found_set(&look->found.name, id);
	if (crun) {
		config = crun_config(look, trust, base, id);
		take_crun_labels(&look->found, config);
		json_decref(config);
	} else {
		take_runc_labels(&look->found, json_object_get(json_object_get(j, "config"), "labels"));
	}
	snprintf(rel, sizeof(rel), "%s/%s", id, f->file);
	cb_found_file(&look->found, trust, base, rel, &st);
	json_decref(j);
	return 0;
}

/* ---- what all states say, so that a stranger costs no reading of them ---- */
struct state {
	char *id;
	struct timespec mtime;
	uint32_t pid;
	json_t *paths;
	bool there; /* at the last look */
	UT_hash_handle hh;
};
struct cb_states {
	struct state *by_id;
	struct timespec mtime; /* of the folder */
	bool settled;	       /* it had all its files, and has for long enough for its time to tell of changes */
};

static void state_free(struct cb_states *s, struct state *e)
{
	HASH_DEL(s->by_id, e);
	json_decref(e->paths);
	free(e->id);
	free(e);
}

void cb_states_free(struct cb_states *s)
{
	struct state *e, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->by_id, e, next)
		state_free(s, e);
	free(s);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Reads a state unless it is the one that is known. False: it is not there (yet). */
static bool state_update(struct cb_look *look, enum cb_trust trust, const char *base, const char *id,
			 const struct state_file *f, struct cb_states *s)
{
	struct state *e;
	struct stat st;
	char rel[300];
	json_t *j;

	snprintf(rel, sizeof(rel), "%s/%s", id, f->file);
	if (cb_host_stat(look->host, trust, base, rel, &st))
		return false;
	HASH_FIND_STR(s->by_id, id, e);
	if (e && same_time(&e->mtime, &st.st_mtim)) {
		e->there = true;
		return true;
	}
	j = cb_host_json(look->host, trust, base, rel, &st);
	if (!j)
		return false;
	if (!e) {
		e = cb_xalloc(sizeof(*e));
		e->id = cb_xstrdup(id);
		HASH_ADD_KEYPTR(hh, s->by_id, e->id, strlen(e->id), e);
	}
	json_decref(e->paths);
	e->paths = json_incref(json_object_get(j, f->paths));
	e->pid = json_integer_value(json_object_get(j, f->pid));
	e->mtime = st.st_mtim;
	e->there = true;
	json_decref(j);
	return true;
}

static void states_update(struct cb_look *look, enum cb_trust trust, const char *base, const struct state_file *f,
			  struct cb_states *s)
{
	struct state *e, *next;
	struct stat st = { 0 };
	struct timespec now;
	char **ids;

	if (!cb_host_stat(look->host, trust, base, ".", &st) && s->settled && same_time(&st.st_mtim, &s->mtime))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	s->settled = now.tv_sec - st.st_mtim.tv_sec > 1;
	s->mtime = st.st_mtim;
	HASH_ITER(hh, s->by_id, e, next)
		e->there = false;
	ids = cb_host_list(look->host, trust, base, ".", MAX_SCAN);
	for (size_t i = 0; ids && ids[i]; i++)
		s->settled &= state_update(look, trust, base, ids[i], f, s);
	cb_strv_free(ids);
	HASH_ITER(hh, s->by_id, e, next)
		if (!e->there)
			state_free(s, e);
}

/* A container whose cgroup path was given to the runtime freely: its state names the path, or the process. */
static int scan(struct cb_look *look, enum cb_trust trust, const char *base, bool crun, struct cb_states **keep)
{
	struct cb_states *s = keep && *keep ? *keep : cb_xalloc(sizeof(*s));
	struct state *e, *next;
	int ret = -ENOENT;

	states_update(look, trust, base, crun ? &crun_file : &runc_file, s);
	HASH_ITER(hh, s->by_id, e, next) {
		if (!(e->pid && e->pid == look->pid) && !(look->cgroup_len > 1 && state_covers(e->paths, look->cgroup)))
			continue;
		ret = resolve(look, trust, base, e->id, crun);
		if (!ret)
			break;
	}
	if (keep)
		*keep = s;
	else
		cb_states_free(s);
	return ret;
}

/* ---- before there is a state ---- */

/* argv[0] is a path or a name */
static const char *runtime_of(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *base = slash ? slash + 1 : argv0;

	return !strcmp(base, "runc") ? "runc" : !strcmp(base, "crun") ? "crun" : NULL;
}

/* Options of runc and crun whose value may be the next argument; "-root" is "--root" to runc. */
static bool takes_next(const char *option)
{
	static const char *const valued[] = {
		"root", "log", "log-format", "criu", "rootless", "cgroup-manager",
		"b", "bundle", "f", "config", "console-socket", "pid-file", "preserve-fds",
		"image-path", "work-path", "manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context",
	};
	const char *name = option + 1 + (option[1] == '-');

	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++)
		if (!strcmp(name, valued[i]))
			return true;
	return false;
}

static const char *next_arg(const char *p)
{
	return p + strlen(p) + 1;
}

/* "runc [OPTION...] run [OPTION...] ID", to crun also with options behind it: ID, NULL: it makes no container */
static const char *id_of_cmdline(const char *argv0, const char *end)
{
	const char *command = NULL, *id = NULL;

	for (const char *p = next_arg(argv0); p < end; p = next_arg(p)) {
		if (*p == '-') {
			if (takes_next(p) && (p = next_arg(p)) >= end)
				break;
		} else if (command) {
			id = p;
		} else {
			command = p;
		}
	}
	if (!id || (strcmp(command, "run") && strcmp(command, "create") && strcmp(command, "restore")))
		return NULL;
	return cb_safe_name(id) ? id : NULL;
}

bool cb_oci_begun(const struct cb_host *h, uint32_t pid, struct cb_oci_begun *ret)
{
	const char *id, *root;
	struct cb_buf b = { 0 };
	size_t len;

	*ret = (struct cb_oci_begun){ 0 };
	if (!pid || cb_host_proc(h, pid, "cmdline", &b) <= 0)
		return false;
	len = b.len;
	cb_buf_putc(&b, 0);
	ret->runtime = runtime_of(b.s);
	id = ret->runtime ? id_of_cmdline(b.s, b.s + len) : NULL;
	if (id) {
		root = cb_cmdline_option(&b, "--root");
		ret->id = cb_xstrdup(id);
		ret->root = root && root[0] == '/' ? cb_xstrdup(root) : cb_xasprintf("/run/%s", ret->runtime);
	}
	cb_buf_free(&b);
	return ret->id;
}

/* Not proved, and the state looked at once it is there. */
void cb_oci_begun_found(const struct cb_oci_begun *b, struct cb_found *ret)
{
	const struct stat none = { 0 };
	char rel[300];

	ret->runtime = b->runtime;
	cb_found_set(&ret->id, b->id);
	cb_found_set(&ret->name, b->id);
	snprintf(rel, sizeof(rel), "%s/%s", b->id, strcmp(b->runtime, "crun") ? runc_file.file : crun_file.file);
	cb_found_file(ret, CB_USER, b->root, rel, &none);
}

void cb_oci_begun_free(struct cb_oci_begun *b)
{
	free(b->id);
	free(b->root);
}

/* "runc --root DIR run NAME" stays as the parent of a container in the foreground */
static int by_parent(struct cb_look *look, bool crun)
{
	uint32_t parent = cb_look_outside(look);
	struct cb_buf b = { 0 };
	const char *root, *slash;
	int ret = -ENOENT;

	if (parent && cb_host_proc(look->host, parent, "cmdline", &b) > 0) {
		cb_buf_putc(&b, 0);
		slash = strrchr(b.s, '/');
		root = cb_cmdline_option(&b, "--root");
		if (root && root[0] == '/' && !strcmp(slash ? slash + 1 : b.s, crun ? "crun" : "runc"))
			ret = scan(look, CB_USER, root, crun, NULL);
	}
	cb_buf_free(&b);
	return ret;
}

static enum cb_match match(const struct cb_part *p, struct cb_engine_hint *ret, const char *runtime,
			   const char *prefix)
{
	if (cb_part_affix(p, prefix, ".scope", false, ret)) {
		snprintf(ret->runtime, sizeof(ret->runtime), "%s", runtime);
		return CB_SURE;
	}
	if (p->len >= sizeof(ret->id))
		return CB_NO;
	cb_hint_set(ret, runtime, p->s, p->len);
	return CB_MAYBE;
}

static enum cb_match runc_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	return match(p, ret, "runc", "runc-");
}

static enum cb_match crun_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	return match(p, ret, "crun", "crun-");
}

static int runc_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	return resolve(look, CB_ADMIN, "/run/runc", hint->id, false);
}

static int crun_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	return resolve(look, CB_ADMIN, "/run/crun", hint->id, true);
}

static int runc_by_pid(struct cb_look *look)
{
	if (!scan(look, CB_ADMIN, "/run/runc", false, &look->host->runc))
		return 0;
	return by_parent(look, false);
}

static int crun_by_pid(struct cb_look *look)
{
	if (!scan(look, CB_ADMIN, "/run/crun", true, &look->host->crun))
		return 0;
	return by_parent(look, true);
}

const struct cb_engine cb_engine_runc = { runc_match, runc_resolve, runc_by_pid };
const struct cb_engine cb_engine_crun = { crun_match, crun_resolve, crun_by_pid };
