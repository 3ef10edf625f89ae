/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests/data/strace.* are recordings of: known numbers of calls by a thread, a child that execs,
 * a child whose exec fails, 32-bit calls, a signal, output between strace's lines, and last an exec
 * by a thread that is not the first.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *self;

static void times(int n, long nr)
{
	while (n--)
		syscall(nr);
}

static void *thread(void *arg)
{
	times(7, SYS_getppid);
	return NULL;
}

static void *last_thread(void *arg)
{
	times(3, SYS_getuid);
	execl(self, "traced", "again", (char *)NULL);
	_exit(1);
}

static void on_signal(int sig)
{
	times(1, SYS_getegid);
}

#ifdef __x86_64__
static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, 1);
}

/* Where the machine knows no such calls they are a fault. */
static void int80(int n, long nr)
{
	long ret;

	signal(SIGSEGV, on_fault);
	if (sigsetjmp(back, 1)) {
		if (write(1, "no 32-bit calls\n", 16) != 16)
			_exit(1);
		return;
	}
	while (n--)
		__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr) : "memory", "r8", "r9", "r10", "r11");
	signal(SIGSEGV, SIG_DFL);
}
#else
static void int80(int n, long nr)
{
	if (write(1, "no 32-bit calls\n", 16) != 16)
		_exit(1);
}
#endif

static void wait_child(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(int argc, char **argv)
{
	pthread_t t;

	self = argv[0];
	if (argc > 1) {
		times(11, SYS_getgid);
		return 0;
	}
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	times(149, SYS_getppid);
	if (!fork()) {
		times(5, SYS_getuid);
		execl(self, "traced", "a b", "", "c\n\033[31m\\", "\xff\xe2\x80\xae''", (char *)NULL);
		_exit(1);
	}
	wait_child();
	if (!vfork()) {
		execl("/nonexistent", "x", (char *)NULL);
		_exit(3);
	}
	wait_child();
	signal(SIGUSR1, on_signal);
	kill(getpid(), SIGUSR1);
	if (write(2, "said\nin between\n", 16) != 16)
		return 1;
	syscall(999);
	int80(13, 20);
	pthread_create(&t, NULL, last_thread, NULL);
	pause();
	return 1;
}
