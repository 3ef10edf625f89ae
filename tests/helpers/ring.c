/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Through an io_uring, one at a time:
 *	ring NOPS OPENS			so many operations that do nothing, and openings of /etc/passwd
 *	ring unlink PATH
 *	ring connect ADDRESS PORT N	N connections that are refused
 * Prints "ring NOPS OPENS" with what succeeded, "ring unlink 1", "ring connect N", or why it could not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	char *sq, *cq;
	struct io_uring_sqe *sqe;
	struct io_uring_params p;
};

static void *map(int fd, size_t len, off_t what)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (p == MAP_FAILED) {
		perror("ring: mmap");
		exit(1);
	}
	return p;
}

static void set_up(struct ring *r)
{
	struct io_uring_params *p = &r->p;

	r->fd = syscall(SYS_io_uring_setup, 1, p);
	if (r->fd < 0) {
		perror("ring: io_uring_setup");
		exit(1);
	}
	r->sq = map(r->fd, p->sq_off.array + p->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	r->cq = map(r->fd, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	r->sqe = map(r->fd, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

/* The one entry, and its result. */
static int run(struct ring *r, const struct io_uring_sqe *what)
{
	unsigned *tail = (unsigned *)(r->sq + r->p.sq_off.tail), *head = (unsigned *)(r->cq + r->p.cq_off.head);
	unsigned *array = (unsigned *)(r->sq + r->p.sq_off.array);
	unsigned mask = *(unsigned *)(r->cq + r->p.cq_off.ring_mask);
	struct io_uring_cqe *cqe = (struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes);
	int res;

	r->sqe[0] = *what;
	array[*tail & *(unsigned *)(r->sq + r->p.sq_off.ring_mask)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) {
		perror("ring: io_uring_enter");
		exit(1);
	}
	res = cqe[*head & mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static void nops_and_opens(struct ring *r, long n, long m)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP };
	struct io_uring_sqe open = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .open_flags = O_RDONLY };
	long nops = 0, opens = 0;

	open.addr = (unsigned long)"/etc/passwd";
	for (; n > 0; n--)
		nops += run(r, &nop) == 0;
	for (; m > 0; m--) {
		int fd = run(r, &open);

		if (fd >= 0)
			close(fd);
		opens += fd >= 0;
	}
	printf("ring %ld %ld\n", nops, opens);
}

static void unlink_one(struct ring *r, const char *path)
{
	struct io_uring_sqe unlink = { .opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)path };

	printf("ring unlink %d\n", run(r, &unlink) == 0);
}

static void connects(struct ring *r, const char *address, int port, int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct io_uring_sqe connect = { .opcode = IORING_OP_CONNECT, .addr = (unsigned long)&a, .off = sizeof(a) };
	int refused = 0;

	inet_pton(AF_INET, address, &a.sin_addr);
	for (; n > 0; n--) {
		connect.fd = socket(AF_INET, SOCK_STREAM, 0);
		refused += run(r, &connect) == -ECONNREFUSED;
		close(connect.fd);
	}
	printf("ring connect %d\n", refused);
}

int main(int argc, char **argv)
{
	struct ring r = {};

	if (argc != 3 && argc != 5) {
		fprintf(stderr, "usage: ring NOPS OPENS | ring unlink PATH | ring connect ADDRESS PORT N\n");
		return 64;
	}
	set_up(&r);
	if (!strcmp(argv[1], "unlink"))
		unlink_one(&r, argv[2]);
	else if (!strcmp(argv[1], "connect") && argc == 5)
		connects(&r, argv[2], atoi(argv[3]), atoi(argv[4]));
	else
		nops_and_opens(&r, atol(argv[1]), atol(argv[2]));
	return 0;
}
