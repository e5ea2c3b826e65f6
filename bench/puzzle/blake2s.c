/* BLAKE2s-256 of 40 bytes (RFC 7693). Message words 10 to 15 are zero and the compiler drops their additions;
   it also takes what does not depend on the nonce out of the loop. */
#include "lanes.h"

#define G(a, b, c, d, x, y) \
  a += b + m[x]; d = ROR(d ^ a, 16); c += d; b = ROR(b ^ c, 12); \
  a += b + m[y]; d = ROR(d ^ a, 8); c += d; b = ROR(b ^ c, 7);
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
  G(v0, v4, v8, v12, s0, s1) G(v1, v5, v9, v13, s2, s3) G(v2, v6, v10, v14, s4, s5) G(v3, v7, v11, v15, s6, s7) \
  G(v0, v5, v10, v15, s8, s9) G(v1, v6, v11, v12, s10, s11) G(v2, v7, v8, v13, s12, s13) G(v3, v4, v9, v14, s14, s15)

u32 block[16];

EXPORT u32 *where(void) { return block; }

EXPORT u32 search(u32 start, u32 count, u32 mask) {
  const V i0 = ALL(0x6a09e667), i1 = ALL(0xbb67ae85), i2 = ALL(0x3c6ef372), i3 = ALL(0xa54ff53a);
  const V i4 = ALL(0x510e527f), i5 = ALL(0x9b05688c), i6 = ALL(0x1f83d9ab), i7 = ALL(0x5be0cd19);
  V m[16], n = firstNonces(start);
  for (int i = 0; i < 16; i++) m[i] = i < 9 ? ALL(block[i]) : ALL(0);
  for (u32 i = 0; i < count; i += LANES) {
    m[9] = n;
    V v0 = i0 ^ ALL(0x01010020), v1 = i1, v2 = i2, v3 = i3, v4 = i4, v5 = i5, v6 = i6, v7 = i7;
    V v8 = i0, v9 = i1, v10 = i2, v11 = i3, v12 = i4 ^ ALL(40), v13 = i5, v14 = ~i6, v15 = i7;
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
    ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)
    ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)
    ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)
    ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)
    ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)
    ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)
    ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)
    ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)
    int lane = zeroLane((i0 ^ ALL(0x01010020) ^ v0 ^ v8) & ALL(mask));
    if (lane >= 0) return i + lane;
    n += LANES;
  }
  return ~0u;
}
