/** Preloaded into a Digue that asks for the highest price from everybody, whatever they bid. */
const { Prices } = (await import(
  new URL('../../dist/challenge/mod.js', import.meta.url).href
)) as typeof import('#challenge')
const { MOST_PRICE } = (await import(new URL('../../dist/challenge/protocol.js', import.meta.url).href)) as {
  MOST_PRICE: number
}
Prices.prototype.price = () => MOST_PRICE
