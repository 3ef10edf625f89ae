/* SPDX-License-Identifier: GPL-2.0 */
/* Which files are shared: those that more than one container used. */
#ifndef CB_FILESHARE_H
#define CB_FILESHARE_H
#include <stdint.h>
#include "../bpf/filenote.h"

/* A file; gen: a number is given again when the file is gone. dev 0: nothing that can be shared. */
struct cb_file_id {
	uint64_t ino;
	uint32_t dev, gen;
};
/* Only regular files of a tree can be shared, and none of the kernel's own file systems. */
struct cb_file_id cb_file_id_of(const struct file_note *n);

/* Remembers a bounded number of files; those that were not used for longest give way. */
struct cb_fileshare;
struct cb_fileshare *cb_fileshare_new(void);
void cb_fileshare_free(struct cb_fileshare *s);
/* cont: key of the container that uses it, 0: the host */
void cb_fileshare_used(struct cb_fileshare *s, struct cb_file_id id, uint64_t cont);
/* The container with which cont shares the file: the first that used it, else the first other one. 0: none, or the host. */
uint64_t cb_fileshare_with(const struct cb_fileshare *s, struct cb_file_id id, uint64_t cont);
#endif
