/* SPDX-License-Identifier: GPL-2.0 */
/* cdetect --scores: how surprising each process was, for evaluations. */
#ifndef CB_SCORE_H
#define CB_SCORE_H
#include "cb.h"

struct score_rec {
	struct cb_head h;
	__u64 calls;
	double mean;
	double window20;
	double window200;
	__u64 judged;
	char state[16];
};

#ifndef __bpf__
CB_SCHEMA(score, 1, "surprise of processes", score_rec,
	  CB_FIELD(score_rec, calls, CB_UINT, "score.calls", "CALLS", CB_NONE, "calls seen"),
	  CB_FIELD(score_rec, mean, CB_FLOAT, "score.bits_mean", "BITS", CB_NONE, "mean surprise of a call, bits"),
	  CB_FIELD(score_rec, window20, CB_FLOAT, "score.window20_max", "MAX20", CB_NONE, "highest mean of 20 calls in a row, bits"),
	  CB_FIELD(score_rec, window200, CB_FLOAT, "score.window200_max", "MAX200", CB_NONE, "highest mean of 200 calls in a row, bits"),
	  CB_FIELD(score_rec, judged, CB_UINT, "score.judged", NULL, CB_NONE, "1: cdetect judges sequences of this program"),
	  CB_FIELD(score_rec, state, CB_STR, "score.state", "STATE", CB_NONE,
		   "of the baseline: learning, warn, ready, or none"))
#endif
#endif
