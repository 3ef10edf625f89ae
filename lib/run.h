/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the runner: options, the kernel, who is who, output. */
#ifndef CB_RUN_H
#define CB_RUN_H
#include <bpf/libbpf.h>
#include <signal.h>
#include "../bpf/life.h"
#include "cb.h"
#include "container.h"
#include "prom.h"
#include "writer.h"

#define CB_NOTE ".note.cbtools" /* ELF section of every program with cb_main() */
#define CB_NOTE_OWNER "cbtools"

struct cb_opts {
	enum cb_format format;
	const char *fields;
	const char *label; /* key of the one that rows have; NULL: none */
	struct cb_filter *filter;
	bool all, failed, no_args, quiet;
	const char *dump; /* what, of the hidden --dump */
	int verbose;
	uint64_t interval_ns, count, duration_ns;
	bool interval_given;
	const char *write, *replay, *prometheus;
	int ready_fd;			/* told when the probes are attached, -1: nobody */
	uint64_t gap_ns;		/* UTC: the collector before this one died then, 0: none did */
};

/* opts.c: 0, or does not return (usage errors end with 64, --help with 0) */
int cb_opts_parse(struct cb_run *run, int argc, char **argv);
int cb_opts_dump(struct cb_run *run, FILE *to);
bool cb_opts_has_interval(const struct cb_tool *tool);

/* who.c: programs by exec id, containers by key, from life records */
struct cb_who;
struct cb_who *cb_who_new(void);
void cb_who_free(struct cb_who *w);
/* A life record. Returns the container it made known, or NULL. */
struct cb_cont *cb_who_life(struct cb_who *w, const struct cb_life *l, size_t len);
struct cb_cont *cb_who_cont(struct cb_who *w, const struct cb_head *h); /* NULL: host, or not told of (yet) */
struct cb_cont *cb_who_guess(struct cb_who *w, const struct cb_head *h); /* as above, by /proc where not told */
const char *cb_who_exe(struct cb_who *w, const struct cb_head *h);	 /* NULL: not told of (yet) */
const char *cb_who_guess_exe(struct cb_who *w, const struct cb_head *h); /* by /proc; "" if it is gone */
struct cb_conts *cb_who_conts(struct cb_who *w);
void cb_who_refresh(struct cb_who *w); /* names that came late or changed */

/* kernel.c: what this kernel has, and the constants of task.bpf.h */
int cb_kernel_check(struct cb_err *e);
int cb_kernel_prepare(struct bpf_object *o, bool all, struct cb_err *e);
int cb_kernel_ring(struct bpf_object *o, uint64_t bytes, struct cb_err *e); /* before load: of the main ring */
bool cb_kernel_has_function(const char *name); /* in its type information, kept in memory for the next question */
void cb_kernel_forget(void);		       /* no more questions */
int cb_kernel_const(struct bpf_object *o, const char *name, const void *value, size_t size, struct cb_err *e);
/* Where a global variable of the probe lies; once it is loaded the probe sees what is written there. NULL: e says why. */
void *cb_kernel_var(struct bpf_object *o, const char *name, size_t size, struct cb_err *e);
uint64_t cb_kernel_misses(struct bpf_object *o); /* programs not run because one was running */
int cb_kernel_stats(struct bpf_object *o, struct cb_stats *ret, struct cb_err *e); /* sums over CPUs */

/* tracefs.c: path is CATEGORY/NAME */
bool cb_has_tracepoint(const char *path);
int cb_attach_tracepoint(struct bpf_program *p, const char *path, struct bpf_link **ret, struct cb_err *e);

/* detached.c: descriptors, to be closed */
int cb_mount_detached(const char *type); /* -1 and errno */
int cb_cgroup_root(void); /* of the version 2 hierarchy, wherever it is mounted or not. Negative errno: not from here */

/* caps.c: after all is attached and opened */
void cb_raise_priority(void);
int cb_drop_capabilities(struct cb_run *run);

/* replay.c: -r */
int cb_replay(struct cb_run *run);

/* emit.c */
void cb_emit_meta(struct cb_run *run, const char *kind);
void cb_emit_gap(struct cb_run *run, uint64_t since_utc);
int cb_emit_prom(struct cb_run *run); /* writes the file of --prometheus */
int cb_emit_turn(struct cb_run *run); /* ends the recording's file and begins the next */

/* probe.c: load, attach, read, detach */
int cb_probe_start(struct cb_run *run);
int cb_probe_lives(struct cb_run *run);  /* reads the ring of life records */
int cb_probe_drain(struct cb_run *run);  /* life records, then records */
int cb_probe_tasks(struct cb_run *run);  /* a pass of the iterator, the rings, then its peeks */
bool cb_probe_sleep(struct cb_run *run); /* the rings are empty, and the next record wakes the epoll */
void cb_probe_wake(struct cb_run *run);  /* no longer: who polls need not be woken */
void cb_probe_refresh(struct cb_run *run); /* names of containers, and which are wanted */
void cb_probe_detach(struct cb_run *run); /* nothing new from here; the iterator still works */
void cb_probe_free(struct cb_run *run);

/* output.c: rows to stdout and to the recording; errors are kept in run->err */
int cb_output_open(struct cb_run *run);
void cb_output_event(struct cb_run *run, const struct cb_event *ev);
void cb_output_meta(struct cb_run *run, const struct cb_common *c);
int cb_output_flush(struct cb_run *run);
/* end: totals of the whole stream so far; schema: the row that the next file begins with */
int cb_output_turn(struct cb_run *run, const struct cb_common *end, const struct cb_common *schema);
int cb_output_close(struct cb_run *run);

/* term.c: keys of a screen */
struct cb_term;
void cb_term_begin(struct cb_run *run);
int cb_term_keys(struct cb_run *run); /* 1: time to end */
void cb_term_end(struct cb_run *run);

struct cb_run {
	const struct cb_tool *tool;
	const struct cb_schema *schema;
	struct cb_opts opt;
	struct cb_err err;
	void *data;
	void *skel;
	struct bpf_object *obj;
	struct cb_who *who;
	struct cb_out *out, *rec;	/* stdout and -w */
	struct cb_writer *outw, *recw;
	struct cb_prom *prom;		/* --prometheus */
	uint64_t prom_ns;		/* when it was last written, boot ns */
	bool prom_failed;		/* which was told */
	struct cb_common told;		/* totals that earlier files of the recording ended with */
	bool screen;			/* tool->screen draws on the terminal */
	bool rows;			/* never: the tool wants rows */
	bool no_table;			/* the tool prints something else instead */
	struct cb_term *term;
	bool paused;
	const char *columns; /* --fields of a table unless the user says otherwise */
	struct ring_buffer *lives, *events;
	int ring[2]; /* their maps */
	struct bpf_link *iter, *link[128];
	int nlinks;
	struct cb_attach { /* cb_run_attach() */
		const char *program;
		char *tracepoint;
	} *attach;
	size_t nattach;
	int epoll, signals, unwanted; /* unwanted: map */
	struct cb_buf peeks, one; /* of the iterator: all, and one of it at an address fit for it */
	uint64_t lost_before; /* what was lost since the last row */
	uint64_t sent, filtered, residual; /* residual: seen by a peek, not yet counted by the kernel */
	uint64_t made;			/* rows of the tool's own making */
	struct cb_stats stats;
	uint64_t misses;
	int failed;			/* first error of a call-back */
	uint64_t drained, drain_until;	/* records so far; when a drain pauses (monotonic ns) */
	bool heard;			/* the last drain found something */
	volatile bool *asleep, *late;	/* the probe's cb_asleep, cb_late */
};
#endif
