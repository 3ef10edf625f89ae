/* SPDX-License-Identifier: GPL-2.0 */
/*
 * podman's own database, which alone has the labels of a container: bolt up to podman 4, sqlite from 5 on. Either may
 * be a user's (rootless), so sqlite gets the bytes and never a path, and no more to do than to look one row up.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bolt.h"
#include "engine.h"

#define SQL_MAX (32 << 20)  /* one file for all containers */
#define CONFIG_MAX (4 << 20) /* one container in it */
#define MAX_STEPS 1000	    /* thousands of sqlite's instructions: a view may stand in for the table */

/* not in every build of older versions */
#pragma weak sqlite3_deserialize

/* The database last opened, until it changes. */
struct cb_libpod {
	sqlite3 *db;
	struct cb_buf bytes; /* what it reads */
	char *file;
	struct stat st;
	int steps;
};

void cb_libpod_forget(struct cb_host *h)
{
	if (!h->libpod)
		return;
	sqlite3_close(h->libpod->db);
	cb_buf_free(&h->libpod->bytes);
	free(h->libpod->file);
	free(h->libpod);
	h->libpod = NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_uid == b->st_uid &&
	       !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim));
}

static int too_long(void *arg)
{
	struct cb_libpod *l = arg;

	return ++l->steps > MAX_STEPS;
}

static sqlite3 *open_bytes(struct cb_libpod *l)
{
	unsigned char *s = (unsigned char *)l->bytes.s;
	sqlite3 *db = NULL;

	if (!sqlite3_deserialize || l->bytes.len < 100)
		return NULL;
	/* a write-ahead log is not at hand: what was written back is what there is */
	s[18] = s[19] = 1;
	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) ||
	    sqlite3_deserialize(db, "main", s, l->bytes.len, l->bytes.len, SQLITE_DESERIALIZE_READONLY)) {
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, CONFIG_MAX);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_progress_handler(db, 1000, too_long, l);
	return db;
}

static struct cb_libpod *open_sql(struct cb_host *h, enum cb_trust trust, const char *base, const char *rel)
{
	char *file = cb_xasprintf("%s/%s", base, rel);
	struct stat st;

	if (cb_host_stat(h, trust, base, rel, &st)) {
		free(file);
		return NULL;
	}
	if (h->libpod && !strcmp(h->libpod->file, file) && same_file(&h->libpod->st, &st)) {
		free(file);
		return h->libpod;
	}
	cb_libpod_forget(h);
	h->libpod = cb_xalloc(sizeof(*h->libpod));
	h->libpod->file = file;
	if (cb_host_read(h, trust, base, rel, SQL_MAX, &h->libpod->bytes, &h->libpod->st) > 0)
		h->libpod->db = open_bytes(h->libpod);
	return h->libpod;
}

static json_t *from_sql(struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, uid_t uid,
			const char *id)
{
	struct cb_libpod *l = open_sql(h, trust, base, rel);
	sqlite3_stmt *st = NULL;
	json_t *j = NULL;

	if (!l || !l->db || l->st.st_uid != uid)
		return NULL;
	l->steps = 0;
	if (!sqlite3_prepare_v2(l->db, "SELECT JSON FROM ContainerConfig WHERE ID = ?1", -1, &st, NULL) &&
	    !sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC) && sqlite3_step(st) == SQLITE_ROW &&
	    sqlite3_column_type(st, 0) == SQLITE_TEXT)
		j = json_loadb((const char *)sqlite3_column_text(st, 0), sqlite3_column_bytes(st, 0), 0, NULL);
	sqlite3_finalize(st);
	return j;
}

struct asked {
	const char *id;
	struct cb_buf json;
};

static int read_config(struct cb_bolt *b, void *arg)
{
	struct asked *a = arg;
	const char *const path[] = { "ctr", a->id, "config", NULL };

	return cb_bolt_get(b, path, &a->json);
}

static json_t *from_bolt(struct cb_host *h, enum cb_trust trust, const char *base, const char *rel, uid_t uid,
			 const char *id)
{
	int fd = cb_host_open(h, trust, base, rel);
	struct asked a = { .id = id };
	struct stat st;
	json_t *j = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && st.st_uid == uid && cb_bolt_read(fd, read_config, &a) > 0)
		j = json_loadb(a.json.s, a.json.len, 0, NULL);
	cb_buf_free(&a.json);
	close(fd);
	return j;
}

json_t *cb_libpod_config(struct cb_host *h, enum cb_trust trust, const char *base, const char *storage, uid_t uid,
			 const char *id)
{
	/* by default at the top; below where the folder of such files was configured */
	static const char *const files[] = { "db.sql", "libpod/db.sql", "libpod/bolt_state.db" };
	json_t *j = NULL;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *rel = cb_xasprintf("%s%s", storage, files[i]);

		j = (i < 2 ? from_sql : from_bolt)(h, trust, base, rel, uid, id);
		free(rel);
		if (j && !strcmp(cb_json_text(j, "id"), id))
			return j;
		json_decref(j);
	}
	return NULL;
}
