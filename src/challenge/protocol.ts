/**
 * What Digue and those who ask agree upon: names, lengths and lifetimes of the challenge protocol.
 * docs/challenge-protocol.md tells it in words.
 *
 * Units. A *part* is one small puzzle; a *bid* is a number of parts solved under one seed. A *price* is
 * the bid that is asked for now. A part is made so dear that one thread of a desktop browser needs
 * some 15 ms for it, so the dearest price is 2 s there and 20 s on a phone of a tenth of that speed.
 */

/** Version of the protocol, first in every token. */
export const VERSION = '1'

/** What Digue answers itself, on every site. */
export const OWN_PATH = '/.well-known/digue/'
/** `GET …/proof?challenge=…&seed=…&nonces=…` */
export const PROOF_PATH = `${OWN_PATH}proof`
/** `GET …/challenge`: a new challenge and the price, as JSON. */
export const CHALLENGE_PATH = `${OWN_PATH}challenge`
/** `POST …/replay`: the form that was sealed into a page, sent again. */
export const REPLAY_PATH = `${OWN_PATH}replay`

/** Cookies; the same values are taken from the query parameter `digue` where cookies are off. */
export const CLEARANCE_COOKIE = 'digue_c'
export const KNOWN_COOKIE = 'digue_k'
export const TICKET_COOKIE = 'digue_w'
export const PARAMETER = 'digue'

/** Parts asked for while nobody bids against anybody: fewer would make the time a matter of luck. */
export const LEAST_PRICE = 16
/** What the slowest supported phone does in 20 s. */
export const MOST_PRICE = 128
/** Parts a proof may have. */
export const MOST_PARTS = 256

/** A challenge names the epoch it was made in, and is good in that one and the two after it. */
export const EPOCH_S = 60
export const EPOCHS_VALID = 3

/** A clearance and what is left of it. */
export const CLEARANCE_S = 1800
/** Renewals included, a proof lets nobody in for longer than this. */
export const CLEARANCE_MOST_S = 3 * 3600

/** Why a token is not believed. */
export const TOKEN_FAULTS = ['malformed', 'forged', 'expired', 'future'] as const
export type TokenFault = (typeof TOKEN_FAULTS)[number]

/** How far the clocks of two machines that share keys may be apart, s. */
export const CLOCK_SKEW_S = 30
