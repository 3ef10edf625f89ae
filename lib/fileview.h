/* SPDX-License-Identifier: GPL-2.0 */
/* A note of the probe of files as a row: paths put together, numbers as words. */
#ifndef CB_FILEVIEW_H
#define CB_FILEVIEW_H
#include "cb.h"
#include "../bpf/file.h"
#include "../bpf/filenote.h"

extern const char *const cb_file_actions[FILE_NOPS]; /* event.action */

/* Fills ret but for other, read_bytes and write_bytes. -EINVAL: the note is not whole. */
int cb_file_view(const struct file_note *n, size_t len, struct file_rec *ret);
/* file.flags of an operation; flags: of one or of many calls, or'ed */
void cb_file_flags(uint8_t op, uint32_t flags, uint8_t bits, char *to, size_t room);
/* The path inside its file system, if the note has it. */
bool cb_file_inside(const struct file_note *n, struct cb_buf *ret);
#endif
