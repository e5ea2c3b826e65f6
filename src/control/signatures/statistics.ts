/** Poisson figures: is a count more than chance, and how large may the share behind a count be. */

/** Stirling's series for ln Γ(x), x ≥ 7 by recurrence; error under 1e-9 (Abramowitz, Stegun 6.1.41). */
function logGamma(x: number): number {
  let shift = 0
  let at = x
  while (at < 7) shift -= Math.log(at++)
  const inverse = 1 / at
  const series = inverse * (1 / 12 - inverse * inverse * (1 / 360 - (inverse * inverse) / 1260))
  return shift + (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series
}

/** P(X ≥ count) where X is Poisson with this mean; accurate in the upper tail, 1 below the mean. */
export function poissonTail(count: number, mean: number): number {
  if (count <= mean || count <= 0) return 1
  if (mean <= 0) return 0
  let term = Math.exp(count * Math.log(mean) - mean - logGamma(count + 1))
  let sum = term
  // Above the mean each term is smaller than the one before by mean / i.
  for (let i = count + 1; term > sum * 1e-12; i++) {
    term *= mean / i
    sum += term
  }
  return Math.min(1, sum)
}

/** 95 % of the standard normal distribution lies below it. */
const Z95 = 1.645

/**
 * Upper bound at 95 % of a Poisson mean of which `count` was seen; 2.97 for none (exact: 3.00).
 * Wilson and Hilferty's cube root for the chi-squared quantile χ²(0.95; 2·count + 2) / 2.
 */
export function poissonAtMost(count: number): number {
  const n = count + 1
  return n * (1 - 1 / (9 * n) + Z95 / (3 * Math.sqrt(n))) ** 3
}
