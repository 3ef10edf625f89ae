/* SPDX-License-Identifier: GPL-2.0 */
/* cexecsnoop: what containers start, and how it ends. */
#include "cb.h"
#include "exec.h"
#include "exec.skel.h"

/* a flood of programs must leave room for some hundreds of another container's */
#define RING (4 * 1024 * 1024)

CB_SKEL(exec)

static void start(struct cb_run *run)
{
	cb_run_columns(run, cb_run_failed(run) ? "-event.action,-process.exit_code,-process.exit_signal,-process.executable.origin"
					       : "-error.errno");
}

static int setup(struct cb_run *run, void *skel)
{
	static const char *const failed[] = { "failed_execve", "failed_execve_enter", "failed_execveat",
					      "failed_execveat_enter" };
	struct exec_bpf *s = skel;
	int err = 0;

	s->rodata->want_args = cb_run_args(run);
	for (size_t i = 0; !err && i < sizeof(failed) / sizeof(failed[0]); i++)
		err = cb_run_program(run, failed[i], cb_run_failed(run));
	return err ? err : cb_run_ring(run, RING);
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
	.tasks_ns = 5000000000, /* nothing of it lies in idle buffers */
	.failed_option = true,
	.start = start,
	.setup = setup,
	.record = record,
};

int main(int argc, char **argv)
{
	return cb_main(&cexecsnoop, argc, argv);
}
