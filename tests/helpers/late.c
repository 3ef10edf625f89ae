/* SPDX-License-Identifier: GPL-2.0 */
/*
 * late hammer CPU: gives a task of its own storage in the kernel and takes it away, on that CPU, for ever. Whoever
 * interrupts it there and starts a process may find that the kernel has no storage for that just then
 * (kernel/bpf/bpf_task_storage.c, bpf_task_storage_trylock). Root.
 * late fork CPU N: N processes one after the other on that CPU, each after a pause, so that it interrupts. Each waits
 * .3 s, makes 101 getppid calls and starts one process. Prints how many calls and starts there were in all.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 101
#define AT_ONCE 64

static long bpf(int cmd, union bpf_attr *a)
{
	return syscall(SYS_bpf, cmd, a, sizeof(*a));
}

/* The kernel wants a type for key and value: an int. */
static int load_btf(void)
{
	struct {
		struct btf_header h;
		struct btf_type t;
		__u32 bits;
		char names[8];
	} b = {
		.h = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(b.h), .type_len = sizeof(b.t) + sizeof(b.bits),
		       .str_off = sizeof(b.t) + sizeof(b.bits), .str_len = sizeof(b.names) },
		.t = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 4 },
		.bits = BTF_INT_SIGNED << 24 | 32,
		.names = "\0int",
	};
	union bpf_attr a = { .btf = (__u64)&b, .btf_size = sizeof(b) };

	return bpf(BPF_BTF_LOAD, &a);
}

static int hammer(void)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_TASK_STORAGE, .key_size = 4, .value_size = 4,
			       .map_flags = BPF_F_NO_PREALLOC, .btf_fd = load_btf(), .btf_key_type_id = 1, .btf_value_type_id = 1 };
	int fd = bpf(BPF_MAP_CREATE, &map), self = syscall(SYS_pidfd_open, getpid(), 0), value = 1;
	union bpf_attr a = { .map_fd = fd, .key = (__u64)&self, .value = (__u64)&value };

	if (fd < 0 || self < 0) {
		fprintf(stderr, "late: task storage: %s\n", strerror(errno));
		return 1;
	}
	printf("hammering\n");
	fflush(stdout);
	for (;;) {
		bpf(BPF_MAP_UPDATE_ELEM, &a);
		bpf(BPF_MAP_DELETE_ELEM, &a);
	}
}

static void pause_us(long us)
{
	struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

static int forks(int n)
{
	int running = 0, made = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid;

		pause_us(1000 + i % 97 * 7);
		pid = fork();
		if (pid < 0) {
			fprintf(stderr, "late: fork: %s\n", strerror(errno));
			return 1;
		}
		if (!pid) {
			pause_us(300000);
			for (int k = 0; k < CALLS; k++)
				syscall(SYS_getppid);
			if (!fork())
				_exit(0);
			wait(NULL);
			_exit(0);
		}
		made++;
		if (++running == AT_ONCE) {
			waitpid(-1, NULL, 0);
			running--;
		}
	}
	while (wait(NULL) > 0)
		;
	printf("calls %d forks %d\n", CALLS * made, 2 * made);
	return 0;
}

int main(int argc, char **argv)
{
	bool ham = argc == 3 && !strcmp(argv[1], "hammer");
	cpu_set_t set;

	if (!ham && (argc != 4 || strcmp(argv[1], "fork"))) {
		fprintf(stderr, "usage: late hammer CPU | late fork CPU N\n");
		return 64;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[2]), &set);
	sched_setaffinity(0, sizeof(set), &set);
	return ham ? hammer() : forks(atoi(argv[3]));
}
