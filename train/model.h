/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was learned: in memory here, in a SQLite file by store.c.
 *
 * A subject is what containers share: an image (else its name, the container's name), or a label. It has
 * programs (executable paths), each with the counts of its call sequences, and for every field of role SET
 * the values seen. One more subject, CB_ENTERED, holds what was put into containers from outside.
 */
#ifndef CB_MODEL_H
#define CB_MODEL_H
#include "cb.h"
#include "chain.h"
#include "items.h"
#include "rate.h"

#define CB_MODEL_ID 0x63624d31 /* application_id: "cbM1" */
#define CB_MODEL_VERSION 3 /* 2: rates; files by what is done to them; 3: all by batch */
#define CB_BLOCK_NS 10000000000ULL /* blocks whose maxima are kept: 10 s */
#define CB_ENTERED "(entered)"
#define CB_HOST "(host)"
#define CB_TOP 64	   /* held-out windows kept whole, to be scored again when counts were added */
#define CB_SUBJECTS_MAX 4096
#define CB_PROGRAMS_MAX 256 /* of one subject */
#define CB_FIELDS_MAX 256

enum cb_state { CB_LEARNING, CB_WARN, CB_READY };
const char *cb_state_name(enum cb_state s);

struct cb_top {
	uint32_t sum; /* of the window's costs */
	uint8_t fold; /* left out of the costs */
	uint8_t before; /* symbols of context in front of the window */
	uint16_t len, rank; /* rank: in its batch */
	uint32_t batch;	    /* 0: of this run or of a model of version 2 */
	uint16_t sym[CB_ORDER + CB_WINDOW];
};
/* Block maxima of one scale, each scored by the model of the other folds. */
struct cb_heldout {
	struct cb_top *top; /* the largest, largest first; allocated when used */
	uint32_t ntop;
	uint32_t hist[256]; /* all others by mean cost */
	uint32_t blocks;    /* all */
};
void cb_heldout_put(struct cb_heldout *h, const struct cb_top *t, unsigned window);
void cb_heldout_sort(struct cb_heldout *h);
void cb_heldout_add(struct cb_heldout *h, const struct cb_heldout *other, unsigned window);

struct cb_program {
	const char *path; /* the subject's map owns it */
	int64_t id;	  /* in the file, 0: none yet */
	struct cb_counts counts;
	uint64_t calls, calls_add;
	uint32_t units, instances, units_add, instances_add;
	double mass;
	enum cb_state state;
	struct cb_heldout held[CB_SCALES], held_add[CB_SCALES]; /* of earlier batches; of this run */
	struct cb_threshold window[CB_SCALES], calls_set;
	uint64_t seen[CB_SYMBOLS / 64]; /* symbols it was seen to use */
	struct cb_chain *chain;		/* when loaded to judge */
};

/* What is known of a field: values, or how much. */
struct cb_set {
	struct cb_items level[CB_LEVELS]; /* finest first */
	struct cb_threshold t;
	struct cb_strmap rates; /* of RATE and LEVEL: programs, "" for all together */
	struct cb_rate **rate;
	size_t rate_cap;
	bool watched; /* in this run */
};

struct cb_subject {
	const char *key; /* the model's map owns it */
	int64_t id; /* in the file, 0: none yet */
	char *name;
	struct cb_strmap prog;
	struct cb_program **program;
	size_t cap;
	uint64_t dropped; /* calls of programs beyond the limit */
	struct cb_set **set; /* by field; NULL: nothing seen */
	size_t nset;
	uint32_t containers;
	double days; /* container-days watched */
	uint64_t dropped_add; /* of all these: in this run */
	uint32_t containers_add;
	double days_add;
};

enum cb_field_kind {
	CB_FIELD_VALUE, /* program + value, value */
	CB_FIELD_EXE,	/* value */
	CB_FIELD_ARGS,	/* of exec rows: program + arguments, parent + program, program */
	CB_FIELD_CALLS, /* program + symbol, symbol */
	CB_FIELD_PATH,	/* program + what is done + path, what is done + path, what is done + folder */
	CB_FIELD_PEER,	/* as CB_FIELD_VALUE; its numbers are ports and networks, and tell */
	CB_FIELD_RATE,	/* how much in an interval: struct cb_rate */
	CB_FIELD_LEVEL, /* how much at the end of an interval */
	CB_FIELD_COUNT, /* how often rows of one action: as CB_FIELD_RATE */
};
#define CB_COUNT_FIELD "event.count" /* ":ACTION" behind it */
/* Has values that were seen or not, of any row. */
static inline bool cb_field_has_values(enum cb_field_kind k)
{
	return k < CB_FIELD_RATE && k != CB_FIELD_CALLS;
}
static inline bool cb_field_has_rates(enum cb_field_kind k)
{
	return k >= CB_FIELD_RATE;
}
int cb_levels(enum cb_field_kind k);
struct cb_mfield {
	char *dataset, *name; /* dataset "" for the columns all rows share */
	enum cb_role role;
	enum cb_field_kind kind;
};

struct cb_allow {
	char *subject, *program, *field, *value;
	uint64_t expires; /* UTC ns, 0: never */
	bool added;	  /* not in the file yet */
};

struct cb_model {
	unsigned order;
	char *by;
	double budget; /* alarms a container-day asked for */
	int64_t batch; /* of this run, 0: nothing saved yet */
	struct cb_strmap sym; /* number 0 is symbol 1 */
	struct cb_strmap subj;
	struct cb_subject **subject;
	size_t cap;
	uint64_t dropped; /* rows of subjects beyond the limit */
	struct cb_strmap fields;
	struct cb_mfield field[CB_FIELDS_MAX];
	struct cb_allow *allow;
	size_t nallow;
};

struct cb_model *cb_model_new(void);
struct cb_model *cb_model_free(struct cb_model *m);
struct cb_subject *cb_model_subject(struct cb_model *m, const char *key, const char *name); /* adds; NULL: full */
struct cb_subject *cb_model_find(const struct cb_model *m, const char *key);
struct cb_program *cb_subject_program(struct cb_subject *s, const char *path); /* adds; NULL: full */
struct cb_program *cb_subject_find(const struct cb_subject *s, const char *path);
struct cb_set *cb_subject_set(struct cb_subject *s, int field); /* adds */
struct cb_rate *cb_set_rate(struct cb_set *s, const char *program); /* adds; NULL: full */
struct cb_rate *cb_set_find_rate(const struct cb_set *s, const char *program);
int cb_model_field(struct cb_model *m, const char *dataset, const char *name, enum cb_role role); /* -1: full */
/* Symbol of a name: adds while there is room, else CB_SYMBOL_OTHER. */
unsigned cb_model_symbol(struct cb_model *m, const char *name, size_t len);
const char *cb_model_symbol_name(const struct cb_model *m, unsigned symbol);
bool cb_model_allowed(const struct cb_model *m, const char *subject, const char *program, const char *field,
		      const char *value, uint64_t now);
/* An alarm about how much: "up to N" of its field was allowed. */
#define CB_RATE_ALLOW "up to "
bool cb_model_rate_allowed(const struct cb_model *m, const char *subject, const char *program, const char *field,
			   double v, uint64_t now);

/* As if cmodel allow had been asked for it; copies, saved with the model. */
void cb_model_allow(struct cb_model *m, const char *subject, const char *program, const char *field, const char *value);

/* absorb.c: the held-out windows by the counts there are now; to be done when others came or went. */
void cb_model_rescore(struct cb_model *m);

/* threshold.c: derives masses, states, levels and thresholds from counts and held-out maxima. */
void cb_model_thresholds(struct cb_model *m);

/* ---- store.c ---- */
struct cb_source {
	char *path, *hash; /* hash NULL: a pipe */
	uint64_t rows, lost, first, last;
	uint64_t events; /* of the rows; not kept */
};
/* Whole, to learn on (counts, held-out windows), or to judge with (chains built, counts dropped). */
int cb_model_load(struct cb_model **ret, const char *path, bool judge, struct cb_err *e);
/*
 * Writes what was added since it was loaded, on top of the file it was loaded from (base NULL: a new one), aside
 * and renamed, so that path is either the old or the new model. All that one cb_model adds is one batch, however
 * often it is saved; source: all of them so far.
 */
int cb_model_save(struct cb_model *m, const char *path, const char *base, const struct cb_source *source, size_t n,
		  struct cb_err *e);
int cb_model_has_source(const char *path, const char *hash, bool *ret, struct cb_err *e);
int cb_model_check(const char *path, struct cb_err *e); /* -EIO: the file is damaged */
int cb_model_add_allow(const char *path, const struct cb_allow *a, const char *reason, struct cb_err *e);
#endif
