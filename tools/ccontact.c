/* SPDX-License-Identifier: GPL-2.0 */
/* ccontact: what containers do to each other, and to the host, without a socket. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cb.h"
#include "container.h"
#include "contact.h"
#include "contact.skel.h"

CB_SKEL(contact)

#define SEARCHES 64 /* for a namespace's container, in one interval: who makes ever new ones gets no more */
#define BATCH 256

struct contacts {
	bool inside;
	struct contact_bpf *skel;
	unsigned searches;
};

static const char *const actions[CONTACT_KINDS] = {
	[CONTACT_SIGNAL] = "signal",
	[CONTACT_PTRACE] = "ptrace",
	[CONTACT_VM_READ] = "process_vm_readv",
	[CONTACT_VM_WRITE] = "process_vm_writev",
	[CONTACT_MADVISE] = "process_madvise",
	[CONTACT_MRELEASE] = "process_mrelease",
	[CONTACT_GETFD] = "pidfd_getfd",
	[CONTACT_KCMP] = "kcmp",
	[CONTACT_MOVE_PAGES] = "move_pages",
	[CONTACT_MIGRATE_PAGES] = "migrate_pages",
	[CONTACT_PERF] = "perf_event_open",
	[CONTACT_PRLIMIT] = "prlimit",
	[CONTACT_AFFINITY] = "sched_setaffinity",
	[CONTACT_SCHEDULER] = "sched_setscheduler",
	[CONTACT_SETNS] = "setns",
	[CONTACT_ROOT] = "proc_root",
	[CONTACT_MEM] = "proc_mem",
	[CONTACT_MAPS] = "proc_maps",
	[CONTACT_ENVIRON] = "proc_environ",
	[CONTACT_FD] = "proc_fd",
	[CONTACT_WRITE] = "proc_write",
	[CONTACT_SHARED_READ] = "shared_read",
	[CONTACT_SHARED_WRITE] = "shared_write",
};

/* A line more is a call more. */
static const struct {
	const char *name, *program;
	struct contact_call call;
} contact_calls[] = {
	{ "kill", "contact_refused", { .what = CONTACT_SIGNAL, .pid = 1, .num = 2 } },
	{ "tkill", "contact_refused", { .what = CONTACT_SIGNAL, .pid = 1, .num = 2 } },
	{ "tgkill", "contact_refused", { .what = CONTACT_SIGNAL, .pid = 2, .num = 3 } },
	{ "rt_sigqueueinfo", "contact_refused", { .what = CONTACT_SIGNAL, .pid = 1, .num = 2 } },
	{ "rt_tgsigqueueinfo", "contact_refused", { .what = CONTACT_SIGNAL, .pid = 2, .num = 3 } },
	{ "pidfd_send_signal", "contact_refused", { .what = CONTACT_SIGNAL, .pidfd = 1, .num = 2 } },
	{ "ptrace", "contact_pid", { .what = CONTACT_PTRACE, .pid = 2, .num = 1 } },
	{ "process_vm_readv", "contact_pid", { .what = CONTACT_VM_READ, .pid = 1 } },
	{ "process_vm_writev", "contact_pid", { .what = CONTACT_VM_WRITE, .pid = 1 } },
	{ "process_madvise", "contact_pidfd", { .what = CONTACT_MADVISE, .pidfd = 1 } },
	{ "process_mrelease", "contact_pidfd", { .what = CONTACT_MRELEASE, .pidfd = 1 } },
	{ "pidfd_getfd", "contact_pidfd", { .what = CONTACT_GETFD, .pidfd = 1, .num = 2 } },
	{ "kcmp", "contact_pid", { .what = CONTACT_KCMP, .pid = 1, .pid2 = 2, .num = 3 } },
	{ "move_pages", "contact_pid", { .what = CONTACT_MOVE_PAGES, .pid = 1 } },
	{ "migrate_pages", "contact_pid", { .what = CONTACT_MIGRATE_PAGES, .pid = 1 } },
	{ "perf_event_open", "contact_pid", { .what = CONTACT_PERF, .pid = 2 } },
	{ "prlimit64", "contact_pid", { .what = CONTACT_PRLIMIT, .pid = 1, .num = 2, .change = 3 } },
	{ "sched_setaffinity", "contact_pid", { .what = CONTACT_AFFINITY, .pid = 1 } },
	{ "sched_setscheduler", "contact_pid", { .what = CONTACT_SCHEDULER, .pid = 1, .num = 2 } },
	{ "sched_setparam", "contact_pid", { .what = CONTACT_SCHEDULER, .pid = 1 } },
	{ "sched_setattr", "contact_pid", { .what = CONTACT_SCHEDULER, .pid = 1 } },
	{ "setns", "contact_setns", { .what = CONTACT_SETNS } },
	{ "open", "contact_open", { .path = 1 } },
	{ "creat", "contact_open", { .path = 1 } },
	{ "openat", "contact_open", { .path = 2 } },
	{ "openat2", "contact_open", { .path = 2 } },
	{ "open_by_handle_at", "contact_open", { .path = 0 } },
	{ "chdir", "contact_root", { .num = CONTACT_BY_CHDIR, .path = 1 } },
	{ "fchdir", "contact_root", { .num = CONTACT_BY_CHDIR } },
	{ "chroot", "contact_root", { .num = CONTACT_BY_CHROOT, .path = 1 } },
};

/* ---- words ---- */

struct word {
	uint32_t n;
	const char *text;
};

/* include/uapi/linux/ptrace.h */
static const struct word requests[] = {
	{ 1, "PEEKTEXT" },	  { 2, "PEEKDATA" },	    { 3, "PEEKUSER" },		{ 4, "POKETEXT" },
	{ 5, "POKEDATA" },	  { 6, "POKEUSER" },	    { 7, "CONT" },		{ 8, "KILL" },
	{ 9, "SINGLESTEP" },	  { 12, "GETREGS" },	    { 13, "SETREGS" },		{ 14, "GETFPREGS" },
	{ 15, "SETFPREGS" },	  { 16, "ATTACH" },	    { 17, "DETACH" },		{ 24, "SYSCALL" },
	{ 31, "SYSEMU" },	  { 0x4200, "SETOPTIONS" }, { 0x4201, "GETEVENTMSG" },	{ 0x4202, "GETSIGINFO" },
	{ 0x4203, "SETSIGINFO" }, { 0x4204, "GETREGSET" },  { 0x4205, "SETREGSET" },	{ 0x4206, "SEIZE" },
	{ 0x4207, "INTERRUPT" },  { 0x4208, "LISTEN" },	    { 0x4209, "PEEKSIGINFO" },	{ 0x420a, "GETSIGMASK" },
	{ 0x420b, "SETSIGMASK" }, { 0x420c, "SECCOMP_GET_FILTER" }, { 0x420e, "GET_SYSCALL_INFO" }, { 0, NULL },
};

static const struct word namespaces[] = {
	{ CLONE_NEWNS, "mnt" },	  { CLONE_NEWPID, "pid" },   { CLONE_NEWNET, "net" },	      { CLONE_NEWIPC, "ipc" },
	{ CLONE_NEWUTS, "uts" },  { CLONE_NEWUSER, "user" }, { CLONE_NEWCGROUP, "cgroup" }, { 0x80, "time" },
	{ 0, NULL },
};

static const struct word ways[] = {
	{ CONTACT_BY_READ, "read" },	 { CONTACT_BY_WRITE, "write" }, { CONTACT_BY_CHDIR, "chdir" },
	{ CONTACT_BY_CHROOT, "chroot" }, { CONTACT_BY_EXEC, "exec" },	{ 0, NULL },
};

static const char *word_of(const struct word *w, uint32_t n)
{
	for (; w->text; w++)
		if (w->n == n)
			return w->text;
	return NULL;
}

static void words_of(const struct word *w, uint32_t bits, char *to, size_t size)
{
	size_t at = 0;

	for (; w->text && at < size; w++)
		if (bits & w->n)
			at += snprintf(to + at, size - at, "%s%s", at ? " " : "", w->text);
}

static void set_detail(const struct contact_note *n, struct contact_rec *r)
{
	const struct contact_key *k = &n->key;
	const char *word;

	if (n->other)
		return;
	switch (k->what) {
	case CONTACT_SIGNAL:
		r->signal = k->num;
		break;
	case CONTACT_PTRACE:
		word = word_of(requests, k->num);
		if (word)
			snprintf(r->detail, sizeof(r->detail), "%s", word);
		else
			snprintf(r->detail, sizeof(r->detail), "request %u", k->num);
		break;
	case CONTACT_SETNS:
		words_of(namespaces, k->num, r->detail, sizeof(r->detail));
		break;
	case CONTACT_GETFD:
		snprintf(r->detail, sizeof(r->detail), "fd %u", k->num);
		break;
	default:
		snprintf(r->detail, sizeof(r->detail), "%.*s", CONTACT_NAME, n->name);
		if (k->what == CONTACT_ROOT && !*n->name)
			words_of(ways, k->num, r->detail, sizeof(r->detail));
	}
}

/* ---- whose namespace ---- */

static const char *const ns_files[] = { "net", "ipc", "uts", "user", "cgroup", "time" };
static const uint32_t ns_types[] = { CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWCGROUP, 0x80 };

struct search {
	uint32_t ns;
	const char *file;
	uint64_t skip; /* not this container */
	uint64_t found, since;
};

static bool has_ns(const char *process, const char *file, uint32_t ns)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, file);
	return !stat(path, &st) && st.st_ino == ns;
}

static bool cont_has_ns(const struct cb_cont *c, const struct search *s)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", c->pid);
	return !c->gone && c->pid && has_ns(pid, s->file, s->ns);
}

/* Of several the oldest: others may have entered it. */
static int look(struct cb_cont *c, void *arg)
{
	struct search *s = arg;

	if (c->key != s->skip && (s->found == CONTACT_UNKNOWN || c->since < s->since) && cont_has_ns(c, s)) {
		s->found = c->key;
		s->since = c->since;
	}
	return 0;
}

/* The kernel half knows of mount and pid namespaces. What several containers share is the acting one's first. */
static uint64_t owner_of_ns(struct cb_run *run, const struct contact_note *n)
{
	struct contacts *t = cb_run_data(run);
	const struct cb_cont *own = cb_run_cont(run, &n->h);
	struct search s = { .ns = n->key.ns, .skip = n->key.from, .found = CONTACT_UNKNOWN };

	for (size_t i = 0; i < sizeof(ns_types) / sizeof(ns_types[0]); i++)
		if (ns_types[i] == n->key.num)
			s.file = ns_files[i];
	if (!s.file || ++t->searches > SEARCHES)
		return CONTACT_UNKNOWN;
	if (has_ns("self", s.file, s.ns))
		return 0;
	/* by another process than the one that has just gone there */
	if (own && own->pid != n->h.pid && cont_has_ns(own, &s))
		return own->key;
	cb_run_conts(run, look, &s);
	return s.found;
}

/* ---- rows ---- */

static void set_target(struct cb_run *run, const struct contact_note *n, uint64_t to, struct contact_rec *r)
{
	struct cb_head h = { .cont = to, .pid = n->key.pid, .start_ns = n->start_ns };
	const struct cb_cont *c = to && to != CONTACT_UNKNOWN ? cb_run_cont(run, &h) : NULL;
	const char *name = to ? "unknown" : "host";

	if (!n->other) {
		r->target_pid = n->key.pid;
		r->target_vpid = n->vpid;
		memcpy(r->target_comm, n->comm, sizeof(r->target_comm));
	}
	if (c) {
		snprintf(r->target_container, sizeof(r->target_container), "%s", c->name);
		snprintf(r->target_id, sizeof(r->target_id), "%s", c->id);
		snprintf(r->target_image, sizeof(r->target_image), "%s", c->image);
		name = to == n->key.from ? "itself" : c->name;
	}
	snprintf(r->contact, sizeof(r->contact), "%s %.128s", actions[n->key.what], name);
}

static const char *scope_of(uint64_t from, uint64_t to)
{
	if (!from)
		return "from-host";
	if (to == CONTACT_UNKNOWN)
		return "unknown";
	return !to ? "to-host" : from == to ? "inside" : "between";
}

/* to: end of the interval, 0: told at once */
static int emit(struct cb_run *run, const struct contact_note *n, uint64_t count, uint64_t to)
{
	struct contacts *t = cb_run_data(run);
	struct contact_rec r = { .h = n->h, .error = n->key.error };
	uint64_t target = n->key.to;

	if (!n->key.what || n->key.what >= CONTACT_KINDS)
		return cb_run_fail(run, -EIO, "a contact of kind %u", n->key.what);
	if (target == CONTACT_UNKNOWN)
		target = owner_of_ns(run, n);
	/* between the host and nobody that is known; or a container's own */
	if ((target == CONTACT_UNKNOWN && !n->key.from) || (target == n->key.from && (!target || !t->inside))) {
		cb_run_filtered(run, count);
		return 0;
	}
	set_detail(n, &r);
	set_target(run, n, target, &r);
	strcpy(r.scope, scope_of(n->key.from, target));
	if (n->other)
		r.h.pid = 0; /* of many programs */
	if (to)
		r.h.time_ns = to;
	return cb_emit_span(run, &r, sizeof(r), actions[n->key.what], to ? n->h.time_ns : 0, to, count, to ? 0 : n->h.lost);
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	const struct contact_note *n = rec;

	return len == sizeof(*n) ? emit(run, n, 1, 0) : cb_run_fail(run, -EIO, "note of %zu bytes", len);
}

/* Nobody writes to that table any more. */
static int empty_table(struct cb_run *run, int fd, uint64_t to)
{
	struct contact_key *keys = cb_xalloc(BATCH * sizeof(*keys));
	struct contact_count *counts = cb_xalloc(BATCH * sizeof(*counts));
	uint64_t at[8] = {};
	bool begun = false, end = false;
	int err = 0;

	while (!err && !end) {
		__u32 n = BATCH;

		if (bpf_map_lookup_and_delete_batch(fd, begun ? at : NULL, at, keys, counts, &n, NULL)) {
			if (errno == ENOSPC) { /* a crowded bucket: from the beginning, what was read is gone */
				begun = false;
				continue;
			}
			if (errno != ENOENT) {
				err = cb_run_fail(run, -errno, "counters of contacts: %s", strerror(errno));
				break;
			}
			end = true;
		}
		begun = true;
		for (__u32 i = 0; !err && i < n; i++)
			if (counts[i].count)
				err = emit(run, &counts[i].n, counts[i].count, to);
	}
	free(keys);
	free(counts);
	return err;
}

/*
 * Turns the tables and takes what was counted so far. Programs that still saw the old turn are waited for: they run
 * inside a read-side critical section, and the barrier is over when all of those are.
 */
static int tick(struct cb_run *run, uint64_t from, uint64_t to)
{
	struct contacts *t = cb_run_data(run);
	uint32_t old = t->skel->bss->turn;
	int err;

	t->searches = 0;
	t->skel->bss->used[(old + 1) & 1] = 0;
	t->skel->bss->turn = old + 1;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(20000);
	err = cb_run_drain(run);
	return err ? err : empty_table(run, bpf_map__fd(old & 1 ? t->skel->maps.counts1 : t->skel->maps.counts0), to);
}

/* ---- set-up ---- */

static int attach(struct cb_run *run, const char *program, const char *when, const char *call)
{
	char *path = cb_xasprintf("syscalls/sys_%s_%s", when, call);
	int err = cb_run_attach(run, program, path);

	free(path);
	return err;
}

/* In these the sender fills in what kind of signal it is. */
static const char *const queue[CONTACT_QUEUE_CALLS] = { "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal" };

/* Older kernels do not give out a task's registers, in which the call's number stands: it is noted from entry to exit. */
static int attach_queue(struct cb_run *run)
{
	bool needed = !cb_run_kernel_has("bpf_task_pt_regs");
	int err = cb_run_program(run, "contact_queue", needed);

	if (!err)
		err = cb_run_program(run, "contact_queued", needed);
	for (size_t i = 0; needed && err >= 0 && i < CONTACT_QUEUE_CALLS; i++) {
		err = attach(run, "contact_queue", "enter", queue[i]);
		if (err >= 0)
			err = attach(run, "contact_queued", "exit", queue[i]);
	}
	return err;
}

static int setup(struct cb_run *run, void *skel)
{
	struct contacts *t = cb_run_data(run);
	struct contact_bpf *s = skel;
	int err = 0;

	t->skel = s;
	s->rodata->inside = t->inside;
	s->rodata->only_failed = cb_run_failed(run);
	s->rodata->by_process = cb_run_by_process(run);
	s->rodata->cb_cast = cb_run_kernel_has("bpf_rdonly_cast");
	for (size_t i = 0; err >= 0 && i < sizeof(contact_calls) / sizeof(contact_calls[0]); i++) {
		int nr = cb_syscall_number(contact_calls[i].name);

		if (nr < 0 || nr >= CONTACT_CALLS)
			continue;
		memcpy((void *)&s->rodata->calls[nr], &contact_calls[i].call, sizeof(contact_calls[i].call));
		err = attach(run, contact_calls[i].program, "exit", contact_calls[i].name);
	}
	for (size_t i = 0; i < CONTACT_QUEUE_CALLS; i++)
		s->rodata->queue_calls[i] = cb_syscall_number(queue[i]);
	if (err >= 0)
		err = attach_queue(run);
	return err < 0 ? err : 0;
}

enum { KEY_INSIDE = CB_KEY_TOOL };

static const struct argp_option options[] = {
	{ "inside", KEY_INSIDE, NULL, 0, "show contacts between processes of the same container too", 3 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static int parse(struct cb_run *run, int key, char *arg)
{
	struct contacts *t = cb_run_data(run);

	t->inside = true;
	return 0;
}

static const struct cb_tool ccontact = {
	.name = "ccontact",
	.doc = "Shows what containers do to each other's processes, memory, namespaces and files, and to the host's.",
	.examples = "ccontact                     contacts as they begin, repeated ones every 5 s\n"
		    "ccontact -c web -j           from and to one container, as JSON Lines\n"
		    "ccontact -x                  what was refused\n"
		    "ccontact --inside -d 10      ten seconds, also inside of containers\n",
	.schema = { &cb_schema_contact },
	.skel = &contact_skel,
	.option = options,
	.interval_ns = 5000000000,
	.tasks_ns = 5000000000, /* nothing of it lies in idle buffers */
	.failed_option = true,
	.calls = true,
	.parse = parse,
	.setup = setup,
	.record = record,
	.tick = tick,
};

int main(int argc, char **argv)
{
	struct contacts t = {};

	return cb_main_data(&ccontact, &t, argc, argv);
}
