/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cbrecord: all collectors into one folder of recordings. Each collector writes its own files through a hidden link
 * (.exec.jsonl.zst), which points at the present one (exec-20261124T160102Z.jsonl.zst): to begin a new file the link
 * is changed and the collector told. So names never change, sort in order of time, and are right after any death.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "supervise.h"

#define NS 1000000000ULL
#define ENDING ".jsonl.zst"
#define STAMP_LEN 16		     /* 20261124T160102Z */
#define SIZE_DEFAULT (64ULL << 20)
#define AGE_DEFAULT (3600 * NS)
#define SIZE_MIN 4096
#define LOOK_NS (NS / 2)	     /* how often sizes are looked at */
#define FULL_BYTES (256 * 1024)	     /* less room than a write may want: the disk is full */

/* The files of one dataset. */
struct series {
	char *link;	      /* ".exec.jsonl.zst" */
	char *file, *before;  /* present one, and the one that the collector may still be writing to */
	uint64_t begun;	      /* UTC ns */
	time_t stamp;	      /* in the name of the present one */
};

struct recorder {
	struct cb_supervisor s;
	const char *path;
	int dir;
	uint64_t rotate_size, rotate_ns; /* 0: not given */
	uint64_t max_bytes;		 /* 0: no limit */
	struct series *series;		 /* by worker */
	uint64_t looked;
};

/* ---- names ---- */

static bool digits(const char *s, int n)
{
	for (int i = 0; i < n; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* The stamp in NAME-STAMP.jsonl.zst, NULL: no recording of ours. */
static const char *stamp_of(const char *name)
{
	size_t len = strlen(name), tail = STAMP_LEN + strlen(ENDING);
	const char *s;

	if (len < tail + 2 || name[0] == '.')
		return NULL;
	s = name + len - tail;
	if (s[-1] != '-' || strcmp(s + STAMP_LEN, ENDING))
		return NULL;
	return digits(s, 8) && s[8] == 'T' && digits(s + 9, 6) && s[15] == 'Z' ? s : NULL;
}

static char *name_at(const char *dataset, time_t t)
{
	char stamp[STAMP_LEN + 1];
	struct tm tm;

	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&t, &tm));
	return cb_xasprintf("%s-%s%s", dataset, stamp, ENDING);
}

/* A name that is not taken and sorts behind those before. */
static int next_file(struct recorder *r, int i)
{
	struct series *f = &r->series[i];
	const char *dataset = r->s.worker[i].dataset;
	char *tmp = cb_xasprintf("%s.new", f->link), *name;
	time_t t = time(NULL);
	int err = 0;

	if (t <= f->stamp)
		t = f->stamp + 1;
	while (name = name_at(dataset, t), !faccessat(r->dir, name, F_OK, AT_SYMLINK_NOFOLLOW)) {
		free(name);
		t++;
	}
	unlinkat(r->dir, tmp, 0);
	if (symlinkat(name, r->dir, tmp) || renameat(r->dir, tmp, r->dir, f->link))
		err = cb_fail(&r->s.err, -errno, "%s/%s: cannot make: %s", r->path, f->link, strerror(errno));
	free(tmp);
	if (err) {
		free(name);
		return err;
	}
	free(f->before);
	f->before = f->file;
	f->file = name;
	f->begun = cb_now_utc();
	f->stamp = t;
	return 0;
}

/* ---- the cap ---- */

struct old {
	char *name;
	uint64_t bytes;
};

static bool is_open(const struct recorder *r, const char *name)
{
	for (int i = 0; i < r->s.nworker; i++)
		if ((r->series[i].file && !strcmp(r->series[i].file, name)) ||
		    (r->series[i].before && !strcmp(r->series[i].before, name)))
			return true;
	return false;
}

static int by_stamp(const void *a, const void *b)
{
	const struct old *x = a, *y = b;
	int d = strcmp(stamp_of(x->name), stamp_of(y->name));

	return d ? d : strcmp(x->name, y->name);
}

/* All recordings, those that are closed in *ret, oldest first; *sum: bytes of all. */
static int list_files(struct recorder *r, struct old **ret, size_t *nret, uint64_t *sum)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *ent;
	struct old *old = NULL;
	struct stat st;
	size_t n = 0;

	if (!d)
		return cb_fail(&r->s.err, -errno, "%s: cannot read the folder: %s", r->path, strerror(errno));
	*sum = 0;
	while ((ent = readdir(d))) {
		if (!stamp_of(ent->d_name) || fstatat(r->dir, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		*sum += st.st_size;
		if (is_open(r, ent->d_name))
			continue;
		old = cb_xrealloc(old, (n + 1) * sizeof(*old));
		old[n++] = (struct old){ cb_xstrdup(ent->d_name), st.st_size };
	}
	closedir(d);
	if (n)
		qsort(old, n, sizeof(*old), by_stamp);
	*ret = old;
	*nret = n;
	return 0;
}

static int prune(struct recorder *r)
{
	struct old *old = NULL;
	uint64_t sum = 0;
	size_t n = 0;
	int err;

	if (!r->max_bytes)
		return 0;
	err = list_files(r, &old, &n, &sum);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (sum > r->max_bytes && !err) {
			if (unlinkat(r->dir, old[i].name, 0) && errno != ENOENT)
				err = cb_fail(&r->s.err, -errno, "%s/%s: cannot remove: %s", r->path, old[i].name,
					      strerror(errno));
			sum -= old[i].bytes;
		}
		free(old[i].name);
	}
	free(old);
	return err;
}

/* Nobody writes any more: only the last file of each dataset is kept in any case. */
static int last_prune(struct recorder *r)
{
	for (int i = 0; i < r->s.nworker; i++) {
		free(r->series[i].before);
		r->series[i].before = NULL;
	}
	return prune(r);
}

/* ---- rotation ---- */

static uint64_t size_limit(const struct recorder *r)
{
	uint64_t size = r->rotate_size, share;

	if (!size)
		size = SIZE_DEFAULT;
	if (!r->max_bytes)
		return size;
	/* open files are never removed: together they must leave most of the room to closed ones */
	share = r->max_bytes / (4 * r->s.nworker);
	return share < size ? share : size;
}

static uint64_t age_limit(const struct recorder *r)
{
	return r->rotate_ns ? r->rotate_ns : r->rotate_size ? UINT64_MAX : AGE_DEFAULT;
}

static int turn(struct recorder *r, int i)
{
	int err = next_file(r, i);

	if (!err)
		kill(r->s.worker[i].pid, SIGHUP);
	return err;
}

/* Is the collector done with the turn before? Sizes are of the present file then. */
static bool settled(struct recorder *r, int i, struct stat *st)
{
	struct series *f = &r->series[i];

	if (!r->s.worker[i].pid || !r->s.worker[i].ready || !f->file || fstatat(r->dir, f->file, st, AT_SYMLINK_NOFOLLOW))
		return false;
	free(f->before);
	f->before = NULL;
	return true;
}

static int tick(struct cb_supervisor *s)
{
	struct recorder *r = s->data;
	uint64_t now = cb_now_utc();
	int err = 0;

	if (now - r->looked < LOOK_NS)
		return 0;
	r->looked = now;
	for (int i = 0; i < s->nworker && !err; i++) {
		struct series *f = &r->series[i];
		uint64_t age = now > f->begun ? now - f->begun : 0;
		struct stat st;

		/* names have seconds, so a file lives for one at least */
		if (!settled(r, i, &st) || age < NS)
			continue;
		if ((uint64_t)st.st_size >= size_limit(r) || age >= age_limit(r))
			err = turn(r, i);
	}
	return err ? err : prune(r);
}

static int hangup(struct cb_supervisor *s)
{
	struct recorder *r = s->data;
	struct stat st;
	int err = 0;

	for (int i = 0; i < s->nworker && !err; i++)
		if (settled(r, i, &st))
			err = turn(r, i);
	return err;
}

/* ---- life ---- */

static int begin(struct cb_supervisor *s, int i)
{
	struct recorder *r = s->data;
	int err = next_file(r, i);

	if (err)
		return err;
	cb_supervisor_arg(s, "--write=%s/%s", r->path, r->series[i].link);
	return -1; /* its rows go to the file only */
}

static int ready(struct cb_supervisor *s)
{
	struct recorder *r = s->data;
	struct cb_buf what = {};

	for (int i = 0; i < s->nworker; i++)
		cb_buf_printf(&what, "%s%s", i ? ", " : "", s->worker[i].dataset);
	if (!s->opt.quiet)
		cb_supervisor_say(s, "recording %s into %s", what.s, r->path);
	cb_buf_free(&what);
	return 0;
}

/* Starting a collector again helps when it was to blame, not when there is no room. */
static int failed(struct cb_supervisor *s, int i)
{
	struct recorder *r = s->data;
	int fd = openat(r->dir, ".room", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), err;

	if (fd < 0)
		return -errno;
	err = posix_fallocate(fd, 0, FULL_BYTES);
	close(fd);
	unlinkat(r->dir, ".room", 0);
	return -err;
}

static int open_folder(struct recorder *r)
{
	struct stat st;

	if (mkdir(r->path, 0700) && errno != EEXIST)
		return cb_fail(&r->s.err, -errno, "%s: cannot make the folder: %s", r->path, strerror(errno));
	r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0 || fstat(r->dir, &st))
		return cb_fail(&r->s.err, -errno, "%s: cannot open the folder: %s", r->path, strerror(errno));
	/* somebody else's link would send the recording anywhere */
	if (st.st_mode & S_IWOTH)
		return cb_fail(&r->s.err, -EPERM, "%s: expected a folder that not everybody can write to", r->path);
	if (flock(r->dir, LOCK_EX | LOCK_NB))
		return cb_fail(&r->s.err, -errno, "%s: %s", r->path,
			       errno == EWOULDBLOCK ? "another cbrecord is recording into this folder" : strerror(errno));
	return 0;
}

/* Two workers of one dataset would share names. */
static int make_series(struct recorder *r)
{
	struct cb_supervisor *s = &r->s;

	r->series = cb_xalloc(s->nworker * sizeof(*r->series));
	for (int i = 0; i < s->nworker; i++) {
		for (int j = 0; j < i; j++)
			if (!strcmp(s->worker[i].dataset, s->worker[j].dataset))
				return cb_fail(&s->err, -EEXIST, "%s and %s both record %s", s->worker[j].tool,
					       s->worker[i].tool, s->worker[i].dataset);
		r->series[i].link = cb_xasprintf(".%s%s", s->worker[i].dataset, ENDING);
	}
	return 0;
}

static void free_series(struct recorder *r)
{
	for (int i = 0; r->series && i < r->s.nworker; i++) {
		if (r->series[i].file)
			unlinkat(r->dir, r->series[i].link, 0);
		free(r->series[i].link);
		free(r->series[i].file);
		free(r->series[i].before);
	}
	free(r->series);
}

static int record(struct recorder *r)
{
	char *folder = NULL;
	int err = cb_program_folder(&folder, &r->s.err);

	if (!err)
		err = cb_supervisor_find(&r->s, folder);
	if (!err)
		err = make_series(r);
	if (!err)
		err = open_folder(r);
	if (!err)
		err = cb_supervisor_run(&r->s);
	free(folder);
	return err;
}

/* ---- options ---- */

enum { KEY_MAX = 0x300, KEY_ROTATE, KEY_DUMP };

#define EXAMPLES \
	"cbrecord -d 2h /var/lib/cbtools/rec            two hours\n" \
	"cbrecord --max-bytes=20G /var/lib/cbtools/rec  until ended, the newest 20 GB\n" \
	"cbrecord -c web --rotate=10m rec/              one container, files of 10 min\n"

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Files:", 2 },
	{ "rotate", KEY_ROTATE, "SIZE|TIME", 0,
	  "a new file at this size (64M) or age (1h); may be given for both. The usual: 64M and 1h", 2 },
	{ "max-bytes", KEY_MAX, "SIZE", 0, "remove the oldest files when all have more than SIZE (500M, 20G); the usual: never", 2 },
	{ "dump", KEY_DUMP, "man", OPTION_HIDDEN, NULL, 2 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

/* "64M": K, M, G and T are powers of 1024. False: no size. */
static bool parse_size(const char *text, uint64_t *ret)
{
	static const char unit[] = "KMGT";
	const char *u;
	char *end;
	uint64_t v;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	u = *end ? strchr(unit, *end) : NULL;
	if (errno || !u || end[1] || v > UINT64_MAX >> (10 * (u - unit + 1)))
		return false;
	*ret = v << (10 * (u - unit + 1));
	return true;
}

static void parse_rotate(struct argp_state *state, struct recorder *r, const char *arg)
{
	bool plain = *arg && strspn(arg, "0123456789.") == strlen(arg);

	if (parse_size(arg, &r->rotate_size)) {
		if (r->rotate_size < SIZE_MIN)
			argp_error(state, "--rotate: expected 4K or more, got \"%s\"", arg);
	} else if (plain || cb_parse_time(arg, &r->rotate_ns, NULL)) {
		argp_error(state, "--rotate: expected a size such as 64M or a time such as 1h, got \"%s\"", arg);
	} else if (r->rotate_ns < NS) {
		argp_error(state, "--rotate: expected 1s or more, got \"%s\"", arg);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct recorder *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->s;
		break;
	case KEY_ROTATE:
		parse_rotate(state, r, arg);
		break;
	case KEY_MAX:
		if (!parse_size(arg, &r->max_bytes) || r->max_bytes < 16 * SIZE_MIN)
			argp_error(state, "--max-bytes: expected a size such as 500M or 20G, 64K or more, got \"%s\"", arg);
		break;
	case KEY_DUMP:
		cb_man_program(options, &cb_supervisor_argp, EXAMPLES, stdout);
		exit(0);
	case ARGP_KEY_ARG:
		if (r->path)
			argp_error(state, "one folder is expected, got \"%s\" as well", arg);
		r->path = arg;
		break;
	case ARGP_KEY_END:
		if (!r->path)
			argp_error(state, "expected the folder to record into");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct cb_supervisor_ops ops = {
		.start = begin, .ready = ready, .tick = tick, .hangup = hangup, .failed = failed,
	};
	const struct argp_child children[] = { { &cb_supervisor_argp, 0, NULL, 0 }, {} };
	const struct argp argp = { options, parse, "DIR",
				   "Records what containers do: every collector beside this program writes into the folder DIR, "
				   "in files that begin anew by size and age.\v"
				   "SIGHUP begins new files; SIGINT and SIGTERM end the recording.\n\n"
				   "Examples:\n" EXAMPLES,
				   children, NULL, NULL };
	struct recorder r = { .s = { .name = "cbrecord", .ops = &ops }, .dir = -1 };
	int err;

	r.s.data = &r;
	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &r);
	umask(077);
	err = record(&r);
	if (err && r.s.err.text[0])
		cb_supervisor_say(&r.s, "%s", r.s.err.text);
	if (!err && (err = last_prune(&r)))
		cb_supervisor_say(&r.s, "%s", r.s.err.text);
	free_series(&r);
	if (r.dir >= 0)
		close(r.dir);
	cb_supervisor_free(&r.s);
	return err ? CB_EXIT_FAILED : 0;
}
