/**
 * Traits: what can be told of a request and its client, as short texts in a fixed order.
 *
 * What a client *is* (its TLS, its fields, its network) comes from its program and is hard to change for each
 * request; what it *asks for* is free to choose, and a link that goes viral changes it for everybody. So only
 * the former may condemn by itself (`control`).
 */
export interface TraitInfo {
  readonly name: string
  /** `client`: what it is. `request`: what it asks for. */
  readonly about: 'client' | 'request'
  /** What it takes to show another value, in one sentence for the operator. */
  readonly forged: string
}

export const TRAITS = [
  {
    name: 'tls',
    about: 'client',
    forged: 'By another TLS library, or one that imitates a browser.',
  },
  { name: 'h2', about: 'client', forged: 'By an HTTP/2 client that lets its settings be chosen.' },
  { name: 'order', about: 'client', forged: 'By a client that lets order and case of its fields be chosen.' },
  { name: 'agent', about: 'client', forged: 'By one field.' },
  {
    name: 'contradiction',
    about: 'client',
    forged: 'By claiming nothing, or by behaving as what is claimed does.',
  },
  { name: 'network', about: 'client', forged: 'By machines in other networks.' },
  { name: 'cookies', about: 'client', forged: 'By a client that keeps cookies.' },
  { name: 'clearance', about: 'client', forged: 'By proof of work, or by having been here before.' },
  { name: 'method', about: 'request', forged: 'Freely.' },
  { name: 'path', about: 'request', forged: 'Freely.' },
  { name: 'query', about: 'request', forged: 'Freely.' },
  { name: 'language', about: 'request', forged: 'By one field.' },
  { name: 'referrer', about: 'request', forged: 'By one field.' },
] as const satisfies readonly TraitInfo[]

export type TraitName = (typeof TRAITS)[number]['name']

/** Values in the order of `TRAITS`, each at most 120 characters; '' for what is not known or not there. */
export type Traits = readonly string[]

/** Bound of a value; a longer one is cut. */
export const LONGEST_TRAIT = 120
