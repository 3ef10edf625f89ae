/* SPDX-License-Identifier: GPL-2.0 */
/*
 * moves N T: T threads, all there at once, make N calls each in an order of their own and go to another CPU after every
 * few. Prints a line a thread: its name, and its calls by theirs.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	long nr;
} calls[] = {
	{ "getppid", SYS_getppid }, { "getuid", SYS_getuid }, { "getgid", SYS_getgid }, { "geteuid", SYS_geteuid },
	{ "getegid", SYS_getegid }, { "getpid", SYS_getpid }, { "gettid", SYS_gettid },
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

struct work {
	pthread_t thread;
	char name[16];
	uint8_t *made; /* calls by index; NCALLS: to another CPU */
};

static unsigned long n;
static pthread_barrier_t start, end;
static int cpu[CPU_SETSIZE], ncpu;

static void move(int to)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu[to], &set);
	syscall(SYS_sched_setaffinity, 0, sizeof(set), &set);
}

static void *make_calls(void *arg)
{
	struct work *w = arg;
	uint32_t x = atoi(w->name + 1);

	pthread_setname_np(pthread_self(), w->name);
	pthread_barrier_wait(&start);
	for (unsigned long i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		w->made[i] = (x >> 16) % 23 ? (x >> 24) % NCALLS : NCALLS;
		if (w->made[i] == NCALLS)
			move((x >> 24) % ncpu);
		else
			syscall(calls[w->made[i]].nr);
	}
	pthread_barrier_wait(&end);
	return NULL;
}

int main(int argc, char **argv)
{
	struct work *w;
	cpu_set_t set;
	int threads;

	if (argc != 3 || (threads = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: moves N THREADS\n");
		return 64;
	}
	n = strtoul(argv[1], NULL, 10);
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpu[ncpu++] = i;
	w = calloc(threads, sizeof(*w));
	pthread_barrier_init(&start, NULL, threads);
	pthread_barrier_init(&end, NULL, threads);
	for (int i = 0; i < threads; i++) {
		w[i].made = malloc(n);
		snprintf(w[i].name, sizeof(w[i].name), "m%d", i);
		if (pthread_create(&w[i].thread, NULL, make_calls, &w[i])) {
			fprintf(stderr, "moves: cannot start thread %d\n", i);
			return 1;
		}
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		printf("%s", w[i].name);
		for (unsigned long k = 0; k < n; k++)
			printf(" %s", w[i].made[k] == NCALLS ? "sched_setaffinity" : calls[w[i].made[k]].name);
		printf("\n");
	}
	return 0;
}
