/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What no baseline should ever call normal, written down: judged with and without a model of the container, and
 * allowed as any alarm (field "rule", value: the rule's name).
 */
#ifndef CB_RULES_H
#define CB_RULES_H
#include "reader.h"

#define CB_RULE_FIELD "rule"
#define CB_RULE_SCORE 10 /* there is no probability to tell */

struct cb_rule {
	const char *name, *dataset, *kind, *technique, *text;
	struct {
		const char *column, *pattern; /* as in the shell; with ! in front: does not fit */
	} match[3];
};

/* The first rule after `after` (NULL: of all) that fits the row; NULL: none. */
const struct cb_rule *cb_rules_next(struct cb_names *names, const struct cb_row *row, const struct cb_rule *after);
bool cb_rules_any(const char *dataset); /* has rules at all */
#endif
