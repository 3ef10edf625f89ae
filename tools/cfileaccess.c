/* SPDX-License-Identifier: GPL-2.0 */
/* cfileaccess: what containers do to files. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cb.h"
#include "container.h"
#include "filecall.h"
#include "filehost.h"
#include "fileshare.h"
#include "filetop.h"
#include "fileview.h"
#include "hash.h"
#include "file.skel.h"

CB_SKEL(file)

#define RING (4u << 20)
#define CELLS 65536	 /* rows in the making: more are written before their interval is over */
#define ROWS 8192	 /* of these, one container's */
#define ROWS_FAILED 1024 /* names that are not there cost nothing: fewer of them */
#define ROWS_FOLDERS 1024
#define FRONT offsetof(struct file_rec, path) /* of a row, without its paths */

/* A row in the making. */
struct cell {
	char *key;
	size_t key_len;
	_Alignas(8) unsigned char front[FRONT];
	char *path, *target, *host_path;
	uint64_t count, bytes;
	uint64_t first_ns; /* boot time */
	uint64_t refs;	   /* counters of the kernel that belong to it */
	struct cb_file_id id;
	uint32_t flags; /* or'ed */
	uint8_t op, bits;
	uint64_t foreign;
	UT_hash_handle hh;
};

/* A counter of the kernel, known by its note. */
struct counter {
	uint64_t id;
	struct cell *cell;
	UT_hash_handle hh;
};

/* What CPUs have kept of a counter. */
struct kept {
	struct file_key key;
	uint64_t count, bytes;
	uint32_t flags;
	UT_hash_handle hh;
};

/* How many rows of an interval a container has: beyond a limit files are taken together. */
struct share {
	uint64_t cont;
	uint32_t rows, failed, folders;
	UT_hash_handle hh;
};

struct files {
	bool every, bytes, host_path, top;
	bool ops[FILE_NOPS]; /* chosen by --ops */
	bool chosen;
	bool kernel_counts; /* notes are sent once, and counters are read */
	struct file_bpf *skel;
	struct cell *cell;
	struct counter *counter;
	struct file_slot *slot; /* of both turns of each CPU */
	uint32_t ncpu;
	struct kept *kept;
	struct cb_fileshare *shared;
	struct share *share;
	struct cb_filehost *host; /* --host-path */
	struct file_rec rec; /* the row at hand */
	struct cb_buf key;
	uint64_t lost;	/* since the last row */
	uint64_t begun; /* of the rows in the making */
	struct cb_filetop *picture; /* --top */
};

static void set_other(struct cb_run *run, struct file_rec *r, uint64_t cont)
{
	struct cb_head h = { .cont = cont };

	snprintf(r->other, sizeof(r->other), "%s", cb_run_container(run, &h));
}

/* ---- notes to rows in the making ---- */

/* What makes two operations one row. */
static void make_key(struct cb_run *run, struct files *f, const struct file_note *n, const struct file_rec *r)
{
	uint64_t fixed[5] = { n->h.cont, n->foreign, n->op | (uint64_t)n->error << 32,
			      n->fmode & 0x4003 /* to read, to write, O_PATH */, n->h.flags & CB_F_ENTERED };
	const char *exe = cb_run_exe(run, &n->h);

	if (n->op == FILE_MAP || n->op == FILE_PARTLY)
		fixed[3] = n->num[0];
	cb_buf_reset(&f->key);
	cb_buf_put(&f->key, fixed, sizeof(fixed));
	cb_buf_put(&f->key, exe, strlen(exe) + 1);
	cb_buf_put(&f->key, r->path, strlen(r->path) + 1);
	cb_buf_put(&f->key, r->target, strlen(r->target) + 1);
	cb_buf_put(&f->key, r->mode, strlen(r->mode) + 1);
	cb_buf_put(&f->key, r->owner, strlen(r->owner) + 1);
}

static void find_host_path(struct cb_run *run, struct files *f, const struct file_note *n, struct file_rec *r)
{
	cb_filehost_find(f->host, run, n, r->path, r->host_path, sizeof(r->host_path));
}

static void container(struct cb_run *run, const struct cb_cont *c)
{
	struct files *f = cb_run_data(run);

	if (f->host_path)
		cb_filehost_container(f->host, c);
}

/* ---- rows in the making ---- */

static struct cell *cell_make(struct files *f, const struct file_note *n, const struct file_rec *r)
{
	struct cell *c = cb_xalloc(sizeof(*c));

	c->key_len = f->key.len;
	c->key = cb_xalloc(c->key_len);
	memcpy(c->key, f->key.s, c->key_len);
	memcpy(c->front, r, FRONT);
	c->path = cb_xstrdup(r->path);
	c->target = *r->target ? cb_xstrdup(r->target) : NULL;
	c->host_path = *r->host_path ? cb_xstrdup(r->host_path) : NULL;
	c->first_ns = n->h.time_ns;
	c->id = cb_file_id_of(n);
	c->op = n->op;
	c->bits = n->bits;
	c->foreign = n->foreign;
	HASH_ADD_KEYPTR(hh, f->cell, c->key, c->key_len, c);
	return c;
}

static void cell_free(struct files *f, struct cell *c)
{
	HASH_DEL(f->cell, c);
	free(c->key);
	free(c->path);
	free(c->target);
	free(c->host_path);
	free(c);
}

static struct share *share_of(struct files *f, uint64_t cont)
{
	struct share *s;

	HASH_FIND(hh, f->share, &cont, sizeof(cont), s);
	if (s)
		return s;
	s = cb_xalloc(sizeof(*s));
	s->cont = cont;
	HASH_ADD(hh, f->share, cont, sizeof(s->cont), s);
	return s;
}

static void clear_shares(struct files *f)
{
	struct share *s, *next;

	HASH_ITER(hh, f->share, s, next) {
		HASH_DEL(f->share, s);
		free(s);
	}
}

/* Has the container had its rows? Then the path becomes that of the folder, with "..." for the rest. */
static bool fold(struct files *f, const struct file_note *n, struct file_rec *r)
{
	struct share *s = share_of(f, n->h.cont);
	char *slash;

	if (n->error ? s->failed++ < ROWS_FAILED : s->rows++ < ROWS)
		return false;
	slash = strrchr(r->path, '/');
	if (!slash || s->folders >= ROWS_FOLDERS)
		slash = r->path;
	else
		slash++;
	snprintf(slash, r->path + sizeof(r->path) - slash, "...");
	r->target[0] = r->mode[0] = r->owner[0] = '\0';
	r->ino = 0;
	r->h.flags |= CB_F_CUT;
	return true;
}

static struct cell *cell_get(struct cb_run *run, struct files *f, const struct file_note *n, struct file_rec *r)
{
	struct cell *c;

	make_key(run, f, n, r);
	HASH_FIND(hh, f->cell, f->key.s, f->key.len, c);
	if (!c && fold(f, n, r)) {
		make_key(run, f, n, r);
		HASH_FIND(hh, f->cell, f->key.s, f->key.len, c);
		if (!c)
			share_of(f, n->h.cont)->folders++;
	} else if (!c && f->host_path) {
		find_host_path(run, f, n, r);
	}
	if (!c)
		c = cell_make(f, n, r);
	if (!c->count && !c->refs)
		c->first_ns = n->h.time_ns;
	c->bits |= n->bits;
	c->flags |= n->num[0];
	return c;
}

static void counter_add(struct files *f, uint64_t id, struct cell *c)
{
	struct counter *k;

	HASH_FIND(hh, f->counter, &id, sizeof(id), k);
	if (k)
		return; /* two CPUs told of it */
	k = cb_xalloc(sizeof(*k));
	k->id = id;
	k->cell = c;
	c->refs++;
	HASH_ADD(hh, f->counter, id, sizeof(k->id), k);
}

static void set_bytes(struct file_rec *r, uint8_t op, uint64_t bytes)
{
	r->read_bytes = op == FILE_READ ? bytes : 0;
	r->write_bytes = op == FILE_WRITE ? bytes : 0;
}

static int emit_single(struct cb_run *run, struct files *f, const struct file_note *n, struct file_rec *r)
{
	uint64_t other = n->foreign;

	if (f->host_path)
		find_host_path(run, f, n, r);
	set_bytes(r, n->op, n->bytes);
	if (!other && (other = cb_fileshare_with(f->shared, cb_file_id_of(n), n->h.cont)))
		strcpy(r->foreign, "shared");
	if (other)
		set_other(run, r, other);
	return cb_emit(run, r, sizeof(*r), cb_file_actions[n->op]);
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	struct files *f = cb_run_data(run);
	const struct file_note *n = rec;
	struct file_rec *r = &f->rec;
	struct cell *c;

	if (cb_file_view(n, len, r))
		return cb_run_fail(run, -EIO, "note of a file of %zu bytes is not whole", len);
	cb_fileshare_used(f->shared, cb_file_id_of(n), n->h.cont);
	if (f->every)
		return emit_single(run, f, n, r);
	if (!f->kernel_counts && !cb_wanted(run, &n->h)) {
		cb_run_filtered(run, 1);
		return 0;
	}
	f->lost += n->h.lost;
	c = cell_get(run, f, n, r);
	if (f->kernel_counts) {
		counter_add(f, n->id, c);
	} else {
		c->count++;
		c->bytes += n->bytes;
	}
	return 0;
}

/* ---- counters of the kernel ---- */

static size_t slots_size(const struct files *f)
{
	return 2UL * f->ncpu * FILE_SLOTS * sizeof(*f->slot);
}

static int begun(struct cb_run *run)
{
	struct files *f = cb_run_data(run);
	void *p;

	if (!f->kernel_counts)
		return 0;
	p = mmap(NULL, slots_size(f), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(f->skel->maps.slots), 0);
	if (p == MAP_FAILED)
		return cb_run_fail(run, -errno, "what CPUs have counted: %s", strerror(errno));
	f->slot = p;
	return 0;
}

static void keep(struct files *f, struct file_slot *s)
{
	struct kept *k;

	HASH_FIND(hh, f->kept, &s->key, sizeof(s->key), k);
	if (!k) {
		k = cb_xalloc(sizeof(*k));
		k->key = s->key;
		HASH_ADD(hh, f->kept, key, sizeof(k->key), k);
	}
	k->count += s->count;
	k->bytes += s->bytes;
	k->flags |= s->flags;
}

/* Nobody writes to the slots of that turn any more. */
static void empty_slots(struct files *f, uint32_t turn)
{
	for (uint32_t cpu = 0; cpu < f->ncpu; cpu++) {
		struct file_slot *s = f->slot + (2 * cpu + (turn & 1)) * FILE_SLOTS;

		for (uint32_t i = 0; i < FILE_SLOTS; i++) {
			if (!s[i].count)
				continue;
			keep(f, &s[i]);
			memset(&s[i], 0, sizeof(s[i]));
		}
	}
}

static void add_kept(struct files *f, const struct file_key *key, struct file_count *c)
{
	struct kept *k;

	HASH_FIND(hh, f->kept, key, sizeof(*key), k);
	if (!k)
		return;
	c->count += k->count;
	c->bytes += k->bytes;
	c->flags |= k->flags;
	HASH_DEL(f->kept, k);
	free(k);
}

/* Of counters that are no more. */
static void lose_kept(struct cb_run *run, struct files *f)
{
	struct kept *k, *next;

	HASH_ITER(hh, f->kept, k, next) {
		cb_run_made(run, k->count);
		f->lost += k->count;
		HASH_DEL(f->kept, k);
		free(k);
	}
}

static void take_counter(struct cb_run *run, struct files *f, const struct file_key *key, struct file_count *k)
{
	struct counter *c;

	add_kept(f, key, k);
	HASH_FIND(hh, f->counter, &k->id, sizeof(k->id), c);
	cb_run_made(run, k->count);
	if (!c) {
		f->lost += k->count; /* its note never got through */
		return;
	}
	c->cell->count += k->count;
	c->cell->bytes += k->bytes;
	c->cell->flags |= k->flags;
	c->cell->refs--;
	HASH_DEL(f->counter, c);
	free(c);
}

#define BATCH 1024

/* Nobody writes to that table any more. */
static int empty_table(struct cb_run *run, struct files *f, int fd)
{
	struct file_key *keys = cb_xalloc(BATCH * sizeof(*keys));
	struct file_count *counts = cb_xalloc(BATCH * sizeof(*counts));
	uint64_t at[8] = {};
	bool begun = false;
	int err = 0;

	while (!err) {
		__u32 n = BATCH;

		err = bpf_map_lookup_and_delete_batch(fd, begun ? at : NULL, at, keys, counts, &n, NULL);
		if (err && errno == ENOSPC) { /* a crowded bucket: from the beginning, what was read is gone */
			err = 0;
			begun = false;
			continue;
		}
		begun = true;
		if (err && errno != ENOENT) {
			cb_run_fail(run, -errno, "counters of files: %s", strerror(errno));
			err = -errno;
			break;
		}
		for (__u32 i = 0; i < n; i++)
			take_counter(run, f, &keys[i], &counts[i]);
		if (err)
			break; /* the end */
	}
	free(keys);
	free(counts);
	return err == -ENOENT || err == -1 || !err ? 0 : err;
}

/*
 * Turns the tables and takes what was counted so far. Programs that still saw the old turn are waited for: they run
 * inside a read-side critical section, and the barrier is over when all of those are.
 */
static int flush(struct cb_run *run, struct files *f)
{
	uint32_t old = f->skel->bss->turn;
	int err;

	f->skel->bss->used[(old + 1) & 1] = 0;
	f->skel->bss->turn = old + 1;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(20000);
	err = cb_run_drain(run);
	empty_slots(f, old);
	if (!err)
		err = empty_table(run, f, bpf_map__fd(old & 1 ? f->skel->maps.counts1 : f->skel->maps.counts0));
	lose_kept(run, f);
	return err;
}

/* ---- rows ---- */

static int emit_cell(struct cb_run *run, struct files *f, struct cell *c, uint64_t to)
{
	struct file_rec *r = &f->rec;
	uint64_t other = c->foreign, lost = f->lost;

	memcpy(r, c->front, FRONT);
	memset((char *)r + FRONT, 0, sizeof(*r) - FRONT);
	strcpy(r->path, c->path);
	if (c->target)
		strcpy(r->target, c->target);
	if (c->host_path)
		strcpy(r->host_path, c->host_path);
	r->h.time_ns = to;
	r->h.tid = 0; /* of many */
	cb_file_flags(c->op, c->flags, c->bits, r->flags, sizeof(r->flags));
	set_bytes(r, c->op, c->bytes);
	if (!other && (other = cb_fileshare_with(f->shared, c->id, r->h.cont)))
		strcpy(r->foreign, "shared");
	if (other)
		set_other(run, r, other);
	f->lost = 0;
	return cb_emit_span(run, r, sizeof(*r), cb_file_actions[c->op], c->first_ns, to, c->count, lost);
}

static int by_order(const void *a, const void *b)
{
	const struct cell *x = *(struct cell *const *)a, *y = *(struct cell *const *)b;

	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->path, y->path);
}

/* All rows in the making are written; those that counters of the new turn belong to stay, empty. */
static int emit_all(struct cb_run *run, struct files *f, uint64_t to)
{
	size_t n = 0, all_n = HASH_COUNT(f->cell);
	struct cell **all = cb_xalloc((all_n + 1) * sizeof(*all)), *c, *next;
	int err = 0;

	for (c = f->cell; c; c = c->hh.next)
		if (c->count)
			all[n++] = c;
	qsort(all, n, sizeof(*all), by_order);
	for (size_t i = 0; !err && i < n; i++)
		err = emit_cell(run, f, all[i], to);
	free(all);
	clear_shares(f);
	HASH_ITER(hh, f->cell, c, next) {
		c->count = c->bytes = 0;
		c->flags = 0;
		if (!c->refs)
			cell_free(f, c);
	}
	return err;
}

/* A table that fills up is emptied before its time. */
static int drained(struct cb_run *run)
{
	struct files *f = cb_run_data(run);
	int err = 0;

	if (f->kernel_counts && f->skel->bss->used[f->skel->bss->turn & 1] > FILE_TABLE / 4)
		err = flush(run, f);
	if (!err && HASH_COUNT(f->cell) > CELLS)
		err = emit_all(run, f, cb_now_boot());
	return err;
}

static int tick(struct cb_run *run, uint64_t from, uint64_t to)
{
	struct files *f = cb_run_data(run);
	int err = 0;

	if (f->kernel_counts)
		err = flush(run, f);
	else
		f->skel->bss->turn++; /* what a container may send counts anew */
	/* without a row the screen is empty */
	cb_filetop_clear(f->picture);
	cb_filehost_interval(f->host, run);
	return err ? err : emit_all(run, f, to);
}

/* ---- --top ---- */

static void row(struct cb_run *run, const struct cb_event *ev)
{
	struct files *f = cb_run_data(run);

	if (f->top)
		cb_filetop_add(f->picture, ev);
}

static int screen(struct cb_run *run, FILE *out)
{
	struct files *f = cb_run_data(run);

	return cb_filetop_draw(f->picture, cb_run_paused(run), out);
}

static bool key(struct cb_run *run, int c)
{
	struct files *f = cb_run_data(run);

	if (c != 's')
		return false;
	cb_filetop_next_order(f->picture);
	return true;
}

/* ---- set-up ---- */

static bool asked_for(const struct files *f, const struct file_call *c)
{
	if (c->op == FILE_READ || c->op == FILE_WRITE)
		return f->bytes;
	/* an open may turn out to make the file, the removal of a name to be that of a directory */
	return !f->chosen || f->ops[c->op] || (c->op == FILE_OPEN && f->ops[FILE_CREATE]) ||
	       (c->op == FILE_UNLINK && f->ops[FILE_RMDIR]);
}

static int set_calls(struct cb_run *run, struct files *f)
{
	static const char *const programs[] = { "file_open", "file_creat", "file_openat", "file_openat2", "file_handle",
						"file_named", "file_fd", "file_map", "file_ring" };
	enum { N = sizeof(programs) / sizeof(programs[0]) };
	bool used[N] = {};
	int err = 0;

	for (size_t i = 0; i < sizeof(file_calls) / sizeof(file_calls[0]); i++) {
		const struct file_call *call = &file_calls[i].call;
		const char *program = file_calls[i].program;
		int nr = cb_syscall_number(file_calls[i].name);
		char event[64];

		if (nr < 0 || nr >= FILE_CALLS || !asked_for(f, call))
			continue; /* not a call of this machine, or of no interest */
		snprintf(event, sizeof(event), "syscalls/sys_exit_%s",
			 file_calls[i].event ? file_calls[i].event : file_calls[i].name);
		if (program && !cb_run_attach(run, program, event))
			continue;
		memcpy((void *)&f->skel->rodata->calls[nr], call, sizeof(*call));
		for (size_t p = 0; program && p < N; p++)
			used[p] |= !strcmp(programs[p], program);
	}
	for (size_t p = 0; !err && p < N; p++)
		err = cb_run_program(run, programs[p], used[p]);
	return err ? err : cb_run_program(run, "file_bytes", f->bytes);
}

static int setup(struct cb_run *run, void *skel)
{
	struct files *f = cb_run_data(run);
	struct file_bpf *s = skel;
	uint64_t seed = 0;
	int err;

	f->skel = s;
	/* what is asked of processes cannot be counted by program */
	f->kernel_counts = !f->every && !cb_run_by_process(run);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = cb_now_boot();
	s->rodata->seed = seed;
	s->rodata->every = !f->kernel_counts;
	s->rodata->only_failed = cb_run_failed(run);
	s->rodata->fs_paths = f->host_path;
	s->rodata->cb_cast = cb_run_kernel_has("bpf_rdonly_cast");
	f->ncpu = libbpf_num_possible_cpus();
	err = f->kernel_counts ? bpf_map__set_max_entries(s->maps.slots, 2 * f->ncpu * FILE_SLOTS) : 0;
	if (!err)
		err = set_calls(run, f);
	return err ? err : cb_run_ring(run, RING);
}

enum { KEY_EVERY = CB_KEY_TOOL, KEY_BYTES, KEY_HOST_PATH, KEY_TOP, KEY_OPS };

static const struct argp_option options[] = {
	{ "every", KEY_EVERY, NULL, 0, "a row for each single operation, not one for all of an interval", 3 },
	{ "bytes", KEY_BYTES, NULL, 0, "reads and writes too, with their bytes per file (costs every system call)", 3 },
	{ "host-path", KEY_HOST_PATH, NULL, 0, "also where the file is found on the host", 3 },
	{ "ops", KEY_OPS, "LIST", 0, "only these operations, comma-separated: open, create, unlink, ...", 3 },
	{ "top", KEY_TOP, "ORDER", OPTION_ARG_OPTIONAL, "a screen of the files used most: by bytes (the usual), calls or opens", 3 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static int parse_ops(struct cb_run *run, struct files *f, const char *list)
{
	f->chosen = true;
	for (size_t len;; list += len + 1) {
		int op;

		len = strcspn(list, ",");
		for (op = 1; op < FILE_NOPS; op++)
			if (strlen(cb_file_actions[op]) == len && !memcmp(cb_file_actions[op], list, len))
				break;
		if (op == FILE_NOPS)
			return cb_run_fail(run, -EINVAL, "--ops: expected open, create, unlink, ..., got \"%.*s\"", (int)len,
					   list);
		f->ops[op] = true;
		f->bytes |= op == FILE_READ || op == FILE_WRITE;
		if (!list[len])
			return 0;
	}
}

static int parse_top(struct cb_run *run, struct files *f, const char *by)
{
	int order = by ? cb_run_choice(run, "--top", by, cb_filetop_orders, CB_FILETOP_NORDERS) : CB_FILETOP_BYTES;

	if (order < 0)
		return order;
	f->top = true;
	cb_filetop_set_order(f->picture, order);
	f->bytes |= order == CB_FILETOP_BYTES;
	return 0;
}

static int parse(struct cb_run *run, int key, char *arg)
{
	struct files *f = cb_run_data(run);

	switch (key) {
	case KEY_EVERY:
		f->every = true;
		return 0;
	case KEY_BYTES:
		f->bytes = true;
		return 0;
	case KEY_HOST_PATH:
		f->host_path = true;
		return 0;
	case KEY_OPS:
		return parse_ops(run, f, arg);
	}
	return parse_top(run, f, arg);
}

static void start(struct cb_run *run)
{
	struct files *f = cb_run_data(run);

	if (f->top)
		f->every = false;
	else
		cb_run_rows(run);
	cb_run_columns(run, f->every ? "-file.container.name" : "+event.count,-process.pid,-file.container.name");
}

static void done(struct cb_run *run)
{
	struct files *f = cb_run_data(run);
	struct counter *k, *knext;
	struct cell *c, *next;

	HASH_ITER(hh, f->counter, k, knext) {
		HASH_DEL(f->counter, k);
		free(k);
	}
	HASH_ITER(hh, f->cell, c, next)
		cell_free(f, c);
	cb_fileshare_free(f->shared);
	if (f->slot)
		munmap(f->slot, slots_size(f));
	clear_shares(f);
	cb_filetop_free(f->picture);
	cb_filehost_free(f->host);
	cb_buf_free(&f->key);
	free(f);
}

static const struct cb_tool cfileaccess = {
	.name = "cfileaccess",
	.doc = "Shows what containers do to files: a row for each file, program and operation in an interval.",
	.examples = "cfileaccess                      what all containers do, each second\n"
		    "cfileaccess -c web -i 10 -j      one container, each 10 s, as JSON Lines\n"
		    "cfileaccess -x                   only what failed, and why\n"
		    "cfileaccess --every --ops=unlink,rename   each removal and each renaming\n"
		    "cfileaccess --top=bytes          a screen of the files most read and written\n"
		    "cfileaccess --host-path -d 5     with the place of each file on the host\n",
	.schema = { &cb_schema_file },
	.skel = &file_skel,
	.option = options,
	.interval_ns = 1000000000,
	.tasks_ns = 1000000000, /* nothing of it lies in idle buffers */
	.failed_option = true,
	.calls = true,
	.parse = parse,
	.start = start,
	.setup = setup,
	.begun = begun,
	.container = container,
	.record = record,
	.tick = tick,
	.drained = drained,
	.row = row,
	.screen = screen,
	.key = key,
	.done = done,
};

int main(int argc, char **argv)
{
	struct files *f = cb_xalloc(sizeof(*f));

	f->host = cb_filehost_new();
	f->shared = cb_fileshare_new();
	f->picture = cb_filetop_new();
	return cb_main_data(&cfileaccess, f, argc, argv);
}
