/* SPDX-License-Identifier: GPL-2.0 */
/* Bytes <-> text by type. */
#ifndef CB_FIELD_H
#define CB_FIELD_H
#include "cb.h"

/*
 * Text form, the same in every format (a JSON string or CSV cell then holds this text): valid UTF-8
 * without control characters, bidirectional overrides or line separators. A byte that would break
 * that is written \xHH, a backslash \\. CB_ARGV: words with one space between, a space inside a word
 * \x20, an empty word ''. cb_unescape() inverts.
 */
void cb_escape(struct cb_buf *out, const char *s, size_t len, bool in_word);
/* len: of the text; writes at most cap bytes to out, returns how many, -EINVAL, or -E2BIG when cap is too small. */
int cb_unescape(char *out, size_t cap, const char *text, size_t len);

/* The words of a CB_ARGV in a record, one after the other from *pos = 0. */
bool cb_argv_next(const char *args, size_t len, size_t *pos, const char **word, size_t *word_len);
/* A word as JSON has it: as cb_escape(), with its spaces. cap, result: as cb_field_text(). */
bool cb_argv_word(struct cb_buf *out, const char *word, size_t len, size_t cap);

/* Has CB_UNKNOWN for "not measured", with an empty text. */
bool cb_may_be_unknown(const struct cb_field *f);

/* base: record or struct cb_common. used: bytes of the record in use (limits the last field).
 * Appends the text form. cap: at most that many bytes of text for strings (0: no limit); returns
 * true if something was cut, only at a whole character, escape or word. */
bool cb_field_text(const struct cb_field *f, const void *base, size_t used, size_t cap, struct cb_buf *out);
/* Inverse into rec; *used grows to the end of a last variable field. -EINVAL with
 * "NAME: expected a number, got \"x\"". Not for cb_common's strings. */
int cb_field_parse(const struct cb_field *f, const char *text, size_t len, void *rec, size_t *used, struct cb_err *e);
/* f is one of cb_common_fields (its texts are pointers then). */
bool cb_field_is_common(const struct cb_field *f);
/* True when the row has no such thing: no process, no interval, not a row of totals. */
bool cb_common_empty(const struct cb_field *f, const struct cb_common *c);
/* A number with so many decimals, < 0: as many as it takes to read it back; nothing if it is not finite. */
void cb_float_text(struct cb_buf *out, double v, int decimals);
/* cb_syscall_name() with its length. */
const char *cb_syscall_name_len(unsigned nr, size_t *len);
/* The CB_SYSCALLS text of n numbers, returns its length; to has room for n * (CB_SYSCALL_MAXNAME + 1) + 1. */
size_t cb_syscalls_text(const void *nr, size_t n, char *to);
/*
 * How many of the n numbers make a text of up to max bytes, but one at least: writers never cut such a text, so who makes
 * long ones must split them.
 */
size_t cb_syscalls_fit(const uint16_t *nr, size_t n, size_t max);
/* How JSON shows it. */
enum cb_json { CB_JSON_NUMBER, CB_JSON_BOOL, CB_JSON_STRING };
enum cb_json cb_type_json(enum cb_type t);
const char *cb_type_name(enum cb_type t); /* "uint", "path", ...: schema rows */
int cb_type_find(const char *name);	  /* -1 */
const char *cb_role_name(enum cb_role r); /* "none", "set", "seq", "rate", "level" */
int cb_role_find(const char *name);	  /* -1 */
const char *cb_errno_name(int err);	  /* "ENOENT", "" for 0 */
/* "2026-11-24T15:50:54.123456789Z"; buf at least 40 bytes. parse: UTC ns or -EINVAL. */
void cb_time_text(uint64_t utc_ns, char *buf);
int cb_time_parse(const char *text, size_t len, uint64_t *ret);
#endif
