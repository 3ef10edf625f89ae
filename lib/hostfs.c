/* SPDX-License-Identifier: GPL-2.0 */
/* Reading the host's files when a container may have had a hand in them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "engine.h"

#define MAX_ANCESTORS 64

static int open_below(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, int flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int dir, fd;

	while (*base == '/')
		base++;
	dir = openat(h->fd, *base ? base : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (trust == CB_USER)
		how.resolve |= RESOLVE_NO_XDEV;
	fd = syscall(SYS_openat2, dir, rel, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(dir);
	return fd;
}

static int read_all(int fd, size_t max, struct cb_buf *out)
{
	char chunk[16384];
	ssize_t n;

	cb_buf_reset(out);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (out->len + n > max)
			return -EFBIG;
		cb_buf_put(out, chunk, n);
	}
	return n < 0 ? -errno : (int)out->len;
}

static int open_regular(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, struct stat *st)
{
	/* O_NONBLOCK: a FIFO put in the file's place must not hold us */
	int fd = open_below(h, trust, base, rel, O_RDONLY | O_NONBLOCK | O_NOCTTY), ret;

	if (fd < 0)
		return fd;
	ret = fstat(fd, st) < 0 ? -errno : S_ISREG(st->st_mode) ? 0 : -EINVAL;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int cb_host_open(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel)
{
	struct stat st;

	return open_regular(h, trust, base, rel, &st);
}

int cb_host_read(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, size_t max,
		 struct cb_buf *out, struct stat *st)
{
	struct stat own;
	int fd = open_regular(h, trust, base, rel, st ? st : &own), ret;

	if (fd < 0)
		return fd;
	ret = read_all(fd, max, out);
	close(fd);
	return ret;
}

json_t *cb_host_json(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel,
		     struct stat *st)
{
	struct cb_buf b = { 0 };
	json_t *j = NULL;

	if (cb_host_read(h, trust, base, rel, CB_FILE_MAX, &b, st) > 0)
		j = json_loadb(b.s, b.len, 0, NULL);
	cb_buf_free(&b);
	return j;
}

int cb_host_stat(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, struct stat *st)
{
	int fd = open_below(h, trust, base, rel, O_PATH), ret;

	if (fd < 0)
		return fd;
	ret = fstat(fd, st) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

char *cb_host_link(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel)
{
	int fd = open_below(h, trust, base, rel, O_PATH);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return n > 0 && n < (ssize_t)sizeof(text) ? cb_xasprintf("%.*s", (int)n, text) : NULL;
}

char **cb_host_list(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, size_t max)
{
	int fd = open_below(h, trust, base, rel, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	char **v = NULL;
	size_t n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (n < max && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		v = cb_xrealloc(v, (n + 2) * sizeof(*v));
		v[n++] = cb_xstrdup(e->d_name);
		v[n] = NULL;
	}
	closedir(d);
	return v;
}

void cb_strv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

void cb_host_forget(struct cb_host *h)
{
	json_decref(h->storage);
	free(h->storage_file);
	h->storage = NULL;
	h->storage_file = NULL;
	cb_libpod_forget(h);
}

void cb_host_close(struct cb_host *h)
{
	cb_host_forget(h);
	cb_states_free(h->runc);
	cb_states_free(h->crun);
	if (h->fd >= 0)
		close(h->fd);
}

int cb_host_proc(const struct cb_host *h, uint32_t pid, const char *name, struct cb_buf *out)
{
	char rel[64];

	snprintf(rel, sizeof(rel), "%u/%s", pid, name);
	return cb_host_read(h, CB_ADMIN, "/proc", rel, CB_FILE_MAX, out, NULL);
}

/* Lines of text, one by one; the text is changed. */
static char *next_line(char **at)
{
	char *line = *at, *nl;

	if (!line || !*line)
		return NULL;
	nl = strchr(line, '\n');
	if (nl)
		*nl++ = 0;
	*at = nl;
	return line;
}

/* How well a line of /proc/PID/cgroup tells the container: engines use every hierarchy, or only v2, or only v1. */
static int cgroup_rank(const char *controllers, size_t len, const char *path)
{
	static const char *const order[] = { "name=systemd", "memory", "pids", "" };

	if (!strcmp(path, "/"))
		return 0;
	for (int i = 3; i >= 0; i--)
		if (len == strlen(order[i]) && !memcmp(controllers, order[i], len))
			return i + 1;
	return 0;
}

char *cb_host_cgroup(const struct cb_host *h, uint32_t pid)
{
	struct cb_buf b = { 0 };
	char *line, *at, *ret = NULL;
	int best = 0;

	if (cb_host_proc(h, pid, "cgroup", &b) > 0) {
		for (at = b.s; (line = next_line(&at));) {
			char *ctl = strchr(line, ':'), *path = ctl ? strchr(ctl + 1, ':') : NULL;
			int rank = path ? cgroup_rank(ctl + 1, path - ctl - 1, path + 1) : 0;

			if (rank > best) {
				best = rank;
				free(ret);
				ret = cb_xstrdup(path + 1);
			}
		}
	}
	cb_buf_free(&b);
	return ret ? ret : cb_xstrdup("");
}

/* Parent and depth of pid namespaces (how many numbers it has). */
static int proc_family(const struct cb_host *h, uint32_t pid, uint32_t *ret_ppid)
{
	struct cb_buf b = { 0 };
	char *line, *at, *word;
	int depth = 0;

	*ret_ppid = 0;
	if (cb_host_proc(h, pid, "status", &b) > 0) {
		for (at = b.s; (line = next_line(&at));) {
			if (!strncmp(line, "PPid:", 5))
				*ret_ppid = strtoul(line + 5, NULL, 10);
			else if (!strncmp(line, "NSpid:", 6))
				for (word = line + 6; (word = strchr(word, '\t')); word++)
					depth++;
		}
	}
	cb_buf_free(&b);
	return depth;
}

static char *mount_ns(const struct cb_host *h, uint32_t pid)
{
	char rel[32];

	snprintf(rel, sizeof(rel), "%u/ns/mnt", pid);
	return cb_host_link(h, CB_ADMIN, "/proc", rel);
}

/*
 * Of a process with the host's own pids: the nearest ancestor that sees the host's files. Those are the first process's;
 * where this one is a service its own are others.
 */
static uint32_t outside_mounts(const struct cb_host *h, uint32_t parent)
{
	char *own = mount_ns(h, getpid()), *first = mount_ns(h, 1), *ns;
	uint32_t ret = 0, next;

	for (int i = 0; parent && !ret && i < MAX_ANCESTORS; i++, parent = next) {
		ns = mount_ns(h, parent);
		if (ns && ((own && !strcmp(ns, own)) || (first && !strcmp(ns, first))))
			ret = parent;
		free(ns);
		proc_family(h, parent, &next);
	}
	free(own);
	free(first);
	return ret;
}

uint32_t cb_host_outside(const struct cb_host *h, uint32_t pid)
{
	uint32_t parent, next;
	int depth = proc_family(h, pid, &parent);

	if (depth == 1)
		return outside_mounts(h, parent);
	for (int i = 0; depth && parent && i < MAX_ANCESTORS; i++, parent = next) {
		int d = proc_family(h, parent, &next);

		if (d && d < depth)
			return parent;
	}
	return 0;
}

struct mount {
	char *dev, *root, *point;
};

/* mountinfo writes space, tab, newline and backslash as \OOO */
static void unescape_octal(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*to = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = 0;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ..." */
static bool parse_mount(char *line, struct mount *m)
{
	char *save = NULL;

	if (!strtok_r(line, " ", &save) || !strtok_r(NULL, " ", &save))
		return false;
	m->dev = strtok_r(NULL, " ", &save);
	m->root = strtok_r(NULL, " ", &save);
	m->point = strtok_r(NULL, " ", &save);
	if (!m->point)
		return false;
	unescape_octal(m->root);
	unescape_octal(m->point);
	return true;
}

/* Where the host sees path of the file system dev. */
static char *host_view(const struct cb_host *h, const char *dev, const char *path)
{
	struct cb_buf b = { 0 };
	char *line, *at, *ret = NULL;
	struct mount m;
	size_t len;

	/* our own view; a test's tree has only numbered processes */
	if (cb_host_read(h, CB_ADMIN, "/proc", "1/mountinfo", CB_FILE_MAX, &b, NULL) > 0) {
		for (at = b.s; !ret && (line = next_line(&at));) {
			if (!parse_mount(line, &m) || strcmp(m.dev, dev))
				continue;
			len = strcmp(m.root, "/") ? strlen(m.root) : 0;
			if (!strncmp(path, m.root, len) && path[len] == '/')
				ret = cb_xasprintf("%s%s", strcmp(m.point, "/") ? m.point : "", path + len);
		}
	}
	cb_buf_free(&b);
	return ret;
}

char *cb_host_mounted(const struct cb_host *h, uint32_t pid, const char *point)
{
	struct cb_buf b = { 0 };
	char *line, *at, *ret = NULL;
	struct mount m;

	if (cb_host_proc(h, pid, "mountinfo", &b) > 0) {
		for (at = b.s; !ret && (line = next_line(&at));)
			if (parse_mount(line, &m) && !strcmp(m.point, point))
				ret = host_view(h, m.dev, m.root);
	}
	cb_buf_free(&b);
	return ret;
}

const char *cb_cmdline_option(const struct cb_buf *c, const char *option)
{
	size_t n = strlen(option);

	for (const char *p = c->s; p && p < c->s + c->len; p += strlen(p) + 1) {
		if (strncmp(p, option, n))
			continue;
		if (p[n] == '=')
			return p + n + 1;
		if (!p[n] && p + n + 1 < c->s + c->len)
			return p + n + 1;
	}
	return NULL;
}

const char *cb_json_text(const json_t *j, const char *path)
{
	char key[64];
	const char *dot;

	/* keys that hold dots are asked for by json_object_get() */
	for (; j && (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		j = json_object_get(j, key);
	}
	j = j ? json_object_get(j, path) : NULL;
	return json_is_string(j) ? json_string_value(j) : "";
}
