/* SPDX-License-Identifier: GPL-2.0 */
/* Where a place inside a file system is to be found on this host: /proc/self/mountinfo. */
#ifndef CB_MOUNTS_H
#define CB_MOUNTS_H
#include "cb.h"

struct cb_mounts;

/* path: of a file as /proc/self/mountinfo; read when first needed and again when the kernel says it changed. */
struct cb_mounts *cb_mounts_new(const char *path);
/* The same, read now and never again: it keeps nothing open. NULL: it cannot be read, or says nothing. */
struct cb_mounts *cb_mounts_read(const char *path);
void cb_mounts_free(struct cb_mounts *m);
/*
 * dev: as the kernel has it (major << 20 | minor); inside: path from the root of that file system. Appends the path
 * on the host to ret and returns true; false where the host has it nowhere.
 */
bool cb_mounts_find(struct cb_mounts *m, uint32_t dev, const char *inside, struct cb_buf *ret);
/* The other way: which file system a path lies in by the mounts of m, and where in it (appended). False: in none. */
bool cb_mounts_place(struct cb_mounts *m, const char *path, uint32_t *ret_dev, struct cb_buf *inside);
#endif
