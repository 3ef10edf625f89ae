/* SPDX-License-Identifier: GPL-2.0 */
/* containerd as ctr, nerdctl and CRI use it: a bundle for each task, annotations in its config.json. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define STATE "/run/containerd"
#define TASKS "io.containerd.runtime.v2.task"
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
	cb_found_labels(f, a);
}

static int from_bundle(struct cb_look *look, const char *state, const char *ns, const char *id)
{
	struct cb_found *f = &look->found;
	char *rel, *runc;
	const char *root;
	struct stat st;
	int ret = -ENOENT;
	json_t *j;

	if (!cb_safe_name(ns) || !cb_safe_name(id) || !strcmp(ns, "moby"))
		return -ENOENT;
	rel = cb_xasprintf(TASKS "/%s/%s/config.json", ns, id);
	j = cb_host_json(look->host, CB_ADMIN, state, rel, &st);
	runc = j ? cb_xasprintf(STATE "/runc/%s", ns) : NULL;
	if (j && cb_oci_prove(look, CB_ADMIN, runc, id) != -EPERM) {
		f->runtime = "containerd";
		cb_found_set(&f->id, id);
		take_annotations(f, json_object_get(j, "annotations"), id);
		root = cb_json_text(j, "root.path");
		if (!f->rootfs && root[0])
			f->rootfs = root[0] == '/' ? cb_xstrdup(root) :
						     cb_xasprintf("%s/" TASKS "/%s/%s/%s", state, ns, id, root);
		cb_found_file(f, CB_ADMIN, state, rel, &st);
		ret = 0;
	}
	json_decref(j);
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

/* The shim is the parent of the payload: "containerd-shim-runc-v2 -namespace NS -id ID -address SOCKET" */
static int containerd_by_pid(struct cb_look *look)
{
	uint32_t parent = cb_host_outside(look->host, look->pid);
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
		if (!strncmp(slash ? slash + 1 : b.s, "containerd-shim", 15) && ns && id && address &&
		    address[0] == '/') {
			state = cb_xasprintf("%.*s", (int)(strrchr(address, '/') - address), address);
			ret = from_bundle(look, state, ns, id);
			free(state);
		}
	}
	cb_buf_free(&b);
	return ret;
}

const struct cb_engine cb_engine_containerd = { containerd_match, containerd_resolve, containerd_by_pid };
