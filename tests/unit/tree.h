/* SPDX-License-Identifier: GPL-2.0 */
/* A folder that looks like a host to cb_conts_new(): files are put where engines have them. */
#ifndef TREE_H
#define TREE_H
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cb.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static char tree[64];

static inline int tree_new(void **state)
{
	strcpy(tree, "/tmp/cbtree-XXXXXX");
	return mkdtemp(tree) ? 0 : -1;
}

static inline int tree_rm(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline int tree_free(void **state)
{
	return nftw(tree, tree_rm, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path in the tree, its folders made. Valid until the next call. */
static inline const char *tree_path(const char *path)
{
	static char full[4096];

	snprintf(full, sizeof(full), "%s/%s", tree, path);
	for (char *p = full + strlen(tree) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(full, 0755);
	}
	return full;
}

static inline void tree_bytes(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(tree_path(path), "w");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		abort();
}

__attribute__((format(printf, 2, 3))) static inline void tree_put(const char *path, const char *fmt, ...)
{
	char *s;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	tree_bytes(path, s, strlen(s));
	free(s);
}

/* A process: its parent, the numbers it has in pid namespaces, its cgroup on v2. */
static inline void tree_proc(unsigned pid, unsigned ppid, const char *nspid, const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%u/status", pid);
	tree_put(path, "Name:\tx\nPPid:\t%u\nNSpid:\t%s\n", ppid, nspid);
	snprintf(path, sizeof(path), "proc/%u/cgroup", pid);
	tree_put(path, "1:name=systemd:/\n0::%s\n", cgroup);
}

static inline void tree_cmdline(unsigned pid, const char *const *arg)
{
	char path[64], data[4096];
	size_t n = 0;

	for (; *arg; arg++)
		n += sprintf(data + n, "%s", *arg) + 1;
	snprintf(path, sizeof(path), "proc/%u/cmdline", pid);
	tree_bytes(path, data, n);
}
#endif
