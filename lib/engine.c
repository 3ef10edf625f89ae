/* SPDX-License-Identifier: GPL-2.0 */
/* Which engine made this container: the table of engines, and the walk over a cgroup path. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define MAX_LABELS 256
#define MAX_TEXT 1024

/* In the order of how often they are met: the first that matches a part of the path is asked first. */
static const struct cb_engine *const engines[] = {
	&cb_engine_docker, &cb_engine_podman, &cb_engine_containerd, &cb_engine_crio,
	&cb_engine_lxc,	   &cb_engine_nspawn, &cb_engine_runc,	     &cb_engine_crun,
};
#define NENGINES (sizeof(engines) / sizeof(engines[0]))

bool cb_part_is(const struct cb_part *p, const char *name)
{
	return p->len == strlen(name) && !memcmp(p->s, name, p->len);
}

bool cb_parent_is(const struct cb_part *p, const char *name)
{
	return p->parent_len == strlen(name) && !memcmp(p->parent, name, p->parent_len);
}

static bool is_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdef", s[i]) || !s[i])
			return false;
	return true;
}

bool cb_part_is_id(const struct cb_part *p)
{
	return p->len == 64 && is_hex(p->s, 64);
}

bool cb_is_id(const char *s)
{
	return strlen(s) == 64 && is_hex(s, 64);
}

bool cb_safe_name(const char *s)
{
	return *s && strcmp(s, ".") && strcmp(s, "..") && !strchr(s, '/') && strlen(s) < 256;
}

void cb_hint_set(struct cb_engine_hint *ret, const char *runtime, const char *id, size_t len)
{
	snprintf(ret->runtime, sizeof(ret->runtime), "%s", runtime);
	snprintf(ret->id, sizeof(ret->id), "%.*s", (int)len, id);
}

bool cb_part_affix(const struct cb_part *p, const char *prefix, const char *suffix, bool hex,
		   struct cb_engine_hint *ret)
{
	size_t a = strlen(prefix), b = strlen(suffix), n;

	if (p->len <= a + b || memcmp(p->s, prefix, a) || memcmp(p->s + p->len - b, suffix, b))
		return false;
	n = p->len - a - b;
	if (hex ? n != 64 || !is_hex(p->s + a, n) : n >= sizeof(ret->id))
		return false;
	snprintf(ret->id, sizeof(ret->id), "%.*s", (int)n, p->s + a);
	return true;
}

/* The part that ends at end, false at the root. Moves end to the end of the part above. */
static bool next_part(const char *cgroup, size_t *end, struct cb_part *p)
{
	size_t e = *end, s, above;

	while (e && cgroup[e - 1] == '/')
		e--;
	for (s = e; s && cgroup[s - 1] != '/'; s--)
		;
	if (s == e)
		return false;
	for (above = s; above && cgroup[above - 1] == '/'; above--)
		;
	*end = above;
	p->s = cgroup + s;
	p->len = e - s;
	p->end = e;
	for (s = above; s && cgroup[s - 1] != '/'; s--)
		;
	p->parent = cgroup + s;
	p->parent_len = above - s;
	return true;
}

void cb_engine_of_path(const char *cgroup, struct cb_engine_hint *ret)
{
	size_t end = strlen(cgroup);
	struct cb_part p;

	while (next_part(cgroup, &end, &p)) {
		for (size_t i = 0; i < NENGINES; i++) {
			memset(ret, 0, sizeof(*ret));
			if (engines[i]->match(&p, ret) == CB_SURE)
				return;
		}
	}
	memset(ret, 0, sizeof(*ret));
}

void cb_found_set(char **to, const char *text)
{
	size_t n = strnlen(text, MAX_TEXT);
	char *s = cb_xalloc(n + 1);

	memcpy(s, text, n);
	free(*to);
	*to = s;
}

const char *cb_found_labelled(const struct cb_found *f, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < f->nlabel; i++)
		if (!strncmp(f->label[i], key, n) && f->label[i][n] == '=')
			return f->label[i] + n + 1;
	return NULL;
}

void cb_found_label(struct cb_found *f, const char *key, const char *value)
{
	if (f->nlabel >= MAX_LABELS || strlen(key) > MAX_TEXT || cb_found_labelled(f, key))
		return;
	f->label = cb_xrealloc(f->label, (f->nlabel + 2) * sizeof(*f->label));
	f->label[f->nlabel++] = cb_xasprintf("%s=%.*s", key, MAX_TEXT, value);
	f->label[f->nlabel] = NULL;
}

void cb_found_labels(struct cb_found *f, const json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)object, key, v)
		if (json_is_string(v))
			cb_found_label(f, key, json_string_value(v));
}

void cb_found_file(struct cb_found *f, enum cb_trust trust, const char *base, const char *file, const struct stat *st)
{
	f->trust = trust;
	f->mtime = st->st_mtim;
	cb_found_set(&f->base, base);
	cb_found_set(&f->file, file);
}

void cb_found_reset(struct cb_found *f)
{
	free(f->id);
	free(f->name);
	free(f->image);
	free(f->image_id);
	free(f->rootfs);
	free(f->base);
	free(f->file);
	cb_strv_free(f->label);
	memset(f, 0, sizeof(*f));
}

/* Asks the engines that the part matches this well. */
static int ask(struct cb_look *look, const struct cb_part *p, enum cb_match want)
{
	struct cb_engine_hint hint;

	look->cgroup_len = p->end;
	for (size_t i = 0; i < NENGINES; i++) {
		memset(&hint, 0, sizeof(hint));
		if (engines[i]->match(p, &hint) != want || hint.helper)
			continue;
		if (!engines[i]->resolve(look, &hint))
			return 0;
		cb_found_reset(&look->found);
	}
	return -ENOENT;
}

/*
 * From the leaf upwards, since what runs inside adds parts below the engine's. A container may make a cgroup
 * below its own that looks like another's: a find that the runtime does not prove gives way to one above it
 * that is proved.
 */
static int ask_path(struct cb_look *look, enum cb_match want)
{
	size_t end = strlen(look->cgroup);
	struct cb_found best = { 0 };
	struct cb_part p;

	while (next_part(look->cgroup, &end, &p)) {
		if (ask(look, &p, want))
			continue;
		if (look->found.proved || !best.runtime) {
			cb_found_reset(&best);
			best = look->found;
			memset(&look->found, 0, sizeof(look->found));
			if (best.proved)
				break;
		}
		cb_found_reset(&look->found);
	}
	look->found = best;
	return best.runtime ? 0 : -ENOENT;
}

uint32_t cb_look_outside(struct cb_look *look)
{
	if (!look->has_outside && look->pid)
		look->outside = cb_host_outside(look->host, look->pid);
	look->has_outside = true;
	return look->outside;
}

int cb_engine_find(struct cb_look *look)
{
	struct cb_found sure = { 0 };

	if (!ask_path(look, CB_SURE) && look->found.proved)
		return 0;
	sure = look->found;
	memset(&look->found, 0, sizeof(look->found));
	/* without a proof a container with an ordinary name further up may be the true one */
	if (!ask_path(look, CB_MAYBE) && (look->found.proved || !sure.runtime)) {
		cb_found_reset(&sure);
		return 0;
	}
	cb_found_reset(&look->found);
	look->found = sure;
	if (sure.runtime)
		return 0;
	look->skipped = look->quick && look->pid;
	if (look->quick)
		return -ENOENT;
	look->cgroup_len = strlen(look->cgroup);
	for (size_t i = 0; look->pid && i < NENGINES; i++) {
		if (engines[i]->by_pid && !engines[i]->by_pid(look))
			return 0;
		cb_found_reset(&look->found);
	}
	return -ENOENT;
}
