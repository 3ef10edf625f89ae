/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>
#include "fileview.h"

const char *const cb_file_actions[FILE_NOPS] = {
	[FILE_NONE] = "",	      [FILE_OPEN] = "open",	[FILE_CREATE] = "create",   [FILE_UNLINK] = "unlink",
	[FILE_RMDIR] = "rmdir",	      [FILE_RENAME] = "rename", [FILE_LINK] = "link",	    [FILE_SYMLINK] = "symlink",
	[FILE_CHMOD] = "chmod",	      [FILE_CHOWN] = "chown",	[FILE_MKDIR] = "mkdir",	    [FILE_MKNOD] = "mknod",
	[FILE_MOUNT] = "mount",	      [FILE_UMOUNT] = "umount", [FILE_TRUNCATE] = "truncate", [FILE_MAP] = "map",
	[FILE_READ] = "read",	      [FILE_WRITE] = "write",	[FILE_PARTLY] = "partly-seen",
};

/* ---- flags: the kernel's numbers (include/uapi), which are those of this machine's headers but for a few ---- */

struct word {
	uint32_t mask, value;
	const char *text;
};

#define K_DIRECTORY 0200000 /* the generic ones; arm64 has others */
#define K_NOFOLLOW 0400000
#define K_PATH 010000000
#define K_TMPFILE 020000000
#if defined(__aarch64__)
#undef K_DIRECTORY
#undef K_NOFOLLOW
#define K_DIRECTORY 040000
#define K_NOFOLLOW 0100000
#endif

static const struct word open_words[] = {
	{ K_PATH, K_PATH, "path" },
	{ K_PATH | 3, 0, "read" },
	{ K_PATH | 3, 1, "write" },
	{ K_PATH | 3, 2, "read|write" },
	{ K_PATH | 3, 3, "read|write" },
	{ 02000, 02000, "append" },
	{ 01000, 01000, "truncate" },
	{ 0100, 0100, "create" },
	{ 0200, 0200, "exclusive" },
	{ K_DIRECTORY | K_TMPFILE, K_DIRECTORY, "directory" },
	{ K_NOFOLLOW, K_NOFOLLOW, "nofollow" },
	{ K_TMPFILE, K_TMPFILE, "tmpfile" },
	{},
};
static const struct word rename_words[] = { { 1, 1, "noreplace" }, { 2, 2, "exchange" }, { 4, 4, "whiteout" }, {} };
static const struct word map_words[] = { { 4, 4, "exec" }, { 2, 2, "write" }, {} };
static const struct word umount_words[] = { { 1, 1, "force" }, { 2, 2, "detach" }, {} };
static const struct word mount_words[] = {
	{ 1, 1, "ro" }, { 32, 32, "remount" }, { 4096, 4096, "bind" }, { 8192, 8192, "move" }, { 16384, 16384, "rec" }, {},
};
static const struct word partly_words[] = { { 3, FILE_IO_URING, "io_uring" }, { 3, FILE_32BIT, "32-bit" }, {} };

static const struct word *words_of(uint8_t op)
{
	switch (op) {
	case FILE_OPEN:
	case FILE_CREATE: return open_words;
	case FILE_RENAME: return rename_words;
	case FILE_MAP: return map_words;
	case FILE_MOUNT: return mount_words;
	case FILE_UMOUNT: return umount_words;
	case FILE_PARTLY: return partly_words;
	}
	return NULL;
}

static void add_word(char *to, size_t room, const char *word)
{
	size_t at = strlen(to);

	snprintf(to + at, room - at, "%s%s", at ? "|" : "", word);
}

void cb_file_flags(uint8_t op, uint32_t flags, uint8_t bits, char *to, size_t room)
{
	to[0] = '\0';
	for (const struct word *w = words_of(op); w && w->text; w++)
		if ((flags & w->mask) == w->value)
			add_word(to, room, w->text);
	if (bits & FILE_DELETED)
		add_word(to, room, "deleted");
}

/* ---- paths ---- */

/* Components, deepest first, each with its NUL. */
static void put_names(struct cb_buf *b, const char *names, size_t end)
{
	while (end > 0) {
		size_t start = end - 1; /* the NUL */

		while (start > 0 && names[start - 1])
			start--;
		cb_buf_putc(b, '/');
		cb_buf_put(b, names + start, end - 1 - start);
		end = start;
	}
}

/*
 * Appends an asked name without "//" and ".". A ".." takes away names of the directory it began in, which are known
 * to be no links; behind others it stays, since what it means is not known here.
 */
static void put_asked(struct cb_buf *b, const char *s, size_t len)
{
	bool sure = true;

	while (len) {
		size_t n = 0;

		while (n < len && s[n] != '/')
			n++;
		if (sure && n == 2 && s[0] == '.' && s[1] == '.') {
			while (b->len && b->s[--b->len] != '/')
				;
		} else if (n && !(n == 1 && s[0] == '.')) {
			cb_buf_putc(b, '/');
			cb_buf_put(b, s, n);
			sure = false;
		}
		s += n;
		len -= n;
		if (len) {
			s++;
			len--;
		}
	}
}

/* What has no place in a tree, by its file system (include/uapi/linux/magic.h). */
static const char *anonymous(const struct file_note *n)
{
	switch (n->magic) {
	case 0x50495045: return "pipe:";
	case 0x534f434b: return "socket:";
	case 0x6e736673: return "namespace:";
	case 0x50494446: return "pidfd:";
	}
	return NULL;
}

static void put_anonymous(struct cb_buf *b, const struct file_note *n, const char *names)
{
	const char *kind = anonymous(n);
	size_t len = n->names[0] ? strnlen(names, n->names[0]) : 0;

	if (kind) {
		cb_buf_puts(b, kind);
		return;
	}
	if (n->magic == 0x09041934)
		cb_buf_puts(b, "anon_inode:");
	else if (!len)
		cb_buf_puts(b, "anon:");
	cb_buf_put(b, names, len); /* "memfd:NAME" says what it is */
}

static void put_path(struct cb_buf *b, const struct file_note *n, int which, const char *names, const char *asked)
{
	size_t nasked = n->asked[which], nnames = n->names[which];
	bool absolute = nasked && asked[0] == '/';

	if (!which && (n->bits & FILE_ANON)) {
		put_anonymous(b, n, names);
		return;
	}
	if (!nasked && !nnames && n->error)
		return; /* not even a name could be read */
	if (n->bits & FILE_CUT)
		cb_buf_puts(b, nnames ? "..." : "");
	if (!absolute && !nnames && nasked && n->op != FILE_OPEN && n->op != FILE_CREATE && which) {
		cb_buf_put(b, asked, nasked); /* a text */
		return;
	}
	put_names(b, names, nnames);
	put_asked(b, asked, nasked);
	if (!b->len)
		cb_buf_putc(b, '/');
}

/* ---- the row ---- */

static void type_of(const struct file_note *n, char *to, size_t room)
{
	static const char *const types[16] = { [1] = "pipe", [2] = "char", [4] = "dir", [6] = "block", [8] = "file",
					       [10] = "link", [12] = "socket" };
	uint16_t mode = n->op == FILE_MKNOD ? n->num[1] : n->imode;
	const char *t = types[mode >> 12 & 15];

	if (n->op == FILE_MKNOD && !(mode >> 12))
		t = "file";
	snprintf(to, room, "%s", t ? t : n->bits & FILE_ANON ? "anon" : "");
}

static void mode_of(const struct file_note *n, char *to, size_t room)
{
	bool has = n->op == FILE_CHMOD || n->op == FILE_MKDIR || n->op == FILE_MKNOD ||
		   ((n->op == FILE_OPEN || n->op == FILE_CREATE) && (n->num[0] & (0100 | K_TMPFILE)));

	if (has)
		snprintf(to, room, "%04o", n->num[1] & 07777);
}

static void owner_of(const struct file_note *n, char *to, size_t room)
{
	char id[2][12];

	if (n->op != FILE_CHOWN)
		return;
	for (int i = 0; i < 2; i++) {
		snprintf(id[i], sizeof(id[i]), "%u", n->num[i]);
		if (n->num[i] == UINT32_MAX)
			strcpy(id[i], "-");
	}
	snprintf(to, room, "%s:%s", id[0], id[1]);
}

/* Of what does not fit the end is kept: it tells more. */
static bool set_path(char *to, size_t room, const struct cb_buf *b)
{
	if (b->len >= room) {
		memcpy(to, "...", 3);
		memcpy(to + 3, b->s + b->len - (room - 4), room - 4);
		to[room - 1] = '\0';
		return true;
	}
	if (b->len)
		memcpy(to, b->s, b->len);
	to[b->len] = '\0';
	return false;
}

static bool whole(const struct file_note *n, size_t len)
{
	size_t head = offsetof(struct file_note, data);

	return len >= head && n->len <= len - head && n->op < FILE_NOPS &&
	       (size_t)n->asked[0] + n->asked[1] + n->names[0] + n->names[1] + n->fsnames <= n->len;
}

int cb_file_view(const struct file_note *n, size_t len, struct file_rec *ret)
{
	const char *asked, *names;
	struct cb_buf b = {};
	bool cut;

	if (!whole(n, len))
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	ret->h = n->h;
	ret->ino = n->ino;
	ret->error = n->error;
	asked = n->data;
	names = n->data + n->asked[0] + n->asked[1];
	if (n->op != FILE_PARTLY)
		put_path(&b, n, 0, names, asked);
	cut = set_path(ret->path, sizeof(ret->path), &b) || (n->bits & FILE_CUT);
	cb_buf_reset(&b);
	if (n->asked[1] || n->names[1])
		put_path(&b, n, 1, names + n->names[0], asked + n->asked[0]);
	cut |= set_path(ret->target, sizeof(ret->target), &b);
	cb_buf_free(&b);
	cb_file_flags(n->op, n->num[0], n->bits, ret->flags, sizeof(ret->flags));
	type_of(n, ret->type, sizeof(ret->type));
	mode_of(n, ret->mode, sizeof(ret->mode));
	owner_of(n, ret->owner, sizeof(ret->owner));
	if (n->dev)
		snprintf(ret->device, sizeof(ret->device), "%u:%u", n->dev >> 20, n->dev & 0xfffff);
	if (n->bits & FILE_HOST && n->h.cont)
		strcpy(ret->foreign, "host");
	else if (n->foreign)
		strcpy(ret->foreign, "container");
	if (cut)
		ret->h.flags |= CB_F_CUT;
	ret->h.kind = 0;
	return 0;
}

bool cb_file_inside(const struct file_note *n, struct cb_buf *ret)
{
	if (!n->fsnames)
		return false;
	put_names(ret, n->data + n->asked[0] + n->asked[1] + n->names[0] + n->names[1], n->fsnames);
	return true;
}
