/* SPDX-License-Identifier: GPL-2.0 */
/* Inside the library: room in a growing buffer, for what is too hot for cb_buf_put(). */
#ifndef CB_BUF_H
#define CB_BUF_H
#include <string.h>
#include "cb.h"

void cb_buf_grow(struct cb_buf *b, size_t n);

/* At least n bytes (and a NUL) fit behind the pointer returned; then add to len what was used. */
static inline char *cb_buf_room(struct cb_buf *b, size_t n)
{
	if (__builtin_expect(b->cap < b->len + n + 1, 0))
		cb_buf_grow(b, n);
	return b->s + b->len;
}

static inline void cb_buf_add(struct cb_buf *b, const void *p, size_t n)
{
	memcpy(cb_buf_room(b, n), p, n);
	b->len += n;
	b->s[b->len] = 0;
}
#endif
