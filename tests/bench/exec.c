/* SPDX-License-Identifier: GPL-2.0 */
/*
 * exec ROUNDS: what cexecsnoop and Debian's execsnoop cost a process that is started, runs a program and ends.
 *
 * Both are the programs themselves, started and stopped in every round, in an order that rotates, each on a terminal
 * that is read. The figure of a round is the best of several runs in CPU time of the starting process and of those it
 * started, all on one CPU; what is printed are medians of differences within a round. A mode that does nothing a
 * second time shows how much of a difference is chance.
 */
#include <bpf/bpf.h>
#include <spawn.h>
#include <sys/resource.h>
#include "paired.h"

#define CHUNKS 15
#define EXECS 17 /* of a chunk */
#define PROGRAM "/bin/true"

enum mode { NOTHING, OURS, THEIRS, AGAIN, NMODES };
enum who { WATCHED, HOST, NWORKERS };

static const char *const workers[NWORKERS] = { "watched task", "host task" };

struct bench {
	int rounds;
	char *ours;
	bool without[NMODES]; /* does not run here */
	struct paired_worker worker[NWORKERS];
	struct paired_peer peer;
	uint64_t seen[NMODES];	    /* lines that tell of PROGRAM */
	enum mode mode;
	double *ns[NMODES][NWORKERS];	/* by round */
	double *base[NMODES][NWORKERS]; /* nothing attached, measured beside it */
	struct cb_err err;
};

static const char *name_of(enum mode m)
{
	static const char *const name[NMODES] = { "nothing", "cexecsnoop", "execsnoop", "nothing again" };

	return name[m];
}

/* ---- the worker ---- */

static double used_ns(void)
{
	struct rusage u;
	double ns = paired_cpu_ns();

	getrusage(RUSAGE_CHILDREN, &u);
	return ns + (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static void start_programs(int n)
{
	char *argv[] = { PROGRAM, NULL }, *env[] = { NULL };
	pid_t pid;

	while (n--)
		if (!posix_spawn(&pid, PROGRAM, NULL, NULL, argv, env))
			waitpid(pid, NULL, 0);
}

static void work(char **fds)
{
	int from = atoi(fds[0]), to = atoi(fds[1]);
	unsigned char which;
	double best, took;

	while (read(from, &which, 1) == 1) {
		best = 1e18;
		for (int i = 0; i < CHUNKS; i++) {
			took = used_ns();
			start_programs(EXECS);
			took = (used_ns() - took) / EXECS;
			if (took < best)
				best = took;
		}
		if (write(to, &best, sizeof(best)) != sizeof(best))
			break;
	}
	_exit(0);
}

/* ---- modes ---- */

static int attach(void *arg, int m)
{
	struct bench *b = arg;

	b->mode = m;
	if (m == OURS)
		return paired_peer_start(&b->peer, b->ours, "CONTAINER", &b->err);
	if (m == THEIRS)
		return paired_peer_start(&b->peer, "/usr/sbin/execsnoop", "PCOMM", &b->err);
	return 0;
}

static void detach(void *arg)
{
	struct bench *b = arg;

	paired_peer_end(&b->peer);
}

static void count_lines(struct bench *b, const char *text)
{
	for (; (text = strstr(text, PROGRAM)); text += sizeof(PROGRAM))
		b->seen[b->mode]++;
}

/* What stands across two pieces is not counted: that it is seen at all is the question. */
static void drain(void *arg)
{
	struct bench *b = arg;
	struct pollfd p = { .fd = b->peer.tty, .events = POLLIN };
	char text[65536];
	ssize_t n;

	while (b->peer.pid > 0 && poll(&p, 1, 0) > 0 && (n = read(b->peer.tty, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		count_lines(b, text);
	}
}

static int base_of(int m)
{
	return NOTHING;
}

static int measure(void *arg, int w, double *ret)
{
	struct bench *b = arg;

	return paired_measure(&b->worker[w], 0, drain, b, ret, &b->err);
}

static int bench(struct bench *b)
{
	const struct paired_plan plan = {
		.nmodes = NMODES, .nloads = NWORKERS, .ns = b->ns[0], .base_ns = b->base[0], .without = b->without,
		.base = base_of, .attach = attach, .detach = detach, .measure = measure,
	};
	int err = 0;

	for (int i = 0; !err && i < NWORKERS; i++)
		err = paired_start(&b->worker[i], i == WATCHED, &b->err);
	paired_pin(false);
	if (!err && attach(b, THEIRS)) {
		fprintf(stderr, "exec: measured without execsnoop: %s\n", b->err.text);
		b->without[THEIRS] = true;
		b->err.text[0] = '\0';
	}
	paired_peer_end(&b->peer);
	for (int r = 0; !err && r < b->rounds; r++)
		err = paired_round(&plan, b, r);
	if (!err && !b->seen[OURS])
		err = cb_fail(&b->err, -EIO, "expected rows of " PROGRAM ", got none");
	return err;
}

static void report(struct bench *b)
{
	printf("\nexecs, %d rounds: us for start, program and end, median [middle half] over nothing\n", b->rounds);
	for (int w = 0; w < NWORKERS; w++) {
		printf("%s (%.1f us with nothing attached)\n", workers[w],
		       paired_spread_of(b->ns[NOTHING][w], NULL, b->rounds, 1).median / 1e3);
		for (int m = 1; m < NMODES; m++) {
			struct paired_spread s;

			if (b->without[m])
				continue;
			s = paired_spread_of(b->ns[m][w], b->base[m][w], b->rounds, 1000);
			printf("  %-16s %+7.1f [%+.1f..%+.1f]\n", name_of(m), s.median, s.low, s.high);
		}
	}
	if (b->without[THEIRS])
		return;
	printf("goals:\n");
	for (int w = 0; w < NWORKERS; w++) {
		char what[80];

		snprintf(what, sizeof(what), "cexecsnoop less execsnoop, us, %s", workers[w]);
		paired_goal(what, b->ns[OURS][w], b->ns[THEIRS][w], b->rounds, 1000, 0);
	}
}

/* BUILD/tests/bench/exec -> BUILD/cexecsnoop */
static char *find_ours(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return NULL;
	path[len] = '\0';
	for (int i = 0; i < 3; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return NULL;
		*slash = '\0';
	}
	return cb_xasprintf("%s/cexecsnoop", path);
}

int main(int argc, char **argv)
{
	struct bench b = {};
	int err;

	if (argc == 3 && !strcmp(argv[0], "worker"))
		work(argv + 1);
	if (argc == 2)
		b.rounds = atoi(argv[1]);
	if (b.rounds < 1) {
		fprintf(stderr, "usage: exec ROUNDS\n");
		return CB_EXIT_USAGE;
	}
	b.ours = find_ours();
	for (int m = 0; m < NMODES; m++) {
		paired_rooms(b.ns[m], NWORKERS, b.rounds);
		paired_rooms(b.base[m], NWORKERS, b.rounds);
	}
	err = b.ours ? bench(&b) : cb_fail(&b.err, -ENOENT, "no cexecsnoop");
	if (err)
		fprintf(stderr, "exec: %s\n", b.err.text);
	else
		report(&b);
	paired_peer_end(&b.peer);
	for (int i = 0; i < NWORKERS; i++)
		paired_end(&b.worker[i]);
	free(b.ours);
	return err ? CB_EXIT_FAILED : 0;
}
