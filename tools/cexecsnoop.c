/* SPDX-License-Identifier: GPL-2.0 */
/* cexecsnoop: what containers start, and how it ends. */
#include <unistd.h>
#include "cb.h"
#include "exec.h"
#include "exec.skel.h"

CB_SKEL(exec)

/* Of the programs that take failed execs: by the calls' own tracepoints, or by those of all calls. */
static int choose_failed(struct cb_run *run, bool own, bool any)
{
	static const char *const owns[] = { "failed_execve", "failed_execve_enter", "failed_execveat",
					    "failed_execveat_enter" };
	static const char *const anys[] = { "failed_any", "failed_any_enter" };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(owns) / sizeof(owns[0]); i++)
		err = cb_run_program(run, owns[i], own);
	for (size_t i = 0; !err && i < sizeof(anys) / sizeof(anys[0]); i++)
		err = cb_run_program(run, anys[i], any);
	return err;
}

static int setup(struct cb_run *run, void *skel)
{
	bool own = !access("/sys/kernel/tracing/events/syscalls", F_OK) ||
		   !access("/sys/kernel/debug/tracing/events/syscalls", F_OK);
	struct exec_bpf *s = skel;

	s->rodata->want_args = cb_run_args(run);
	s->rodata->nr_execve = cb_syscall_number("execve");
	s->rodata->nr_execveat = cb_syscall_number("execveat");
	return choose_failed(run, cb_run_failed(run) && own, cb_run_failed(run) && !own);
}

static int record(struct cb_run *run, const void *rec, size_t len, bool peek)
{
	static const char *const action[] = { "start", "exit", "failed" };
	const struct exec_rec *r = rec;
	unsigned what = r->h.kind >> 8;

	if (what > 2 || (cb_run_failed(run) && what != 2)) {
		cb_run_filtered(run, 1);
		return 0;
	}
	return cb_emit(run, rec, len, action[what]);
}

static const struct cb_tool cexecsnoop = {
	.name = "cexecsnoop",
	.doc = "Shows the processes that containers start and how they end.",
	.examples = "cexecsnoop                  what is started and ended, in all containers\n"
		    "cexecsnoop -c web -j        one container, as JSON Lines\n"
		    "cexecsnoop -x               execs that failed, and why\n"
		    "cexecsnoop -d 10 -w e.zst   ten seconds, recorded as well\n"
		    "cexecsnoop -r e.zst --csv   the recording as CSV\n",
	.schema = { &cb_schema_exec },
	.skel = &exec_skel,
	.failed_option = true,
	.setup = setup,
	.record = record,
};

int main(int argc, char **argv)
{
	return cb_main(&cexecsnoop, argc, argv);
}
