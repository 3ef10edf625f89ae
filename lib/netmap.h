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
bool cb_addr_any(const uint8_t *addr);
bool cb_addr_loopback(const uint8_t *addr);
/* What stays the same while single addresses change: "localhost", "multicast", a network ("10.1.2.0/24"), or a
 * link-local address as it is. to: CB_ADDR_TEXT bytes. */
void cb_addr_class(const uint8_t *addr, char *to);
bool cb_addr_private(const uint8_t *addr);

/*
 * Which container has an address: a network namespace belongs to a container unless several use it (or it is the
 * host's), an address belongs to the namespace it was seen in. What stands in /proc/PID/net is read for those who
 * have not shown themselves by a contact. Nothing is opened that a container could have put there.
 */
struct cb_netmap;
/* alive: is the container still there? One that is not leaves its namespace to the next. */
struct cb_netmap *cb_netmap_new(bool (*alive)(void *arg, uint64_t cont), void *arg);
void cb_netmap_free(struct cb_netmap *m);
uint32_t cb_netmap_host(const struct cb_netmap *m); /* the host's namespace: where this program runs */
void cb_netmap_learn(struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint64_t cont);
/* The same of all addresses of the namespace that process is in. */
void cb_netmap_scan(struct cb_netmap *m, uint32_t pid, uint64_t cont);
/* Who waits on this port; addr may be the any-address. */
void cb_netmap_listens(struct cb_netmap *m, uint32_t netns, uint8_t proto, uint16_t port, uint64_t cont);
void cb_netmap_gone(struct cb_netmap *m, uint64_t cont); /* its addresses are free again */
bool cb_netmap_shared(const struct cb_netmap *m, uint32_t netns);
/*
 * The container that has addr, as seen from netns; port (0: not known) decides where several share a namespace.
 * 0: none, or not known.
 */
uint64_t cb_netmap_find(const struct cb_netmap *m, const uint8_t *addr, uint32_t netns, uint8_t proto, uint16_t port);
#endif
