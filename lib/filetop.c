/* SPDX-License-Identifier: GPL-2.0 */
/* The files used most in an interval, as a picture on a terminal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "field.h"
#include "filetop.h"
#include "fileview.h"
#include "hash.h"

const char *const cb_filetop_orders[CB_FILETOP_NORDERS] = { "bytes", "calls", "opens" };

struct line {
	char *key; /* the container's id, then the path */
	size_t key_len;
	const char *path; /* in the key */
	char *cont, *comm; /* names; of the first row */
	uint64_t opens, calls, read, written;
	UT_hash_handle hh;
};

struct cb_filetop {
	enum cb_filetop_order order;
	struct line *line;
	struct cb_buf key;
	uint64_t from, to; /* UTC */
};

struct cb_filetop *cb_filetop_new(void)
{
	return cb_xalloc(sizeof(struct cb_filetop));
}

void cb_filetop_clear(struct cb_filetop *t)
{
	struct line *l, *next;

	HASH_ITER(hh, t->line, l, next) {
		HASH_DEL(t->line, l);
		free(l->key);
		free(l->cont);
		free(l->comm);
		free(l);
	}
}

void cb_filetop_free(struct cb_filetop *t)
{
	if (!t)
		return;
	cb_filetop_clear(t);
	cb_buf_free(&t->key);
	free(t);
}

void cb_filetop_set_order(struct cb_filetop *t, enum cb_filetop_order by)
{
	t->order = by;
}

void cb_filetop_next_order(struct cb_filetop *t)
{
	t->order = (t->order + 1) % CB_FILETOP_NORDERS;
}

static struct line *line_of(struct cb_filetop *t, const struct cb_event *ev)
{
	const struct file_rec *r = ev->rec;
	size_t id = strlen(ev->c.cont_id) + 1;
	struct line *l;

	cb_buf_reset(&t->key);
	cb_buf_put(&t->key, ev->c.cont_id, id);
	cb_buf_puts(&t->key, r->path);
	HASH_FIND(hh, t->line, t->key.s, t->key.len, l);
	if (l)
		return l;
	l = cb_xalloc(sizeof(*l));
	l->key = cb_xalloc(t->key.len + 1);
	memcpy(l->key, t->key.s, t->key.len);
	l->key_len = t->key.len;
	l->path = l->key + id;
	l->cont = cb_xstrdup(ev->c.cont_name);
	l->comm = cb_xstrdup(ev->c.comm);
	HASH_ADD_KEYPTR(hh, t->line, l->key, l->key_len, l);
	return l;
}

void cb_filetop_add(struct cb_filetop *t, const struct cb_event *ev)
{
	const struct file_rec *r = ev->rec;
	struct line *l;

	if (ev->c.end != t->to) { /* the first of an interval */
		cb_filetop_clear(t);
		t->to = ev->c.end;
		t->from = ev->c.start;
	}
	if (ev->c.start < t->from)
		t->from = ev->c.start;
	l = line_of(t, ev);
	l->calls += ev->c.count;
	if (!strcmp(ev->c.action, cb_file_actions[FILE_OPEN]) || !strcmp(ev->c.action, cb_file_actions[FILE_CREATE]))
		l->opens += ev->c.count;
	l->read += r->read_bytes;
	l->written += r->write_bytes;
}

/* ---- the picture ---- */

static uint64_t weight(const struct line *l, enum cb_filetop_order by)
{
	switch (by) {
	case CB_FILETOP_BYTES: return l->read + l->written;
	case CB_FILETOP_CALLS: return l->calls;
	default: return l->opens;
	}
}

static int line_cmp(const void *a, const void *b, void *arg)
{
	const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;
	enum cb_filetop_order by = *(const enum cb_filetop_order *)arg;
	uint64_t p = weight(x, by), q = weight(y, by);
	int paths;

	if (p != q)
		return p < q ? 1 : -1;
	paths = strcmp(x->path, y->path);
	return paths ? paths : strcmp(x->key, y->key);
}

static void draw_line(const struct line *l, int width, FILE *out)
{
	struct cb_buf text = {};

	cb_screen_text(&text, l->cont, strlen(l->cont), 20);
	cb_screen_text(&text, l->comm, strlen(l->comm), 15);
	cb_buf_printf(&text, "%8llu %8llu %12llu %12llu  ", (unsigned long long)l->opens, (unsigned long long)l->calls,
		      (unsigned long long)l->read, (unsigned long long)l->written);
	cb_escape(&text, l->path, strlen(l->path), false);
	fprintf(out, "%.*s\n", width, text.s);
	cb_buf_free(&text);
}

int cb_filetop_draw(const struct cb_filetop *t, bool paused, FILE *out)
{
	int n = HASH_COUNT(t->line), i = 0, height, width;
	struct line **all = cb_xalloc((n + 1) * sizeof(*all)), *l;
	enum cb_filetop_order by = t->order;

	for (l = t->line; l; l = l->hh.next)
		all[i++] = l;
	qsort_r(all, n, sizeof(*all), line_cmp, &by);
	cb_screen_size(&height, &width);
	cb_screen_begin(out, n ? t->to : cb_now_utc());
	fprintf(out, "  %d files within %.1f s, by %s%s\n\n%-20s %-15s %8s %8s %12s %12s  %s\n", n, n ? (t->to - t->from) / 1e9 : 0,
		cb_filetop_orders[by], paused ? "  (paused)" : "", "CONTAINER", "COMM", "OPENS", "CALLS", "READ", "WRITTEN", "PATH");
	for (i = 0; i < n && i + 4 < height; i++)
		draw_line(all[i], width, out);
	free(all);
	return fflush(out) ? -errno : 0;
}
