/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flood KIND...: each in a process of its own, as fast as it can, until SIGTERM; then "KIND N" of each: what it did.
 *
 *	opens		ever new names that are not there
 *	files		ever new files, each made and removed
 *	connects	ever new addresses of 127.0.0.0/8, all refused
 *	unix		ever new unix sockets that listen, each connected to
 *	forks		processes that end at once
 *	execs		programs, each this one again
 *	threads		threads that end at once
 *	cgroups DIR	folders of DIR, each made and removed
 *	signals PID	signals that are not sent: 0
 *	calls		getppid(2)
 * "flooding" is said when all have begun.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX 16

static volatile sig_atomic_t stop;
static const char *argument;

static void end(int sig)
{
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void open_one(unsigned long i)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/no-such-file-%lu", i);
	open(path, O_RDONLY);
}

static void file_one(unsigned long i)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/flood-%lu", i);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || close(fd) || unlink(path))
		die(path);
}

static void connect_one(unsigned long i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(0x7f000002 + i % 0xfffff0);
	if (fd < 0 || !connect(fd, (void *)&a, sizeof(a)) || errno != ECONNREFUSED)
		die("connect");
	close(fd);
}

static void unix_one(unsigned long i)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int there = socket(AF_UNIX, SOCK_STREAM, 0), here = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len;

	/* abstract: nothing is left behind */
	len = offsetof(struct sockaddr_un, sun_path) + 1 +
	      snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "flood-%lu", i);
	if (there < 0 || here < 0 || bind(there, (void *)&a, len) || listen(there, 1) || connect(here, (void *)&a, len))
		die("unix");
	close(here);
	close(there);
}

static void wait_one(pid_t pid)
{
	if (pid < 0)
		die("fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void fork_one(unsigned long i)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	wait_one(pid);
}

static void exec_one(unsigned long i)
{
	char number[32];
	pid_t pid;

	snprintf(number, sizeof(number), "%lu", i);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "flood", "end", number, NULL);
		_exit(1);
	}
	wait_one(pid);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_one(unsigned long i)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL))
		die("thread");
	pthread_join(t, NULL);
}

static void cgroup_one(unsigned long i)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%064lx", argument, i);
	if (mkdir(path, 0755) || rmdir(path))
		die(path);
}

static void signal_one(unsigned long i)
{
	if (kill(atoi(argument), 0))
		die("kill");
}

static void call_one(unsigned long i)
{
	syscall(SYS_getppid);
}

static const struct {
	const char *name;
	void (*one)(unsigned long i);
	int argument;
} kinds[] = {
	{ "opens", open_one },	   { "files", file_one },     { "connects", connect_one },    { "unix", unix_one },
	{ "forks", fork_one },	   { "execs", exec_one },     { "threads", thread_one },      { "cgroups", cgroup_one, 1 },
	{ "signals", signal_one, 1 }, { "calls", call_one },
};

struct flood {
	const char *name;
	pid_t pid;
	volatile unsigned long *done;
};

static pid_t begin(int kind, volatile unsigned long *done)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	while (!stop) {
		kinds[kind].one(*done);
		++*done;
	}
	_exit(0);
}

static int kind_of(const char *name)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (!strcmp(kinds[k].name, name))
			return k;
	return -1;
}

/* Until it is told to end, or one of them has died. */
static int wait_all(struct flood *f, int n, const sigset_t *before)
{
	int status, ret = 0;

	while (!stop)
		sigsuspend(before);
	for (int i = 0; i < n; i++)
		kill(f[i].pid, SIGTERM);
	for (int i = 0; i < n; i++) {
		if (waitpid(f[i].pid, &status, 0) != f[i].pid || status)
			ret = 1;
		printf("%s %lu\n", f[i].name, *f[i].done);
	}
	return ret;
}

int main(int argc, char **argv)
{
	volatile unsigned long *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sigaction sa = { .sa_handler = end, .sa_flags = SA_RESTART }; /* what is begun is done and counted */
	struct flood f[MAX];
	sigset_t set, before;
	int n = 0, kind;

	if (argc > 1 && !strcmp(argv[1], "end"))
		return 0;
	sigaction(SIGTERM, &sa, NULL);
	for (int i = 1; i < argc; i++, n++) {
		kind = kind_of(argv[i]);
		if (kind < 0 || n == MAX || (kinds[kind].argument && !(argument = argv[++i]))) {
			fprintf(stderr, "flood: expected one of the kinds it knows, got \"%s\"\n", argv[i] ? argv[i] : "");
			return 64;
		}
		f[n] = (struct flood){ .name = kinds[kind].name, .done = done + n * 8 };
		f[n].pid = begin(kind, f[n].done);
	}
	/* a child that dies is no reason to wait */
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	puts("flooding");
	fflush(stdout);
	return wait_all(f, n, &before);
}
