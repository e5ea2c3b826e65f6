/* SHA-256 of 40 bytes (FIPS 180-4), many abreast. The message's words are taken as they are. */
#include "lanes.h"
#include "sha256-constants.h"

u32 block[16];

EXPORT u32 *where(void) { return block; }

EXPORT u32 search(u32 start, u32 count, u32 mask) {
  V n = firstNonces(start);
  for (u32 i = 0; i < count; i += LANES) {
    V w[16];
    for (int k = 0; k < 9; k++) w[k] = ALL(block[k]);
    w[9] = n;
    w[10] = ALL(0x80000000);
    w[11] = w[12] = w[13] = w[14] = ALL(0);
    w[15] = ALL(320);
    V a = ALL(IV[0]), b = ALL(IV[1]), c = ALL(IV[2]), d = ALL(IV[3]);
    V e = ALL(IV[4]), f = ALL(IV[5]), g = ALL(IV[6]), h = ALL(IV[7]);
#pragma GCC unroll 64
    for (int t = 0; t < 64; t++) {
      if (t >= 16) {
        V s = w[(t + 1) & 15], z = w[(t + 14) & 15];
        w[t & 15] += (ROR(s, 7) ^ ROR(s, 18) ^ (s >> 3)) + w[(t + 9) & 15] + (ROR(z, 17) ^ ROR(z, 19) ^ (z >> 10));
      }
      V t1 = h + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + (g ^ (e & (f ^ g))) + ALL(K[t]) + w[t & 15];
      V t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) | (c & (a | b)));
      h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
    }
    int lane = zeroLane((a + ALL(IV[0])) & ALL(mask));
    if (lane >= 0) return i + lane;
    n += LANES;
  }
  return ~0u;
}
