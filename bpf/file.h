/* SPDX-License-Identifier: GPL-2.0 */
/* What is done to files: cfileaccess. */
#ifndef CB_FILE_H
#define CB_FILE_H
#include "cb.h"

#define FILE_PATH 1024

struct file_rec {
	struct cb_head h;
	__u64 read_bytes, write_bytes;
	__u64 ino;
	__u32 error;
	char device[16];
	char type[12];
	char mode[8];
	char owner[24];
	char foreign[12];
	char flags[100];
	char other[128];
	char path[FILE_PATH];
	char target[FILE_PATH];
	char host_path[FILE_PATH];
};

#ifndef __bpf__
CB_SCHEMA(file, 1, "what is done to files", file_rec,
	  CB_FIELD(file_rec, flags, CB_STR, "file.flags", "FLAGS", CB_SET,
		   "how: read, write, append, truncate, ...; exec or write of a mapping; what of a task could not be seen"),
	  CB_FIELD(file_rec, error, CB_ERRNO, "error.errno", "ERR", CB_NONE, "why it failed"),
	  CB_FIELD(file_rec, type, CB_STR, "file.type", NULL, CB_NONE, "file, dir, link, pipe, socket, char, block or anon"),
	  CB_FIELD(file_rec, mode, CB_STR, "file.mode", NULL, CB_NONE, "permissions that were asked for (chmod, mkdir, mknod, create), octal"),
	  CB_FIELD(file_rec, owner, CB_STR, "file.owner", NULL, CB_NONE, "chown: the new user:group, - for unchanged"),
	  CB_FIELD(file_rec, foreign, CB_STR, "file.foreign", NULL, CB_SET,
		   "why the file is not the container's alone: container or host (reached in the mounts of that), or shared"),
	  CB_FIELD(file_rec, other, CB_STR, "file.container.name", "OTHER", CB_SET, "the other container"),
	  CB_FIELD(file_rec, ino, CB_UINT, "file.inode", NULL, CB_NONE, "inode number"),
	  CB_FIELD(file_rec, device, CB_STR, "file.device", NULL, CB_NONE, "file system, as major:minor"),
	  CB_FIELD(file_rec, read_bytes, CB_BYTES, "file.read_bytes", NULL, CB_NONE, "bytes read (--bytes)"),
	  CB_FIELD(file_rec, write_bytes, CB_BYTES, "file.write_bytes", NULL, CB_NONE, "bytes written (--bytes)"),
	  CB_FIELD(file_rec, path, CB_PATH, "file.path", "PATH", CB_SET,
		   "the file, as the container sees it; of an open one what was truly opened, else as it was named"),
	  CB_FIELD(file_rec, target, CB_PATH, "file.target_path", NULL, CB_SET,
		   "rename, link: the new name; symlink: where it points to; mount: what is mounted"),
	  CB_FIELD(file_rec, host_path, CB_PATH, "file.host_path", NULL, CB_NONE, "the file as the host sees it (--host-path)"))
#endif
#endif
