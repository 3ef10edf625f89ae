/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs on a call's own tracepoint (tp/CATEGORY/NAME). Their numbers stand in tracefs, which minimal hosts
 * do not mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "run.h"

static int open_events(void)
{
	static const char *const places[] = { "/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events" };
	int mnt, fd;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	mnt = cb_mount_detached("tracefs");
	if (mnt < 0)
		return -1;
	fd = openat(mnt, "events", O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(mnt);
	return fd;
}

/* path: "syscalls/sys_enter_execve". Negative errno without a text: the caller knows what for. */
static long tracepoint_id(const char *path)
{
	int events = open_events(), fd;
	char *file, text[32] = "";
	ssize_t n;

	if (events < 0)
		return -errno;
	file = cb_xasprintf("%s/id", path);
	fd = openat(events, file, O_RDONLY | O_CLOEXEC);
	free(file);
	close(events);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? atol(text) : -EIO;
}

bool cb_has_tracepoint(const char *path)
{
	return tracepoint_id(path) > 0;
}

int cb_attach_tracepoint(struct bpf_program *p, const char *path, struct bpf_link **ret, struct cb_err *e)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	long id = tracepoint_id(path);
	struct bpf_link *l;
	int fd;

	if (id < 0)
		return cb_fail(e, id, "tracepoint %s: %s", path, strerror(-id));
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return cb_fail(e, -errno, "tracepoint %s: perf_event_open: %s", path, strerror(errno));
	l = bpf_program__attach_perf_event(p, fd);
	if (!l) {
		int err = -errno;

		close(fd);
		return cb_fail(e, err, "tracepoint %s: %s", path, strerror(-err));
	}
	*ret = l;
	return 0;
}
