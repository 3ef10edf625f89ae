/* SPDX-License-Identifier: GPL-2.0 */
/*
 * peer ROUNDS CNETPEER: what cnetpeer costs a contact, and what is sent and received.
 *
 * The program itself is run, as Debian's tcpconnect is, and, for kernels without its kprobes, those that like ours take
 * the tracepoint of a socket's states: each is started and ended in turn in every round, in an order that rotates. Of its CPU time nothing is measured but what its probes take of the task that makes the calls.
 */
#include <bpf/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "paired.h"

enum mode { NOTHING, CNETPEER, TCPCONNECT, TCPLIFE, TCPSTATES, NMODES };

static const struct {
	const char *name, *path, *header; /* header: what it says when it has attached */
} modes[NMODES] = {
	[NOTHING] = { "nothing", NULL, NULL },
	[CNETPEER] = { "cnetpeer", NULL, "DIRECTION" },
	[TCPCONNECT] = { "tcpconnect", "/usr/sbin/tcpconnect", "PID" },
	[TCPLIFE] = { "tcplife", "/usr/sbin/tcplife", "PID" },
	[TCPSTATES] = { "tcpstates", "/usr/sbin/tcpstates", "PID" },
};

/* ---- the calls ---- */

static void failed(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* A watched task has a network of its own, as containers have. */
static void own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	static bool done;
	int fd;

	if (done || getpid() != 1) /* of its pid namespace */
		return;
	done = true;
	if (unshare(CLONE_NEWNET))
		failed("network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		failed("loopback");
	close(fd);
}

/* A socket on loopback, and its address. */
static int waiting(int type, struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd;

	own_network();
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (void *)ret, len) || getsockname(fd, (void *)ret, &len) ||
	    (type == SOCK_STREAM && listen(fd, 16)))
		failed("listen");
	return fd;
}

static int caller(int type, const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (void *)to, sizeof(*to)))
		failed("connect");
	return fd;
}

/* Ended by a reset, so that none of them waits for its number to be free again. */
static void connect_calls(long n)
{
	static const struct linger now = { 1, 0 };
	static struct sockaddr_in at;
	static int server = -1;

	if (server < 0)
		server = waiting(SOCK_STREAM, &at);
	while (n--) {
		int a = caller(SOCK_STREAM, &at), b = accept4(server, NULL, NULL, SOCK_CLOEXEC);

		if (b < 0 || setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now)))
			failed("accept");
		close(a);
		close(b);
	}
}

static void to_and_fro(const int *fd, long n)
{
	char c = 'x';

	while (n--)
		if (send(fd[0], &c, 1, 0) != 1 || recv(fd[1], &c, 1, 0) != 1)
			failed("send");
}

static void tcp_calls(long n)
{
	static struct sockaddr_in at;
	static int fd[2];

	if (!fd[0]) {
		int server = waiting(SOCK_STREAM, &at);

		fd[0] = caller(SOCK_STREAM, &at);
		fd[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		close(server);
	}
	to_and_fro(fd, n);
}

static void udp_calls(long n)
{
	static struct sockaddr_in at;
	static int fd[2];

	if (!fd[0]) {
		fd[1] = waiting(SOCK_DGRAM, &at);
		fd[0] = caller(SOCK_DGRAM, &at);
	}
	to_and_fro(fd, n);
}

/* "": the kernel finds an abstract name. */
static void unix_pair(int type, int *fd)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(at);
	int server = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (server < 0 || bind(server, (void *)&at, sizeof(at.sun_family)) || getsockname(server, (void *)&at, &len) ||
	    (type == SOCK_STREAM && listen(server, 1)))
		failed("unix socket");
	fd[0] = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd[0] < 0 || connect(fd[0], (void *)&at, len))
		failed("connect");
	fd[1] = type == SOCK_STREAM ? accept4(server, NULL, NULL, SOCK_CLOEXEC) : server;
}

static void unix_calls(long n)
{
	static int fd[2];

	if (!fd[0])
		unix_pair(SOCK_STREAM, fd);
	to_and_fro(fd, n);
}

static void datagram_calls(long n)
{
	static int fd[2];

	if (!fd[0])
		unix_pair(SOCK_DGRAM, fd);
	to_and_fro(fd, n);
}

static void getppid_calls(long n)
{
	while (n--)
		syscall(SYS_getppid);
}

enum who { WATCHED, HOST, NWORKERS };
enum { CONNECT, TCP, UDP, UNIX, DATAGRAM, OTHER, HOST_CONNECT, HOST_TCP, NLOADS };

static const struct paired_load loads[NLOADS] = {
	[CONNECT] = { "watched task: connect, accept and close, TCP over loopback", WATCHED, connect_calls },
	[TCP] = { "watched task: send and receive a byte, TCP", WATCHED, tcp_calls },
	[UDP] = { "watched task: send and receive a byte, UDP", WATCHED, udp_calls },
	[UNIX] = { "watched task: send and receive a byte, unix stream", WATCHED, unix_calls },
	[DATAGRAM] = { "watched task: send and receive a byte, unix datagram", WATCHED, datagram_calls },
	[OTHER] = { "watched task: getppid", WATCHED, getppid_calls },
	[HOST_CONNECT] = { "host task: connect, accept and close, TCP over loopback", HOST, connect_calls },
	[HOST_TCP] = { "host task: send and receive a byte, TCP", HOST, tcp_calls },
};

/* ---- measuring ---- */

struct bench {
	int rounds;
	const char *cnetpeer;
	struct paired_worker worker[NWORKERS];
	struct paired_peer peer;
	bool without[NMODES];	    /* does not run here */
	double *ns[NMODES][NLOADS]; /* by round */
	double *base[NMODES][NLOADS]; /* nothing attached, measured beside it */
	struct cb_err err;
};

static void drain(void *arg)
{
	struct bench *b = arg;

	paired_peer_drain(&b->peer);
}

static int attach(void *arg, int m)
{
	struct bench *b = arg;

	if (m == NOTHING)
		return 0;
	return paired_peer_start(&b->peer, m == CNETPEER ? b->cnetpeer : modes[m].path, modes[m].header, &b->err);
}

static void detach(void *arg)
{
	struct bench *b = arg;

	paired_peer_end(&b->peer);
}

/* Other tools need what not every kernel has. */
static void try_peers(struct bench *b)
{
	for (int m = TCPCONNECT; m < NMODES; m++) {
		if (attach(b, m)) {
			fprintf(stderr, "peer: measured without %s: %s\n", modes[m].name, b->err.text);
			b->without[m] = true;
			b->err.text[0] = '\0';
		}
		paired_peer_end(&b->peer);
	}
}

static int measure(void *arg, int load, double *ret)
{
	struct bench *b = arg;

	return paired_measure(&b->worker[loads[load].who], load, drain, b, ret, &b->err);
}

static int base_of(int m)
{
	return NOTHING;
}

static int bench(struct bench *b)
{
	const struct paired_plan plan = {
		.nmodes = NMODES, .nloads = NLOADS, .ns = b->ns[0], .base_ns = b->base[0], .without = b->without,
		.base = base_of, .attach = attach, .detach = detach, .measure = measure,
	};
	int err = 0;
	double ns;

	for (int i = 0; !err && i < NWORKERS; i++)
		err = paired_start(&b->worker[i], i == WATCHED, &b->err);
	paired_pin(false);
	/* sockets that stay open are there before anything is attached */
	for (int l = 0; !err && l < NLOADS; l++)
		err = measure(b, l, &ns);
	if (!err)
		try_peers(b);
	for (int r = 0; !err && r < b->rounds; r++)
		err = paired_round(&plan, b, r);
	return err;
}

static void report(struct bench *b)
{
	printf("\npeers, %d rounds: ns a call or pair of calls, median [middle half]\n", b->rounds);
	for (int l = 0; l < NLOADS; l++) {
		printf("%s (%.0f ns with nothing attached)\n  %-28s %6s %-14s\n", loads[l].name,
		       paired_spread_of(b->ns[NOTHING][l], NULL, b->rounds, 1).median, "", "over", "nothing");
		for (int m = 1; m < NMODES; m++)
			if (!b->without[m])
				paired_print(modes[m].name, b->ns[m][l], b->base[m][l], NULL, b->rounds, 1);
	}
	printf("goals:\n");
	paired_goal("a call that nobody wants", b->ns[CNETPEER][OTHER], b->base[CNETPEER][OTHER], b->rounds, 1, 15);
	for (int m = TCPCONNECT; m < NMODES; m++) {
		char what[64];

		snprintf(what, sizeof(what), "a watched connection less %s's", modes[m].name);
		if (!b->without[m])
			paired_goal(what, b->ns[CNETPEER][CONNECT], b->ns[m][CONNECT], b->rounds, 1, 0);
	}
}

int main(int argc, char **argv)
{
	struct bench *b = cb_xalloc(sizeof(*b));
	int err;

	if (argc == 3 && !strcmp(argv[0], "worker"))
		paired_work(loads, argv + 1);
	if (argc == 3) {
		b->rounds = atoi(argv[1]);
		b->cnetpeer = argv[2];
	}
	if (b->rounds < 1) {
		fprintf(stderr, "usage: peer ROUNDS CNETPEER\n");
		return CB_EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int m = 0; m < NMODES; m++) {
		paired_rooms(b->ns[m], NLOADS, b->rounds);
		paired_rooms(b->base[m], NLOADS, b->rounds);
	}
	err = bench(b);
	if (err)
		fprintf(stderr, "peer: %s\n", b->err.text);
	else
		report(b);
	paired_peer_end(&b->peer);
	for (int i = 0; i < NWORKERS; i++)
		paired_end(&b->worker[i]);
	return err ? CB_EXIT_FAILED : 0;
}
