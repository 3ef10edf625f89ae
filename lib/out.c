/* SPDX-License-Identifier: GPL-2.0 */
/* Where rows go: descriptor or recording, whole rows only, plain or in zstd frames. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include "buf.h"
#include "writer.h"

#define FLUSH_AT (256 * 1024)	/* rows are handed on when so many bytes wait, asked to or not */
#define HOLD_MAX (16 << 20)	/* what waits for a full disk to have room again */
#define LEVEL 3

struct cb_out {
	char *path;
	int fd;
	bool own;     /* opened here, not stdout */
	bool regular; /* own, and a file: a write cut short can be undone */
	bool fifo;
	int pipe_size; /* of a pipe that nobody else writes to, 0: others may */
	ZSTD_CCtx *zstd;
	struct cb_buf rows;  /* not yet compressed; of a plain file never compressed */
	struct cb_buf frame; /* bytes of a compressed file */
	size_t done;	     /* of rows or frame: already written */
	uint64_t pos;	     /* size of the regular file */
	uint64_t bytes;
	unsigned long waiting, dropped; /* rows */
};

static int fail(const struct cb_out *o, int err, struct cb_err *e)
{
	const char *name = o->own ? o->path : "standard output";

	if (o->dropped)
		return cb_fail(e, -err, "%s: cannot write: %s; %lu rows wait, %lu are lost", name, strerror(err),
			       o->waiting, o->dropped);
	return cb_fail(e, -err, "%s: cannot write: %s; %lu row%s not written", name, strerror(err), o->waiting,
		       o->waiting == 1 ? "" : "s");
}

static int open_path(struct cb_out *o, int flags, struct cb_err *e)
{
	struct stat st;
	int fd = open(o->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | flags, 0600);

	if (fd < 0 || fstat(fd, &st)) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		return cb_fail(e, -err, "%s: cannot open for writing: %s", o->path, strerror(err));
	}
	o->fd = fd;
	o->regular = S_ISREG(st.st_mode);
	o->fifo = S_ISFIFO(st.st_mode);
	o->pos = st.st_size;
	return 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

int cb_out_open(struct cb_out **ret, const char *path, struct cb_err *e)
{
	struct cb_out *o = cb_xalloc(sizeof(*o));
	struct stat st;
	int err;

	o->path = cb_xstrdup(path);
	o->own = strcmp(path, "-");
	if (!o->own) {
		o->fd = STDOUT_FILENO;
		o->fifo = !fstat(o->fd, &st) && S_ISFIFO(st.st_mode);
	} else {
		err = open_path(o, O_TRUNC, e);
		if (err) {
			free(o->path);
			free(o);
			return err;
		}
		if (ends_with(path, ".zst"))
			o->zstd = ZSTD_createCCtx();
	}
	if (o->zstd) {
		ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1);
	}
	*ret = o;
	return 0;
}

/* A file that was not moved away goes on: what it holds is a recording. */
int cb_out_reopen(struct cb_out *o, struct cb_err *e)
{
	int old = o->fd, err = cb_out_flush(o, e), opened;

	if (!o->own)
		return err;
	opened = open_path(o, 0, e);
	if (opened)
		return err ? err : opened;
	close(old);
	return err;
}

/* One write(2), however long it takes. Bytes written or -errno. */
static ssize_t write_some(int fd, const char *p, size_t n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t got;

	for (;;) {
		got = write(fd, p, n);
		if (got > 0)
			return got;
		if (got == 0)
			return -ENOSPC;
		if (errno == EAGAIN)
			poll(&pfd, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
}

void cb_out_alone(struct cb_out *o)
{
	int size = o->fifo ? fcntl(o->fd, F_GETPIPE_SZ) : 0;

	o->pipe_size = size > 0 ? size : 0;
}

/*
 * As many bytes as a pipe takes in one piece whatever happens: PIPE_BUF where others write too; else what there is room
 * for, as who waits for room may be killed in the middle of a row. What is in the pipe stands in pages, of which two
 * neighbours hold more than one could (fs/pipe.c pipe_write()).
 */
static size_t pipe_takes(const struct cb_out *o)
{
	long page = sysconf(_SC_PAGESIZE), left;
	int used;

	if (!o->pipe_size || ioctl(o->fd, FIONREAD, &used))
		return PIPE_BUF;
	left = o->pipe_size - 2L * used - 2 * page;
	return left > PIPE_BUF ? left : PIPE_BUF;
}

/* Whole rows of at most so many bytes. */
static size_t pipe_part(const char *p, size_t n, size_t most)
{
	const char *nl;

	if (n <= most)
		return n;
	nl = memrchr(p, '\n', most);
	if (!nl)
		nl = memchr(p, '\n', n);
	return nl ? (size_t)(nl - p) + 1 : n;
}

/* A file must not end inside a row or a frame, even if no later write succeeds. */
static void undo(struct cb_out *o, const struct cb_buf *b)
{
	const char *nl = o->zstd ? NULL : memrchr(b->s, '\n', o->done);
	size_t keep = nl ? (size_t)(nl - b->s) + 1 : 0;

	if (keep == o->done || ftruncate(o->fd, o->pos - (o->done - keep)))
		return;
	o->pos -= o->done - keep;
	o->bytes -= o->done - keep;
	o->done = keep;
}

static int write_all(struct cb_out *o, struct cb_buf *b)
{
	ssize_t n;

	while (o->done < b->len) {
		size_t part = b->len - o->done;

		if (o->fifo && !o->zstd)
			part = pipe_part(b->s + o->done, part, pipe_takes(o));
		n = write_some(o->fd, b->s + o->done, part);
		if (n < 0) {
			if (o->regular)
				undo(o, b);
			return n;
		}
		o->done += n;
		o->pos += n;
		o->bytes += n;
	}
	return 0;
}

/* Forgets what was written. */
static void drop_done(struct cb_out *o, struct cb_buf *b)
{
	if (!o->zstd)
		for (const char *p = b->s, *end = p + o->done; p < end && (p = memchr(p, '\n', end - p)); p++)
			o->waiting--;
	b->len -= o->done;
	memmove(b->s, b->s + o->done, b->len);
	o->done = 0;
}

static int compress_rows(struct cb_out *o)
{
	size_t bound = ZSTD_compressBound(o->rows.len), n;

	n = ZSTD_compress2(o->zstd, cb_buf_room(&o->frame, bound), bound, o->rows.s, o->rows.len);
	if (ZSTD_isError(n))
		return -EIO;
	o->frame.len += n;
	cb_buf_reset(&o->rows);
	return 0;
}

static int hand_on(struct cb_out *o)
{
	struct cb_buf *b = o->zstd ? &o->frame : &o->rows;
	int err;

	if (o->zstd && o->rows.len) {
		err = compress_rows(o);
		if (err)
			return err;
	}
	if (!b->len)
		return 0;
	err = write_all(o, b);
	if (o->done)
		drop_done(o, b);
	if (!err)
		o->waiting = 0;
	return err;
}

void cb_out_row(struct cb_out *o, const char *row, size_t len)
{
	if (o->rows.len + o->frame.len + len > HOLD_MAX) {
		o->dropped++;
		return;
	}
	cb_buf_add(&o->rows, row, len);
	o->waiting++;
	if (o->rows.len / FLUSH_AT != (o->rows.len - len) / FLUSH_AT)
		hand_on(o); /* if that fails the rows stay, and cb_out_flush() meets the error again */
}

int cb_out_flush(struct cb_out *o, struct cb_err *e)
{
	int err = hand_on(o);

	if (!err && o->dropped)
		err = -ENOSPC;
	if (err)
		fail(o, -err, e);
	o->dropped = 0; /* is said once */
	return err;
}

uint64_t cb_out_bytes(const struct cb_out *o)
{
	return o->bytes;
}

int cb_out_close(struct cb_out *o, struct cb_err *e)
{
	int err;

	if (!o)
		return 0;
	err = cb_out_flush(o, e);
	if (o->own && close(o->fd) && !err) /* where some file systems tell that the disk is full */
		err = fail(o, errno, e);
	ZSTD_freeCCtx(o->zstd);
	cb_buf_free(&o->rows);
	cb_buf_free(&o->frame);
	free(o->path);
	free(o);
	return err;
}
