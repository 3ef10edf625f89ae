/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses: their text, their kind, and which container of this host has which. */
#ifndef CB_NETMAP_H
#define CB_NETMAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. */
#define CB_ADDR_TEXT 48

/* "10.0.0.2", "::1"; to: CB_ADDR_TEXT bytes. */
void cb_addr_text(const uint8_t *addr, char *to);
int cb_addr_parse(const char *text, uint8_t *to); /* of such a text; -EINVAL: it is none */
bool cb_addr_any(const uint8_t *addr);
bool cb_addr_loopback(const uint8_t *addr);
/* What stays the same while single addresses change: "localhost", "multicast", a network ("10.1.2.0/24"), or a
 * link-local address as it is. to: CB_ADDR_TEXT bytes. */
void cb_addr_class(const uint8_t *addr, char *to);
bool cb_addr_private(const uint8_t *addr);

/*
 * Which container has an address. The same one may be in use in several networks of a host, so it is asked from the
 * network namespace that meant it, and the nearest that has it is taken: itself; one on the same bridge, cable or
 * lower device; one that can be reached over others (a router, the host). What no device leads to has nothing to do
 * with it. Of two equally far over others none is named: routes would tell, which nobody looks at.
 *
 * A namespace belongs to a container unless several use it, or it is the host's: then the port decides.
 */
struct cb_netmap;
struct flow_net;

enum cb_life { CB_GONE, CB_JUST_GONE, CB_ALIVE };

/* life: of a container. One that is gone leaves its namespace and its addresses to the next. */
struct cb_netmap *cb_netmap_new(enum cb_life (*life)(void *arg, uint64_t cont), void *arg);
void cb_netmap_free(struct cb_netmap *m);
uint32_t cb_netmap_host(const struct cb_netmap *m); /* the host's namespace: where this program runs */
/* A namespace as the kernel half saw it, with a container in it. */
void cb_netmap_net(struct cb_netmap *m, const struct flow_net *n);
/* The host's own addresses, from /proc. */
void cb_netmap_scan_host(struct cb_netmap *m);
/* Who waits on this port, on whatever address of the namespace. */
void cb_netmap_listens(struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port, uint64_t cont);
/* What belongs to containers that are gone is free again. */
void cb_netmap_forget(struct cb_netmap *m);
/*
 * The container that has addr, as seen from netns; port (0: not known) decides where several share a namespace.
 * 0: none, or not known.
 */
uint64_t cb_netmap_find(struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint8_t proto, uint16_t port);
#endif
