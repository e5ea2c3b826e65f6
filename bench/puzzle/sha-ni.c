/* SHA-256 of 40 bytes with the processor's instructions for it, LANES hashes in turns. */
#include <immintrin.h>
#define HASHES LANES
#undef LANES
#include "lanes.h"
#include "sha256-constants.h"

u32 block[16];

u32 *where(void) { return block; }

u32 search(u32 start, u32 count, u32 mask) {
  const __m128i abef = _mm_set_epi32(IV[0], IV[1], IV[4], IV[5]);
  const __m128i cdgh = _mm_set_epi32(IV[2], IV[3], IV[6], IV[7]);
  block[10] = 0x80000000;
  block[15] = 320;
  for (u32 i = 0; i < count; i += HASHES) {
    __m128i m[HASHES][4], a[HASHES], c[HASHES];
    for (int h = 0; h < HASHES; h++) {
      for (int k = 0; k < 4; k++) m[h][k] = _mm_loadu_si128((const __m128i *)(block + 4 * k));
      m[h][2] = _mm_insert_epi32(m[h][2], start + i + h, 1);
      a[h] = abef;
      c[h] = cdgh;
    }
#pragma GCC unroll 16
    for (int r = 0; r < 16; r++) {
#pragma GCC unroll 8
      for (int h = 0; h < HASHES; h++) {
        __m128i *w = m[h];
        int k = r & 3;
        if (r >= 4)
          w[k] = _mm_sha256msg2_epu32(
            _mm_add_epi32(_mm_sha256msg1_epu32(w[k], w[(k + 1) & 3]), _mm_alignr_epi8(w[(k + 3) & 3], w[(k + 2) & 3], 4)),
            w[(k + 3) & 3]);
        __m128i t = _mm_add_epi32(w[k], _mm_loadu_si128((const __m128i *)(K + 4 * r)));
        c[h] = _mm_sha256rnds2_epu32(c[h], a[h], t);
        a[h] = _mm_sha256rnds2_epu32(a[h], c[h], _mm_shuffle_epi32(t, 0x0e));
      }
    }
    for (int h = 0; h < HASHES; h++)
      if ((((u32)_mm_extract_epi32(a[h], 3) + IV[0]) & mask) == 0) return i + h;
  }
  return ~0u;
}
