/* SPDX-License-Identifier: GPL-2.0 */
/* cmodel: looks after a model. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "batch.h"
#include "diff.h"
#include "reader.h"
#include "summary.h"

struct verb_args {
	const char *model;
	struct cb_allow allow;
	const char *reason;
	const char *alarm; /* number */
	const char *source;
	char **file; /* behind the model */
	int nfile;
	char *kept[4]; /* texts of allow that are no arguments */
	int nkept;
};

/* One row a verb; a verb has its own options, checked before it runs. */
struct verb {
	const char *name, *help;
	const char *options; /* keys of those it takes */
	int min, max;	     /* files behind the model */
	int (*run)(struct verb_args *a, struct cb_err *e);
};

enum { KEY_REASON = 0x100, KEY_EXPIRES, KEY_ALARM, KEY_SOURCE, KEY_DUMP };

static int show(struct verb_args *a, struct cb_err *e)
{
	struct cb_model *m = NULL;
	struct cb_buf b = { 0 };
	size_t i;
	int err = cb_model_load(&m, a->model, false, e);

	if (err < 0)
		return err;
	cb_summary(&b, m);
	for (i = 0; i < m->nallow; i++)
		cb_buf_printf(&b, "allowed: %s %s %s %s\n", m->allow[i].subject, m->allow[i].program, m->allow[i].field,
			      m->allow[i].value);
	err = cb_model_sources(a->model, &b, e);
	if (!err)
		fputs(b.s, stdout);
	cb_buf_free(&b);
	cb_model_free(m);
	return err;
}

/* A text of the alarm, while the row lasts. */
static const char *text_of(struct cb_names *names, const struct cb_row *row, const char *column)
{
	const char *s = cb_row_get(row, cb_names_id(names, column));

	return s ? s : "";
}

static char *keep(struct verb_args *a, const char *s)
{
	return a->kept[a->nkept++] = cb_xstrdup(s);
}

/* What is to be allowed, from a row of cdetect. */
static int read_alarm(struct verb_args *a, struct cb_err *e)
{
	struct cb_names *names = cb_names_new();
	struct cb_reader *r = NULL;
	const char *alarms = a->nfile ? a->file[0] : "-";
	struct cb_row row;
	bool found = false;
	int err = cb_reader_open(&r, names, alarms, e);

	while (!err && !found && (err = cb_reader_next(r, &row, e)) == 1) {
		err = 0;
		if (strcmp(text_of(names, &row, "event.dataset"), "cbtools.alarm") ||
		    strcmp(text_of(names, &row, "alarm.id"), a->alarm) || !*text_of(names, &row, "alarm.field"))
			continue;
		a->allow.subject = keep(a, text_of(names, &row, "alarm.subject"));
		a->allow.program = keep(a, text_of(names, &row, "alarm.program"));
		a->allow.field = keep(a, text_of(names, &row, "alarm.field"));
		a->allow.value = keep(a, text_of(names, &row, "alarm.value"));
		found = true;
	}
	if (!err && !found)
		err = cb_fail(e, -ENOENT, "%s: expected an alarm %s, got none", alarms, a->alarm);
	cb_reader_free(r);
	cb_names_free(names);
	return err;
}

static int allow(struct verb_args *a, struct cb_err *e)
{
	struct cb_model *m = NULL;
	int err = a->alarm ? read_alarm(a, e) : 0;

	if (!err)
		err = cb_model_load(&m, a->model, true, e);
	if (!err && *a->allow.subject && !cb_model_find(m, a->allow.subject))
		err = cb_fail(e, -EINVAL, "%s: expected a subject of the model, got \"%s\"", a->model, a->allow.subject);
	cb_model_free(m);
	return err ? err : cb_model_add_allow(a->model, &a->allow, a->reason, e);
}

/* What judges nothing yet, a line each. */
static void not_ready(struct cb_buf *b, const struct cb_model *m, const struct cb_subject *s)
{
	size_t i, k;
	bool judged;

	for (i = 0; i < s->prog.n; i++)
		if (s->program[i]->state == CB_LEARNING)
			cb_buf_printf(b, "%s: %s: still learning, %u units, %.4f of its calls are new\n", s->name,
				      s->prog.key[i], s->program[i]->units, s->program[i]->mass);
	for (i = 0; i < s->nset; i++) {
		if (!s->set[i] || m->field[i].kind == CB_FIELD_CALLS)
			continue;
		judged = s->set[i]->t.scored;
		for (k = 0; k < s->set[i]->rates.n; k++)
			judged |= s->set[i]->rate[k]->t[0].scored;
		if (!judged)
			cb_buf_printf(b, "%s: %s: not judged, there is too little or too much that is new\n", s->name,
				      m->field[i].name);
	}
}

static int check(struct verb_args *a, struct cb_err *e)
{
	struct cb_model *m = NULL;
	struct cb_buf b = { 0 };
	size_t i;
	int err = cb_model_check(a->model, e);

	if (!err)
		err = cb_model_load(&m, a->model, false, e);
	for (i = 0; !err && i < m->subj.n; i++) {
		not_ready(&b, m, m->subject[i]);
		if (m->subject[i]->days > 0 && cb_promise(m->subject[i]) > m->budget * 1.0001)
			cb_buf_printf(&b, "%s: promises %.3g false alarms a container-day, the budget is %.3g: more history is needed\n",
				      m->subject[i]->name, cb_promise(m->subject[i]), m->budget);
	}
	if (b.len)
		fputs(b.s, stdout);
	cb_buf_free(&b);
	cb_model_free(m);
	return err;
}

static int diff(struct verb_args *a, struct cb_err *e)
{
	struct cb_model *one = NULL, *two = NULL;
	struct cb_buf b = { 0 };
	int err = cb_model_load(&one, a->model, false, e);

	if (!err)
		err = cb_model_load(&two, a->file[0], false, e);
	if (!err && cb_model_diff(&b, one, two))
		fputs(b.s, stdout);
	cb_buf_free(&b);
	cb_model_free(one);
	cb_model_free(two);
	return err;
}

/* What was done beside what was asked for is told when it is done. */
static int said(struct cb_buf *b, int err)
{
	if (!err && b->len)
		fputs(b->s, stdout);
	cb_buf_free(b);
	return err;
}

static int merge(struct verb_args *a, struct cb_err *e)
{
	struct cb_buf b = { 0 };

	return said(&b, cb_model_merge(a->model, a->file, a->nfile, &b, e));
}

static bool is_hash(const char *s)
{
	return strlen(s) == 32 && strspn(s, "0123456789abcdef") == 32;
}

static int forget(struct verb_args *a, struct cb_err *e)
{
	struct cb_buf b = { 0 };
	struct stat st;
	char hash[33];
	int err = 0;

	if (!a->source)
		return said(&b, cb_model_forget_subject(a->model, a->allow.subject, &b, e));
	snprintf(hash, sizeof(hash), "%s", is_hash(a->source) ? a->source : "");
	if (!*hash && stat(a->source, &st) == 0 && S_ISREG(st.st_mode))
		err = cb_source_hash(a->source, hash, e);
	return err ? err : said(&b, cb_model_forget_source(a->model, a->source, *hash ? hash : NULL, &b, e));
}

static const struct verb verbs[] = {
	{ "check", "is the file whole; what is not ready, and why", "", 0, 0, check },
	{ "show", "what was learned, and what it can promise", "", 0, 0, show },
	{ "allow", "makes an alarm normal: cdetect prints the command with each", "spfvrea", 0, 1, allow },
	{ "diff", "what the one knows and the other does not", "", 1, 1, diff },
	{ "merge", "a new model of what others learned", "", 2, 4096, merge },
	{ "forget", "unlearns a source or a subject", "so", 0, 0, forget },
};

#define EXAMPLES \
	"cmodel show web.db\n" \
	"cmodel check web.db\n" \
	"cmodel allow web.db --alarm=3 alarms.jsonl\n" \
	"cmodel allow web.db -f process.executable.path -v /bin/backup --reason job\n" \
	"cmodel diff web.db new.db\n" \
	"cmodel merge all.db web.db new.db\n" \
	"cmodel forget new.db --subject='we?'\n" \
	"cmodel forget new.db --source=rec/exec.jsonl\n"

static const struct argp_option options[] = {
	{ "subject", 's', "KEY", 0, "allow: whose baseline (alarm.subject), else all; forget: key or name of an image or a container, a pattern as in the shell", 0 },
	{ "program", 'p', "PATH", 0, "allow: of this program only (alarm.program)", 0 },
	{ "field", 'f', "FIELD", 0, "allow: the column (alarm.field)", 0 },
	{ "value", 'v', "TEXT", 0, "allow: the value (alarm.value); else all", 0 },
	{ "reason", KEY_REASON, "TEXT", 0, "allow: why, kept in the model", 0 },
	{ "expires", KEY_EXPIRES, "DATE", 0, "allow: until the begin of this day, as 2027-01-31", 0 },
	{ "alarm", KEY_ALARM, "N", 0, "allow: what alarm N (alarm.id) of ALARMS was about; - (default) is stdin", 0 },
	{ "source", KEY_SOURCE, "FILE|HASH", 0, "forget: what was learned from it, and in the same run of ctrain (cmodel show)", 0 },
	{ "dump", KEY_DUMP, "man", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

struct command {
	const struct verb *verb;
	struct verb_args a;
	char used[16];
	int nused;
};

static void use(struct command *c, char key)
{
	if (c->nused < (int)sizeof(c->used) - 1)
		c->used[c->nused++] = key;
}

static uint64_t parse_day(struct argp_state *state, const char *arg)
{
	struct tm tm = { 0 };
	char *end = strptime(arg, "%Y-%m-%d", &tm);

	if (!end || *end)
		argp_error(state, "--expires: expected a day as 2027-01-31, got \"%s\"", arg);
	return (uint64_t)timegm(&tm) * 1000000000;
}

static void positional(struct command *c, char *arg, struct argp_state *state)
{
	size_t i;

	if (state->arg_num == 1)
		c->a.model = arg;
	if (state->arg_num > 1) {
		c->a.file = cb_xrealloc(c->a.file, (c->a.nfile + 1) * sizeof(*c->a.file));
		c->a.file[c->a.nfile++] = arg;
	}
	if (state->arg_num)
		return;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, arg))
			c->verb = &verbs[i];
	if (!c->verb)
		argp_error(state, "expected show, check, allow, diff, merge or forget, got \"%s\"", arg);
}

static void finish(struct command *c, struct argp_state *state)
{
	struct verb_args *a = &c->a;
	int i;

	if (!c->verb || !a->model)
		argp_error(state, "expected a verb and a model");
	for (i = 0; i < c->nused; i++)
		if (!strchr(c->verb->options, c->used[i]))
			argp_error(state, "%s takes no such option", c->verb->name);
	if (a->nfile > c->verb->max || (a->nfile && c->verb->run == allow && !a->alarm))
		argp_error(state, "one argument too many: \"%s\"", a->file[a->nfile - 1]);
	if (a->nfile < c->verb->min)
		argp_error(state, "%s: expected %s", c->verb->name, c->verb->min > 1 ? "two models or more to merge" : "two models");
	if (a->alarm && strpbrk(c->used, "spfv"))
		argp_error(state, "--alarm says all that -s, -p, -f and -v do");
	if (c->verb->run == allow && !*a->allow.field && !a->alarm)
		argp_error(state, "expected --field=FIELD or --alarm=N");
	if (c->verb->run == forget && !a->source == !*a->allow.subject)
		argp_error(state, "expected --source=FILE or --subject=PATTERN");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *c = state->input;

	switch (key) {
	case 's': c->a.allow.subject = arg; use(c, 's'); break;
	case 'p': c->a.allow.program = arg; use(c, 'p'); break;
	case 'f': c->a.allow.field = arg; use(c, 'f'); break;
	case 'v': c->a.allow.value = arg; use(c, 'v'); break;
	case KEY_REASON: c->a.reason = arg; use(c, 'r'); break;
	case KEY_EXPIRES: c->a.allow.expires = parse_day(state, arg); use(c, 'e'); break;
	case KEY_ALARM: c->a.alarm = arg; use(c, 'a'); break;
	case KEY_SOURCE: c->a.source = arg; use(c, 'o'); break;
	case KEY_DUMP:
		cb_man_program(options, NULL, EXAMPLES, stdout);
		exit(0);
	case ARGP_KEY_ARG: positional(c, arg, state); break;
	case ARGP_KEY_END: finish(c, state); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "VERB MODEL [FILE...]", "Looks after a model that ctrain made.\v"
		"Verbs:\n"
		"  show    what was learned, and what it can promise\n"
		"  check   is the file whole; what is not ready, and why\n"
		"  allow   makes an alarm normal: cdetect prints the command with each alarm\n"
		"  diff    what the second of two models knows more (+), less (-) or otherwise (~)\n"
		"  merge   MODEL is made of the FILEs: what they learned adds up\n"
		"  forget  unlearns a source (with what was learned in the same run) or a subject\n\n"
		"Examples:\n" EXAMPLES, NULL, NULL, NULL };
	struct command c = { .a = { .allow = { "", "", "", "", 0, true }, .reason = "" } };
	struct cb_err e = { 0 };
	int err;

	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	err = c.verb->run(&c.a, &e);
	free(c.a.file);
	while (c.a.nkept)
		free(c.a.kept[--c.a.nkept]);
	if (!err && fflush(stdout))
		err = cb_fail(&e, -errno, "%s", strerror(errno));
	if (err)
		fprintf(stderr, "cmodel: %s\n", e.text);
	return err ? CB_EXIT_FAILED : 0;
}
