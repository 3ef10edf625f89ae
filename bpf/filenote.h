/* SPDX-License-Identifier: GPL-2.0 */
/* Between the two halves of cfileaccess: what a call does, what is told of it once, what is counted. */
#ifndef CB_FILENOTE_H
#define CB_FILENOTE_H
#include "cb.h"

/* event.action, in this order: tools/cfileaccess.c */
enum file_op {
	FILE_NONE,
	FILE_OPEN,
	FILE_CREATE, /* an open that made the file */
	FILE_UNLINK,
	FILE_RMDIR,
	FILE_RENAME,
	FILE_LINK,
	FILE_SYMLINK,
	FILE_CHMOD,
	FILE_CHOWN,
	FILE_MKDIR,
	FILE_MKNOD,
	FILE_MOUNT,
	FILE_UMOUNT,
	FILE_TRUNCATE,
	FILE_MAP, /* mmap() to execute, or shared and to write */
	FILE_READ,
	FILE_WRITE,
	FILE_PARTLY, /* the task does things in ways that are not seen here */
	FILE_NOPS
};

/* Where a call has what: numbers of arguments, from 1 on, 0: it has none. */
struct file_call {
	__u8 op;
	__u8 path, dir;	  /* name and the directory it is relative to (0: the working directory) */
	__u8 path2, dir2; /* the other name; FILE_TEXT: no name, but a text */
	__u8 fd;	  /* an open file in place of a name (reads: where from) */
	__u8 fd2;	  /* reads: where to */
	__u8 num1, num2;  /* numbers to be told: flags and mode, or user and group */
	__u8 pad[7];
};

#define FILE_CALLS 512 /* numbers above are not of this table */
#define FILE_TEXT 15
#define FILE_HOW_POINTER 0x80 /* in num1: the argument points at the number (openat2) */

/* FILE_PARTLY: why a task is only partly seen, in num[0] */
#define FILE_IO_URING 1
#define FILE_32BIT 2

#define FILE_NAMES 1024 /* bytes of a path's names; one more name of up to 255 may follow */
#define FILE_ASKED 1024 /* bytes of a name as it was asked for */
#define FILE_DATA 8192	 /* room for two as asked for and three paths, and a power of two */

/* file_note.bits */
#define FILE_CUT 0x1	 /* a path did not fit */
#define FILE_ANON 0x2	 /* no place in a tree: pipe, socket, memfd */
#define FILE_DELETED 0x4
#define FILE_OUTSIDE 0x8 /* not below the root of the process */
#define FILE_HOST 0x10	 /* in the mounts of the host */

/* Sent when something is done to a file for the first time in an interval (--every: each time). */
struct file_note {
	struct cb_head h;
	__u64 id;	/* of the counter it belongs to */
	__u64 bytes;	/* --every */
	__u64 ino;
	__u64 foreign;	/* key of the container in whose mounts it lies, 0: its own */
	__u64 magic;	/* of the file system */
	__u32 dev;
	__u32 error;
	__u32 num[2];	/* as in file_call */
	__u32 fmode;	/* how it was opened: FMODE_ of the kernel */
	__u16 imode;	/* type and permissions */
	__u8 op;
	__u8 bits;
	/* lengths of the parts of data, which stand in this order */
	__u16 asked[2]; /* names as asked for */
	__u16 names[2]; /* of the file, or of the directory the name is relative to: deepest first, each with its NUL */
	__u16 fsnames;	/* path inside its file system, likewise; of a name: the path of the process's root inside its own */
	__u16 pad;
	__u32 len;	/* of data */
	__u32 root_dev; /* of a name: file system of the root */
	__u32 gen;	/* of the inode: its number is given again when the file is gone */
	char data[FILE_DATA] __attribute__((aligned(8)));
};

enum { FILE_UNTOLD, FILE_TOLD, FILE_MISSED }; /* its note was sent; could not be sent */

struct file_count {
	__u64 id;
	__u64 count;
	__u64 bytes;
	__u32 flags; /* all that were asked for, or'ed */
	__u32 told;
};

/* What counts as one and the same, before any path is made. */
struct file_key {
	__u64 who;     /* container and program */
	__u64 a, b, c; /* entry, mount, hash of the name; or of what was asked for */
	__u64 what;    /* operation, how << 8, error << 32 */
};

/*
 * Each CPU keeps what it counts again and again by itself, in a place that follows from the key. Who finds another there
 * counts in the counter itself, and takes the place when the other was not counted since it was asked for last.
 */
struct file_slot {
	struct file_key key; /* all zero: empty */
	__u64 count, bytes;  /* not yet in the counter */
	__u32 flags;
	__u16 busy;  /* in use by a program that was interrupted */
	__u16 asked; /* count's lowest bits when another asked for the place */
};
_Static_assert(sizeof(struct file_slot) == 64, "a line of the cache");

#define FILE_SLOT_BITS 10
#define FILE_SLOTS (1u << FILE_SLOT_BITS) /* of a CPU in a turn; of two turns in turn */

#define FILE_TABLE 32768 /* counters an interval */
#define FILE_SMALL 256	 /* counters any container may have, however full the table is */

#endif
