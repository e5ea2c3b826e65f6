/**
 * Preloaded into a Digue whose pages are measured: everybody gets a whole page. In a flood the budget of bytes
 * lets hardly anybody have one (`challenge/page-budget.ts`), so what a page costs would not be seen.
 */
const { PageBudget } = (await import(
  new URL('../../dist/challenge/mod.js', import.meta.url).href
)) as typeof import('#challenge')
PageBudget.prototype.mayHavePage = () => true
