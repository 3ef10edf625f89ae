/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of a bolt file: a tree of them for each bucket, and two meta pages of which the newer one counts. A
 * user may have written it (rootless podman), so nothing in it is believed: not a position, a count, or that a tree
 * has no cycle. It is read, never mapped: the owner may cut it off.
 *
 * A transaction writes pages that the state before it does not use, then its meta page. So the pages of a state
 * hold as long as its meta page is the newest when they have been read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bolt.h"

#define MAGIC 0xED0CDAED
#define VERSION 2
#define PAGE_MIN 1024
#define PAGE_MAX (1 << 20)
#define MAX_DEPTH 32	    /* a tree of 4 KiB pages this deep would not fit on a disk */
#define MAX_READ (16 << 20) /* bytes of pages that one call of fn may look at */
#define MAX_TRIES 8

enum { IS_BRANCH = 1, IS_LEAF = 2 }; /* page_head.flags */
enum { IS_BUCKET = 1 };		     /* leaf_head.flags */

/* As they lie in the file, which is in its machine's byte order. */
struct page_head {
	uint64_t id;
	uint16_t flags, count;
	uint32_t overflow; /* pages that belong to this one */
};
struct bucket_head {
	uint64_t root, sequence; /* root 0: its only page follows */
};
struct meta {
	uint32_t magic, version, page_size, flags;
	struct bucket_head root;
	uint64_t freelist, high, txid, checksum;
};
struct branch_head {
	uint32_t pos, nkey;
	uint64_t page;
};
struct leaf_head {
	uint32_t flags, pos, nkey, nvalue;
};

struct cb_bolt {
	int fd;
	struct meta meta;
	size_t left; /* of MAX_READ */
};

struct page {
	char *s; /* owned */
	size_t len;
	bool leaf;
	unsigned count;
};

/* Of a page, and valid as long as that is. */
struct element {
	const char *key, *value;
	size_t nkey, nvalue;
	bool bucket;	/* leaf: value is a bucket's */
	uint64_t child; /* branch */
};

static uint64_t checksum(const struct meta *m)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */

	for (size_t i = 0; i < offsetof(struct meta, checksum); i++)
		h = (h ^ ((const unsigned char *)m)[i]) * 1099511628211ull;
	return h;
}

/* The meta page at this place, if there is one. */
static bool read_meta(int fd, uint64_t at, struct meta *ret)
{
	struct meta m;
	uint32_t size;

	if (pread(fd, &m, sizeof(m), at + sizeof(struct page_head)) != sizeof(m))
		return false;
	size = m.page_size;
	if (m.magic != MAGIC || m.version != VERSION || m.checksum != checksum(&m) || size < PAGE_MIN ||
	    size > PAGE_MAX || (size & (size - 1)) || (at && at != size))
		return false;
	*ret = m;
	return true;
}

/* The first page may be the one that is being written: then only trying tells where the second is. */
static int newest_meta(int fd, struct meta *ret)
{
	struct meta m;
	bool first = read_meta(fd, 0, ret);

	for (uint64_t at = first ? ret->page_size : PAGE_MIN; at <= PAGE_MAX; at *= 2) {
		if (read_meta(fd, at, &m)) {
			if (!first || m.txid > ret->txid)
				*ret = m;
			return 0;
		}
		if (first)
			return 0;
	}
	return -EINVAL;
}

/* Takes s. */
static int page_of(char *s, size_t len, struct page *ret)
{
	struct page_head h;

	if (len >= sizeof(h)) {
		memcpy(&h, s, sizeof(h));
		if ((h.flags == IS_BRANCH || h.flags == IS_LEAF) && len >= sizeof(h) + h.count * sizeof(struct leaf_head)) {
			*ret = (struct page){ s, len, h.flags == IS_LEAF, h.count };
			return 0;
		}
	}
	free(s);
	return -EINVAL;
}

static int page_read(struct cb_bolt *b, uint64_t id, struct page *ret)
{
	const uint64_t size = b->meta.page_size;
	struct page_head h;
	uint64_t len;
	char *s;

	/* the first two are the meta pages; none is as far away as to overflow */
	if (id < 2 || id >= b->meta.high || id > INT64_MAX / PAGE_MAX ||
	    pread(b->fd, &h, sizeof(h), id * size) != sizeof(h) || h.id != id)
		return -EINVAL;
	len = (h.overflow + 1ull) * size;
	if (len > b->left)
		return -EINVAL;
	b->left -= len;
	s = cb_xalloc(len);
	if (pread(b->fd, s, len, id * size) != (ssize_t)len) {
		free(s);
		return -EINVAL;
	}
	return page_of(s, len, ret);
}

static int element(const struct page *p, unsigned i, struct element *ret)
{
	const uint64_t at = sizeof(struct page_head) + i * sizeof(struct leaf_head);
	struct branch_head br = { 0 };
	struct leaf_head l = { 0 };

	if (p->leaf) {
		memcpy(&l, p->s + at, sizeof(l));
	} else {
		memcpy(&br, p->s + at, sizeof(br));
		l = (struct leaf_head){ .pos = br.pos, .nkey = br.nkey };
	}
	if (at + l.pos + l.nkey + l.nvalue > p->len)
		return -EINVAL;
	ret->key = p->s + at + l.pos;
	ret->nkey = l.nkey;
	ret->value = ret->key + l.nkey;
	ret->nvalue = l.nvalue;
	ret->bucket = l.flags & IS_BUCKET;
	ret->child = br.page;
	return 0;
}

static int compare(const struct element *e, const char *key, size_t n)
{
	int c = memcmp(e->key, key, e->nkey < n ? e->nkey : n);

	return c ? c : (e->nkey > n) - (e->nkey < n);
}

/* The last element that is not above key; the first if all are. exact: it is key. -ENOENT: there is none at all. */
static int search(const struct page *p, const char *key, size_t n, struct element *ret, bool *exact)
{
	unsigned low = 0, high = p->count;
	int err, c;

	*exact = false;
	if (!high)
		return -ENOENT;
	while (high - low > 1) {
		unsigned mid = low + (high - low) / 2;

		err = element(p, mid, ret);
		if (err)
			return err;
		c = compare(ret, key, n);
		if (c <= 0)
			low = mid;
		else
			high = mid;
	}
	err = element(p, low, ret);
	*exact = !err && !compare(ret, key, n);
	return err;
}

/* From a bucket's root page down to the leaf that has the key: p becomes that leaf. */
static int find(struct cb_bolt *b, struct page *p, const char *key, struct element *ret)
{
	const size_t n = strlen(key);
	bool exact;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		struct page below;
		int err = search(p, key, n, ret, &exact);

		if (err)
			return err;
		if (p->leaf)
			return exact ? 0 : -ENOENT;
		err = page_read(b, ret->child, &below);
		if (err)
			return err;
		free(p->s);
		*p = below;
	}
	return -EINVAL;
}

/* The root page of the bucket that is e's value. */
static int bucket_page(struct cb_bolt *b, const struct element *e, struct page *ret)
{
	struct bucket_head h;
	size_t len;
	char *s;

	if (!e->bucket)
		return -ENOENT;
	if (e->nvalue < sizeof(h))
		return -EINVAL;
	memcpy(&h, e->value, sizeof(h));
	if (h.root)
		return page_read(b, h.root, ret);
	len = e->nvalue - sizeof(h);
	s = cb_xalloc(len + 1);
	memcpy(s, e->value + sizeof(h), len);
	return page_of(s, len, ret);
}

/* Root page of the bucket that the names before end lead to. The caller frees its s. */
static int open_bucket(struct cb_bolt *b, const char *const *path, const char *const *end, struct page *ret)
{
	struct page p, next;
	struct element e;
	int err = page_read(b, b->meta.root.root, &p);

	for (; !err && path < end; path++) {
		err = find(b, &p, *path, &e);
		if (!err)
			err = bucket_page(b, &e, &next);
		free(p.s);
		if (!err)
			p = next;
	}
	if (!err)
		*ret = p;
	return err;
}

int cb_bolt_get(struct cb_bolt *b, const char *const *path, struct cb_buf *out)
{
	const char *const *last = path;
	struct page p;
	struct element e;
	int err;

	while (last[1])
		last++;
	err = open_bucket(b, path, last, &p);
	if (err)
		return err;
	err = find(b, &p, *last, &e);
	if (!err && e.bucket)
		err = -ENOENT;
	if (!err) {
		cb_buf_reset(out);
		cb_buf_put(out, e.value, e.nvalue);
	}
	free(p.s);
	return err ? err : (int)e.nvalue;
}

struct visit {
	struct cb_bolt *bolt;
	int (*fn)(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg);
	void *arg;
};

static int walk(const struct visit *v, const struct page *p, int depth)
{
	struct page below;
	struct element e;
	int err = depth < MAX_DEPTH ? 0 : -EINVAL;

	for (unsigned i = 0; !err && i < p->count; i++) {
		err = element(p, i, &e);
		if (err || e.bucket)
			continue;
		if (p->leaf) {
			err = v->fn(e.key, e.nkey, e.value, e.nvalue, v->arg);
			continue;
		}
		err = page_read(v->bolt, e.child, &below);
		if (!err) {
			err = walk(v, &below, depth + 1);
			free(below.s);
		}
	}
	return err;
}

int cb_bolt_each(struct cb_bolt *b, const char *const *path,
		 int (*fn)(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg), void *arg)
{
	const struct visit v = { b, fn, arg };
	const char *const *end = path;
	struct page p;
	int err;

	while (*end)
		end++;
	err = open_bucket(b, path, end, &p);
	if (err)
		return err;
	err = walk(&v, &p, 0);
	free(p.s);
	return err;
}

int cb_bolt_read(int fd, int (*fn)(struct cb_bolt *b, void *arg), void *arg)
{
	struct cb_bolt b = { .fd = fd };
	struct meta after;

	for (int i = 0; i < MAX_TRIES; i++) {
		int err = newest_meta(fd, &b.meta), ret;

		if (err)
			return err;
		b.left = MAX_READ;
		ret = fn(&b, arg);
		if (!newest_meta(fd, &after) && after.txid == b.meta.txid)
			return ret;
	}
	return -EAGAIN;
}
