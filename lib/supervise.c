/* SPDX-License-Identifier: GPL-2.0 */
/* All collectors of a folder as child processes. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "container.h"
#include "run.h"
#include "supervise.h"

#define SEC 1000000000ULL
#define TICK_NS 250000000ULL
#define HELD_NS (SEC * 3 / 10) /* a message waits so long: if its writer ends then, it is known to be its last word */
#define SAME_NS (5 * SEC)      /* the same message of another collector is not repeated within */
#define PAUSE_MIN (SEC / 4)
#define PAUSE_MAX (60 * SEC)
#define PATIENCE (30 * SEC)    /* to end after SIGTERM */
#define ANSWER_MS 10000	       /* to answer --dump=record */
#define BUFFERED_NS SEC	       /* what a collector that dies may not have written yet is younger than this */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

void cb_supervisor_say(const struct cb_supervisor *s, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", s->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- which collectors there are ---- */

int cb_program_folder(char **ret, struct cb_err *e)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n < 0)
		return cb_fail(e, -errno, "/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return cb_fail(e, -EINVAL, "/proc/self/exe: expected a path, got \"%s\"", path);
	slash[slash == path] = '\0';
	*ret = cb_xstrdup(path);
	return 0;
}

static bool has_note(int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *scn = NULL;
	size_t names;
	bool found = false;

	if (elf && elf_kind(elf) == ELF_K_ELF && !elf_getshdrstrndx(elf, &names))
		while (!found && (scn = elf_nextscn(elf, scn))) {
			GElf_Shdr h;
			const char *name = gelf_getshdr(scn, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;

			found = name && !strcmp(name, CB_NOTE);
		}
	elf_end(elf);
	return found;
}

/* Only a program with our note may be started: what others do when they are, nobody knows. */
static bool is_collector(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool yes = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && !access(path, X_OK) && has_note(fd);

	if (fd >= 0)
		close(fd);
	return yes;
}

pid_t cb_supervisor_fork(int sig)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0); /* ^C is for the parent, who ends its children in order */
	if (sig && prctl(PR_SET_PDEATHSIG, sig))
		_exit(127);
	if (getppid() != parent)
		_exit(127); /* it has died already */
	return 0;
}

static void become(char *const *argv, int in, int out, int err)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || (err >= 0 && dup2(err, STDERR_FILENO) < 0))
		_exit(127);
	execv(argv[0], argv);
	fprintf(stderr, "%s: cannot start: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int read_answer(int fd, struct cb_buf *to)
{
	struct pollfd pfd = { fd, POLLIN };
	char part[1024];
	ssize_t n;

	while (to->len < 65536) {
		if (poll(&pfd, 1, ANSWER_MS) != 1)
			return -ETIMEDOUT;
		n = read(fd, part, sizeof(part));
		if (n <= 0)
			return n ? -errno : 0;
		cb_buf_put(to, part, n);
	}
	return -E2BIG;
}

/* What a collector answers to --dump=record. */
static int ask(const char *path, struct cb_buf *answer, struct cb_err *e)
{
	char *argv[] = { (char *)path, "--dump=record", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pipe_fd[2], status, err;
	pid_t pid;

	if (null < 0 || pipe2(pipe_fd, O_CLOEXEC)) {
		err = cb_fail(e, -errno, "%s: cannot start: %s", path, strerror(errno));
		if (null >= 0)
			close(null);
		return err;
	}
	pid = cb_supervisor_fork(SIGKILL);
	if (!pid)
		become(argv, null, pipe_fd[1], -1);
	close(null);
	close(pipe_fd[1]);
	err = pid < 0 ? -errno : read_answer(pipe_fd[0], answer);
	close(pipe_fd[0]);
	if (pid > 0) {
		if (err)
			kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!err && status)
			err = -EINVAL;
	}
	return err ? cb_fail(e, err, "%s: expected an answer to --dump=record, got: %s", path,
			     err == -EINVAL ? "a failure" : strerror(-err)) : 0;
}

static bool is_name(const char *s)
{
	const char *p = s;

	while (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_')
		p++;
	return p != s && !*p && p - s < 64;
}

static void add_worker(struct cb_supervisor *s, const char *path, const char *tool, const char *dataset, char *args)
{
	struct cb_worker *w;
	char *word, *save = NULL;

	s->worker = cb_xrealloc(s->worker, (s->nworker + 1) * sizeof(*s->worker));
	w = &s->worker[s->nworker++];
	*w = (struct cb_worker){ .ready_fd = -1, .err_fd = -1 };
	w->path = cb_xstrdup(path);
	w->tool = cb_xstrdup(tool);
	w->dataset = cb_xstrdup(dataset);
	for (word = strtok_r(args, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		w->arg = cb_xrealloc(w->arg, (w->narg + 1) * sizeof(*w->arg));
		w->arg[w->narg++] = cb_xstrdup(word);
	}
}

/* A file with another name than its tool's is a copy, put aside: recording it too would count all twice. */
static int take_answer(struct cb_supervisor *s, const char *path, const char *file, char *answer)
{
	char *line, *lines = NULL;

	for (line = strtok_r(answer, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		char *words = NULL, *tool, *dataset;

		tool = strtok_r(line, " ", &words);
		dataset = strtok_r(NULL, " ", &words);
		if (!tool || !dataset || !is_name(dataset))
			return cb_fail(&s->err, -EINVAL, "%s: --dump=record: expected \"TOOL DATASET [OPTION...]\", got \"%.64s\"",
				       path, line);
		if (strcmp(tool, file))
			return 0;
		add_worker(s, path, tool, dataset, words);
	}
	return 0;
}

static int named_c(const struct dirent *d)
{
	return d->d_name[0] == 'c';
}

int cb_supervisor_find(struct cb_supervisor *s, const char *folder)
{
	struct dirent **file = NULL;
	int n = scandir(folder, &file, named_c, alphasort), err = 0;

	if (n < 0)
		return cb_fail(&s->err, -errno, "%s: cannot read the folder: %s", folder, strerror(errno));
	elf_version(EV_CURRENT);
	for (int i = 0; i < n; i++) {
		char *path = cb_xasprintf("%s/%s", folder, file[i]->d_name);
		struct cb_buf answer = {};

		if (!err && is_collector(path)) {
			err = ask(path, &answer, &s->err);
			if (!err && answer.len)
				err = take_answer(s, path, file[i]->d_name, answer.s);
		}
		cb_buf_free(&answer);
		free(path);
		free(file[i]);
	}
	free(file);
	if (!err && !s->nworker)
		err = cb_fail(&s->err, -ENOENT, "%s: expected collectors (cexecsnoop, ...) in the folder, got none", folder);
	return err;
}

/* ---- starting ---- */

void cb_supervisor_arg(struct cb_supervisor *s, const char *fmt, ...)
{
	va_list ap;
	char *arg;

	va_start(ap, fmt);
	if (vasprintf(&arg, fmt, ap) < 0)
		arg = NULL;
	va_end(ap);
	s->argv = cb_xrealloc(s->argv, (s->argc + 2) * sizeof(*s->argv));
	s->argv[s->argc++] = arg;
	s->argv[s->argc] = NULL;
}

static void free_argv(struct cb_supervisor *s)
{
	for (int i = 0; i < s->argc; i++)
		free(s->argv[i]);
	free(s->argv);
	s->argv = NULL;
	s->argc = 0;
}

static void common_args(struct cb_supervisor *s, const struct cb_worker *w)
{
	const struct cb_supervisor_opts *o = &s->opt;

	cb_supervisor_arg(s, "%s", w->path);
	for (int i = 0; i < w->narg; i++)
		cb_supervisor_arg(s, "%s", w->arg[i]);
	for (int i = 0; i < o->ncontainer; i++)
		cb_supervisor_arg(s, "--container=%s", o->container[i]);
	for (int i = 0; i < o->nexclude; i++)
		cb_supervisor_arg(s, "--exclude=%s", o->exclude[i]);
	if (o->all)
		cb_supervisor_arg(s, "--all");
	if (o->label)
		cb_supervisor_arg(s, "--label=%s", o->label);
	if (o->no_args)
		cb_supervisor_arg(s, "--no-args");
	if (o->quiet)
		cb_supervisor_arg(s, "--quiet");
	if (w->died)
		cb_supervisor_arg(s, "--gap=%llu", (unsigned long long)w->died);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd); /* leaves the epoll set by that: nobody else holds a read end */
	*fd = -1;
}

static int watch(struct cb_supervisor *s, int fd, int i)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static int start_with(struct cb_supervisor *s, int i, int null, const int *ready, const int *said)
{
	struct cb_worker *w = &s->worker[i];
	int out;

	common_args(s, w);
	cb_supervisor_arg(s, "--ready=%d", ready[1]);
	out = s->ops->start(s, i);
	if (out < -1)
		return out;
	w->pid = cb_supervisor_fork(SIGTERM);
	if (!w->pid) {
		fcntl(ready[1], F_SETFD, 0);
		become(s->argv, null, out >= 0 ? out : null, said[1]);
	}
	if (w->pid < 0) {
		w->pid = 0;
		return -errno;
	}
	w->ready_fd = ready[0];
	w->err_fd = said[0];
	return watch(s, w->ready_fd, i) || watch(s, w->err_fd, i) ? -errno : 0;
}

static int start(struct cb_supervisor *s, int i)
{
	struct cb_worker *w = &s->worker[i];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), ready[2] = { -1, -1 }, said[2] = { -1, -1 }, err = 0;

	if (null < 0 || pipe2(ready, O_CLOEXEC) || pipe2(said, O_CLOEXEC | O_NONBLOCK))
		err = -errno;
	fcntl(said[1], F_SETFL, 0); /* only our end must not block */
	w->ready = false;
	w->again = 0;
	w->len = 0;
	w->since = cb_now_utc();
	if (!err)
		err = start_with(s, i, null, ready, said);
	free_argv(s);
	close_fd(&null);
	close_fd(&ready[1]);
	close_fd(&said[1]);
	if (w->ready_fd < 0) {
		close_fd(&ready[0]);
		close_fd(&said[0]);
	}
	return err ? cb_fail(&s->err, err, "%s: cannot start: %s", w->path, strerror(-err)) : 0;
}

/* ---- what they say ---- */

/* Each collector meets the same trouble: it is told once. prog: "cexecsnoop: " is not part of the trouble. */
static bool told_already(struct cb_supervisor *s, const char *line)
{
	const char *what = strstr(line, ": ");
	uint64_t now = now_ns();
	bool same;

	what = what ? what : line;
	same = !strncmp(s->last, what, sizeof(s->last) - 1) && now - s->last_ns < SAME_NS;
	snprintf(s->last, sizeof(s->last), "%s", what);
	s->last_ns = now;
	return same;
}

static void pass_on(struct cb_supervisor *s, struct cb_worker *w)
{
	char *line, *save = NULL;

	w->text[w->len] = '\0';
	w->len = 0;
	if (s->broken)
		return; /* the reason was told, the rest follows from it */
	for (line = strtok_r(w->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!told_already(s, line))
			fprintf(stderr, "%s\n", line);
}

static void read_said(struct cb_supervisor *s, struct cb_worker *w)
{
	ssize_t n = 1;

	while (w->err_fd >= 0 && n > 0) {
		n = read(w->err_fd, w->text + w->len, sizeof(w->text) - 1 - w->len);
		if (n == 0)
			close_fd(&w->err_fd);
		if (n <= 0)
			break;
		if (!w->len)
			w->said = now_ns();
		w->len += n;
		if (w->len == sizeof(w->text) - 1)
			pass_on(s, w);
	}
}

static void read_ready(struct cb_worker *w)
{
	char c;

	if (w->ready_fd < 0)
		return;
	w->ready = read(w->ready_fd, &c, 1) == 1;
	close_fd(&w->ready_fd);
}

/* ---- ends ---- */

static void ended_how(char *to, size_t room, int status)
{
	if (WIFSIGNALED(status))
		snprintf(to, room, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(to, room, "ended with status %d", WEXITSTATUS(status));
}

static void plan_restart(struct cb_supervisor *s, struct cb_worker *w, int status)
{
	char how[96];

	if (!w->pause || cb_now_utc() - w->since > PAUSE_MAX)
		w->pause = PAUSE_MIN;
	else
		w->pause = w->pause * 2 < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
	w->again = now_ns() + w->pause;
	ended_how(how, sizeof(how), status);
	cb_supervisor_say(s, "%s %s; it starts again in %.4g s, a gap row will say what is missing", w->tool, how,
			  w->pause / 1e9);
}

/* The gap begins where a buffer that died with its process may have begun. */
static uint64_t gap_start(const struct cb_worker *w)
{
	uint64_t at = cb_now_utc() - BUFFERED_NS;

	if (w->died && !w->ready)
		return w->died; /* that one saw nothing at all */
	return at > w->since ? at : w->since;
}

static int worker_ended(struct cb_supervisor *s, int i, int status)
{
	struct cb_worker *w = &s->worker[i];
	bool own_error = WIFEXITED(status) && WEXITSTATUS(status);

	read_said(s, w);
	read_ready(w);
	w->pid = 0;
	close_fd(&w->err_fd);
	w->died = gap_start(w);
	pass_on(s, w);
	if (s->stopping) {
		if (!status || s->broken)
			return 0;
		if (!own_error)
			cb_supervisor_say(s, "%s was killed by signal %d: its end row is missing", w->tool, WTERMSIG(status));
		return -EIO;
	}
	/* it cannot start here: that must not look like a recording without events */
	if (own_error && (!s->was_ready || (s->ops->failed && s->ops->failed(s, i))))
		return -EIO;
	plan_restart(s, w, status);
	return 0;
}

static int reap(struct cb_supervisor *s)
{
	int status, err = 0;
	pid_t pid;

	while (!err && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int i = 0;

		while (i < s->nworker && s->worker[i].pid != pid)
			i++;
		if (i < s->nworker)
			err = worker_ended(s, i, status);
		else if (s->ops->reaped)
			err = s->ops->reaped(s, pid, status);
	}
	return err;
}

/* ---- the loop ---- */

/* 1: time to end */
static int take_signals(struct cb_supervisor *s)
{
	struct signalfd_siginfo si;
	int stop = 0, err = 0;

	while (!err && read(s->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP && s->ops->hangup)
			err = s->ops->hangup(s);
		else if (si.ssi_signo != SIGCHLD)
			stop = 1;
	}
	return err ? err : stop;
}

static int restart_due(struct cb_supervisor *s)
{
	uint64_t now = now_ns();
	int err = 0;

	for (int i = 0; i < s->nworker && !err; i++) {
		struct cb_worker *w = &s->worker[i];

		if (w->again && w->again <= now)
			err = start(s, i);
		if (w->len && now - w->said > HELD_NS)
			pass_on(s, w);
	}
	return err;
}

static int look_if_ready(struct cb_supervisor *s)
{
	for (int i = 0; i < s->nworker; i++)
		if (!s->worker[i].ready)
			return 0;
	s->was_ready = true;
	if (s->opt.duration_ns)
		s->end = now_ns() + s->opt.duration_ns;
	return s->ops->ready ? s->ops->ready(s) : 0;
}

/* Until a collector says or is something, a signal, or what has its time. */
static int wait_ms(const struct cb_supervisor *s)
{
	bool turns = s->ops->tick || !s->was_ready || s->stopping;
	uint64_t now = now_ns(), until = turns ? now + TICK_NS : UINT64_MAX;

	if (s->end && s->end < until && !s->stopping)
		until = s->end;
	for (int i = 0; i < s->nworker; i++) {
		const struct cb_worker *w = &s->worker[i];

		if (w->again && w->again < until && !s->stopping)
			until = w->again;
		if (w->len && w->said + HELD_NS < until)
			until = w->said + HELD_NS;
	}
	if (until == UINT64_MAX)
		return -1;
	return until > now ? (until - now) / 1000000 + 1 : 0;
}

static void wait_for_something(struct cb_supervisor *s)
{
	struct epoll_event ev[16];
	int n = epoll_wait(s->epoll, ev, 16, wait_ms(s));

	for (int i = 0; i < n; i++)
		if (ev[i].data.u32 < (uint32_t)s->nworker) {
			read_said(s, &s->worker[ev[i].data.u32]);
			if (!s->worker[ev[i].data.u32].ready)
				read_ready(&s->worker[ev[i].data.u32]);
		}
}

static int loop(struct cb_supervisor *s)
{
	int err = 0;

	while (!err) {
		wait_for_something(s);
		err = take_signals(s); /* before reaping: who ends us may have ended them as well */
		if (!err)
			err = reap(s);
		if (!err)
			err = restart_due(s);
		if (!err && !s->was_ready)
			err = look_if_ready(s);
		if (!err && s->was_ready && s->ops->tick)
			err = s->ops->tick(s);
		if (!err && s->end && now_ns() >= s->end)
			err = 1;
	}
	return err < 0 ? err : 0;
}

static void signal_all(const struct cb_supervisor *s, int sig)
{
	for (int i = 0; i < s->nworker; i++)
		if (s->worker[i].pid)
			kill(s->worker[i].pid, sig);
}

static bool any_left(const struct cb_supervisor *s)
{
	for (int i = 0; i < s->nworker; i++)
		if (s->worker[i].pid)
			return true;
	return false;
}

static int stop(struct cb_supervisor *s, int err)
{
	uint64_t until = now_ns() + PATIENCE;
	int err2;

	s->stopping = true;
	s->broken = err != 0;
	if (s->ops->stopping)
		s->ops->stopping(s);
	signal_all(s, SIGTERM);
	while (any_left(s)) {
		if (until && now_ns() > until) {
			signal_all(s, SIGKILL);
			until = 0;
		}
		wait_for_something(s);
		take_signals(s);
		err2 = reap(s);
		err = err ? err : err2 < 0 ? err2 : 0;
	}
	return err;
}

static int open_signals(struct cb_supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->signals < 0 || s->epoll < 0 || watch(s, s->signals, s->nworker))
		return cb_fail(&s->err, -errno, "signals: %s", strerror(errno));
	return 0;
}

int cb_supervisor_run(struct cb_supervisor *s)
{
	int err = open_signals(s);

	for (int i = 0; i < s->nworker && !err; i++)
		err = start(s, i);
	if (!err)
		err = loop(s);
	return stop(s, err);
}

static void free_list(char **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void cb_supervisor_free(struct cb_supervisor *s)
{
	for (int i = 0; i < s->nworker; i++) {
		struct cb_worker *w = &s->worker[i];

		close_fd(&w->ready_fd);
		close_fd(&w->err_fd);
		free_list(w->arg, w->narg);
		free(w->path);
		free(w->tool);
		free(w->dataset);
	}
	free(s->worker);
	free_list(s->opt.container, s->opt.ncontainer);
	free_list(s->opt.exclude, s->opt.nexclude);
	if (s->epoll > 0)
		close(s->epoll);
	if (s->signals > 0)
		close(s->signals);
}

/* ---- options ---- */

enum { KEY_EXCLUDE = 0x200, KEY_NO_ARGS, KEY_LABEL };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Which containers, and how long:", 1 },
	{ "container", 'c', "PATTERN", 0,
	  "only containers with this name (a shell pattern), id prefix of 4 or more, image=GLOB, label=KEY[=VALUE] or /cgroup/path; repeatable", 1 },
	{ "exclude", KEY_EXCLUDE, "PATTERN", 0, "not these containers (same forms); repeatable", 1 },
	{ "all", 'a', NULL, 0, "processes of the host too", 1 },
	{ "label", KEY_LABEL, "KEY", 0, "the container's label KEY in each row (ctrain --by=label:KEY)", 1 },
	{ "no-args", KEY_NO_ARGS, NULL, 0, "never read or keep arguments of programs", 1 },
	{ "duration", 'd', "TIME", 0, "end after TIME: seconds, or 500ms 5s 10m 2h 1d", 1 },
	{ NULL, 0, NULL, 0, "Other:", 5 },
	{ "quiet", 'q', NULL, 0, "no remarks on stderr but errors", 5 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static void add_pattern(struct argp_state *state, const char *arg, bool exclude, char ***list, int *n)
{
	struct cb_filter *f = cb_filter_new();
	struct cb_err e = {};

	if (exclude ? cb_filter_exclude(f, arg, &e) : cb_filter_include(f, arg, &e))
		argp_error(state, "%s", e.text);
	cb_filter_free(f);
	*list = cb_xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = cb_xstrdup(arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cb_supervisor *s = state->input;
	struct cb_err e = {};

	switch (key) {
	case 'c':
		add_pattern(state, arg, false, &s->opt.container, &s->opt.ncontainer);
		break;
	case KEY_EXCLUDE:
		add_pattern(state, arg, true, &s->opt.exclude, &s->opt.nexclude);
		break;
	case 'a':
		s->opt.all = true;
		break;
	case KEY_LABEL:
		if (!*arg || strchr(arg, '='))
			argp_error(state, "--label: expected the key of a label, got \"%s\"", arg);
		s->opt.label = arg;
		break;
	case KEY_NO_ARGS:
		s->opt.no_args = true;
		break;
	case 'd':
		if (cb_parse_time(arg, &s->opt.duration_ns, &e))
			argp_error(state, "--duration: %s", e.text);
		break;
	case 'q':
		s->opt.quiet = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp cb_supervisor_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };
