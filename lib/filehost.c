/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a file that a container names is found on this host: which file system it is in, and where in it, is what the
 * kernel says of an open file, and what the container's mounts say of a name.
 */
#include <stdlib.h>
#include <string.h>
#include "filehost.h"
#include "fileview.h"
#include "hash.h"
#include "mounts.h"

/* Processes that turned out not to have the container's root are read so often in an interval: that costs a reading each. */
#define MAX_REFUSED 4

/* The names in a container's mounts begin at its root. */
struct view {
	uint64_t cont;
	struct cb_mounts *mounts; /* NULL: could not be read */
	bool fresh;		  /* in this interval */
	unsigned refused;	  /* readings in this interval that were of no use */
	bool gone;		  /* at the end of the last: there may be notes of it yet */
	UT_hash_handle hh;
};

struct cb_filehost {
	struct cb_mounts *mounts; /* the host's */
	struct view *view;
	struct cb_buf inside;
};

struct cb_filehost *cb_filehost_new(void)
{
	struct cb_filehost *h = cb_xalloc(sizeof(*h));

	h->mounts = cb_mounts_new("/proc/self/mountinfo");
	return h;
}

static void view_free(struct cb_filehost *h, struct view *v)
{
	HASH_DEL(h->view, v);
	cb_mounts_free(v->mounts);
	free(v);
}

void cb_filehost_free(struct cb_filehost *h)
{
	struct view *v, *next;

	if (!h)
		return;
	HASH_ITER(hh, h->view, v, next)
		view_free(h, v);
	cb_mounts_free(h->mounts);
	cb_buf_free(&h->inside);
	free(h);
}

static struct cb_mounts *mounts_of(uint32_t pid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
	return pid ? cb_mounts_read(path) : NULL;
}

/* Puts the path inside its file system that the note tells into h->inside. */
static void put_inside(struct cb_filehost *h, const struct file_note *n)
{
	cb_buf_reset(&h->inside);
	if (!cb_file_inside(n, &h->inside)) /* no names: the root of the file system */
		cb_buf_putc(&h->inside, '/');
	cb_buf_putc(&h->inside, '\0');
}

/* Is the root of the process that of its container? Then its names may be looked up in the container's mounts. */
static bool same_root(struct cb_filehost *h, const struct file_note *n, struct cb_mounts *view)
{
	struct cb_buf root = {};
	uint32_t dev;
	bool same;

	put_inside(h, n);
	same = cb_mounts_place(view, "/", &dev, &root) && dev == n->root_dev && !strncmp(root.s, h->inside.s, root.len) &&
	       !h->inside.s[root.len];
	cb_buf_free(&root);
	return same;
}

/*
 * A container may mount what it likes at any time, and be gone in the next moment: what was read last is used. Of its
 * first process, else of the one that n is of or its parent, if that has its root where n says (the parent of a first
 * process is the host's, or whatever got its number since). n: NULL: the first process only.
 */
static struct view *read_view(struct cb_filehost *h, const struct cb_cont *c, const struct file_note *n)
{
	const uint32_t pids[] = { c->pid, n ? n->h.pid : 0, n ? n->h.ppid : 0 };
	struct cb_mounts *now = NULL;
	struct view *v;

	HASH_FIND(hh, h->view, &c->key, sizeof(c->key), v);
	if (v && (v->fresh || v->refused >= MAX_REFUSED))
		return v;
	if (!v) {
		v = cb_xalloc(sizeof(*v));
		v->cont = c->key;
		HASH_ADD(hh, h->view, cont, sizeof(v->cont), v);
	}
	for (size_t i = 0; !now && i < sizeof(pids) / sizeof(pids[0]); i++) {
		now = mounts_of(pids[i]);
		if (now && i && !same_root(h, n, now)) {
			cb_mounts_free(now);
			now = NULL;
			v->refused++;
		}
	}
	if (!now)
		return v;
	v->fresh = true;
	cb_mounts_free(v->mounts);
	v->mounts = now;
	return v;
}

void cb_filehost_container(struct cb_filehost *h, const struct cb_cont *c)
{
	read_view(h, c, NULL);
}

void cb_filehost_interval(struct cb_filehost *h, struct cb_run *run)
{
	struct view *v, *next;

	HASH_ITER(hh, h->view, v, next) {
		struct cb_head head = { .cont = v->cont };
		const struct cb_cont *c = cb_run_cont(run, &head);

		v->fresh = false;
		v->refused = 0;
		if (!c || v->gone)
			view_free(h, v);
		else
			v->gone = c->gone;
	}
}

static struct cb_mounts *view_of(struct cb_filehost *h, struct cb_run *run, const struct file_note *n)
{
	const struct cb_cont *c = cb_run_cont(run, &n->h);

	if (!n->h.cont)
		return h->mounts;
	return c ? read_view(h, c, n)->mounts : NULL;
}

/* Into h->inside, and the file system: of an open file what the kernel says, of a name what the mounts say. */
static bool place_of(struct cb_filehost *h, struct cb_run *run, const struct file_note *n, const char *path,
		     uint32_t *ret_dev)
{
	struct cb_mounts *view;

	if (n->dev) {
		put_inside(h, n);
		*ret_dev = n->dev;
		return true;
	}
	/* where ".." leads behind a link is not known */
	if (!n->root_dev || *path != '/' || strstr(path, "/..") || (n->bits & (FILE_CUT | FILE_OUTSIDE)))
		return false;
	view = view_of(h, run, n);
	if (!view || !same_root(h, n, view))
		return false;
	cb_buf_reset(&h->inside);
	if (!cb_mounts_place(view, path, ret_dev, &h->inside))
		return false;
	cb_buf_putc(&h->inside, '\0');
	return true;
}

void cb_filehost_find(struct cb_filehost *h, struct cb_run *run, const struct file_note *n, const char *path, char *ret,
		      size_t size)
{
	struct cb_buf host = {};
	uint32_t dev;

	if (n->bits & FILE_ANON)
		return;
	if (place_of(h, run, n, path, &dev) && cb_mounts_find(h->mounts, dev, h->inside.s, &host))
		snprintf(ret, size, "%.*s", (int)host.len, host.s);
	cb_buf_free(&host);
}
