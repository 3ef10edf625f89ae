/* SPDX-License-Identifier: GPL-2.0 */
/* What cdetect says: made in user space, but a record like any other. */
#ifndef CB_ALARM_H
#define CB_ALARM_H
#include "cb.h"

struct alarm_rec {
	struct cb_head h;
	__u64 id;
	__u64 incident;
	double score;
	char kind[16];
	char detector[24];
	char field[64];
	char technique[16];
	char reason[640];
	char expected[400];
	char calls[700];
	char subject[200];
	char program[256];
	char value[320];
	char allow[700];
};

#ifndef __bpf__
CB_SCHEMA(alarm, 1, "alarms of cdetect", alarm_rec,
	  CB_FIELD(alarm_rec, id, CB_UINT, "alarm.id", "ID", CB_NONE, "number of the alarm in this run; the same for all its rows"),
	  CB_FIELD(alarm_rec, incident, CB_UINT, "incident.id", NULL, CB_NONE,
		   "first alarm of the container, and of those it had to do with, that was followed by others without 30 s of quiet"),
	  CB_FIELD(alarm_rec, kind, CB_STR, "alarm.kind", "KIND", CB_NONE, "syscall, access, process or resource"),
	  CB_FIELD(alarm_rec, score, CB_FLOAT, "alarm.score", "SCORE", CB_NONE,
		   "-log10 of the probability of such a thing in one block of normal time"),
	  CB_FIELD(alarm_rec, detector, CB_STR, "alarm.detector", NULL, CB_NONE,
		   "window20, window200, calls (set of a program), set (values of a field), rate1, rate4 (over so many "
		   "seconds), level or growth"),
	  CB_FIELD(alarm_rec, technique, CB_STR, "threat.technique.id", "ATT&CK", CB_NONE,
		   "what such behaviour is called in MITRE ATT&CK, where it has a name"),
	  CB_FIELD(alarm_rec, reason, CB_STR, "alarm.reason", "WHAT", CB_NONE, "what came, and how rare it is"),
	  CB_FIELD(alarm_rec, expected, CB_STR, "alarm.expected", NULL, CB_NONE, "what was expected instead"),
	  CB_FIELD(alarm_rec, calls, CB_STR, "alarm.calls", NULL, CB_NONE,
		   "the calls around it, the surprising ones between >> and <<"),
	  CB_FIELD(alarm_rec, subject, CB_STR, "alarm.subject", NULL, CB_NONE, "whose baseline: image, name, label or (entered)"),
	  CB_FIELD(alarm_rec, program, CB_STR, "alarm.program", NULL, CB_NONE, "whose baseline: program, generalised"),
	  CB_FIELD(alarm_rec, field, CB_STR, "alarm.field", NULL, CB_NONE, "column that was judged"),
	  CB_FIELD(alarm_rec, value, CB_STR, "alarm.value", NULL, CB_NONE,
		   "what makes two alarms the same: a value, generalised, or the most surprising calls"),
	  CB_FIELD(alarm_rec, allow, CB_STR, "alarm.allow", NULL, CB_NONE, "the command that makes this normal"))
#endif
#endif
