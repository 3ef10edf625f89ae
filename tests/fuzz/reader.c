/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any bytes through the reader: JSON, CSV, zstd (the input chooses). Whatever comes out must keep the promises
 * of reader.h: texts that end where they say, without control characters, and that survive being unescaped.
 * Seeds: recordings. -max_len=65536 reaches rows that cross the read buffer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "field.h"
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_row(struct cb_names *names, const struct cb_row *row)
{
	for (int i = 0; i < row->npresent; i++) {
		const char *s = cb_row_get(row, row->present[i]);
		size_t len = row->len[row->present[i]];
		char *raw = cb_xalloc(len);

		require(s && len && strlen(s) == len);
		for (size_t k = 0; k < len; k++)
			require((unsigned char)s[k] >= ' ' && s[k] != 0x7f);
		require(cb_unescape(raw, len, s, len) >= 0);
		free(raw);
	}
	for (const struct cb_schema *const *s = cb_schemas; *s; s++) {
		void *rec = cb_xalloc((*s)->size);
		struct cb_event ev;

		cb_event_from_row(*s, names, row, rec, &ev, NULL);
		require(ev.len <= (*s)->size);
		free(rec);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cb_names *names = cb_names_new();
	struct cb_reader *r = NULL;
	struct cb_err e = {};
	struct cb_row row;
	char path[32];
	int fd = memfd_create("fuzz", 0), err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	require(!cb_reader_open(&r, names, path, &e));
	while ((err = cb_reader_next(r, &row, &e))) {
		require(err == 1 || e.text[0]);
		if (err == 1)
			check_row(names, &row);
	}
	cb_reader_free(r);
	cb_names_free(names);
	close(fd);
	return 0;
}
