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
  /** CPU time of finding its value for a visitor's request, ns (README.md says how measured); 0: once a connection. Below 20 is too little to be measured alone. */
  readonly costNs: number
}

export const TRAITS = [
  {
    name: 'tls',
    about: 'client',
    forged: 'By another TLS library, or one that imitates a browser.',
    costNs: 0,
  },
  { name: 'h2', about: 'client', forged: 'By an HTTP/2 client that lets its settings be chosen.', costNs: 0 },
  {
    name: 'order',
    about: 'client',
    forged: 'By a client that lets order and case of its fields be chosen.',
    costNs: 690,
  },
  { name: 'agent', about: 'client', forged: 'By one field.', costNs: 320 },
  {
    name: 'contradiction',
    about: 'client',
    forged: 'By claiming nothing, or by behaving as what is claimed does.',
    costNs: 140,
  },
  { name: 'network', about: 'client', forged: 'By machines in other networks.', costNs: 10 },
  { name: 'cookies', about: 'client', forged: 'By a client that keeps cookies.', costNs: 5 },
  {
    name: 'clearance',
    about: 'client',
    forged: 'By proof of work, or by having been here before.',
    costNs: 10,
  },
  { name: 'method', about: 'request', forged: 'Freely.', costNs: 10 },
  { name: 'path', about: 'request', forged: 'Freely.', costNs: 85 },
  { name: 'query', about: 'request', forged: 'Freely.', costNs: 280 },
  { name: 'language', about: 'request', forged: 'By one field.', costNs: 70 },
  { name: 'referrer', about: 'request', forged: 'By one field.', costNs: 65 },
] as const satisfies readonly TraitInfo[]

export type TraitName = (typeof TRAITS)[number]['name']

/** Values in the order of `TRAITS`, each at most 120 characters; '' for what is not known or not there. */
export type Traits = readonly string[]

/** Bound of a value; a longer one is cut. */
export const LONGEST_TRAIT = 120

/**
 * What an access log can show, if it keeps agent and referrer (the combined format). TLS, HTTP/2, order and
 * cookies are in none; a contradiction needs fields that are in none.
 */
export const LOG_TRAITS = [
  'agent',
  'network',
  'method',
  'path',
  'query',
  'referrer',
] as const satisfies readonly TraitName[]
