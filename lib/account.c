/* SPDX-License-Identifier: GPL-2.0 */
/*
 * v2, v1 and the mixture of both: each number is read where this host has it, by the path that /proc tells for
 * that hierarchy. Files stay open, since opening one costs ten times what reading it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "account.h"
#include "engine.h"

#define MAX_HIERS 16
#define NO_LIMIT (1ull << 60) /* more than any machine has: how v1 writes "none" depends on the page size */
#define NET_MAX (256 * 1024)  /* a container may make devices as it likes */

struct hier {
	char *controllers; /* ",cpu,cpuacct,"; v2: "" */
	char *root;	   /* what of the hierarchy is mounted, "" for all of it */
	char *point;	   /* mount point */
};

struct cb_hiers {
	struct cb_host host;
	struct hier hier[MAX_HIERS];
	int n;
};

enum file { CPU_STAT, USAGE, USAGE_USER, USAGE_SYS, CFS_STAT, MEM_STAT, MEM_USAGE, MEM_LIMIT, IO_STAT, NET_DEV, NFILES };

struct cb_account {
	const struct cb_hiers *h;
	int fd[NFILES];
	/* where to open it for each reading: there were no descriptors left */
	char *rel[NFILES];
	const char *base[NFILES];
	uint64_t memory_id;
	bool memory_v1, host_net;
	struct cb_buf buf;
};

/* ---- mounts ---- */

static char *word(char **at)
{
	char *s = *at, *end = s + strcspn(s, " \n");

	*at = *end ? end + 1 : end;
	*end = '\0';
	return s;
}

/* "36 25 0:30 /ROOT /POINT rw,... [...] - cgroup2 cgroup2 rw,..." */
static void take_mount(struct cb_hiers *h, char *line)
{
	char *dash = strstr(line, " - cgroup"), *root, *point, *super;
	struct hier *to = &h->hier[h->n];
	bool v2;

	if (!dash || h->n == MAX_HIERS)
		return;
	v2 = !strncmp(dash, " - cgroup2 ", 11);
	super = strrchr(dash, ' ');
	for (int i = 0; i < 3; i++)
		word(&line);
	root = word(&line);
	point = word(&line);
	/* a second mount of the same shows nothing new */
	to->controllers = v2 ? cb_xstrdup("") : cb_xasprintf(",%.*s,", (int)strcspn(super + 1, "\n"), super + 1);
	for (int i = 0; i < h->n; i++)
		if (!strcmp(h->hier[i].controllers, to->controllers)) {
			free(to->controllers);
			return;
		}
	to->root = cb_xstrdup(strcmp(root, "/") ? root : "");
	to->point = cb_xstrdup(point);
	h->n++;
}

struct cb_hiers *cb_hiers_new(const char *root)
{
	struct cb_hiers *h = cb_xalloc(sizeof(*h));
	struct cb_buf b = {};
	char *line, *end;

	h->host.fd = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* /proc/self is a link */
	if (!root || !*root ? cb_host_proc(&h->host, getpid(), "mountinfo", &b) > 0 :
			      cb_host_proc(&h->host, 1, "mountinfo", &b) > 0)
		for (line = b.s; *line; line = end) {
			end = line + strcspn(line, "\n");
			if (*end)
				*end++ = '\0';
			take_mount(h, line);
		}
	cb_buf_free(&b);
	return h;
}

void cb_hiers_free(struct cb_hiers *h)
{
	if (!h)
		return;
	for (int i = 0; i < h->n; i++) {
		free(h->hier[i].controllers);
		free(h->hier[i].root);
		free(h->hier[i].point);
	}
	if (h->host.fd >= 0)
		close(h->host.fd);
	free(h);
}

static const struct hier *hier_of(const struct cb_hiers *h, const char *controller)
{
	char want[32];

	snprintf(want, sizeof(want), ",%s,", controller);
	for (int i = 0; i < h->n; i++)
		if (*controller ? strstr(h->hier[i].controllers, want) != NULL : !*h->hier[i].controllers)
			return &h->hier[i];
	return NULL;
}

/* ---- paths ---- */

/* The path of a controller ("" for v2) in the text of /proc/PID/cgroup. The caller frees; NULL: none. */
static char *path_in(const char *text, const char *controller)
{
	char want[32];

	snprintf(want, sizeof(want), ",%s,", controller);
	for (const char *line = text; line && *line; line = *line ? line + 1 : line) {
		const char *end = line + strcspn(line, "\n"), *ctl = strchr(line, ':');
		const char *path = ctl && ctl < end ? strchr(ctl + 1, ':') : NULL;

		if (path && path < end) {
			char *list = cb_xasprintf(",%.*s,", (int)(path - ctl - 1), ctl + 1);
			bool is = *controller ? strstr(list, want) != NULL : path == ctl + 1;

			free(list);
			if (is)
				return cb_xasprintf("%.*s", (int)(end - path - 1), path + 1);
		}
		line = end;
	}
	return NULL;
}

/* What a container's own init made below its folder is part of it: cut after the part that holds the id. */
static void cut_below(char *path, const char *id)
{
	char *at = *id ? strstr(path, id) : NULL;

	if (at)
		at[strcspn(at, "/")] = '\0';
}

struct family {
	struct cb_buf own, parent; /* /proc/PID/cgroup; empty: not there */
	const struct cb_cont *c;
};

static uint32_t parent_of(const struct cb_hiers *h, uint32_t pid)
{
	struct cb_buf b = {};
	uint32_t ppid = 0;
	const char *at;

	if (cb_host_proc(&h->host, pid, "status", &b) > 0 && (at = strstr(b.s, "\nPPid:")))
		ppid = strtoul(at + 6, NULL, 10);
	cb_buf_free(&b);
	return ppid;
}

/* The container's folder below a hierarchy's mount point, NULL: it has none of its own. The caller frees. */
static char *folder(const struct family *f, const struct hier *hi, const char *controller)
{
	char *path, *up, *rel;
	size_t len = strlen(hi->root);

	if (f->own.len) {
		path = path_in(f->own.s, controller);
		up = f->parent.len ? path_in(f->parent.s, controller) : NULL;
		if (path && up && !strcmp(path, up))
			*path = '\0';
		free(up);
	} else {
		path = f->c && *f->c->id ? cb_xstrdup(f->c->cgroup) : NULL;
	}
	if (path && f->c)
		cut_below(path, f->c->id);
	if (!path || !path[0] || !path[1] || strncmp(path, hi->root, len) || path[len] != '/' || !path[len + 1]) {
		free(path);
		return NULL;
	}
	rel = cb_xstrdup(path + len + 1);
	free(path);
	return rel;
}

/* ---- files ---- */

static void open_file(struct cb_account *a, enum file which, const char *base, const char *dir, const char *name)
{
	char *rel = cb_xasprintf("%s/%s", dir, name);

	a->fd[which] = cb_host_open(&a->h->host, CB_ADMIN, base, rel);
	if (a->fd[which] == -EMFILE || a->fd[which] == -ENFILE) {
		a->base[which] = base;
		a->rel[which] = rel;
		return;
	}
	free(rel);
}

static void open_v2(struct cb_account *a, const struct hier *hi, const char *dir)
{
	struct stat st;

	open_file(a, CPU_STAT, hi->point, dir, "cpu.stat");
	open_file(a, MEM_STAT, hi->point, dir, "memory.stat");
	open_file(a, MEM_USAGE, hi->point, dir, "memory.current");
	open_file(a, MEM_LIMIT, hi->point, dir, "memory.max");
	open_file(a, IO_STAT, hi->point, dir, "io.stat");
	if (a->fd[MEM_STAT] >= 0 && !cb_host_stat(&a->h->host, CB_ADMIN, hi->point, dir, &st))
		a->memory_id = st.st_ino;
}

static void open_v1_memory(struct cb_account *a, const struct hier *hi, const char *dir)
{
	struct stat st;

	open_file(a, MEM_STAT, hi->point, dir, "memory.stat");
	open_file(a, MEM_USAGE, hi->point, dir, "memory.usage_in_bytes");
	open_file(a, MEM_LIMIT, hi->point, dir, "memory.limit_in_bytes");
	a->memory_v1 = true;
	if (!cb_host_stat(&a->h->host, CB_ADMIN, hi->point, dir, &st))
		a->memory_id = st.st_ino;
}

static void open_v1(struct cb_account *a, const struct family *f, const char *controller)
{
	const struct hier *hi = hier_of(a->h, controller);
	char *dir = hi ? folder(f, hi, controller) : NULL;

	if (!dir)
		return;
	if (!strcmp(controller, "memory")) {
		open_v1_memory(a, hi, dir);
	} else if (!strcmp(controller, "cpu")) {
		open_file(a, CFS_STAT, hi->point, dir, "cpu.stat");
	} else if (a->fd[CPU_STAT] < 0) {
		open_file(a, USAGE, hi->point, dir, "cpuacct.usage");
		open_file(a, USAGE_USER, hi->point, dir, "cpuacct.usage_user");
		open_file(a, USAGE_SYS, hi->point, dir, "cpuacct.usage_sys");
	}
	free(dir);
}

/*
 * v1 has no usable account of the disk: what the kernel writes back later counts for the root. So there is none,
 * and the tasks' own sums serve.
 */
static void open_cgroups(struct cb_account *a, const struct family *f)
{
	const struct hier *hi = hier_of(a->h, "");
	char *dir = hi ? folder(f, hi, "") : NULL;

	if (dir)
		open_v2(a, hi, dir);
	free(dir);
	open_v1(a, f, "cpuacct");
	open_v1(a, f, "cpu");
	if (a->fd[MEM_STAT] < 0)
		open_v1(a, f, "memory");
}

static uint64_t ns_of(const struct cb_hiers *h, const char *pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "proc/%s/ns/%s", pid, name);
	return fstatat(h->host.fd, path, &st, 0) ? 0 : st.st_ino;
}

static void open_net(struct cb_account *a, const char *pid)
{
	uint64_t ns = ns_of(a->h, pid, "net");
	char rel[32];

	if (!ns)
		return;
	a->host_net = ns == ns_of(a->h, "self", "net");
	if (a->host_net)
		return;
	snprintf(rel, sizeof(rel), "%s/net/dev", pid);
	a->fd[NET_DEV] = cb_host_open(&a->h->host, CB_ADMIN, "/proc", rel);
}

struct cb_account *cb_account_open(const struct cb_hiers *h, const struct cb_cont *c, uint32_t pid, uint32_t pidns)
{
	struct cb_account *a = cb_xalloc(sizeof(*a));
	struct family f = { .c = c };
	char number[16];
	uint32_t ppid;

	a->h = h;
	for (int i = 0; i < NFILES; i++)
		a->fd[i] = -1;
	snprintf(number, sizeof(number), "%u", pid);
	if (pid && cb_host_proc(&h->host, pid, "cgroup", &f.own) > 0) {
		ppid = parent_of(h, pid);
		if (ppid)
			cb_host_proc(&h->host, ppid, "cgroup", &f.parent);
		open_net(a, number);
		/* still the same process: then all of this was read of it */
		if (pidns && ns_of(h, number, "pid") != pidns) {
			cb_buf_reset(&f.own);
			if (a->fd[NET_DEV] >= 0)
				close(a->fd[NET_DEV]);
			a->fd[NET_DEV] = -1;
		}
	}
	open_cgroups(a, &f);
	cb_buf_free(&f.own);
	cb_buf_free(&f.parent);
	return a;
}

void cb_account_close(struct cb_account *a)
{
	if (!a)
		return;
	for (int i = 0; i < NFILES; i++) {
		if (a->fd[i] >= 0)
			close(a->fd[i]);
		free(a->rel[i]);
	}
	cb_buf_free(&a->buf);
	free(a);
}

/* ---- reading ---- */

/* The whole of a file, from its beginning. A cgroup's comes in one piece, so less than was asked for is its end. */
static bool slurp(struct cb_account *a, enum file which)
{
	int fd = a->fd[which];
	bool once = which != NET_DEV;
	char chunk[8192];
	ssize_t n = -1;

	if (fd < 0 && a->rel[which])
		fd = cb_host_open(&a->h->host, CB_ADMIN, a->base[which], a->rel[which]);
	cb_buf_reset(&a->buf);
	while (fd >= 0 && a->buf.len < NET_MAX && (n = pread(fd, chunk, sizeof(chunk), a->buf.len)) > 0) {
		cb_buf_put(&a->buf, chunk, n);
		if (once && n < (ssize_t)sizeof(chunk))
			break;
	}
	if (fd >= 0 && fd != a->fd[which])
		close(fd);
	return fd >= 0 && n >= 0 && a->buf.s;
}

/* The number behind "KEY " at the beginning of a line. */
static bool number_of(const struct cb_buf *b, const char *key, __u64 *ret)
{
	size_t len = strlen(key);

	for (const char *at = b->len ? b->s : NULL; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (!strncmp(at, key, len) && at[len] == ' ') {
			*ret = strtoull(at + len + 1, NULL, 10);
			return true;
		}
	return false;
}

static bool single(struct cb_account *a, enum file which, __u64 *ret)
{
	if (!slurp(a, which) || !a->buf.len)
		return false;
	*ret = a->buf.s[0] == 'm' ? UINT64_MAX : strtoull(a->buf.s, NULL, 10); /* "max" */
	return true;
}

static void read_cpu(struct cb_account *a, struct cb_usage *u)
{
	if (slurp(a, CPU_STAT) && number_of(&a->buf, "usage_usec", &u->cpu_ns)) {
		u->has_cpu = true;
		u->cpu_ns *= 1000;
		if (number_of(&a->buf, "user_usec", &u->user_ns))
			u->user_ns *= 1000;
		if (number_of(&a->buf, "system_usec", &u->system_ns))
			u->system_ns *= 1000;
		u->has_throttled = number_of(&a->buf, "nr_throttled", &u->throttled) &&
				   number_of(&a->buf, "throttled_usec", &u->throttled_ns);
		u->throttled_ns *= 1000;
	} else if (single(a, USAGE, &u->cpu_ns)) {
		u->has_cpu = single(a, USAGE_USER, &u->user_ns) && single(a, USAGE_SYS, &u->system_ns);
	}
	if (slurp(a, CFS_STAT) && number_of(&a->buf, "nr_throttled", &u->throttled))
		u->has_throttled = number_of(&a->buf, "throttled_time", &u->throttled_ns);
}

/* "8:0 rbytes=180224 wbytes=0 rios=3 ..." */
static void read_disk(struct cb_account *a, struct cb_usage *u)
{
	if (!slurp(a, IO_STAT))
		return;
	u->has_disk = true;
	if (!a->buf.len)
		return;
	for (const char *at = a->buf.s; (at = strstr(at, "bytes=")); at += 6) {
		if (at == a->buf.s)
			continue;
		if (at[-1] == 'r')
			u->read_bytes += strtoull(at + 6, NULL, 10);
		else if (at[-1] == 'w')
			u->write_bytes += strtoull(at + 6, NULL, 10);
	}
}

/* "  eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop ..." */
static void add_device(const char *line, struct cb_usage *u)
{
	const char *colon = strchr(line, ':');
	unsigned long long v[16] = {};
	char *at;

	if (!colon)
		return;
	line += strspn(line, " ");
	if (colon - line == 2 && !strncmp(line, "lo", 2))
		return;
	at = (char *)colon + 1;
	for (int i = 0; i < 16; i++)
		v[i] = strtoull(at, &at, 10);
	u->rx_bytes += v[0];
	u->rx_packets += v[1];
	u->rx_dropped += v[3];
	u->tx_bytes += v[8];
	u->tx_packets += v[9];
	u->tx_dropped += v[11];
}

static void read_net(struct cb_account *a, struct cb_usage *u)
{
	char *line, *end;

	if (!slurp(a, NET_DEV) || !a->buf.len)
		return;
	u->has_net = true;
	for (line = a->buf.s; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		add_device(line, u);
	}
}

void cb_account_read(struct cb_account *a, bool cpu, bool split, struct cb_usage *ret)
{
	struct cb_usage u = {};

	if (cpu)
		read_cpu(a, &u);
	if (split && slurp(a, MEM_STAT))
		u.has_split = number_of(&a->buf, a->memory_v1 ? "total_rss" : "anon", &u.anon) &&
			      number_of(&a->buf, a->memory_v1 ? "total_cache" : "file", &u.file);
	read_disk(a, &u);
	read_net(a, &u);
	*ret = u;
}

uint64_t cb_account_memory_id(const struct cb_account *a)
{
	return a->memory_id;
}

int cb_account_memory(struct cb_account *a, __u64 *ret_usage, __u64 *ret_limit)
{
	__u64 usage, limit;

	if (!single(a, MEM_USAGE, &usage) || !single(a, MEM_LIMIT, &limit))
		return -ENOENT;
	*ret_usage = usage;
	*ret_limit = limit < NO_LIMIT ? limit : 0;
	return 0;
}

bool cb_account_host_net(const struct cb_account *a)
{
	return a->host_net;
}
