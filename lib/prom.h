/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers for Prometheus: a file in its text format, for node-exporter's textfile collector. */
#ifndef CB_PROM_H
#define CB_PROM_H
#include "cb.h"

/*
 * What the table of fields says becomes metrics: events are counted by action, fields of role RATE are summed, of
 * role LEVEL the last value holds. A series is of a container, and of a call or of the value of one more field.
 */
struct cb_prom;
/*
 * label: name of a text field of the schema by whose values events are counted as well, NULL: none. silent_ns: a
 * container that had no event for so long is dropped, 0: only cb_prom_gone() does. Nothing is written yet.
 */
struct cb_prom *cb_prom_new(const char *path, const struct cb_schema *s, const char *label, uint64_t silent_ns);
struct cb_prom *cb_prom_free(struct cb_prom *p);
void cb_prom_event(struct cb_prom *p, const struct cb_event *ev, uint64_t now_ns);
/*
 * The container is no more since when_ns, its last events come at the end of an interval of interval_ns; its series
 * stay for a last scrape or two. All ns: any clock, but one.
 */
void cb_prom_gone(struct cb_prom *p, const char *cont_id, const char *cont_name, uint64_t when_ns, uint64_t interval_ns);
/* Writes FILE.tmp and renames it. c: totals of the collector. 0 or -errno; what was there stays on failure. */
int cb_prom_write(struct cb_prom *p, const struct cb_common *c, uint64_t now_ns, struct cb_err *e);
#endif
