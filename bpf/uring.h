/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring operations among system call numbers: a program that uses a ring asks for them without a call. */
#ifndef CB_URING_H
#define CB_URING_H

#define CB_URING_BASE 0x800 /* call numbers from here to 0x8ff are operations */
#define CB_URING_OPS 0x100

#ifndef __bpf__
/* include/uapi/linux/io_uring.h enum io_uring_op, in its order: numbers of a stable interface */
static const char *const cb_uring_ops[] = {
	"nop", "readv", "writev", "fsync", "read_fixed", "write_fixed", "poll_add", "poll_remove", "sync_file_range",
	"sendmsg", "recvmsg", "timeout", "timeout_remove", "accept", "async_cancel", "link_timeout", "connect",
	"fallocate", "openat", "close", "files_update", "statx", "read", "write", "fadvise", "madvise", "send", "recv",
	"openat2", "epoll_ctl", "splice", "provide_buffers", "remove_buffers", "tee", "shutdown", "renameat", "unlinkat",
	"mkdirat", "symlinkat", "linkat", "msg_ring", "fsetxattr", "setxattr", "fgetxattr", "getxattr", "socket",
	"uring_cmd", "send_zc", "sendmsg_zc", "read_multishot", "waitid", "futex_wait", "futex_wake", "futex_waitv",
	"fixed_fd_install", "ftruncate", "bind", "listen", "recv_zc", "epoll_wait", "readv_fixed", "writev_fixed", "pipe",
};
#endif
#endif
