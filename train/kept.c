/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include "kept.h"

static const char *keep(struct cb_kept *k, const char *s)
{
	if (!s || !*s || k->n == (int)(sizeof(k->text) / sizeof(k->text[0])))
		return "";
	return k->text[k->n++] = cb_xstrdup(s);
}

void cb_kept_set(struct cb_kept *k, const struct cb_common *from)
{
	struct cb_kept new = { .c = *from };
	struct cb_common *c = &new.c;

	c->dataset = keep(&new, c->dataset);
	c->kind = keep(&new, c->kind);
	c->action = keep(&new, c->action);
	c->host_id = keep(&new, c->host_id);
	c->boot_id = keep(&new, c->boot_id);
	c->cont_id = keep(&new, c->cont_id);
	c->cont_name = keep(&new, c->cont_name);
	c->image = keep(&new, c->image);
	c->image_id = keep(&new, c->image_id);
	c->runtime = keep(&new, c->runtime);
	c->cgroup = keep(&new, c->cgroup);
	c->label = keep(&new, c->label);
	c->comm = keep(&new, c->comm);
	c->exe = keep(&new, c->exe);
	cb_kept_free(k);
	*k = new;
}

void cb_kept_free(struct cb_kept *k)
{
	while (k->n)
		free(k->text[--k->n]);
}
