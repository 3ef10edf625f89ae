/* SPDX-License-Identifier: GPL-2.0 */
/* Where a collector's rows go: stdout in the format asked for, and the recording of -w. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "run.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static int open_recording(struct cb_run *run)
{
	const char *path = run->opt.write;
	enum cb_format f = ends_with(path, ".csv") || ends_with(path, ".csv.zst") ? CB_CSV : CB_JSON;
	int err = cb_out_open(&run->rec, path, &run->err);

	return err ? err : cb_writer_open(&run->recw, f, run->rec, run->schema, NULL, &run->err);
}

/* With /dev/null as standard output a recording is all that is wanted: rows are made once, not twice. */
static bool nobody_reads(void)
{
	struct stat st, null;

	return !fstat(STDOUT_FILENO, &st) && S_ISCHR(st.st_mode) && !stat("/dev/null", &null) &&
	       st.st_rdev == null.st_rdev;
}

/* What the user asked for, else what the tool shows in a table; other formats are for programs and have all. */
static const char *table_fields(const struct cb_run *run)
{
	return run->opt.fields || run->opt.format != CB_TABLE ? run->opt.fields : run->columns;
}

int cb_output_open(struct cb_run *run)
{
	const struct cb_opts *o = &run->opt;
	int err;

	if (o->prometheus)
		run->prom = cb_prom_new(o->prometheus, run->schema, NULL, 0);
	if (o->write && !o->replay && nobody_reads())
		return open_recording(run);
	run->no_table &= o->format == CB_TABLE;
	/* a recording becomes a picture where the tool makes that of rows */
	run->screen = o->format == CB_TABLE && run->tool->screen && !run->rows && run->schema == run->tool->schema[0] &&
		      (!o->replay || run->tool->row) && isatty(STDOUT_FILENO);
	err = cb_out_open(&run->out, "-", &run->err);
	if (!err && o->ready_fd >= 0) /* who waits for us made the pipe for us */
		cb_out_alone(run->out);
	if (!err)
		err = cb_writer_open(&run->outw, o->format, run->out, run->schema, table_fields(run), &run->err);
	return err || !o->write ? err : open_recording(run);
}

void cb_output_event(struct cb_run *run, const struct cb_event *ev)
{
	if (run->tool->row)
		run->tool->row(run, ev);
	if (run->outw && !run->screen && !run->no_table)
		cb_writer_event(run->outw, ev);
	if (run->recw)
		cb_writer_event(run->recw, ev);
	if (run->prom)
		cb_prom_event(run->prom, ev, cb_now_boot());
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* To the recording: totals of its present file, so that each file is whole by itself. */
static void record_meta(struct cb_run *run, const struct cb_common *c)
{
	struct cb_common own = *c;

	own.seen = above(c->seen, run->told.seen);
	own.sent = above(c->sent, run->told.sent);
	own.filtered = above(c->filtered, run->told.filtered);
	own.lost = above(c->lost, run->told.lost);
	own.misses = above(c->misses, run->told.misses);
	cb_writer_meta(run->recw, &own);
}

void cb_output_meta(struct cb_run *run, const struct cb_common *c)
{
	if (run->outw && !run->screen && !run->no_table)
		cb_writer_meta(run->outw, c);
	if (run->recw)
		record_meta(run, c);
}

int cb_output_flush(struct cb_run *run)
{
	int err = run->out ? cb_out_flush(run->out, &run->err) : 0;

	return err || !run->rec ? err : cb_out_flush(run->rec, &run->err);
}

int cb_output_turn(struct cb_run *run, const struct cb_common *end, const struct cb_common *schema)
{
	int err;

	record_meta(run, end);
	err = cb_out_reopen(run->rec, &run->err);
	if (err)
		return err;
	run->told = *end;
	record_meta(run, schema);
	return 0;
}

int cb_output_close(struct cb_run *run)
{
	int err = cb_out_close(run->out, &run->err), err2 = cb_out_close(run->rec, &run->err);

	run->out = run->rec = NULL;
	cb_writer_free(run->outw);
	cb_writer_free(run->recw);
	run->outw = run->recw = NULL;
	run->prom = cb_prom_free(run->prom);
	return err ? err : err2;
}
