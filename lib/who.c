/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is who: what life records told of programs (by exec id) and of containers (by key). Both are bounded,
 * since a container decides how often it execs: the program not used for longest is forgotten first, and
 * read from /proc should it show up again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include "run.h"

#define PROGRAMS 32768

struct program {
	uint64_t id;
	char *exe;
	UT_hash_handle hh; /* in order of use */
};

struct cb_who {
	struct program *program;
	struct cb_conts *conts;
};

struct cb_who *cb_who_new(void)
{
	struct cb_who *w = cb_xalloc(sizeof(*w));

	w->conts = cb_conts_new("");
	return w;
}

static void program_free(struct cb_who *w, struct program *p)
{
	HASH_DEL(w->program, p);
	free(p->exe);
	free(p);
}

void cb_who_free(struct cb_who *w)
{
	struct program *p, *next;

	if (!w)
		return;
	HASH_ITER(hh, w->program, p, next)
		program_free(w, p);
	cb_conts_free(w->conts);
	free(w);
}

struct cb_conts *cb_who_conts(struct cb_who *w)
{
	return w->conts;
}

/* Components, deepest first, each with its NUL -> a path. The caller frees. */
static char *path_of_names(const char *names, size_t len, bool cut)
{
	struct cb_buf b = {};
	size_t end = len;

	if (cut)
		cb_buf_puts(&b, "...");
	while (end > 0) {
		size_t start = end - 1; /* the NUL */

		while (start > 0 && names[start - 1])
			start--;
		cb_buf_putc(&b, '/');
		cb_buf_put(&b, names + start, end - 1 - start);
		end = start;
	}
	if (!b.len)
		cb_buf_putc(&b, '/');
	cb_buf_putc(&b, '\0');
	return b.s;
}

static void program_put(struct cb_who *w, uint64_t id, char *exe)
{
	struct program *p;

	HASH_FIND(hh, w->program, &id, sizeof(id), p);
	if (p) {
		free(p->exe);
		p->exe = exe;
		return;
	}
	if (HASH_COUNT(w->program) >= PROGRAMS)
		program_free(w, w->program); /* the head: used longest ago */
	p = cb_xalloc(sizeof(*p));
	p->id = id;
	p->exe = exe;
	HASH_ADD(hh, w->program, id, sizeof(id), p);
}

static struct cb_cont *cont_add(struct cb_who *w, const struct cb_head *h, const char *cgroup)
{
	return cb_conts_add(w->conts, h->cont, h->pid, cgroup, h->start_ns);
}

struct cb_cont *cb_who_life(struct cb_who *w, const struct cb_life *l, size_t len)
{
	struct cb_cont *c = NULL;
	size_t room = offsetof(struct cb_life, names);
	char *path;

	if (len < room || l->len > len - room)
		return NULL;
	path = path_of_names(l->names, l->len, l->cut);
	switch (l->what) {
	case LIFE_EXEC:
		/* a memfd has no folder: say what it is */
		if (l->len && !strncmp(l->names, "memfd:", 6))
			memmove(path, path + 1, strlen(path));
		program_put(w, l->h.exec_id, path);
		return NULL;
	case LIFE_CONT:
		c = cont_add(w, &l->h, path);
		break;
	case LIFE_SOON:
		cb_conts_soon(w->conts, l->h.cont, l->h.ppid);
		break;
	case LIFE_GONE:
		cb_conts_gone(w->conts, l->h.cont, l->h.time_ns);
		break;
	}
	free(path);
	return c;
}

void cb_who_refresh(struct cb_who *w)
{
	cb_conts_refresh(w->conts);
}

struct cb_cont *cb_who_cont(struct cb_who *w, const struct cb_head *h)
{
	return h->cont ? cb_conts_get(w->conts, h->cont) : NULL;
}

struct cb_cont *cb_who_guess(struct cb_who *w, const struct cb_head *h)
{
	struct cb_cont *c = cb_who_cont(w, h);

	return c || !h->cont ? c : cont_add(w, h, "");
}

const char *cb_who_exe(struct cb_who *w, const struct cb_head *h)
{
	struct program *p;

	HASH_FIND(hh, w->program, &h->exec_id, sizeof(h->exec_id), p);
	if (!p)
		return NULL;
	/* to the end of the order of use */
	HASH_DEL(w->program, p);
	HASH_ADD(hh, w->program, id, sizeof(p->id), p);
	return p->exe;
}

const char *cb_who_guess_exe(struct cb_who *w, const struct cb_head *h)
{
	char link[64], exe[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/exe", h->pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n <= 0)
		return "";
	exe[n] = '\0';
	program_put(w, h->exec_id, cb_xstrdup(exe));
	return cb_who_exe(w, h);
}
