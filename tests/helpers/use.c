/* SPDX-License-Identifier: GPL-2.0 */
/*
 * use WORD [ARG]...: uses known amounts of the machine, one after the other:
 *
 *	burn MS			CPU time of this thread
 *	memory MB		touched and kept
 *	fork N, exec N, thread N	one after the other, each waited for; exec: fork and exec of itself
 *	open N			descriptors, kept
 *	write FILE MB, read FILE	past the page cache
 *	sink PORT		takes one connection, reads it to the end
 *	send ADDRESS PORT BYTES
 *	wait FILE		until it is there
 *	hold			until killed
 *	end			at once, without the exit's work
 *	aside			all that follows in another thread, while the first one sleeps
 *
 * Says "done WORD" after each, and what it measured.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MB (1024L * 1024)

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void burn(long ms)
{
	long end = cpu_ms() + ms;
	volatile int i;

	while (cpu_ms() < end)
		for (i = 0; i < 100000; i++)
			;
}

static void memory(long mb)
{
	char *p = mmap(NULL, mb * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (long i = 0; i < mb * MB; i += 4096)
		p[i] = 1;
}

static void child(int again)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (again)
			execl("/proc/self/exe", "use", "end", NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL))
		die("thread");
	pthread_join(t, NULL);
}

static void transfer(const char *file, long mb, int out)
{
	int fd = open(file, (out ? O_WRONLY | O_CREAT : O_RDONLY) | O_DIRECT, 0600);
	void *buf = NULL;

	if (fd < 0 || posix_memalign(&buf, 4096, MB))
		die(file);
	memset(buf, 7, MB);
	if (out) {
		while (mb-- > 0)
			if (write(fd, buf, MB) != MB)
				die(file);
	} else {
		while (read(fd, buf, MB) > 0)
			;
	}
	free(buf);
	close(fd);
}

static void sink(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), c, one = 1;
	char buf[65536];
	long sum = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) || listen(fd, 1))
		die("sink");
	printf("listening %d\n", port);
	fflush(stdout);
	c = accept(fd, NULL, NULL);
	while ((n = read(c, buf, sizeof(buf))) > 0)
		sum += n;
	printf("got %ld\n", sum);
	close(c);
	close(fd);
}

static void send_to(const char *address, int port, long bytes)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	static char buf[65536];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || connect(fd, (void *)&a, sizeof(a)))
		die("send");
	while (bytes > 0) {
		ssize_t n = write(fd, buf, bytes < (long)sizeof(buf) ? bytes : (long)sizeof(buf));

		if (n <= 0)
			die("send");
		bytes -= n;
	}
	shutdown(fd, SHUT_WR);
	/* the other side has all of it when it closes */
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void wait_for(const char *file)
{
	struct timespec t = { .tv_nsec = 10000000 };

	while (access(file, F_OK))
		nanosleep(&t, NULL);
}

static void more_files(long n)
{
	while (n-- > 0)
		if (dup(2) < 0)
			die("dup");
}

/* Arguments that were taken. */
static int run(char **arg)
{
	const char *what = arg[0];
	long n = arg[1] ? atol(arg[1]) : 0;

	if (!strcmp(what, "hold"))
		for (;;)
			pause();
	if (!strcmp(what, "end"))
		_exit(0);
	if (!arg[1])
		return 0;
	if (!strcmp(what, "burn"))
		burn(n);
	else if (!strcmp(what, "memory"))
		memory(n);
	else if (!strcmp(what, "open"))
		more_files(n);
	else if (!strcmp(what, "wait"))
		wait_for(arg[1]);
	else if (!strcmp(what, "read"))
		transfer(arg[1], 0, 0);
	else if (!strcmp(what, "sink"))
		sink(n);
	else if (!strcmp(what, "fork") || !strcmp(what, "exec"))
		while (n-- > 0)
			child(what[0] == 'e');
	else if (!strcmp(what, "thread"))
		while (n-- > 0)
			thread();
	else if (!strcmp(what, "write") && arg[2])
		return transfer(arg[1], atol(arg[2]), 1), 2;
	else if (!strcmp(what, "send") && arg[2] && arg[3])
		return send_to(arg[1], atoi(arg[2]), atol(arg[3])), 3;
	else
		return 0;
	return 1;
}

static int run_all(char **arg);

static void *aside(void *arg)
{
	return (void *)(long)run_all(arg);
}

static int run_all(char **arg)
{
	while (*arg) {
		int n;

		if (!strcmp(*arg, "aside")) {
			void *st = NULL;
			pthread_t t;

			if (pthread_create(&t, NULL, aside, arg + 1) || pthread_join(t, &st))
				die("pthread_create");
			return (long)st;
		}
		n = run(arg);
		if (!n) {
			fprintf(stderr, "use: expected one of the words it knows, got \"%s\"\n", *arg);
			return 64;
		}
		printf("done %s\n", *arg);
		fflush(stdout);
		arg += n + 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	return run_all(argv + 1);
}
