/* SPDX-License-Identifier: GPL-2.0 */
/* cdetect: judges recordings and live streams by a model. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "alarm.h"
#include "field.h"
#include "incident.h"
#include "judge.h"
#include "prom.h"
#include "score.h"
#include "summary.h"

enum { KEY_CSV = 0x100, KEY_FIELDS, KEY_BUDGET, KEY_EXIT, KEY_STRICT, KEY_SCORES, KEY_SCHEMA, KEY_PROMETHEUS, KEY_DUMP };

#define EXAMPLES \
	"cdetect -m web.db rec/                                   recordings\n" \
	"cdetect -m web.db <(cexecsnoop -j) <(ctop-syscalls -Sj)  live\n" \
	"cdetect -m web.db --scores -j rec/                       surprise by process\n"

static const struct argp_option options[] = {
	{ "model", 'm', "MODEL", 0, "what ctrain made", 0 },
	{ "budget", KEY_BUDGET, "N/day|N/hour", 0, "false alarms allowed a container, instead of the model's", 0 },
	{ "exit-code", KEY_EXIT, NULL, 0, "end with 2 if there were alarms, else with 3 if rows were lost", 0 },
	{ "write", 'w', "FILE", 0, "record the rows in the order they were judged (.zst: compressed)", 0 },
	{ "output", 'o', "FORMAT", 0, "table, csv or json (one object a line)", 0 },
	{ "json", 'j', NULL, 0, "same as --output=json", 0 },
	{ "csv", KEY_CSV, NULL, 0, "same as --output=csv", 0 },
	{ "fields", KEY_FIELDS, "LIST", 0, "these fields, comma-separated; +x,-y changes the usual ones; help lists them", 0 },
	{ "scores", KEY_SCORES, NULL, 0, "no alarms: how surprising each process was, when all is read", 0 },
	{ "schema", KEY_SCHEMA, "FILE", 0, "schema rows of datasets that come without (CSV)", 0 },
	{ "prometheus", KEY_PROMETHEUS, "FILE", 0,
	  "count alarms in FILE as well, for the textfile collector of Prometheus' node-exporter; the name should end in .prom", 0 },
	{ "strict", KEY_STRICT, NULL, 0, "end at the first bad row", 0 },
	{ "quiet", 'q', NULL, 0, "no remarks on stderr but errors", 0 },
	{ "dump", KEY_DUMP, "man", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

struct detect {
	const char *path, *write, *fields, *prometheus;
	double budget;
	enum cb_format format;
	bool exit_code, strict, scores, quiet;
	char **input;
	int ninput;
	struct cb_names *names;
	struct cb_model *model;
	struct cb_alarms *alarms;
	struct cb_judge *judge;
	struct cb_out *out, *rec;
	struct cb_writer *w, *incidents; /* rows of JSON only: a table and CSV have the columns of one kind of row */
	struct cb_prom *prom;
	uint64_t prom_ns; /* last written, boot ns */
	bool prom_failed; /* which was told */
	struct cb_buf row;
	struct cb_pair *pair;
	int npair;
	enum cb_pair_form *form; /* by column: how JSON shows it */
	const struct cb_dataset *form_of;
	int nform, fields_id; /* of schema.fields */
	char *raw;
	int cut;
	uint64_t bad, lost_at_end;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static enum cb_format format_of(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "table"))
		return CB_TABLE;
	if (!strcmp(arg, "csv"))
		return CB_CSV;
	if (strcmp(arg, "json"))
		argp_error(state, "--output: expected table, csv or json, got \"%s\"", arg);
	return CB_JSON;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct detect *d = state->input;
	struct cb_err e = { 0 };

	switch (key) {
	case 'm': d->path = arg; break;
	case 'w': d->write = arg; break;
	case 'o': d->format = format_of(state, arg); break;
	case 'j': d->format = CB_JSON; break;
	case 'q': d->quiet = true; break;
	case KEY_CSV: d->format = CB_CSV; break;
	case KEY_FIELDS: d->fields = arg; break;
	case KEY_EXIT: d->exit_code = true; break;
	case KEY_STRICT: d->strict = true; break;
	case KEY_SCORES: d->scores = true; break;
	case KEY_PROMETHEUS: d->prometheus = arg; break;
	case KEY_BUDGET:
		if (cb_parse_budget(arg, &d->budget, &e) < 0)
			argp_error(state, "--budget: %s", e.text);
		break;
	case KEY_SCHEMA:
		if (cb_reader_schema_file(d->names, arg, &e) < 0)
			argp_failure(state, CB_EXIT_FAILED, 0, "%s", e.text);
		break;
	case KEY_DUMP:
		cb_man_options(options, stdout);
		cb_man_fields(&cb_schema_alarm, stdout);
		cb_man_fields(&cb_schema_incident, stdout);
		cb_man_fields(&cb_schema_score, stdout);
		cb_man_examples(EXAMPLES, stdout);
		exit(0);
	case ARGP_KEY_ARGS:
		d->input = state->argv + state->next;
		d->ninput = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (d->fields && !strcmp(d->fields, "help")) {
			cb_fields_help(d->scores ? &cb_schema_score : &cb_schema_alarm, stdout);
			exit(0);
		}
		if (!d->path)
			argp_error(state, "expected --model=MODEL");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int fail(const char *text)
{
	fprintf(stderr, "cdetect: %s\n", text);
	return CB_EXIT_FAILED;
}

static void say(void *arg, const char *text)
{
	struct detect *d = arg;

	if (!d->quiet)
		fprintf(stderr, "cdetect: %s\n", text);
}

/* ---- -w: every row as it was judged ---- */

static enum cb_pair_form form_of_type(enum cb_type t)
{
	if (t == CB_ARGV)
		return CB_PAIR_WORDS;
	return cb_type_json(t) == CB_JSON_STRING ? CB_PAIR_TEXT : CB_PAIR_RAW;
}

static void learn_forms(struct detect *d, const struct cb_dataset *ds)
{
	int n = cb_names_count(d->names), id;
	size_t i;

	d->form_of = ds;
	d->form = cb_xrealloc(d->form, (n + 1) * sizeof(*d->form));
	d->nform = n;
	memset(d->form, 0, (n + 1) * sizeof(*d->form));
	for (i = 0; i < cb_ncommon_fields; i++) {
		id = cb_names_id(d->names, cb_common_fields[i].name);
		if (id < n)
			d->form[id] = form_of_type(cb_common_fields[i].type);
	}
	for (i = 0; i < ds->ncol; i++) {
		id = cb_names_id(d->names, ds->col[i].name);
		if (id < n)
			d->form[id] = form_of_type(ds->col[i].type);
	}
	id = cb_names_id(d->names, "schema.version");
	if (id < n)
		d->form[id] = CB_PAIR_RAW;
}

/* What a schema row describes is no text of a row, but JSON. */
static struct cb_pair fields_pair(struct detect *d, const struct cb_row *row)
{
	size_t len = row->len[d->fields_id];
	int n;

	d->raw = cb_xrealloc(d->raw, len + 1);
	n = cb_unescape(d->raw, len, row->val[d->fields_id], len);
	if (n < 0) /* it was no text of ours */
		return (struct cb_pair){ "schema.fields", row->val[d->fields_id], CB_PAIR_TEXT };
	d->raw[n] = 0;
	return (struct cb_pair){ "schema.fields", d->raw, *d->raw == '[' ? CB_PAIR_RAW : CB_PAIR_TEXT };
}

static void record(struct detect *d, const struct cb_row *row)
{
	int i, id;

	if (row->npresent > d->npair) {
		d->npair = row->npresent;
		d->pair = cb_xrealloc(d->pair, d->npair * sizeof(*d->pair));
	}
	if (row->dataset && (row->dataset != d->form_of || d->nform < row->ncol))
		learn_forms(d, row->dataset);
	for (i = 0; i < row->npresent; i++) {
		id = row->present[i];
		d->pair[i] = (struct cb_pair){ cb_names_name(d->names, id), row->val[id],
					       row->dataset && id < d->nform ? d->form[id] : CB_PAIR_TEXT };
		if (id == d->fields_id)
			d->pair[i] = fields_pair(d, row);
	}
	cb_buf_reset(&d->row);
	cb_json_row(&d->row, d->pair, row->npresent);
	cb_out_row(d->rec, d->row.s, d->row.len);
}

/* ---- --prometheus ---- */

#define NUMBERS_NS 10000000000ULL
#define FORGET_NS 3600000000000ULL /* a container without an alarm */

static void count_alarm(void *arg, const struct cb_event *ev)
{
	struct detect *d = arg;

	cb_prom_event(d->prom, ev, cb_now_boot());
	d->prom_ns = 0; /* not to wait */
}

static int write_numbers(struct detect *d, struct cb_err *e)
{
	const struct cb_judge_stats *s = cb_judge_stats(d->judge);
	struct cb_common c = { .seen = s->rows, .sent = cb_alarms_count(d->alarms), .lost = s->lost };

	d->prom_ns = cb_now_boot();
	return cb_prom_write(d->prom, &c, d->prom_ns, e);
}

/* Alarms matter more than their number: that it cannot be written is told, once. */
static void numbers(struct detect *d)
{
	struct cb_err e = { 0 };
	int err;

	if (!d->prom || cb_now_boot() - d->prom_ns < NUMBERS_NS)
		return;
	err = write_numbers(d, &e);
	if (err && !d->prom_failed)
		fail(e.text);
	d->prom_failed = err;
}

/* ---- rows ---- */

static int flush(struct detect *d, struct cb_err *e)
{
	int err = cb_out_flush(d->out, e);

	return err || !d->rec ? err : cb_out_flush(d->rec, e);
}

static void note_end(struct detect *d, const struct cb_row *row)
{
	const char *kind = cb_row_get(row, cb_names_id(d->names, "event.kind"));

	if (kind && !strcmp(kind, "end"))
		d->lost_at_end += cb_view_number(row, cb_names_id(d->names, "event.lost"), 0);
}

static int bad_row(struct detect *d, const struct cb_err *e, int err)
{
	if (d->bad++ < 20 || err != -EINVAL)
		fail(e->text);
	return d->strict ? -EINVAL : 0;
}

static int read_rows(struct detect *d, struct cb_inputs *in, struct cb_err *e)
{
	struct cb_row row;
	uint64_t n = 0;
	int got, err = 0;

	while (!stop && !err) {
		got = cb_inputs_next(in, &row, n ? 100 : d->prom ? 1000 : -1, e);
		if (got == 0)
			break;
		if (got == -EAGAIN) {
			err = flush(d, e);
			numbers(d);
			n = 0;
			continue;
		}
		n++;
		if (got < 0) {
			if (bad_row(d, e, got) < 0)
				break;
			e->text[0] = 0;
			continue;
		}
		if (d->rec)
			record(d, &row);
		note_end(d, &row);
		if (cb_judge_row(d->judge, &row, e) < 0) {
			if (bad_row(d, e, -EINVAL) < 0)
				break;
			e->text[0] = 0;
		}
		if (n % 4096 == 0) {
			err = flush(d, e);
			numbers(d);
		}
	}
	d->cut = cb_inputs_cut(in);
	return err;
}

static void write_scores(struct detect *d)
{
	const struct cb_process_score *p;
	size_t n = cb_judge_processes(d->judge, &p), i;

	for (i = 0; i < n; i++, p++) {
		struct score_rec r = { .calls = p->calls };
		struct cb_event ev = { .schema = &cb_schema_score, .c = p->c, .rec = &r, .len = sizeof(r) };

		if (p->judged_calls)
			r.mean = p->cost / CB_COST_BIT / p->judged_calls;
		r.window20 = p->max[0] / CB_COST_BIT / cb_scale[0];
		r.window200 = p->max[1] / CB_COST_BIT / cb_scale[1];
		r.judged = p->program && (p->program->window[0].scored || p->program->window[1].scored);
		strcpy(r.state, p->program ? cb_state_name(p->program->state) : "none");
		cb_writer_event(d->w, &ev);
	}
}

static void meta(struct detect *d, const char *kind)
{
	const struct cb_judge_stats *s = cb_judge_stats(d->judge);
	/* of the input's time, not of today's: the same input gives the same bytes */
	struct cb_common c = { .kind = kind, .dataset = d->scores ? "cbtools.score" : "cbtools.alarm", .action = "",
			       .time = s->last, .seen = s->rows, .sent = cb_alarms_count(d->alarms), .lost = s->lost,
			       .host_id = "", .boot_id = "", .cont_id = "", .cont_name = "", .image = "", .image_id = "",
			       .runtime = "", .cgroup = "", .comm = "", .exe = "" };

	cb_writer_meta(d->w, &c);
	if (!d->incidents || strcmp(kind, "schema"))
		return;
	c.dataset = "cbtools.incident";
	cb_writer_meta(d->incidents, &c);
}

static int open_output(struct detect *d, struct cb_err *e)
{
	const struct cb_schema *s = d->scores ? &cb_schema_score : &cb_schema_alarm;
	int err = cb_out_open(&d->out, "-", e);

	if (!err)
		err = cb_writer_open(&d->w, d->format, d->out, s, d->fields, e);
	if (!err && d->format == CB_JSON && !d->scores)
		err = cb_writer_open(&d->incidents, d->format, d->out, &cb_schema_incident, NULL, e);
	if (!err && d->write)
		err = cb_out_open(&d->rec, d->write, e);
	return err;
}

static int close_output(struct detect *d, struct cb_err *e)
{
	int err = cb_out_close(d->out, e), err2 = cb_out_close(d->rec, e);

	cb_writer_free(d->w);
	cb_writer_free(d->incidents);
	return err ? err : err2;
}

static int detect(struct detect *d, struct cb_err *e)
{
	struct cb_inputs *in = NULL;
	int err = cb_model_load(&d->model, d->path, true, e);

	if (!err && d->budget > 0) {
		d->model->budget = d->budget;
		cb_model_thresholds(d->model);
	}
	if (!err)
		err = cb_inputs_open(&in, d->names, d->input, d->ninput, e);
	if (!err)
		err = open_output(d, e);
	if (err) {
		cb_inputs_free(in);
		return err;
	}
	d->alarms = cb_alarms_new(d->model, d->names, d->scores ? NULL : d->w, d->incidents, d->path);
	d->judge = cb_judge_new(d->model, d->names, d->alarms, d->scores, say, d);
	if (d->prometheus) {
		d->prom = cb_prom_new(d->prometheus, &cb_schema_alarm, "alarm.kind", FORGET_NS);
		cb_alarms_watch(d->alarms, count_alarm, d);
		err = write_numbers(d, e);
		if (err) {
			cb_inputs_free(in);
			return err;
		}
	}
	meta(d, "schema");
	err = read_rows(d, in, e);
	cb_judge_end(d->judge);
	if (!err)
		err = cb_judge_missing(d->judge, e);
	if (d->scores)
		write_scores(d);
	meta(d, "end");
	if (!err && d->prom)
		err = write_numbers(d, e);
	cb_inputs_free(in);
	return err;
}

static void remarks(struct detect *d)
{
	const struct cb_judge_stats *s = cb_judge_stats(d->judge);

	if (s->lost)
		fprintf(stderr, "cdetect: the input says that %llu rows were lost\n", (unsigned long long)s->lost);
	if (s->streams_dropped)
		fprintf(stderr, "cdetect: too many threads at once: the history of %llu was dropped\n",
			(unsigned long long)s->streams_dropped);
	if (d->cut)
		fprintf(stderr, "cdetect: %d inputs ended without an end row\n", d->cut);
	if (d->bad > 20)
		fprintf(stderr, "cdetect: %llu bad rows in all\n", (unsigned long long)d->bad);
}

static int status(const struct detect *d, int err)
{
	if (err || d->bad)
		return CB_EXIT_FAILED;
	if (!d->exit_code)
		return 0;
	if (cb_alarms_count(d->alarms))
		return 2;
	return cb_judge_stats(d->judge)->lost || d->lost_at_end ? 3 : 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "[INPUT...]",
		"Judges what containers do by a model that ctrain made. INPUT: files, folders, pipes, - (default).\v"
		"Examples:\n" EXAMPLES, NULL, NULL, NULL };
	struct detect d = { .names = cb_names_new() };
	struct sigaction sa = { .sa_handler = on_signal };
	struct cb_err e = { 0 };
	int err, ret;

	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &d);
	d.fields_id = cb_names_id(d.names, "schema.fields");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	err = detect(&d, &e);
	if (err && err != -EPIPE)
		fail(e.text);
	if (d.judge && !d.quiet)
		remarks(&d);
	ret = err == -EPIPE ? 0 : status(&d, err);
	cb_alarms_free(d.alarms);
	cb_prom_free(d.prom);
	e.text[0] = 0;
	err = close_output(&d, &e);
	if (err && err != -EPIPE)
		ret = fail(e.text);
	cb_judge_free(d.judge);
	cb_model_free(d.model);
	cb_names_free(d.names);
	cb_buf_free(&d.row);
	free(d.pair);
	free(d.form);
	free(d.raw);
	return ret;
}
