/* SPDX-License-Identifier: GPL-2.0 */
/* What the peer probe counts in the kernel: flows, and the sockets that belong to them. */
#ifndef CB_FLOW_H
#define CB_FLOW_H
#include "cb.h"

enum { FLOW_OUT = 1, FLOW_IN, FLOW_LISTEN, FLOW_QUERY };

/* flow_key.proto; IPPROTO_* where there is one */
enum { FLOW_UNIX = 1, FLOW_UNIX_DGRAM = 2, FLOW_TCP = 6, FLOW_UDP = 17 };

#define FLOW_F_ENTERED 0x1
#define FLOW_F_OTHER 0x2 /* what had no room in the container's share of the table */

#define FLOW_NAME 256 /* a unix address or a DNS question with its type and class */
#define FLOW_MAX 16384
#define FLOW_SHARE 1024	    /* flows of one container ... */
#define FLOW_SHARE_FULL 64  /* ... and when three quarters of the table are used */

/* One flow: all contacts of a program of a container with the same other side, in the same direction. */
struct flow_key {
	__u64 cont;
	__u64 prog; /* the program's file, or the process */
	__u64 peer; /* container of the other side where the kernel half knows it, else 0 */
	__u8 addr[16]; /* of the other side, IPv4 as ::ffff:a.b.c.d; or a hash of the name */
	__u32 netns;
	__u16 port; /* of the side that waited: remote port when outbound, own when inbound; QUERY: type */
	__u8 dir;
	__u8 proto;
	__u32 flags;
	__u32 pad;
};

/* Only ever growing, so user space takes differences. In the map by a number of its own. */
struct flow {
	struct flow_key key;
	struct cb_head h; /* of the first contact */
	__u64 last_ns;
	__u64 contacts;
	__u64 failures;
	__u64 failed_other; /* failures that found no room by errno */
	__u64 tx, rx;	    /* payload: of closed TCP connections, of every datagram and unix message */
	__u64 opened, closed;
	__u64 lasted_ns;
	__u64 noticed;
	__u8 laddr[16];
	__u8 raddr[16]; /* QUERY: the server asked */
	__u16 lport, rport; /* of the first connection */
	__u32 namelen;
	__u32 peer_pid;
	__u32 pad;
	char name[FLOW_NAME];
};

struct flow_err {
	__u64 flow;
	__u32 err;
	__u32 pad;
};

/* A socket that carries bytes of a flow, by the address of its struct sock. */
struct flow_sock {
	__u64 flow;
	__u64 born_ns;
	__u64 tx0, rx0; /* counters when it became known */
	__u64 ino;	/* unix: tells a new socket at the same place from the old one */
	__u64 cont;	/* of who opened it, where the flow does not tell */
	__u8 proto, dir;
	__u8 open;
	__u8 shared;	/* its network namespace has several containers, or the host */
	__u32 pad;
};

/* A unix datagram socket that has a name: whoever sends to it is told by who bound it. */
struct flow_bound {
	struct cb_head h;
	__u64 prog;
	__u64 ino;
};

/* Two such sockets, by the addresses of their struct sock and their inodes; who sent first. */
struct flow_pair_key {
	__u64 from, to;
	__u64 from_ino, to_ino;
};

struct flow_pair {
	__u64 out, in; /* flows of both sides, 0: that one is not watched */
};

/*
 * sk_data_ready, which every TCP segment passes too: attached by user space once there is a unix socket of datagrams
 * that has a name, or a datagram was sent by one that is not connected.
 */
enum flow_ready { FLOW_READY_OFF, FLOW_READY_WANTED, FLOW_READY_ON };

/* Whom the datagram is from that a thread has just got, and over which socket (0: it is accounted). */
struct flow_from {
	__u64 sock;
	__u8 addr[16];
	__u32 tid;
	__u16 port;
	__u16 pad;
};

/* Sent when there is something that user space should tell at once: it looks the flow up. */
struct flow_note {
	__u64 flow; /* 0: FLOW_READY_WANTED */
	__u32 err; /* 0: the first contact */
	__u32 pad;
};

/* Payload so far of a socket still open: user space fills in sock, peer_live the rest. */
struct flow_live {
	__u64 sock;
	__u64 flow; /* 0: closed meanwhile */
	__u64 tx, rx;
};

#define FLOW_LIVE 64 /* asked for at once */

/* What a device of a network namespace leads to. */
struct flow_link {
	__u64 segment; /* what is joined there: a bridge, a cable, a lower device; 0: not known */
	__u32 netns;   /* where that is */
	__u32 pad;
};

#define FLOW_LINKS 8
#define FLOW_ADDRS 32

/* Sent when a container is first seen in a network namespace. */
struct flow_net {
	__u64 cont;
	__u32 netns;
	__u32 nlink, naddr;
	__u8 cut;    /* it has more */
	__u8 shared; /* by several containers */
	__u16 pad;
	struct flow_link link[FLOW_LINKS];
	__u8 addr[FLOW_ADDRS][16];
};

/* A network namespace, in the kernel: its container (FLOW_SHARED: several), and which others it can reach. */
#define FLOW_SHARED (~0ULL)
struct flow_space {
	__u64 cont;
	__u64 network;
	__u32 walked;
	__u32 empty; /* nothing was found there so far */
};

/* An address in use in a network. */
struct flow_addr {
	__u8 addr[16];
	__u64 network;
};

/* A port of an address. */
struct flow_owner_key {
	__u8 addr[16]; /* zero: any address of the namespace */
	__u64 net;     /* the network; of loopback and any address the namespace */
	__u16 port;
	__u8 proto;
	__u8 pad[5];
};

struct flow_owner {
	__u64 cont;
	__u32 netns;
	__u32 pad;
};

#endif
