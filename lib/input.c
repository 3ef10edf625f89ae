/* SPDX-License-Identifier: GPL-2.0 */
/* Several inputs as one stream: folders, files in order of time, pipes as rows arrive. Hash of a source. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "reader_impl.h"

/* ---- folders ---- */

struct list {
	char **path;
	int n;
};

static void add(struct list *l, char *path)
{
	l->path = cb_xrealloc(l->path, (l->n + 1) * sizeof(*l->path));
	l->path[l->n++] = path;
}

void cb_sources_free(char **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static bool ends_in(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !memcmp(s + len - n, end, n);
}

static bool is_recording(const char *name)
{
	size_t len = strlen(name);

	if (ends_in(name, len, ".zst"))
		len -= 4;
	return ends_in(name, len, ".jsonl") || ends_in(name, len, ".json") || ends_in(name, len, ".csv");
}

/* exec.2.jsonl before exec.10.jsonl: pieces of a rotated recording stay in order. */
static int by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder, sorted; hidden ones are left out, they may be half written. */
static int names_in(const char *path, struct list *ret, struct cb_err *e)
{
	DIR *d = opendir(path);
	struct dirent *ent;
	int err;

	if (!d)
		return cb_fail(e, -errno, "%s: cannot open the folder: %s", path, strerror(errno));
	while (errno = 0, (ent = readdir(d)))
		if (ent->d_name[0] != '.')
			add(ret, cb_xstrdup(ent->d_name));
	err = -errno;
	closedir(d);
	if (err)
		return cb_fail(e, err, "%s: cannot read the folder: %s", path, strerror(-err));
	if (ret->n)
		qsort(ret->path, ret->n, sizeof(*ret->path), by_name);
	return 0;
}

static int add_folder(struct list *l, const char *path, int depth, struct cb_err *e)
{
	struct list names = {};
	struct stat st;
	int err = names_in(path, &names, e);

	for (int i = 0; i < names.n && !err; i++) {
		char *full = cb_xasprintf("%s/%s", path, names.path[i]);

		if (stat(full, &st)) {
			if (is_recording(names.path[i]))
				err = cb_fail(e, -errno, "%s: cannot open: %s", full, strerror(errno));
		} else if (S_ISDIR(st.st_mode) && depth > 0) {
			err = add_folder(l, full, depth - 1, e);
		} else if (S_ISREG(st.st_mode) && is_recording(names.path[i])) {
			add(l, full);
			continue;
		}
		free(full);
	}
	cb_sources_free(names.path, names.n);
	return err;
}

int cb_sources_list(char *const *paths, int n, char ***ret, int *nret, struct cb_err *e)
{
	struct list l = {};
	struct stat st;
	int err = 0;

	for (int i = 0; i < n && !err; i++) {
		int before = l.n;

		if (!strcmp(paths[i], "-") || stat(paths[i], &st) || !S_ISDIR(st.st_mode)) {
			add(&l, cb_xstrdup(paths[i]));
			continue;
		}
		err = add_folder(&l, paths[i], 1, e);
		if (!err && l.n == before)
			err = cb_fail(e, -ENOENT, "%s: expected recordings (.jsonl, .json or .csv, also .zst) in the folder, got none",
				      paths[i]);
	}
	if (err) {
		cb_sources_free(l.path, l.n);
		return err;
	}
	*ret = l.path;
	*nret = l.n;
	return 0;
}

/* ---- inputs ---- */

struct source {
	char *path;
	struct cb_reader *reader; /* NULL: a file whose time has not come, or given up */
	uint64_t time;		  /* of the row it holds, or of its first row while it is closed */
	int order;
	bool held; /* row was read but not given out */
	struct cb_row row;
};

struct cb_inputs {
	struct cb_names *names;
	struct source *source;
	int nsource;
	struct source **file; /* a heap: the one with the earliest row is first */
	int nfile;
	bool advance; /* the first one's row was given out */
	struct source **pipe;
	int npipe, cur; /* cur: the pipe whose rows are taken */
	struct pollfd *pfd;
	bool live;
	int cut;
};

static void close_source(struct cb_inputs *in, struct source *s)
{
	in->cut += !s->reader || !cb_reader_ended(s->reader);
	cb_reader_free(s->reader);
	s->reader = NULL;
}

static bool before(const struct source *a, const struct source *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void sift(struct cb_inputs *in, int at)
{
	struct source *s = in->file[at];

	for (int child; (child = 2 * at + 1) < in->nfile; at = child) {
		if (child + 1 < in->nfile && before(in->file[child + 1], in->file[child]))
			child++;
		if (!before(in->file[child], s))
			break;
		in->file[at] = in->file[child];
	}
	in->file[at] = s;
}

/* Rows without a time keep their place behind the one before. */
static int read_row(struct source *s, struct cb_err *e)
{
	int err = cb_reader_next(s->reader, &s->row, e);

	s->held = err == 1;
	s->row.file = s->path; /* outlives the reader */
	if (err == 1 && s->row.time)
		s->time = s->row.time;
	return err;
}

/* The time of a file's first row, 0: it has none, or there is no row. What is wrong is told when it is read. */
static void peek(struct cb_inputs *in, struct source *s)
{
	struct cb_err quiet;
	struct cb_row row;
	int err;

	do {
		err = cb_reader_next(s->reader, &row, &quiet);
		if (err == 1)
			s->time = row.time;
	} while (err == -EINVAL);
	cb_reader_free(s->reader);
	s->reader = NULL;
}

static int open_source(struct cb_inputs *in, struct source *s, struct cb_err *e)
{
	int err = cb_reader_open(&s->reader, in->names, s->path, e);

	if (err)
		return err;
	if (!s->reader->regular) {
		cb_reader_nonblock(s->reader);
		in->pipe[in->npipe++] = s;
		in->live = true;
		return 0;
	}
	/* stdin cannot be opened again, and begins at once */
	if (strcmp(s->path, "-"))
		peek(in, s);
	in->file[in->nfile++] = s;
	return 0;
}

int cb_inputs_open(struct cb_inputs **ret, struct cb_names *names, char *const *paths, int n, struct cb_err *e)
{
	static char *const standard[] = { "-" };
	struct cb_inputs *in = cb_xalloc(sizeof(*in));
	char **list = NULL;
	int err, nlist = 0;

	in->names = names;
	err = cb_sources_list(n ? paths : standard, n ? n : 1, &list, &nlist, e);
	in->source = cb_xalloc(nlist * sizeof(*in->source));
	in->file = cb_xalloc(nlist * sizeof(*in->file));
	in->pipe = cb_xalloc(nlist * sizeof(*in->pipe));
	in->pfd = cb_xalloc(nlist * sizeof(*in->pfd));
	in->nsource = nlist;
	for (int i = 0; i < nlist; i++) {
		in->source[i].path = list[i];
		in->source[i].order = i;
	}
	free(list);
	for (int i = 0; i < nlist && !err; i++)
		err = open_source(in, &in->source[i], e);
	if (err) {
		cb_inputs_free(in);
		return err;
	}
	for (int i = in->nfile / 2 - 1; i >= 0; i--)
		sift(in, i);
	*ret = in;
	return 0;
}

void cb_inputs_free(struct cb_inputs *in)
{
	if (!in)
		return;
	for (int i = 0; i < in->nsource; i++) {
		cb_reader_free(in->source[i].reader);
		free(in->source[i].path);
	}
	free(in->source);
	free(in->file);
	free(in->pipe);
	free(in->pfd);
	free(in);
}

bool cb_inputs_live(const struct cb_inputs *in)
{
	return in->live;
}

int cb_inputs_cut(const struct cb_inputs *in)
{
	return in->cut;
}

static void drop_first(struct cb_inputs *in)
{
	in->file[0] = in->file[--in->nfile];
	if (in->nfile)
		sift(in, 0);
}

/* Until the earliest file's earliest row is held: 1, 0: no file is left, or what went wrong. */
static int next_of_files(struct cb_inputs *in, struct cb_err *e)
{
	while (in->nfile) {
		struct source *s = in->file[0];
		int err = 0;

		if (s->held)
			return 1;
		if (!s->reader)
			err = cb_reader_open(&s->reader, in->names, s->path, e);
		if (!err)
			err = read_row(s, e);
		if (err == 1) {
			sift(in, 0);
			continue;
		}
		if (err == -EINVAL)
			return err;
		close_source(in, s);
		drop_first(in);
		if (err)
			return err;
	}
	return 0;
}

/* The next row that lies in a buffer already, pipe after pipe: -EAGAIN when there is none. */
static int next_buffered(struct cb_inputs *in, struct source **ret, struct cb_err *e)
{
	for (int left = in->npipe; left > 0; left--) {
		struct source *s;
		int err;

		in->cur = in->cur < in->npipe ? in->cur : 0;
		s = in->pipe[in->cur];
		if (cb_reader_ready(s->reader) || s->reader->eof) {
			err = read_row(s, e);
			*ret = s;
			if (err == 1 || err == -EINVAL)
				return err;
			if (err != -EAGAIN) {
				close_source(in, s);
				memmove(in->pipe + in->cur, in->pipe + in->cur + 1,
					(--in->npipe - in->cur) * sizeof(*in->pipe));
				if (err)
					return err;
				continue;
			}
		}
		in->cur++;
	}
	return in->npipe ? -EAGAIN : 0;
}

/* Waits, then takes one read(2) from each pipe that has something. */
static int fill_pipes(struct cb_inputs *in, int timeout_ms, struct cb_err *e)
{
	int n;

	for (int i = 0; i < in->npipe; i++)
		in->pfd[i] = (struct pollfd){ cb_reader_fd(in->pipe[i]->reader), POLLIN };
	n = poll(in->pfd, in->npipe, timeout_ms);
	if (n <= 0)
		return n == 0 || errno == EINTR ? -EAGAIN : cb_fail(e, -errno, "cannot wait for input: %s", strerror(errno));
	for (int i = 0; i < in->npipe; i++) {
		int err = in->pfd[i].revents ? cb_reader_fill(in->pipe[i]->reader, e) : 0;

		if (err < 0 && err != -EAGAIN)
			return err; /* its reader is at its end now, and is closed at the next turn */
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int next_of_pipes(struct cb_inputs *in, struct source **ret, int timeout_ms, struct cb_err *e)
{
	int64_t until = -1, left = timeout_ms;
	int err;

	while ((err = next_buffered(in, ret, e)) == -EAGAIN) {
		/* bytes that make no whole row do not lengthen the wait */
		if (timeout_ms > 0 && until < 0)
			until = now_ms() + timeout_ms;
		else if (timeout_ms > 0)
			left = until - now_ms();
		err = left < 0 && timeout_ms > 0 ? -EAGAIN : fill_pipes(in, left, e);
		if (err)
			return err;
	}
	return err;
}

int cb_inputs_next(struct cb_inputs *in, struct cb_row *ret, int timeout_ms, struct cb_err *e)
{
	struct source *s = NULL;
	int err;

	if (e)
		e->text[0] = '\0';
	if (in->advance)
		in->file[0]->held = false;
	in->advance = false;
	err = next_of_files(in, e);
	if (err == 1) {
		s = in->file[0];
		in->advance = true;
	} else if (err || !in->npipe) {
		return err;
	} else {
		err = next_of_pipes(in, &s, timeout_ms, e);
	}
	if (err == 1)
		*ret = s->row;
	return err;
}

/* ---- hash ---- */

/* FNV-1a of 128 bits (prime 2^88 + 0x13b). */
struct fnv {
	unsigned __int128 h;
};

static void fnv_add(struct fnv *f, const char *s, size_t n)
{
	const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
	unsigned __int128 h = f->h;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * prime;
	f->h = h;
}

int cb_source_hash(const char *path, char hex[33], struct cb_err *e)
{
	struct fnv f = { (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d };
	struct cb_reader *r;
	struct cb_names *names;
	struct cb_err why = {};
	int err;

	names = cb_names_new();
	err = cb_reader_open(&r, names, path, e);
	if (err) {
		cb_names_free(names);
		return err;
	}
	if (!r->regular)
		err = cb_fail(e, -ESPIPE, "%s: expected a file, got a pipe", path);
	while (!err && (err = cb_reader_fill(r, &why)) > 0) {
		err = 0;
		if (!r->head)
			continue;
		fnv_add(&f, r->buf + r->start, r->len - r->start);
		r->start = r->scan = r->len;
	}
	fnv_add(&f, r->buf + r->start, r->len - r->start);
	cb_reader_free(r);
	cb_names_free(names);
	/* a recording that is cut has a hash too: of what can be read */
	if (err && err != -ENODATA)
		return cb_fail(e, err, "%s", why.text);
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)(f.h >> 64), (unsigned long long)f.h);
	return 0;
}
