/* SPDX-License-Identifier: GPL-2.0 */
/*
 * needle N PID: N times, a moment between them: starts itself as "needle child I of N" (I from 1), connects to port
 * 10000 + I of 127.0.0.1 where nobody listens, opens /etc/shadow, makes and removes /tmp/needle-I, and sends SIGUSR1
 * to process PID. Prints "needle N" when each went as it should; the rest are calls of the loop itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int exec_one(int i, const char *n)
{
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", i);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "needle", "child", number, "of", n, NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
}

static int connect_one(int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(10000 + i) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret = connect(fd, (void *)&a, sizeof(a)) && errno == ECONNREFUSED ? 0 : -1;
	close(fd);
	return ret;
}

static int open_one(void)
{
	int fd = open("/etc/shadow", O_RDONLY);

	return fd < 0 ? -1 : close(fd);
}

static int unlink_one(int i)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/needle-%d", i);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	return fd < 0 || close(fd) ? -1 : unlink(path);
}

int main(int argc, char **argv)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int n, i;

	if (argc == 5 && !strcmp(argv[1], "child"))
		return 0;
	if (argc != 3) {
		fprintf(stderr, "usage: needle N PID\n");
		return 64;
	}
	n = atoi(argv[1]);
	for (i = 1; i <= n; i++) {
		if (exec_one(i, argv[1]) || connect_one(i) || open_one() || unlink_one(i) || kill(atoi(argv[2]), SIGUSR1)) {
			fprintf(stderr, "needle: %d: %s\n", i, strerror(errno));
			return 1;
		}
		nanosleep(&moment, NULL);
	}
	printf("needle %d\n", n);
	return 0;
}
