/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A web client for containers without one.
 *
 * load ADDRESS PORT SEED PATH...: asks for the paths, in an order and at times drawn from SEED, until killed
 * load once ADDRESS PORT PATH: one request; prints the body; status 0 only if it was answered by a 200
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int dial(const char *address, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { .tv_sec = 10 };
	int fd, room = 16384; /* little: large answers make the server wait in every minute, and not once in an hour */

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Asks and reads to the end; prints the body when show is set. The status, or -1. */
static int get(const char *address, int port, const char *path, int show)
{
	char buf[16384], *body;
	int fd = dial(address, port), status = -1;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	snprintf(buf, sizeof(buf), "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: load\r\n\r\n", path, address);
	if (write(fd, buf, strlen(buf)) != (ssize_t)strlen(buf))
		goto out;
	/* what is beyond the buffer's end is read and dropped */
	for (;;) {
		if (len >= sizeof(buf) - 1)
			len = sizeof(buf) / 2;
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n <= 0)
			break;
		len += n;
		if (status < 0) {
			buf[len] = '\0';
			sscanf(buf, "HTTP/%*s %d", &status);
		}
	}
	buf[len] = '\0';
	body = strstr(buf, "\r\n\r\n");
	if (show && body)
		fputs(body + 4, stdout);
out:
	close(fd);
	return status;
}

static void pace(unsigned int *seed)
{
	struct timespec t = { .tv_nsec = 2000000L + rand_r(seed) % 60 * 1000000L };

	/* now and then a longer gap, as people make them */
	if (rand_r(seed) % 40 == 0)
		t.tv_nsec = 450000000L;
	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	unsigned int seed;

	if (argc == 5 && !strcmp(argv[1], "once"))
		return get(argv[2], atoi(argv[3]), argv[4], 1) == 200 ? 0 : 1;
	if (argc < 5) {
		fprintf(stderr, "usage: load ADDRESS PORT SEED PATH... | load once ADDRESS PORT PATH\n");
		return 64;
	}
	seed = strtoul(argv[3], NULL, 10);
	for (;;) {
		get(argv[1], atoi(argv[2]), argv[4 + rand_r(&seed) % (argc - 4)], 0);
		pace(&seed);
	}
}
