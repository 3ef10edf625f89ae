/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Alarms of one container, or of containers that had to do with each other, are one incident as long as there are
 * no 30 s without any. It is told when it opens, when it grows in containers, kinds or severity, and when it is over.
 */
#ifndef CB_INCIDENTS_H
#define CB_INCIDENTS_H
#include "alarm.h"
#include "cb.h"

#define CB_QUIET_NS 30000000000ULL /* an alarm is armed again, an incident closed, after so much quiet */

struct cb_incidents;
/* write is told of each row. now, below: UTC ns of the stream, never goes back. */
struct cb_incidents *cb_incidents_new(void (*write)(void *arg, const struct cb_event *ev), void *arg);
struct cb_incidents *cb_incidents_free(struct cb_incidents *in);
/* Two places (host and name of a container) had to do with each other. */
void cb_incidents_link(struct cb_incidents *in, const char *place, const char *other, uint64_t now);
/* The incident of an alarm at this place; a new one gets the alarm's number. */
uint64_t cb_incidents_of(struct cb_incidents *in, const char *place, uint64_t alarm, uint64_t now);
/* An alarm of the incident that was just asked for, or (again) one more of a kind that was told. c: of its row. */
void cb_incidents_add(struct cb_incidents *in, uint64_t id, const struct alarm_rec *r, const struct cb_common *c, bool again,
		      uint64_t now);
/* Closes what has been quiet for long; all: everything. */
void cb_incidents_tick(struct cb_incidents *in, uint64_t now, bool all);
#endif
