/* SPDX-License-Identifier: GPL-2.0 */
/* Sections of a man page from the tables that the program itself runs by: they cannot disagree. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cb.h"

/* A leading dot or quote and every backslash and hyphen want care. */
static void roff(FILE *to, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", to);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", to);
		else if (*s == '-')
			fputs("\\-", to);
		else if (*s == '\n' && (s[1] == '.' || s[1] == '\''))
			fputs("\n\\&", to);
		else
			fputc(*s, to);
	}
}

static void option(const struct argp_option *o, FILE *to)
{
	bool letter = o->key < 0x80 && isalnum(o->key);

	fputs(".TP\n.B ", to);
	if (letter)
		fprintf(to, "\\-%c%s", o->key, o->name ? ", " : "");
	if (o->name) {
		fputs("\\-\\-", to);
		roff(to, o->name);
	}
	if (o->arg)
		fprintf(to, "%s\\fI%s\\fR%s", o->flags & OPTION_ARG_OPTIONAL ? "[=" : "=", o->arg,
			o->flags & OPTION_ARG_OPTIONAL ? "]" : "");
	fputc('\n', to);
	roff(to, o->doc);
	fputs(".\n", to);
}

static bool is_last(const struct argp_option *o)
{
	return !o->name && !o->key && !o->doc && !o->group;
}

void cb_man_options(const struct argp_option *all, FILE *to)
{
	fputs(".SH OPTIONS\n", to);
	for (int group = 0; group < 16; group++)
		for (const struct argp_option *o = all; !is_last(o); o++)
			if (o->group == group && o->name && !(o->flags & (OPTION_HIDDEN | OPTION_DOC)))
				option(o, to);
	fputs(".TP\n.B \\-?, \\-\\-help\nA list of the options.\n", to);
	fputs(".TP\n.B \\-\\-usage\nThe options in short.\n.TP\n.B \\-V, \\-\\-version\nThe version.\n", to);
}

static size_t count(const struct argp_option *o)
{
	size_t n = 0;

	while (o && !is_last(&o[n]))
		n++;
	return n;
}

void cb_man_program(const struct argp_option *own, const struct argp *child, const char *examples, FILE *to)
{
	size_t nown = count(own), nchild = count(child ? child->options : NULL);
	struct argp_option *all = cb_xalloc((nown + nchild + 1) * sizeof(*all));

	memcpy(all, own, nown * sizeof(*all));
	if (nchild)
		memcpy(all + nown, child->options, nchild * sizeof(*all));
	cb_man_options(all, to);
	cb_man_examples(examples, to);
	free(all);
}

static void fields(const struct cb_field *f, size_t n, FILE *to)
{
	for (size_t i = 0; i < n; i++) {
		fputs(".TP\n.B ", to);
		roff(to, f[i].name);
		fputc('\n', to);
		roff(to, f[i].help);
		fputs(".\n", to);
	}
}

void cb_man_fields(const struct cb_schema *s, FILE *to)
{
	fputs(".SH FIELDS OF CBTOOLS.", to);
	for (const char *c = s->name; *c; c++)
		fputc(toupper((unsigned char)*c), to);
	fputs("\nThose that all rows share are in\n.BR cbtools\\-stream (5).\n", to);
	fields(s->field, s->nfields, to);
}

void cb_man_common(FILE *to)
{
	fields(cb_common_fields, cb_ncommon_fields, to);
}

void cb_man_examples(const char *lines, FILE *to)
{
	fputs(".SH EXAMPLES\n.nf\n", to);
	roff(to, lines);
	fputs(".fi\n", to);
}
