/* SPDX-License-Identifier: GPL-2.0 */
/* Text of every type and back; hostile text; times; names. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include "field.h"

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return rng_state >> 33;
}

static const char *escaped(const char *s, size_t len, bool in_word)
{
	static struct cb_buf b;

	cb_buf_reset(&b);
	cb_buf_putc(&b, 'x'); /* so that an empty text is one */
	cb_escape(&b, s, len, in_word);
	return b.s + 1;
}

static void test_escape_known(void **state)
{
	static const struct {
		const char *raw, *text;
	} t[] = {
		{ "plain text", "plain text" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "back\\slash \\x0a", "back\\\\slash \\\\x0a" },
		{ "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80" },
		{ "\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b" },			     /* C1: NEL, CSI */
		{ "\xc2\xa0", "\xc2\xa0" },					     /* no C1 any more */
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9" },	     /* line, paragraph */
		{ "\xe2\x80\xae" "gpj", "\\xe2\\x80\\xaegpj" },			     /* right to left */
		{ "\xe2\x80\x8e\xe2\x81\xa6", "\\xe2\\x80\\x8e\\xe2\\x81\\xa6" },	     /* mark, isolate */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" },					     /* overlong / */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },				     /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },			     /* above U+10FFFF */
		{ "\xe6\xbc", "\\xe6\\xbc" },					     /* cut short */
		{ "\xe6\xbcx", "\\xe6\\xbcx" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(escaped(t[i].raw, strlen(t[i].raw), false), t[i].text);
	assert_string_equal(escaped("a\0b", 3, false), "a\\x00b");
	assert_string_equal(escaped("a b", 3, true), "a\\x20b");
	assert_string_equal(escaped("", 0, true), "''");
	assert_string_equal(escaped("''", 2, true), "\\x27'");
	assert_string_equal(escaped("'''", 3, true), "'''");
}

/* No control character, and valid UTF-8 without what turns or breaks lines: checked by other means than ours. */
static void assert_harmless(const char *s)
{
	mbstate_t mb = { 0 };
	wchar_t c;
	size_t n;

	for (; *s; s += n) {
		n = mbrtowc(&c, s, strlen(s), &mb);
		assert_true(n != (size_t)-1 && n != (size_t)-2);
		assert_true(c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0));
		assert_false(c == 0x2028 || c == 0x2029 || c == 0x200e || c == 0x200f);
		assert_false((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
	}
}

static size_t hostile(char *s, size_t max)
{
	static const char *const bad[] = { "\n", "\r", "\x1b", "\\", "\\x", "\xe2\x80\xae", "\xc2\x9b", "\xff", "\"", ",",
					   "'", " ", "\xe2\x80", "\xf0\x9f\x98\x80", "\xed\xbf\xbf", "''", "=", "abc" };
	size_t len = 0, want = rng() % max;

	while (len + 4 < want) {
		const char *b = bad[rng() % (sizeof(bad) / sizeof(bad[0]))];

		if (rng() % 3) {
			memcpy(s + len, b, strlen(b));
			len += strlen(b);
		} else {
			s[len++] = rng();
		}
	}
	return len;
}

static void test_escape_any(void **state)
{
	char raw[300], back[300];
	const char *text;

	rng_state = 4711;
	for (int i = 0; i < 20011; i++) {
		size_t len = hostile(raw, sizeof(raw));
		bool in_word = i % 2;

		text = escaped(raw, len, in_word);
		assert_harmless(text);
		if (in_word)
			assert_null(strchr(text, ' '));
		if (in_word && !len)
			continue; /* '' is for those who split words */
		assert_int_equal(cb_unescape(back, sizeof(back), text, strlen(text)), len);
		assert_memory_equal(back, raw, len);
	}
}

static void test_unescape_bad(void **state)
{
	char out[8];

	assert_int_equal(cb_unescape(out, 8, "\\q", 2), -EINVAL);
	assert_int_equal(cb_unescape(out, 8, "\\", 1), -EINVAL);
	assert_int_equal(cb_unescape(out, 8, "\\x4", 3), -EINVAL);
	assert_int_equal(cb_unescape(out, 8, "\\x4g", 4), -EINVAL);
	assert_int_equal(cb_unescape(out, 8, "123456789", 9), -E2BIG);
	assert_int_equal(cb_unescape(out, 8, "\\x41\\\\", 6), 2);
	assert_memory_equal(out, "A\\", 2);
}

/* ---- fields of a record ---- */

struct rec {
	struct cb_head h;
	uint64_t u8;
	int64_t i8;
	double f8;
	uint64_t t8;
	uint32_t u4, e4, s4;
	int16_t i2;
	uint16_t nr;
	uint8_t b1, u1;
	char str[6];
	union {
		char args[64];
		uint16_t calls[32];
	};
};
#define F(member, type) { #member, NULL, "", type, CB_NONE, offsetof(struct rec, member), sizeof(((struct rec *)0)->member) }

static const struct cb_field f_u8 = F(u8, CB_UINT), f_i8 = F(i8, CB_INT), f_f8 = F(f8, CB_FLOAT), f_t8 = F(t8, CB_TIME),
			     f_caps = F(u8, CB_CAPS), f_u4 = F(u4, CB_BYTES), f_e4 = F(e4, CB_ERRNO),
			     f_s4 = F(s4, CB_SIGNAL), f_i2 = F(i2, CB_INT), f_nr = F(nr, CB_SYSCALL),
			     f_b1 = F(b1, CB_BOOL), f_u1 = F(u1, CB_UINT), f_str = F(str, CB_STR),
			     f_args = F(args, CB_ARGV), f_calls = F(calls, CB_SYSCALLS);

static const char *text_cap(const struct cb_field *f, const struct rec *r, size_t used, size_t cap, bool *cut)
{
	static struct cb_buf b;
	bool c;

	cb_buf_reset(&b);
	cb_buf_putc(&b, 'x');
	c = cb_field_text(f, r, used, cap, &b);
	if (cut)
		*cut = c;
	return b.s + 1;
}

static const char *text(const struct cb_field *f, const struct rec *r)
{
	return text_cap(f, r, sizeof(*r), 0, NULL);
}

static void same(const struct cb_field *f, const struct rec *r, const char *want)
{
	struct rec back = { 0 };
	struct cb_err e = { "" };
	size_t used = 0;

	assert_string_equal(text(f, r), want);
	assert_int_equal(cb_field_parse(f, want, strlen(want), &back, &used, &e), 0);
	assert_int_equal(used, f->off + f->size);
	assert_memory_equal((char *)&back + f->off, (const char *)r + f->off, f->size);
}

static void test_numbers(void **state)
{
	struct rec r = { .u8 = UINT64_MAX - 1, .i8 = INT64_MIN, .f8 = 0.1, .u4 = UINT32_MAX, .i2 = -32768, .u1 = 255 };

	same(&f_u8, &r, "18446744073709551614");
	same(&f_i8, &r, "-9223372036854775808");
	same(&f_f8, &r, "0.1");
	same(&f_u4, &r, "4294967295");
	same(&f_i2, &r, "-32768");
	same(&f_u1, &r, "255");
	same(&f_caps, &r, "0xfffffffffffffffe");
	same(&f_b1, &r, "false");
	r.u8 = CB_UNKNOWN; /* not measured */
	assert_string_equal(text(&f_u8, &r), "");
	r = (struct rec){ .i8 = INT64_MAX, .f8 = 1.0 / 3, .b1 = 1, .u1 = 9 };
	same(&f_u8, &r, "0");
	same(&f_i8, &r, "9223372036854775807");
	same(&f_f8, &r, "0.3333333333333333");
	same(&f_b1, &r, "true");
	same(&f_u1, &r, "9");
	same(&f_caps, &r, "0x0");
	for (uint64_t v = 1, i = 0; i < 20; i++, v *= 10) { /* every length, both sides of it */
		char want[32];

		r.u8 = v - 1;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v - 1);
		same(&f_u8, &r, want);
		r.u8 = v;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		same(&f_u8, &r, want);
	}
	r.f8 = NAN;
	assert_string_equal(text(&f_f8, &r), "");
}

static void test_names(void **state)
{
	struct rec r = { .e4 = ENOENT, .s4 = 9, .nr = cb_syscall_number("openat") };

	same(&f_e4, &r, "ENOENT");
	same(&f_s4, &r, "SIGKILL");
	same(&f_nr, &r, "openat");
	r = (struct rec){ .e4 = 4000000000u, .s4 = 34, .nr = 999 };
	same(&f_e4, &r, "E4000000000");
	same(&f_s4, &r, "SIG34");
	same(&f_nr, &r, "syscall_999");
	r = (struct rec){ .nr = CB_SYSCALL_COMPAT | 32766 };
	same(&f_e4, &r, "");
	same(&f_s4, &r, "");
	same(&f_nr, &r, "compat:syscall_32766");
	assert_string_equal(cb_errno_name(-EACCES), "EACCES");
	assert_string_equal(cb_errno_name(0), "");
	assert_string_equal(cb_errno_name(3999), "E3999");
	for (int i = 0; i < CB_NTYPES; i++)
		assert_int_equal(cb_type_find(cb_type_name(i)), i);
	for (int i = 0; i < CB_NROLES; i++)
		assert_int_equal(cb_role_find(cb_role_name(i)), i);
	assert_int_equal(cb_type_find("nonsense"), -1);
}

static void test_syscalls(void **state)
{
	size_t len;

	/* of a recording of another machine: the same number as long as the program runs, text comes back */
	int alien = cb_syscall_symbol("alien_call");

	assert_true(alien > 0);
	assert_string_equal(cb_syscall_name(alien), "alien_call");
	assert_int_equal(cb_syscall_symbol("alien_call"), alien);
	assert_int_equal(cb_syscall_symbol("openat"), cb_syscall_number("openat"));
	assert_int_not_equal(cb_syscall_symbol("alien_call2"), alien);
	assert_int_equal(cb_syscall_symbol("no call"), -1);
	assert_int_equal(cb_syscall_symbol("7"), -1);
	assert_string_equal(cb_syscall_name(0x812), "uring:openat");
	assert_int_equal(cb_syscall_number("uring:openat"), 0x812);
	assert_int_equal(cb_syscall_number("uring:op_250"), 0x8fa);
	for (unsigned nr = 0; nr < 0x10000; nr++) { /* whatever a container calls has a name, and comes back */
		const char *name = cb_syscall_name_len(nr, &len);
		int back = cb_syscall_number(name);

		assert_int_equal(strlen(name), len);
		assert_true(len && len < CB_SYSCALL_MAXNAME);
		assert_ptr_equal(cb_syscall_name(nr), name);
		assert_true(back >= 0);
		if ((unsigned)back != nr) /* a name with two numbers means the lower one */
			assert_true((unsigned)back < nr && !strcmp(cb_syscall_name(back), name));
	}
	assert_string_equal(cb_syscall_name(0x400), "socket:packet");
	assert_string_equal(cb_syscall_name(450), "set_mempolicy_home_node");
	assert_string_equal(cb_syscall_name(452), "fchmodat2");
#ifdef __x86_64__
	assert_string_equal(cb_syscall_name(39), "getpid");
	assert_string_equal(cb_syscall_name(CB_SYSCALL_COMPAT | 5), "compat:open");
	assert_int_equal(cb_syscall_number("compat:open"), CB_SYSCALL_COMPAT | 5);
#endif
	assert_int_equal(cb_syscall_number("no_such_call"), -1);
	assert_int_equal(cb_syscall_number("syscall_70000"), -1);
	assert_int_equal(cb_syscall_number("syscall_0"), -1);
	assert_int_equal(cb_syscall_number(""), -1);
}

static void test_sequence(void **state)
{
	struct rec r = { .calls = { cb_syscall_number("read"), cb_syscall_number("write"), CB_SYSCALL_COMPAT | 9999 } },
		   back = { 0 };
	size_t used = f_calls.off;
	struct cb_err e = { "" };
	const char *t = text_cap(&f_calls, &r, f_calls.off + 6, 0, NULL);

	assert_string_equal(t, "read write compat:syscall_9999");
	assert_int_equal(cb_syscalls_fit(r.calls, 3, strlen(t)), 3);
	assert_int_equal(cb_syscalls_fit(r.calls, 3, strlen(t) - 1), 2);
	assert_int_equal(cb_syscalls_fit(r.calls, 3, 3), 1);
	assert_int_equal(cb_syscalls_fit(r.calls, 3, 0), 1);
	assert_int_equal(cb_field_parse(&f_calls, t, strlen(t), &back, &used, &e), 0);
	assert_int_equal(used, f_calls.off + 6);
	assert_memory_equal(r.calls, back.calls, 6);
	assert_string_equal(text_cap(&f_calls, &r, f_calls.off, 0, NULL), "");
	assert_int_equal(cb_syscalls_fit(r.calls, 0, 10), 0);
}

static size_t words(char *to, int n)
{
	size_t len = 0;

	for (int i = 0; i < n && len < 40; i++) {
		len += hostile(to + len, 16);
		to[len++] = 0;
	}
	return len;
}

static void test_argv(void **state)
{
	struct rec r = { .args = "sh\0-c\0echo a  b\n\0\0''\0\xff" }, back;
	size_t used = f_args.off + 25, n;
	struct cb_err e = { "" };
	const char *t;

	assert_string_equal(text_cap(&f_args, &r, f_args.off + 23, 0, NULL),
			    "sh -c echo\\x20a\\x20\\x20b\\x0a '' \\x27' \\xff");
	rng_state = 17;
	for (int i = 0; i < 5003; i++) {
		char raw[64];
		size_t m = 0;

		n = words(r.args, rng() % 5);
		for (size_t k = 0; k < n; k++) /* NULs of the hostile text are ends of words too */
			raw[m++] = r.args[k];
		t = text_cap(&f_args, &r, f_args.off + n, 0, NULL);
		assert_harmless(t);
		memset(&back, 0x55, sizeof(back));
		used = f_args.off;
		assert_int_equal(cb_field_parse(&f_args, t, strlen(t), &back, &used, &e), 0);
		assert_int_equal(used, f_args.off + m);
		assert_memory_equal(back.args, raw, m);
	}
	memset(r.args, 'x', sizeof(r.args)); /* full, so no NUL */
	t = text_cap(&f_args, &r, f_args.off + sizeof(r.args), 0, NULL);
	used = f_args.off;
	assert_int_equal(cb_field_parse(&f_args, t, strlen(t), &back, &used, &e), 0);
	assert_int_equal(used, f_args.off + sizeof(r.args));
	assert_int_not_equal(cb_field_parse(&f_args, "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h",
					    67, &back, &used, &e), 0);
}

static void test_cap(void **state)
{
	struct rec r = { .str = "a\n\xe6\xbc\xa2", .args = "one\0two three\0four" };
	bool cut;

	assert_string_equal(text_cap(&f_str, &r, sizeof(r), 8, &cut), "a\\x0a\xe6\xbc\xa2");
	assert_false(cut);
	assert_string_equal(text_cap(&f_str, &r, sizeof(r), 7, &cut), "a\\x0a");
	assert_true(cut);
	assert_string_equal(text_cap(&f_str, &r, sizeof(r), 4, &cut), "a");
	assert_string_equal(text_cap(&f_args, &r, f_args.off + 19, 4, &cut), "one");
	assert_true(cut);
	assert_string_equal(text_cap(&f_args, &r, f_args.off + 19, 7, &cut), "one two");
	assert_string_equal(text_cap(&f_args, &r, f_args.off + 19, 8, &cut), "one two");
	assert_string_equal(text_cap(&f_args, &r, f_args.off + 19, 11, &cut), "one two\\x20");
	assert_string_equal(text_cap(&f_args, &r, f_args.off + 19, 21, &cut), "one two\\x20three four");
	assert_false(cut);
}

static void bad(const struct cb_field *f, const char *s, const char *want)
{
	struct rec r;
	struct cb_err e = { "" };
	size_t used = 0;

	assert_int_equal(cb_field_parse(f, s, strlen(s), &r, &used, &e), -EINVAL);
	assert_string_equal(e.text, want);
}

static void test_bad(void **state)
{
	bad(&f_u8, "x", "u8: expected a number, got \"x\"");
	bad(&f_u8, "-1", "u8: expected a number, got \"-1\"");
	bad(&f_u8, "18446744073709551616", "u8: expected a number, got \"18446744073709551616\"");
	bad(&f_u8, "1\n\x1b[2J", "u8: expected a number, got \"1\\x0a\\x1b[2J\"");
	bad(&f_u1, "256", "u1: expected a number that fits, got \"256\"");
	bad(&f_i2, "32768", "i2: expected a number that fits, got \"32768\"");
	bad(&f_i2, "-32769", "i2: expected a number that fits, got \"-32769\"");
	bad(&f_i8, "-", "i8: expected a number that fits, got \"-\"");
	bad(&f_f8, "1,5", "f8: expected a number, got \"1,5\"");
	bad(&f_f8, "inf", "f8: expected a number, got \"inf\"");
	bad(&f_f8, "1e999", "f8: expected a number, got \"1e999\"");
	bad(&f_b1, "yes", "b1: expected true or false, got \"yes\"");
	bad(&f_e4, "ENOSUCH", "e4: expected an errno name, got \"ENOSUCH\"");
	bad(&f_nr, "opened", "nr: expected a system call, got \"opened\"");
	bad(&f_calls, "read opened", "calls: expected a system call, got \"opened\"");
	bad(&f_calls, "read  write", "calls: expected a system call, got \"\"");
	bad(&f_str, "seven77", "str: expected a text that fits the record, got \"seven77\"");
	bad(&f_str, "\\q", "str: expected \\xHH or \\\\ after a backslash, got \"\\\\q\"");
	bad(&f_caps, "12", "u8: expected a set as 0x1ff, got \"12\"");
	bad(&f_t8, "yesterday", "t8: expected a time as 2026-11-24T15:50:54.123456789Z, got \"yesterday\"");
}

static void test_locale(void **state)
{
	static const char *const comma[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8" };
	struct rec r = { .f8 = 1234.5 };

	for (size_t i = 0; i < sizeof(comma) / sizeof(comma[0]); i++)
		if (setlocale(LC_NUMERIC, comma[i]))
			break;
	same(&f_f8, &r, "1234.5");
	setlocale(LC_NUMERIC, "C");
}

/* ---- times ---- */

static void test_time_text(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} t[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1795535454123456789u, "2026-11-24T15:50:54.123456789Z" },
		{ 951782400000000001u, "2000-02-29T00:00:00.000000001Z" },
		{ 4107542399999999999u, "2100-02-28T23:59:59.999999999Z" },
		{ 4107542400000000000u, "2100-03-01T00:00:00.000000000Z" },
		{ UINT64_MAX / 1000000000 * 1000000000 - 1, "2554-07-21T23:34:32.999999999Z" },
	};
	char buf[40];
	uint64_t back;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cb_time_text(t[i].ns, buf);
		assert_string_equal(buf, t[i].text);
		assert_int_equal(cb_time_parse(buf, strlen(buf), &back), 0);
		assert_true(back == t[i].ns);
	}
	rng_state = 3;
	for (int i = 0; i < 20011; i++) {
		uint64_t ns = ((uint64_t)rng() << 32 | rng()) % (UINT64_MAX / 1000000000 * 1000000000);
		time_t sec = ns / 1000000000;
		char want[64];
		struct tm tm;

		cb_time_text(ns, buf);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", gmtime_r(&sec, &tm));
		assert_memory_equal(buf, want, 19);
		assert_int_equal(cb_time_parse(buf, strlen(buf), &back), 0);
		assert_true(back == ns);
	}
}

static void test_time_parse(void **state)
{
	static const char *const good[] = { "2026-11-24T15:50:54Z", "2026-11-24 15:50:54z", "2026-11-24T15:50:54.0Z",
					    "2026-11-24T17:50:54+02:00", "2026-11-24T10:20:54-05:30",
					    "2026-11-24T15:50:54.0000000009Z" };
	static const char *const wrong[] = { "", "2026-11-24", "2026-11-24T15:50:54", "2026-13-01T00:00:00Z",
					     "2026-02-29T00:00:00Z", "2026-06-31T00:00:00Z", "2026-01-01T24:00:00Z",
					     "2026-01-01T00:60:00Z", "1969-12-31T23:59:59Z", "2555-01-01T00:00:00Z",
					     "2026-11-24T15:50:54Zx", "2026-11-24T15:50:54+2:00", "2026-1-24T15:50:54Z",
					     "2026-11-24T15:50:54+", "-026-11-24T15:50:54Z", "2026-00-10T00:00:00Z" };
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cb_time_parse(good[i], strlen(good[i]), &ns), 0);
		assert_true(ns == 1795535454000000000u);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cb_time_parse(wrong[i], strlen(wrong[i]), &ns), -EINVAL);
}

static void test_parse_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = { { "500ms", 500000000 }, { "5s", 5000000000 },     { "10m", 600000000000 }, { "2h", 7200000000000 },
		     { "1d", 86400000000000 }, { "2", 2000000000 },    { "0.5", 500000000 },	{ "1.5h", 5400000000000 },
		     { "0.000000001", 1 },   { "106751d", 9223286400000000000u } };
	static const char *const wrong[] = { "", "s", "-1", "+1", "1x", "1 s", " 1", "0", "0s", "0x10", "1e3", ".5", "5.",
					     "1,5", "nan", "inf", "106752d", "99999999999999999999", "5S", "1s\n", "5ss" };
	struct cb_err e;
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cb_parse_time(good[i].text, &ns, NULL), 0);
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ns = 42;
		e.text[0] = 0;
		assert_int_equal(cb_parse_time(wrong[i], &ns, &e), -EINVAL);
		assert_true(ns == 42); /* untouched */
		assert_non_null(strstr(e.text, "expected"));
		assert_null(strchr(e.text, '\n'));
	}
}

static void test_clock(void **state)
{
	struct timespec boot;
	uint64_t utc, now;

	cb_clock_sync();
	clock_gettime(CLOCK_BOOTTIME, &boot);
	now = cb_now_utc();
	utc = cb_boot_to_utc(boot.tv_sec * 1000000000ULL + boot.tv_nsec);
	assert_true(utc < now + 2000000000 && utc + 2000000000 > now);
	cb_clock_sync(); /* the same moment stays the same */
	assert_true(utc == cb_boot_to_utc(boot.tv_sec * 1000000000ULL + boot.tv_nsec));
	assert_true(cb_boot_to_utc(0) == 0);
}

static void test_fail(void **state)
{
	struct cb_err e = { "" };
	char longer[1000];

	assert_int_equal(cb_fail(&e, -5, "one\n%d", 1), -5);
	assert_int_equal(cb_fail(&e, -6, "two"), -6);
	assert_string_equal(e.text, "one?1");
	assert_int_equal(cb_fail(NULL, -7, "three"), -7);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	e.text[0] = 0;
	cb_fail(&e, -8, "%s", longer);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_string_equal(e.text + strlen(e.text) - 4, "x...");
	assert_true(strlen(cb_host_id()) > 0 && strlen(cb_host_boot_id()) == 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape_known), cmocka_unit_test(test_escape_any),
		cmocka_unit_test(test_unescape_bad), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_syscalls),
		cmocka_unit_test(test_sequence),     cmocka_unit_test(test_argv),
		cmocka_unit_test(test_cap),	     cmocka_unit_test(test_bad),
		cmocka_unit_test(test_locale),	     cmocka_unit_test(test_time_text),
		cmocka_unit_test(test_time_parse),   cmocka_unit_test(test_parse_time),
		cmocka_unit_test(test_clock),	     cmocka_unit_test(test_fail),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* for mbrtowc() */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
