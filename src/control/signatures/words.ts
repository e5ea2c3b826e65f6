/** Signatures in words, for operators. Values come from clients: whoever prints these makes them plain. */
import { describeTerm, type Term } from '#recognise'
import { type ContrastSet, type HeldBackSet, MOST_VISITORS_IN_ALL } from './mine.ts'

/** "speak TLS like t13d1516h2_… and claim to be curl". */
export function termsText(terms: readonly Term[]): string {
  const phrases = terms.map(describeTerm)
  const last = phrases.pop() ?? ''
  return phrases.length === 0 ? last : `${phrases.join(', ')} and ${last}`
}

export function percent(share: number): string {
  const value = share * 100
  return `${value >= 10 ? Math.round(value) : Number(value.toPrecision(value >= 1 ? 2 : 1))} %`
}

/** Why it is a signature. */
export function reasonText({ terms, support, calm, lift }: ContrastSet): string {
  const before =
    calm.fits === 0
      ? `in calm weather none of ${calm.of} did (at most ${percent(calm.atMost)})`
      : `in calm weather ${percent(calm.share)} did (at most ${percent(calm.atMost)})`
  return `${percent(support)} of the clients now ${termsText(terms)}; ${before}: ${lift >= 10 ? Math.round(lift) : lift.toFixed(1)} times as many.`
}

/** Why it is not published, though it would stand out. */
export function heldBackText(held: HeldBackSet): string {
  const { why, calm, witnesses, witnessesOf } = held
  switch (why) {
    case 'visitors':
      return `Held back: it would touch ${percent(calm.share)} of calm weather's clients (at most ${percent(calm.atMost)}), and 1 % is the most.`
    case 'together':
      return `Held back: it would touch ${percent(calm.share)} of calm weather's clients, with those in force more than ${percent(MOST_VISITORS_IN_ALL)}, which is the most.`
    case 'proven':
      return `Held back: ${witnesses} of ${witnessesOf} prefixes whose clients have shown effort or history fit it, and 1 % is the most.`
    case 'regulars':
      return `Held back: ${witnesses} of the ${witnessesOf} clients that fit were here in calm weather with the same program.`
    case 'withdrawn':
      return 'Held back: it, or other words for the same clients, touched more than 1 % of the requests of those who have shown effort or history, within the last ten minutes.'
    default:
      why satisfies never
      return ''
  }
}
