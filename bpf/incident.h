/* SPDX-License-Identifier: GPL-2.0 */
/* Alarms that belong together: made by cdetect in user space, but a record like any other. */
#ifndef CB_INCIDENT_H
#define CB_INCIDENT_H
#include "cb.h"

struct incident_rec {
	struct cb_head h;
	__u64 id;
	__u64 joined;
	__u64 alarms;
	double score;
	char containers[400];
	char kinds[64];
	char techniques[200];
	char reason[640];
};

#ifndef __bpf__
CB_SCHEMA(incident, 1, "incidents: alarms that belong together", incident_rec,
	  CB_FIELD(incident_rec, id, CB_UINT, "incident.id", "ID", CB_NONE, "number of its first alarm; alarms name it"),
	  CB_FIELD(incident_rec, joined, CB_UINT, "incident.joined", NULL, CB_NONE,
		   "the older incident that this one turned out to be part of; it has all its alarms from now on"),
	  CB_FIELD(incident_rec, containers, CB_STR, "incident.containers", "CONTAINERS", CB_NONE,
		   "who had alarms, in order, one space between"),
	  CB_FIELD(incident_rec, kinds, CB_STR, "incident.kinds", "KINDS", CB_NONE, "kinds of its alarms, in order"),
	  CB_FIELD(incident_rec, alarms, CB_UINT, "incident.alarms", "ALARMS", CB_NONE,
		   "alarms raised so far; event.count has their repetitions, too"),
	  CB_FIELD(incident_rec, score, CB_FLOAT, "incident.score", "SCORE", CB_NONE, "highest score of an alarm"),
	  CB_FIELD(incident_rec, techniques, CB_STR, "incident.techniques", "ATT&CK", CB_NONE,
		   "what such behaviour is called in MITRE ATT&CK, in order"),
	  CB_FIELD(incident_rec, reason, CB_STR, "incident.reason", "WHAT", CB_NONE, "what the alarm with that score said"))
#endif
#endif
