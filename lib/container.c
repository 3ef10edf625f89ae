/* SPDX-License-Identifier: GPL-2.0 */
/* The containers known by key: looked up once, kept after exit so that late rows have their names. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

static unsigned long hash_key(const void *key);
/* Keys are made in the kernel and not chosen by a container, so no seed is needed. */
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)hash_key(key))
#include <uthash.h>
#include "engine.h"

#define KEEP_GONE 4096		   /* older ones are forgotten after a minute */
#define KEEP_GONE_MAX (4 * KEEP_GONE) /* whatever happens */
#define KEEP_NS 60000000000ull
#define RETRY_NS 10000000000ull /* how long the engine's files are waited for */
#define MAX_CGROUP 4096

struct known {
	struct cb_cont cont; /* first: what the callers hold */
	enum cb_trust trust;
	char *base, *file;   /* names it; NULL: unknown, or nothing to look at again */
	struct timespec mtime;
	bool proved;
	uint64_t added;
	UT_hash_handle hh;
	TAILQ_ENTRY(known) link;
};
TAILQ_HEAD(gone_list, known);

struct cb_conts {
	struct cb_host host;
	struct known *by_key;
	/* in the order they went; the unnamed apart, so that a flood of those pushes out no name */
	struct gone_list named, unnamed;
	size_t ngone;
};

static unsigned long hash_key(const void *key)
{
	uint64_t k;

	memcpy(&k, key, sizeof(k));
	return (k * 0x9e3779b97f4a7c15ull) >> 32;
}

static uint64_t boot_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct cb_conts *cb_conts_new(const char *root)
{
	struct cb_conts *c = cb_xalloc(sizeof(*c));

	/* fails only where nothing can be read: then every container is unknown */
	c->host.fd = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	TAILQ_INIT(&c->named);
	TAILQ_INIT(&c->unnamed);
	return c;
}

static void known_clear(struct known *k)
{
	free(k->cont.id);
	free(k->cont.name);
	free(k->cont.image);
	free(k->cont.image_id);
	free(k->cont.runtime);
	free(k->cont.rootfs);
	cb_strv_free(k->cont.label);
	free(k->base);
	free(k->file);
	k->base = k->file = NULL;
	k->proved = false;
}

static void known_free(struct known *k)
{
	known_clear(k);
	free(k->cont.cgroup);
	free(k);
}

void cb_conts_free(struct cb_conts *c)
{
	struct known *k, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->by_key, k, next) {
		HASH_DEL(c->by_key, k);
		known_free(k);
	}
	cb_host_forget(&c->host);
	if (c->host.fd >= 0)
		close(c->host.fd);
	free(c);
}

static char *text(char **from)
{
	char *s = *from ? *from : cb_xstrdup("");

	*from = NULL;
	return s;
}

/* What no engine claims is called by the last part of its cgroup, else by its process. */
static void take_unknown(struct known *k)
{
	struct cb_cont *t = &k->cont;
	const char *slash = strrchr(t->cgroup, '/'), *last = slash ? slash + 1 : t->cgroup;

	t->name = *last ? cb_xstrdup(last) : cb_xasprintf("pid:%u", t->pid);
	t->id = cb_xstrdup("");
	t->image = cb_xstrdup("");
	t->image_id = cb_xstrdup("");
	t->rootfs = cb_xstrdup("");
	t->runtime = cb_xstrdup("unknown");
	t->label = cb_xalloc(sizeof(*t->label));
}

static void take_found(struct known *k, struct cb_found *f)
{
	struct cb_cont *t = &k->cont;

	t->id = text(&f->id);
	t->name = text(&f->name);
	t->image = text(&f->image);
	t->image_id = text(&f->image_id);
	t->rootfs = text(&f->rootfs);
	t->runtime = cb_xstrdup(f->runtime);
	t->label = f->label ? f->label : cb_xalloc(sizeof(*t->label));
	f->label = NULL;
	if (!t->pid)
		t->pid = f->pid;
	k->trust = f->trust;
	k->mtime = f->mtime;
	k->proved = f->proved;
	k->base = f->base;
	k->file = f->file;
	f->base = f->file = NULL;
}

static bool is_named(const struct known *k)
{
	return k->cont.runtime && strcmp(k->cont.runtime, "unknown");
}

/* Looks it up, anew if it was before: what was known stays when the files are gone. */
static void resolve(struct cb_conts *c, struct known *k)
{
	struct cb_look look = { .host = &c->host, .pid = k->cont.pid, .cgroup = k->cont.cgroup };
	int ret = c->host.fd < 0 ? -ENOENT : cb_engine_find(&look);

	if (!ret) {
		known_clear(k);
		take_found(k, &look.found);
	} else if (!k->cont.runtime) {
		take_unknown(k);
	}
	cb_found_reset(&look.found);
}

static char *cgroup_of(struct cb_conts *c, uint32_t pid, const char *cgroup)
{
	if (cgroup && *cgroup)
		return cb_xasprintf("%.*s", MAX_CGROUP, cgroup);
	return pid ? cb_host_cgroup(&c->host, pid) : cb_xstrdup("");
}

static void forget(struct cb_conts *c, struct gone_list *list, struct known *k)
{
	TAILQ_REMOVE(list, k, link);
	HASH_DEL(c->by_key, k);
	known_free(k);
	c->ngone--;
}

static void forget_old(struct cb_conts *c)
{
	struct gone_list *const lists[] = { &c->unnamed, &c->named };
	uint64_t now = c->ngone > KEEP_GONE ? boot_now() : 0;

	for (size_t i = 0; i < 2; i++) {
		struct known *k;

		while (c->ngone > KEEP_GONE && (k = TAILQ_FIRST(lists[i])) &&
		       (c->ngone > KEEP_GONE_MAX || k->cont.gone + KEEP_NS < now))
			forget(c, lists[i], k);
	}
}

/* Files that were not there yet when it was first seen (at the making of its cgroup) may be now. */
static struct cb_cont *again(struct cb_conts *c, struct known *k, uint32_t pid, const char *cgroup)
{
	if (k->cont.gone || k->proved)
		return &k->cont;
	if (!k->cont.pid)
		k->cont.pid = pid;
	if (cgroup && *cgroup && !*k->cont.cgroup) {
		free(k->cont.cgroup);
		k->cont.cgroup = cgroup_of(c, pid, cgroup);
	}
	if (!is_named(k) || (pid && !k->proved))
		resolve(c, k);
	return &k->cont;
}

struct cb_cont *cb_conts_add(struct cb_conts *c, uint64_t key, uint32_t pid, const char *cgroup, uint64_t since)
{
	struct known *k;

	HASH_FIND(hh, c->by_key, &key, sizeof(key), k);
	if (k)
		return again(c, k, pid, cgroup);
	k = cb_xalloc(sizeof(*k));
	k->cont.key = key;
	k->cont.pid = pid;
	k->cont.since = since;
	k->cont.wanted = true; /* until a filter says otherwise */
	k->cont.cgroup = cgroup_of(c, pid, cgroup);
	k->added = boot_now();
	resolve(c, k);
	HASH_ADD(hh, c->by_key, cont.key, sizeof(k->cont.key), k);
	return &k->cont;
}

struct cb_cont *cb_conts_get(struct cb_conts *c, uint64_t key)
{
	struct known *k;

	HASH_FIND(hh, c->by_key, &key, sizeof(key), k);
	return k ? &k->cont : NULL;
}

void cb_conts_gone(struct cb_conts *c, uint64_t key, uint64_t when)
{
	struct known *k;

	HASH_FIND(hh, c->by_key, &key, sizeof(key), k);
	if (!k || k->cont.gone)
		return;
	k->cont.gone = when ? when : boot_now();
	if (is_named(k))
		TAILQ_INSERT_TAIL(&c->named, k, link);
	else
		TAILQ_INSERT_TAIL(&c->unnamed, k, link);
	c->ngone++;
	forget_old(c);
}

static bool changed(struct cb_conts *c, const struct known *k)
{
	struct stat st;

	if (!k->file || cb_host_stat(&c->host, k->trust, k->base, k->file, &st))
		return false;
	return st.st_mtim.tv_sec != k->mtime.tv_sec || st.st_mtim.tv_nsec != k->mtime.tv_nsec;
}

void cb_conts_refresh(struct cb_conts *c)
{
	uint64_t now = boot_now();
	struct known *k, *next;

	HASH_ITER(hh, c->by_key, k, next) {
		if (k->cont.gone)
			continue;
		if (is_named(k) ? changed(c, k) : k->added + RETRY_NS > now)
			resolve(c, k);
	}
}

int cb_conts_each(struct cb_conts *c, int (*fn)(struct cb_cont *, void *), void *arg)
{
	struct known *k, *next;
	int ret;

	HASH_ITER(hh, c->by_key, k, next) {
		ret = fn(&k->cont, arg);
		if (ret)
			return ret;
	}
	return 0;
}
