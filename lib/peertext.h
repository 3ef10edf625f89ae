/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the peer probe counted, as texts. Names of sockets and questions are bytes that a container chose: any value, up
 * to FLOW_NAME of them, with no end of their own. What leaves here is bounded and ends with NUL, but may still hold
 * control characters and broken UTF-8: writers escape them.
 */
#ifndef CB_PEERTEXT_H
#define CB_PEERTEXT_H
#include <stdbool.h>
#include <stdint.h>
#include "cb.h"
#include "../bpf/flow.h"
#include "../bpf/peer.h"

bool cb_peertext_is_unix(const struct flow_key *k);
/* Ports that are handed out, not chosen, say nothing: 0. */
uint16_t cb_peertext_steady(uint16_t port);

/* A path, or @ and the name of an abstract one, whose NULs are shown as @ too. to: PEER_ADDRESS bytes, cut to fit. */
void cb_peertext_unix(const struct flow *f, char *to);
/* Name and type that were asked for, of labels as in the datagram; no type if they run over the end. r: zeroed. */
void cb_peertext_question(const struct flow *f, struct peer_rec *r);
/* The last two parts of a name, three if the last but one is short ("co.uk"): a place in name, of any length. */
const char *cb_peertext_domain(const char *name);

/*
 * Direction, transport, both ends and the question, into a zeroed row. Ports that change from contact to contact only
 * if it is the first row of the flow.
 */
void cb_peertext_flow(const struct flow *f, struct peer_rec *r, bool first);
/*
 * r->peer, which ctrain learns: the contact without what changes from one to the next. After cb_peertext_flow(); other:
 * name of the other side's container, of any length, "" if it is none.
 */
void cb_peertext_peer(const struct flow *f, struct peer_rec *r, const char *other);
#endif
