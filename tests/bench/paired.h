/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What benchmarks of probes share: tasks that do what is measured, on a CPU of their own and watched or not, other
 * tools to be compared with, and the differences of two modes within a round.
 */
#ifndef PAIRED_H
#define PAIRED_H
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

/* Who measures calls of 100 ns sets more: on a shared machine the best of 2 ms differed by 20 ns from round to round. */
#ifndef PAIRED_CHUNKS
#define PAIRED_CHUNKS 20
#endif
#define PAIRED_CALLS 1000 /* of a chunk */
#define PAIRED_DRAIN_MS 20

/* ---- who does what is measured ---- */

struct paired_load {
	const char *name;
	int who; /* index of the worker */
	void (*calls)(long n);
};

struct paired_worker {
	pid_t pid;
	int to, from;
};

static inline double paired_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline double paired_best_of(void (*calls)(long n))
{
	double best = 1e18, took;

	calls(PAIRED_CALLS);
	for (int i = 0; i < PAIRED_CHUNKS; i++) {
		took = paired_cpu_ns();
		calls(PAIRED_CALLS);
		took = (paired_cpu_ns() - took) / PAIRED_CALLS;
		if (took < best)
			best = took;
	}
	return best;
}

/* What a worker does: the program is started anew with the numbers of two descriptors. */
static inline void paired_work(const struct paired_load *load, char **fds)
{
	int from = atoi(fds[0]), to = atoi(fds[1]);
	unsigned char which;
	double ns;

	while (read(from, &which, 1) == 1) {
		ns = paired_best_of(load[which].calls);
		if (write(to, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

/* All workers on the last CPU; the program, which drains the rings, stays on the others. */
static inline void paired_pin(bool worker)
{
	int last = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (worker || !last)
		CPU_SET(last, &set);
	else
		for (int i = 0; i < last; i++)
			CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* By the file itself: no path to it need exist. */
static inline void paired_exec(int exe, int from, int to)
{
	char fd[2][12], *args[] = { "worker", fd[0], fd[1], NULL }, *none[] = { NULL };

	snprintf(fd[0], sizeof(fd[0]), "%d", from);
	snprintf(fd[1], sizeof(fd[1]), "%d", to);
	fcntl(from, F_SETFD, 0);
	fcntl(to, F_SETFD, 0);
	fexecve(exe, args, none);
	_exit(127);
}

/*
 * A watched one stands in namespaces of its own and runs a program there, as a container's task does. main() calls
 * paired_work() when its name is "worker".
 */
static inline int paired_start(struct paired_worker *w, bool watched, struct cb_err *e)
{
	int to[2], from[2], exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (exe < 0 || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return cb_fail(e, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return cb_fail(e, -errno, "fork: %s", strerror(errno));
	if (!pid) {
		close(to[1]);
		close(from[0]);
		paired_pin(true);
		if (watched && (unshare(CLONE_NEWPID | CLONE_NEWNS) || (pid = fork()) < 0))
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!pid)
			paired_exec(exe, to[0], from[1]);
		close(to[0]);
		close(from[1]);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	close(exe);
	close(to[0]);
	close(from[1]);
	*w = (struct paired_worker){ pid, to[1], from[0] };
	return 0;
}

static inline void paired_end(struct paired_worker *w)
{
	if (!w->pid)
		return;
	kill(w->pid, SIGKILL); /* and with it, its child */
	waitpid(w->pid, NULL, 0);
	close(w->to);
	close(w->from);
}

/* drain: called again and again while the worker works */
static inline int paired_measure(struct paired_worker *w, unsigned char load, void (*drain)(void *), void *arg, double *ret,
				 struct cb_err *e)
{
	struct pollfd p = { .fd = w->from, .events = POLLIN };

	if (write(w->to, &load, 1) != 1)
		return cb_fail(e, -EIO, "a worker is gone");
	while (!poll(&p, 1, PAIRED_DRAIN_MS))
		drain(arg);
	drain(arg);
	if (read(w->from, ret, sizeof(*ret)) != sizeof(*ret))
		return cb_fail(e, -EIO, "a worker is gone");
	return 0;
}

/* Figures of n loads, by round */
static inline void paired_rooms(double **to, size_t n, int rounds)
{
	while (n--)
		to[n] = cb_xalloc(rounds * sizeof(**to));
}

/*
 * What is measured how: base says what a mode is compared with (itself: with nothing), attach and detach are of copies
 * of a mode, measure takes the ns of a load; without (or NULL) names modes that do not run here. ns and base_ns hold
 * nloads rooms a mode.
 */
struct paired_plan {
	int nmodes, nloads;
	double **ns, **base_ns;
	const bool *without;
	int (*base)(int m);
	int (*attach)(void *arg, int m);
	void (*detach)(void *arg);
	int (*measure)(void *arg, int load, double *ret);
};

static inline int paired_mode(const struct paired_plan *p, void *arg, int m, double **to, int r)
{
	int err = p->attach(arg, m);

	for (int l = 0; !err && l < p->nloads; l++)
		err = p->measure(arg, l, &to[l][r]);
	p->detach(arg);
	return err;
}

/*
 * Round r: every mode in turn, in an order that rotates, and what it is compared with right before it, in the next round
 * right after it.
 */
static inline int paired_round(const struct paired_plan *p, void *arg, int r)
{
	int err = 0;

	for (int j = 0; !err && j < p->nmodes; j++) {
		int m = (j + r) % p->nmodes, base = p->base(m), n = p->nloads;

		if (p->without && p->without[m])
			continue;
		if (base != m && r % 2 == 0)
			err = paired_mode(p, arg, base, p->base_ns + m * n, r);
		if (!err)
			err = paired_mode(p, arg, m, p->ns + m * n, r);
		if (!err && base != m && r % 2)
			err = paired_mode(p, arg, base, p->base_ns + m * n, r);
	}
	return err;
}

/* The first pass of the iterator finds where this is, the second gives the watched tasks their state. */
static inline int paired_adopt(struct bpf_object *o, struct cb_err *e)
{
	struct bpf_program *p = bpf_object__find_program_by_name(o, "cb_tasks");
	struct bpf_link *l = p ? bpf_program__attach(p) : NULL;
	char text[4096];
	ssize_t n = -1;
	bool no = false;
	int fd = -1;

	for (int pass = 0; l && pass < 2; pass++) {
		if (pass && cb_kernel_const(o, "cb_finding", &no, sizeof(no), e))
			break;
		fd = bpf_iter_create(bpf_link__fd(l));
		while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
			;
		if (fd >= 0)
			close(fd);
	}
	bpf_link__destroy(l);
	return n ? cb_fail(e, -EIO, "iterator over tasks: %s", strerror(errno)) : 0;
}

/* ---- other tools ---- */

struct paired_peer {
	pid_t pid;
	int tty;
};

/* Minimal hosts do not mount it. */
static inline void paired_give_tracefs(void)
{
	if (!access("/sys/kernel/tracing/events", F_OK) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

static inline void paired_run_peer(int tty, const char *path)
{
	int fd = open(ptsname(tty), O_RDWR | O_NOCTTY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	paired_give_tracefs();
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	setenv("TERM", "dumb", 0);
	execl(path, path, (char *)NULL);
	_exit(127);
}

/* A terminal makes it print line by line: said is what it prints first when it has attached. */
static inline int paired_peer_start(struct paired_peer *peer, const char *path, const char *said, struct cb_err *e)
{
	int tty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char text[4096] = "";
	size_t len = 0;
	ssize_t n;

	if (tty < 0 || grantpt(tty) || unlockpt(tty))
		return cb_fail(e, -errno, "terminal: %s", strerror(errno));
	peer->tty = tty;
	peer->pid = fork();
	if (!peer->pid)
		paired_run_peer(tty, path);
	while (!strstr(text, said)) {
		struct pollfd p = { .fd = tty, .events = POLLIN };

		if (len >= sizeof(text) - 1 || poll(&p, 1, 10000) <= 0 ||
		    (n = read(tty, text + len, sizeof(text) - 1 - len)) <= 0)
			return cb_fail(e, -EIO, "%s: expected \"%s\", got \"%.200s\"", path, said, text);
		len += n;
		text[len] = '\0';
	}
	return 0;
}

/* What it prints nobody wants, but it must not wait for a reader. */
static inline void paired_peer_drain(struct paired_peer *peer)
{
	struct pollfd p = { .fd = peer->tty, .events = POLLIN };
	char text[65536];

	while (peer->pid > 0 && poll(&p, 1, 0) > 0 && read(peer->tty, text, sizeof(text)) > 0)
		;
}

static inline void paired_peer_end(struct paired_peer *peer)
{
	if (peer->pid <= 0)
		return;
	kill(peer->pid, SIGINT);
	while (waitpid(peer->pid, NULL, WNOHANG) == 0) {
		paired_peer_drain(peer);
		usleep(1000);
	}
	close(peer->tty);
	peer->pid = 0;
}

/* ---- figures ---- */

struct paired_spread {
	double median, low, high;
};

static inline int paired_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of what m has more than base within a round (base NULL: of m itself), divided by the copies; the middle half. */
static inline struct paired_spread paired_spread_of(const double *m, const double *base, int rounds, int copies)
{
	double *d = cb_xalloc(rounds * sizeof(*d));
	struct paired_spread s;

	for (int r = 0; r < rounds; r++)
		d[r] = (m[r] - (base ? base[r] : 0)) / copies;
	qsort(d, rounds, sizeof(*d), paired_by_value);
	s = (struct paired_spread){ d[rounds / 2], d[rounds / 4], d[rounds * 3 / 4] };
	free(d);
	return s;
}

/* A line of a mode: what it costs over nothing, and (unless NULL) over the empty programs on the same tracepoints. */
static inline void paired_print(const char *mode, const double *m, const double *nothing, const double *empty, int rounds,
				int copies)
{
	struct paired_spread over = paired_spread_of(m, nothing, rounds, copies);
	struct paired_spread more;
	char middle[40];

	snprintf(middle, sizeof(middle), "[%.0f..%.0f]", over.low, over.high);
	printf("  %-28s %6.0f %-14s", mode, over.median, middle);
	if (!empty) {
		printf("\n");
		return;
	}
	more = paired_spread_of(m, empty, rounds, copies);
	printf(" %+7.1f [%+.1f..%+.1f]\n", more.median, more.low, more.high);
}

/* most 0: less than the other's */
static inline void paired_goal(const char *what, const double *m, const double *base, int rounds, int copies, double most)
{
	double got = paired_spread_of(m, base, rounds, copies).median;

	printf("  %-6s %-58s %+6.1f, goal %s %g\n", got <= most ? "met" : "missed", what, got, most ? "<=" : "<", most);
}
#endif
