/* SPDX-License-Identifier: GPL-2.0 */
/*
 * early N: a thread, and a child that never executed anything and calls itself as runc calls its own stages. Prints
 * "early" when both are there; when /tmp/go exists the thread makes N getppid calls and the child N getpgrp calls.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long n;
static pthread_barrier_t there;

static void calls(long nr)
{
	while (access("/tmp/go", F_OK))
		usleep(20000);
	for (long i = 0; i < n; i++)
		syscall(nr);
}

static void *thread(void *arg)
{
	pthread_barrier_wait(&there);
	calls(SYS_getppid);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	pid_t child;

	if (argc != 2) {
		fprintf(stderr, "usage: early N\n");
		return 64;
	}
	n = strtol(argv[1], NULL, 10);
	child = fork();
	if (!child) {
		prctl(PR_SET_NAME, "runc:[2:INIT]");
		calls(SYS_getpgrp);
		_exit(0);
	}
	pthread_barrier_init(&there, NULL, 2);
	if (child < 0 || pthread_create(&t, NULL, thread, NULL)) {
		perror("early");
		return 1;
	}
	pthread_barrier_wait(&there);
	puts("early");
	fflush(stdout);
	pthread_join(t, NULL);
	waitpid(child, NULL, 0);
	return 0;
}
