/* SPDX-License-Identifier: GPL-2.0 */
/*
 * percall COPIES ROUNDS: what a system call costs more, by what is attached.
 *
 * Modes (nothing, the empty programs, ours, Debian's syscount) are attached and detached in turn in every round,
 * in an order that rotates; in each, every workload is measured. What a mode is compared with is measured right before
 * it, in the next round right after it. A figure of a round is the best of CHUNKS runs in CPU time of the thread;
 * printed are medians and the middle half of the differences within a round, so that what the machine does besides
 * cancels out. COPIES of a mode are attached at once and the difference is divided by them: many give the cost of the
 * work itself with caches warm, one what the first program pays.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "argclass.h"
#include "chunk.h"
#define PAIRED_CHUNKS 200
#include "paired.h"
#include "syscalls.skel.h"
#include "tests/bench/empty.skel.h"

#define RING (16u << 20)
#define SYSCOUNT "/usr/sbin/syscount"
#define SLICE "cbbench.slice"
#define MAX_COPIES 16

enum mode { NOTHING, EMPTY_ENTER, EMPTY_EXIT, EMPTY_BOTH, SEQUENCES, BY_TID, COUNTS, LATENCY, PEER, NMODES };

static const struct {
	const char *name;
	enum mode base; /* measured beside it: the empty programs; of the other tool, ours */
} modes[NMODES] = {
	[NOTHING] = { "nothing", NOTHING },
	[EMPTY_ENTER] = { "empty sys_enter", EMPTY_ENTER },
	[EMPTY_EXIT] = { "empty sys_exit", EMPTY_EXIT },
	[EMPTY_BOTH] = { "both empty", EMPTY_BOTH },
	[SEQUENCES] = { "sequences", EMPTY_ENTER },
	[BY_TID] = { "sequences, no task storage", EMPTY_ENTER },
	[COUNTS] = { "counts", EMPTY_EXIT },
	[LATENCY] = { "counts with latency", EMPTY_BOTH },
	[PEER] = { "syscount", SEQUENCES },
};

/* ---- the calls ---- */

static void getppid_calls(long n)
{
	while (n--)
		syscall(SYS_getppid);
}

/* All of them return at once; a few fail; one in sixteen has argument classes. */
static void mixed_calls(long n)
{
	static const int call[16] = { SYS_getpid, SYS_getuid,  SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getppid,
				      SYS_gettid, SYS_getsid,  SYS_umask,   SYS_close,	SYS_lseek,   SYS_fcntl,
				      SYS_read,	  SYS_getpgid, SYS_getppid, SYS_mprotect };
	static const long arg[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 022, -1, -1, -1, -1, 0, 0, 0 };
	unsigned x = 1;

	while (n--) {
		x = x * 1103515245 + 12345;
		syscall(call[x >> 28], arg[x >> 28], 0, 0);
	}
}

static void mmap_calls(long n)
{
	while (n--)
		syscall(SYS_mmap, 0, 0, PROT_READ, 0, -1, 0); /* no length: EINVAL at once */
}

static void socket_first_calls(long n)
{
	while (n--)
		syscall(SYS_socket, 17, 0x40, 0); /* no such type flag: EINVAL at once */
}

static void prctl_none_calls(long n)
{
	while (n--)
		syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
}

enum who { WATCHED, HOST_ROOT, HOST_SLICE, NWORKERS };

static const struct paired_load workloads[] = {
	{ "watched task: getppid", WATCHED, getppid_calls },
	{ "watched task: 16 calls in random order", WATCHED, mixed_calls },
	{ "watched task: mmap, 1 argument class, not it", WATCHED, mmap_calls },
	{ "watched task: socket, first of 8 argument classes", WATCHED, socket_first_calls },
	{ "watched task: prctl, none of 7 argument classes", WATCHED, prctl_none_calls },
	{ "host task in the root cgroup: getppid", HOST_ROOT, getppid_calls },
	{ "host task in a slice: getppid", HOST_SLICE, getppid_calls },
};
#define NLOADS (sizeof(workloads) / sizeof(workloads[0]))

/* ---- cgroups of the host's tasks ---- */

static int put_into(const char *folder, pid_t pid, struct cb_err *e)
{
	char path[512];
	FILE *f;
	int err = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%d\n", pid) < 0)
		err = -errno;
	if (f && fclose(f) && !err)
		err = -errno;
	return err ? cb_fail(e, err, "%s: %s", path, strerror(-err)) : 0;
}

/* Calls fn for the folder of each hierarchy by which a container may be told: the unified one, v1's pids. */
static int each_hierarchy(int (*fn)(const char *root, struct paired_worker *w, struct cb_err *e), struct paired_worker *w,
			  struct cb_err *e)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int err = 0;

	if (!f)
		return cb_fail(e, -errno, "/proc/self/mounts: %s", strerror(errno));
	while (!err && (m = getmntent(f)))
		if (!strcmp(m->mnt_type, "cgroup2") || (!strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "pids")))
			err = fn(m->mnt_dir, w, e);
	endmntent(f);
	return err;
}

static int place(const char *root, struct paired_worker *w, struct cb_err *e)
{
	char slice[512];
	int err;

	snprintf(slice, sizeof(slice), "%s/%s", root, SLICE);
	if (mkdir(slice, 0755) && errno != EEXIST)
		return cb_fail(e, -errno, "%s: %s", slice, strerror(errno));
	err = put_into(root, w[HOST_ROOT].pid, e);
	return err ? err : put_into(slice, w[HOST_SLICE].pid, e);
}

static int unplace(const char *root, struct paired_worker *w, struct cb_err *e)
{
	char slice[512];

	snprintf(slice, sizeof(slice), "%s/%s", root, SLICE);
	rmdir(slice);
	return 0;
}

/* ---- what is attached ---- */

struct bench {
	int copies, rounds;
	struct empty_bpf *empty;
	struct syscalls_bpf *seq, *by_tid, *count, *latency;
	struct ring_buffer *rings;
	struct paired_worker worker[NWORKERS];
	struct bpf_link *link[MAX_COPIES][2];
	struct paired_peer peer[MAX_COPIES];
	bool without[NMODES]; /* does not run here */
	double *ns[NMODES][NLOADS]; /* by round */
	double *base[NMODES][NLOADS]; /* what it is compared with, measured beside it */
	struct cb_err err;
};

static int ignore(void *ctx, void *data, size_t len)
{
	return 0;
}

static int load(struct bench *b, struct syscalls_bpf **ret, enum chunk_mode mode, bool storage)
{
	struct syscalls_bpf *s = syscalls_bpf__open();
	int err;

	if (!s)
		return cb_fail(&b->err, -errno, "probe: %s", strerror(errno));
	*ret = s;
	err = cb_kernel_prepare(s->obj, false, &b->err);
	if (err)
		return err;
	if (!storage) {
		s->rodata->cb_storage = false;
		bpf_map__set_autocreate(s->maps.cb_states, false);
		bpf_map__set_autocreate(s->maps.cb_states_tid, true);
	}
	s->rodata->mode = mode;
	bpf_map__set_max_entries(s->maps.seats, libbpf_num_possible_cpus() * CHUNK_SEATS);
	err = cb_kernel_ring(s->obj, RING, &b->err);
	if (err)
		return err;
	bpf_program__set_autoload(s->progs.uring_submit, false);
	bpf_program__set_autoload(s->progs.enter, mode == CHUNK_SEQUENCES);
	bpf_program__set_autoload(s->progs.leave, mode != CHUNK_SEQUENCES);
	bpf_program__set_autoload(s->progs.enter_clock, mode == CHUNK_LATENCY);
	cb_argclass_rules(&s->rodata->arg_table, s->rodata->arg_rule);
	err = syscalls_bpf__load(s);
	if (err)
		return cb_fail(&b->err, err, "the kernel refuses the probe: %s", strerror(-err));
	if (!b->rings)
		b->rings = ring_buffer__new(bpf_map__fd(s->maps.cb_events), ignore, NULL, NULL);
	else
		err = ring_buffer__add(b->rings, bpf_map__fd(s->maps.cb_events), ignore, NULL);
	return b->rings && !err ? 0 : cb_fail(&b->err, -EIO, "ring buffer: %s", strerror(errno));
}

static int load_all(struct bench *b)
{
	int err;

	b->empty = empty_bpf__open_and_load();
	if (!b->empty)
		return cb_fail(&b->err, -errno, "the kernel refuses the empty programs: %s", strerror(errno));
	err = load(b, &b->seq, CHUNK_SEQUENCES, true);
	if (!err)
		err = load(b, &b->by_tid, CHUNK_SEQUENCES, false);
	if (!err)
		err = load(b, &b->count, CHUNK_COUNTS, true);
	return err ? err : load(b, &b->latency, CHUNK_LATENCY, true);
}

static void programs_of(struct bench *b, enum mode m, struct bpf_program *ret[2])
{
	struct bpf_program *all[NMODES][2] = {
		[EMPTY_ENTER] = { b->empty->progs.empty_enter },
		[EMPTY_EXIT] = { b->empty->progs.empty_exit },
		[EMPTY_BOTH] = { b->empty->progs.empty_enter, b->empty->progs.empty_exit },
		[SEQUENCES] = { b->seq->progs.enter },
		[BY_TID] = { b->by_tid->progs.enter },
		[COUNTS] = { b->count->progs.leave },
		[LATENCY] = { b->latency->progs.enter_clock, b->latency->progs.leave },
	};

	memcpy(ret, all[m], sizeof(all[m]));
}

static void detach(void *arg)
{
	struct bench *b = arg;

	for (int i = 0; i < b->copies; i++) {
		for (int k = 0; k < 2; k++) {
			bpf_link__destroy(b->link[i][k]);
			b->link[i][k] = NULL;
		}
	}
	for (int i = 0; i < b->copies; i++)
		paired_peer_end(&b->peer[i]);
}

static int attach(void *arg, int m)
{
	struct bench *b = arg;
	struct bpf_program *p[2];
	int err = 0;

	programs_of(b, m, p);
	for (int i = 0; !err && i < b->copies; i++) {
		if (m == PEER)
			err = paired_peer_start(&b->peer[i], SYSCOUNT, "Ctrl", &b->err);
		for (int k = 0; !err && k < 2 && p[k]; k++) {
			b->link[i][k] = bpf_program__attach(p[k]);
			if (!b->link[i][k])
				err = cb_fail(&b->err, -errno, "copy %d of %s: %s", i + 1, modes[m].name, strerror(errno));
		}
	}
	return err;
}

/* ---- measuring ---- */

static void drain(void *arg)
{
	struct bench *b = arg;

	ring_buffer__consume(b->rings);
}

static int measure(void *arg, int load, double *ret)
{
	struct bench *b = arg;

	return paired_measure(&b->worker[workloads[load].who], load, drain, b, ret, &b->err);
}

/* The workers have to stand where they belong before the iterator looks at them: they answer once they do. */
static int settle(struct bench *b)
{
	struct syscalls_bpf *all[] = { b->seq, b->by_tid, b->count, b->latency };
	double ns;
	int err = each_hierarchy(place, b->worker, &b->err);

	for (size_t l = 0; !err && l < NLOADS; l++)
		err = measure(b, l, &ns);
	for (size_t i = 0; !err && i < sizeof(all) / sizeof(all[0]); i++)
		err = paired_adopt(all[i]->obj, &b->err);
	return err;
}

static int base_of(int m)
{
	return modes[m].base;
}

/* Was what is called watched really watched, and nothing lost? Full chunks only are sent. */
static int check(struct bench *b, struct syscalls_bpf *s, const char *name)
{
	uint64_t made = 0;
	struct cb_stats st;
	int err = cb_kernel_stats(s->obj, &st, &b->err);

	if (err)
		return err;
	for (size_t l = 0; l < NLOADS; l++)
		if (workloads[l].who == WATCHED)
			made += (uint64_t)b->rounds * b->copies * (PAIRED_CHUNKS + 1) * PAIRED_CALLS;
	if (st.seen + CHUNK_SEQUENCE < made || st.lost)
		return cb_fail(&b->err, -EIO, "%s: expected %llu calls seen and none lost, got %llu and %llu", name,
			       (unsigned long long)made, (unsigned long long)st.seen, (unsigned long long)st.lost);
	return 0;
}

/* ---- the report ---- */

static void print_mode(struct bench *b, size_t load, enum mode m)
{
	bool alone = modes[m].base == m || m == PEER;

	if (m != NOTHING && !b->without[m])
		paired_print(modes[m].name, b->ns[m][load], b->ns[NOTHING][load], alone ? NULL : b->base[m][load], b->rounds,
			     b->copies);
}

static void goal(struct bench *b, const char *what, size_t load, double most)
{
	paired_goal(what, b->ns[SEQUENCES][load], b->base[SEQUENCES][load], b->rounds, b->copies, most);
}

static void goal_peer(struct bench *b, const char *what, size_t load)
{
	if (!b->without[PEER])
		paired_goal(what, b->base[PEER][load], b->ns[PEER][load], b->rounds, b->copies, 0);
}

/* Against other tools alone: who runs several copies of one lets them share what a tracepoint costs. */
static void goals(struct bench *b)
{
	printf("goals:\n");
	if (b->copies == 1) {
		goal_peer(b, "sequences less syscount, getppid", 0);
		goal_peer(b, "sequences less syscount, 16 calls", 1);
		return;
	}
	goal(b, "sequences, getppid", 0, 20);
	goal(b, "sequences, 16 calls", 1, 20);
	goal(b, "sequences, mmap with its argument class", 2, 25);
	goal(b, "sequences, socket with its first argument class", 3, 25);
	goal(b, "sequences, prctl, none of its 7 argument classes", 4, 25);
	goal(b, "host task in the root cgroup", 5, 9);
	goal(b, "host task in a slice", 6, 9);
}

static void report(struct bench *b)
{
	printf("\n%d %s attached, %d rounds: ns a call%s, median [middle half]\n", b->copies,
	       b->copies > 1 ? "copies" : "copy", b->rounds, b->copies > 1 ? " and copy" : "");
	for (size_t l = 0; l < NLOADS; l++) {
		printf("%s (%.0f ns with nothing attached)\n  %-28s %6s %-14s %7s\n", workloads[l].name,
		       paired_spread_of(b->ns[NOTHING][l], NULL, b->rounds, 1).median, "", "over", "nothing", "over the empty program");
		for (int m = 0; m < NMODES; m++)
			print_mode(b, l, m);
	}
	goals(b);
}

static int bench(struct bench *b)
{
	const struct paired_plan plan = {
		.nmodes = NMODES, .nloads = NLOADS, .ns = b->ns[0], .base_ns = b->base[0], .without = b->without,
		.base = base_of, .attach = attach, .detach = detach, .measure = measure,
	};
	int err = cb_kernel_check(&b->err);

	for (int i = 0; !err && i < NWORKERS; i++)
		err = paired_start(&b->worker[i], i == WATCHED, &b->err);
	paired_pin(false);
	if (!err)
		err = load_all(b);
	if (!err)
		err = settle(b);
	for (int r = 0; !err && r < b->rounds; r++)
		err = paired_round(&plan, b, r);
	if (!err)
		err = check(b, b->seq, modes[SEQUENCES].name);
	if (!err)
		err = check(b, b->by_tid, modes[BY_TID].name);
	if (!err)
		err = check(b, b->count, modes[COUNTS].name);
	return err ? err : check(b, b->latency, modes[LATENCY].name);
}

int main(int argc, char **argv)
{
	struct bench *b;
	int err;

	if (argc == 3 && !strcmp(argv[0], "worker"))
		paired_work(workloads, argv + 1);
	b = cb_xalloc(sizeof(*b));
	if (argc == 3) {
		b->copies = atoi(argv[1]);
		b->rounds = atoi(argv[2]);
	}
	if (b->copies < 1 || b->copies > MAX_COPIES || b->rounds < 1) {
		fprintf(stderr, "usage: percall COPIES ROUNDS (COPIES: 1 to %d)\n", MAX_COPIES);
		return CB_EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	b->without[PEER] = access(SYSCOUNT, X_OK);
	if (b->without[PEER])
		fprintf(stderr, "percall: no %s (Debian: libbpf-tools): measured without it\n", SYSCOUNT);
	for (int m = 0; m < NMODES; m++) {
		paired_rooms(b->ns[m], NLOADS, b->rounds);
		paired_rooms(b->base[m], NLOADS, b->rounds);
	}
	err = bench(b);
	if (err)
		fprintf(stderr, "percall: %s\n", b->err.text);
	else
		report(b);
	detach(b);
	for (int i = 0; i < NWORKERS; i++)
		paired_end(&b->worker[i]);
	each_hierarchy(unplace, b->worker, &b->err);
	return err ? CB_EXIT_FAILED : 0;
}
