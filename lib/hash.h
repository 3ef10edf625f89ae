/* SPDX-License-Identifier: GPL-2.0 */
/* Hashes of what containers choose, seeded: none can find names that all fall into one bucket. */
#ifndef CB_HASH_H
#define CB_HASH_H
#include <stddef.h>
#include <stdint.h>

uint64_t cb_hash_seed(void); /* random, odd, one a process; first called by one thread */
uint64_t cb_hash_bytes(const void *p, size_t len);

/* Where it stands in place of <uthash.h>, tables are of this hash. */
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)cb_hash_bytes(key, len))
#include <uthash.h>
#endif
