/* SPDX-License-Identifier: GPL-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mounts.h"

struct mount {
	uint32_t dev;
	char *root, *point; /* what of the file system, and where */
};

struct cb_mounts {
	int fd;
	char *path; /* NULL: it was read once */
	struct mount *v;
	size_t n;
};

struct cb_mounts *cb_mounts_new(const char *path)
{
	struct cb_mounts *m = cb_xalloc(sizeof(*m));

	m->fd = -1;
	m->path = cb_xstrdup(path);
	return m;
}

static void forget(struct cb_mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].root);
		free(m->v[i].point);
	}
	free(m->v);
	m->v = NULL;
	m->n = 0;
}

void cb_mounts_free(struct cb_mounts *m)
{
	if (!m)
		return;
	forget(m);
	if (m->fd >= 0)
		close(m->fd);
	free(m->path);
	free(m);
}

/* Spaces and the like stand as \040, in place. */
static char *unescape(char *s)
{
	char *to = s, *from = s;

	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return s;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ..." */
static void take(struct cb_mounts *m, char *line)
{
	unsigned major, minor;
	char *root, *point;

	if (sscanf(line, "%*u %*u %u:%u", &major, &minor) != 2)
		return;
	strsep(&line, " ");
	strsep(&line, " ");
	strsep(&line, " ");
	root = strsep(&line, " ");
	point = strsep(&line, " ");
	if (!root || !point)
		return;
	m->v = cb_xrealloc(m->v, (m->n + 1) * sizeof(*m->v));
	m->v[m->n++] = (struct mount){ major << 20 | minor, cb_xstrdup(unescape(root)), cb_xstrdup(unescape(point)) };
}

static void reread(struct cb_mounts *m)
{
	struct cb_buf all = {};
	char chunk[16384], *line, *rest;
	off_t at = 0;
	ssize_t n;

	forget(m);
	while ((n = pread(m->fd, chunk, sizeof(chunk), at)) > 0) {
		cb_buf_put(&all, chunk, n);
		at += n;
	}
	cb_buf_putc(&all, '\0');
	for (rest = all.s; (line = strsep(&rest, "\n"));)
		take(m, line);
	cb_buf_free(&all);
}

/* The kernel marks the file as exceptional (POLLPRI) when the mounts changed. */
static void refresh(struct cb_mounts *m)
{
	struct pollfd p = { .events = POLLPRI };

	if (!m->path)
		return;
	if (m->fd < 0) {
		m->fd = open(m->path, O_RDONLY | O_CLOEXEC);
		if (m->fd >= 0)
			reread(m);
		return;
	}
	p.fd = m->fd;
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLPRI))
		reread(m);
}

struct cb_mounts *cb_mounts_read(const char *path)
{
	struct cb_mounts *m = cb_mounts_new(path);

	refresh(m);
	if (!m->n) {
		cb_mounts_free(m);
		return NULL;
	}
	free(m->path);
	m->path = NULL;
	close(m->fd);
	m->fd = -1;
	return m;
}

/* What of path is below root: "/a/b" below "/a" is "/b"; NULL if it is not. */
static const char *below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n == 1)
		return path;
	if (strncmp(path, root, n) || (path[n] && path[n] != '/'))
		return NULL;
	return path + n;
}

static void put_joined(struct cb_buf *to, const char *folder, const char *rest)
{
	if (!strcmp(rest, "/"))
		rest = "";
	if (strcmp(folder, "/") || !*rest)
		cb_buf_puts(to, folder);
	cb_buf_puts(to, rest);
}

/* The mount that shows most of the file system; of several the first, which is the oldest. */
bool cb_mounts_find(struct cb_mounts *m, uint32_t dev, const char *inside, struct cb_buf *ret)
{
	const struct mount *best = NULL;
	const char *rest = NULL;

	refresh(m);
	for (size_t i = 0; i < m->n; i++) {
		const char *r = m->v[i].dev == dev ? below(inside, m->v[i].root) : NULL;

		if (r && (!best || strlen(m->v[i].root) < strlen(best->root))) {
			best = &m->v[i];
			rest = r;
		}
	}
	if (!best)
		return false;
	put_joined(ret, best->point, rest);
	return true;
}

/* Of several mounts on one place the last is seen. */
bool cb_mounts_place(struct cb_mounts *m, const char *path, uint32_t *ret_dev, struct cb_buf *inside)
{
	const struct mount *best = NULL;
	const char *rest = NULL;

	refresh(m);
	for (size_t i = 0; i < m->n; i++) {
		const char *r = below(path, m->v[i].point);

		if (r && (!best || strlen(m->v[i].point) >= strlen(best->point))) {
			best = &m->v[i];
			rest = r;
		}
	}
	if (!best)
		return false;
	*ret_dev = best->dev;
	put_joined(inside, best->root, rest);
	return true;
}
