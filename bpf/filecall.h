/* SPDX-License-Identifier: GPL-2.0 */
/* Which calls do what to files, and which of their arguments say so. A line more is a call more. */
#ifndef CB_FILECALL_H
#define CB_FILECALL_H
#include "filenote.h"

static const struct {
	const char *name;
	const char *program; /* in bpf/file.bpf.c; NULL: of file_bytes */
	struct file_call call;
	const char *event; /* the kernel's name of its tracepoint where that is another */
} file_calls[] = {
	{ "open", "file_open", { .op = FILE_OPEN, .path = 1, .num1 = 2, .num2 = 3 } },
	{ "creat", "file_creat", { .op = FILE_OPEN, .path = 1, .num2 = 2 } },
	{ "openat", "file_openat", { .op = FILE_OPEN, .dir = 1, .path = 2, .num1 = 3, .num2 = 4 } },
	{ "openat2", "file_openat2", { .op = FILE_OPEN, .dir = 1, .path = 2, .num1 = 3 | FILE_HOW_POINTER } },
	{ "open_by_handle_at", "file_handle", { .op = FILE_OPEN, .num1 = 3 } },
	{ "unlink", "file_named", { .op = FILE_UNLINK, .path = 1 } },
	{ "unlinkat", "file_named", { .op = FILE_UNLINK, .dir = 1, .path = 2, .num1 = 3 } },
	{ "rmdir", "file_named", { .op = FILE_RMDIR, .path = 1 } },
	{ "rename", "file_named", { .op = FILE_RENAME, .path = 1, .path2 = 2 } },
	{ "renameat", "file_named", { .op = FILE_RENAME, .dir = 1, .path = 2, .dir2 = 3, .path2 = 4 } },
	{ "renameat2", "file_named", { .op = FILE_RENAME, .dir = 1, .path = 2, .dir2 = 3, .path2 = 4, .num1 = 5 } },
	{ "link", "file_named", { .op = FILE_LINK, .path = 1, .path2 = 2 } },
	{ "linkat", "file_named", { .op = FILE_LINK, .dir = 1, .path = 2, .dir2 = 3, .path2 = 4 } },
	{ "symlink", "file_named", { .op = FILE_SYMLINK, .path = 2, .path2 = 1, .dir2 = FILE_TEXT } },
	{ "symlinkat", "file_named", { .op = FILE_SYMLINK, .dir = 2, .path = 3, .path2 = 1, .dir2 = FILE_TEXT } },
	{ "chmod", "file_named", { .op = FILE_CHMOD, .path = 1, .num2 = 2 } },
	{ "fchmodat", "file_named", { .op = FILE_CHMOD, .dir = 1, .path = 2, .num2 = 3 } },
	{ "fchmodat2", "file_named", { .op = FILE_CHMOD, .dir = 1, .path = 2, .num2 = 3 } },
	{ "fchmod", "file_fd", { .op = FILE_CHMOD, .fd = 1, .num2 = 2 } },
	{ "chown", "file_named", { .op = FILE_CHOWN, .path = 1, .num1 = 2, .num2 = 3 } },
	{ "lchown", "file_named", { .op = FILE_CHOWN, .path = 1, .num1 = 2, .num2 = 3 } },
	{ "fchownat", "file_named", { .op = FILE_CHOWN, .dir = 1, .path = 2, .num1 = 3, .num2 = 4 } },
	{ "fchown", "file_fd", { .op = FILE_CHOWN, .fd = 1, .num1 = 2, .num2 = 3 } },
	{ "mkdir", "file_named", { .op = FILE_MKDIR, .path = 1, .num2 = 2 } },
	{ "mkdirat", "file_named", { .op = FILE_MKDIR, .dir = 1, .path = 2, .num2 = 3 } },
	{ "mknod", "file_named", { .op = FILE_MKNOD, .path = 1, .num2 = 2 } },
	{ "mknodat", "file_named", { .op = FILE_MKNOD, .dir = 1, .path = 2, .num2 = 3 } },
	{ "mount", "file_named", { .op = FILE_MOUNT, .path = 2, .path2 = 1, .dir2 = FILE_TEXT, .num1 = 4 } },
	{ "move_mount", "file_named", { .op = FILE_MOUNT, .dir = 3, .path = 4, .dir2 = 1, .path2 = 2 } },
	{ "umount2", "file_named", { .op = FILE_UMOUNT, .path = 1, .num1 = 2 }, "umount" },
	{ "truncate", "file_named", { .op = FILE_TRUNCATE, .path = 1 } },
	{ "ftruncate", "file_fd", { .op = FILE_TRUNCATE, .fd = 1 } },
	{ "mmap", "file_map", { .op = FILE_MAP } },
	{ "io_uring_setup", "file_ring", { .op = FILE_PARTLY } },
	{ "io_uring_enter", "file_ring", { .op = FILE_PARTLY } },
	{ "read", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "pread64", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "readv", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "preadv", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "preadv2", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "getdents64", NULL, { .op = FILE_READ, .fd = 1 } },
	{ "write", NULL, { .op = FILE_WRITE, .fd2 = 1 } },
	{ "pwrite64", NULL, { .op = FILE_WRITE, .fd2 = 1 } },
	{ "writev", NULL, { .op = FILE_WRITE, .fd2 = 1 } },
	{ "pwritev", NULL, { .op = FILE_WRITE, .fd2 = 1 } },
	{ "pwritev2", NULL, { .op = FILE_WRITE, .fd2 = 1 } },
	{ "sendfile", NULL, { .op = FILE_READ, .fd = 2, .fd2 = 1 } },
	{ "splice", NULL, { .op = FILE_READ, .fd = 1, .fd2 = 3 } },
	{ "copy_file_range", NULL, { .op = FILE_READ, .fd = 1, .fd2 = 3 } },
};
#endif
