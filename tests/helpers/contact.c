/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one process may do to another without a socket.
 *
 * contact wait: waits to have it done to it, unharmed
 * contact ACTION PID N: does it N times to such a process; prints "ACTION N" and how many of them were refused
 * contact many PID N: N kinds of contact that differ
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64] = "at the same address in every process of this program";

static int do_signal(pid_t pid, int i)
{
	return kill(pid, SIGUSR1);
}

/* Says of itself that a timer sent it. */
static int do_queue(pid_t pid, int i)
{
	siginfo_t si = { .si_signo = SIGUSR2, .si_code = SI_TIMER };

	return syscall(SYS_rt_sigqueueinfo, pid, SIGUSR2, &si);
}

static int do_pidfd(pid_t pid, int i)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret = syscall(SYS_pidfd_send_signal, fd, SIGUSR2, NULL, 0);

	close(fd);
	return ret;
}

static int do_nobody(pid_t pid, int i)
{
	if (!i && setuid(65534))
		return -1;
	return kill(pid, SIGUSR1);
}

static int do_ptrace(pid_t pid, int i)
{
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return -1;
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_PEEKDATA, pid, place, NULL);
	return ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static int do_read(pid_t pid, int i)
{
	char got[sizeof(place)];
	struct iovec here = { got, sizeof(got) }, there = { place, sizeof(place) };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(got) ? 0 : -1;
}

static int do_write(pid_t pid, int i)
{
	struct iovec v = { place, sizeof(place) };

	return process_vm_writev(pid, &v, 1, &v, 1, 0) == sizeof(place) ? 0 : -1;
}

static int do_getfd(pid_t pid, int i)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), got = syscall(SYS_pidfd_getfd, fd, 1, 0);

	close(got);
	close(fd);
	return got < 0 ? -1 : 0;
}

static int do_kcmp(pid_t pid, int i)
{
	return syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) < 0 ? -1 : 0;
}

static int do_prlimit(pid_t pid, int i)
{
	struct rlimit l;

	if (prlimit(pid, RLIMIT_CORE, NULL, &l))
		return -1;
	return prlimit(pid, RLIMIT_CORE, &l, NULL);
}

/* To the process's: with a descriptor of the process where the kernel takes one. */
static int do_setns(pid_t pid, int i)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret = setns(fd, CLONE_NEWUTS);

	close(fd);
	return ret;
}

static int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int set_by(pid_t pid, const char *what)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = setns(fd, 0);
	close(fd);
	return ret;
}

static int do_netns(pid_t pid, int i)
{
	return set_by(pid, "net");
}

static int do_mntns(pid_t pid, int i)
{
	return set_by(pid, "mnt");
}

static int do_root(pid_t pid, int i)
{
	return open_of(pid, "root/etc/passwd", O_RDONLY);
}

static int do_mem(pid_t pid, int i)
{
	return open_of(pid, "mem", O_RDWR);
}

static int do_environ(pid_t pid, int i)
{
	return open_of(pid, "environ", O_RDONLY);
}

static int do_oom(pid_t pid, int i)
{
	return open_of(pid, "oom_score_adj", O_WRONLY);
}

static int do_status(pid_t pid, int i)
{
	return open_of(pid, "status", O_RDONLY);
}

static int do_chroot(pid_t pid, int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return chroot(path);
}

static int do_affinity(pid_t pid, int i)
{
	cpu_set_t set;

	if (sched_getaffinity(pid, sizeof(set), &set))
		return -1;
	return sched_setaffinity(pid, sizeof(set), &set);
}

static int do_scheduler(pid_t pid, int i)
{
	struct sched_param p = {};

	return sched_setscheduler(pid, SCHED_OTHER, &p);
}

static int do_param(pid_t pid, int i)
{
	struct sched_param p = {};

	return sched_setparam(pid, &p);
}

static int do_attr(pid_t pid, int i)
{
	uint32_t attr[12] = { sizeof(attr) }; /* struct sched_attr: its size, SCHED_OTHER, nothing else */

	return syscall(SYS_sched_setattr, pid, attr, 0);
}

static int do_perf(pid_t pid, int i)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_TASK_CLOCK };
	int fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	close(fd);
	return fd < 0 ? -1 : 0;
}

/* Where its memory lies: to ask is a contact, too. */
static int do_pages(pid_t pid, int i)
{
	void *page = place;
	int status;

	return syscall(SYS_move_pages, pid, 1, &page, NULL, &status, 0) ? -1 : 0;
}

static int do_migrate(pid_t pid, int i)
{
	unsigned long node = 1;

	return syscall(SYS_migrate_pages, pid, 8 * sizeof(node), &node, &node) ? -1 : 0;
}

static int do_madvise(pid_t pid, int i)
{
	uintptr_t page = (uintptr_t)place & ~4095UL;
	struct iovec v = { (void *)page, 4096 };
	int fd = syscall(SYS_pidfd_open, pid, 0);
	long ret = syscall(SYS_process_madvise, fd, &v, 1, 20 /* MADV_COLD */, 0);

	close(fd);
	return ret < 0 ? -1 : 0;
}

/* Of a process that lives: refused. */
static int do_mrelease(pid_t pid, int i)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	long ret = syscall(SYS_process_mrelease, fd, 0);

	close(fd);
	return ret < 0 ? -1 : 0;
}

static int do_many(pid_t pid, int i)
{
	syscall(SYS_ptrace, 100000 + i, pid, 0, 0);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(pid_t pid, int i);
} actions[] = {
	{ "signal", do_signal }, { "queue", do_queue }, { "pidfd", do_pidfd }, { "nobody", do_nobody },
	{ "ptrace", do_ptrace }, { "read", do_read }, { "write", do_write }, { "getfd", do_getfd },
	{ "kcmp", do_kcmp }, { "prlimit", do_prlimit }, { "setns", do_setns }, { "netns", do_netns },
	{ "mntns", do_mntns }, { "root", do_root }, { "mem", do_mem }, { "environ", do_environ },
	{ "oom", do_oom }, { "status", do_status }, { "chroot", do_chroot }, { "many", do_many },
	{ "affinity", do_affinity }, { "scheduler", do_scheduler }, { "param", do_param }, { "attr", do_attr },
	{ "perf", do_perf }, { "pages", do_pages }, { "migrate", do_migrate }, { "madvise", do_madvise },
	{ "mrelease", do_mrelease },
};

static _Noreturn void wait_for_it(void)
{
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	puts("waiting");
	fflush(stdout);
	for (;;)
		pause();
}

static int usage(void)
{
	fputs("usage: contact wait | contact ACTION PID N\n", stderr);
	return 64;
}

int main(int argc, char **argv)
{
	int n, refused = 0;
	pid_t pid;

	if (argc == 2 && !strcmp(argv[1], "wait"))
		wait_for_it();
	if (argc != 4)
		return usage();
	pid = atoi(argv[2]);
	n = atoi(argv[3]);
	for (size_t a = 0; a < sizeof(actions) / sizeof(actions[0]); a++) {
		if (strcmp(actions[a].name, argv[1]))
			continue;
		for (int i = 0; i < n; i++)
			if (actions[a].fn(pid, i) && !refused++)
				perror(argv[1]);
		printf("%s %d refused %d\n", argv[1], n, refused);
		return 0;
	}
	return usage();
}
