/* SPDX-License-Identifier: GPL-2.0 */
/* The options that all collectors have. One table: argp and the man page read it. */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

enum { KEY_EXCLUDE = 0x100, KEY_FIELDS, KEY_CSV, KEY_NO_ARGS, KEY_LABEL, KEY_PROMETHEUS, KEY_DUMP, KEY_READY, KEY_GAP };

static const struct argp_option common[] = {
	{ NULL, 0, NULL, 0, "Which containers and processes:", 1 },
	{ "container", 'c', "PATTERN", 0,
	  "only containers with this name (a shell pattern), id prefix of 4 or more, image=GLOB, label=KEY[=VALUE] or /cgroup/path; repeatable", 1 },
	{ "exclude", KEY_EXCLUDE, "PATTERN", 0, "not these containers (same forms); repeatable", 1 },
	{ "all", 'a', NULL, 0, "processes of the host too", 1 },
	{ "pid", 'p', "PID", 0, "only this process (number on the host); repeatable", 1 },
	{ "comm", 'n', "NAME", 0, "only processes of this name; repeatable", 1 },
	{ "uid", 'u', "USER", 0, "only this user (name or number on the host); repeatable", 1 },
	{ NULL, 0, NULL, 0, "How long:", 2 },
	{ "interval", 'i', "TIME", 0, "a report each TIME: seconds, or 500ms 5s 10m 2h 1d", 2 },
	{ "duration", 'd', "TIME", 0, "end after TIME", 2 },
	{ NULL, 0, NULL, 0, "What is shown:", 3 },
	{ "failed", 'x', NULL, 0, "only what failed", 3 },
	{ "output", 'o', "FORMAT", 0, "table, csv or json (one object a line)", 3 },
	{ "json", 'j', NULL, 0, "same as --output=json", 3 },
	{ "csv", KEY_CSV, NULL, 0, "same as --output=csv", 3 },
	{ "fields", KEY_FIELDS, "LIST", 0, "these fields, comma-separated; +x,-y changes the usual ones; help lists them", 3 },
	{ "label", KEY_LABEL, "KEY", 0, "the container's label KEY in each row, as container.label (ctrain --by=label:KEY)", 3 },
	{ "no-args", KEY_NO_ARGS, NULL, 0, "never read or print arguments of programs", 3 },
	{ NULL, 0, NULL, 0, "Recordings:", 4 },
	{ "write", 'w', "FILE", 0,
	  "record to FILE as well (JSON Lines; .csv: CSV; .zst: compressed); SIGHUP opens it anew", 4 },
	{ "replay", 'r', "FILE", 0, "read a recording instead of the kernel", 4 },
	{ "prometheus", KEY_PROMETHEUS, "FILE", 0,
	  "write numbers to FILE as well, for the textfile collector of Prometheus' node-exporter; the name should end in .prom", 4 },
	{ NULL, 0, NULL, 0, "Other:", 5 },
	{ "verbose", 'v', NULL, 0, "say more on stderr; twice: libbpf's messages too", 5 },
	{ "quiet", 'q', NULL, 0, "no remarks on stderr but errors", 5 },
	{ "dump", KEY_DUMP, "WHAT", OPTION_HIDDEN, NULL, 5 },
	{ "ready", KEY_READY, "FD", OPTION_HIDDEN, NULL, 5 },
	{ "gap", KEY_GAP, "NS", OPTION_HIDDEN, NULL, 5 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

bool cb_opts_has_interval(const struct cb_tool *tool)
{
	return tool->interval_ns != 0;
}

static bool offered(const struct cb_tool *tool, const struct argp_option *o)
{
	if (o->key == 'i')
		return cb_opts_has_interval(tool);
	if (o->key == 'x')
		return tool->failed_option;
	return true;
}

static int parse_time(struct argp_state *state, struct cb_run *run, const char *option, const char *arg, uint64_t *ret)
{
	struct cb_err e = {};

	if (cb_parse_time(arg, ret, &e))
		argp_error(state, "%s: %s", option, e.text);
	return 0;
}

static uint64_t parse_gap(struct argp_state *state, const char *arg)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(arg, &end, 10);
	if (!isdigit((unsigned char)*arg) || *end || errno)
		argp_error(state, "--gap: expected nanoseconds since 1970, got \"%s\"", arg);
	return v;
}

static uint32_t parse_number(struct argp_state *state, const char *option, const char *arg)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(arg, &end, 10);
	if (!isdigit((unsigned char)*arg) || *end || errno || v > UINT32_MAX)
		argp_error(state, "%s: expected a number, got \"%s\"", option, arg);
	return v;
}

static uint32_t parse_user(struct argp_state *state, const char *arg)
{
	const struct passwd *pw = getpwnam(arg);

	if (pw)
		return pw->pw_uid;
	if (!isdigit((unsigned char)*arg))
		argp_error(state, "--uid: expected a user of this host or a number, got \"%s\"", arg);
	return parse_number(state, "--uid", arg);
}

static enum cb_format parse_format(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "table"))
		return CB_TABLE;
	if (!strcmp(arg, "csv"))
		return CB_CSV;
	if (!strcmp(arg, "json"))
		return CB_JSON;
	argp_error(state, "--output: expected table, csv or json, got \"%s\"", arg);
	return CB_TABLE;
}

static int parse_positional(struct argp_state *state, struct cb_run *run, char *arg)
{
	struct cb_opts *o = &run->opt;

	if (!run->tool->args)
		argp_error(state, "no arguments are expected, got \"%s\"", arg);
	if (state->arg_num == 0) {
		if (o->interval_given)
			argp_error(state, "the interval is given twice: --interval and \"%s\"", arg);
		o->interval_given = true;
		parse_time(state, run, "interval", arg, &o->interval_ns);
	} else if (state->arg_num == 1) {
		o->count = parse_number(state, "count", arg);
		if (!o->count)
			argp_error(state, "count: expected 1 or more, got \"%s\"", arg);
	} else {
		argp_error(state, "one argument too many: \"%s\"", arg);
	}
	return 0;
}

static void finish(struct argp_state *state, struct cb_run *run)
{
	struct cb_opts *o = &run->opt;

	if (o->interval_given && o->interval_ns < 10000000)
		argp_error(state, "interval: expected 10ms or more");
	if (!o->interval_given)
		o->interval_ns = run->tool->interval_ns;
	if (o->replay && o->all)
		cb_filter_host(o->filter, true);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cb_run *run = state->input;
	struct cb_opts *o = &run->opt;
	struct cb_err e = {};
	int err;

	switch (key) {
	case 'c':
		if (cb_filter_include(o->filter, arg, &e))
			argp_error(state, "%s", e.text);
		break;
	case KEY_EXCLUDE:
		if (cb_filter_exclude(o->filter, arg, &e))
			argp_error(state, "%s", e.text);
		break;
	case 'a':
		o->all = true;
		cb_filter_host(o->filter, true);
		break;
	case 'p':
		cb_filter_pid(o->filter, parse_number(state, "--pid", arg));
		break;
	case 'n':
		cb_filter_comm(o->filter, arg);
		break;
	case 'u':
		cb_filter_uid(o->filter, parse_user(state, arg));
		break;
	case 'i':
		if (o->interval_given)
			argp_error(state, "the interval is given twice");
		o->interval_given = true;
		return parse_time(state, run, "--interval", arg, &o->interval_ns);
	case 'd':
		return parse_time(state, run, "--duration", arg, &o->duration_ns);
	case 'x':
		o->failed = true;
		break;
	case 'o':
		o->format = parse_format(state, arg);
		break;
	case 'j':
		o->format = CB_JSON;
		break;
	case KEY_CSV:
		o->format = CB_CSV;
		break;
	case KEY_FIELDS:
		o->fields = arg;
		break;
	case KEY_LABEL:
		if (!*arg || strchr(arg, '='))
			argp_error(state, "--label: expected the key of a label, got \"%s\"", arg);
		o->label = arg;
		break;
	case KEY_NO_ARGS:
		o->no_args = true;
		break;
	case 'w':
		o->write = arg;
		break;
	case 'r':
		o->replay = arg;
		break;
	case 'v':
		o->verbose++;
		break;
	case 'q':
		o->quiet = true;
		break;
	case KEY_PROMETHEUS:
		o->prometheus = arg;
		break;
	case KEY_DUMP:
		o->dump = arg;
		break;
	case KEY_READY:
		o->ready_fd = parse_number(state, "--ready", arg);
		break;
	case KEY_GAP:
		o->gap_ns = parse_gap(state, arg);
		break;
	case ARGP_KEY_ARG:
		return parse_positional(state, run, arg);
	case ARGP_KEY_END:
		finish(state, run);
		break;
	default:
		if (key >= 0x1000000 || !run->tool->parse) /* argp's own notes begin there */
			return ARGP_ERR_UNKNOWN;
		err = run->tool->parse(run, key, arg);
		if (err)
			argp_error(state, "%s", run->err.text);
	}
	return 0;
}

/* The common options this tool has, then its own; ends with an empty one. */
static struct argp_option *all_options(const struct cb_tool *tool)
{
	size_t n = 0, ncommon = sizeof(common) / sizeof(common[0]) - 1, ntool = 0;
	struct argp_option *all;

	for (const struct argp_option *o = tool->option; o && (o->name || o->key || o->doc); o++)
		ntool++;
	all = cb_xalloc((ncommon + ntool + 1) * sizeof(*all));
	for (size_t i = 0; i < ncommon; i++)
		if (offered(tool, &common[i]))
			all[n++] = common[i];
	for (size_t i = 0; i < ntool; i++)
		all[n++] = tool->option[i];
	return all;
}

int cb_opts_parse(struct cb_run *run, int argc, char **argv)
{
	const struct cb_tool *tool = run->tool;
	struct argp_option *options = all_options(tool);
	char *doc = cb_xasprintf("%s\v%s%s", tool->doc, tool->examples ? "Examples:\n" : "",
				 tool->examples ? tool->examples : "");
	const struct argp argp = { options, parse, tool->args, doc, NULL, NULL, NULL };

	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	run->opt.filter = cb_filter_new();
	run->opt.ready_fd = -1;
	argp_parse(&argp, argc, argv, 0, NULL, run);
	free(doc);
	free(options);
	return 0;
}

/* For those who run all collectors: a line a stream, "TOOL DATASET [OPTION...]". */
static void dump_streams(const struct cb_tool *tool, FILE *to)
{
	const char *s = tool->streams ? tool->streams : tool->schema[0]->name;
	size_t len;

	for (; *s; s += len + (s[len] == '\n')) {
		len = strcspn(s, "\n");
		fprintf(to, "%s %.*s\n", tool->name, (int)len, s);
	}
}

/* OPTIONS, FIELDS and EXAMPLES of a collector's man page */
static void dump_man(const struct cb_tool *tool, FILE *to)
{
	struct argp_option *all = all_options(tool);

	cb_man_options(all, to);
	free(all);
	for (int i = 0; i < 4 && tool->schema[i]; i++)
		cb_man_fields(tool->schema[i], to);
	if (tool->examples)
		cb_man_examples(tool->examples, to);
}

int cb_opts_dump(struct cb_run *run, FILE *to)
{
	const char *what = run->opt.dump;

	if (!strcmp(what, "man"))
		dump_man(run->tool, to);
	else if (!strcmp(what, "common"))
		cb_man_common(to);
	else if (!strcmp(what, "record"))
		dump_streams(run->tool, to);
	else
		return cb_fail(&run->err, -EINVAL, "--dump: expected man, common or record, got \"%s\"", what);
	return 0;
}
