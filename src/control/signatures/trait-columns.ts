/** Where each trait stands in a vector, and which of them tell of the program that a client is. */
import { TRAITS, type TraitName, type Traits } from '#recognise'

export const COLUMN = Object.fromEntries(TRAITS.map(({ name }, i) => [name, i])) as Readonly<
  Record<TraitName, number>
>

/** Traits that every request has: an empty one is not known. */
const NEVER_ABSENT: ReadonlySet<TraitName> = new Set<TraitName>([
  'network',
  'cookies',
  'clearance',
  'method',
  'path',
])

/** Whether an empty value of the trait says that there is none, instead of that nobody knows. */
export const CAN_BE_ABSENT: readonly boolean[] = TRAITS.map(({ name }) => !NEVER_ABSENT.has(name))

/**
 * What a client's program shows whatever it is used for: only this may condemn. Of what else a client is,
 * its network has its share by the calm-weather weights already, and that of a link that goes viral abroad
 * would stand out; no cookies is what all first visits of a flash crowd have; a clearance is what Digue gave.
 */
export const OF_PROGRAM: readonly boolean[] = TRAITS.map(({ name }) =>
  ['tls', 'h2', 'order', 'agent', 'contradiction'].includes(name),
)

/** A client with its program, as one text. */
export function handwritingOf(client: { readonly subscriber: string; readonly traits: Traits }): string {
  let text = client.subscriber
  for (let i = 0; i < OF_PROGRAM.length; i++) if (OF_PROGRAM[i]) text += `\n${client.traits[i] ?? ''}`
  return text
}
