/* SPDX-License-Identifier: GPL-2.0 */
/* All collectors of a folder as child processes: found, started, started again, ended. */
#ifndef CB_SUPERVISE_H
#define CB_SUPERVISE_H
#include <sys/types.h>
#include "cb.h"

/* One stream of one collector; a collector with two wanted streams runs twice. */
struct cb_worker {
	char *path, *tool, *dataset; /* "/usr/local/sbin/ctop-syscalls", "ctop-syscalls", "sequence" */
	char **arg;		     /* its own options: "-S" */
	int narg;
	/* from here the supervisor's */
	pid_t pid;		     /* 0: not running */
	bool ready;		     /* attached */
	int ready_fd, err_fd;	     /* read ends, -1: closed */
	uint64_t since, died;	     /* UTC ns: start, and end of the one before */
	uint64_t again;		     /* monotonic ns: when it is started next, 0: not planned */
	uint64_t pause;		     /* ns before that */
	char text[4096];	     /* what it wrote to stderr and is not yet passed on */
	size_t len;
	uint64_t said;		     /* monotonic ns: when that began */
};

struct cb_supervisor;

struct cb_supervisor_ops {
	/*
	 * Before worker i starts: add its last arguments with cb_supervisor_arg(), return the descriptor that
	 * its rows go to (stays the caller's), -1 for none, or another negative errno.
	 */
	int (*start)(struct cb_supervisor *s, int i);
	int (*ready)(struct cb_supervisor *s);	    /* all are attached, for the first time */
	int (*tick)(struct cb_supervisor *s);	    /* some times a second */
	int (*hangup)(struct cb_supervisor *s);	    /* SIGHUP; NULL: ends */
	/* Worker i gave up with an error of its own, which stderr shows. Non-zero: nothing is to be gained by another start. */
	int (*failed)(struct cb_supervisor *s, int i);
	void (*stopping)(struct cb_supervisor *s);  /* before the workers are told to end; NULL: nothing to do */
	int (*reaped)(struct cb_supervisor *s, pid_t pid, int status); /* a child that is no worker. 1: end */
};

/* What a user may ask of all collectors. */
struct cb_supervisor_opts {
	char **container, **exclude; /* lists of "--container=PATTERN", "--exclude=PATTERN" */
	int ncontainer, nexclude;
	const char *label; /* NULL: none */
	bool all, no_args, quiet;
	uint64_t duration_ns;
};

struct cb_supervisor {
	const char *name; /* for messages */
	const struct cb_supervisor_ops *ops;
	void *data;
	struct cb_supervisor_opts opt;
	struct cb_worker *worker;
	int nworker;
	struct cb_err err;
	/* inside */
	int signals, epoll;
	char **argv;
	int argc;
	bool stopping, was_ready, broken; /* broken: it ends because something failed */
	uint64_t end;			  /* monotonic ns, 0: until a signal */
	char last[512];			  /* what was said last, not to be said again by each */
	uint64_t last_ns;
};

/* A child of argp; its input is the struct cb_supervisor. */
extern const struct argp cb_supervisor_argp;

/* The folder of the running program. */
int cb_program_folder(char **ret, struct cb_err *e);
/* Finds the workers: every collector in the folder, asked by --dump=record. -ENOENT: none. */
int cb_supervisor_find(struct cb_supervisor *s, const char *folder);
void cb_supervisor_arg(struct cb_supervisor *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Runs the workers until a signal, the duration or a failure, then ends them: they get SIGTERM, so that their end
 * rows are written, and half a minute. 0, or -errno with text (no text: it has been said). They end with the caller,
 * however that ends.
 */
int cb_supervisor_run(struct cb_supervisor *s);
void cb_supervisor_say(const struct cb_supervisor *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cb_supervisor_free(struct cb_supervisor *s); /* what it points to */

/* fork(): in the child with signals as at the start, a process group of its own, and death with the parent by sig (0: not). */
pid_t cb_supervisor_fork(int sig);
#endif
