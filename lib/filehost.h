/* SPDX-License-Identifier: GPL-2.0 */
/* Where a file that a container names is found on this host. */
#ifndef CB_FILEHOST_H
#define CB_FILEHOST_H
#include "cb.h"
#include "container.h"
#include "../bpf/filenote.h"

/* The mounts of the host, and those of each container as they were last read. */
struct cb_filehost;
struct cb_filehost *cb_filehost_new(void);
void cb_filehost_free(struct cb_filehost *h);
/* Reads the mounts of a container while it is there. */
void cb_filehost_container(struct cb_filehost *h, const struct cb_cont *c);
/* An interval is over: mounts are read anew when next asked for, those of containers that are gone are forgotten. */
void cb_filehost_interval(struct cb_filehost *h, struct cb_run *run);
/* path: as the row of the note n has it. Into ret, cut at size; left as it is where the host has the file nowhere. */
void cb_filehost_find(struct cb_filehost *h, struct cb_run *run, const struct file_note *n, const char *path, char *ret,
		      size_t size);
#endif
