/* SPDX-License-Identifier: GPL-2.0 */
/*
 * file ROUNDS [FIVE]: what cfileaccess costs an open and, with --bytes, a read; FIVE: tests/bench/five, and what a call
 * costs that none of the five collectors there wants.
 *
 * As in percall: modes are attached and detached in turn in every round, in an order that rotates, and what a mode is
 * compared with stands right beside it; the figure of a round is the best of several runs in CPU time of the thread,
 * and what is printed are medians of differences within a round. Its programs stand beside an empty one on the same
 * tracepoints, and beside Debian's opensnoop and filetop. Eight copies, objects of their own, share the dispatch of the
 * tracepoint: an eighth of their cost is that of the work, caches warm. Beside an empty program on sys_enter, as where
 * ctop-syscalls runs, what the first program of all costs a call is no part of it.
 */
#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "filecall.h"
#define PAIRED_CHUNKS 60
#include "paired.h"
#include "file.skel.h"
#include "tests/bench/empty.skel.h"

#define RING (4u << 20)
#define FILES 101
#define FOLDER "/tmp/cbtools-bench-file"

#define COPIES 8

enum mode { NOTHING, EMPTY, OPENS, ENTER, EMPTY_ENTER, OPENS_ENTER, EMPTY_8, OPENS_8, EMPTY_RAW, BYTES,
	    FIVE, FIVE_ENTER, OPENSNOOP, FILETOP, NMODES };

enum { ENTER_EMPTY = 1, CALL_EMPTY = 2, CALL_OURS = 4, EXIT_EMPTY = 8, EXIT_OURS = 16 };

static struct {
	const char *name;
	enum mode base;		   /* the empty program it is compared with */
	int what;		   /* what is attached */
	int copies;
	const char *path, *header; /* another's: what it says when it has attached */
} modes[NMODES] = {
	[NOTHING] = { "nothing", NOTHING },
	[EMPTY] = { "empty sys_exit_openat", EMPTY, CALL_EMPTY },
	[OPENS] = { "cfileaccess", EMPTY, CALL_OURS },
	[ENTER] = { "empty sys_enter", ENTER, ENTER_EMPTY },
	[EMPTY_ENTER] = { "and an empty sys_exit_openat", ENTER, ENTER_EMPTY | CALL_EMPTY },
	[OPENS_ENTER] = { "and cfileaccess", ENTER, ENTER_EMPTY | CALL_OURS },
	[EMPTY_8] = { "8 of the empty one, each", EMPTY_8, CALL_EMPTY, COPIES },
	[OPENS_8] = { "8 of cfileaccess, each", EMPTY_8, CALL_OURS, COPIES },
	[EMPTY_RAW] = { "empty sys_exit", EMPTY_RAW, EXIT_EMPTY },
	[BYTES] = { "cfileaccess --bytes, reads", EMPTY_RAW, EXIT_OURS },
	[FIVE] = { "all five collectors", NOTHING, .header = "attached" },
	[FIVE_ENTER] = { "and all five collectors", ENTER, ENTER_EMPTY, .header = "attached" },
	[OPENSNOOP] = { "opensnoop", EMPTY, .path = "/usr/sbin/opensnoop", .header = "PATH" },
	[FILETOP] = { "filetop", EMPTY_RAW, .path = "/usr/sbin/filetop", .header = "FILE" },
};

/* ---- the calls ---- */

static void name_of(int i, char *to, size_t room)
{
	snprintf(to, room, FOLDER "/f%d", i);
}

static void open_calls(long n, int files, int flags)
{
	static char name[FILES][64];
	int at = 0;

	if (!*name[0])
		for (int i = 0; i < FILES; i++)
			name_of(i, name[i], sizeof(name[i]));
	while (n--) {
		syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, name[at], flags, 0));
		at = at + 1 < files ? at + 1 : 0;
	}
}

static void open_one(long n)
{
	open_calls(n, 1, O_RDONLY);
}

static void open_many(long n)
{
	open_calls(n, FILES, O_RDONLY);
}

static void open_to_write(long n)
{
	open_calls(n, 1, O_WRONLY);
}

static void open_missing(long n)
{
	while (n--)
		syscall(SYS_openat, AT_FDCWD, FOLDER "/there-is-no-such-file", O_RDONLY, 0);
}

static int one_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(FOLDER "/f0", O_RDONLY | O_CLOEXEC);
	return fd;
}

/*
 * Sought to its own number a file gives its number, as an open does, and the kernel does next to nothing for it: what
 * the probe needs is not pushed out of the caches between two.
 */
static void descriptor_only(long n)
{
	int fd = one_file();

	while (n--)
		syscall(SYS_lseek, fd, (off_t)fd, SEEK_SET);
}

static void read_one(long n)
{
	int fd = one_file();
	char c;

	while (n--)
		syscall(SYS_pread64, fd, &c, 1, 0);
}

static void getppid_calls(long n)
{
	while (n--)
		syscall(SYS_getppid);
}

enum who { WATCHED, HOST, NWORKERS };
enum { OPEN_ONE, OPEN_MANY, OPEN_WRITE, OPEN_MISSING, DESCRIPTOR, READ, OTHER, HOST_OPEN, NLOADS };

static const struct paired_load loads[NLOADS] = {
	[OPEN_ONE] = { "watched task: open and close of a file", WATCHED, open_one },
	[OPEN_MANY] = { "watched task: open and close of 101 files in turn", WATCHED, open_many },
	[OPEN_WRITE] = { "watched task: open to write and close", WATCHED, open_to_write },
	[OPEN_MISSING] = { "watched task: open of what is not there", WATCHED, open_missing },
	[DESCRIPTOR] = { "watched task: a call that gives the descriptor of an open file", WATCHED, descriptor_only },
	[READ] = { "watched task: read of a byte", WATCHED, read_one },
	[OTHER] = { "watched task: getppid", WATCHED, getppid_calls },
	[HOST_OPEN] = { "host task: open and close of a file", HOST, open_one },
};

/* ---- what is attached ---- */

static const char *const calls[] = { "syscalls/sys_exit_openat", "syscalls/sys_exit_lseek" };

#define MOST_LINKS (1 + COPIES * 2)

struct bench {
	int rounds;
	struct empty_bpf *empty[COPIES];
	struct file_bpf *file[COPIES];
	struct ring_buffer *ring[COPIES];
	struct paired_worker worker[NWORKERS];
	struct bpf_link *link[MOST_LINKS];
	struct paired_peer peer;
	bool without[NMODES]; /* does not run here */
	double *ns[NMODES][NLOADS]; /* by round */
	double *base[NMODES][NLOADS]; /* what it is compared with, measured beside it */
	struct cb_err err;
};

static int copies_of(int m)
{
	return modes[m].copies ? modes[m].copies : 1;
}

static int ignore(void *ctx, void *data, size_t len)
{
	return 0;
}

/* The i-th copy. */
static int load(struct bench *b, int i)
{
	struct file_bpf *s = b->file[i] = file_bpf__open();
	int err;

	b->empty[i] = empty_bpf__open_and_load();
	if (!b->empty[i] || !s)
		return cb_fail(&b->err, -errno, "the kernel refuses the empty programs: %s", strerror(errno));
	err = cb_kernel_prepare(s->obj, false, &b->err);
	if (err)
		return err;
	s->rodata->cb_cast = cb_kernel_has_function("bpf_rdonly_cast");
	err = cb_kernel_ring(s->obj, RING, &b->err);
	if (err)
		return err;
	bpf_map__set_max_entries(s->maps.slots, libbpf_num_possible_cpus() * 2 * FILE_SLOTS);
	for (size_t c = 0; c < sizeof(file_calls) / sizeof(file_calls[0]); c++) {
		int nr = cb_syscall_number(file_calls[c].name);

		if (nr >= 0 && nr < FILE_CALLS)
			memcpy((void *)&s->rodata->calls[nr], &file_calls[c].call, sizeof(file_calls[c].call));
	}
	err = file_bpf__load(s);
	if (err)
		return cb_fail(&b->err, err, "the kernel refuses the probe: %s", strerror(-err));
	b->ring[i] = ring_buffer__new(bpf_map__fd(s->maps.cb_events), ignore, NULL, NULL);
	return b->ring[i] ? 0 : cb_fail(&b->err, -errno, "ring buffer: %s", strerror(errno));
}

static void drain(void *arg)
{
	struct bench *b = arg;

	for (int i = 0; i < COPIES; i++)
		ring_buffer__consume(b->ring[i]);
	paired_peer_drain(&b->peer);
}

static void detach(void *arg)
{
	struct bench *b = arg;

	for (int i = 0; i < MOST_LINKS; i++) {
		bpf_link__destroy(b->link[i]);
		b->link[i] = NULL;
	}
	paired_peer_end(&b->peer);
}

static int attach_whole(struct bench *b, struct bpf_program *p, struct bpf_link **ret)
{
	*ret = bpf_program__attach(p);
	return *ret ? 0 : cb_fail(&b->err, -errno, "%s: %s", bpf_program__name(p), strerror(errno));
}

static int attach(void *arg, int m)
{
	struct bench *b = arg;
	struct bpf_link **link = b->link;
	int what = modes[m].what, err = 0;

	if (b->without[m])
		return 0;
	if (what & ENTER_EMPTY)
		err = attach_whole(b, b->empty[0]->progs.empty_enter, link++);
	if (!err && modes[m].path)
		return paired_peer_start(&b->peer, modes[m].path, modes[m].header, &b->err);
	if (!err && what & (EXIT_EMPTY | EXIT_OURS))
		err = attach_whole(b, what & EXIT_OURS ? b->file[0]->progs.file_bytes : b->empty[0]->progs.empty_exit, link++);
	if (!(what & (CALL_EMPTY | CALL_OURS)))
		return err;
	for (int i = 0; i < copies_of(m); i++) {
		struct bpf_program *p = what & CALL_OURS ? b->file[i]->progs.file_openat : b->empty[i]->progs.empty_call;

		for (size_t c = 0; !err && c < sizeof(calls) / sizeof(calls[0]); c++)
			err = cb_attach_tracepoint(p, calls[c], link++, &b->err);
	}
	return err;
}

/* Other tools need what not every kernel has. */
static void try_peers(struct bench *b)
{
	for (int m = 0; m < NMODES; m++) {
		if (!modes[m].path || !attach(b, m)) {
			detach(b);
			continue;
		}
		detach(b);
		fprintf(stderr, "file: measured without %s: %s\n", modes[m].name, b->err.text);
		b->without[m] = true;
		b->err.text[0] = '\0';
	}
}

/* ---- measuring ---- */

static int measure(void *arg, int load, double *ret)
{
	struct bench *b = arg;

	return paired_measure(&b->worker[loads[load].who], load, drain, b, ret, &b->err);
}

static int base_of(int m)
{
	return modes[m].base;
}

/* All that was counted, in the first turn: there is no other. */
static uint64_t counted(struct bench *b)
{
	int fd = bpf_map__fd(b->file[0]->maps.counts0), slots = bpf_map__fd(b->file[0]->maps.slots);
	struct file_key key, *at = NULL;
	struct file_count c;
	struct file_slot s;
	uint64_t sum = 0;

	for (uint32_t i = 0; !bpf_map_lookup_elem(slots, &i, &s); i++)
		sum += s.count;
	for (; !bpf_map_get_next_key(fd, at, &key); at = &key)
		if (!bpf_map_lookup_elem(fd, &key, &c))
			sum += c.count;
	return sum;
}

/* Was what is called watched really watched, and all of it counted? */
static int check(struct bench *b)
{
	/* cfileaccess three times with five loads, and --bytes with one */
	uint64_t made = 16ULL * b->rounds * (PAIRED_CHUNKS + 1) * PAIRED_CALLS, got = counted(b);
	struct cb_stats st;
	int err = cb_kernel_stats(b->file[0]->obj, &st, &b->err);

	if (err)
		return err;
	/* other containers may run */
	if (got < made || st.lost)
		return cb_fail(&b->err, -EIO, "expected %llu calls counted and none lost, got %llu and %llu", (unsigned long long)made,
			       (unsigned long long)got, (unsigned long long)st.lost);
	return 0;
}

/* ---- the report ---- */

static void report(struct bench *b)
{
	printf("\nfiles, %d rounds: ns a call, median [middle half]\n", b->rounds);
	for (int l = 0; l < NLOADS; l++) {
		printf("%s (%.0f ns with nothing attached)\n  %-28s %6s %-14s %7s\n", loads[l].name,
		       paired_spread_of(b->ns[NOTHING][l], NULL, b->rounds, 1).median, "", "over", "nothing",
		       "over the empty program");
		for (int m = 1; m < NMODES; m++)
			if (!b->without[m])
				paired_print(modes[m].name, b->ns[m][l], b->ns[NOTHING][l],
					     modes[m].base == (enum mode)m ? NULL : b->base[m][l], b->rounds, copies_of(m));
	}
	printf("goals:\n");
	paired_goal("open and close, deduplicated, each of 8 over the empty program", b->ns[OPENS_8][OPEN_ONE], b->base[OPENS_8][OPEN_ONE],
		    b->rounds, COPIES, 40);
	paired_goal("open and close, deduplicated, over nothing", b->ns[OPENS][OPEN_ONE], b->ns[NOTHING][OPEN_ONE], b->rounds, 1, 250);
	paired_goal("open and close of 101 files, over nothing", b->ns[OPENS][OPEN_MANY], b->ns[NOTHING][OPEN_MANY], b->rounds, 1, 250);
	paired_goal("open, deduplicated, the work: each of 8 over the empty program", b->ns[OPENS_8][DESCRIPTOR], b->base[OPENS_8][DESCRIPTOR],
		    b->rounds, COPIES, 40);
	paired_goal("open and close, deduplicated, over the empty sys_enter", b->ns[OPENS_ENTER][OPEN_ONE], b->base[OPENS_ENTER][OPEN_ONE],
		    b->rounds, 1, 250);
	paired_goal("open and close of 101 files, over the empty sys_enter", b->ns[OPENS_ENTER][OPEN_MANY], b->base[OPENS_ENTER][OPEN_MANY],
		    b->rounds, 1, 250);
	paired_goal("a call that nobody wants", b->ns[OPENS][OTHER], b->ns[NOTHING][OTHER], b->rounds, 1, 15);
	if (!b->without[FIVE])
		paired_goal("a call that nobody wants, all five collectors", b->ns[FIVE][OTHER], b->base[FIVE][OTHER], b->rounds, 1, 15);
	if (!b->without[FIVE_ENTER])
		paired_goal("a call that nobody wants, all five over the empty sys_enter", b->ns[FIVE_ENTER][OTHER],
			    b->base[FIVE_ENTER][OTHER], b->rounds, 1, 15);
	if (!b->without[OPENSNOOP])
		paired_goal("open less opensnoop", b->ns[OPENS][OPEN_ONE], b->ns[OPENSNOOP][OPEN_ONE], b->rounds, 1, 0);
	if (!b->without[FILETOP])
		paired_goal("read less filetop", b->ns[BYTES][READ], b->ns[FILETOP][READ], b->rounds, 1, 0);
}

static int make_files(bool make, struct cb_err *e)
{
	char name[64];
	int fd;

	if (make && mkdir(FOLDER, 0700))
		return cb_fail(e, -errno, FOLDER ": %s", strerror(errno));
	for (int i = 0; i < FILES; i++) {
		name_of(i, name, sizeof(name));
		if (!make) {
			unlink(name);
			continue;
		}
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, "x", 1) != 1)
			return cb_fail(e, -errno, "%s: %s", name, strerror(errno));
		close(fd);
	}
	if (!make)
		rmdir(FOLDER);
	return 0;
}

/* The workers have to stand where they belong before the iterator looks at them: they answer once they do. */
static int bench(struct bench *b)
{
	const struct paired_plan plan = {
		.nmodes = NMODES, .nloads = NLOADS, .ns = b->ns[0], .base_ns = b->base[0], .without = b->without,
		.base = base_of, .attach = attach, .detach = detach, .measure = measure,
	};
	int err = cb_kernel_check(&b->err);
	double ns;

	for (int i = 0; !err && i < NWORKERS; i++)
		err = paired_start(&b->worker[i], i == WATCHED, &b->err);
	paired_pin(false);
	for (int i = 0; !err && i < COPIES; i++)
		err = load(b, i);
	for (int l = 0; !err && l < NLOADS; l++)
		err = measure(b, l, &ns);
	for (int i = 0; !err && i < COPIES; i++)
		err = paired_adopt(b->file[i]->obj, &b->err);
	if (!err)
		try_peers(b);
	for (int r = 0; !err && r < b->rounds; r++)
		err = paired_round(&plan, b, r);
	return err ? err : check(b);
}

int main(int argc, char **argv)
{
	struct bench *b = cb_xalloc(sizeof(*b));
	int err;

	if (argc == 3 && !strcmp(argv[0], "worker"))
		paired_work(loads, argv + 1);
	if (argc == 2 || argc == 3)
		b->rounds = atoi(argv[1]);
	if (argc == 3)
		modes[FIVE].path = modes[FIVE_ENTER].path = argv[2];
	b->without[FIVE] = b->without[FIVE_ENTER] = !modes[FIVE].path;
	if (b->rounds < 1) {
		fprintf(stderr, "usage: file ROUNDS [FIVE]\n");
		return CB_EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int m = 0; m < NMODES; m++) {
		paired_rooms(b->ns[m], NLOADS, b->rounds);
		paired_rooms(b->base[m], NLOADS, b->rounds);
	}
	err = make_files(true, &b->err);
	if (!err)
		err = bench(b);
	if (err)
		fprintf(stderr, "file: %s\n", b->err.text);
	else
		report(b);
	detach(b);
	for (int i = 0; i < NWORKERS; i++)
		paired_end(&b->worker[i]);
	make_files(false, &b->err);
	return err ? CB_EXIT_FAILED : 0;
}
