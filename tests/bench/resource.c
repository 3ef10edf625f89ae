/* SPDX-License-Identifier: GPL-2.0 */
/*
 * resource [N [BUSY [SECONDS]]]: what cresource costs with N containers (1,000) of which BUSY (0) work a little, at
 * one reading a second: CPU time of the tool in its steady state, as a share of one CPU, with its rows as a table and
 * as JSON Lines written to /dev/null.
 * A container here is a process in a pid, mount and network namespace and cgroups of its own.
 */
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

static const char *const hier[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory",
				    "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/pids" };
#define NHIER (sizeof(hier) / sizeof(hier[0]))

static char tool[4096];

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

static void folders(bool make, int n)
{
	char path[256];

	for (size_t h = 0; h < NHIER; h++) {
		for (int i = 0; !make && i < n; i++) {
			snprintf(path, sizeof(path), "%s/cbbench/%d", hier[h], i);
			rmdir(path);
		}
		snprintf(path, sizeof(path), "%s/cgroup.procs", hier[h]);
		if (access(path, W_OK))
			continue;
		snprintf(path, sizeof(path), "%s/cbbench", hier[h]);
		if (!make) {
			rmdir(path);
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

/* The tool's share of a CPU, in per cent. In its first ten seconds it still looks for the names of those. */
static double run(int seconds, const char *format)
{
	struct rusage u;
	pid_t pid = fork();
	double ns;
	int st;

	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execl(tool, "cresource", "-q", "-o", format, "-i", "1", NULL);
		_exit(127);
	}
	sleep(15);
	ns = used(pid);
	sleep(seconds);
	ns = used(pid) - ns;
	kill(pid, SIGINT);
	wait4(pid, &st, 0, &u);
	if (st) {
		fprintf(stderr, "%s: status %d\n", tool, st);
		exit(1);
	}
	printf("%s: %ld MB resident\n", format, u.ru_maxrss / 1024);
	return ns / seconds / 1e7;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, busy = argc > 2 ? atoi(argv[2]) : 0;
	int seconds = argc > 3 ? atoi(argv[3]) : 10;
	pid_t *pid = calloc(n + 1, sizeof(*pid));
	ssize_t len = readlink("/proc/self/exe", tool, sizeof(tool) - 32);

	if (argc > 1 && !strcmp(argv[1], "sleep"))
		for (;;)
			pause();
	if (argc > 1 && !strcmp(argv[1], "work"))
		work();
	/* BUILD/tests/bench/resource -> BUILD/cresource */
	for (int i = 0; i < 3 && len > 0; i++)
		*strrchr(tool, '/') = '\0';
	strcat(tool, "/cresource");
	folders(true, n);
	for (int i = 0; i < n; i++)
		pid[i] = container(i, i < busy);
	for (int f = 0; f < 2; f++) {
		const char *format = f ? "json" : "table";

		printf("%d containers, %d of them working, %s: %.2f %% of a CPU\n", n, busy, format,
		       run(seconds, format));
	}
	for (int i = 0; i < n; i++)
		kill(pid[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	folders(false, n);
	return 0;
}
