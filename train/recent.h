/* SPDX-License-Identifier: GPL-2.0 */
/* A table by key of which the entries not asked for lately are dropped: names are chosen by containers. */
#ifndef CB_RECENT_H
#define CB_RECENT_H
#include "strmap.h"

struct cb_recent_half {
	struct cb_strmap map;
	void **value;
	size_t cap;
};
/* At least max, at most twice max entries are kept. drop (may be NULL: free()) takes what goes. */
struct cb_recent {
	size_t max;
	void (*drop)(void *value, void *arg);
	void *arg;
	uint64_t dropped;
	struct cb_recent_half new, old;
};
void *cb_recent_get(struct cb_recent *r, const char *key, size_t len); /* NULL: not there */
void cb_recent_put(struct cb_recent *r, const char *key, size_t len, void *value); /* key is not there */
/* In the order they were put or last moved. */
void cb_recent_each(struct cb_recent *r, void (*fn)(void *value, void *arg), void *arg);
void cb_recent_free(struct cb_recent *r); /* drops all */
#endif
