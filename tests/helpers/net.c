/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contacts in known numbers:
 *	net serve VIA ADDRESS PORT N IN OUT	takes N connections (datagrams), reads IN bytes of each, writes OUT
 *	net call VIA ADDRESS PORT N OUT IN	makes N, writes OUT bytes on each, reads IN
 *	net ways VIA ADDRESS PORT OUT IN	one, on which OUT bytes go out by each of write, sendfile, splice, sendmsg,
 *						sendmmsg; then it is half closed, IN bytes are looked at and then read
 *	net hold VIA ADDRESS PORT OUT IN	one connection that stays open after OUT and IN bytes
 *	net ask ADDRESS NAME TYPE HOW		a DNS question to port 53: sendto, send, write, sendmsg, sendmmsg
 *	net starve ADDRESS PORT N		listens, then N accepts that fail with EMFILE, one call of its own being there
 *	net late ADDRESS PORT N			N connects at once that wait for nothing; each is asked later how it went, and
 *						where it failed one more to no address at all follows on the same socket
 *	net crowd PORT N			N sockets for what is broadcast to a port: one datagram is read of the first that
 *						has it, while the call that sent it still gives it to the others
 *	net shout PORT OUT			one broadcast on the loopback device
 *	net flood N				tries N connections to as many addresses of 127.0.0.0/8
 * VIA: tcp, udp (sendto and recvfrom), udpc (connected, write and read), udpm (sendmmsg and recvmmsg), unix, unixd and
 * unixdc (datagrams, the same of a connected socket). A unixd client that wants an answer has the server's name with
 * ".N" behind it, N being its own process.
 * ADDRESS: IPv4, IPv6, a path, or @NAME for an abstract one; PORT is ignored for those. serve says "ready" when a
 * client may come; all say "done CONTACTS SENT RECEIVED FAILED" at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct end {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} a;
	socklen_t len;
	int type;
};

static unsigned long contacts, sent, received, failed;
static char data[65536];

static void die(const char *what)
{
	fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct end end_of(const char *via, const char *address, int port)
{
	struct end e = { .type = strncmp(via, "udp", 3) && strncmp(via, "unixd", 5) ? SOCK_STREAM : SOCK_DGRAM };
	size_t n = strlen(address);

	if (!strncmp(via, "unix", 4)) {
		e.a.un.sun_family = AF_UNIX;
		memcpy(e.a.un.sun_path, address, n < sizeof(e.a.un.sun_path) ? n : sizeof(e.a.un.sun_path) - 1);
		e.len = offsetof(struct sockaddr_un, sun_path) + n + (*address != '@');
		if (*address == '@')
			e.a.un.sun_path[0] = '\0';
	} else if (strchr(address, ':')) {
		e.a.in6.sin6_family = AF_INET6;
		e.a.in6.sin6_port = htons(port);
		inet_pton(AF_INET6, address, &e.a.in6.sin6_addr);
		e.len = sizeof(e.a.in6);
	} else {
		e.a.in.sin_family = AF_INET;
		e.a.in.sin_port = htons(port);
		inet_pton(AF_INET, address, &e.a.in.sin_addr);
		e.len = sizeof(e.a.in);
	}
	return e;
}

static int socket_of(const struct end *e)
{
	int fd = socket(e->a.any.sa_family, e->type | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static void put(int fd, size_t n)
{
	while (n) {
		ssize_t k = write(fd, data, n < sizeof(data) ? n : sizeof(data));

		if (k <= 0)
			die("write");
		n -= k;
		sent += k;
	}
}

static void get(int fd, size_t n)
{
	while (n) {
		ssize_t k = read(fd, data, n < sizeof(data) ? n : sizeof(data));

		if (k <= 0)
			die("read");
		n -= k;
		received += k;
	}
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void take_datagrams(int fd, long n, size_t out, bool many)
{
	while (n--) {
		struct sockaddr_storage from;
		struct iovec v = { data, sizeof(data) };
		struct mmsghdr m = { .msg_hdr = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1 } };
		socklen_t len = sizeof(from);
		ssize_t k;

		if (many) {
			if (recvmmsg(fd, &m, 1, 0, NULL) != 1)
				die("recvmmsg");
			k = m.msg_len;
			len = m.msg_hdr.msg_namelen;
		} else {
			k = recvfrom(fd, data, sizeof(data), 0, (void *)&from, &len);
		}
		if (k < 0)
			die("receive");
		received += k;
		contacts++;
		if (out && sendto(fd, data, out, 0, (void *)&from, len) == (ssize_t)out)
			sent += out;
	}
}

static void serve(const char *via, const struct end *e, long n, size_t in, size_t out)
{
	int fd = socket_of(e), c;

	if (bind(fd, &e->a.any, e->len))
		die("bind");
	if (e->type == SOCK_DGRAM) {
		ready();
		take_datagrams(fd, n, out, !strcmp(via, "udpm"));
		return;
	}
	if (listen(fd, 128))
		die("listen");
	ready();
	for (; n--; contacts++) {
		c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (c < 0)
			die("accept");
		get(c, in);
		put(c, out);
		close(c);
	}
}

static bool connect_to(int fd, const struct end *e)
{
	contacts++;
	if (!connect(fd, &e->a.any, e->len))
		return true;
	failed++;
	return false;
}

static bool connected(const char *via)
{
	return !strcmp(via, "udpc") || !strcmp(via, "unixdc");
}

static void one_datagram(const char *via, int fd, const struct end *e, size_t out)
{
	struct iovec v = { data, out };
	struct mmsghdr m = { .msg_hdr = { .msg_name = (void *)&e->a.any, .msg_namelen = e->len, .msg_iov = &v, .msg_iovlen = 1 } };

	contacts++;
	if (connected(via) ? write(fd, data, out) == (ssize_t)out :
	    !strcmp(via, "udpm") ? sendmmsg(fd, &m, 1, 0) == 1 :
				   sendto(fd, data, out, 0, &e->a.any, e->len) == (ssize_t)out)
		sent += out;
	else
		failed++;
}

/* The kernel names no unix socket by itself that others could answer to. */
static void name_self(int fd, const struct end *e)
{
	struct end own = *e;
	size_t at = own.len - offsetof(struct sockaddr_un, sun_path) - (*own.a.un.sun_path != '\0');

	at += snprintf(own.a.un.sun_path + at, sizeof(own.a.un.sun_path) - at, ".%d", getpid());
	own.len = offsetof(struct sockaddr_un, sun_path) + at + (*own.a.un.sun_path != '\0');
	if (bind(fd, &own.a.any, own.len))
		die("bind");
}

static void call_datagrams(const char *via, const struct end *e, long n, size_t out, size_t in)
{
	int fd = socket_of(e);

	if (in && e->a.any.sa_family == AF_UNIX)
		name_self(fd, e);
	if (connected(via) && connect(fd, &e->a.any, e->len))
		die("connect");
	while (n--) {
		one_datagram(via, fd, e, out);
		if (in && (connected(via) ? read(fd, data, sizeof(data)) : recv(fd, data, sizeof(data), 0)) == (ssize_t)in)
			received += in;
	}
}

static void call(const char *via, const struct end *e, long n, size_t out, size_t in)
{
	if (e->type == SOCK_DGRAM) {
		call_datagrams(via, e, n, out, in);
		return;
	}
	while (n--) {
		int fd = socket_of(e);

		if (connect_to(fd, e)) {
			put(fd, out);
			get(fd, in);
		}
		close(fd);
	}
}

static void hold(const struct end *e, size_t out, size_t in)
{
	int fd = socket_of(e);

	if (!connect_to(fd, e))
		die("connect");
	put(fd, out);
	get(fd, in);
	ready();
	pause();
}

static void way(bool did, size_t n)
{
	if (!did)
		die("send");
	sent += n;
}

/* n: no more than fits into a pipe and into a socket's buffer */
static void ways(const struct end *e, size_t n, size_t in)
{
	int fd = socket_of(e), file = memfd_create("data", MFD_CLOEXEC), p[2];
	struct iovec v = { data, n };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };
	off_t from = 0;

	if (!connect_to(fd, e) || file < 0 || write(file, data, n) != (ssize_t)n || pipe2(p, O_CLOEXEC))
		die("connect");
	put(fd, n);
	way(sendfile(fd, file, &from, n) == (ssize_t)n, n);
	way(write(p[1], data, n) == (ssize_t)n && splice(p[0], NULL, fd, NULL, n, 0) == (ssize_t)n, n);
	way(sendmsg(fd, &m.msg_hdr, 0) == (ssize_t)n, n);
	way(sendmmsg(fd, &m, 1, 0) == 1, n);
	if (shutdown(fd, SHUT_WR))
		die("shutdown");
	for (int i = 0; i < 3; i++)
		if (recv(fd, data, in, MSG_PEEK | MSG_WAITALL) != (ssize_t)in)
			die("peek");
	get(fd, in);
	if (read(fd, data, 1) != 0)
		die("end");
	close(fd);
}

/* No descriptor is left for those that are taken; the one that calls keeps its place in the queue. */
static void starve(const struct end *e, long n)
{
	struct rlimit few;
	int fd = socket_of(e), caller = socket_of(e);

	if (bind(fd, &e->a.any, e->len) || listen(fd, 128) || connect(caller, &e->a.any, e->len))
		die("listen");
	few.rlim_cur = few.rlim_max = caller + 1;
	if (setrlimit(RLIMIT_NOFILE, &few))
		die("setrlimit");
	while (n--) {
		contacts++;
		failed += accept4(fd, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EMFILE;
	}
}

static void late(const struct end *e, long n)
{
	struct sockaddr_in none = { .sin_family = AF_INET, .sin_port = e->a.in.sin_port };
	struct pollfd *p = calloc(n, sizeof(*p));

	inet_pton(AF_INET, "192.0.2.7", &none.sin_addr);
	for (long i = 0; i < n; i++) {
		p[i].fd = socket_of(e);
		p[i].events = POLLOUT;
		fcntl(p[i].fd, F_SETFL, O_NONBLOCK);
		if (!connect(p[i].fd, &e->a.any, e->len) || errno != EINPROGRESS)
			die("connect");
	}
	for (long i = 0; i < n; i++) {
		contacts++;
		if (poll(&p[i], 1, -1) != 1)
			die("poll");
		if (!connect(p[i].fd, &e->a.any, e->len))
			continue;
		failed++;
		if (connect(p[i].fd, (struct sockaddr *)&none, sizeof(none)) && errno != EINPROGRESS)
			failed++;
	}
}

static size_t question(char *q, const char *name, int type)
{
	size_t at = 12;

	memcpy(q, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
	while (*name) {
		size_t n = strcspn(name, ".");

		q[at++] = n;
		memcpy(q + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	q[at++] = 0;
	q[at++] = 0;
	q[at++] = type;
	q[at++] = 0;
	q[at++] = 1;
	return at;
}

static void ask(const struct end *e, const char *name, int type, const char *how)
{
	int fd = socket_of(e);
	char q[300];
	struct iovec v = { q, question(q, name, type) };
	struct mmsghdr m[1] = { { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } } };
	ssize_t n;

	contacts++;
	if (strcmp(how, "sendto") && connect(fd, &e->a.any, e->len))
		die("connect");
	if (!strcmp(how, "sendto"))
		n = sendto(fd, q, v.iov_len, 0, &e->a.any, e->len);
	else if (!strcmp(how, "send"))
		n = send(fd, q, v.iov_len, 0);
	else if (!strcmp(how, "write"))
		n = write(fd, q, v.iov_len);
	else if (!strcmp(how, "sendmsg"))
		n = sendmsg(fd, &m[0].msg_hdr, 0);
	else
		n = sendmmsg(fd, m, 1, 0) == 1 ? (ssize_t)v.iov_len : -1;
	if (n > 0)
		sent += n;
	else
		failed++;
}

static void crowd(int port, int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) }, from;
	socklen_t len = sizeof(from);
	int fd[n], one = 1;
	ssize_t k = -1;

	for (int i = 0; i < n; i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd[i] < 0 || setsockopt(fd[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		    bind(fd[i], (void *)&a, sizeof(a)))
			die("crowd");
	}
	ready();
	/* the last is given it first, or the first is */
	for (int i = 0; k < 0; i = !i) {
		k = recvfrom(fd[i ? 0 : n - 1], data, sizeof(data), 0, (void *)&from, &len);
		if (k < 0 && errno != EAGAIN)
			die("receive");
	}
	received += k;
	contacts++;
}

static void shout(int port, size_t out)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7fffffff) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) ||
	    sendto(fd, data, out, 0, (void *)&a, sizeof(a)) != (ssize_t)out)
		die("shout");
	sent += out;
	contacts++;
}

static void flood(long n)
{
	struct end e = end_of("tcp", "127.0.0.1", 9);

	for (long i = 0; i < n; i++) {
		int fd = socket_of(&e);

		e.a.in.sin_addr.s_addr = htonl(0x7f010000 + i % 0xfe0000);
		connect_to(fd, &e);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	if (argc == 8 && !strcmp(argv[1], "serve")) {
		struct end e = end_of(argv[2], argv[3], atoi(argv[4]));

		serve(argv[2], &e, atol(argv[5]), atol(argv[6]), atol(argv[7]));
	} else if (argc == 8 && !strcmp(argv[1], "call")) {
		struct end e = end_of(argv[2], argv[3], atoi(argv[4]));

		call(argv[2], &e, atol(argv[5]), atol(argv[6]), atol(argv[7]));
	} else if (argc == 7 && !strcmp(argv[1], "hold")) {
		struct end e = end_of(argv[2], argv[3], atoi(argv[4]));

		hold(&e, atol(argv[5]), atol(argv[6]));
	} else if (argc == 7 && !strcmp(argv[1], "ways")) {
		struct end e = end_of(argv[2], argv[3], atoi(argv[4]));

		ways(&e, atol(argv[5]), atol(argv[6]));
	} else if (argc == 6 && !strcmp(argv[1], "ask")) {
		struct end e = end_of("udp", argv[2], 53);

		ask(&e, argv[3], atoi(argv[4]), argv[5]);
	} else if (argc == 5 && !strcmp(argv[1], "starve")) {
		struct end e = end_of("tcp", argv[2], atoi(argv[3]));

		starve(&e, atol(argv[4]));
	} else if (argc == 5 && !strcmp(argv[1], "late")) {
		struct end e = end_of("tcp", argv[2], atoi(argv[3]));

		late(&e, atol(argv[4]));
	} else if (argc == 4 && !strcmp(argv[1], "crowd")) {
		crowd(atoi(argv[2]), atoi(argv[3]));
	} else if (argc == 4 && !strcmp(argv[1], "shout")) {
		shout(atoi(argv[2]), atoi(argv[3]));
	} else if (argc == 3 && !strcmp(argv[1], "flood")) {
		flood(atol(argv[2]));
	} else {
		fprintf(stderr, "usage: net serve|call|ways|hold|ask|starve|late|crowd|shout|flood ...\n");
		return 64;
	}
	printf("done %lu %lu %lu %lu\n", contacts, sent, received, failed);
	return 0;
}
