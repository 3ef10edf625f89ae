/* SPDX-License-Identifier: GPL-2.0 */
/* Looking into a bolt file (containerd's meta.db, podman's bolt_state.db) while its owner writes it. */
#ifndef CB_BOLT_H
#define CB_BOLT_H
#include "cb.h"

/* One state of the file. */
struct cb_bolt;

/*
 * Calls fn with the newest state. The writer is not held up, so it may have gone on far enough to use pages of that
 * state again: then fn is called anew, and has to replace what it took. Returns what fn returned; -EINVAL: no bolt
 * file; -EAGAIN: never still for long enough.
 */
int cb_bolt_read(int fd, int (*fn)(struct cb_bolt *b, void *arg), void *arg);
/* path: nested buckets, then the key, NULL at the end. out is replaced. Length, -ENOENT, or -EINVAL: broken. */
int cb_bolt_get(struct cb_bolt *b, const char *const *path, struct cb_buf *out);
/* Each key of a bucket that is no bucket itself, in order, until fn returns non-zero. */
int cb_bolt_each(struct cb_bolt *b, const char *const *path,
		 int (*fn)(const char *key, size_t nkey, const char *value, size_t nvalue, void *arg), void *arg);
#endif
