/* SPDX-License-Identifier: GPL-2.0 */
/* What behaviour is called in MITRE ATT&CK (Enterprise, Containers and Linux). */
#ifndef CB_TECHNIQUE_H
#define CB_TECHNIQUE_H

#define CB_MANY "(many)" /* value of the alarm that stands for all further ones of a field */

/* Of an alarm about a value of a field; NULL: it has no name of its own. Static. */
const char *cb_technique(const char *field, const char *value);
#endif
