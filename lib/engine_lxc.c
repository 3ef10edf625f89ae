/* SPDX-License-Identifier: GPL-2.0 */
/* LXC and systemd-nspawn: no image, a name and a folder; the parent's command line tells both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define LXC "/var/lib/lxc"
#define MACHINES "/run/systemd/machines"

/* ---- LXC ---- */
static enum cb_match lxc_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	snprintf(ret->runtime, sizeof(ret->runtime), "lxc");
	if (cb_part_affix(p, "lxc.monitor.", "", false, ret)) {
		ret->helper = true;
		return CB_SURE;
	}
	if (cb_part_affix(p, "lxc.payload.", "", false, ret))
		return CB_SURE;
	if (cb_parent_is(p, "lxc.payload") && cb_part_affix(p, "", "", false, ret))
		return CB_SURE;
	return cb_parent_is(p, "lxc") && cb_part_affix(p, "", "", false, ret) ? CB_MAYBE : CB_NO;
}

/* "KEY = VALUE" of a configuration, NULL if it is not there; the text is changed. */
static char *config_value(char *text, const char *key)
{
	char *save = NULL, *line;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t");
		if (strncmp(line, key, strlen(key)))
			continue;
		line += strlen(key);
		line += strspn(line, " \t");
		if (*line == '=')
			return line + 1 + strspn(line + 1, " \t");
	}
	return NULL;
}

/* "dir:/path", "overlayfs:/lower:/upper", "/path" */
static void take_lxc_root(struct cb_found *f, char *config)
{
	char *value = config_value(config, "lxc.rootfs.path"), *at = value ? strrchr(value, ':') : NULL;

	if (at)
		value = at + 1;
	if (value && value[0] == '/')
		cb_found_set(&f->rootfs, value);
}

/* uid: whose file it must be. */
static int lxc_from(struct cb_look *look, const char *base, const char *name, uid_t uid)
{
	struct cb_buf b = { 0 };
	char rel[300];
	struct stat st;
	int ret = -ENOENT;

	if (!cb_safe_name(name))
		return -ENOENT;
	snprintf(rel, sizeof(rel), "%s/config", name);
	if (cb_host_read(look->host, uid ? CB_USER : CB_ADMIN, base, rel, CB_FILE_MAX, &b, &st) >= 0 &&
	    st.st_uid == uid) {
		look->found.runtime = "lxc";
		cb_found_set(&look->found.id, name);
		cb_found_set(&look->found.name, name);
		if (b.len)
			take_lxc_root(&look->found, b.s);
		ret = 0;
	}
	cb_buf_free(&b);
	return ret;
}

static int lxc_by_pid(struct cb_look *look)
{
	static const char title[] = "[lxc monitor] ";
	uint32_t parent = cb_look_outside(look);
	struct cb_buf b = { 0 };
	char *path, *name, rel[32];
	struct stat st;
	int ret = -ENOENT;

	snprintf(rel, sizeof(rel), "%u", parent);
	if (parent && cb_host_proc(look->host, parent, "cmdline", &b) > 0 &&
	    !strncmp(b.s, title, sizeof(title) - 1) && !cb_host_stat(look->host, CB_ADMIN, "/proc", rel, &st)) {
		path = b.s + sizeof(title) - 1;
		name = strrchr(path, ' ');
		if (name && path[0] == '/') {
			*name++ = 0;
			ret = lxc_from(look, path, name, st.st_uid);
			look->found.proved = !ret;
		}
	}
	cb_buf_free(&b);
	return ret;
}

static int lxc_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	char name[sizeof(hint->id)], *dash;

	/* the monitor knows best: path and name were given to it */
	if (look->pid && !lxc_by_pid(look) &&
	    !strncmp(hint->id, look->found.id, strlen(look->found.id)))
		return 0;
	cb_found_reset(&look->found);
	if (!lxc_from(look, LXC, hint->id, 0))
		return 0;
	/* "lxc.payload.NAME-1": an older cgroup of that name was left over */
	snprintf(name, sizeof(name), "%s", hint->id);
	dash = strrchr(name, '-');
	if (!dash || !dash[1] || strspn(dash + 1, "0123456789") != strlen(dash + 1))
		return -ENOENT;
	*dash = 0;
	return lxc_from(look, LXC, name, 0);
}

/* ---- systemd-nspawn ---- */

/* systemd writes what may not be in a unit's name as \xHH */
static void unescape_unit(char *s)
{
	char *to = s;
	unsigned c;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &c) == 1 && c && s[3]) {
			*to = c;
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = 0;
}

/* machine-NAME.scope/payload, NAME.scope/payload, systemd-nspawn@NAME.service/payload, /payload */
static enum cb_match nspawn_match(const struct cb_part *p, struct cb_engine_hint *ret)
{
	const struct cb_part above = { .s = p->parent, .len = p->parent_len };
	enum cb_match m = CB_SURE;

	if (!cb_part_is(p, "payload"))
		return CB_NO;
	snprintf(ret->runtime, sizeof(ret->runtime), "nspawn");
	if (!cb_part_affix(&above, "machine-", ".scope", false, ret) &&
	    !cb_part_affix(&above, "systemd-nspawn@", ".service", false, ret) &&
	    !cb_part_affix(&above, "", ".scope", false, ret))
		m = p->parent_len ? CB_NO : CB_MAYBE;
	unescape_unit(ret->id);
	return m;
}

static void take_machine(struct cb_found *f, const char *name, const char *root)
{
	f->runtime = "nspawn";
	f->proved = true;
	cb_found_set(&f->id, name);
	cb_found_set(&f->name, name);
	cb_found_set(&f->image, root);
	cb_found_set(&f->rootfs, root);
}

static const char *first_option(const struct cb_buf *c, const char *a, const char *b)
{
	const char *s = cb_cmdline_option(c, a);

	return s ? s : cb_cmdline_option(c, b);
}

static int nspawn_by_pid(struct cb_look *look)
{
	uint32_t parent = cb_look_outside(look);
	struct cb_buf b = { 0 };
	const char *name, *root, *slash;
	int ret = -ENOENT;

	if (parent && cb_host_proc(look->host, parent, "cmdline", &b) > 0) {
		cb_buf_putc(&b, 0);
		slash = strrchr(b.s, '/');
		name = first_option(&b, "-M", "--machine");
		root = first_option(&b, "-D", "--directory");
		if (!root)
			root = first_option(&b, "-i", "--image");
		if (!name && root)
			name = strrchr(root, '/') ? strrchr(root, '/') + 1 : root;
		if (!strcmp(slash ? slash + 1 : b.s, "systemd-nspawn") && name && cb_safe_name(name)) {
			take_machine(&look->found, name, root && root[0] == '/' ? root : "");
			ret = 0;
		}
	}
	cb_buf_free(&b);
	return ret;
}

/* machined keeps a file for each machine that registered */
static int from_machined(struct cb_look *look, const char *name)
{
	struct cb_buf b = { 0 };
	struct stat st;
	char *root;
	int ret = -ENOENT;

	if (cb_safe_name(name) && cb_host_read(look->host, CB_ADMIN, MACHINES, name, CB_FILE_MAX, &b, &st) > 0) {
		root = config_value(b.s, "ROOT");
		take_machine(&look->found, name, root && root[0] == '/' ? root : "");
		cb_found_file(&look->found, CB_ADMIN, MACHINES, name, &st);
		ret = 0;
	}
	cb_buf_free(&b);
	return ret;
}

static int nspawn_resolve(struct cb_look *look, const struct cb_engine_hint *hint)
{
	if (look->pid && !nspawn_by_pid(look))
		return 0;
	return from_machined(look, hint->id);
}

const struct cb_engine cb_engine_lxc = { lxc_match, lxc_resolve, lxc_by_pid };
const struct cb_engine cb_engine_nspawn = { nspawn_match, nspawn_resolve, nspawn_by_pid };
