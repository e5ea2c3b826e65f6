/** Who visits: the same people in every run. */
import { visitorAddresses } from '../load/networks.ts'

export const SEED = 20240824
export const PEOPLE = visitorAddresses(4000, SEED)
export const RETURNING = PEOPLE.slice(0, 80)
export const NEW = PEOPLE.slice(80, 100)
/** Addresses of those who hold streams and downloads. */
export const HOLDERS = PEOPLE.slice(3000, 3100)
/** Whom the past access log speaks of. */
export const REGULARS = RETURNING
/** One address of the largest provider, for many. */
export const NAT = '127.10.99.9'

/** A visitor who asks for one page per second, over HTTP/1.1. */
export const usual = {
  perSecond: 1,
  protocol: 'http',
  connection: 'keep',
  assets: 0,
  searchShare: 0,
} as const
