/**
 * Known tokens of earlier days, made with the very secret that the bench puts into Digue's state folder:
 * what a site's visitors bring when it was there before the bench began.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dayOf, KeyRing, KNOWN_COOKIE, newMaster, writeKnown } from '#challenge'

/** Master secret of every Digue that this process starts. */
const MASTER = newMaster()
const KEYS = new KeyRing(MASTER)
/** The bench's one site: a token is good there only. */
export const SITE = '*'

/** Puts the secret where Digue looks for it. */
export function writeMaster(stateFolder: string): void {
  writeFileSync(join(stateFolder, 'keys'), `${MASTER.toString('hex')}\n`, { mode: 0o600 })
}

const made = new Map<string, string[]>()

/**
 * `count` cookies with a token each, earned on three days of which the last was two days ago; the same ones for
 * the same `of`, so that all servers of a run meet the same.
 */
export function knownCookies(count: number, of: string): string[] {
  const cookies = made.get(of) ?? []
  made.set(of, cookies)
  const today = dayOf(Date.now() / 1000)
  while (cookies.length < count) {
    const token = {
      id: randomBytes(8).toString('base64url'),
      firstDay: today - 9,
      lastDay: today - 2,
      days: 3,
      login: false,
    }
    cookies.push(`${KNOWN_COOKIE}=${writeKnown(KEYS, SITE, token)}`)
  }
  return cookies.slice(0, count)
}
