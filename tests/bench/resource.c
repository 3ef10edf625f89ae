/* SPDX-License-Identifier: GPL-2.0 */
/*
 * resource [N [BUSY [SECONDS]]]: what cresource costs with N containers (1,000) of which BUSY (0) work a little, at
 * one reading a second, as a share of one CPU: the reading alone (a pass over the tasks, all totals, and the files of
 * a container in every SLEEPY of those that sleep and of all others), then the tool itself in its steady state, with
 * its rows as a table and as JSON Lines written to /dev/null. Then the resident memory of every collector.
 * A container here is a process in a pid, mount and network namespace and cgroups of its own.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "account.h"
#include "resource.h"
#include "resource.skel.h"
#include "run.h"

#define WHOLE 64 /* seconds after which the tool looks at all tasks, */
#define NEW 20   /* and after which it looks for such as were never seen */
#define SLEEPY 80 /* seconds after which the tool reads the files of one that sleeps again */
#define SETTLED_NS 40e6 /* of CPU time in a second: it has found them all */
#define MEMORY_MB 40

static const char *const hier[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory",
				    "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/pids" };
#define NHIER (sizeof(hier) / sizeof(hier[0]))

static char folder[4096]; /* of the build */

/* Puts this process into its folder of each hierarchy there is. */
static void join(int i)
{
	char path[256];

	for (size_t h = 0; h < NHIER; h++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/cgroup.procs", hier[h]);
		if (access(path, W_OK))
			continue;
		snprintf(path, sizeof(path), "%s/cbbench/%d", hier[h], i);
		mkdir(path, 0755);
		strcat(path, "/cgroup.procs");
		f = fopen(path, "w");
		if (!f || fprintf(f, "0") < 0 || fclose(f)) {
			perror(path);
			exit(1);
		}
	}
}

/* Who was in it may still be on its way out. */
static void remove_folder(const char *path)
{
	for (int i = 0; i < 500 && rmdir(path) && errno == EBUSY; i++)
		usleep(10000);
}

static void folders(bool make, int n)
{
	char path[256];

	for (size_t h = 0; h < NHIER; h++) {
		for (int i = 0; !make && i < n; i++) {
			snprintf(path, sizeof(path), "%s/cbbench/%d", hier[h], i);
			remove_folder(path);
		}
		snprintf(path, sizeof(path), "%s/cgroup.procs", hier[h]);
		if (access(path, W_OK))
			continue;
		snprintf(path, sizeof(path), "%s/cbbench", hier[h]);
		if (!make) {
			remove_folder(path);
			continue;
		}
		mkdir(path, 0755);
		/* v2 hands controllers down only when asked */
		snprintf(path, sizeof(path), "%s/cbbench/cgroup.subtree_control", hier[h]);
		for (const char *c = "+cpu\0+memory\0+io\0"; *c; c += strlen(c) + 1) {
			int fd = open(path, O_WRONLY);

			if (fd >= 0 && write(fd, c, strlen(c)) < 0 && errno == EACCES)
				perror(path);
			if (fd >= 0)
				close(fd);
		}
	}
}

/* RLIMIT_NOFILE: the accounts keep some files each open */
static void raise_files(void)
{
	struct rlimit l;

	if (!getrlimit(RLIMIT_NOFILE, &l)) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static pid_t container(int i, bool busy)
{
	pid_t pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	join(i);
	execl("/proc/self/exe", "resource", busy ? "work" : "sleep", NULL);
	_exit(1);
}

static void work(void)
{
	struct timespec t = { .tv_nsec = 100000000 };

	for (;;) {
		for (volatile int i = 0; i < 10000; i++)
			;
		nanosleep(&t, NULL);
	}
}

/* CPU time the process has used, ns, its one thread's */
static double used(pid_t pid)
{
	char path[64];
	double ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lf", &ns) != 1)
		perror(path);
	if (f)
		fclose(f);
	return ns;
}

static void goal(double got, double most, const char *unit)
{
	printf("  %-6s goal <= %g %s\n", got <= most ? "met" : "missed", most, unit);
}

static void die(const char *what)
{
	fprintf(stderr, "resource: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the reading alone ---- */

struct reading {
	struct resource_bpf *skel;
	struct bpf_link *iter;
	struct cb_hiers *hiers;
	struct cb_account **account;
	__u64 *key;
	struct resource_total *total;
	__u32 n;
};

static void one_pass(struct reading *r)
{
	int fd = bpf_iter_create(bpf_link__fd(r->iter));
	static char text[65536];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		;
	if (n)
		die("iterator");
	close(fd);
}

/* As the tool: over those that did something where the kernel can, sometimes over all. */
static void interval_pass(struct reading *r, __u32 number)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	r->skel->bss->pass = number;
	r->skel->bss->whole = number % WHOLE == 0;
	if (r->skel->bss->whole || !bpf_program__autoload(r->skel->progs.resource_walk))
		one_pass(r);
	else if (bpf_prog_test_run_opts(bpf_program__fd(r->skel->progs.resource_walk), &opts))
		die("walk");
}

static void totals(struct reading *r, int room)
{
	__u64 next;

	r->n = room;
	if (bpf_map_lookup_batch(bpf_map__fd(r->skel->maps.totals), NULL, &next, r->key, r->total, &r->n, NULL) &&
	    errno != ENOENT)
		die("totals");
}

/* As the tool does it when it starts: the containers are found, their files opened. */
static void reading_start(struct reading *r, __u32 least, int room)
{
	struct cb_err e = {};
	bool no = false;

	r->skel = resource_bpf__open();
	if (r->skel)
		bpf_program__set_autoload(r->skel->progs.resource_walk, cb_kernel_has_function("bpf_iter_task_new"));
	if (!r->skel || cb_kernel_prepare(r->skel->obj, false, &e) || resource_bpf__load(r->skel))
		die("probe");
	r->iter = bpf_program__attach(r->skel->progs.cb_tasks);
	if (!r->iter)
		die("iterator");
	one_pass(r);
	if (cb_kernel_const(r->skel->obj, "cb_finding", &no, sizeof(no), &e))
		die(e.text);
	r->key = cb_xalloc(room * sizeof(*r->key));
	r->total = cb_xalloc(room * sizeof(*r->total));
	r->account = cb_xalloc(room * sizeof(*r->account));
	/* they are what they are once they run their program */
	for (int i = 0; i < 600 && r->n < least; i++) {
		usleep(100000);
		one_pass(r);
		totals(r, room);
	}
	if (r->n < least)
		die("containers are missing");
	r->hiers = cb_hiers_new("");
	for (__u32 i = 0; i < r->n; i++) {
		__u64 id;

		r->account[i] = cb_account_open(r->hiers, NULL, r->total[i].pid, r->total[i].pidns);
		id = cb_account_memory_id(r->account[i]);
		bpf_map_update_elem(bpf_map__fd(r->skel->maps.memory_cgroup), &r->key[i], &id, BPF_ANY);
	}
}

static void reading_end(struct reading *r)
{
	for (__u32 i = 0; i < r->n; i++)
		cb_account_close(r->account[i]);
	cb_hiers_free(r->hiers);
	bpf_link__destroy(r->iter);
	resource_bpf__destroy(r->skel);
	free(r->account);
	free(r->key);
	free(r->total);
}

/* A second's reading, in per cent of a CPU */
static double reading(int n, int busy, int seconds)
{
	struct timespec second = { .tv_sec = 1 }, t;
	struct reading r = {};
	struct cb_usage u;
	double ns = 0;

	reading_start(&r, n, n + 1000);
	for (int s = 0; s < seconds; s++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		ns -= t.tv_sec * 1e9 + t.tv_nsec;
		interval_pass(&r, s + 1);
		if (s % NEW == NEW - 1) {
			r.skel->bss->pass = 0;
			one_pass(&r);
		}
		totals(&r, n + 1000);
		for (int i = 0; i < busy + (n - busy) / SLEEPY && i < n; i++)
			cb_account_read(r.account[i], i < busy, false, &u);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		ns += t.tv_sec * 1e9 + t.tv_nsec;
	}
	reading_end(&r);
	return ns / seconds / 1e7;
}

/* ---- the tools ---- */

static pid_t start(const char *name, const char *const *args)
{
	char path[4200], *argv[8] = { (char *)name };
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	for (int i = 0; args[i]; i++)
		argv[i + 1] = (char *)args[i];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	null = open("/dev/null", O_WRONLY);
	dup2(null, 1);
	execv(path, argv);
	_exit(127);
}

/* How much memory it held, MB */
static double stop(const char *name, pid_t pid)
{
	struct rusage u;
	int st;

	kill(pid, SIGINT);
	wait4(pid, &st, 0, &u);
	if (st) {
		fprintf(stderr, "resource: %s: status %d\n", name, st);
		exit(1);
	}
	return u.ru_maxrss / 1024.0;
}

/* In its first ten seconds it still looks for the names of those, and on a busy machine it is late. */
static void settle(pid_t pid)
{
	double before = used(pid), now;
	int calm = 0;

	sleep(10);
	for (int i = 0; i < 60 && calm < 3; i++) {
		sleep(1);
		now = used(pid);
		calm = now && now - before < SETTLED_NS ? calm + 1 : 0; /* who sleeps uses nothing */
		before = now;
	}
}

/* The tool's share of a CPU, in per cent */
static double run(int seconds, const char *format)
{
	const char *const args[] = { "-q", "-o", format, "-i", "1", NULL };
	pid_t pid = start("cresource", args);
	double ns;

	settle(pid);
	ns = used(pid);
	sleep(seconds);
	ns = used(pid) - ns;
	stop("cresource", pid);
	return ns / seconds / 1e7;
}

/* All at once, as cbwatch has them */
static void memory(void)
{
	static const struct {
		const char *name, *args[4];
	} all[] = { { "ctop-syscalls", { "-q", "-j", "-S" } }, { "cfileaccess", { "-q", "-j" } }, { "cnetpeer", { "-q", "-j" } },
		    { "ccontact", { "-q", "-j" } }, { "cexecsnoop", { "-q", "-j" } }, { "cresource", { "-q", "-j" } } };
	enum { N = sizeof(all) / sizeof(all[0]) };
	pid_t pid[N];

	for (int i = 0; i < N; i++)
		pid[i] = start(all[i].name, all[i].args);
	for (int i = 0; i < N; i++)
		settle(pid[i]);
	for (int i = 0; i < N; i++) {
		double mb = stop(all[i].name, pid[i]);

		printf("%-14s %5.1f MB resident", all[i].name, mb);
		goal(mb, MEMORY_MB, "MB");
	}
}

static void report(int n, int busy, int seconds)
{
	double percent = reading(n, busy, seconds);

	printf("%d containers, %d of them working, reading alone: %.3f %% of a CPU", n, busy, percent);
	goal(percent, 0.1, "%");
	for (const char *format = "table"; format; format = *format == 't' ? "json" : NULL) {
		percent = run(seconds, format);
		printf("%d containers, %d of them working, %s: %.2f %% of a CPU", n, busy, format, percent);
		goal(percent, 1, "%");
	}
	memory();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, busy = argc > 2 ? atoi(argv[2]) : 0;
	int seconds = argc > 3 ? atoi(argv[3]) : 10;
	pid_t *pid = cb_xalloc((n + 1) * sizeof(*pid));
	ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	if (argc > 1 && !strcmp(argv[1], "sleep"))
		for (;;)
			pause();
	if (argc > 1 && !strcmp(argv[1], "work"))
		work();
	/* BUILD/tests/bench/resource -> BUILD */
	for (int i = 0; i < 3 && len > 0; i++)
		*strrchr(folder, '/') = '\0';
	setvbuf(stdout, NULL, _IOLBF, 0);
	raise_files();
	folders(true, n);
	for (int i = 0; i < n; i++)
		pid[i] = container(i, i < busy);
	report(n, busy, seconds);
	for (int i = 0; i < n; i++)
		kill(pid[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	folders(false, n);
	free(pid);
	return 0;
}
