/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small web application with a hole, and what an intruder does through it. Every action is harmless: it is
 * refused by the kernel, is undone, is over after a second or two, or happens in a child that ends at once.
 *
 * attack NAME: does one action, prints what came of it
 * attack list: a line each: name, what it does, the kind of the alarm about it, what that alarm should name
 * attack serve PORT DIR [NEIGHBOUR]: the application, on all addresses. Two workers; ordinary requests read
 *	DIR/items, append to DIR/log and now and then replace DIR/state. "GET /...?run=NAME" does the action in the
 *	worker, so it is this known program that misbehaves, with no process put in from outside. NEIGHBOUR: the
 *	address that is looked at for open ports (127.0.0.1).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 2
#define OTHERS_FILE "/srv/shared/notes" /* on a volume that another container has, too */

static char data_dir[256] = "/tmp";
static struct in_addr neighbour;
static int listen_fd = -1, epoll_fd = -1;

/* ---- actions: 0 when done, else the errno of the refusal ---- */

static int end_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int do_shell(void)
{
	char *args[] = { "sh", "-c", "id; uname -a; ls /root", NULL };
	char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execve("/bin/sh", args, env);
		_exit(errno);
	}
	return end_of(pid) == ENOENT ? ENOENT : 0;
}

static int do_ptrace(void)
{
	pid_t pid = fork();
	int err = 0;

	if (pid < 0)
		return errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL)) {
		err = errno;
	} else {
		waitpid(pid, NULL, 0);
		ptrace(PTRACE_PEEKDATA, pid, &epoll_fd, NULL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

static int do_packet(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int do_wx(void)
{
	int err = 0;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	*(char *)p = (char)0xc3; /* a lone "ret" */
	if (mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		err = errno;
	munmap(p, 4096);
	return err;
}

/* A copy of this program into fd. */
static int copy_self(int fd)
{
	char buf[65536];
	ssize_t n = 0;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (self < 0)
		return errno;
	while ((n = read(self, buf, sizeof(buf))) > 0 && write(fd, buf, n) == n)
		;
	close(self);
	return n ? EIO : 0;
}

static int run_copy(int fd, const char *path, int flags)
{
	char *args[] = { "attack", "quit", NULL };
	char *env[] = { NULL };
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, path, args, env, flags);
		_exit(errno);
	}
	return end_of(pid);
}

static int do_memfd(void)
{
	int err, fd = memfd_create("a", MFD_CLOEXEC);

	if (fd < 0)
		return errno;
	err = copy_self(fd);
	if (!err)
		err = run_copy(fd, "", AT_EMPTY_PATH);
	close(fd);
	return err;
}

static int do_dropper(void)
{
	char path[64];
	int err, fd;

	snprintf(path, sizeof(path), "/tmp/.update-%d", getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		return errno;
	err = copy_self(fd);
	close(fd);
	if (!err)
		err = run_copy(AT_FDCWD, path, 0);
	unlink(path);
	return err;
}

static int do_userns(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	return end_of(pid);
}

static int do_setns(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);

		_exit(fd < 0 || setns(fd, CLONE_NEWNET) ? errno : 0);
	}
	return end_of(pid);
}

static int do_bpf(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* An empty module: refused for want of the capability, else because it is no module. */
static int do_module(void)
{
	return syscall(SYS_init_module, "", 0UL, "") ? errno : 0;
}

/* 0 when it is under way: nobody waits for the answer. */
static int knock(struct in_addr to, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = to };
	int err, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	err = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? errno : 0;
	close(fd);
	return err == EINPROGRESS ? 0 : err;
}

static int do_scan(void)
{
	int port, err = 0;

	for (port = 1; port <= 64; port++)
		err = knock(neighbour, port);
	return err == ECONNREFUSED ? 0 : err;
}

/* Of the neighbour's network, whose first two are the containers' own. */
static int do_sweep(void)
{
	struct in_addr to;
	int i, err = 0;

	for (i = 3; i < 3 + 64; i++) {
		to.s_addr = htonl((ntohl(neighbour.s_addr) & 0xffffff00) + i);
		err = knock(to, 80);
	}
	return err == ECONNREFUSED ? 0 : err;
}

static int read_some(const char *path)
{
	char buf[64];
	int err = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (read(fd, buf, sizeof(buf)) < 0)
		err = errno;
	close(fd);
	return err;
}

static int do_shadow(void)
{
	return read_some("/etc/shadow");
}

static int do_volume(void)
{
	return read_some(OTHERS_FILE);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* As long as it takes for the same work on a busy machine, within bounds. Asks the kernel for the time now and then. */
static int do_cpu(void)
{
	double work = seconds(CLOCK_PROCESS_CPUTIME_ID) + 1.5, end = seconds(CLOCK_MONOTONIC) + 6, slice;

	do {
		slice = seconds(CLOCK_MONOTONIC) + 0.02;
		while (seconds(CLOCK_MONOTONIC) < slice)
			;
	} while (slice < end && seconds(CLOCK_PROCESS_CPUTIME_ID) < work);
	return 0;
}

static int do_memory(void)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	const size_t step = 8 << 20, steps = 12;
	char *p = mmap(NULL, steps * step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return errno;
	for (i = 0; i < steps; i++) {
		memset(p + i * step, 1, step);
		nanosleep(&pause, NULL);
	}
	munmap(p, steps * step);
	return 0;
}

static int do_forks(void)
{
	pid_t pid;
	int i, err = 0;

	for (i = 0; i < 1009 && !err; i++) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		err = end_of(pid);
	}
	return err;
}

/* Only calls that serving makes all day, with the same arguments' kinds, in an order serving never has. */
static int do_order(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	char path[300], buf[16];
	int i, fd[3];

	snprintf(path, sizeof(path), "%s/items", data_dir);
	for (i = 0; i < 12; i++) {
		fd[0] = open(path, O_RDONLY | O_CLOEXEC);
		fd[1] = open(path, O_RDONLY | O_CLOEXEC);
		if (read(fd[1], buf, sizeof(buf)) < 0 || write(fd[0], buf, 0) < 0)
			errno = 0; /* the second is refused, of course */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd[0], &e);
		fd[2] = open(path, O_RDONLY | O_CLOEXEC);
		epoll_wait(epoll_fd, &e, 1, 0);
		close(fd[1]);
		close(fd[0]);
		if (read(fd[2], buf, 1) < 0 || read(fd[2], buf, 1) < 0)
			errno = 0;
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd[2], &e);
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd[2], &e);
		close(fd[2]);
		epoll_wait(epoll_fd, &e, 1, 0);
		if (write(listen_fd, buf, 0) < 0)
			errno = 0;
	}
	return 0;
}

static const struct action {
	const char *name, *what;
	const char *kind, *sign; /* of the most telling alarm about it, and what that names */
	int (*run)(void);
} actions[] = {
	{ "shell", "starts /bin/sh -c \"id; uname -a; ls /root\"", "process", "/dash", do_shell },
	{ "ptrace", "attaches to a child with ptrace", "syscall", "ptrace", do_ptrace },
	{ "packet", "asks for a packet socket", "syscall", "socket:packet", do_packet },
	{ "wx", "makes memory writable and executable", "syscall", "mprotect:wx", do_wx },
	{ "memfd", "runs a program from memory (memfd_create, execveat)", "process", "memfd:", do_memfd },
	{ "dropper", "writes a program to /tmp and runs it", "process", "/tmp/.update", do_dropper },
	{ "shadow", "reads /etc/shadow", "access", "/etc/shadow", do_shadow },
	{ "volume", "reads the file of another container", "access", OTHERS_FILE, do_volume },
	{ "userns", "makes a user namespace", "syscall", "unshare", do_userns },
	{ "setns", "tries to enter another namespace", "syscall", "setns", do_setns },
	{ "bpf", "tries to create a BPF map", "syscall", "bpf", do_bpf },
	{ "module", "tries to load a kernel module (an empty one)", "syscall", "init_module", do_module },
	{ "scan", "connects to 64 ports of its neighbour", "access", "network.peer", do_scan },
	{ "sweep", "connects to 64 addresses of its network", "access", "network.peer", do_sweep },
	{ "cpu", "burns 1.5 s of CPU", "resource", "container.cpu.time_ns", do_cpu },
	{ "memory", "takes 96 MB of memory within 1.2 s", "resource", "container.memory.anon_bytes", do_memory },
	{ "forks", "starts 1009 processes", "resource", "container.process.forks", do_forks },
	{ "order", "makes its usual calls in an order never seen", "syscall", "unusual order", do_order },
};
#define NACTIONS (sizeof(actions) / sizeof(actions[0]))

static const struct action *find_action(const char *name)
{
	size_t i;

	for (i = 0; i < NACTIONS; i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static int say_action(const struct action *a, char *out, size_t size)
{
	int err = a->run();

	return snprintf(out, size, "%s: %s%s\n", a->name, err ? "refused: " : "done", err ? strerror(err) : "");
}

/* ---- the application ---- */

/* What an ordinary request costs: a look into the data, a line in the log, sometimes a new state. */
static int ordinary(unsigned int q, char *out, size_t size)
{
	char path[300], fresh[300], item[512];
	struct stat st = { 0 };
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/items", data_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		fstat(fd, &st);
		n = pread(fd, item, sizeof(item) - 1, st.st_size ? q * 64 % st.st_size : 0);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/log", data_dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0) {
		dprintf(fd, "q=%u\n", q);
		close(fd);
	}
	if (q % 7 == 0) {
		snprintf(path, sizeof(path), "%s/state", data_dir);
		snprintf(fresh, sizeof(fresh), "%s/state.%d", data_dir, getpid());
		fd = open(fresh, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0) {
			dprintf(fd, "%u\n", q);
			close(fd);
			rename(fresh, path);
		}
	}
	return snprintf(out, size, "item %u: %.*s\n", q, n > 64 ? 64 : n > 0 ? (int)n : 0, item);
}

static void answer(int fd)
{
	char request[2048], body[1024], head[256], *run;
	const struct action *a = NULL;
	ssize_t n = read(fd, request, sizeof(request) - 1);
	unsigned int q = 0;
	int len;

	if (n <= 0)
		return;
	request[n] = '\0';
	request[strcspn(request, "\r\n")] = '\0';
	run = strstr(request, "?run=");
	if (run) {
		run += strlen("?run=");
		run[strcspn(run, " &")] = '\0';
		a = find_action(run);
	} else if (sscanf(request, "GET %*[^?]?q=%u", &q) != 1) {
		q = 1;
	}
	len = a ? say_action(a, body, sizeof(body)) : ordinary(q, body, sizeof(body));
	snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len);
	if (write(fd, head, strlen(head)) < 0 || write(fd, body, len) < 0)
		errno = 0; /* the client has gone */
}

static void work(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listen_fd };
	int fd;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &e);
	for (;;) {
		if (epoll_wait(epoll_fd, &e, 1, -1) != 1)
			continue;
		if (e.data.fd != listen_fd) {
			answer(e.data.fd);
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, e.data.fd, &e);
			close(e.data.fd);
			continue;
		}
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue; /* the other worker took it */
		e.events = EPOLLIN;
		e.data.fd = fd;
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
	}
}

static int serve(int port, const char *dir)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int i, one = 1;

	signal(SIGPIPE, SIG_IGN);
	snprintf(data_dir, sizeof(data_dir), "%s", dir);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listen_fd, (struct sockaddr *)&a, sizeof(a)) || listen(listen_fd, 64)) {
		fprintf(stderr, "attack: cannot listen on port %d: %s\n", port, strerror(errno));
		return 1;
	}
	for (i = 0; i < WORKERS; i++)
		if (fork() == 0)
			work();
	while (wait(NULL) > 0)
		if (fork() == 0)
			work();
	return 1;
}

int main(int argc, char **argv)
{
	const struct action *a;
	char text[256];
	size_t i;

	neighbour.s_addr = htonl(INADDR_LOOPBACK);
	if (argc == 2 && !strcmp(argv[1], "quit"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (i = 0; i < NACTIONS; i++)
			printf("%s\t%s\t%s\t%s\n", actions[i].name, actions[i].what, actions[i].kind, actions[i].sign);
		return 0;
	}
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "serve")) {
		if (argc == 5 && inet_pton(AF_INET, argv[4], &neighbour) != 1) {
			fprintf(stderr, "attack: expected an address, got \"%s\"\n", argv[4]);
			return 64;
		}
		return serve(atoi(argv[2]), argv[3]);
	}
	a = argc == 2 ? find_action(argv[1]) : NULL;
	if (!a) {
		fprintf(stderr, "usage: attack NAME | attack list | attack serve PORT DIR [NEIGHBOUR]\n");
		return 64;
	}
	say_action(a, text, sizeof(text));
	fputs(text, stdout);
	return 0;
}
