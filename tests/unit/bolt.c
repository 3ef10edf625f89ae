/* SPDX-License-Identifier: GPL-2.0 */
/* Bolt files as documented, as they are in the middle of a write, and as someone hostile would make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "bolt.h"
#include "boltfile.h"

#define BIG (3 * BOLT_PAGE)

static int file; /* without a name */
static struct bolt_file *f;
static uint64_t root, tree[4];

static void put(size_t len)
{
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(pwrite(file, f->s, len, 0), (ssize_t)len);
}

static void put_all(void)
{
	put(f->used * BOLT_PAGE);
}

/*
 * "a" -> "1"; "in" an inline bucket with "k" -> "inline"; "own" a bucket with a page of its own: "in2" inline in it;
 * "tree" a bucket of 3 leaves below a branch, with a value that overflows
 */
static int setup(void **state)
{
	static char big[BIG];
	unsigned char in[256], in2[256], own[16], tr[16];
	const char *const keys[] = { "c1", "c4", "c7" };
	const struct bolt_item inside[] = { { "k", "inline", 6, 0 }, { 0 } }, inner[] = { { "x", "", 0, 0 }, { 0 } };
	FILE *tmp = tmpfile();

	file = dup(fileno(tmp));
	fclose(tmp);
	f = bolt_new();
	memset(big, 'b', sizeof(big));
	tree[0] = bolt_add(f, (struct bolt_item[]){ { "c1", "one", 3, 0 }, { "c2", big, BIG, 0 }, { 0 } });
	tree[1] = bolt_add(f, (struct bolt_item[]){ { "c4", "four", 4, 0 }, { "c5", "five", 4, 0 }, { 0 } });
	tree[2] = bolt_add(f, (struct bolt_item[]){ { "c7", "seven", 5, 0 }, { 0 } });
	tree[3] = bolt_branch(f, keys, tree, 3);
	root = bolt_add(f, (struct bolt_item[]){ bolt_inline("in2", inner, in2), { "z", "last", 4, 0 }, { 0 } });
	root = bolt_add(f, (struct bolt_item[]){ { "a", "1", 1, 0 },
						 bolt_inline("in", inside, in),
						 bolt_bucket("own", root, own),
						 bolt_bucket("tree", tree[3], tr),
						 { 0 } });
	bolt_meta(f, 0, root, 8);
	bolt_meta(f, 1, root, 7);
	put_all();
	return 0;
}

static int teardown(void **state)
{
	free(f);
	close(file);
	return 0;
}

struct asked {
	const char *path[5];
	struct cb_buf got;
	int calls, keys;
};

static int ask(struct cb_bolt *b, void *arg)
{
	struct asked *a = arg;

	a->calls++;
	return cb_bolt_get(b, a->path, &a->got);
}

static int count_key(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg)
{
	struct asked *a = arg;

	a->keys++;
	cb_buf_printf(&a->got, "%.*s=%.*s ", (int)nkey, key, nvalue < 10 ? (int)nvalue : 1, value);
	return 0;
}

static int each(struct cb_bolt *b, void *arg)
{
	struct asked *a = arg;

	a->keys = 0;
	cb_buf_reset(&a->got);
	return cb_bolt_each(b, a->path, count_key, a);
}

/* What is at the path, as text; NULL with errno. Valid until the next. */
static const char *at(const char *a, const char *b, const char *c)
{
	static struct asked q;
	int ret;

	q.path[0] = a;
	q.path[1] = b;
	q.path[2] = c;
	ret = cb_bolt_read(file, ask, &q);
	errno = ret < 0 ? -ret : 0;
	if (ret < 0)
		return NULL;
	assert_int_equal(ret, q.got.len);
	cb_buf_putc(&q.got, 0);
	return q.got.s;
}

static const char *all(const char *a, const char *b)
{
	static struct asked q;
	int ret;

	q.path[0] = a;
	q.path[1] = b;
	ret = cb_bolt_read(file, each, &q);
	errno = -ret;
	cb_buf_putc(&q.got, 0);
	return ret ? NULL : q.got.s;
}

static void fails(int err, const char *a, const char *b, const char *c)
{
	assert_null(at(a, b, c));
	assert_int_equal(errno, err);
}

static void documented(void **state)
{
	assert_string_equal(at("a", NULL, NULL), "1");
	assert_string_equal(at("in", "k", NULL), "inline");
	assert_string_equal(at("own", "z", NULL), "last");
	assert_string_equal(at("own", "in2", "x"), "");
	assert_string_equal(at("tree", "c1", NULL), "one");
	assert_int_equal(strspn(at("tree", "c2", NULL), "b"), BIG);
	assert_string_equal(at("tree", "c5", NULL), "five");
	assert_string_equal(at("tree", "c7", NULL), "seven");
	assert_string_equal(all("tree", NULL), "c1=one c2=b c4=four c5=five c7=seven ");
	assert_string_equal(all("in", NULL), "k=inline ");
	assert_string_equal(all(NULL, NULL), "a=1 ");
	fails(ENOENT, "b", NULL, NULL);
	fails(ENOENT, "tree", "c0", NULL); /* below all */
	fails(ENOENT, "tree", "c6", NULL);
	fails(ENOENT, "tree", "c77", NULL);
	fails(ENOENT, "own", NULL, NULL); /* a bucket, no value */
	fails(ENOENT, "a", "k", NULL);	  /* a value, no bucket */
	assert_null(all("a", NULL));
}

static void metas(void **state)
{
	uint64_t other = bolt_add(f, (struct bolt_item[]){ { "a", "2", 1, 0 }, { 0 } });

	/* the higher number counts, wherever it is */
	bolt_meta(f, 1, other, 9);
	bolt_meta(f, 0, root, 8);
	put_all();
	assert_string_equal(at("a", NULL, NULL), "2");
	/* half written: the other one does */
	f->s[BOLT_PAGE + 16 + 48] ^= 1;
	put_all();
	assert_string_equal(at("a", NULL, NULL), "1");
	/* the first one: its size is not known then */
	bolt_meta(f, 1, other, 9);
	memset(f->s, 0, BOLT_PAGE);
	put_all();
	assert_string_equal(at("a", NULL, NULL), "2");
	f->s[BOLT_PAGE + 16] ^= 1;
	put_all();
	fails(EINVAL, "a", NULL, NULL);
	put(0);
	fails(EINVAL, "a", NULL, NULL);
}

static uint64_t number;

/* The file goes on while it is read: the first time, or always. */
static int ask_and_write(struct cb_bolt *b, void *arg)
{
	struct asked *a = arg;
	int ret = ask(b, arg);

	if (a->calls == 1 || a->keys) {
		bolt_meta(f, number & 1, root, number);
		number++;
		put_all();
	}
	return ret;
}

static void changing(void **state)
{
	struct asked q = { .path = { "a" } };

	number = 9;
	assert_int_equal(cb_bolt_read(file, ask_and_write, &q), 1);
	assert_int_equal(q.calls, 2);
	q.keys = 1;
	assert_int_equal(cb_bolt_read(file, ask_and_write, &q), -EAGAIN);
	assert_in_range(q.calls, 3, 20);
	cb_buf_free(&q.got);
}

/* Everything that can be asked for: whatever it says, it must return, within bounds. */
static void ask_all(void)
{
	at("a", NULL, NULL);
	at("in", "k", NULL);
	at("own", "in2", "x");
	at("tree", "c2", NULL);
	at("tree", "c7", NULL);
	all("tree", NULL);
	all(NULL, NULL);
}

static void cut(void **state)
{
	for (size_t len = 0; len < f->used * BOLT_PAGE; len += 509) {
		put(len);
		ask_all();
		assert_null(at("a", NULL, NULL)); /* the root is last */
	}
}

/* A branch that leads to itself, or to all of its kind many times over. */
static void cycles(void **state)
{
	unsigned char *p = f->s + tree[3] * BOLT_PAGE;
	const char *keys[128];
	uint64_t child[128];
	unsigned char v[16];
	uint64_t b;

	for (int i = 0; i < 3; i++)
		bolt_u64(p + 16 + i * 16 + 8, tree[3]);
	put_all();
	fails(EINVAL, "tree", "c5", NULL);
	assert_null(all("tree", NULL));
	for (int i = 0; i < 128; i++) {
		keys[i] = "c1";
		child[i] = tree[0];
	}
	for (int depth = 0; depth < 5; depth++) {
		b = bolt_branch(f, keys, child, 128);
		for (int i = 0; i < 128; i++)
			child[i] = b;
	}
	b = bolt_add(f, (struct bolt_item[]){ bolt_bucket("tree", b, v), { 0 } });
	bolt_meta(f, 0, b, 10);
	put_all();
	assert_null(all("tree", NULL));
	assert_int_equal(errno, EINVAL);
	assert_string_equal(at("tree", "c1", NULL), "one");
}

static void huge(void **state)
{
	static const struct {
		unsigned at, len;
	} where[] = { { 8, 2 }, { 10, 2 }, { 12, 4 }, { 0, 8 }, { 16, 4 }, { 20, 4 }, { 24, 4 }, { 28, 4 } };

	for (unsigned page = 3; page < f->used; page++)
		for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
			for (int v = 0; v < 3; v++) {
				unsigned char *p = f->s + page * BOLT_PAGE + where[i].at, was[8];

				memcpy(was, p, 8);
				memset(p, v == 0 ? 0xff : v == 1 ? 0x7f : 0, where[i].len);
				put_all();
				ask_all();
				memcpy(p, was, 8);
			}
	/* a count that no page holds, and a length beyond the file */
	bolt_u16(f->s + root * BOLT_PAGE + 10, 0xffff);
	put_all();
	fails(EINVAL, "a", NULL, NULL);
	bolt_u16(f->s + root * BOLT_PAGE + 10, 4);
	bolt_u32(f->s + root * BOLT_PAGE + 16 + 12, 5000);
	put_all();
	fails(EINVAL, "a", NULL, NULL);
}

static void noise(void **state)
{
	uint32_t x = 7;

	for (int n = 0; n < 3001; n++) {
		unsigned char *p;

		/* in the heads and elements more than elsewhere: that is where it could hurt */
		x = x * 1103515245 + 12345;
		p = f->s + (3 + (x >> 16) % (f->used - 3)) * BOLT_PAGE;
		x = x * 1103515245 + 12345;
		p += (x >> 16) % 160;
		x = x * 1103515245 + 12345;
		*p ^= x >> 16;
		assert_int_equal(pwrite(file, p, 1, p - f->s), 1);
		ask_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(documented, setup, teardown),
		cmocka_unit_test_setup_teardown(metas, setup, teardown),
		cmocka_unit_test_setup_teardown(changing, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown),
		cmocka_unit_test_setup_teardown(cycles, setup, teardown),
		cmocka_unit_test_setup_teardown(huge, setup, teardown),
		cmocka_unit_test_setup_teardown(noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
