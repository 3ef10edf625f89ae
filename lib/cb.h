/* SPDX-License-Identifier: GPL-2.0 */
/* All that a collector sees of the library; readers of streams need reader.h, writers writer.h. */
#ifndef CB_LIB_H
#define CB_LIB_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "../bpf/cb.h"

/* ---- errors: functions return 0 or a count, else a negative errno with the text made where the facts are ---- */
struct cb_err {
	char text[512];
};
/* Keeps the first text, returns err (so that "return cb_fail(e, -EINVAL, ...)" reads well). e may be NULL. */
int cb_fail(struct cb_err *e, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define CB_EXIT_FAILED 1
#define CB_EXIT_USAGE 64

/* ---- memory: out of memory ends the program with one line ---- */
void *cb_xalloc(size_t size); /* zeroed */
void *cb_xrealloc(void *p, size_t size);
char *cb_xstrdup(const char *s); /* NULL gives NULL */
char *cb_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- time ---- */
/* "500ms", "5s", "10m", "2h", "1d" or seconds ("2", "0.5") -> ns; -EINVAL with text. */
int cb_parse_time(const char *text, uint64_t *ret_ns, struct cb_err *e);
uint64_t cb_now_utc(void);	  /* CLOCK_REALTIME, ns */
uint64_t cb_now_boot(void);	  /* CLOCK_BOOTTIME, ns */
uint64_t cb_boot_to_utc(uint64_t boot_ns); /* by the offset last taken by cb_clock_sync() */
void cb_clock_sync(void);	  /* takes CLOCK_REALTIME - CLOCK_BOOTTIME anew; runner does it at each tick */

/* ---- growing byte buffer ---- */
struct cb_buf {
	char *s; /* NUL-terminated when len > 0 */
	size_t len, cap;
};
void cb_buf_put(struct cb_buf *b, const void *p, size_t n);
void cb_buf_puts(struct cb_buf *b, const char *s);
void cb_buf_putc(struct cb_buf *b, char c);
void cb_buf_printf(struct cb_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cb_buf_reset(struct cb_buf *b); /* len = 0, memory kept */
void cb_buf_free(struct cb_buf *b);

/* ---- host ---- */
const char *cb_host_id(void);	   /* /etc/machine-id, else the host's name */
const char *cb_host_boot_id(void); /* /proc/sys/kernel/random/boot_id */

/* ---- system calls: numbers of this machine and names (libseccomp) ---- */
#define CB_SYSCALL_COMPAT 0x8000 /* bit in a call number: made through the 32-bit table */
#define CB_SYSCALL_MAXNAME 48
const char *cb_syscall_name(unsigned nr); /* "openat", "compat:open", "syscall_999"; static storage, never freed */
int cb_syscall_number(const char *name);  /* inverse, -1 if unknown */
int cb_syscall_symbol(const char *name); /* the same; a name of another machine gets a number here, -1: no name */

/* The lines of bpf/argclass.h for the constants arg_table and arg_rule (CB_ARGCLASS_MAX + 1) of a probe. */
struct cb_argrule;
struct cb_argtable;
void cb_argclass_rules(struct cb_argtable *table, struct cb_argrule *rule);

/* ---- events: what a writer prints and -r rebuilds ---- */
/*
 * The part that all rows share, in text-ready form. Its own field table is cb_common_fields (off/size
 * relative to struct cb_common; strings are char pointers, type CB_STR with size sizeof(char *)).
 * Pointers are borrowed for the duration of the call that takes the event.
 */
struct cb_common {
	uint64_t time;	       /* "@timestamp", UTC ns */
	const char *dataset;   /* "event.dataset": "cbtools.exec" */
	const char *kind;      /* "event.kind": schema, event, heartbeat, end, gap */
	const char *action;    /* "event.action" or "" */
	uint64_t start, end;   /* "event.start", "event.end": interval or chunk, UTC ns, 0: not an interval */
	uint64_t duration;     /* "event.duration_ns" */
	uint64_t count;	       /* "event.count": how many the row stands for */
	uint64_t lost;	       /* "event.lost": lost just before this row */
	bool truncated;	       /* "event.truncated": something was cut to fit; set by the writer too */
	const char *host_id, *boot_id;
	const char *cont_id, *cont_name, *image, *image_id, *runtime; /* "" for the host */
	const char *cgroup;    /* "container.cgroup.path" */
	const char *label;     /* "container.label": KEY=VALUE, "" or NULL: none was asked for or it has none */
	uint32_t pid, vpid, tid, ppid;
	uint64_t creation;     /* "process.creation.time", UTC ns */
	uint64_t exec_id;      /* "process.exec.id" */
	const char *comm;      /* "process.name" */
	const char *exe;       /* "process.executable.path" */
	uint32_t uid;	       /* "user.id" */
	bool entered;	       /* "process.entered": put into the container from outside, or child of such */
	bool first;	       /* "process.first": the container's first process */
	/* heartbeat and end rows only */
	uint64_t seen, sent, filtered, misses; /* "event.seen|sent|filtered", "event.recursion_misses" */
};
extern const struct cb_field cb_common_fields[];
extern const size_t cb_ncommon_fields;

struct cb_event {
	const struct cb_schema *schema;
	struct cb_common c;
	const void *rec; /* a record of the schema; its head is not read by writers */
	size_t len;	 /* used bytes of it: the last field may be short */
};

extern const struct cb_schema *const cb_schemas[]; /* all of them, NULL at the end; generated */
const struct cb_schema *cb_schema_find(const char *name_or_dataset);

/* ---- man pages: sections in man(7), from the tables ---- */
void cb_man_options(const struct argp_option *all, FILE *to);
/* OPTIONS, those of a child of argp too (may be NULL), and EXAMPLES of a program that is no collector */
void cb_man_program(const struct argp_option *own, const struct argp *child, const char *examples, FILE *to);
void cb_man_fields(const struct cb_schema *s, FILE *to);
void cb_man_common(FILE *to);
void cb_man_examples(const char *lines, FILE *to);

/* ---- containers ---- */
/* Opaque here; see container.h. */
struct cb_conts;
struct cb_filter;

/* ---- the runner ---- */
/* What libbpf's generated skeleton offers, so that the runner need not know each tool's. */
struct bpf_object;
struct bpf_object_skeleton;
struct cb_skel {
	void *(*open)(void);
	int (*load)(void *skel);
	void (*destroy)(void *skel);
	struct bpf_object *(*object)(void *skel);
};
/* CB_SKEL(exec): a struct cb_skel exec_skel of exec_bpf, from exec.skel.h */
#define CB_SKEL(id)                                                                                                    \
	static void *id##_skel_open(void)                                                                              \
	{                                                                                                              \
		return id##_bpf__open();                                                                               \
	}                                                                                                              \
	static int id##_skel_load(void *s)                                                                             \
	{                                                                                                              \
		return id##_bpf__load(s);                                                                              \
	}                                                                                                              \
	static void id##_skel_destroy(void *s)                                                                         \
	{                                                                                                              \
		id##_bpf__destroy(s);                                                                                  \
	}                                                                                                              \
	static struct bpf_object *id##_skel_object(void *s)                                                            \
	{                                                                                                              \
		return ((struct id##_bpf *)s)->obj;                                                                    \
	}                                                                                                              \
	static const struct cb_skel id##_skel = { id##_skel_open, id##_skel_load, id##_skel_destroy, id##_skel_object };

struct cb_run;
struct cb_cont; /* container.h */

struct cb_tool {
	const char *name;
	const char *args;			/* "[INTERVAL [COUNT]]" or NULL: none */
	const char *doc, *examples;		/* examples: lines of the man page, run by a test */
	const struct cb_schema *schema[4];	/* by cb_head.kind; the first unless cb_run_schema() says otherwise */
	const char *streams;			/* what cbrecord and cbwatch run, a line each: dataset and options
						 * ("sequence -S"); "": nothing; NULL: the first schema, no options */
	const struct cb_skel *skel;
	const struct argp_option *option;	/* beyond the common ones; keys from CB_KEY_TOOL up */
	uint64_t interval_ns;			/* default of -i; 0: no interval, and no -i */
	uint64_t tasks_ns;			/* how often the iterator passes over all tasks; 0: 500 ms */
	uint64_t caps;				/* capabilities it needs while it runs, beyond those of caps.c (bits) */
	bool failed_option;			/* -x means something here */
	bool once;				/* lists what there is and ends: tick() is called once */
	bool calls;				/* counts calls, not records, in seen, sent, filtered and lost */
	int (*parse)(struct cb_run *run, int key, char *arg);
	void (*start)(struct cb_run *run);		/* options are read */
	int (*setup)(struct cb_run *run, void *skel);	/* before load: constants, map sizes, which programs */
	int (*loaded)(struct cb_run *run);		/* before attach: what depends on what can be attached */
	int (*begun)(struct cb_run *run);		/* once: attached, and the tasks that run already are known */
	void (*container)(struct cb_run *run, const struct cb_cont *c); /* became known: at its first program, if all is well */
	int (*record)(struct cb_run *run, const void *rec, size_t len, bool peek); /* NULL: every record is a row */
	int (*before)(struct cb_run *run); /* ahead of the iterator's pass that ends an interval; 1: it is not needed */
	int (*tick)(struct cb_run *run, uint64_t start_ns, uint64_t end_ns); /* at each interval and at the end */
	int (*drained)(struct cb_run *run); /* after the rings were read; may emit, and run cb_run_drain() */
	void (*row)(struct cb_run *run, const struct cb_event *ev); /* each row that is wanted, live or replayed */
	int (*screen)(struct cb_run *run, FILE *out);	/* table on a terminal: the last interval as a picture */
	bool (*key)(struct cb_run *run, int key);	/* on such a screen; true: draw it again (q, p and space are taken) */
	void (*done)(struct cb_run *run);		/* frees the tool's data */
};
#define CB_KEY_TOOL 0x400

/* The whole of main(): options, load, attach, loop, output, end row. Returns the exit status. */
int cb_main(const struct cb_tool *tool, int argc, char **argv);
/* The same for a tool with state of its own, which its done() frees. */
int cb_main_data(const struct cb_tool *tool, void *data, int argc, char **argv);

/* For a tool's own functions. */
void *cb_run_data(struct cb_run *run);		      /* the tool's own state */
void cb_run_schema(struct cb_run *run, int index);    /* in parse: this stream is of tool->schema[index] */
bool cb_run_failed(const struct cb_run *run);	      /* -x */
bool cb_run_args(const struct cb_run *run);	      /* no --no-args */
bool cb_run_terminal(const struct cb_run *run);	      /* a screen is drawn on a terminal ... */
bool cb_run_paused(const struct cb_run *run);	      /* ... and p was pressed */
bool cb_run_ending(const struct cb_run *run);	      /* the probes are gone: this interval is the last */
int cb_run_fail(struct cb_run *run, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A remark on stderr that only -v wants: what this kernel does not have. */
void cb_run_remark(const struct cb_run *run, const char *text);
/* Leaves programs of the tool out of the load. -ENOENT when there is none of that name. */
int cb_run_program(struct cb_run *run, const char *program, bool load);
/*
 * In setup: attaches a program whose section is "tp" to this tracepoint ("syscalls/sys_exit_open"), and to as many
 * others as are asked for. 0: this kernel has no such tracepoint, which -v tells; 1: it has.
 */
int cb_run_attach(struct cb_run *run, const char *program, const char *tracepoint);
/* In loaded: to all cgroups there are and will be. -errno, without a text: not on this host. */
int cb_run_attach_cgroups(struct cb_run *run, const char *program);
int cb_run_attach_now(struct cb_run *run, const char *program); /* while the tool runs: one that is not attached by itself */
int cb_run_drain(struct cb_run *run); /* reads the rings now: record() is called */
/* In parse: no tool->screen, rows on a terminal too. */
void cb_run_rows(struct cb_run *run);
/* In parse: rows as a table are not wanted, the tool prints something else; other formats stay. */
void cb_run_no_table(struct cb_run *run);
bool cb_run_table(const struct cb_run *run); /* rows are a table, or would be */
bool cb_run_by_process(const struct cb_run *run); /* -p, -n or -u: containers are not all that is asked for */
uint64_t cb_run_interval(const struct cb_run *run); /* ns; 0: the tool has none */
void cb_run_columns(struct cb_run *run, const char *fields); /* in start: --fields of a table unless one is given */
bool cb_run_kernel_has(const char *function);	  /* a function programs may call (kfunc) */
/* In parse: which of the words arg is, or -EINVAL with a text that names them all. */
int cb_run_choice(struct cb_run *run, const char *option, const char *arg, const char *const *words, int n);
/* In screen: rows and columns there are; clears it and writes the time; a column, escaped, cut and filled up. */
void cb_screen_size(int *rows, int *columns);
void cb_screen_begin(FILE *out, uint64_t utc_ns);
void cb_screen_text(struct cb_buf *to, const char *text, size_t len, int width);
/* Before load: bytes of the main ring. */
int cb_run_ring(struct cb_run *run, size_t bytes);
/* Is this what -c, -p, -n, -u ask for? Makes the container known. head: of a record. */
bool cb_wanted(struct cb_run *run, const struct cb_head *head);
const char *cb_run_container(struct cb_run *run, const struct cb_head *head); /* its name, "" for the host */
const struct cb_cont *cb_run_cont(struct cb_run *run, const struct cb_head *head); /* container.h; NULL: the host */
/* All that are known, until fn returns non-zero. */
int cb_run_conts(struct cb_run *run, int (*fn)(struct cb_cont *, void *), void *arg);
const char *cb_run_exe(struct cb_run *run, const struct cb_head *head);	      /* its program's path, "" if unknown */
void cb_run_filtered(struct cb_run *run, uint64_t n); /* n records or calls were wanted by nobody */
void cb_run_made(struct cb_run *run, uint64_t n);     /* n rows that are no record of the kernel's: seen as well */
/* n more (or fewer) are known from peeks alone: seen, but not yet counted by the kernel. */
void cb_run_peeked(struct cb_run *run, int64_t n);
/* Makes a row of a record: fills the common part from its head, filters, writes. 0 or -errno. */
int cb_emit(struct cb_run *run, const void *rec, size_t len, const char *action);
/* The same for a row over [start, end) in boot time that stands for count things, after a loss of lost. */
int cb_emit_span(struct cb_run *run, const void *rec, size_t len, const char *action, uint64_t start_ns,
		 uint64_t end_ns, uint64_t count, uint64_t lost);

#endif
