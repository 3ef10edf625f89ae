/* SPDX-License-Identifier: GPL-2.0 */
/* Who talked to whom. Names are bounded in number: a container chooses whom it talks to. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "buf.h"
#include "field.h"
#include "hash.h"
#include "matrix.h"

#define CELLS 16384
#define DRAWN 40 /* names a side of the picture */

struct side {
	uint64_t contacts, failures, sent, received;
};

struct cell {
	char *key; /* from, to, transport, port: with a newline after each */
	char *from, *to, *transport;
	uint16_t port;
	struct side by[2]; /* as from and as to saw it */
	UT_hash_handle hh;
};

struct cb_matrix {
	struct cell *cell;
	uint64_t left_out;
};

struct cb_matrix *cb_matrix_new(void)
{
	return cb_xalloc(sizeof(struct cb_matrix));
}

static void cell_free(struct cell *c)
{
	free(c->key);
	free(c->from);
	free(c->to);
	free(c->transport);
	free(c);
}

void cb_matrix_free(struct cb_matrix *m)
{
	struct cell *c, *next;

	if (!m)
		return;
	HASH_ITER(hh, m->cell, c, next) {
		HASH_DEL(m->cell, c);
		cell_free(c);
	}
	free(m);
}

static char *clean(const char *s)
{
	struct cb_buf b = {};

	cb_escape(&b, s, strlen(s), false);
	return b.len ? b.s : cb_xstrdup("-");
}

static struct cell *cell_get(struct cb_matrix *m, const struct cb_meeting *w)
{
	char *key = cb_xasprintf("%s\n%s\n%s\n%u", w->from, w->to, w->transport, w->port);
	struct cell *c;

	HASH_FIND_STR(m->cell, key, c);
	if (c || HASH_COUNT(m->cell) >= CELLS) {
		free(key);
		return c;
	}
	c = cb_xalloc(sizeof(*c));
	c->key = key;
	c->from = clean(w->from);
	c->to = clean(w->to);
	c->transport = clean(w->transport);
	c->port = w->port;
	HASH_ADD_KEYPTR(hh, m->cell, c->key, strlen(c->key), c);
	return c;
}

void cb_matrix_add(struct cb_matrix *m, const struct cb_meeting *w)
{
	struct cell *c = cell_get(m, w);
	struct side *s;

	if (!c) {
		m->left_out += w->contacts;
		return;
	}
	s = &c->by[w->seen_by_to];
	s->contacts += w->contacts;
	s->failures += w->failures;
	s->sent += w->sent;
	s->received += w->received;
}

/* A failed contact is seen by its beginner alone. */
static const struct side *told(const struct cell *c)
{
	return c->by[0].contacts || c->by[0].sent || c->by[0].received ? &c->by[0] : &c->by[1];
}

static int by_name(struct cell *a, struct cell *b)
{
	return strcmp(a->key, b->key);
}

void cb_matrix_print(struct cb_matrix *m, FILE *to)
{
	HASH_SORT(m->cell, by_name);
	fprintf(to, "%-24s %-24s %-5s %6s %10s %8s %12s %12s\n", "FROM", "TO", "VIA", "PORT", "CONTACTS", "FAILED",
		"SENT", "RECEIVED");
	for (struct cell *c = m->cell; c; c = c->hh.next) {
		const struct side *s = told(c);
		char port[8] = "-";

		if (c->port)
			snprintf(port, sizeof(port), "%u", c->port);
		fprintf(to, "%-24s %-24s %-5s %6s %10llu %8llu %12llu %12llu\n", c->from, c->to, c->transport, port,
			(unsigned long long)s->contacts, (unsigned long long)s->failures, (unsigned long long)s->sent,
			(unsigned long long)s->received);
	}
	if (m->left_out)
		fprintf(to, "and %llu contacts of others\n", (unsigned long long)m->left_out);
	fflush(to);
}

/* ---- picture ---- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

bool cb_matrix_can(const char *file)
{
	return ends_with(file, ".svg") || ends_with(file, ".png");
}

struct names {
	const char *name[DRAWN];
	size_t n;
};

/* Number of a name on one side; what is one too many shares the last place. */
static size_t place(struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->name[i], name))
			return i;
	if (l->n == DRAWN)
		return DRAWN - 1;
	l->name[l->n] = l->n == DRAWN - 1 ? "(others)" : name;
	return l->n++;
}

/* Inside single quotes of gnuplot a quote is doubled, and nothing else means anything. */
static void quoted(FILE *to, const char *s)
{
	fputc('\'', to);
	for (size_t n = 0; *s && n < 40; s++, n++) {
		if (*s == '\'')
			fputc('\'', to);
		fputc(*s, to);
	}
	fputc('\'', to);
}

static void tics(FILE *to, const char *axis, const struct names *l)
{
	fprintf(to, "set %stics (", axis);
	for (size_t i = 0; i < l->n; i++) {
		fputs(i ? ", " : "", to);
		quoted(to, l->name[i]);
		fprintf(to, " %zu", i);
	}
	fprintf(to, ")%s\n", *axis == 'x' ? " rotate by 45 right" : "");
}

static void script(struct cb_matrix *m, const char *file, FILE *to)
{
	static double bytes[DRAWN][DRAWN];
	struct names from = {}, onto = {};

	memset(bytes, 0, sizeof(bytes));
	HASH_SORT(m->cell, by_name);
	for (struct cell *c = m->cell; c; c = c->hh.next) {
		const struct side *s = told(c);
		size_t y = place(&from, c->from), x = place(&onto, c->to);

		bytes[y][x] += s->sent + s->received + 1; /* a contact without a byte is one, too */
	}
	fprintf(to, "set terminal %s size %zu,%zu noenhanced font ',11'\nset output ", ends_with(file, ".svg") ? "svg" : "png",
		360 + 40 * onto.n, 240 + 34 * from.n);
	quoted(to, file);
	fputs("\nset title 'who talks to whom: bytes both ways'\nset xlabel 'to'\nset ylabel 'from'\nset logscale cb\n"
	      "set palette defined (0 '#dbe9f6', 0.5 '#6baed6', 1 '#08306b')\nset tics scale 0\nunset key\n", to);
	tics(to, "x", &onto);
	tics(to, "y", &from);
	fprintf(to, "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\n", onto.n - 0.5, from.n - 0.5);
	fputs("plot '-' using 1:2:3 with image pixels\n", to);
	for (size_t y = 0; y < from.n; y++)
		for (size_t x = 0; x < onto.n; x++)
			if (bytes[y][x])
				fprintf(to, "%zu %zu %.0f\n", x, y, bytes[y][x]);
			else
				fprintf(to, "%zu %zu NaN\n", x, y);
	fputs("e\n", to);
}

int cb_matrix_draw(struct cb_matrix *m, const char *file, struct cb_err *e)
{
	int fd[2], status = 0;
	pid_t pid;
	FILE *to;

	if (!m->cell)
		return cb_fail(e, -ENODATA, "%s: nobody talked to anybody, nothing to draw", file);
	if (pipe2(fd, O_CLOEXEC))
		return cb_fail(e, -errno, "%s: %s", file, strerror(errno));
	pid = fork();
	if (pid == 0) {
		dup2(fd[0], STDIN_FILENO);
		execlp("gnuplot", "gnuplot", "-", (char *)NULL);
		_exit(127);
	}
	close(fd[0]);
	to = pid > 0 ? fdopen(fd[1], "w") : NULL;
	if (!to) {
		close(fd[1]);
		return cb_fail(e, -errno, "%s: gnuplot: %s", file, strerror(errno));
	}
	script(m, file, to);
	fclose(to);
	waitpid(pid, &status, 0);
	if (status)
		return cb_fail(e, -EIO, WEXITSTATUS(status) == 127 ? "%s: gnuplot is not there" : "%s: gnuplot failed", file);
	return 0;
}
