/* SPDX-License-Identifier: GPL-2.0 */
/* Texts <-> numbers in the order of first use. Seeded: what a container chose cannot make it slow. */
#ifndef CB_STRMAP_H
#define CB_STRMAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cb_strmap {
	char **key; /* by number */
	uint32_t *len;
	uint32_t *hash;
	size_t n, cap;
	uint32_t *slot; /* number + 1, 0: empty */
	size_t nslot;
};

int cb_strmap_find(const struct cb_strmap *m, const char *s, size_t len);	 /* -1: not there */
int cb_strmap_add(struct cb_strmap *m, const char *s, size_t len, bool *ret_new); /* copies; ret_new may be NULL */
void cb_strmap_free(struct cb_strmap *m); /* what it holds, not m itself */
#endif
