/*
 * Many hashes abreast, written once: LANES 32-bit words in a vector of the compiler's. Wider than
 * the machine's registers is fine (LANES 32 on AVX-512) and faster: two independent chains of
 * instructions alternate. LANES 1 is plain C. For WebAssembly with SIMD, LANES is 4 or 8.
 *
 * A candidate defines search(start, count, mask): the first nonce at start + i whose digest's first
 * word has no bit of mask, as i, or ~0. The message is the puzzle's: ten words, word 9 the nonce.
 */
#include <stdint.h>

typedef uint32_t u32;

#ifndef LANES
#define LANES 1
#endif

#if LANES == 1
typedef u32 V;
#define ALL(x) ((u32)(x))
#else
typedef u32 V __attribute__((vector_size(4 * LANES)));
#define ALL(x) ((V){0} + (u32)(x))
#endif

#define ROR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
#define EXPORT __attribute__((visibility("default")))

static inline V firstNonces(u32 start) {
#if LANES == 1
  return start;
#else
  V n;
  for (int i = 0; i < LANES; i++) n[i] = start + i;
  return n;
#endif
}

/* Which lane is zero first; -1 when none is. Compilers make a compare and a branch of the loop over "any". */
static inline int zeroLane(V x) {
#if LANES == 1
  return x == 0 ? 0 : -1;
#else
  u32 any = 0;
  V is = (V)(x == 0);
  for (int i = 0; i < LANES; i++) any |= is[i];
  if (__builtin_expect(any == 0, 1)) return -1;
  for (int i = 0; i < LANES; i++)
    if (is[i]) return i;
  return -1;
#endif
}

extern u32 block[16];
u32 search(u32 start, u32 count, u32 mask);
