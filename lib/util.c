/* SPDX-License-Identifier: GPL-2.0 */
/* Errors, memory, time, buffers, and who this host is. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "buf.h"

#define NS 1000000000ULL

int cb_fail(struct cb_err *e, int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!e || e->text[0])
		return err;
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n < 0)
		snprintf(e->text, sizeof(e->text), "error %d", -err);
	else if ((size_t)n >= sizeof(e->text))
		strcpy(e->text + sizeof(e->text) - 4, "...");
	/* it is one line on somebody's terminal, whatever was quoted in it */
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return err;
}

static void *checked(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
	exit(CB_EXIT_FAILED);
}

void *cb_xalloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *cb_xrealloc(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

char *cb_xstrdup(const char *s)
{
	return s ? checked(strdup(s)) : NULL;
}

char *cb_xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}

/* ---- time ---- */

static const struct {
	const char *unit;
	uint64_t ns;
} units[] = { { "ms", 1000000 }, { "s", NS }, { "", NS }, { "m", 60 * NS }, { "h", 3600 * NS }, { "d", 86400 * NS } };

static uint64_t unit_ns(const char *unit)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].unit))
			return units[i].ns;
	return 0;
}

/* By hand: strtod() would take hex, "inf", and the locale's comma. */
int cb_parse_time(const char *text, uint64_t *ret_ns, struct cb_err *e)
{
	const char *p = text;
	uint64_t frac = 0, div = 1, unit, whole = 0;
	unsigned __int128 ns;

	for (; isdigit((unsigned char)*p) && whole < UINT64_MAX / 100; p++)
		whole = whole * 10 + (*p - '0');
	if (p != text && *p == '.' && isdigit((unsigned char)p[1]))
		for (p++; isdigit((unsigned char)*p); p++)
			if (div < NS) {
				frac = frac * 10 + (*p - '0');
				div *= 10;
			}
	unit = p == text ? 0 : unit_ns(p);
	if (!unit)
		return cb_fail(e, -EINVAL, "expected a time such as 2, 0.5, 500ms, 5s, 10m, 2h or 1d, got \"%.64s\"",
			       text);
	ns = (unsigned __int128)whole * unit + (unsigned __int128)frac * unit / div;
	if (ns == 0 || ns > INT64_MAX)
		return cb_fail(e, -EINVAL, "expected a time above 0 and below 292 years, got \"%.64s\"", text);
	*ret_ns = ns;
	return 0;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

uint64_t cb_now_utc(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t cb_now_boot(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static _Atomic uint64_t boot_offset;

/*
 * The offset is kept until it is wrong by more than a millisecond: the time a process was made would
 * else be another few nanoseconds in each row, and rows could not be joined by it.
 */
void cb_clock_sync(void)
{
	uint64_t before = clock_ns(CLOCK_BOOTTIME), utc = cb_now_utc(), after = clock_ns(CLOCK_BOOTTIME);
	uint64_t offset = utc - (before + (after - before) / 2);
	int64_t drift = (int64_t)(offset - atomic_load_explicit(&boot_offset, memory_order_relaxed));

	if (drift > 1000000 || drift < -1000000)
		atomic_store_explicit(&boot_offset, offset, memory_order_relaxed);
}

uint64_t cb_boot_to_utc(uint64_t boot_ns)
{
	uint64_t offset = atomic_load_explicit(&boot_offset, memory_order_relaxed);

	if (!offset) {
		cb_clock_sync();
		offset = atomic_load_explicit(&boot_offset, memory_order_relaxed);
	}
	return boot_ns ? boot_ns + offset : 0;
}

/* ---- growing byte buffer ---- */

void cb_buf_grow(struct cb_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;

	while (cap < b->len + n + 1)
		cap *= 2;
	b->s = cb_xrealloc(b->s, cap);
	b->cap = cap;
}

void cb_buf_put(struct cb_buf *b, const void *p, size_t n)
{
	if (n)
		cb_buf_add(b, p, n);
}

void cb_buf_puts(struct cb_buf *b, const char *s)
{
	cb_buf_put(b, s, strlen(s));
}

void cb_buf_putc(struct cb_buf *b, char c)
{
	cb_buf_add(b, &c, 1);
}

void cb_buf_printf(struct cb_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	cb_buf_room(b, n);
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

void cb_buf_reset(struct cb_buf *b)
{
	b->len = 0;
}

void cb_buf_free(struct cb_buf *b)
{
	free(b->s);
	*b = (struct cb_buf){ 0 };
}

/* ---- host ---- */

/* First line of a file if it is an id: letters, digits and dashes. */
static bool read_id(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return false;
	if (!fgets(ret, size, f))
		ret[0] = 0;
	fclose(f);
	n = strcspn(ret, "\n");
	ret[n] = 0;
	return n && strspn(ret, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == n;
}

const char *cb_host_id(void)
{
	static char id[80];

	if (!id[0] && !read_id("/etc/machine-id", id, sizeof(id)) && gethostname(id, sizeof(id) - 1))
		strcpy(id, "unknown");
	return id;
}

const char *cb_host_boot_id(void)
{
	static char id[80];

	if (!id[0] && !read_id("/proc/sys/kernel/random/boot_id", id, sizeof(id)))
		strcpy(id, "unknown");
	return id;
}
