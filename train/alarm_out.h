/* SPDX-License-Identifier: GPL-2.0 */
/* From findings to alarms: the same once, joined to incidents, written as records. */
#ifndef CB_ALARM_OUT_H
#define CB_ALARM_OUT_H
#include "model.h"
#include "reader.h"
#include "writer.h"

/* What a detector found in a row. Texts in the form of field.h; all are copied. */
struct cb_finding {
	const char *kind, *detector, *field, *subject, *subject_name, *program, *value;
	const char *technique; /* of ATT&CK, NULL: none */
	double score;
	struct cb_buf reason, expected, calls;
};

struct cb_alarms;
/*
 * incidents: writer of their rows, NULL: none. model_path: for the command that allows. now, below: UTC ns of the
 * stream, never goes back.
 */
struct cb_alarms *cb_alarms_new(const struct cb_model *m, struct cb_names *names, struct cb_writer *w,
				struct cb_writer *incidents, const char *model_path);
/* fn is told of each row of an alarm as well, whether or not there is a writer. */
void cb_alarms_watch(struct cb_alarms *a, void (*fn)(void *arg, const struct cb_event *ev), void *arg);
struct cb_alarms *cb_alarms_free(struct cb_alarms *a);
/* cont: key of the container; place: its host and name. lost: rows lost shortly before. 0, or -EINVAL when the row holds no event. */
int cb_alarms_raise(struct cb_alarms *a, const struct cb_finding *f, const struct cb_row *row, const char *cont,
		    const char *place, uint64_t now, uint64_t lost, struct cb_err *e);
/* Two containers had to do with each other: what happens in both within 30 s is one incident. */
void cb_alarms_link(struct cb_alarms *a, const char *place, const char *other, uint64_t now);
/* Closes what has been quiet for long; each once more with its count. all: everything, at the end. */
void cb_alarms_tick(struct cb_alarms *a, uint64_t now, bool all);
uint64_t cb_alarms_count(const struct cb_alarms *a);
#endif
