/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel half: load, attach, read rings and iterator, detach. */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

#define DRAIN_NS 200000000ULL /* a drain that takes longer pauses: output, signals and ticks want their turn */

int cb_run_program(struct cb_run *run, const char *program, bool load)
{
	struct bpf_program *p = bpf_object__find_program_by_name(run->obj, program);

	if (!p)
		return cb_fail(&run->err, -ENOENT, "probe has no program %s", program);
	bpf_program__set_autoload(p, load);
	return 0;
}

int cb_run_attach(struct cb_run *run, const char *program, const char *tracepoint)
{
	if (!cb_has_tracepoint(tracepoint)) {
		if (run->opt.verbose)
			fprintf(stderr, "%s: this kernel has no tracepoint %s\n", run->tool->name, tracepoint);
		return 0;
	}
	run->attach = cb_xrealloc(run->attach, (run->nattach + 1) * sizeof(*run->attach));
	run->attach[run->nattach].program = program;
	run->attach[run->nattach++].tracepoint = cb_xstrdup(tracepoint);
	return 1;
}

int cb_run_ring(struct cb_run *run, size_t bytes)
{
	return cb_kernel_ring(run->obj, bytes, &run->err);
}

/* Tasks of a container that nobody wants need not be recorded: the iterator marks them. */
static int mark_unwanted(struct cb_cont *c, void *arg)
{
	struct cb_run *run = arg;
	bool wanted = cb_filter_cont(run->opt.filter, c);
	bool dropping = true;
	__u8 yes = 1;

	if (wanted == c->wanted || run->unwanted < 0)
		return 0;
	c->wanted = wanted;
	if (wanted) {
		bpf_map_delete_elem(run->unwanted, &c->key);
		return 0;
	}
	bpf_map_update_elem(run->unwanted, &c->key, &yes, BPF_ANY);
	return cb_kernel_const(run->obj, "cb_dropping", &dropping, sizeof(dropping), &run->err);
}

static void take_life(struct cb_run *run, const struct cb_life *l, size_t len)
{
	struct cb_cont *c = cb_who_life(run->who, l, len);

	if (!c)
		return;
	mark_unwanted(c, run);
	if (run->tool->container)
		run->tool->container(run, c);
}

/* Names come late or change, and with them what is wanted. */
void cb_probe_refresh(struct cb_run *run)
{
	cb_who_refresh(run->who);
	cb_conts_each(cb_who_conts(run->who), mark_unwanted, run);
}

static int on_life(void *ctx, void *data, size_t len)
{
	take_life(ctx, data, len);
	return 0;
}

static int take_record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	int err = run->tool->record ? run->tool->record(run, rec, len, peek) : cb_emit(run, rec, len, NULL);

	if (err && !run->failed)
		run->failed = err;
	return run->failed;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct cb_run *run = ctx;
	int err = take_record(run, data, len, false);

	if (err)
		return err;
	return ++run->drained % 1024 || now_ns() < run->drain_until ? 0 : -EAGAIN;
}

int cb_probe_lives(struct cb_run *run)
{
	int n = ring_buffer__consume(run->lives);

	run->heard = n > 0;
	return n < 0 ? cb_fail(&run->err, n, "ring of life records: %s", strerror(-n)) : 0;
}

int cb_probe_drain(struct cb_run *run)
{
	int n, err = cb_probe_lives(run);

	if (err)
		return err;
	run->drain_until = now_ns() + DRAIN_NS;
	n = ring_buffer__consume(run->events);
	run->heard |= n != 0;
	if (n == -EAGAIN)
		return 1;
	if (run->failed)
		return run->failed;
	return n < 0 ? cb_fail(&run->err, n, "ring of records: %s", strerror(-n)) : 0;
}

bool cb_probe_sleep(struct cb_run *run)
{
	struct pollfd ring[2];

	if (run->heard)
		return false;
	for (int i = 0; i < 2; i++)
		ring[i] = (struct pollfd){ .fd = run->ring[i], .events = POLLIN };
	*run->asleep = true;
	__sync_synchronize();
	if (!poll(ring, 2, 0))
		return true;
	*run->asleep = false;
	return false;
}

void cb_probe_wake(struct cb_run *run)
{
	*run->asleep = false;
}

int cb_run_drain(struct cb_run *run)
{
	int err;

	while ((err = cb_probe_drain(run)) > 0)
		;
	return err;
}

/* The whole of a pass is read before any of it is used: see cb_probe_tasks(). */
static int read_tasks(struct cb_run *run)
{
	static const size_t step = 65536;
	int fd = bpf_iter_create(bpf_link__fd(run->iter));
	ssize_t n;

	if (fd < 0)
		return cb_fail(&run->err, -errno, "iterator over tasks: %s", strerror(errno));
	*run->late = false; /* whoever is late from here on asks anew */
	cb_buf_reset(&run->peeks);
	for (;;) {
		if (run->peeks.cap - run->peeks.len < step) {
			size_t len = run->peeks.len;
			char *more = cb_xalloc(step);

			cb_buf_put(&run->peeks, more, step);
			run->peeks.len = len;
			free(more);
		}
		n = read(fd, run->peeks.s + run->peeks.len, run->peeks.cap - run->peeks.len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			break;
		run->peeks.len += n;
	}
	n = n < 0 ? cb_fail(&run->err, -errno, "iterator over tasks: %s", strerror(errno)) : 0;
	close(fd);
	return n;
}

/* Calls fn for each record of the pass; life records or peeks. */
static int each_task_record(struct cb_run *run, bool peeks)
{
	struct cb_peek head;
	int err = 0;

	for (size_t at = 0; !err && at + sizeof(head) <= run->peeks.len; at += head.size) {
		memcpy(&head, run->peeks.s + at, sizeof(head));
		if (head.size < sizeof(head) || head.size > run->peeks.len - at)
			return cb_fail(&run->err, -EIO, "iterator over tasks: a record of %u bytes with %zu left", head.size,
				       run->peeks.len - at);
		if ((head.what == LIFE_PEEK) != peeks)
			continue;
		/* records are of any length, one right behind the other */
		cb_buf_reset(&run->one);
		cb_buf_put(&run->one, run->peeks.s + at, head.size);
		if (peeks)
			err = take_record(run, run->one.s + sizeof(head), head.size - sizeof(head), true);
		else
			take_life(run, (const void *)run->one.s, head.size);
	}
	return err;
}

/*
 * Peeks are used after the ring was drained: what was peeked at may have been sent in full since, never the
 * other way round, so a gap in the numbers is a loss.
 */
int cb_probe_tasks(struct cb_run *run)
{
	int err = read_tasks(run);

	if (!err)
		err = each_task_record(run, false);
	while (!err && (err = cb_probe_drain(run)) > 0)
		err = cb_output_flush(run);
	return err ? err : each_task_record(run, true);
}

static int attach_one(struct cb_run *run, struct bpf_program *p, struct bpf_link **ret)
{
	const char *section = bpf_program__section_name(p);
	struct bpf_link *l;
	int err;

	if (!strncmp(section, "tp/", 3))
		return cb_attach_tracepoint(p, section + 3, ret, &run->err);
	l = bpf_program__attach(p);
	err = l ? 0 : -errno;
	if (err)
		return cb_fail(&run->err, err, "cannot attach %s (%s): %s", bpf_program__name(p), section, strerror(-err));
	*ret = l;
	return 0;
}

static bool room_for_link(const struct cb_run *run)
{
	return run->nlinks < (int)(sizeof(run->link) / sizeof(run->link[0]));
}

/* tracepoint: of a program that has no one place */
static int add_link(struct cb_run *run, struct bpf_program *p, const char *tracepoint)
{
	struct bpf_link **l = &run->link[run->nlinks];
	int err;

	if (!room_for_link(run))
		return cb_fail(&run->err, -E2BIG, "more programs than links");
	err = tracepoint ? cb_attach_tracepoint(p, tracepoint, l, &run->err) : attach_one(run, p, l);
	if (!err)
		run->nlinks++;
	return err;
}

int cb_run_attach_now(struct cb_run *run, const char *program)
{
	struct bpf_program *p = bpf_object__find_program_by_name(run->obj, program);

	return p ? add_link(run, p, NULL) : cb_fail(&run->err, -ENOENT, "probe has no program %s", program);
}

int cb_run_attach_cgroups(struct cb_run *run, const char *program)
{
	struct bpf_program *p = bpf_object__find_program_by_name(run->obj, program);
	int root, err;
	struct bpf_link *l;

	if (!p || !room_for_link(run))
		return !p ? -ENOENT : -E2BIG;
	root = cb_cgroup_root();
	if (root < 0)
		return root;
	l = bpf_program__attach_cgroup(p, root);
	err = l ? 0 : -errno;
	close(root);
	if (l)
		run->link[run->nlinks++] = l;
	return err;
}

/* The iterator first: its first pass finds out where the tool is, before anything is classified. */
static int attach_all(struct cb_run *run)
{
	struct bpf_program *p;
	bool no = false;
	int err;

	p = bpf_object__find_program_by_name(run->obj, "cb_tasks");
	err = p ? attach_one(run, p, &run->iter) : -ENOENT;
	if (!err)
		err = read_tasks(run);
	if (!err)
		err = cb_kernel_const(run->obj, "cb_finding", &no, sizeof(no), &run->err);
	bpf_object__for_each_program(p, run->obj) {
		if (err)
			break;
		if (bpf_program__autoload(p) && bpf_program__autoattach(p) && strcmp(bpf_program__name(p), "cb_tasks") &&
		    strcmp(bpf_program__section_name(p), "tp"))
			err = add_link(run, p, NULL);
	}
	for (size_t i = 0; !err && i < run->nattach; i++) {
		p = bpf_object__find_program_by_name(run->obj, run->attach[i].program);
		err = p ? add_link(run, p, run->attach[i].tracepoint) : -ENOENT;
	}
	return err;
}

static int ring_fd(struct cb_run *run, const char *name)
{
	struct bpf_map *m = bpf_object__find_map_by_name(run->obj, name);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd = m ? bpf_map__fd(m) : -1;

	/* edge-triggered: woken when the probe asks, not whenever there is data */
	if (fd >= 0)
		epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &ev);
	return fd;
}

static int open_rings(struct cb_run *run)
{
	struct bpf_map *m = bpf_object__find_map_by_name(run->obj, "cb_unwanted");

	run->unwanted = m ? bpf_map__fd(m) : -1;
	run->ring[0] = ring_fd(run, "cb_lives");
	run->ring[1] = ring_fd(run, "cb_events");
	run->lives = ring_buffer__new(run->ring[0], on_life, run, NULL);
	run->events = ring_buffer__new(run->ring[1], on_record, run, NULL);
	if (!run->lives || !run->events)
		return cb_fail(&run->err, -errno, "ring buffer: %s", strerror(errno));
	run->asleep = cb_kernel_var(run->obj, "cb_asleep", sizeof(*run->asleep), &run->err);
	run->late = cb_kernel_var(run->obj, "cb_late", sizeof(*run->late), &run->err);
	return run->asleep && run->late ? 0 : -ENOENT;
}

int cb_probe_start(struct cb_run *run)
{
	const struct cb_tool *tool = run->tool;
	int err = cb_kernel_check(&run->err);

	if (err)
		return err;
	run->skel = tool->skel->open();
	if (!run->skel)
		return cb_fail(&run->err, -errno, "probe of %s: %s", tool->name, strerror(errno));
	run->obj = tool->skel->object(run->skel);
	err = cb_kernel_prepare(run->obj, run->opt.all, &run->err);
	if (!err && tool->setup)
		err = tool->setup(run, run->skel);
	cb_kernel_forget();
	if (err)
		return err;
	err = tool->skel->load(run->skel);
	if (err)
		return cb_fail(&run->err, err, "the kernel refuses the probe: %s (-vv shows its reasons)", strerror(-err));
	err = open_rings(run);
	if (!err && tool->loaded)
		err = tool->loaded(run);
	return err ? err : attach_all(run);
}

void cb_probe_detach(struct cb_run *run)
{
	while (run->nlinks > 0)
		bpf_link__destroy(run->link[--run->nlinks]);
}

void cb_probe_free(struct cb_run *run)
{
	cb_probe_detach(run);
	bpf_link__destroy(run->iter);
	ring_buffer__free(run->lives);
	ring_buffer__free(run->events);
	cb_buf_free(&run->peeks);
	cb_buf_free(&run->one);
	for (size_t i = 0; i < run->nattach; i++)
		free(run->attach[i].tracepoint);
	free(run->attach);
	if (run->skel)
		run->tool->skel->destroy(run->skel);
}
