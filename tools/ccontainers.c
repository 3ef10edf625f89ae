/* SPDX-License-Identifier: GPL-2.0 */
/* ccontainers: the containers there are, as the other programs name them. */
#include <bpf/bpf.h>
#include <string.h>
#include "cb.h"
#include "container.h"
#include "containers.h"
#include "containers.skel.h"

CB_SKEL(containers)

struct list {
	struct containers_bpf *skel;
	struct cb_run *run;
	int err;
};

static int setup(struct cb_run *run, void *skel)
{
	static const char *const not_needed[] = { "cb_sched_exec", "cb_sched_fork", "cb_sched_exit", "cb_cgroup_rmdir",
						  "cb_cgroup_mkdir", "cb_cgroup_attach" };
	struct list *l = cb_run_data(run);
	int err = 0;

	l->skel = skel;
	for (size_t i = 0; !err && i < sizeof(not_needed) / sizeof(not_needed[0]); i++)
		err = cb_run_program(run, not_needed[i], false);
	return err;
}

static int before(struct cb_run *run)
{
	struct list *l = cb_run_data(run);

	l->skel->bss->counting = true;
	return 0;
}

/* "k=v" NUL "k=v" NUL; a label that does not fit is left out whole. Returns the bytes used. */
static size_t put_labels(struct container_rec *r, char *const *label)
{
	size_t used = 0, n;

	for (; label && *label; label++) {
		n = strlen(*label) + 1;
		if (n > sizeof(r->labels) - used) {
			r->h.flags |= CB_F_CUT;
			continue;
		}
		memcpy(r->labels + used, *label, n);
		used += n;
	}
	return used;
}

static int put_row(struct cb_run *run, const struct container_total *t, char *const *label)
{
	static struct container_rec r;
	size_t used;

	r.h = t->h;
	r.h.time_ns = cb_now_boot();
	r.started = t->h.start_ns ? cb_boot_to_utc(t->h.start_ns) : 0;
	r.tasks = t->tasks;
	r.processes = t->processes;
	used = put_labels(&r, label);
	cb_run_made(run, 1);
	return cb_emit(run, &r, offsetof(struct container_rec, labels) + used, "running");
}

/* One without a task is over: its end was between the two passes. */
static int list_one(struct cb_cont *c, void *arg)
{
	struct list *l = arg;
	struct container_total t;

	if (!bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.totals), &c->key, &t))
		l->err = put_row(l->run, &t, c->label);
	return l->err;
}

static int tick(struct cb_run *run, uint64_t start_ns, uint64_t end_ns)
{
	struct list *l = cb_run_data(run);
	struct container_total host;
	uint64_t none = 0;

	l->run = run;
	if (!bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.totals), &none, &host))
		l->err = put_row(run, &host, NULL); /* -a */
	if (!l->err)
		cb_run_conts(run, list_one, l);
	return l->err;
}

static void start(struct cb_run *run)
{
	cb_run_columns(run, "container.name,container.runtime,container.image.name,container.id,process.pid,"
			    "container.started,container.tasks,container.labels");
}

static const struct cb_tool ccontainers = {
	.name = "ccontainers",
	.doc = "Lists the containers that run now: id, name, image, engine, first process, control group, since when, tasks "
	       "and labels. It prints them and ends.",
	.examples = "ccontainers                      what runs here\n"
		    "ccontainers -c label=tier=web    with this label\n"
		    "ccontainers -j --fields=+container.processes\n"
		    "ccontainers --fields=container.name,container.cgroup.path\n",
	.schema = { &cb_schema_container },
	.streams = "", /* it is no stream */
	.skel = &containers_skel,
	.once = true,
	.start = start,
	.setup = setup,
	.before = before,
	.tick = tick,
};

int main(int argc, char **argv)
{
	struct list l = { 0 };

	return cb_main_data(&ccontainers, &l, argc, argv);
}
