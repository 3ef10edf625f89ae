/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any bytes as a bolt file. Checksums would keep everything else of it out of reach, so the two meta pages are made
 * valid first. -max_len=65536 has room for some pages.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bolt.h"
#include "../unit/boltfile.h"

#define NEST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg)
{
	unsigned *sum = arg;

	/* every byte that is told of may be read */
	for (size_t i = 0; i < nkey; i++)
		*sum += key[i];
	for (size_t i = 0; i < nvalue; i++)
		*sum += value[i];
	return 0;
}

static int look(struct cb_bolt *b, void *arg)
{
	static const char *const paths[][NEST] = {
		{ NULL }, { "a" }, { "in" }, { "in", "k" }, { "own" }, { "own", "in2", "x" }, { "tree" }, { "tree", "c4" },
	};
	struct cb_buf out = { 0 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		cb_bolt_each(b, paths[i], count, arg);
		if (paths[i][0])
			cb_bolt_get(b, paths[i], &out);
	}
	cb_buf_free(&out);
	return 0;
}

/* The first bytes say where the root is and which state is the newest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bolt_file f;
	int fd = memfd_create("fuzz", 0);
	unsigned sum = 0;

	if (fd < 0 || size < 2 || size > sizeof(f.s)) {
		close(fd);
		return 0;
	}
	memset(&f, 0, sizeof(f));
	memcpy(f.s, data, size);
	f.used = size / BOLT_PAGE;
	bolt_meta(&f, 0, data[0], data[1]);
	bolt_meta(&f, 1, data[0], 1);
	if (write(fd, f.s, size) != (ssize_t)size)
		abort();
	cb_bolt_read(fd, look, &sum);
	close(fd);
	return 0;
}
