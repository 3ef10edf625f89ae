/* SPDX-License-Identifier: GPL-2.0 */
/* Where a collector's rows go: stdout in the format asked for, and the recording of -w. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

int cb_output_open(struct cb_run *run)
{
	const struct cb_opts *o = &run->opt;
	enum cb_format f;
	int err;

	run->screen = o->format == CB_TABLE && run->tool->screen && run->schema == run->tool->schema[0] &&
		      isatty(STDOUT_FILENO);
	err = cb_out_open(&run->out, "-", &run->err);
	if (!err)
		err = cb_writer_open(&run->outw, o->format, run->out, run->schema, o->fields, &run->err);
	if (err || !o->write)
		return err;
	f = ends_with(o->write, ".csv") || ends_with(o->write, ".csv.zst") ? CB_CSV : CB_JSON;
	err = cb_out_open(&run->rec, o->write, &run->err);
	return err ? err : cb_writer_open(&run->recw, f, run->rec, run->schema, NULL, &run->err);
}

void cb_output_event(struct cb_run *run, const struct cb_event *ev)
{
	if (!run->screen)
		cb_writer_event(run->outw, ev);
	if (run->recw)
		cb_writer_event(run->recw, ev);
}

void cb_output_meta(struct cb_run *run, const struct cb_common *c)
{
	if (!run->screen)
		cb_writer_meta(run->outw, c);
	if (run->recw)
		cb_writer_meta(run->recw, c);
}

int cb_output_flush(struct cb_run *run)
{
	int err = cb_out_flush(run->out, &run->err);

	return err || !run->rec ? err : cb_out_flush(run->rec, &run->err);
}

int cb_output_reopen(struct cb_run *run)
{
	return cb_out_reopen(run->rec, &run->err);
}

int cb_output_close(struct cb_run *run)
{
	int err = cb_out_close(run->out, &run->err), err2 = cb_out_close(run->rec, &run->err);

	run->out = run->rec = NULL;
	cb_writer_free(run->outw);
	cb_writer_free(run->recw);
	run->outw = run->recw = NULL;
	return err ? err : err2;
}
