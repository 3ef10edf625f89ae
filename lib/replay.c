/* SPDX-License-Identifier: GPL-2.0 */
/* -r: a recording through the same filters and writers as live rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reader.h"
#include "run.h"

/* A screen shows an interval: all rows with the same end. shown: the end of those so far; 0: there were none. */
static int replay_screen(struct cb_run *run, uint64_t *shown, uint64_t end)
{
	int err = run->screen && *shown && end != *shown ? run->tool->screen(run, stdout) : 0;

	*shown = end;
	return err ? cb_fail(&run->err, err, "screen: %s", strerror(-err)) : 0;
}

static int replay_event(struct cb_run *run, const struct cb_event *ev, uint64_t *shown)
{
	int err;

	run->stats.seen += ev->c.count;
	if (!cb_filter_event(run->opt.filter, NULL, &ev->c) && !cb_filter_target(run->opt.filter, ev)) {
		run->filtered += ev->c.count;
		return 0;
	}
	err = replay_screen(run, shown, ev->c.end);
	if (err)
		return err;
	run->sent += ev->c.count;
	cb_output_event(run, ev);
	return 0;
}

static int replay_row(struct cb_run *run, struct cb_names *names, const struct cb_row *row, void *rec, uint64_t *shown)
{
	struct cb_event ev;
	int err = cb_event_from_row(run->schema, names, row, rec, &ev, &run->err);

	if (err)
		return err;
	if (!strcmp(ev.c.kind, "event")) {
		return replay_event(run, &ev, shown);
	} else if (!strcmp(ev.c.kind, "heartbeat") || !strcmp(ev.c.kind, "gap")) {
		cb_output_meta(run, &ev.c);
	} else if (!strcmp(ev.c.kind, "end")) {
		run->stats.lost += ev.c.lost;
		run->stats.seen += ev.c.lost;
		run->misses += ev.c.misses;
	}
	return 0;
}

/* The stream of a tool with several schemas is of the one its rows name. */
static bool ours(struct cb_run *run, const char *dataset)
{
	const struct cb_tool *tool = run->tool;

	if (!dataset || strncmp(dataset, "cbtools.", 8))
		return false;
	for (int i = 0; i < 4 && tool->schema[i]; i++) {
		if (strcmp(dataset + 8, tool->schema[i]->name))
			continue;
		if (!run->outw)
			run->schema = tool->schema[i];
		return run->schema == tool->schema[i];
	}
	return false;
}

int cb_replay(struct cb_run *run)
{
	struct cb_names *names = cb_names_new();
	struct cb_reader *r = NULL;
	struct cb_row row;
	int dataset = cb_names_id(names, "event.dataset"), bad = 0, err, got = 0;
	uint64_t shown = 0;
	void *rec = NULL;

	err = cb_reader_open(&r, names, run->opt.replay, &run->err);
	while (!err && (got = cb_reader_next(r, &row, &run->err)) != 0) {
		if (got < 0 && got != -EINVAL) {
			err = got;
			break;
		}
		if (got > 0 && !ours(run, row.val[dataset]))
			continue;
		if (!run->outw) {
			err = cb_output_open(run);
			if (err)
				break;
			cb_emit_meta(run, "schema");
			rec = cb_xalloc(run->schema->size);
		}
		if (got < 0 || replay_row(run, names, &row, rec, &shown)) {
			fprintf(stderr, "%s: %s\n", run->tool->name, run->err.text);
			run->err.text[0] = '\0';
			bad++;
		}
		err = cb_output_flush(run);
	}
	if (!err && !run->outw)
		err = cb_fail(&run->err, -EINVAL, "%s: expected rows of cbtools.%s, got none", run->opt.replay,
			      run->schema->name);
	if (!err)
		err = replay_screen(run, &shown, 0);
	if (!err && run->prom)
		err = cb_emit_prom(run);
	if (!err)
		cb_emit_meta(run, "end");
	if (!err && bad)
		err = cb_fail(&run->err, -EINVAL, "%s: %d bad rows were left out", run->opt.replay, bad);
	cb_reader_free(r);
	cb_names_free(names);
	free(rec);
	return err;
}
