/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cbwatch: all collectors into one cdetect. A pipe for each; this program keeps the writing ends open too, so that
 * cdetect meets no end of input while a collector that died is started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "supervise.h"

#define PIPE_BYTES (1 << 20) /* rows that wait while cdetect is busy */

struct watcher {
	struct cb_supervisor s;
	char *cdetect;	/* its path */
	char **arg;	/* options for it */
	int narg;
	bool model;
	int (*pipe)[2]; /* by worker */
	pid_t pid;	/* of cdetect, 0: not running */
	int status;	/* how it ended */
	bool ended;
};

/* 0: the reading ends, 1: the writing ones */
static void close_ends(struct watcher *w, int end)
{
	for (int i = 0; w->pipe && i < w->s.nworker; i++) {
		if (w->pipe[i][end] >= 0)
			close(w->pipe[i][end]);
		w->pipe[i][end] = -1;
	}
}

/* ---- cdetect ---- */

static void become_cdetect(struct watcher *w)
{
	int n = w->s.nworker;
	char **argv = cb_xalloc((1 + w->narg + n + 1) * sizeof(*argv));
	int null = open("/dev/null", O_RDONLY);

	argv[0] = w->cdetect;
	memcpy(argv + 1, w->arg, w->narg * sizeof(*argv));
	for (int i = 0; i < n; i++) {
		fcntl(w->pipe[i][0], F_SETFD, 0);
		argv[1 + w->narg + i] = cb_xasprintf("/dev/fd/%d", w->pipe[i][0]);
	}
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		_exit(127);
	execv(argv[0], argv);
	fprintf(stderr, "cbwatch: %s: cannot start: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/*
 * Collectors are attached, what they have seen since waits in the pipes. cdetect is not killed with us: the
 * collectors are, it then judges what is left and ends with its input.
 */
static int ready(struct cb_supervisor *s)
{
	struct watcher *w = s->data;

	w->pid = cb_supervisor_fork(0);
	if (!w->pid)
		become_cdetect(w);
	if (w->pid < 0)
		return cb_fail(&s->err, -errno, "%s: cannot start: %s", w->cdetect, strerror(errno));
	close_ends(w, 0);
	return 0;
}

/* A collector that waits for room in a pipe which nobody will ever read could not end. */
static void stopping(struct cb_supervisor *s)
{
	close_ends(s->data, 0);
}

static void note_end(struct watcher *w, int status)
{
	w->pid = 0;
	w->ended = true;
	w->status = status;
}

static int reaped(struct cb_supervisor *s, pid_t pid, int status)
{
	struct watcher *w = s->data;

	if (pid != w->pid)
		return 0;
	note_end(w, status);
	return 1; /* nobody judges: there is nothing left to do */
}

/* ---- collectors ---- */

static int begin(struct cb_supervisor *s, int i)
{
	struct watcher *w = s->data;

	cb_supervisor_arg(s, "--output=json");
	return w->pipe[i][1];
}

static int make_pipes(struct watcher *w)
{
	int n = w->s.nworker;

	w->pipe = cb_xalloc(n * sizeof(*w->pipe));
	for (int i = 0; i < n; i++)
		w->pipe[i][0] = w->pipe[i][1] = -1;
	for (int i = 0; i < n; i++) {
		if (pipe2(w->pipe[i], O_CLOEXEC))
			return cb_fail(&w->s.err, -errno, "pipe: %s", strerror(errno));
		/* as much as the system allows */
		for (int size = PIPE_BYTES; size > 65536 && fcntl(w->pipe[i][1], F_SETPIPE_SZ, size) < 0; size /= 2)
			;
	}
	return 0;
}

/* ---- life ---- */

/* All collectors have ended: cdetect reads what is left, and the end. */
static void finish(struct watcher *w, bool failed)
{
	int status;

	close_ends(w, 0);
	close_ends(w, 1);
	free(w->pipe);
	w->pipe = NULL;
	if (!w->pid)
		return;
	if (failed)
		kill(w->pid, SIGTERM);
	while (waitpid(w->pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	note_end(w, status);
}

static int exit_status(struct watcher *w, int err)
{
	if (w->ended && WIFSIGNALED(w->status)) {
		cb_supervisor_say(&w->s, "cdetect was killed by signal %d (%s)", WTERMSIG(w->status),
				  strsignal(WTERMSIG(w->status)));
		return CB_EXIT_FAILED;
	}
	if (err || !w->ended)
		return err ? CB_EXIT_FAILED : 0;
	return WEXITSTATUS(w->status);
}

static int watch(struct watcher *w)
{
	char *folder = NULL;
	int err = cb_program_folder(&folder, &w->s.err);

	if (!err)
		err = cb_supervisor_find(&w->s, folder);
	if (!err)
		w->cdetect = cb_xasprintf("%s/cdetect", folder);
	free(folder);
	if (!err && access(w->cdetect, X_OK))
		err = cb_fail(&w->s.err, -errno, "%s: cannot start: %s", w->cdetect, strerror(errno));
	if (!err)
		err = make_pipes(w);
	if (!err)
		err = cb_supervisor_run(&w->s);
	if (err && w->s.err.text[0])
		cb_supervisor_say(&w->s, "%s", w->s.err.text);
	finish(w, err);
	return exit_status(w, err);
}

/* ---- options ---- */

enum { KEY_CSV = 0x300, KEY_FIELDS, KEY_BUDGET, KEY_EXIT, KEY_STRICT, KEY_SCORES, KEY_DUMP };

#define EXAMPLES \
	"cbwatch -m web.db                  alarms as a table\n" \
	"cbwatch -m web.db -j -d 1h         an hour, as JSON Lines\n" \
	"cbwatch -m web.db -w seen.zst      and what was judged, recorded\n"

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What cdetect gets:", 2 },
	{ "model", 'm', "MODEL", 0, "what ctrain made", 2 },
	{ "budget", KEY_BUDGET, "N/day|N/hour", 0, "false alarms allowed a container, instead of the model's", 2 },
	{ "exit-code", KEY_EXIT, NULL, 0, "end with 2 if there were alarms, else with 3 if rows were lost", 2 },
	{ "write", 'w', "FILE", 0, "record the rows in the order they were judged (.zst: compressed)", 2 },
	{ "output", 'o', "FORMAT", 0, "table, csv or json (one object a line)", 2 },
	{ "json", 'j', NULL, 0, "same as --output=json", 2 },
	{ "csv", KEY_CSV, NULL, 0, "same as --output=csv", 2 },
	{ "fields", KEY_FIELDS, "LIST", 0, "these fields, comma-separated; +x,-y changes the usual ones; help lists them", 2 },
	{ "scores", KEY_SCORES, NULL, 0, "no alarms: how surprising each process was, at the end", 2 },
	{ "strict", KEY_STRICT, NULL, 0, "end at the first bad row", 2 },
	{ "dump", KEY_DUMP, "man", OPTION_HIDDEN, NULL, 2 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static void add_arg(struct watcher *w, char *arg)
{
	w->arg = cb_xrealloc(w->arg, (w->narg + 1) * sizeof(*w->arg));
	w->arg[w->narg++] = arg;
}

/* Options of the table above go on under their own names. */
static bool pass_option(struct watcher *w, int key, const char *arg)
{
	for (const struct argp_option *o = options; o->name || o->doc; o++) {
		if (!o->name || o->key != key)
			continue;
		add_arg(w, arg ? cb_xasprintf("--%s=%s", o->name, arg) : cb_xasprintf("--%s", o->name));
		return true;
	}
	return false;
}

/* --fields=help asks for no collectors. Does not return. */
static void show_fields(struct argp_state *state)
{
	char *folder, *argv[] = { NULL, "--fields=help", NULL };
	struct cb_err e = {};

	if (cb_program_folder(&folder, &e))
		argp_failure(state, CB_EXIT_FAILED, 0, "%s", e.text);
	argv[0] = cb_xasprintf("%s/cdetect", folder);
	execv(argv[0], argv);
	argp_failure(state, CB_EXIT_FAILED, errno, "%s", argv[0]);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct watcher *w = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &w->s;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no arguments are expected, got \"%s\"", arg);
		return 0;
	case ARGP_KEY_END:
		if (!w->model)
			argp_error(state, "expected --model=MODEL");
		if (w->s.opt.quiet)
			add_arg(w, cb_xstrdup("--quiet"));
		return 0;
	case 'o':
		if (strcmp(arg, "table") && strcmp(arg, "csv") && strcmp(arg, "json"))
			argp_error(state, "--output: expected table, csv or json, got \"%s\"", arg);
		break;
	case KEY_FIELDS:
		if (!strcmp(arg, "help"))
			show_fields(state);
		break;
	case KEY_DUMP:
		cb_man_program(options, &cb_supervisor_argp, EXAMPLES, stdout);
		exit(0);
	case 'm':
		w->model = true;
		break;
	}
	return pass_option(w, key, arg) ? 0 : ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct cb_supervisor_ops ops = { .start = begin, .ready = ready, .stopping = stopping, .reaped = reaped };
	const struct argp_child children[] = { { &cb_supervisor_argp, 0, NULL, 0 }, {} };
	const struct argp argp = { options, parse, NULL,
				   "Watches containers: every collector beside this program runs into cdetect, which prints "
				   "alarms as they happen.\v"
				   "Ends with the exit status of cdetect.\n\n"
				   "Examples:\n" EXAMPLES,
				   children, NULL, NULL };
	struct watcher w = { .s = { .name = "cbwatch", .ops = &ops } };
	int ret;

	w.s.data = &w;
	argp_program_version = "cbtools " CB_VERSION;
	argp_err_exit_status = CB_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &w);
	ret = watch(&w);
	for (int i = 0; i < w.narg; i++)
		free(w.arg[i]);
	free(w.arg);
	free(w.cdetect);
	cb_supervisor_free(&w.s);
	return ret;
}
