/* SPDX-License-Identifier: GPL-2.0 */
/* Bytes <-> text by type: the one place that knows how a type is written. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "buf.h"
#include "field.h"

#define NS 1000000000ULL

/* ---- names ---- */

static const char *const type_names[CB_NTYPES] = {
	[CB_UINT] = "uint",   [CB_INT] = "int",		[CB_FLOAT] = "float",	    [CB_BOOL] = "bool",
	[CB_TIME] = "time",   [CB_DURATION] = "duration", [CB_BYTES] = "bytes",	    [CB_ERRNO] = "errno",
	[CB_SIGNAL] = "signal", [CB_STR] = "str",	[CB_PATH] = "path",	    [CB_ARGV] = "argv",
	[CB_SYSCALL] = "syscall", [CB_SYSCALLS] = "syscalls", [CB_HIST] = "hist",   [CB_CAPS] = "caps",
};

static const char *const role_names[CB_NROLES] = {
	[CB_NONE] = "none", [CB_SET] = "set", [CB_SEQ] = "seq", [CB_RATE] = "rate", [CB_LEVEL] = "level",
};

static int find(const char *const *list, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (list[i] && !strcmp(list[i], name))
			return i;
	return -1;
}

const char *cb_type_name(enum cb_type t)
{
	return type_names[t];
}

int cb_type_find(const char *name)
{
	return find(type_names, CB_NTYPES, name);
}

const char *cb_role_name(enum cb_role r)
{
	return role_names[r];
}

int cb_role_find(const char *name)
{
	return find(role_names, CB_NROLES, name);
}

enum cb_json cb_type_json(enum cb_type t)
{
	switch (t) {
	case CB_UINT:
	case CB_INT:
	case CB_FLOAT:
	case CB_DURATION:
	case CB_BYTES: return CB_JSON_NUMBER;
	case CB_BOOL: return CB_JSON_BOOL;
	default: return CB_JSON_STRING;
	}
}

/* glibc's strerrorname_np() is too young for some of the systems meant; the last four leave the kernel to tracers only. */
#define E(name) [name] = #name
static const char *const errnos[] = {
	E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD),
	E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV),
	E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC),
	E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
	E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENOMSG), E(EIDRM), E(ECHRNG), E(EL2NSYNC), E(EL3HLT), E(EL3RST),
	E(ELNRNG), E(EUNATCH), E(ENOCSI), E(EL2HLT), E(EBADE), E(EBADR), E(EXFULL), E(ENOANO), E(EBADRQC),
	E(EBADSLT), E(EBFONT), E(ENOSTR), E(ENODATA), E(ETIME), E(ENOSR), E(ENONET), E(ENOPKG), E(EREMOTE),
	E(ENOLINK), E(EADV), E(ESRMNT), E(ECOMM), E(EPROTO), E(EMULTIHOP), E(EDOTDOT), E(EBADMSG), E(EOVERFLOW),
	E(ENOTUNIQ), E(EBADFD), E(EREMCHG), E(ELIBACC), E(ELIBBAD), E(ELIBSCN), E(ELIBMAX), E(ELIBEXEC), E(EILSEQ),
	E(ERESTART), E(ESTRPIPE), E(EUSERS), E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTOTYPE),
	E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(ESOCKTNOSUPPORT), E(EOPNOTSUPP), E(EPFNOSUPPORT), E(EAFNOSUPPORT),
	E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN), E(ENETUNREACH), E(ENETRESET), E(ECONNABORTED), E(ECONNRESET),
	E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ESHUTDOWN), E(ETOOMANYREFS), E(ETIMEDOUT), E(ECONNREFUSED),
	E(EHOSTDOWN), E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EUCLEAN), E(ENOTNAM), E(ENAVAIL),
	E(EISNAM), E(EREMOTEIO), E(EDQUOT), E(ENOMEDIUM), E(EMEDIUMTYPE), E(ECANCELED), E(ENOKEY), E(EKEYEXPIRED),
	E(EKEYREVOKED), E(EKEYREJECTED), E(EOWNERDEAD), E(ENOTRECOVERABLE), E(ERFKILL), E(EHWPOISON),
	[512] = "ERESTARTSYS", [513] = "ERESTARTNOINTR", [514] = "ERESTARTNOHAND", [516] = "ERESTART_RESTARTBLOCK",
};

static const char *const signals[] = {
	[SIGHUP] = "SIGHUP",	 [SIGINT] = "SIGINT",	[SIGQUIT] = "SIGQUIT",	   [SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP",	 [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL",	 [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV",	   [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",	 [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",	   [SIGSTKFLT] = "SIGSTKFLT",
	[SIGCHLD] = "SIGCHLD",	 [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP",	   [SIGTSTP] = "SIGTSTP",
	[SIGTTIN] = "SIGTTIN",	 [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG",	   [SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",	 [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",
	[SIGVTALRM] = "SIGVTALRM", [SIGPWR] = "SIGPWR", [SIGSYS] = "SIGSYS",
};
#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

const char *cb_errno_name(int err)
{
	static _Thread_local char unnamed[16];

	if (err < 0)
		err = -err;
	if (!err)
		return "";
	if (err > 0 && err < LEN(errnos) && errnos[err])
		return errnos[err];
	snprintf(unnamed, sizeof(unnamed), "E%u", (unsigned)err);
	return unnamed;
}

/* ---- numbers ---- */

/* Decimal digits to buf (at least 20 bytes), returns how many. */
static size_t digits(char *buf, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char tmp[20], *p = tmp + sizeof(tmp);
	size_t n;

	for (; v >= 100; v /= 100)
		p = memcpy(p - 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		p = memcpy(p - 2, pairs + v * 2, 2);
	else
		*--p = '0' + v;
	n = tmp + sizeof(tmp) - p;
	memcpy(buf, p, n);
	return n;
}

static void put_uint(struct cb_buf *out, uint64_t v)
{
	out->len += digits(cb_buf_room(out, 20), v);
	out->s[out->len] = 0;
}

static void put_int(struct cb_buf *out, int64_t v)
{
	if (v < 0)
		cb_buf_putc(out, '-');
	put_uint(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static uint64_t get_uint(const void *p, size_t size)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (size) {
	case 8: return memcpy(&v8, p, 8), v8;
	case 4: return memcpy(&v4, p, 4), v4;
	case 2: return memcpy(&v2, p, 2), v2;
	default: return *(const uint8_t *)p;
	}
}

static int64_t get_int(const void *p, size_t size)
{
	int shift = 64 - 8 * (int)size;

	return (int64_t)(get_uint(p, size) << shift) >> shift;
}

static double get_float(const void *p, size_t size)
{
	double d;
	float f;

	if (size == sizeof(f))
		return memcpy(&f, p, sizeof(f)), f;
	return memcpy(&d, p, sizeof(d)), d;
}

/* In the C locale whatever the program's is: a comma would be another column. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static int float_digits(char *buf, size_t size, double v)
{
	int n;

	/* fewest digits that read back as the same number */
	for (int prec = 15; prec <= 17; prec++) {
		n = snprintf(buf, size, "%.*g", prec, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	return n;
}

void cb_float_text(struct cb_buf *out, double v, int decimals)
{
	char buf[512];
	locale_t old;
	int n;

	if (!isfinite(v))
		return; /* JSON has no such number: an empty text */
	pthread_once(&c_locale_once, make_c_locale);
	old = uselocale(c_locale);
	n = decimals < 0 ? float_digits(buf, sizeof(buf), v) : snprintf(buf, sizeof(buf), "%.*f", decimals, v);
	uselocale(old);
	cb_buf_put(out, buf, n);
}

/* ---- time ---- */

/* Days since 1970-01-01 <-> Gregorian date, counted in years that begin in March (so the leap day is last). */
static void civil(int64_t day, int *y, int *m, int *d)
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = z - era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

static int64_t days(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static char *put_digits(char *p, unsigned v, int n, char after)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = '0' + v % 10;
	p[n] = after;
	return p + n + 1;
}

void cb_time_text(uint64_t utc_ns, char *buf)
{
	uint64_t sec = utc_ns / NS;
	unsigned in_day = sec % 86400;
	int y, m, d;
	char *p;

	civil(sec / 86400, &y, &m, &d);
	p = put_digits(buf, y, 4, '-');
	p = put_digits(p, m, 2, '-');
	p = put_digits(p, d, 2, 'T');
	p = put_digits(p, in_day / 3600, 2, ':');
	p = put_digits(p, in_day / 60 % 60, 2, ':');
	p = put_digits(p, in_day % 60, 2, '.');
	p = put_digits(p, utc_ns % NS, 9, 'Z');
	*p = 0;
}

/* n digits and, unless 0, the character after them. */
static bool take(const char **p, const char *end, int n, const char *after, int *ret)
{
	int v = 0;

	if (end - *p < n + (*after ? 1 : 0))
		return false;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		v = v * 10 + (*p)[i] - '0';
	}
	*p += n;
	if (*after && !strchr(after, *(*p)++))
		return false;
	*ret = v;
	return true;
}

/* "Z" or "+02:00": seconds east of Greenwich. */
static bool take_zone(const char **p, const char *end, int64_t *ret)
{
	int sign, h, m;

	if (*p == end)
		return false;
	switch (*(*p)++) {
	case 'Z':
	case 'z': *ret = 0; return true;
	case '+': sign = 1; break;
	case '-': sign = -1; break;
	default: return false;
	}
	if (!take(p, end, 2, ":", &h) || !take(p, end, 2, "", &m) || h > 23 || m > 59)
		return false;
	*ret = sign * (h * 3600 + m * 60);
	return true;
}

/* RFC 3339; more than 9 decimals are cut, years before 1970 and after 2553 do not fit. */
int cb_time_parse(const char *text, size_t len, uint64_t *ret)
{
	const char *p = text, *end = text + len;
	int y, mo, d, h, mi, s, y2, mo2, d2;
	uint64_t frac = 0, unit = NS;
	int64_t zone, sec;

	if (!take(&p, end, 4, "-", &y) || !take(&p, end, 2, "-", &mo) || !take(&p, end, 2, "Tt ", &d) ||
	    !take(&p, end, 2, ":", &h) || !take(&p, end, 2, ":", &mi) || !take(&p, end, 2, "", &s))
		return -EINVAL;
	if (p < end && *p == '.')
		for (p++; p < end && isdigit((unsigned char)*p); p++)
			if (unit > 1) {
				unit /= 10;
				frac += unit * (*p - '0');
			}
	if (!take_zone(&p, end, &zone) || p != end || mo < 1 || mo > 12 || h > 23 || mi > 59 || s > 60)
		return -EINVAL;
	sec = days(y, mo, d);
	civil(sec, &y2, &mo2, &d2); /* there is no 31st of June */
	sec = sec * 86400 + h * 3600 + mi * 60 + s - zone;
	if (y2 != y || mo2 != mo || d2 != d || sec < 0 || (uint64_t)sec >= UINT64_MAX / NS)
		return -EINVAL;
	*ret = sec * NS + frac;
	return 0;
}

/* ---- text ---- */

/* Bytes that stand for themselves, but for the space inside a word. */
static inline bool plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '\\';
}

/* Length of the character at s if it may be shown as it is; 0: its first byte must be escaped; < 0: -length,
 * valid but each byte must be escaped. */
static int character(const unsigned char *s, size_t len)
{
	uint32_t c;
	int n;

	if (s[0] < 0x80)
		return plain(s[0]) ? 1 : 0;
	if (s[0] >= 0xc2 && s[0] < 0xe0)
		n = 2, c = s[0] & 0x1f;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		n = 3, c = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		n = 4, c = s[0] & 0x07;
	else
		return 0;
	if ((size_t)n > len)
		return 0;
	for (int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	/* C1; line and paragraph separator; whatever turns the direction of writing */
	if (c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0x061c || c == 0x200e || c == 0x200f ||
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return -n;
	return n;
}

static char *hex(char *p, unsigned char c)
{
	static const char digit[] = "0123456789abcdef";

	p[0] = '\\';
	p[1] = 'x';
	p[2] = digit[c >> 4];
	p[3] = digit[c & 15];
	return p + 4;
}

/* One character as text to p (at least 16 bytes): how many bytes; *used: of s. */
static size_t unit(const unsigned char *s, size_t len, bool in_word, char *p, size_t *used)
{
	int n = character(s, len);
	char *q = p;

	*used = n > 0 ? n : n < 0 ? -n : 1;
	if (n > 0 && !(in_word && s[0] == ' ')) {
		memcpy(p, s, n);
		return n;
	}
	if (s[0] == '\\') {
		memcpy(p, "\\\\", 2);
		return 2;
	}
	for (size_t i = 0; i < *used; i++)
		q = hex(q, s[i]);
	return q - p;
}

/* Appends at most cap bytes; true if that was not all. */
static bool escape(struct cb_buf *out, const char *s, size_t len, bool in_word, size_t cap)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	size_t run, used, n;
	char tmp[16];

	if (in_word && len == 0) {
		if (cap >= 2)
			cb_buf_add(out, "''", 2);
		return cap < 2;
	}
	if (in_word && len == 2 && !memcmp(s, "''", 2)) { /* not the empty word */
		if (cap >= 5)
			cb_buf_add(out, "\\x27'", 5);
		return cap < 5;
	}
	while (p < end) {
		for (run = 0; p + run < end && plain(p[run]) && !(in_word && p[run] == ' '); run++)
			;
		if (run) {
			n = run < cap ? run : cap;
			cb_buf_add(out, p, n);
			if (n < run)
				return true;
			cap -= n;
			p += n;
			continue;
		}
		n = unit(p, end - p, in_word, tmp, &used);
		if (n > cap)
			return true;
		cb_buf_add(out, tmp, n);
		cap -= n;
		p += used;
	}
	return false;
}

void cb_escape(struct cb_buf *out, const char *s, size_t len, bool in_word)
{
	escape(out, s, len, in_word, SIZE_MAX);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int cb_unescape(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\\') {
			if (i + 1 < len && text[i + 1] == '\\') {
				i += 1;
			} else if (i + 3 < len && text[i + 1] == 'x' && hex_value(text[i + 2]) >= 0 &&
				   hex_value(text[i + 3]) >= 0) {
				c = hex_value(text[i + 2]) << 4 | hex_value(text[i + 3]);
				i += 3;
			} else {
				return -EINVAL;
			}
		}
		if (n == cap)
			return -E2BIG;
		out[n++] = c;
	}
	return n;
}

bool cb_argv_next(const char *args, size_t len, size_t *pos, const char **word, size_t *word_len)
{
	if (*pos >= len)
		return false;
	*word = args + *pos;
	*word_len = strnlen(*word, len - *pos);
	*pos += *word_len + 1;
	return true;
}

bool cb_argv_word(struct cb_buf *out, const char *word, size_t len, size_t cap)
{
	return escape(out, word, len, false, cap ? cap : SIZE_MAX);
}

static bool put_argv(struct cb_buf *out, const char *args, size_t len, size_t cap)
{
	size_t pos = 0, n, start = out->len, before;
	const char *word;

	while (cb_argv_next(args, len, &pos, &word, &n)) {
		before = out->len;
		if (before != start) {
			if (before - start >= cap)
				return true;
			cb_buf_putc(out, ' ');
		}
		if (escape(out, word, n, true, cap - (out->len - start))) {
			if (out->len > start && out->s[out->len - 1] == ' ') /* nothing of the word fitted */
				out->s[out->len = before] = 0;
			return true;
		}
	}
	return false;
}

static void put_syscalls(struct cb_buf *out, const void *calls, size_t n)
{
	char *p = cb_buf_room(out, n * (CB_SYSCALL_MAXNAME + 1) + 1);

	out->len += cb_syscalls_text(calls, n, p);
}

/* "ENOENT", or a prefix and the number for one without name. */
static void put_named(struct cb_buf *out, const char *const *list, int n, const char *prefix, uint64_t v)
{
	if (v < (uint64_t)n && list[v]) {
		cb_buf_puts(out, list[v]);
	} else if (v) {
		cb_buf_puts(out, prefix);
		put_uint(out, v);
	}
}

/* Where the text lies: in the record, or where struct cb_common points. */
static const char *text_of(const struct cb_field *f, const void *p, size_t avail, size_t *len)
{
	const char *s;

	if (!cb_field_is_common(f)) {
		*len = strnlen(p, avail);
		return p;
	}
	memcpy(&s, p, sizeof(s));
	*len = s ? strlen(s) : 0;
	return s;
}

bool cb_may_be_unknown(const struct cb_field *f)
{
	return f->size == sizeof(uint64_t) && (f->type == CB_UINT || f->type == CB_DURATION || f->type == CB_BYTES);
}

static bool cb_unknown(const struct cb_field *f, const char *p)
{
	return cb_may_be_unknown(f) && get_uint(p, f->size) == CB_UNKNOWN;
}

bool cb_field_text(const struct cb_field *f, const void *base, size_t used, size_t cap, struct cb_buf *out)
{
	const char *p = (const char *)base + f->off;
	size_t avail = used <= f->off ? 0 : used - f->off < f->size ? used - f->off : f->size, len;
	const char *s;
	char *time;

	if (!cap)
		cap = SIZE_MAX;
	switch (f->type) {
	case CB_STR:
	case CB_PATH:
	case CB_HIST:
		s = text_of(f, p, avail, &len);
		return escape(out, s, len, false, cap);
	case CB_ARGV: return put_argv(out, p, avail, cap);
	case CB_SYSCALLS: put_syscalls(out, p, avail / 2); return false;
	default: break;
	}
	if (avail < f->size)
		return false;
	switch (f->type) {
	case CB_INT: put_int(out, get_int(p, f->size)); break;
	case CB_FLOAT: cb_float_text(out, get_float(p, f->size), -1); break;
	case CB_BOOL:
		s = get_uint(p, f->size) ? "true" : "false";
		cb_buf_puts(out, s);
		break;
	case CB_TIME:
		time = cb_buf_room(out, 40);
		cb_time_text(get_uint(p, f->size), time);
		out->len += strlen(time);
		break;
	case CB_ERRNO: put_named(out, errnos, LEN(errnos), "E", get_uint(p, f->size)); break;
	case CB_SIGNAL: put_named(out, signals, LEN(signals), "SIG", get_uint(p, f->size)); break;
	case CB_SYSCALL:
		s = cb_syscall_name_len(get_uint(p, f->size), &len);
		cb_buf_add(out, s, len);
		break;
	case CB_CAPS: cb_buf_printf(out, "0x%" PRIx64, get_uint(p, f->size)); break;
	default:
		if (!cb_unknown(f, p))
			put_uint(out, get_uint(p, f->size));
		break;
	}
	return false;
}

/* ---- text -> bytes ---- */

static int expected(const struct cb_field *f, const char *what, const char *text, size_t len, struct cb_err *e)
{
	struct cb_buf b = { 0 };

	if (e && !e->text[0]) {
		cb_buf_room(&b, 1)[0] = 0;
		if (escape(&b, text, len, false, 64))
			cb_buf_puts(&b, "...");
		cb_fail(e, -EINVAL, "%s: expected %s, got \"%s\"", f->name, what, b.s);
		cb_buf_free(&b);
	}
	return -EINVAL;
}

static void set_uint(void *p, size_t size, uint64_t v)
{
	uint32_t v4 = v;
	uint16_t v2 = v;
	uint8_t v1 = v;

	memcpy(p, size == 8 ? (void *)&v : size == 4 ? (void *)&v4 : size == 2 ? (void *)&v2 : (void *)&v1, size);
}

static bool parse_uint(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (!len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)s[i]) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
			return false;
	*ret = v;
	return true;
}

static bool parse_int(const char *s, size_t len, size_t size, uint64_t *ret)
{
	bool minus = len && *s == '-';
	uint64_t v, limit = (uint64_t)1 << (8 * size - 1);

	if (!parse_uint(s + minus, len - minus, &v) || v > limit - !minus)
		return false;
	*ret = minus ? -v : v;
	return true;
}

static bool parse_hex(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len < 3 || len > 18 || s[0] != '0' || s[1] != 'x')
		return false;
	for (size_t i = 2; i < len; i++) {
		if (hex_value(s[i]) < 0)
			return false;
		v = v << 4 | hex_value(s[i]);
	}
	*ret = v;
	return true;
}

static bool parse_float(const char *s, size_t len, double *ret)
{
	char buf[64], *end;
	locale_t old;

	if (!len || len >= sizeof(buf))
		return false;
	memcpy(buf, s, len);
	buf[len] = 0;
	if (strspn(buf, "0123456789+-.eE") != len) /* no "inf", no hex */
		return false;
	pthread_once(&c_locale_once, make_c_locale);
	old = uselocale(c_locale);
	*ret = strtod(buf, &end);
	uselocale(old);
	return !*end && isfinite(*ret);
}

static bool parse_named(const char *const *list, int n, const char *prefix, const char *s, size_t len, uint64_t *ret)
{
	size_t plen = strlen(prefix);

	for (int i = 0; i < n; i++)
		if (list[i] && strlen(list[i]) == len && !memcmp(list[i], s, len)) {
			*ret = i;
			return true;
		}
	return len > plen && !memcmp(s, prefix, plen) && parse_uint(s + plen, len - plen, ret);
}

static bool parse_syscall(const char *s, size_t len, uint64_t *ret)
{
	char name[CB_SYSCALL_MAXNAME];
	int nr;

	if (!len || len >= sizeof(name))
		return false;
	memcpy(name, s, len);
	name[len] = 0;
	nr = cb_syscall_symbol(name);
	*ret = nr;
	return nr >= 0;
}

static int parse_argv(const struct cb_field *f, const char *s, size_t len, char *p, size_t *n, struct cb_err *e)
{
	const char *end = s + len, *next;
	size_t used = 0;
	int got;

	for (const char *w = s; w < end; w = next + 1) {
		next = memchr(w, ' ', end - w);
		if (!next)
			next = end;
		got = next - w == 2 && !memcmp(w, "''", 2) ? 0 : cb_unescape(p + used, f->size - used, w, next - w);
		if (got == -E2BIG || (next < end && got >= 0 && used + got >= f->size))
			return expected(f, "arguments that fit the record", s, len, e);
		if (got < 0)
			return expected(f, "\\xHH or \\\\ after a backslash", w, next - w, e);
		used += got;
		if (used < f->size) /* the last of a full field has no NUL */
			p[used++] = 0;
	}
	*n = used;
	return 0;
}

static int parse_syscalls(const struct cb_field *f, const char *s, size_t len, char *p, size_t *n, struct cb_err *e)
{
	const char *end = s + len, *next;
	size_t used = 0;
	uint64_t nr;

	for (const char *w = s; w < end; w = next + 1) {
		next = memchr(w, ' ', end - w);
		if (!next)
			next = end;
		if (!parse_syscall(w, next - w, &nr))
			return expected(f, "a system call", w, next - w, e);
		if (used + 2 > f->size)
			return expected(f, "as many calls as the record holds", s, len, e);
		set_uint(p + used, 2, nr);
		used += 2;
	}
	*n = used;
	return 0;
}

static int parse_text(const struct cb_field *f, const char *s, size_t len, char *p, struct cb_err *e)
{
	int n = cb_unescape(p, f->size, s, len);

	if (n == -E2BIG)
		return expected(f, "a text that fits the record", s, len, e);
	if (n < 0)
		return expected(f, "\\xHH or \\\\ after a backslash", s, len, e);
	memset(p + n, 0, f->size - n);
	return 0;
}

/* Everything that is one number in the record. */
static int parse_number(const struct cb_field *f, const char *s, size_t len, char *p, struct cb_err *e)
{
	const char *what;
	uint64_t v = 0;
	bool ok;

	switch (f->type) {
	case CB_INT: ok = parse_int(s, len, f->size, &v), what = "a number that fits"; break;
	case CB_BOOL:
		v = len == 4 && !memcmp(s, "true", 4);
		ok = v || (len == 5 && !memcmp(s, "false", 5)), what = "true or false";
		break;
	case CB_TIME: ok = !cb_time_parse(s, len, &v), what = "a time as 2026-11-24T15:50:54.123456789Z"; break;
	case CB_ERRNO: ok = parse_named(errnos, LEN(errnos), "E", s, len, &v), what = "an errno name"; break;
	case CB_SIGNAL: ok = parse_named(signals, LEN(signals), "SIG", s, len, &v), what = "a signal name"; break;
	case CB_SYSCALL: ok = parse_syscall(s, len, &v), what = "a system call"; break;
	case CB_CAPS: ok = parse_hex(s, len, &v), what = "a set as 0x1ff"; break;
	default: ok = parse_uint(s, len, &v), what = "a number"; break;
	}
	if (!ok)
		return expected(f, what, s, len, e);
	if (f->type != CB_INT && f->size < 8 && v >> (8 * f->size))
		return expected(f, "a number that fits", s, len, e);
	set_uint(p, f->size, v);
	return 0;
}

static int parse_real(const struct cb_field *f, const char *s, size_t len, char *p, struct cb_err *e)
{
	float small;
	double v;

	if (!parse_float(s, len, &v))
		return expected(f, "a number", s, len, e);
	small = v;
	memcpy(p, f->size == sizeof(small) ? (void *)&small : (void *)&v, f->size);
	return 0;
}

int cb_field_parse(const struct cb_field *f, const char *text, size_t len, void *rec, size_t *used, struct cb_err *e)
{
	char *p = (char *)rec + f->off;
	size_t n = f->size;
	int err;

	if (f->type == CB_ARGV) {
		err = parse_argv(f, text, len, p, &n, e);
	} else if (f->type == CB_SYSCALLS) {
		err = parse_syscalls(f, text, len, p, &n, e);
	} else if (f->type == CB_STR || f->type == CB_PATH || f->type == CB_HIST) {
		err = parse_text(f, text, len, p, e);
	} else if (!len) { /* how an empty cell reads */
		memset(p, 0, f->size);
		err = 0;
	} else if (f->type == CB_FLOAT) {
		err = parse_real(f, text, len, p, e);
	} else {
		err = parse_number(f, text, len, p, e);
	}
	if (!err && f->off + n > *used)
		*used = f->off + n;
	return err;
}
