/* SPDX-License-Identifier: GPL-2.0 */
/*
 * containerd as ctr, nerdctl and CRI use it: a bundle for each task, annotations in its config.json; image and labels
 * in the daemon's own file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bolt.h"
#include "engine.h"

#define STATE "/run/containerd"
#define ROOT "/var/lib/containerd"
#define TASKS "io.containerd.runtime.v2.task"
#define META "io.containerd.metadata.v1.bolt/meta.db"
#define MAX_NAMESPACES 64

static enum cb_match containerd_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	static const char infix[] = ":cri-containerd:";
	const char *colon;
	struct cb_part id = *p;

	snprintf(ret->runtime, sizeof(ret->runtime), "containerd");
	if (cb_part_affix(p, "cri-containerd-", ".scope", true, ret) ||
	    cb_part_affix(p, "nerdctl-", ".scope", true, ret))
		return CB_SURE;
	/* CRI told to use systemd under a runtime that was not: "slice:cri-containerd:ID" as a folder */
	colon = memmem(p->s, p->len, infix, sizeof(infix) - 1);
	if (colon) {
		id.s = colon + sizeof(infix) - 1;
		id.len = p->s + p->len - id.s;
		return cb_part_affix(&id, "", "", true, ret) ? CB_SURE : CB_NO;
	}
	return cb_part_affix(p, "", "", false, ret) ? CB_MAYBE : CB_NO;
}

static const char *annotation(const json_t *a, const char *key)
{
	const char *text = json_string_value(json_object_get(a, key));

	return text ? text : "";
}

/* CRI and nerdctl say name and image there; ctr's name is the id. */
static void take_annotations(struct cb_found *f, const json_t *a, const char *id)
{
	static const char *const name[] = { "io.kubernetes.cri.container-name", "nerdctl/name" };
	bool sandbox = !strcmp(annotation(a, "io.kubernetes.cri.container-type"), "sandbox");

	cb_found_set(&f->name, sandbox ? annotation(a, "io.kubernetes.cri.sandbox-name") : "");
	for (size_t i = 0; i < 2 && !*f->name; i++)
		cb_found_set(&f->name, annotation(a, name[i]));
	if (!*f->name)
		cb_found_set(&f->name, id);
	cb_found_set(&f->image, annotation(a, "io.kubernetes.cri.image-name"));
}

/* ---- the daemon's file: v1/NAMESPACE/containers/ID, v1/NAMESPACE/images/NAME ---- */
struct stored {
	const char *ns, *id;
	struct cb_buf image, digest;
	struct cb_found labels; /* these only */
};

static int take_label(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg)
{
	struct stored *s = arg;
	char *k = cb_xasprintf("%.*s", (int)nkey, key), *v = cb_xasprintf("%.*s", (int)nvalue, value);

	cb_found_label(&s->labels, k, v);
	free(k);
	free(v);
	return 0;
}

/* Times are a byte for the version, then seconds and nanoseconds with the high byte first. */
static bool is_later(const struct cb_buf *a, const struct cb_buf *b)
{
	return a->len < 13 || b->len < 13 || memcmp(a->s + 1, b->s + 1, 12) > 0;
}

/* The image's name may have been given to another one since: then its digest is not this container's. */
static void take_digest(struct cb_bolt *b, struct stored *s)
{
	const char *const made[] = { "v1", s->ns, "containers", s->id, "createdat", NULL };
	const char *const given[] = { "v1", s->ns, "images", s->image.s, "updatedat", NULL };
	const char *const digest[] = { "v1", s->ns, "images", s->image.s, "target", "digest", NULL };
	struct cb_buf at = { 0 }, since = { 0 };

	if (cb_bolt_get(b, made, &at) > 0 && cb_bolt_get(b, given, &since) > 0 && !is_later(&since, &at))
		cb_bolt_get(b, digest, &s->digest);
	cb_buf_free(&at);
	cb_buf_free(&since);
}

static int read_stored(struct cb_bolt *b, void *arg)
{
	struct stored *s = arg;
	const char *const image[] = { "v1", s->ns, "containers", s->id, "image", NULL };
	const char *const labels[] = { "v1", s->ns, "containers", s->id, "labels", NULL };
	int ret;

	cb_found_reset(&s->labels);
	cb_buf_reset(&s->image);
	cb_buf_reset(&s->digest);
	ret = cb_bolt_get(b, image, &s->image);
	if (ret > 0)
		take_digest(b, s);
	ret = cb_bolt_each(b, labels, take_label, s);
	return ret == -ENOENT ? 0 : ret;
}

/* The daemon's data: it leaves a link to the container's part of it in the bundle. */
static char *root_of_bundle(struct cb_look *look, const char *state, const char *bundle)
{
	char *rel = cb_xasprintf("%s/work", bundle), *root = cb_host_link(look->host, CB_ADMIN, state, rel);
	char *at = root ? strstr(root, "/" TASKS "/") : NULL;

	free(rel);
	if (at && root[0] == '/') {
		*at = 0;
		return root;
	}
	free(root);
	return cb_xstrdup(ROOT);
}

/* Image, and labels; nerdctl renames a container by one of these. */
static void take_stored(struct cb_look *look, const char *state, const char *bundle, const char *ns, const char *id)
{
	struct cb_found *f = &look->found;
	struct stored s = { .ns = ns, .id = id };
	char *root = root_of_bundle(look, state, bundle);
	int fd = cb_host_open(look->host, CB_ADMIN, root, META);

	if (fd >= 0 && !cb_bolt_read(fd, read_stored, &s)) {
		if (!*f->image && s.image.len)
			cb_found_set(&f->image, s.image.s);
		if (s.digest.len)
			cb_found_set(&f->image_id, s.digest.s);
		if (cb_found_labelled(&s.labels, "nerdctl/name"))
			cb_found_set(&f->name, cb_found_labelled(&s.labels, "nerdctl/name"));
		f->label = s.labels.label;
		f->nlabel = s.labels.nlabel;
		s.labels.label = NULL;
	}
	if (fd >= 0)
		close(fd);
	cb_found_reset(&s.labels);
	cb_buf_free(&s.image);
	cb_buf_free(&s.digest);
	free(root);
}

static int from_bundle(struct cb_look *look, const char *state, const char *ns, const char *id)
{
	struct cb_found *f = &look->found;
	char *bundle, *rel, *runc;
	const char *root;
	struct stat st;
	int ret = -ENOENT;
	json_t *j;

	if (!cb_safe_name(ns) || !cb_safe_name(id) || !strcmp(ns, "moby"))
		return -ENOENT;
	bundle = cb_xasprintf(TASKS "/%s/%s", ns, id);
	rel = cb_xasprintf("%s/config.json", bundle);
	j = cb_host_json(look->host, CB_ADMIN, state, rel, &st);
	runc = j ? cb_xasprintf(STATE "/runc/%s", ns) : NULL;
	if (j && cb_oci_prove(look, CB_ADMIN, runc, id) != -EPERM) {
		f->runtime = "containerd";
		cb_found_set(&f->id, id);
		take_annotations(f, json_object_get(j, "annotations"), id);
		take_stored(look, state, bundle, ns, id);
		cb_found_labels(f, json_object_get(j, "annotations"));
		root = cb_json_text(j, "root.path");
		if (!f->rootfs && root[0])
			f->rootfs = root[0] == '/' ? cb_xstrdup(root) : cb_xasprintf("%s/%s/%s", state, bundle, root);
		cb_found_file(f, CB_ADMIN, state, rel, &st);
		ret = 0;
	}
	json_decref(j);
	free(bundle);
	free(rel);
	free(runc);
	return ret;
}

/* The namespace is in no systemd path, nor when the parent was chosen. */
static int in_any_namespace(struct cb_look *look, const char *id)
{
	char **ns = cb_host_list(look->host, CB_ADMIN, STATE, TASKS, MAX_NAMESPACES);
	int ret = -ENOENT;

	for (size_t i = 0; ns && ns[i] && ret; i++)
		ret = from_bundle(look, STATE, ns[i], id);
	cb_strv_free(ns);
	return ret;
}

static int containerd_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	const char *end = look->cgroup + look->cgroup_len - strlen(hint->id), *start;
	char ns[256];

	if (cb_is_id(hint->id))
		return in_any_namespace(look, hint->id);
	/* ctr: /NAMESPACE/NAME */
	if (end <= look->cgroup + 1)
		return -ENOENT;
	for (start = end - 1; start > look->cgroup && start[-1] != '/'; start--)
		;
	snprintf(ns, sizeof(ns), "%.*s", (int)(end - 1 - start), start);
	return from_bundle(look, STATE, ns, hint->id);
}

/* The daemon's state folder: it starts the shim in a bundle; the socket mostly lies there as well. */
static char *state_of_shim(struct cb_look *look, uint32_t shim, const char *address)
{
	char rel[32], *cwd, *at;
	struct stat st;

	snprintf(rel, sizeof(rel), "%u", shim);
	if (cb_host_stat(look->host, CB_ADMIN, "/proc", rel, &st) || st.st_uid)
		return NULL; /* anybody can call a program so */
	snprintf(rel, sizeof(rel), "%u/cwd", shim);
	cwd = cb_host_link(look->host, CB_ADMIN, "/proc", rel);
	at = cwd ? strstr(cwd, "/" TASKS "/") : NULL;
	if (at) {
		*at = 0;
		return cwd;
	}
	free(cwd);
	at = strrchr(address, '/');
	return address[0] == '/' ? cb_xasprintf("%.*s", (int)(at - address), address) : NULL;
}

/* The shim is the parent of the payload: "containerd-shim-runc-v2 -namespace NS -id ID -address SOCKET" */
static int containerd_by_pid(struct cb_look *look)
{
	uint32_t parent = cb_look_outside(look);
	struct cb_buf b = { 0 };
	const char *ns, *id, *address, *slash;
	char *state;
	int ret = -ENOENT;

	if (parent && cb_host_proc(look->host, parent, "cmdline", &b) > 0) {
		cb_buf_putc(&b, 0);
		slash = strrchr(b.s, '/');
		ns = cb_cmdline_option(&b, "-namespace");
		id = cb_cmdline_option(&b, "-id");
		address = cb_cmdline_option(&b, "-address");
		if (!strncmp(slash ? slash + 1 : b.s, "containerd-shim", 15) && ns && id && address) {
			state = state_of_shim(look, parent, address);
			ret = state ? from_bundle(look, state, ns, id) : -ENOENT;
			free(state);
		}
	}
	cb_buf_free(&b);
	return ret;
}

const struct cb_engine cb_engine_containerd = { containerd_match, containerd_resolve, containerd_by_pid };
