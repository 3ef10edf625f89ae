/* SPDX-License-Identifier: GPL-2.0 */
/* Writes a bolt file as its layout is documented: pages, elements, two meta pages. */
#ifndef BOLT_TEST_H
#define BOLT_TEST_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BOLT_PAGE 4096
#define BOLT_PAGES 64

struct bolt_file {
	unsigned char s[BOLT_PAGES * BOLT_PAGE];
	unsigned used; /* pages */
};

/* key "" ends a list; a bucket's value is made by bolt_bucket() or bolt_inline() */
struct bolt_item {
	const char *key;
	const void *value;
	size_t len;
	int bucket;
};

static inline void bolt_u16(unsigned char *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void bolt_u32(unsigned char *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void bolt_u64(unsigned char *p, uint64_t v) { memcpy(p, &v, 8); }

/* A leaf page with its head; returns the bytes used. */
static inline size_t bolt_leaf(unsigned char *p, uint64_t id, const struct bolt_item *item)
{
	size_t n = 0, at;

	while (item[n].key)
		n++;
	at = 16 + n * 16;
	bolt_u64(p, id);
	bolt_u16(p + 8, 2);
	bolt_u16(p + 10, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char *e = p + 16 + i * 16;
		size_t nkey = strlen(item[i].key);

		bolt_u32(e, item[i].bucket);
		bolt_u32(e + 4, p + at - e);
		bolt_u32(e + 8, nkey);
		bolt_u32(e + 12, item[i].len);
		memcpy(p + at, item[i].key, nkey);
		if (item[i].len)
			memcpy(p + at + nkey, item[i].value, item[i].len);
		at += nkey + item[i].len;
	}
	return at;
}

/* A leaf in pages of its own, overflowing as far as needed: its number. */
static inline uint64_t bolt_add(struct bolt_file *f, const struct bolt_item *item)
{
	uint64_t id = f->used;
	unsigned char *p = f->s + id * BOLT_PAGE;
	size_t len = bolt_leaf(p, id, item), n = (len + BOLT_PAGE - 1) / BOLT_PAGE;

	bolt_u32(p + 12, n - 1);
	f->used += n;
	return id;
}

/* A branch page over children whose first keys are these. */
static inline uint64_t bolt_branch(struct bolt_file *f, const char *const *key, const uint64_t *child, size_t n)
{
	uint64_t id = f->used++;
	unsigned char *p = f->s + id * BOLT_PAGE;
	size_t at = 16 + n * 16;

	bolt_u64(p, id);
	bolt_u16(p + 8, 1);
	bolt_u16(p + 10, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char *e = p + 16 + i * 16;

		bolt_u32(e, p + at - e);
		bolt_u32(e + 4, strlen(key[i]));
		bolt_u64(e + 8, child[i]);
		memcpy(p + at, key[i], strlen(key[i]));
		at += strlen(key[i]);
	}
	return id;
}

/* Value of a bucket whose root is a page of its own. */
static inline struct bolt_item bolt_bucket(const char *key, uint64_t root, unsigned char value[16])
{
	memset(value, 0, 16);
	bolt_u64(value, root);
	return (struct bolt_item){ key, value, 16, 1 };
}

/* Value of a bucket that lies in its parent's page. */
static inline struct bolt_item bolt_inline(const char *key, const struct bolt_item *item, unsigned char *value)
{
	memset(value, 0, 16 + 16);
	return (struct bolt_item){ key, value, 16 + bolt_leaf(value + 16, 0, item), 1 };
}

/* Meta page 0 or 1. */
static inline void bolt_meta(struct bolt_file *f, unsigned which, uint64_t root, uint64_t txid)
{
	unsigned char *p = f->s + which * BOLT_PAGE, *m = p + 16;
	uint64_t sum = 0xcbf29ce484222325;

	bolt_u64(p, which);
	bolt_u16(p + 8, 4);
	bolt_u32(m, 0xED0CDAED);
	bolt_u32(m + 4, 2);
	bolt_u32(m + 8, BOLT_PAGE);
	bolt_u64(m + 16, root);
	bolt_u64(m + 32, 2); /* free list */
	bolt_u64(m + 40, f->used);
	bolt_u64(m + 48, txid);
	for (int i = 0; i < 56; i++)
		sum = (sum ^ m[i]) * 0x100000001b3;
	bolt_u64(m + 56, sum);
}

static inline struct bolt_file *bolt_new(void)
{
	struct bolt_file *f = calloc(1, sizeof(*f));

	f->used = 3; /* two meta pages, the free list */
	bolt_u64(f->s + 2 * BOLT_PAGE, 2);
	bolt_u16(f->s + 2 * BOLT_PAGE + 8, 16);
	return f;
}
#endif
