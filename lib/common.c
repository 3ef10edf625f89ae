/* SPDX-License-Identifier: GPL-2.0 */
/* The columns that all rows share, and the list of schemas. */
#include <string.h>
#include "field.h"

#define C(member, type, name, title, role, help)                                                                       \
	{                                                                                                              \
		name, title, help, type, role, offsetof(struct cb_common, member),                                     \
			sizeof(((struct cb_common *)0)->member)                                                        \
	}

/* Names are frozen: scripts and models rely on them. Add at the end of a group, rename never. */
const struct cb_field cb_common_fields[] = {
	C(dataset, CB_STR, "event.dataset", NULL, CB_NONE, "kind of row: cbtools.exec, cbtools.sequence, ..."),
	C(kind, CB_STR, "event.kind", NULL, CB_NONE, "schema, event, heartbeat, gap or end"),
	C(time, CB_TIME, "@timestamp", "TIME", CB_NONE, "when, UTC (a table shows local time)"),
	C(start, CB_TIME, "event.start", NULL, CB_NONE, "begin of the interval or chunk"),
	C(end, CB_TIME, "event.end", NULL, CB_NONE, "end of the interval or chunk"),
	C(duration, CB_DURATION, "event.duration_ns", NULL, CB_NONE, "length of the interval or chunk, ns"),
	C(count, CB_UINT, "event.count", NULL, CB_NONE, "how many the row stands for"),
	C(lost, CB_UINT, "event.lost", NULL, CB_NONE, "records lost just before this row; in the end row: of all"),
	C(truncated, CB_BOOL, "event.truncated", NULL, CB_NONE, "something was cut to fit"),
	C(host_id, CB_STR, "host.id", NULL, CB_NONE, "machine id"),
	C(boot_id, CB_STR, "host.boot.id", NULL, CB_NONE, "this boot of the machine"),
	C(cont_id, CB_STR, "container.id", NULL, CB_NONE, "container id, empty for the host"),
	C(cont_name, CB_STR, "container.name", "CONTAINER", CB_NONE, "container name"),
	C(image, CB_STR, "container.image.name", NULL, CB_NONE, "image name"),
	C(image_id, CB_STR, "container.image.id", NULL, CB_NONE, "image digest"),
	C(runtime, CB_STR, "container.runtime", NULL, CB_NONE, "engine, unknown if none fits"),
	C(cgroup, CB_PATH, "container.cgroup.path", NULL, CB_NONE, "control group"),
	C(label, CB_STR, "container.label", NULL, CB_NONE, "KEY=VALUE of the label that --label asks for"),
	C(action, CB_STR, "event.action", "ACTION", CB_NONE, "what was done"),
	C(pid, CB_UINT, "process.pid", "PID", CB_NONE, "process id on the host"),
	C(vpid, CB_UINT, "process.vpid", NULL, CB_NONE, "process id inside the container"),
	C(tid, CB_UINT, "process.thread.id", NULL, CB_NONE, "thread id on the host"),
	C(ppid, CB_UINT, "process.parent_pid", NULL, CB_NONE, "parent's process id on the host"),
	C(creation, CB_TIME, "process.creation.time", NULL, CB_NONE, "when the process was made"),
	C(exec_id, CB_UINT, "process.exec.id", NULL, CB_NONE, "the exec it runs since: boot time in ns, unique on a host's boot"),
	C(comm, CB_STR, "process.name", "COMM", CB_NONE, "name the process gives itself"),
	C(exe, CB_PATH, "process.executable.path", NULL, CB_SET, "program file, as the container sees it"),
	C(uid, CB_UINT, "user.id", NULL, CB_NONE, "real user id on the host"),
	C(entered, CB_BOOL, "process.entered", NULL, CB_NONE, "put into the container from outside, or child of such"),
	C(first, CB_BOOL, "process.first", NULL, CB_NONE, "the container's first process: it starts and ends with it"),
	C(seen, CB_UINT, "event.seen", NULL, CB_NONE, "end and heartbeat: records the probes saw"),
	C(sent, CB_UINT, "event.sent", NULL, CB_NONE, "end and heartbeat: of these, sent to user space"),
	C(filtered, CB_UINT, "event.filtered", NULL, CB_NONE, "end and heartbeat: of these, not asked for"),
	C(misses, CB_UINT, "event.recursion_misses", NULL, CB_NONE, "end and heartbeat: runs the kernel skipped"),
};
const size_t cb_ncommon_fields = sizeof(cb_common_fields) / sizeof(cb_common_fields[0]);

bool cb_field_is_common(const struct cb_field *f)
{
	return (uintptr_t)f >= (uintptr_t)cb_common_fields &&
	       (uintptr_t)f < (uintptr_t)(cb_common_fields + cb_ncommon_fields);
}

/* Counters belong to the rows that sum up. */
static bool sums_up(const struct cb_common *c)
{
	return c->kind && (!strcmp(c->kind, "heartbeat") || !strcmp(c->kind, "end"));
}

#define AT(member) offsetof(struct cb_common, member)

bool cb_common_empty(const struct cb_field *f, const struct cb_common *c)
{
	switch (f->off) {
	case AT(time): return !c->time;
	case AT(start): return !c->start;
	case AT(end): return !c->end;
	case AT(duration): return !c->duration;
	case AT(count): return !c->count;
	case AT(lost): return !c->lost && !sums_up(c);
	case AT(truncated): return !c->truncated;
	case AT(pid):
	case AT(comm):
	case AT(exe):
	case AT(uid): return !c->pid;
	case AT(vpid): return !c->pid || !c->vpid;
	case AT(tid): return !c->pid || !c->tid;
	case AT(ppid): return !c->pid || !c->ppid;
	case AT(creation): return !c->pid || !c->creation;
	case AT(exec_id): return !c->pid || !c->exec_id;
	case AT(entered): return !c->pid || !c->entered;
	case AT(first): return !c->pid || !c->first;
	case AT(seen):
	case AT(sent):
	case AT(filtered):
	case AT(misses): return !sums_up(c);
	default: return false; /* a text, which may be empty itself */
	}
}

const struct cb_schema *cb_schema_find(const char *name)
{
	if (!strncmp(name, "cbtools.", 8))
		name += 8;
	for (const struct cb_schema *const *s = cb_schemas; *s; s++)
		if (!strcmp((*s)->name, name))
			return *s;
	return NULL;
}
