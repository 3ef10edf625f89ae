/* SPDX-License-Identifier: GPL-2.0 */
/* ctrain: learns what containers normally do from recordings and live streams. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "learn.h"
#include "summary.h"

enum { KEY_NEW = 0x100, KEY_BY, KEY_ORDER, KEY_BUDGET, KEY_LOSSY, KEY_STRICT, KEY_CHECKPOINT, KEY_SCHEMA, KEY_CONFIRM, KEY_DUMP };

#define EXAMPLES \
	"ctrain -m web.db rec/                learn a folder of recordings\n" \
	"ctrain -m web.db --new a.jsonl.zst   start over\n" \
	"ctrain -m web.db --confirm alarms.jsonl   these were false alarms\n" \
	"cexecsnoop -j | ctrain -m web.db --checkpoint=10m\n"

static const struct argp_option options[] = {
	{ "model", 'm', "MODEL", 0, "the model to make or to add to", 0 },
	{ "new", KEY_NEW, NULL, 0, "start over: what the model holds is replaced", 0 },
	{ "by", KEY_BY, "image|name|label:KEY", 0, "what containers share a baseline by (image)", 0 },
	{ "order", KEY_ORDER, "N", 0, "longest context of a call, 1 to 5 (5); 3 halves the memory", 0 },
	{ "budget", KEY_BUDGET, "N/day|N/hour", 0, "false alarms allowed a container (1/day)", 0 },
	{ "confirm", KEY_CONFIRM, "ALARMS", 0, "what cdetect said, and was no trouble: allows all of it; repeatable; without INPUT nothing else is learned", 0 },
	{ "lossy", KEY_LOSSY, NULL, 0, "learn also from rows that say some were lost before them", 0 },
	{ "strict", KEY_STRICT, NULL, 0, "end at the first bad row", 0 },
	{ "checkpoint", KEY_CHECKPOINT, "TIME", 0, "of a live stream: write the model each TIME", 0 },
	{ "schema", KEY_SCHEMA, "FILE", 0, "schema rows of datasets that come without (CSV)", 0 },
	{ "quiet", 'q', NULL, 0, "no progress and no remarks", 0 },
	{ "dump", KEY_DUMP, "man", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

struct train {
	const char *path, *by;
	unsigned order;
	double budget;
	bool new, lossy, strict, quiet, tty;
	uint64_t checkpoint_ns;
	char **input, *confirm[64];
	int ninput, nconfirm;
	struct cb_names *names;
	struct cb_model *model;
	struct cb_learn *learn;
	struct cb_source *source;
	int nsource;
	bool exists; /* path holds what the model is based on */
	uint64_t bad, next_progress, next_checkpoint;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct train *t = state->input;
	struct cb_err e = { 0 };
	char *end;

	switch (key) {
	case 'm': t->path = arg; break;
	case 'q': t->quiet = true; break;
	case KEY_NEW: t->new = true; break;
	case KEY_LOSSY: t->lossy = true; break;
	case KEY_STRICT: t->strict = true; break;
	case KEY_BY:
		if (strcmp(arg, "image") && strcmp(arg, "name") && (strncmp(arg, "label:", 6) || !arg[6]))
			argp_error(state, "--by: expected image, name or label:KEY, got \"%s\"", arg);
		t->by = arg;
		break;
	case KEY_ORDER:
		t->order = strtoul(arg, &end, 10);
		if (*end || t->order < 1 || t->order > CB_ORDER)
			argp_error(state, "--order: expected 1 to %d, got \"%s\"", CB_ORDER, arg);
		break;
	case KEY_BUDGET:
		if (cb_parse_budget(arg, &t->budget, &e) < 0)
			argp_error(state, "--budget: %s", e.text);
		break;
	case KEY_CHECKPOINT:
		if (cb_parse_time(arg, &t->checkpoint_ns, &e) < 0)
			argp_error(state, "--checkpoint: %s", e.text);
		break;
	case KEY_SCHEMA:
		if (cb_reader_schema_file(t->names, arg, &e) < 0)
			argp_failure(state, CB_EXIT_FAILED, 0, "%s", e.text);
		break;
	case KEY_CONFIRM:
		if (t->nconfirm == sizeof(t->confirm) / sizeof(t->confirm[0]))
			argp_error(state, "--confirm: too many files");
		t->confirm[t->nconfirm++] = arg;
		break;
	case KEY_DUMP:
		cb_man_program(options, NULL, EXAMPLES, stdout);
		exit(0);
	case ARGP_KEY_ARGS:
		t->input = state->argv + state->next;
		t->ninput = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (!t->path)
			argp_error(state, "expected --model=MODEL");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int fail(const char *text)
{
	fprintf(stderr, "ctrain: %s\n", text);
	return CB_EXIT_FAILED;
}

/* Hours of learning are not to end in a folder that cannot be written. */
static int check_folder(const char *path, struct cb_err *e)
{
	char *copy = cb_xstrdup(path);
	int err = access(dirname(copy), W_OK) < 0 ? cb_fail(e, -errno, "%s: cannot be written: %s", path, strerror(errno)) : 0;

	free(copy);
	return err;
}

static int open_model(struct train *t, struct cb_err *e)
{
	struct stat st;
	int err;

	t->exists = !t->new && stat(t->path, &st) == 0;
	if (t->exists) {
		err = cb_model_load(&t->model, t->path, false, e);
		if (err < 0)
			return err;
		if (t->by && strcmp(t->by, t->model->by))
			return cb_fail(e, -EINVAL, "%s: expected --by=%s as the model was made, got \"%s\" (--new starts over)",
				       t->path, t->model->by, t->by);
		if (t->order && t->order != t->model->order)
			return cb_fail(e, -EINVAL, "%s: expected --order=%u as the model was made, got \"%u\" (--new starts over)",
				       t->path, t->model->order, t->order);
	} else {
		t->model = cb_model_new();
		if (t->by) {
			free(t->model->by);
			t->model->by = cb_xstrdup(t->by);
		}
		if (t->order)
			t->model->order = t->order;
	}
	if (t->budget > 0)
		t->model->budget = t->budget;
	return 0;
}

/* Files by content, so that none is learned twice; a pipe has no content yet. */
static int list_sources(struct train *t, struct cb_err *e)
{
	static char *const standard[] = { "-" };
	char **list = NULL, hash[33];
	struct stat st;
	int n = 0, i, k, err;
	bool known;

	err = cb_sources_list(t->ninput ? t->input : standard, t->ninput ? t->ninput : 1, &list, &n, e);
	if (err < 0)
		return err;
	t->source = cb_xalloc((n + 1) * sizeof(*t->source));
	for (i = 0; i < n && !err; i++) {
		bool file = strcmp(list[i], "-") && stat(list[i], &st) == 0 && S_ISREG(st.st_mode);

		known = false;
		if (file)
			err = cb_source_hash(list[i], hash, e);
		if (file && !err && t->exists)
			err = cb_model_has_source(t->path, hash, &known, e);
		for (k = 0; file && !known && k < t->nsource; k++)
			known = t->source[k].hash && !strcmp(t->source[k].hash, hash);
		if (known)
			fprintf(stderr, "ctrain: %s: was learned already, skipped\n", list[i]);
		else if (!err)
			t->source[t->nsource++] =
				(struct cb_source){ .path = cb_xstrdup(list[i]), .hash = file ? cb_xstrdup(hash) : NULL };
	}
	cb_sources_free(list, n);
	return err;
}

static const char *text_of(struct train *t, const struct cb_row *row, const char *column)
{
	const char *s = cb_row_get(row, cb_names_id(t->names, column));

	return s ? s : "";
}

static int confirm(struct train *t, const char *path, struct cb_err *e)
{
	struct cb_reader *r = NULL;
	struct cb_row row;
	int err = cb_reader_open(&r, t->names, path, e), n = 0;

	while (!err && (err = cb_reader_next(r, &row, e)) == 1) {
		err = 0;
		if (strcmp(text_of(t, &row, "event.dataset"), "cbtools.alarm") || !*text_of(t, &row, "alarm.field"))
			continue;
		cb_model_allow(t->model, text_of(t, &row, "alarm.subject"), text_of(t, &row, "alarm.program"),
			       text_of(t, &row, "alarm.field"), text_of(t, &row, "alarm.value"));
		n++;
	}
	cb_reader_free(r);
	if (!err && !n)
		err = cb_fail(e, -EINVAL, "%s: expected alarms of cdetect, got none", path);
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void progress(struct train *t, const char *what)
{
	const struct cb_learn_stats *s = cb_learn_stats(t->learn);

	if (t->tty)
		fprintf(stderr, "\r%.2f M rows, %.1f M calls, %zu subjects %s\033[K", s->rows / 1e6, s->calls / 1e6,
			t->model->subj.n, what);
}

static int save(struct train *t, bool done, struct cb_err *e)
{
	int i, err;

	cb_learn_absorb(t->learn);
	/* a file that is not read to its end is not learned yet */
	for (i = 0; i < t->nsource && !done; i++)
		if (t->source[i].hash)
			return 0;
	err = cb_model_save(t->model, t->path, t->exists ? t->path : NULL, t->source, t->nsource, e);
	t->exists = t->exists || !err;
	return err;
}

static void count_source(struct train *t, const struct cb_row *row, uint64_t events, uint64_t lost)
{
	static int last; /* rows come in runs of one file */
	struct cb_source *s;
	int i;

	for (i = 0; i < t->nsource; i++) {
		s = &t->source[(last + i) % t->nsource];
		if (strcmp(s->path, row->file) && t->nsource > 1)
			continue;
		last = (last + i) % t->nsource;
		s->rows++;
		s->events += events;
		s->lost += lost;
		s->first = s->first ? s->first : row->time;
		s->last = row->time;
		return;
	}
}

/* Now and then: the time of day is not asked for each row. */
static int look_up(struct train *t, struct cb_err *e)
{
	uint64_t now = now_ns();

	if (now >= t->next_progress) {
		progress(t, "");
		t->next_progress = now + 300000000;
	}
	if (!t->checkpoint_ns || now < t->next_checkpoint)
		return 0;
	t->next_checkpoint = now + t->checkpoint_ns;
	return save(t, false, e);
}

static int read_rows(struct train *t, struct cb_inputs *in, struct cb_err *e)
{
	const struct cb_learn_stats *now = cb_learn_stats(t->learn);
	struct cb_learn_stats before;
	struct cb_row row;
	uint64_t n = 0;
	int got, err = 0;

	t->next_checkpoint = now_ns() + t->checkpoint_ns;
	while (!stop && !err) {
		got = cb_inputs_next(in, &row, 200, e);
		if (got == 0)
			break;
		if (got == 1) {
			before = *now;
			cb_learn_row(t->learn, &row);
			count_source(t, &row, now->rows - before.rows, now->lost - before.lost);
		} else if (got != -EAGAIN) {
			if (t->bad++ < 20 || got != -EINVAL)
				fail(e->text);
			e->text[0] = 0;
			if (t->strict)
				break;
		}
		if (got == -EAGAIN || ++n % 1024 == 0)
			err = look_up(t, e);
	}
	return err;
}

/* A collector to which nothing happened is no error; that none of them has anything to say is. */
static int say_empty(const struct train *t, struct cb_err *e)
{
	int i;

	if (!cb_learn_stats(t->learn)->rows)
		return cb_fail(e, -EINVAL, "%s: expected rows of events, got none%s", t->source[0].path,
			       t->nsource > 1 ? ", and neither in the others" : "");
	for (i = 0; i < t->nsource && !t->quiet; i++)
		if (!t->source[i].events)
			fprintf(stderr, "ctrain: %s: no events in it, only that somebody watched\n", t->source[i].path);
	return 0;
}

static void remarks(struct train *t, const struct cb_inputs *in)
{
	const struct cb_learn_stats *s = cb_learn_stats(t->learn);

	if (s->lossy)
		fprintf(stderr, "ctrain: %llu rows said that %llu were lost before them: not learned (--lossy learns them)\n",
			(unsigned long long)s->lossy, (unsigned long long)s->lost);
	if (s->gaps)
		fprintf(stderr, "ctrain: %llu gaps in sequences: not learned across\n", (unsigned long long)s->gaps);
	if (s->unknown)
		fprintf(stderr, "ctrain: %llu rows of datasets without a schema row: not learned (--schema)\n",
			(unsigned long long)s->unknown);
	if (cb_inputs_cut(in))
		fprintf(stderr, "ctrain: %d inputs ended without an end row\n", cb_inputs_cut(in));
	if (t->bad > 20)
		fprintf(stderr, "ctrain: %llu bad rows in all\n", (unsigned long long)t->bad);
}

static void report(const struct train *t)
{
	struct cb_buf b = { 0 };

	cb_summary(&b, t->model);
	fputs(b.s, stdout);
	cb_buf_free(&b);
}

static int train(struct train *t, struct cb_err *e)
{
	struct cb_inputs *in = NULL;
	char **path;
	int i, err;

	err = check_folder(t->path, e);
	if (!err)
		err = open_model(t, e);
	for (i = 0; i < t->nconfirm && !err; i++)
		err = confirm(t, t->confirm[i], e);
	if (!err && (t->ninput || !t->nconfirm))
		err = list_sources(t, e);
	if (!err && !t->nsource && t->nconfirm)
		return cb_model_save(t->model, t->path, t->exists ? t->path : NULL, NULL, 0, e);
	if (err || !t->nsource)
		return err;
	path = cb_xalloc(t->nsource * sizeof(*path));
	for (i = 0; i < t->nsource; i++)
		path[i] = t->source[i].path;
	t->learn = cb_learn_new(t->model, t->names, t->lossy);
	err = cb_inputs_open(&in, t->names, path, t->nsource, e);
	if (!err)
		err = read_rows(t, in, e);
	if (!err)
		err = say_empty(t, e);
	if (!err)
		err = cb_learn_missing(t->learn, e);
	if (!err) {
		progress(t, "counting");
		err = save(t, true, e);
	}
	if (t->tty)
		fputs("\r\033[K", stderr);
	if (!err && !t->quiet)
		remarks(t, in);
	cb_inputs_free(in);
	free(path);
	return err;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "[INPUT...]",
		"Learns what containers normally do from recordings and streams: files, folders, pipes, - (default).\v"
		"Examples:\n" EXAMPLES, NULL, NULL, NULL };
	struct train t = { .names = cb_names_new() };
	struct sigaction sa = { .sa_handler = on_signal };
	struct cb_err e = { 0 };
	int i, err;

	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &t);
	t.tty = !t.quiet && isatty(STDERR_FILENO);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	err = train(&t, &e);
	if (!err && t.nsource)
		report(&t);
	if (err)
		fail(e.text);
	if (fflush(stdout) && !err)
		err = fail(strerror(errno));
	cb_learn_free(t.learn);
	cb_model_free(t.model);
	cb_names_free(t.names);
	for (i = 0; i < t.nsource; i++) {
		free(t.source[i].path);
		free(t.source[i].hash);
	}
	free(t.source);
	return err || t.bad ? CB_EXIT_FAILED : 0;
}
