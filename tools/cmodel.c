/* SPDX-License-Identifier: GPL-2.0 */
/* cmodel: looks after a model. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "summary.h"

struct verb_args {
	const char *model;
	struct cb_allow allow;
	const char *reason;
};

/* One row a verb; a verb has its own options, checked before it runs. */
struct verb {
	const char *name, *help;
	const char *options; /* keys of those it takes */
	int (*run)(struct verb_args *a, struct cb_err *e);
};

enum { KEY_REASON = 0x100, KEY_EXPIRES, KEY_DUMP };

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
	fputs(b.s, stdout);
	cb_buf_free(&b);
	cb_model_free(m);
	return 0;
}

static int allow(struct verb_args *a, struct cb_err *e)
{
	struct cb_model *m = NULL;
	int err = cb_model_load(&m, a->model, true, e);

	if (!err && *a->allow.subject && !cb_model_find(m, a->allow.subject))
		err = cb_fail(e, -EINVAL, "%s: expected a subject of the model, got \"%s\"", a->model, a->allow.subject);
	cb_model_free(m);
	return err ? err : cb_model_add_allow(a->model, &a->allow, a->reason, e);
}

static const struct verb verbs[] = {
	{ "show", "what was learned, and what it can promise", "", show },
	{ "allow", "makes an alarm normal: cdetect prints the command with each", "spfvre", allow },
};

#define EXAMPLES \
	"cmodel show web.db\n" \
	"cmodel allow web.db -s web -f process.executable.path -v /usr/bin/backup --reason 'new job'\n"

static const struct argp_option options[] = {
	{ "subject", 's', "KEY", 0, "allow: whose baseline (alarm.subject); else all", 0 },
	{ "program", 'p', "PATH", 0, "allow: of this program only (alarm.program)", 0 },
	{ "field", 'f', "FIELD", 0, "allow: the column (alarm.field)", 0 },
	{ "value", 'v', "TEXT", 0, "allow: the value (alarm.value); else all", 0 },
	{ "reason", KEY_REASON, "TEXT", 0, "allow: why, kept in the model", 0 },
	{ "expires", KEY_EXPIRES, "DATE", 0, "allow: until the begin of this day, as 2027-01-31", 0 },
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
	if (state->arg_num > 1)
		argp_error(state, "one argument too many: \"%s\"", arg);
	if (state->arg_num)
		return;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, arg))
			c->verb = &verbs[i];
	if (!c->verb)
		argp_error(state, "expected show or allow, got \"%s\"", arg);
}

static void finish(struct command *c, struct argp_state *state)
{
	int i;

	if (!c->verb || !c->a.model)
		argp_error(state, "expected a verb and a model");
	for (i = 0; i < c->nused; i++)
		if (!strchr(c->verb->options, c->used[i]))
			argp_error(state, "%s takes no such option", c->verb->name);
	if (strchr(c->verb->options, 'f') && !*c->a.allow.field)
		argp_error(state, "expected --field=FIELD");
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
	static const struct argp argp = { options, parse, "VERB MODEL", "Looks after a model that ctrain made.\v"
		"Verbs:\n"
		"  show    what was learned, and what it can promise\n"
		"  allow   makes an alarm normal: cdetect prints the command with each alarm\n\n"
		"Examples:\n" EXAMPLES, NULL, NULL, NULL };
	struct command c = { .a = { .allow = { "", "", "", "", 0, true }, .reason = "" } };
	struct cb_err e = { 0 };
	int err;

	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	err = c.verb->run(&c.a, &e);
	if (!err && fflush(stdout))
		err = cb_fail(&e, -errno, "%s", strerror(errno));
	if (err)
		fprintf(stderr, "cmodel: %s\n", e.text);
	return err ? CB_EXIT_FAILED : 0;
}
