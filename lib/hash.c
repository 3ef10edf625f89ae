/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>
#include <sys/random.h>
#include "hash.h"

uint64_t cb_hash_seed(void)
{
	static uint64_t seed;

	if (!seed && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = 0x9e3779b97f4a7c15ULL;
	seed |= 1;
	return seed;
}

uint64_t cb_hash_bytes(const void *p, size_t len)
{
	const unsigned char *s = p;
	uint64_t h = cb_hash_seed() ^ len * 0xff51afd7ed558ccdULL, w;

	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0x9fb21c651e98df25ULL;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, s, len);
	h = (h ^ w) * 0x9fb21c651e98df25ULL;
	h ^= h >> 29;
	return h * cb_hash_seed() ^ h >> 32;
}
