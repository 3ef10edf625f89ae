/* SPDX-License-Identifier: GPL-2.0 */
/* cresource: what containers use: CPU, memory, disk, network, tasks. */
#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include "account.h"
#include "cb.h"
#include "field.h"
#include "resource.h"
#include "resource.skel.h"

CB_SKEL(resource)

#define MAX_CONTAINERS 8192
/* Files of a container whose tasks did nothing are read so late at first, then ever later: 1,000 that sleep cost little. */
#define IDLE_NS 10000000000ULL
#define IDLE_MAX_NS (8 * IDLE_NS)
/* What of its memory is anonymous the kernel sums up some time after it changed (mm/memcontrol.c FLUSH_TIME, 2 s). */
#define SETTLE_NS 4000000000ULL
#define LOOK_NS 64000000000ULL /* tasks that sleep are looked at so often, all the same */
/* What is left after the last interval is no interval: rates would mean nothing. The ends are told. */
#define SLIVER_NS 5000000ULL

struct one {
	uint64_t key;
	struct cb_head head; /* of its rows */
	struct cb_account *account;
	struct cb_usage prev, now;	  /* as last told of, as last read */
	struct resource_total told, total; /* the same */
	uint64_t read_ns, split_ns, moved_ns, gone_ns; /* moved: its memory was another than before */
	uint64_t idle_ns; /* the next reading is so long after the last, if nothing happens */
	bool read;  /* the cgroup's files, since the last row */
	bool based; /* prev is of when the last row ended */
	bool cpu_by_tasks;
	uint64_t memory, limit, anon, file; /* as last seen while it lived */
	uint64_t proc_anon, proc_file;	  /* of its processes, in this pass */
	bool memory_seen;
	bool over; /* it ended: this row is its last */
	bool told_once;
	struct resource_rec row;
	UT_hash_handle hh;
};

struct cresource {
	struct resource_bpf *skel;
	struct cb_hiers *hiers;
	struct one *one;
	struct one **row; /* of the last interval, in order */
	size_t nrow;
	const struct cb_field *sort;
	uint64_t *key; /* room for a reading of the map */
	struct resource_total *total;
	uint64_t pass_ns, from, to;
	uint32_t passes, look_again;
	size_t by_process; /* containers whose processes tell their memory, also those that sleep */
	size_t gone;	   /* containers that are over, whose last row is to come */
	long page;
	bool walk;    /* the kernel lets a program walk over tasks */
	bool sockets; /* the kernel tells what they send and receive */
	struct bpf_link *sent, *received; /* once somebody's sockets are asked for */
};

/* ---- containers ---- */

static struct one *one_find(struct cresource *r, uint64_t key)
{
	struct one *o;

	HASH_FIND(hh, r->one, &key, sizeof(key), o);
	return o;
}

/* The probe looks for the container's memory in this folder; 0: it tells of the processes instead. */
static void tell_memory_cgroup(struct cresource *r, const struct one *o)
{
	uint64_t id = o->account ? cb_account_memory_id(o->account) : 0;

	bpf_map_update_elem(bpf_map__fd(r->skel->maps.memory_cgroup), &o->key, &id, BPF_ANY);
}

/* The host, and one whose memory no cgroup accounts. */
static bool needs_processes(const struct one *o)
{
	return !o->key || (o->account && !cb_account_memory_id(o->account));
}

static bool on_host_net(const struct one *o)
{
	return !o->key || (o->account && cb_account_host_net(o->account));
}

/*
 * Every message of every task on the host pays for these two, so they are there only from the first container on
 * that has no devices of its own.
 */
static void watch_sockets(struct cb_run *run, struct cresource *r)
{
	if (!r->sockets || r->sent)
		return;
	r->sent = bpf_program__attach(r->skel->progs.resource_sent);
	r->received = r->sent ? bpf_program__attach(r->skel->progs.resource_received) : NULL;
	if (r->received)
		return;
	r->sockets = false; /* rows say so */
	cb_run_remark(run, "sockets cannot be watched: containers on the host's network have no network figures");
}

/* cpu: it may have used some since; split: so its memory */
static void read_account(struct one *o, bool cpu, bool split, uint64_t now)
{
	struct cb_usage u;

	if (!o->account)
		return;
	cb_account_read(o->account, cpu, split, &u);
	o->read_ns = now;
	o->read |= u.has_cpu;
	if (u.has_cpu || !o->now.has_cpu) {
		o->now = u;
		return;
	}
	/* the folder of one that ended is gone: what was read last stays, but for the network; one that slept has its CPU time */
	if (u.has_disk) {
		o->now.read_bytes = u.read_bytes;
		o->now.write_bytes = u.write_bytes;
	}
	o->now.rx_bytes = u.rx_bytes;
	o->now.tx_bytes = u.tx_bytes;
	o->now.rx_packets = u.rx_packets;
	o->now.tx_packets = u.tx_packets;
	o->now.rx_dropped = u.rx_dropped;
	o->now.tx_dropped = u.tx_dropped;
}

/*
 * Its cgroup has counted the runtime that made the container as well, so one that begins is told of from here, or by
 * its tasks' own sums, whichever saw more.
 */
static struct one *one_open(struct cb_run *run, struct cresource *r, uint64_t key, const struct resource_total *t,
			    const struct cb_head *head)
{
	struct one *o = cb_xalloc(sizeof(*o));
	struct cb_head who = *head;

	o->key = key;
	o->idle_ns = IDLE_NS;
	o->head.cont = key;
	who.pid = t->pid; /* the container is looked up by its first process, not by whoever was seen */
	if (key && cb_wanted(run, &who)) {
		o->account = cb_account_open(r->hiers, cb_run_cont(run, &who), t->pid, t->pidns);
		read_account(o, true, true, t->opened_ns);
		o->moved_ns = t->opened_ns;
		o->prev = o->now;
		o->based = t->known;
	}
	tell_memory_cgroup(r, o);
	r->by_process += needs_processes(o);
	if (on_host_net(o))
		watch_sockets(run, r);
	HASH_ADD(hh, r->one, key, sizeof(o->key), o);
	return o;
}

static void one_close(struct cresource *r, struct one *o)
{
	if (r->skel) {
		bpf_map_delete_elem(bpf_map__fd(r->skel->maps.totals), &o->key);
		bpf_map_delete_elem(bpf_map__fd(r->skel->maps.memory_cgroup), &o->key);
	}
	HASH_DEL(r->one, o);
	r->by_process -= needs_processes(o);
	r->gone -= !!o->gone_ns;
	cb_account_close(o->account);
	free(o);
}

/* A process of a container whose memory no cgroup accounts: resident, and the shared part of it. */
static void add_process(struct cresource *r, struct one *o, uint32_t pid)
{
	unsigned long resident, shared;
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/statm", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*u %lu %lu", &resident, &shared) == 2 && shared <= resident) {
		o->proc_anon += (resident - shared) * r->page;
		o->proc_file += shared * r->page;
	}
	if (f)
		fclose(f);
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	struct cresource *r = cb_run_data(run);
	const struct resource_note *n = rec;
	struct one *o;

	if (len < (peek ? offsetof(struct resource_note, total) : sizeof(*n)))
		return cb_run_fail(run, -EIO, "note of %zu bytes", len);
	o = one_find(r, n->h.cont);
	switch (n->what) {
	case RESOURCE_OPENED:
		if (!o)
			one_open(run, r, n->h.cont, &n->total, &n->h);
		break;
	case RESOURCE_GONE:
		/* now, while its folder is still there */
		if (o) {
			r->gone += !o->gone_ns;
			o->gone_ns = n->h.time_ns;
			read_account(o, true, false, n->h.time_ns);
		}
		break;
	case RESOURCE_PROCESS:
		if (o)
			add_process(r, o, n->h.pid);
		break;
	}
	return 0;
}

/* ---- rows ---- */

/* Counters may step back by what the kernel had not yet summed up, or when a folder is made anew. */
static __u64 since(__u64 now, __u64 *before)
{
	__u64 d;

	if ((__s64)(now - *before) < 0)
		return 0;
	d = now - *before;
	*before = now;
	return d;
}

static void row_cpu(struct one *o)
{
	struct resource_use *was = &o->told.use;
	const struct resource_use *is = &o->total.use;
	struct resource_rec *row = &o->row;
	uint64_t runtime = since(is->runtime, &was->runtime), user = since(is->utime, &was->utime);
	uint64_t system = since(is->stime, &was->stime);

	row->delay_ns = since(is->delay, &was->delay);
	if (o->read) {
		row->cpu_ns = since(o->now.cpu_ns, &o->prev.cpu_ns);
		row->user_ns = since(o->now.user_ns, &o->prev.user_ns);
		row->system_ns = since(o->now.system_ns, &o->prev.system_ns);
	}
	o->cpu_by_tasks = !o->read || (!o->based && row->cpu_ns < runtime);
	if (o->cpu_by_tasks) {
		/* the two are samples by the clock tick: they share what was measured */
		row->cpu_ns = runtime;
		row->system_ns = user + system ? (__u64)((double)runtime * system / (user + system)) : 0;
		row->user_ns = runtime - row->system_ns;
	}
	row->throttled = since(o->now.throttled, &o->prev.throttled);
	row->throttled_ns = since(o->now.throttled_ns, &o->prev.throttled_ns);
}

/* Of one that has ended the last that was seen is told, not the nothing that is left. */
static void row_memory(struct cresource *r, struct one *o, bool ended)
{
	__u64 usage, limit;

	if (ended)
		goto tell;
	o->memory_seen = o->account && cb_account_memory_id(o->account);
	if (o->memory_seen && o->total.memory_found) {
		o->memory = o->total.memory_pages * r->page;
		/* the kernel's "none" is the most a counter holds */
		o->limit = o->total.limit_pages < (1ULL << 60) / r->page ? o->total.limit_pages * r->page : 0;
	} else if (o->memory_seen && !cb_account_memory(o->account, &usage, &limit)) {
		o->memory = usage;
		o->limit = limit;
	}
	if (!o->memory_seen) {
		o->anon = o->proc_anon;
		o->file = o->proc_file;
		o->memory = o->anon + o->file;
	} else if (o->now.has_split) {
		o->anon = o->now.anon;
		o->file = o->now.file;
	}
tell:
	o->row.memory = o->memory;
	o->row.limit = o->limit;
	o->row.anon = o->anon;
	o->row.file = o->file;
}

static void row_io(struct one *o)
{
	struct resource_rec *row = &o->row;
	uint64_t rd = since(o->total.use.read_bytes, &o->told.use.read_bytes);
	uint64_t wr = since(o->total.use.write_bytes, &o->told.use.write_bytes);

	row->read_bytes = o->now.has_disk && o->based ? since(o->now.read_bytes, &o->prev.read_bytes) : rd;
	row->write_bytes = o->now.has_disk && o->based ? since(o->now.write_bytes, &o->prev.write_bytes) : wr;
	row->rx_bytes = since(o->total.rx_bytes, &o->told.rx_bytes);
	row->tx_bytes = since(o->total.tx_bytes, &o->told.tx_bytes);
	if (!o->now.has_net)
		return;
	row->rx_bytes = since(o->now.rx_bytes, &o->prev.rx_bytes);
	row->tx_bytes = since(o->now.tx_bytes, &o->prev.tx_bytes);
	row->rx_packets = since(o->now.rx_packets, &o->prev.rx_packets);
	row->tx_packets = since(o->now.tx_packets, &o->prev.tx_packets);
	row->rx_dropped = since(o->now.rx_dropped, &o->prev.rx_dropped);
	row->tx_dropped = since(o->now.tx_dropped, &o->prev.tx_dropped);
}

static void row_tasks(struct one *o, bool ended)
{
	struct resource_rec *row = &o->row;

	row->major_faults = since(o->total.use.major, &o->told.use.major);
	row->faults = since(o->total.use.minor, &o->told.use.minor) + row->major_faults;
	row->oom_kills = since(o->total.oom_kills, &o->told.oom_kills);
	row->forks = since(o->total.forks, &o->told.forks);
	row->threads = since(o->total.threads, &o->told.threads);
	row->execs = since(o->total.execs, &o->told.execs);
	if (!ended) {
		row->tasks = o->total.level[o->total.count & 1].tasks;
		row->fds = o->total.level[o->total.count & 1].fds;
	}
}

static void row_source(const struct cresource *r, struct one *o)
{
	const char *net = "none";

	if (o->now.has_net)
		net = "devices";
	else if (on_host_net(o) && r->sockets)
		net = "sockets";
	snprintf(o->row.source, sizeof(o->row.source), "cpu:%s memory:%s disk:%s network:%s",
		 o->now.has_cpu && !(o->cpu_by_tasks && o->row.cpu_ns) ? "cgroup" : "tasks", o->memory_seen ? "cgroup" : "tasks",
		 o->now.has_disk && o->based ? "cgroup" : "tasks", net);
}

static void row_make(struct cresource *r, struct one *o, bool ended, uint64_t from, uint64_t to)
{
	uint64_t start = o->total.opened_ns > from && o->total.opened_ns < to ? o->total.opened_ns : from;
	uint64_t end = ended && o->gone_ns > start && o->gone_ns < to ? o->gone_ns : to;

	memset(&o->row, 0, sizeof(o->row));
	o->row.h = o->head;
	o->row.h.start_ns = start; /* not shown: the row is of no process */
	o->row.h.time_ns = end;
	row_cpu(o);
	o->row.percent = end > start ? o->row.cpu_ns * 100.0 / (end - start) : 0;
	row_memory(r, o, ended);
	row_io(o);
	row_tasks(o, ended);
	row_source(r, o);
	if (!o->based)
		o->prev = o->now;
	o->based = true;
	o->read = false;
}

/* ---- the interval ---- */

/* Over the tasks that did something, where the kernel can; now and then over all. */
static int before(struct cb_run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct cresource *r = cb_run_data(run);
	struct one *o;

	for (o = r->one; o; o = o->hh.next)
		o->proc_anon = o->proc_file = 0;
	r->pass_ns = cb_now_boot();
	if (!++r->passes)
		r->passes++;
	r->skel->bss->pass = r->passes;
	/* tasks of unwanted containers are marked by the iterator; once the probes are gone nothing tells who comes and goes */
	r->skel->bss->whole = r->by_process || r->gone || r->skel->bss->cb_dropping || r->passes % r->look_again == 0 || cb_run_ending(run);
	if (!r->walk || r->skel->bss->whole)
		return 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(r->skel->progs.resource_walk), &opts))
		return cb_run_fail(run, -errno, "walk over tasks: %s", strerror(errno));
	return 1;
}

/* All totals in one call. */
static int read_totals(struct cb_run *run, struct cresource *r, __u32 *ret)
{
	__u64 next;

	*ret = MAX_CONTAINERS;
	if (bpf_map_lookup_batch(bpf_map__fd(r->skel->maps.totals), NULL, &next, r->key, r->total, ret, NULL) &&
	    errno != ENOENT) /* that is its end */
		return cb_run_fail(run, -errno, "totals of the containers: %s", strerror(errno));
	return 0;
}

/* Its files, as far as they can have changed. */
static void read_changed(struct one *o, bool ended, uint64_t now)
{
	bool due = o->read_ns + o->idle_ns <= now, ran = o->total.use.runtime != o->told.use.runtime;
	uint64_t packets = o->now.rx_packets;

	if (o->total.memory_pages != o->told.memory_pages || !o->total.memory_found)
		o->moved_ns = now;
	if ((ran && o->split_ns + o->idle_ns <= now) || o->moved_ns + SETTLE_NS > now) {
		o->split_ns = now;
		read_account(o, true, true, now);
	} else if (ended || ran || due) {
		read_account(o, ended || ran, false, now);
	}
	/* packets may come to one that does not look at them, and what it wrote is on its way to the disk */
	if (ran || o->now.rx_packets != packets)
		o->idle_ns = IDLE_NS;
	else if (due && o->idle_ns < IDLE_MAX_NS)
		o->idle_ns *= 2;
}

static void add_row(struct cb_run *run, struct cresource *r, uint64_t key, const struct resource_total *t,
		    uint64_t from, uint64_t to)
{
	/* it has no task: it is over, unless it began since */
	bool none = !t->level[t->count & 1].tasks || (r->skel->bss->whole && t->pass != r->passes);
	bool ended = none && t->opened_ns < r->pass_ns;
	struct cb_head who = { .cont = key, .pid = t->pid };
	struct one *o = one_find(r, key);

	if (!o) /* its note was lost */
		o = one_open(run, r, key, t, &who);
	if (key && !o->account) { /* not wanted */
		cb_run_made(run, 1);
		cb_run_filtered(run, 1);
		if (ended)
			one_close(r, o);
		return;
	}
	if (!ended && o->told_once && to - from < SLIVER_NS)
		return;
	o->total = *t;
	o->over = ended;
	o->told_once = true;
	read_changed(o, ended, to);
	row_make(r, o, ended, from, to);
	o->told.memory_pages = t->memory_pages;
	r->row[r->nrow++] = o;
}

static double value(const struct cb_field *f, const struct resource_rec *row)
{
	const char *at = (const char *)row + f->off;
	double d;
	uint64_t u;

	if (f->type == CB_FLOAT) {
		memcpy(&d, at, sizeof(d));
		return d;
	}
	memcpy(&u, at, sizeof(u));
	return u;
}

static int by_field(const void *a, const void *b, void *arg)
{
	const struct one *x = *(struct one *const *)a, *y = *(struct one *const *)b;
	double u = value(arg, &x->row), v = value(arg, &y->row);

	if (u != v)
		return u < v ? 1 : -1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static void sort_rows(struct cresource *r)
{
	qsort_r(r->row, r->nrow, sizeof(*r->row), by_field, (void *)r->sort);
}

/* The rows on the screen are of containers that may have ended: they go when the next interval is told. */
static void drop_ended(struct cresource *r)
{
	for (size_t i = 0; i < r->nrow; i++)
		if (r->row[i]->over)
			one_close(r, r->row[i]);
	r->nrow = 0;
}

static int tick(struct cb_run *run, uint64_t from, uint64_t to)
{
	struct cresource *r = cb_run_data(run);
	__u32 n;
	int err;

	r->skel->bss->pass = 0;
	drop_ended(r);
	err = read_totals(run, r, &n);
	for (__u32 i = 0; !err && i < n; i++)
		add_row(run, r, r->key[i], &r->total[i], from, to);
	sort_rows(r);
	for (size_t i = 0; !err && i < r->nrow; i++) {
		struct one *o = r->row[i];

		cb_run_made(run, 1);
		err = cb_emit_span(run, &o->row, sizeof(o->row), o->over ? "end" : NULL, o->row.h.start_ns,
				   o->row.h.time_ns, 1, 0);
	}
	r->from = from;
	r->to = to;
	return err;
}

/* ---- the screen ---- */

/* A numeric field by its name, or by the last parts of it. */
static const struct cb_field *find_field(const char *name)
{
	const struct cb_schema *s = &cb_schema_resource;
	size_t len = strlen(name);

	for (size_t i = 0; i < s->nfields; i++) {
		const char *full = s->field[i].name;
		size_t n = strlen(full);

		if (s->field[i].type != CB_STR && len <= n && !strcmp(full + n - len, name) &&
		    (len == n || full[n - len - 1] == '.'))
			return &s->field[i];
	}
	return NULL;
}

/* 999, 9.8K, 123M: five columns */
static const char *human(double v, char *to)
{
	static const char unit[] = " KMGTPE";
	int u = 0;

	while (v >= 999.5 && unit[u + 1]) {
		v /= 1024;
		u++;
	}
	if (!u)
		snprintf(to, 16, "%.0f", v);
	else
		snprintf(to, 16, "%.*f%c", v < 9.95 ? 1 : 0, v, unit[u]);
	return to;
}

static void screen_row(struct cb_run *run, const struct one *o, int width, FILE *out)
{
	const struct resource_rec *w = &o->row;
	double s = (w->h.time_ns - w->h.start_ns) / 1e9, wait;
	struct cb_buf name = {}, line = {};
	char b[6][16], share[16] = "-";

	if (s <= 0)
		s = 1;
	wait = w->delay_ns / s / 1e7;
	if (w->limit)
		snprintf(share, sizeof(share), "%.0f", w->memory * 100.0 / w->limit);
	cb_buf_puts(&name, cb_run_container(run, &o->head));
	cb_buf_printf(&line, "%-20.20s %6.1f %6.1f %6s %5s %7s %7s %7s %7s %6llu %6llu %7.0f %7.0f",
		      name.len ? name.s : "-", w->percent, wait, human(w->memory, b[0]), share,
		      human(w->read_bytes / s, b[1]), human(w->write_bytes / s, b[2]), human(w->rx_bytes / s, b[3]),
		      human(w->tx_bytes / s, b[4]), (unsigned long long)w->tasks, (unsigned long long)w->fds, w->forks / s,
		      w->execs / s);
	fprintf(out, "%.*s\n", width, line.s);
	cb_buf_free(&name);
	cb_buf_free(&line);
}

static int screen(struct cb_run *run, FILE *out)
{
	struct cresource *r = cb_run_data(run);
	struct winsize ws;
	time_t now = time(NULL);
	char clock[16], head[160];
	double cpu = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_row || !ws.ws_col)
		ws = (struct winsize){ .ws_row = 24, .ws_col = 80 }; /* a terminal that does not know */
	for (size_t i = 0; i < r->nrow; i++)
		cpu += r->row[i]->row.percent;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	snprintf(head, sizeof(head), "%-20s %6s %6s %6s %5s %7s %7s %7s %7s %6s %6s %7s %7s", "CONTAINER", "CPU%", "WAIT%",
		 "MEMORY", "OF%", "READ/S", "WRITE/S", "RX/S", "TX/S", "TASKS", "FDS", "FORKS/S", "EXECS/S");
	fprintf(out, "\033[H\033[J%s  %zu containers, %.1f %% of a CPU in %.1f s, by %s  (s sorts, p pauses, q ends)\n\n%.*s\n",
		clock, r->nrow, cpu, (r->to - r->from) / 1e9, r->sort->name, ws.ws_col, head);
	for (size_t i = 0; i < r->nrow && i + 4 < ws.ws_row; i++)
		screen_row(run, r->row[i], ws.ws_col, out);
	return fflush(out) ? -errno : 0;
}

/* s: by the next of the fields that the screen shows */
static bool key(struct cb_run *run, int c)
{
	static const char *const shown[] = { "cpu.time_ns", "delay_ns", "usage_bytes", "read_bytes", "write_bytes", "rx_bytes",
					     "tx_bytes", "tasks", "descriptors", "forks", "execs" };
	struct cresource *r = cb_run_data(run);
	size_t n = sizeof(shown) / sizeof(shown[0]), next = 0;

	if (c != 's')
		return false;
	for (size_t i = 0; i < n; i++)
		if (find_field(shown[i]) == r->sort)
			next = (i + 1) % n;
	r->sort = find_field(shown[next]);
	sort_rows(r);
	return true;
}

/* ---- set-up ---- */

/* Its programs are attached later, if ever, and not loaded where this kernel has no such tracepoints. */
static void prepare_sockets(struct cresource *r)
{
	struct bpf_program *p[] = { r->skel->progs.resource_sent, r->skel->progs.resource_received };

	r->sockets = cb_run_kernel_has("__traceiter_sock_send_length") && cb_run_kernel_has("__traceiter_sock_recv_length");
	for (int i = 0; i < 2; i++) {
		bpf_program__set_autoload(p[i], r->sockets);
		bpf_program__set_autoattach(p[i], false);
	}
}

/*
 * The kernel lets a program walk over tasks since 6.7, but the verifiers up to 6.12 at least lose their way in what is
 * done with each (more than a million steps), and take a second to do so. Whether this one does not is tried.
 */
static bool can_walk(void)
{
	unsigned major = 0, minor = 0;
	struct resource_bpf *trial;
	struct bpf_program *p;
	struct utsname u;
	bool loads;

	if (!cb_run_kernel_has("bpf_iter_task_new") || uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2 ||
	    major < 6 || (major == 6 && minor < 18))
		return false;
	trial = resource_bpf__open();
	if (!trial)
		return false;
	bpf_object__for_each_program(p, trial->obj)
		bpf_program__set_autoload(p, p == trial->progs.resource_walk);
	loads = !resource_bpf__load(trial);
	resource_bpf__destroy(trial);
	return loads;
}

/* Some files a container stay open. */
static void raise_files(void)
{
	struct rlimit l;

	if (!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int setup(struct cb_run *run, void *skel)
{
	struct cresource *r = cb_run_data(run);
	struct stat st;

	r->skel = skel;
	r->hiers = cb_hiers_new("");
	r->row = cb_xalloc(MAX_CONTAINERS * sizeof(*r->row));
	r->key = cb_xalloc(MAX_CONTAINERS * sizeof(*r->key));
	r->total = cb_xalloc(MAX_CONTAINERS * sizeof(*r->total));
	r->page = sysconf(_SC_PAGESIZE);
	if (!stat("/proc/self/ns/net", &st))
		r->skel->rodata->host_netns = st.st_ino;
	r->look_again = LOOK_NS > cb_run_interval(run) ? LOOK_NS / cb_run_interval(run) : 1;
	r->walk = can_walk();
	bpf_program__set_autoload(r->skel->progs.resource_walk, r->walk);
	bpf_program__set_autoattach(r->skel->progs.resource_walk, false);
	raise_files();
	prepare_sockets(r);
	return 0;
}

enum { KEY_SORT = CB_KEY_TOOL };

static const struct argp_option options[] = {
	{ "sort", KEY_SORT, "FIELD", 0, "most of this field first (the usual: container.cpu.time_ns); its end will do, as tx_bytes", 3 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static int parse(struct cb_run *run, int key, char *arg)
{
	struct cresource *r = cb_run_data(run);

	r->sort = find_field(arg);
	if (!r->sort)
		return cb_run_fail(run, -EINVAL, "--sort: expected a field that is a number (--fields=help lists them), got \"%s\"",
				   arg);
	return 0;
}

static void done(struct cb_run *run)
{
	struct cresource *r = cb_run_data(run);
	struct one *o, *next;

	HASH_ITER(hh, r->one, o, next)
		one_close(r, o);
	bpf_link__destroy(r->sent);
	bpf_link__destroy(r->received);
	cb_hiers_free(r->hiers);
	free(r->row);
	free(r->key);
	free(r->total);
	free(r);
}

static const struct cb_tool cresource = {
	.name = "cresource",
	.args = "[INTERVAL [COUNT]]",
	.doc = "Shows what containers use: CPU, memory, disk, network, tasks.",
	.examples = "cresource                        a screen, refreshed every second\n"
		    "cresource 10 6 -j                six reports of 10 s each as JSON Lines\n"
		    "cresource --sort=tx_bytes        who sends most\n"
		    "cresource -c web -w rec.zst 5    one container, recorded as well\n",
	.schema = { &cb_schema_resource },
	.skel = &resource_skel,
	.option = options,
	.interval_ns = 1000000000,
	.tasks_ns = 20000000000,
	.parse = parse,
	.setup = setup,
	.record = record,
	.before = before,
	.tick = tick,
	.screen = screen,
	.key = key,
	.done = done,
};

int main(int argc, char **argv)
{
	struct cresource *r = cb_xalloc(sizeof(*r));

	r->sort = find_field("container.cpu.time_ns");
	return cb_main_data(&cresource, r, argc, argv);
}
