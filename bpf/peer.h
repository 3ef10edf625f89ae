/* SPDX-License-Identifier: GPL-2.0 */
/* Who talks to whom: cnetpeer. */
#ifndef CB_PEER_H
#define CB_PEER_H
#include "cb.h"

#define PEER_ADDRESS 112
#define PEER_CONTAINER 128
#define PEER_DNS 256

struct peer_rec {
	struct cb_head h;
	__u64 source_bytes;
	__u64 destination_bytes;
	__u64 failures;
	__u64 closed;
	__u64 lasted_ns;
	__u64 open;
	__u32 error;
	__u16 source_port;
	__u16 destination_port;
	char direction[12];
	char transport[8];
	char dns_type[12];
	char source_address[PEER_ADDRESS];
	char source_container[PEER_CONTAINER];
	char destination_address[PEER_ADDRESS];
	char destination_container[PEER_CONTAINER];
	char dns_name[PEER_DNS];
	char failures_by[96];
	char peer[256];
};

#ifndef __bpf__
CB_SCHEMA(peer, 1, "contacts over the network and over sockets of this host", peer_rec,
	  CB_FIELD(peer_rec, direction, CB_STR, "network.direction", "DIRECTION", CB_NONE,
		   "outbound: the container began it; inbound: the other side did; listening: it waits for others"),
	  CB_FIELD(peer_rec, transport, CB_STR, "network.transport", "VIA", CB_NONE, "tcp, udp or unix"),
	  CB_FIELD(peer_rec, source_address, CB_STR, "source.address", "SOURCE", CB_NONE,
		   "address of the side that began it"),
	  CB_FIELD(peer_rec, source_port, CB_UINT, "source.port", NULL, CB_NONE,
		   "its port; of a row that stands for several contacts, the first one's"),
	  CB_FIELD(peer_rec, source_container, CB_STR, "source.container.name", "FROM", CB_NONE,
		   "its container, if that is on this host"),
	  CB_FIELD(peer_rec, destination_address, CB_STR, "destination.address", "DESTINATION", CB_NONE,
		   "address of the other side; of a unix socket its path, or @ and its name"),
	  CB_FIELD(peer_rec, destination_port, CB_UINT, "destination.port", "PORT", CB_NONE, "its port"),
	  CB_FIELD(peer_rec, destination_container, CB_STR, "destination.container.name", "TO", CB_NONE,
		   "its container, if that is on this host"),
	  CB_FIELD(peer_rec, source_bytes, CB_BYTES, "source.bytes", "SENT", CB_RATE,
		   "payload from source to destination since the row before"),
	  CB_FIELD(peer_rec, destination_bytes, CB_BYTES, "destination.bytes", "RECEIVED", CB_RATE,
		   "payload from destination to source since the row before"),
	  CB_FIELD(peer_rec, failures, CB_UINT, "network.failures", "FAILED", CB_RATE,
		   "contacts that failed since the row before"),
	  CB_FIELD(peer_rec, error, CB_ERRNO, "error.errno", "ERR", CB_NONE, "why the first of them failed"),
	  CB_FIELD(peer_rec, failures_by, CB_STR, "network.failures_by", NULL, CB_NONE,
		   "why they failed, most first, NAME:COUNT"),
	  CB_FIELD(peer_rec, open, CB_UINT, "network.connections.open", NULL, CB_NONE, "connections open now"),
	  CB_FIELD(peer_rec, closed, CB_UINT, "network.connections.closed", NULL, CB_NONE,
		   "connections closed since the row before"),
	  CB_FIELD(peer_rec, lasted_ns, CB_DURATION, "network.connections.duration_ns", NULL, CB_NONE,
		   "how long these had lasted, ns, added up"),
	  CB_FIELD(peer_rec, dns_name, CB_STR, "dns.question.name", "QUESTION", CB_NONE, "name that was asked for"),
	  CB_FIELD(peer_rec, dns_type, CB_STR, "dns.question.type", NULL, CB_NONE, "kind of record asked for"),
	  CB_FIELD(peer_rec, peer, CB_STR, "network.peer", NULL, CB_SET,
		   "the contact without what changes from one to the next: direction, transport, container or network, port"))
#endif
#endif
