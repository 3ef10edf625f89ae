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
/* len: of the text; writes at most cap bytes to out, returns how many or -EINVAL. */
int cb_unescape(char *out, size_t cap, const char *text, size_t len);

/* base: record or struct cb_common. used: bytes of the record in use (limits the last field).
 * Appends the text form. cap: at most that many bytes of text for strings (0: no limit); returns
 * true if something was cut, only at a whole character, escape or word. */
bool cb_field_text(const struct cb_field *f, const void *base, size_t used, size_t cap, struct cb_buf *out);
/* Inverse into rec; *used grows to the end of a last variable field. -EINVAL with
 * "NAME: expected a number, got \"x\"". Not for cb_common's strings. */
int cb_field_parse(const struct cb_field *f, const char *text, size_t len, void *rec, size_t *used, struct cb_err *e);
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
