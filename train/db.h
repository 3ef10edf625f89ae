/* SPDX-License-Identifier: GPL-2.0 */
/* A model's file: opening, statements, writing aside. What is in it is for store.c and batch.c. */
#ifndef CB_DB_H
#define CB_DB_H
#include <sqlite3.h>
#include "cb.h"

struct cb_db {
	sqlite3 *db;
	const char *path; /* for messages */
	struct cb_err *e;
	int err;	  /* the first error; all later steps do nothing */
};
/* The error of sqlite, kept unless there was one before. */
int cb_db_fail(struct cb_db *d);
void cb_db_exec(struct cb_db *d, const char *sql);
void cb_db_schema(struct cb_db *d); /* the tables that are not there yet */
sqlite3_stmt *cb_db_prepare(struct cb_db *d, const char *sql);
/* Next row of a query; false at its end or after an error. */
bool cb_db_step(struct cb_db *d, sqlite3_stmt *s);
/* Runs an insertion. format: i int64, d double, s text, b blob with its length. */
void cb_db_put(struct cb_db *d, sqlite3_stmt *s, const char *format, ...);
int64_t cb_db_number(struct cb_db *d, const char *sql); /* 0: no row */
const char *cb_db_text(sqlite3_stmt *s, int i);	       /* never NULL */

int64_t cb_db_next_batch(struct cb_db *d);
void cb_db_drop_batch(struct cb_db *d, int64_t batch); /* from all tables that are by batch */
/* Runs a statement about the one number it takes. */
void cb_db_exec_number(struct cb_db *d, const char *sql, int64_t n);

/* A model of a version we know; an older one is brought up to date in memory. */
int cb_db_open_model(struct cb_db *d, const char *path, int flags, struct cb_err *e);
void cb_db_close(struct cb_db *d);
void cb_db_copy(struct cb_db *to, const char *base); /* all of a model into an empty database */
/* A file of our own beside path, open, whose name (freed by cb_db_finish()) ends so. */
int cb_db_aside(struct cb_db *d, const char *path, const char *end, char **ret, struct cb_err *e);
/* Closes it and, if all went well, renames it to path; else it is removed. */
int cb_db_finish(struct cb_db *d, const char *path, char *aside, struct cb_err *e);
#endif
