/* SPDX-License-Identifier: GPL-2.0 */
/* Column names and their numbers; datasets, as schema rows or our own tables describe them. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "reader_impl.h"

#define MAX_DEFINITIONS 1024 /* of datasets, old ones included: a stream may not fill the memory */
#define PREFIX "cbtools."

struct name {
	char *s;
	size_t len;
	uint64_t hash;
};

struct definition {
	struct cb_dataset ds;
	struct definition *older; /* of the same dataset: rows may still point at it */
};

struct cb_names {
	struct name *name;
	int n, cap;
	int *slot; /* id + 1 by hash, open addressing, a power of two */
	size_t nslots;
	uint64_t seed;
	struct definition **def;
	int ndef;
	unsigned generation; /* definitions made, ever */
	struct cb_buf scratch;
};

/* Seeded: names come from whoever writes the rows. */
static uint64_t hash(const struct cb_names *n, const char *s, size_t len)
{
	uint64_t h = n->seed ^ len;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ (unsigned char)s[i]) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h;
}

static void rehash(struct cb_names *n)
{
	n->nslots = n->nslots ? n->nslots * 2 : 256;
	free(n->slot);
	n->slot = cb_xalloc(n->nslots * sizeof(*n->slot));
	for (int i = 0; i < n->n; i++) {
		size_t at = n->name[i].hash & (n->nslots - 1);

		while (n->slot[at])
			at = (at + 1) & (n->nslots - 1);
		n->slot[at] = i + 1;
	}
}

int cb_names_find(const struct cb_names *n, const char *name, size_t len)
{
	uint64_t h = hash(n, name, len);
	size_t at = h & (n->nslots - 1);

	for (; n->slot[at]; at = (at + 1) & (n->nslots - 1)) {
		const struct name *have = &n->name[n->slot[at] - 1];

		if (have->hash == h && have->len == len && !memcmp(have->s, name, len))
			return n->slot[at] - 1;
	}
	return -1;
}

int cb_names_add(struct cb_names *n, const char *name, size_t len)
{
	int id = cb_names_find(n, name, len);
	size_t at;

	if (id >= 0)
		return id;
	if (n->n == n->cap) {
		n->cap = n->cap ? n->cap * 2 : 64;
		n->name = cb_xrealloc(n->name, n->cap * sizeof(*n->name));
	}
	if ((size_t)(n->n + 1) * 2 > n->nslots)
		rehash(n);
	id = n->n++;
	n->name[id] = (struct name){ cb_xalloc(len + 1), len, hash(n, name, len) };
	memcpy(n->name[id].s, name, len);
	for (at = n->name[id].hash & (n->nslots - 1); n->slot[at];)
		at = (at + 1) & (n->nslots - 1);
	n->slot[at] = id + 1;
	return id;
}

struct cb_names *cb_names_new(void)
{
	static const char *const own[] = { [CB_ID_TIME] = "@timestamp",
					   [CB_ID_DATASET] = "event.dataset",
					   [CB_ID_KIND] = "event.kind",
					   [CB_ID_VERSION] = "schema.version",
					   [CB_ID_FIELDS] = "schema.fields" };
	struct cb_names *n = cb_xalloc(sizeof(*n));

	/* before the pool is ready a fixed seed is as good as none, but never a reason to wait or fail */
	if (getrandom(&n->seed, sizeof(n->seed), GRND_NONBLOCK) != sizeof(n->seed))
		n->seed = cb_now_utc();
	rehash(n);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		cb_names_id(n, own[i]);
	return n;
}

int cb_names_id(struct cb_names *n, const char *name)
{
	return cb_names_add(n, name, strlen(name));
}

const char *cb_names_name(const struct cb_names *n, int id)
{
	return n->name[id].s;
}

size_t cb_names_len(const struct cb_names *n, int id)
{
	return n->name[id].len;
}

int cb_names_count(const struct cb_names *n)
{
	return n->n;
}

unsigned cb_names_generation(const struct cb_names *n)
{
	return n->generation;
}

struct cb_buf *cb_names_scratch(struct cb_names *n)
{
	return &n->scratch;
}

static struct definition *definition_free(struct definition *d)
{
	struct definition *older = d->older;

	for (size_t i = 0; i < d->ds.ncol; i++)
		free(d->ds.col[i].name);
	free(d->ds.col);
	free(d->ds.name);
	free(d);
	return older;
}

void cb_names_free(struct cb_names *n)
{
	if (!n)
		return;
	for (int i = 0; i < n->ndef; i++)
		for (struct definition *d = n->def[i]; d;)
			d = definition_free(d);
	for (int i = 0; i < n->n; i++)
		free(n->name[i].s);
	free(n->def);
	free(n->name);
	free(n->slot);
	cb_buf_free(&n->scratch);
	free(n);
}

static struct cb_col *find_col(const struct cb_dataset *ds, const char *name)
{
	for (size_t i = 0; i < ds->ncol; i++)
		if (!strcmp(ds->col[i].name, name))
			return &ds->col[i];
	return NULL;
}

/* The first definition of a column holds. */
static void add_col(struct cb_dataset *ds, const char *name, enum cb_type type, enum cb_role role)
{
	if (find_col(ds, name))
		return;
	ds->col = cb_xrealloc(ds->col, (ds->ncol + 1) * sizeof(*ds->col));
	ds->col[ds->ncol++] = (struct cb_col){ cb_xstrdup(name), type, role };
}

static void add_fields(struct cb_dataset *ds, const struct cb_field *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_col(ds, f[i].name, f[i].type, f[i].role);
}

static bool same(const struct cb_dataset *a, const struct cb_dataset *b)
{
	if (a->version != b->version || a->ncol != b->ncol)
		return false;
	for (size_t i = 0; i < a->ncol; i++)
		if (strcmp(a->col[i].name, b->col[i].name) || a->col[i].type != b->col[i].type ||
		    a->col[i].role != b->col[i].role)
			return false;
	return true;
}

/* Takes d over. */
static const struct cb_dataset *define(struct cb_names *n, struct definition *d)
{
	for (int i = 0; i < n->ndef; i++) {
		if (strcmp(n->def[i]->ds.name, d->ds.name))
			continue;
		if (same(&n->def[i]->ds, &d->ds)) {
			definition_free(d);
			return &n->def[i]->ds;
		}
		d->older = n->def[i];
		n->def[i] = d;
		n->generation++;
		return &d->ds;
	}
	n->def = cb_xrealloc(n->def, (n->ndef + 1) * sizeof(*n->def));
	n->def[n->ndef++] = d;
	n->generation++;
	return &d->ds;
}

const struct cb_dataset *cb_names_dataset(struct cb_names *n, const char *name)
{
	const struct cb_schema *s;
	struct definition *d;

	for (int i = 0; i < n->ndef; i++)
		if (!strcmp(n->def[i]->ds.name, name))
			return &n->def[i]->ds;
	if (strncmp(name, PREFIX, strlen(PREFIX)) || !(s = cb_schema_find(name)))
		return NULL;
	d = cb_xalloc(sizeof(*d));
	d->ds.name = cb_xstrdup(name);
	d->ds.version = s->version;
	add_fields(&d->ds, s->field, s->nfields);
	add_fields(&d->ds, cb_common_fields, cb_ncommon_fields);
	return define(n, d);
}

/* A word of a fixed list: type or role; the default when it is left out. */
static int word(json_t *field, const char *key, int (*find)(const char *), int missing, const char *what, int *ret,
		struct cb_err *e)
{
	json_t *v = json_object_get(field, key);
	const char *s = json_string_value(v);

	*ret = !v ? missing : s ? find(s) : -1;
	if (*ret < 0)
		return cb_fail(e, -EINVAL, "schema.fields: \"%.60s\": expected %s, got \"%.40s\"",
			       json_string_value(json_object_get(field, "name")), what, s ? s : "something else");
	return 0;
}

static int learn_fields(struct cb_dataset *ds, json_t *fields, struct cb_err *e)
{
	json_t *f;
	size_t i;

	if (json_array_size(fields) > CB_MAX_COLUMNS)
		return cb_fail(e, -EINVAL, "schema.fields: expected at most %d fields, got %zu", CB_MAX_COLUMNS,
			       json_array_size(fields));
	json_array_foreach(fields, i, f) {
		const char *name = json_string_value(json_object_get(f, "name"));
		int type, role, err;

		if (!name || !*name || strlen(name) > CB_MAX_NAME)
			return cb_fail(e, -EINVAL, "schema.fields: expected objects with a name of 1 to %d bytes",
				       CB_MAX_NAME);
		err = word(f, "type", cb_type_find, CB_STR, "a type as uint, str or path", &type, e);
		if (!err)
			err = word(f, "role", cb_role_find, CB_NONE, "a role: none, set, seq, rate or level", &role, e);
		if (err)
			return err;
		add_col(ds, name, type, role);
	}
	return 0;
}

int cb_names_learn(struct cb_names *n, const char *name, const char *version, const char *fields, size_t len,
		   struct cb_err *e)
{
	json_error_t at;
	struct definition *d;
	char *end = NULL;
	json_t *json;
	char *raw;
	int err;

	if (n->generation >= MAX_DEFINITIONS)
		return cb_fail(e, -EINVAL, "schema.fields: expected at most %d definitions of datasets",
			       MAX_DEFINITIONS);
	raw = cb_xalloc(len + 1);
	err = cb_unescape(raw, len, fields, len);
	json = err < 0 ? NULL : json_loadb(raw, err, 0, &at);
	free(raw);
	if (!json_is_array(json)) {
		json_decref(json);
		return cb_fail(e, -EINVAL, "schema.fields: expected an array of objects with name, type and role");
	}
	d = cb_xalloc(sizeof(*d));
	d->ds.name = cb_xstrdup(name);
	d->ds.version = version ? strtoul(version, &end, 10) : 1;
	err = end && *end ? cb_fail(e, -EINVAL, "schema.version: expected a number, got \"%.40s\"", version)
			  : learn_fields(&d->ds, json, e);
	json_decref(json);
	if (err) {
		definition_free(d);
		return err;
	}
	/* a row of ours always has the common part, whichever fields the schema row lists */
	if (!strncmp(name, PREFIX, strlen(PREFIX)))
		add_fields(&d->ds, cb_common_fields, cb_ncommon_fields);
	define(n, d);
	return 0;
}
