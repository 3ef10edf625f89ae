/* SPDX-License-Identifier: GPL-2.0 */
/* Private to container.c and the engine_*.c files: one look-up of one container. */
#ifndef CB_ENGINE_H
#define CB_ENGINE_H
#include <jansson.h>
#include <sys/stat.h>
#include "container.h"

/* ---- hostfs.c: the host's files, read as data ---- */
#define CB_FILE_MAX (1 << 20)

struct cb_host {
	int fd;			/* the host's root folder, or a test's */
	json_t *storage;	/* the containers.json last parsed: one file names all containers of podman */
	char *storage_file;
	struct timespec storage_mtime;
	struct cb_libpod *libpod; /* podman's database last read; NULL: none */
	struct cb_states *runc, *crun; /* what their state files say; NULL: not looked at */
};
enum cb_trust {
	CB_ADMIN,	/* folder made by root: may hold other file systems */
	CB_USER,	/* made by a user (rootless engines): no mount is crossed either, it could be FUSE and hang */
};
/*
 * Reads base/rel whole. base: absolute, set by the administrator, its links are followed. rel: below it; no
 * link is followed in any part of it and it never leaves base. Regular files of at most max bytes only.
 * out is replaced. Returns the length or -errno; st may be NULL.
 */
int cb_host_read(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, size_t max,
		 struct cb_buf *out, struct stat *st);
/* The same file, opened to be read; the caller closes. Descriptor or -errno. */
int cb_host_open(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel);
/* The same, parsed; NULL when there is none or it is broken. */
json_t *cb_host_json(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel,
		     struct stat *st);
int cb_host_stat(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, struct stat *st);
/* What a link says, not followed; NULL if there is none. The caller frees. */
char *cb_host_link(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel);
/* /proc/PID/NAME */
int cb_host_proc(const struct cb_host *h, uint32_t pid, const char *name, struct cb_buf *out);
/* Names in a folder, at most max, NULL at the end; NULL if there are none. */
char **cb_host_list(const struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, size_t max);
void cb_strv_free(char **v);
/* Files that were kept since the next container is likely to need them. */
void cb_host_forget(struct cb_host *h);
void cb_host_close(struct cb_host *h);
/* Cgroup path of a process: the unified line unless it says nothing, else pids, memory, name=systemd. */
char *cb_host_cgroup(const struct cb_host *h, uint32_t pid);
/*
 * Nearest ancestor that is outside of the process' pid namespace (shim, conmon, lxc monitor), or for one with the host's
 * pids outside of its mounts. 0: none.
 */
uint32_t cb_host_outside(const struct cb_host *h, uint32_t pid);
/*
 * The path on the host of what is mounted at a mount point in the process' view ("/etc/hosts"): NULL if
 * nothing is or the host does not see that file system. A claim: the container may have mounted it.
 */
char *cb_host_mounted(const struct cb_host *h, uint32_t pid, const char *point);

/* The value of an option in a NUL-separated command line ("--data-root X", "--data-root=X"), NULL: not there. */
const char *cb_cmdline_option(const struct cb_buf *cmdline, const char *option);
/* Text at .a.b, "" when it is not there or no text. */
const char *cb_json_text(const json_t *j, const char *path);

/* ---- one look-up ---- */
struct cb_found {
	const char *runtime;
	char *id, *name, *image, *image_id, *rootfs;
	char **label;
	size_t nlabel;
	uint32_t pid;
	bool proved;		/* the runtime's own state names this cgroup or process */
	/* the file that names it, for cb_conts_refresh() */
	enum cb_trust trust;
	char *base, *file;
	struct timespec mtime;
};
void cb_found_set(char **to, const char *text); /* replaces, cut at 1 KiB */
void cb_found_label(struct cb_found *f, const char *key, const char *value); /* unless it has one of that key */
const char *cb_found_labelled(const struct cb_found *f, const char *key);    /* its value, NULL: none */
void cb_found_labels(struct cb_found *f, const json_t *object); /* all texts of it */
void cb_found_file(struct cb_found *f, enum cb_trust trust, const char *base, const char *file, const struct stat *st);
void cb_found_reset(struct cb_found *f);

struct cb_look {
	struct cb_host *host;
	uint32_t pid;		/* 0: not known */
	const char *cgroup;	/* never NULL; may be "" or "/" */
	size_t cgroup_len;	/* up to the part of it that was matched */
	bool quick;		/* only by the path: what is asked of a process takes ten times as long */
	bool skipped;		/* set: so nothing was asked of the process */
	bool has_outside;
	uint32_t outside;	/* cb_look_outside() found it */
	struct cb_found found;
};
/* cb_host_outside() of the process, which each engine asks for; 0: none. */
uint32_t cb_look_outside(struct cb_look *look);

/* One name of a cgroup path. */
struct cb_part {
	const char *s, *parent;
	size_t len, parent_len;
	size_t end; /* of it in the path */
};
enum cb_match {
	CB_NO,
	CB_MAYBE,	/* only the disk can tell */
	CB_SURE,	/* this engine writes such paths */
};
struct cb_engine {
	enum cb_match (*match)(const struct cb_part *p, struct cb_engine_hint *ret);
	/* Fill look->found from the engine's files: 0, or -ENOENT and found is to be reset. */
	int (*resolve)(struct cb_look *look, const struct cb_engine_hint *hint);
	int (*by_pid)(struct cb_look *look); /* when no path told; may be NULL */
};
extern const struct cb_engine cb_engine_docker, cb_engine_podman, cb_engine_crio, cb_engine_containerd,
	cb_engine_lxc, cb_engine_runc, cb_engine_crun, cb_engine_nspawn;

/* 0 and look->found is filled, or -ENOENT. */
int cb_engine_find(struct cb_look *look);

bool cb_part_is(const struct cb_part *p, const char *name);
bool cb_parent_is(const struct cb_part *p, const char *name);
bool cb_part_is_id(const struct cb_part *p);	/* 64 hexadecimal digits */
/* PREFIX id SUFFIX, id not empty; with hex it must be 64 digits. */
bool cb_part_affix(const struct cb_part *p, const char *prefix, const char *suffix, bool hex,
		   struct cb_engine_hint *ret);
void cb_hint_set(struct cb_engine_hint *ret, const char *runtime, const char *id, size_t len);
bool cb_is_id(const char *s);
bool cb_safe_name(const char *s); /* one component of a path */

/* ---- engine_libpod.c ---- */
/*
 * What podman's database says of a container, NULL: nothing, or it is not uid's. storage: its folder below base, ends
 * with '/' or is "". The caller frees.
 */
json_t *cb_libpod_config(struct cb_host *h, enum cb_trust trust, const char *base, const char *storage, uid_t uid,
			 const char *id);
void cb_libpod_forget(struct cb_host *h);

/* ---- engine_oci.c ---- */
void cb_states_free(struct cb_states *s);
/*
 * runc or crun at work, by its command line: which container it makes, and where its state will be. cb_oci_begun_free()
 * frees.
 */
struct cb_oci_begun {
	const char *runtime;
	char *id, *root;
};
bool cb_oci_begun(const struct cb_host *h, uint32_t pid, struct cb_oci_begun *ret); /* false: it is none, or makes none */
void cb_oci_begun_found(const struct cb_oci_begun *b, struct cb_found *ret);
void cb_oci_begun_free(struct cb_oci_begun *b);

/* ---- what runc keeps, under whichever engine ---- */
/*
 * base/rel/state.json of runc, base/rel/status of crun. 0: it names this cgroup or this process (found.proved,
 * pid and rootfs are set); -ENOENT: there is none (yet); -EPERM: it is another container's.
 */
int cb_oci_prove(struct cb_look *look, enum cb_trust trust, const char *base, const char *id);
#endif
