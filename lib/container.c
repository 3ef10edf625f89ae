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
#define RETRY_FIRST_NS 250000000ull /* the next look comes then; the one after that in twice the time, and so on */
#define MAX_CGROUP 4096
/*
 * Whoever may make namespaces makes strangers as fast as he can. To look for one at every engine by its process takes
 * a tenth of a millisecond and more, so only this share of a CPU goes into looking in vain; who has to wait for that is
 * looked for by its path, which is cheap and names nearly all, and by its process as soon as there is time again.
 */
#define VAIN_SHARE 20 /* one part in */
#define VAIN_MAX_NS 250000000ll /* saved up, for the many there may be at the start */
#define MAX_STRANGERS 4096 /* that live */
#define MAX_SOON 64

struct known {
	struct cb_cont cont; /* first: what the callers hold */
	enum cb_trust trust;
	char *base, *file;   /* names it; NULL: unknown, or nothing to look at again */
	struct timespec mtime;
	bool proved;
	bool stranger;	     /* alive, and no engine's: in the list of those */
	bool waiting;	     /* for a look by its process */
	uint64_t added, again; /* again: when it is looked for next */
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
	struct gone_list strangers; /* alive, in the order they came */
	size_t nstrangers;
	struct soon {
		uint64_t key;
		struct cb_oci_begun by; /* its id is NULL: none */
	} soon[MAX_SOON];
	size_t soon_at; /* where the next one goes */
	int64_t vain_ns; /* that may still be spent on looking in vain, as of vain_at */
	uint64_t vain_at;
};

static unsigned long hash_key(const void *key)
{
	uint64_t k;

	memcpy(&k, key, sizeof(k));
	return (k * 0x9e3779b97f4a7c15ull) >> 32;
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static uint64_t boot_now(void)
{
	return now(CLOCK_BOOTTIME);
}

struct cb_conts *cb_conts_new(const char *root)
{
	struct cb_conts *c = cb_xalloc(sizeof(*c));

	/* fails only where nothing can be read: then every container is unknown */
	c->host.fd = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	TAILQ_INIT(&c->named);
	TAILQ_INIT(&c->unnamed);
	TAILQ_INIT(&c->strangers);
	c->vain_ns = VAIN_MAX_NS;
	c->vain_at = boot_now();
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
	for (size_t i = 0; i < MAX_SOON; i++)
		cb_oci_begun_free(&c->soon[i].by);
	cb_host_close(&c->host);
	free(c);
}

static char *text(char **from)
{
	char *s = *from ? *from : cb_xstrdup("");

	*from = NULL;
	return s;
}

/* The last part of its cgroup, else its process. */
static char *makeshift_name(const struct cb_cont *t)
{
	const char *slash = strrchr(t->cgroup, '/'), *last = slash ? slash + 1 : t->cgroup;

	return *last ? cb_xstrdup(last) : cb_xasprintf("pid:%u", t->pid);
}

/* What no engine claims. */
static void take_unknown(struct known *k)
{
	struct cb_cont *t = &k->cont;

	t->name = makeshift_name(t);
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
	if (!*t->name) { /* an engine's file may be damaged */
		free(t->name);
		t->name = *t->id ? cb_xstrdup(t->id) : makeshift_name(t);
	}
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

static bool may_look_long(struct cb_conts *c)
{
	uint64_t t = boot_now();

	c->vain_ns += (t - c->vain_at) / VAIN_SHARE;
	if (c->vain_ns > VAIN_MAX_NS)
		c->vain_ns = VAIN_MAX_NS;
	c->vain_at = t;
	return c->vain_ns > 0;
}

static int look_for(struct cb_conts *c, struct cb_look *look)
{
	uint64_t start;
	int ret;

	if (c->host.fd < 0)
		return -ENOENT;
	look->quick = !may_look_long(c);
	if (look->quick)
		return cb_engine_find(look);
	start = now(CLOCK_THREAD_CPUTIME_ID);
	ret = cb_engine_find(look);
	if (ret)
		c->vain_ns -= now(CLOCK_THREAD_CPUTIME_ID) - start;
	return ret;
}

static void mark_stranger(struct cb_conts *c, struct known *k, bool stranger)
{
	if (k->stranger == stranger)
		return;
	k->stranger = stranger;
	if (stranger) {
		TAILQ_INSERT_TAIL(&c->strangers, k, link);
		c->nstrangers++;
	} else {
		TAILQ_REMOVE(&c->strangers, k, link);
		c->nstrangers--;
	}
}

static struct soon *soon_of(struct cb_conts *c, uint64_t key)
{
	for (size_t i = 0; i < MAX_SOON; i++)
		if (c->soon[i].by.id && c->soon[i].key == key)
			return &c->soon[i];
	return NULL;
}

void cb_conts_soon(struct cb_conts *c, uint64_t key, uint32_t runtime)
{
	struct soon *s = soon_of(c, key);
	struct cb_oci_begun by;

	if (!cb_oci_begun(&c->host, runtime, &by))
		return;
	if (!s)
		s = &c->soon[c->soon_at++ % MAX_SOON];
	cb_oci_begun_free(&s->by);
	*s = (struct soon){ key, by };
}

/* As its runtime named it. An engine's container has its id in its cgroup's path, and more of a name than that. */
static int look_at_begun(struct cb_conts *c, struct cb_look *look, uint64_t key)
{
	const struct soon *s = soon_of(c, key);

	/* a short name may be among the digits by chance */
	if (!s || (cb_is_id(s->by.id) && strstr(look->cgroup, s->by.id)))
		return -ENOENT;
	cb_oci_begun_found(&s->by, &look->found);
	return 0;
}

/* Looks it up, anew if it was before: what was known stays when the files are gone. */
static void resolve(struct cb_conts *c, struct known *k)
{
	struct cb_look look = { .host = &c->host, .pid = k->cont.pid, .cgroup = k->cont.cgroup };
	int ret = look_for(c, &look);

	if (ret && !is_named(k))
		ret = look_at_begun(c, &look, k->cont.key);
	k->waiting = ret && look.skipped;
	if (!ret) {
		known_clear(k);
		take_found(k, &look.found);
	} else if (!k->cont.runtime) {
		take_unknown(k);
	}
	mark_stranger(c, k, !is_named(k) && !k->cont.gone);
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
	uint64_t t = c->ngone > KEEP_GONE ? boot_now() : 0;

	for (size_t i = 0; i < 2; i++) {
		struct known *k;

		while (c->ngone > KEEP_GONE && (k = TAILQ_FIRST(lists[i])) &&
		       (c->ngone > KEEP_GONE_MAX || k->cont.gone + KEEP_NS < t))
			forget(c, lists[i], k);
	}
}

static void went(struct cb_conts *c, struct known *k, uint64_t when)
{
	mark_stranger(c, k, false);
	k->cont.gone = when;
	if (is_named(k))
		TAILQ_INSERT_TAIL(&c->named, k, link);
	else
		TAILQ_INSERT_TAIL(&c->unnamed, k, link);
	c->ngone++;
	forget_old(c);
}

/* Files that were not there yet when it was first seen (at the making of its cgroup) may be now. */
static struct cb_cont *again(struct cb_conts *c, struct known *k, uint32_t pid, const char *cgroup)
{
	if (k->cont.gone) {
		/* the kernel tells once, but of one that has tasks again after its last */
		TAILQ_REMOVE(is_named(k) ? &c->named : &c->unnamed, k, link);
		c->ngone--;
		k->cont.gone = 0;
	}
	if (k->proved)
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
	/* the oldest counts as gone then, and is made known anew if it shows up after it was forgotten */
	if (c->nstrangers > MAX_STRANGERS)
		went(c, TAILQ_FIRST(&c->strangers), k->added);
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
	if (k && !k->cont.gone)
		went(c, k, when ? when : boot_now());
}

static bool changed(struct cb_conts *c, const struct known *k)
{
	struct stat st;

	if (!k->file || cb_host_stat(&c->host, k->trust, k->base, k->file, &st))
		return false;
	return st.st_mtim.tv_sec != k->mtime.tv_sec || st.st_mtim.tv_nsec != k->mtime.tv_nsec;
}

/* Is it time to look for a stranger again? */
static bool is_due(struct cb_conts *c, struct known *k, uint64_t t)
{
	uint64_t age = t - k->added;

	if (k->waiting && may_look_long(c))
		return true;
	if (t < k->again || age >= RETRY_NS)
		return false;
	k->again = t + (age > RETRY_FIRST_NS ? age : RETRY_FIRST_NS);
	return true;
}

void cb_conts_refresh(struct cb_conts *c)
{
	uint64_t t = boot_now();
	struct known *k, *next;

	HASH_ITER(hh, c->by_key, k, next) {
		if (k->cont.gone)
			continue;
		if (is_named(k) ? changed(c, k) : is_due(c, k, t))
			resolve(c, k);
	}
	cb_host_forget(&c->host);
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
