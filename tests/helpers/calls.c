/* SPDX-License-Identifier: GPL-2.0 */
/*
 * calls N T: T threads make N getppid calls each, all at once. Prints, after the last, "thread TID calls N" a
 * thread and "total N*T". The number of calls is the loop's own, so it says what a collector must have seen.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct work {
	pthread_t thread;
	pthread_barrier_t *start;
	unsigned long n, made;
	long tid;
};

static void *make_calls(void *arg)
{
	struct work *w = arg;

	w->tid = syscall(SYS_gettid);
	pthread_barrier_wait(w->start);
	for (; w->made < w->n; w->made++)
		syscall(SYS_getppid);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long n, total = 0;
	pthread_barrier_t start;
	struct work *w;
	int i, threads;

	if (argc != 3 || (threads = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: calls N THREADS\n");
		return 64;
	}
	n = strtoul(argv[1], NULL, 10);
	w = calloc(threads, sizeof(*w));
	pthread_barrier_init(&start, NULL, threads);
	for (i = 0; i < threads; i++) {
		w[i].n = n;
		w[i].start = &start;
		if (pthread_create(&w[i].thread, NULL, make_calls, &w[i])) {
			fprintf(stderr, "calls: cannot start thread %d\n", i);
			return 1;
		}
	}
	for (i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		printf("thread %ld calls %lu\n", w[i].tid, w[i].made);
		total += w[i].made;
	}
	printf("total %lu\n", total);
	return 0;
}
