/* SPDX-License-Identifier: GPL-2.0 */
/* Containers by key: id, name, image, labels, from the engines' own files; kept after exit. */
#ifndef CB_CONTAINER_H
#define CB_CONTAINER_H
#include "cb.h"

struct cb_cont {
	uint64_t key;
	char *id, *name, *image, *image_id, *runtime, *cgroup; /* never NULL; runtime "unknown" when no engine fits */
	char **label; /* "k=v", NULL at the end */
	char *rootfs; /* where the root lies on the host, "" if not known */
	uint32_t pid; /* of its init, host view */
	uint64_t since; /* boot ns */
	uint64_t gone;	/* boot ns, 0: alive */
	bool wanted;	/* by -c/--exclude as last asked */
};

/* root: "" or a folder that holds var/lib, run, proc as on a host (tests). */
struct cb_conts *cb_conts_new(const char *root);
void cb_conts_free(struct cb_conts *c);
/*
 * Makes the container known: resolves it at once (the engine's files may be gone in 5 ms). cgroup: path as
 * in /proc/PID/cgroup's unified line (or pids line), "" if the kernel side could not tell: then /proc/PID is
 * read. Never fails: what cannot be found is runtime "unknown", name = cgroup path's last part or pid:N.
 * Adding a known one again looks once more while its files were not all there (they come after the cgroup).
 * The pointer is stable until forgotten: gone for a minute and more than 4096 gone, or more than 16384 gone. Of those
 * alive that no engine knows, 4096 are kept: the oldest then counts as gone.
 */
struct cb_cont *cb_conts_add(struct cb_conts *c, uint64_t key, uint32_t pid, const char *cgroup, uint64_t since);
/*
 * The process runtime, on the host, prepares a container of that key: should no file tell its name when it is made known,
 * the command line does that this process has now. Makes nothing known by itself; the 64 newest are remembered.
 */
void cb_conts_soon(struct cb_conts *c, uint64_t key, uint32_t runtime);
struct cb_cont *cb_conts_get(struct cb_conts *c, uint64_t key); /* NULL: not known */
void cb_conts_gone(struct cb_conts *c, uint64_t key, uint64_t when);
void cb_conts_refresh(struct cb_conts *c); /* renamed containers: re-reads what changed (mtime) */
int cb_conts_each(struct cb_conts *c, int (*fn)(struct cb_cont *, void *), void *arg); /* stops at non-zero */

/* engine.c: is this cgroup path an engine's, which, and what id? Pure text, no disk. */
struct cb_engine_hint {
	char runtime[16]; /* docker podman containerd crio lxc runc crun nspawn "" */
	char id[256];
	bool helper;	  /* conmon, lxc monitor: not payload */
};
void cb_engine_of_path(const char *cgroup, struct cb_engine_hint *ret);

/* filter.c: -c, --exclude, -p, -n, -u. */
struct cb_filter *cb_filter_new(void);
void cb_filter_free(struct cb_filter *f);
/* name glob, id prefix of 4+, image=GLOB, label=K[=V], /cgroup/path (and below). -EINVAL on an empty or bad one. */
int cb_filter_include(struct cb_filter *f, const char *pattern, struct cb_err *e);
int cb_filter_exclude(struct cb_filter *f, const char *pattern, struct cb_err *e);
void cb_filter_pid(struct cb_filter *f, uint32_t pid);	 /* repeatable, any of them */
void cb_filter_comm(struct cb_filter *f, const char *comm);
void cb_filter_uid(struct cb_filter *f, uint32_t uid);
void cb_filter_host(struct cb_filter *f, bool host);	 /* -a: host processes too */
bool cb_filter_by_process(const struct cb_filter *f); /* any of -p, -n, -u */
bool cb_filter_cont(const struct cb_filter *f, const struct cb_cont *c); /* by container alone; c NULL: the host */
/* The same and the process; labels are not in a recording, so a replayed row is matched without them. */
bool cb_filter_event(const struct cb_filter *f, const struct cb_cont *c, const struct cb_common *row);
/*
 * The same by the container that something was done to, for a data type that has fields target.container.id, .name
 * or .image.name: its rows belong to both sides. Labels and cgroups are not among them.
 */
bool cb_filter_target(const struct cb_filter *f, const struct cb_event *ev);
#endif
