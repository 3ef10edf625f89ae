/* SPDX-License-Identifier: GPL-2.0 */
/* Which files are shared. Of each it is known which containers used it: the first, and the first other one. */
#include <stdlib.h>
#include <string.h>
#include "cb.h"
#include "fileshare.h"
#include "hash.h"
#include "magic.h"

#define FILES 65536

struct file {
	struct cb_file_id id;
	uint64_t cont[2];
	UT_hash_handle hh; /* in order of use */
};

struct cb_fileshare {
	struct file *file;
};

struct cb_file_id cb_file_id_of(const struct file_note *n)
{
	if ((n->imode & 0170000) != 0100000 || (n->bits & FILE_ANON) || cb_kernels_own(n->magic))
		return (struct cb_file_id){};
	return (struct cb_file_id){ n->ino, n->dev, n->gen };
}

struct cb_fileshare *cb_fileshare_new(void)
{
	return cb_xalloc(sizeof(struct cb_fileshare));
}

void cb_fileshare_free(struct cb_fileshare *s)
{
	struct file *f, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->file, f, next) {
		HASH_DEL(s->file, f);
		free(f);
	}
	free(s);
}

static struct file *file_new(struct cb_fileshare *s, struct cb_file_id id, uint64_t cont)
{
	struct file *f = s->file;

	if (HASH_COUNT(s->file) >= FILES) {
		HASH_DEL(s->file, f);
		free(f);
	}
	f = cb_xalloc(sizeof(*f));
	f->id = id;
	f->cont[0] = cont;
	return f;
}

void cb_fileshare_used(struct cb_fileshare *s, struct cb_file_id id, uint64_t cont)
{
	struct file *f;

	if (!id.dev)
		return;
	HASH_FIND(hh, s->file, &id, sizeof(id), f);
	if (f)
		HASH_DEL(s->file, f); /* to the end of the order of use */
	else
		f = file_new(s, id, cont);
	HASH_ADD(hh, s->file, id, sizeof(f->id), f);
	if (f->cont[0] != cont && !f->cont[1])
		f->cont[1] = cont;
}

uint64_t cb_fileshare_with(const struct cb_fileshare *s, struct cb_file_id id, uint64_t cont)
{
	struct file *f;

	if (!id.dev)
		return 0;
	HASH_FIND(hh, s->file, &id, sizeof(id), f);
	if (!f)
		return 0;
	return f->cont[0] == cont ? f->cont[1] : f->cont[0];
}
