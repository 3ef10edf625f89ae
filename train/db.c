/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "db.h"
#include "model.h"

static const char schema[] =
#include "train/schema.sql.h"
	;

int cb_db_fail(struct cb_db *d)
{
	int code = sqlite3_errcode(d->db);

	if (d->err)
		return d->err;
	d->err = code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOTADB ? -EINVAL : -EIO;
	if (code == SQLITE_NOTADB)
		return cb_fail(d->e, d->err, "%s: expected a model, got another kind of file", d->path);
	return cb_fail(d->e, d->err, "%s: %s", d->path, sqlite3_errmsg(d->db));
}

static int db_open(struct cb_db *d, const char *path, int flags, struct cb_err *e)
{
	/* sqlite takes some names for something else than files */
	char *name = cb_xasprintf("%s%s", *path == '/' ? "" : "./", path);
	int r = sqlite3_open_v2(name, &d->db, flags | SQLITE_OPEN_NOMUTEX, NULL); /* one thread has it */

	free(name);
	d->path = path;
	d->e = e;
	d->err = 0;
	return r == SQLITE_OK ? 0 : cb_db_fail(d);
}

void cb_db_exec(struct cb_db *d, const char *sql)
{
	if (!d->err && sqlite3_exec(d->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		cb_db_fail(d);
}

void cb_db_schema(struct cb_db *d)
{
	char pragma[96];

	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d; PRAGMA user_version = %d", CB_MODEL_ID,
		 CB_MODEL_VERSION);
	cb_db_exec(d, pragma);
	cb_db_exec(d, schema);
}

sqlite3_stmt *cb_db_prepare(struct cb_db *d, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (!d->err && sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		cb_db_fail(d);
	return s;
}

bool cb_db_step(struct cb_db *d, sqlite3_stmt *s)
{
	int r;

	if (d->err || !s)
		return false;
	r = sqlite3_step(s);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		cb_db_fail(d);
	return r == SQLITE_ROW;
}

void cb_db_put(struct cb_db *d, sqlite3_stmt *s, const char *format, ...)
{
	const void *blob;
	va_list ap;
	int i;

	if (d->err)
		return;
	va_start(ap, format);
	for (i = 1; *format; format++, i++) {
		if (*format == 'i') {
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		} else if (*format == 'd') {
			sqlite3_bind_double(s, i, va_arg(ap, double));
		} else if (*format == 's') {
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			blob = va_arg(ap, const void *);
			sqlite3_bind_blob(s, i, blob, va_arg(ap, int64_t), SQLITE_STATIC);
		}
	}
	va_end(ap);
	cb_db_step(d, s);
	sqlite3_reset(s);
}

int64_t cb_db_number(struct cb_db *d, const char *sql)
{
	sqlite3_stmt *s = cb_db_prepare(d, sql);
	int64_t n = cb_db_step(d, s) ? sqlite3_column_int64(s, 0) : 0;

	sqlite3_finalize(s);
	return n;
}

void cb_db_exec_number(struct cb_db *d, const char *sql, int64_t n)
{
	sqlite3_stmt *s = cb_db_prepare(d, sql);

	if (s)
		cb_db_put(d, s, "i", n);
	sqlite3_finalize(s);
}

int64_t cb_db_next_batch(struct cb_db *d)
{
	return cb_db_number(d, "SELECT MAX(b) + 1 FROM (SELECT 0 AS b UNION ALL SELECT MAX(batch) FROM source "
			       "UNION ALL SELECT MAX(batch) FROM subject_batch)");
}

void cb_db_drop_batch(struct cb_db *d, int64_t batch)
{
	static const char *const table[] = { "source", "subject_batch", "program_batch", "field_batch", "ngram", "item",
					     "dropped", "heldout", "heldout_top", "rate_batch" };
	char sql[64];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE batch = ?", table[i]);
		cb_db_exec_number(d, sql, batch);
	}
}

const char *cb_db_text(sqlite3_stmt *s, int i)
{
	const char *t = (const char *)sqlite3_column_text(s, i);

	return t ? t : "";
}

/*
 * Version 1 had no rates, and knew files by name only. Its values of files would make all that is done to them look
 * new: they are learned anew.
 */
static const char migrate_1[] =
	"CREATE TABLE rate (subject, field, program, span, blocks, starts, start, floor, top, hist, scored, score, per_day, "
	"largest, scale, effective, aside);"
	"DELETE FROM item WHERE field IN (SELECT id FROM field WHERE dataset = 'cbtools.file');"
	"DELETE FROM threshold WHERE field IN (SELECT id FROM field WHERE dataset = 'cbtools.file');";

/* Version 2 kept counts and values by batch, all else as sums only: batch 0, which cannot be forgotten. */
static const char migrate_2_begin[] =
	"ALTER TABLE rate RENAME TO old_rate; ALTER TABLE dropped RENAME TO old_dropped;"
	"ALTER TABLE heldout RENAME TO old_heldout; ALTER TABLE heldout_top RENAME TO old_heldout_top;";
static const char migrate_2_end[] =
	"INSERT INTO subject_batch SELECT id, 0, containers, days, dropped FROM subject;"
	"INSERT INTO program_batch SELECT id, 0, calls, units, instances FROM program;"
	"INSERT INTO field_batch SELECT subject, field, 0 FROM threshold WHERE field > 0 UNION "
	"SELECT subject, field, 0 FROM old_rate WHERE program = '';"
	"INSERT INTO dropped SELECT subject, field, level, 0, n FROM old_dropped;"
	"INSERT INTO heldout SELECT program, scale, 0, blocks, hist FROM old_heldout;"
	"INSERT INTO heldout_top SELECT program, scale, 0, rank, sum, fold, before, symbols FROM old_heldout_top;"
	"INSERT INTO rate_batch SELECT subject, field, program, span, 0, blocks, starts, start, top, hist FROM old_rate;"
	"INSERT INTO rate SELECT subject, field, program, span, floor, scored, score, per_day, largest, scale, effective, aside "
	"FROM old_rate;"
	"DROP TABLE old_rate; DROP TABLE old_dropped; DROP TABLE old_heldout; DROP TABLE old_heldout_top;";

/* A copy of an older model in memory, as this version has it. */
static void migrate(struct cb_db *d, int64_t version)
{
	sqlite3 *old = d->db;
	sqlite3_backup *b;

	d->db = NULL;
	if (sqlite3_open(":memory:", &d->db) != SQLITE_OK) {
		cb_db_fail(d);
	} else {
		b = sqlite3_backup_init(d->db, "main", old, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
			cb_db_fail(d);
	}
	if (version < 2)
		cb_db_exec(d, migrate_1);
	cb_db_exec(d, migrate_2_begin);
	cb_db_schema(d);
	cb_db_exec(d, migrate_2_end);
	sqlite3_close(old);
}

int cb_db_open_model(struct cb_db *d, const char *path, int flags, struct cb_err *e)
{
	int64_t version, id;
	struct stat st;

	*d = (struct cb_db){ 0 };
	if (stat(path, &st) < 0)
		return d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return d->err = cb_fail(e, -EINVAL, "%s: expected a model, got something that is no file", path);
	if (db_open(d, path, flags, e) < 0)
		return d->err;
	id = cb_db_number(d, "PRAGMA application_id");
	version = cb_db_number(d, "PRAGMA user_version");
	if (!d->err && id != CB_MODEL_ID)
		d->err = cb_fail(e, -EINVAL, "%s: expected a model, got another kind of database", path);
	else if (!d->err && version > CB_MODEL_VERSION)
		d->err = cb_fail(e, -EINVAL, "%s: expected a model of version %d or older, got version %lld", path,
				 CB_MODEL_VERSION, (long long)version);
	else if (!d->err && version < CB_MODEL_VERSION)
		migrate(d, version);
	return d->err;
}

void cb_db_close(struct cb_db *d)
{
	sqlite3_close(d->db);
	d->db = NULL;
}

void cb_db_copy(struct cb_db *to, const char *base)
{
	sqlite3_backup *b;
	struct cb_db from;

	if (to->err)
		return;
	to->err = cb_db_open_model(&from, base, SQLITE_OPEN_READONLY, to->e);
	if (!to->err) {
		b = sqlite3_backup_init(to->db, "main", from.db, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
			cb_db_fail(to);
	}
	cb_db_close(&from);
}

int cb_db_aside(struct cb_db *d, const char *path, const char *end, char **ret, struct cb_err *e)
{
	char *aside = cb_xasprintf("%s.%ld.%s", path, (long)getpid(), end);
	int fd;

	*d = (struct cb_db){ 0 };
	unlink(aside);
	fd = open(aside, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
		free(aside);
		return d->err;
	}
	close(fd);
	*ret = aside;
	if (db_open(d, aside, SQLITE_OPEN_READWRITE, e) == 0) {
		d->path = path;
		/* nobody else knows the file, and a half one is thrown away: no journal */
		cb_db_exec(d, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
	}
	return d->err;
}

int cb_db_finish(struct cb_db *d, const char *path, char *aside, struct cb_err *e)
{
	int fd;

	cb_db_close(d);
	if (!d->err) {
		fd = open(aside, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0 || rename(aside, path) < 0)
			d->err = cb_fail(e, -errno, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (d->err)
		unlink(aside);
	free(aside);
	return d->err;
}

