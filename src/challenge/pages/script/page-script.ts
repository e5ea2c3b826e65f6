/**
 * What a page does where scripts run: pays the price, then opens what was asked for.
 *
 *   waiting room ──load──▶ calculating ──bid is high enough──▶ the page that was asked for
 *        ▲                   │ 202 price: goes on, and bids at each quarter of the new price
 *        └──three failures───┘ fault: a new challenge, up to three times in all
 *
 * The page is complete without it: a waiting room whose `Refresh` field and links work by themselves.
 * So whatever fails here ends in that room, never in nothing, and nothing is hidden before there is something in its place.
 *
 * A Refresh that comes while the browser calculates would cost what is not stored yet and read out the page
 * again: `window.stop()` cancels it (Chromium; elsewhere the page comes again, and goes on from what
 * was kept). From then on coming again is up to the script.
 *
 * Who pays and is shown the same page again may have a browser that keeps no cookie: that too counts as
 * a failed try, or it would go on for ever.
 */
import type { Solving } from '../../solver/solve.ts'
import type { Clock, OnwardElement, PageElement, PageWindow } from './browser.ts'
import { keep, recall } from './memory.ts'

const OWN_PATH = '/.well-known/digue/'
const MOST_PARTS = 256
const MOST_TRIES = 3
/** Failures that are longer ago say nothing about the next try. */
const TRIES_MS = 600_000
/** Shown the same page again within this time, the payment was of no use. */
const USELESS_MS = 20_000
/** A screen reader says it each time. */
const SAY_EVERY_MS = 5000
const KEEP_EVERY_MS = 1000
/** No answer by then counts as lost. */
const ANSWER_DUE_MS = 20_000
const MOST_LOST = 5
/** A phone of a tenth of a desktop's speed needs a sixth of a second for a part. */
const PART_DUE_MS = 30_000
/** Of base64url for a nonce. */
const CHARACTERS = 16 / 3

/** What is asked for, by the page and by `GET …/challenge`. */
interface Offer {
  readonly challenge: string
  readonly bits: number
  readonly price: number
}

/** Any answer of ours, or what another server made of the request. */
interface Answer extends Partial<Offer> {
  readonly status?: string
  readonly cookie?: string
  readonly retryAfterS?: number
}

export function runPage(window: PageWindow, { nowMs, later }: Clock): void {
  const { document, fetch, history, location, navigator, digueSolve } = window
  const element = (id: string) => document.getElementById(id)
  const show = (id: string, isShown: boolean) => {
    const found = element(id)
    if (found) found.hidden = !isShown
  }

  const search = withoutOurs(location.search)
  // Where cookies are off, what stands in the address is the place in line.
  if (search !== location.search && navigator.cookieEnabled)
    history.replaceState(history.state, '', location.pathname + search + location.hash)

  const onward = element('go') as OnwardElement
  const status = element('status') as PageElement
  const bar = element('bar') as (PageElement & { value: number }) | null
  const facts = onward.dataset
  if (!facts.challenge || !fetch || !digueSolve) return

  const here = location.pathname + search
  const memory = recall(window)
  if (nowMs() - memory.failedMs > TRIES_MS) memory.tries = 0
  if (memory.paidFor === here && nowMs() - memory.paidMs < USELESS_MS) {
    memory.tries++
    memory.failedMs = nowMs()
  }
  memory.paidFor = ''
  memory.tries = Math.max(memory.tries, Number(facts.tries) || 0)
  keep(window, memory)

  let solving: Solving | undefined
  /** Parts that an earlier load of the page solved. */
  let before = 0
  /** Parts without a gap from the first on. */
  let done = 0
  let wanted = 0
  /** So many parts are sent next. */
  let nextBid = 0
  let waiting = false
  let lost = 0
  let startedMs = 0
  let saidMs = 0
  let keptMs = 0
  let partMs = 0

  function nonces(): string {
    return memory.nonces.slice(0, before * CHARACTERS) + solving!.proof().nonces
  }

  function keepParts(): void {
    // Three nonces are 12 bytes, and 16 characters: only then more can be put behind them.
    if (solving) memory.nonces = nonces().slice(0, Math.floor(done / 3) * 3 * CHARACTERS)
    keep(window, memory)
    keptMs = nowMs()
  }

  function ask(path: string, heard: (answer: Answer) => void): void {
    waiting = true
    const due = new Promise<Answer>((_, fail) => later(() => fail(undefined), ANSWER_DUE_MS))
    const answer = fetch!(OWN_PATH + path, { cache: 'no-store', credentials: 'same-origin' }).then(
      (response) => response.json(),
    )
    Promise.race([answer, due])
      .catch(() => ({}))
      .then((found) => {
        waiting = false
        heard((found || {}) as Answer)
      })
  }

  /** Asks again later; `lost` when the answer was none of ours. */
  function again(answer: Answer, work: () => void): void {
    lost = answer.status === 'busy' ? 0 : lost + 1
    if (lost > MOST_LOST) {
      giveUp()
      return
    }
    const seconds = Math.min(60, Math.max(1, Number(answer.retryAfterS) || 2 ** lost))
    waiting = true
    later(() => {
      waiting = false
      work()
    }, seconds * 1000)
  }

  function begin({ challenge, bits, price }: Offer): void {
    const age = epochOf(challenge) - epochOf(memory.challenge)
    // A challenge is good for two epochs after its own: one of them is left for the rest of the work.
    if (!(memory.bits === bits && (age === 0 || age === 1))) {
      memory.challenge = challenge
      memory.bits = bits
      memory.seed = digueSolve!.seed()
      memory.nonces = ''
    }
    before = done = memory.nonces.length / CHARACTERS
    wanted = nextBid = Math.min(MOST_PARTS, price)
    startedMs = partMs = nowMs()
    const mine = digueSolve!({
      mac: memory.challenge.slice(memory.challenge.lastIndexOf('.') + 1),
      seed: memory.seed,
      bits,
      from: done,
      until: wanted,
      onPart() {
        done = before + mine.proof().parts
        partMs = nowMs()
        if (partMs - keptMs > KEEP_EVERY_MS) keepParts()
        progress()
        bid()
      },
    })
    solving = mine
    const watch = () => {
      if (solving !== mine) return
      if (done < wanted && nowMs() - partMs > PART_DUE_MS) giveUp()
      else later(watch, KEEP_EVERY_MS)
    }
    watch()
    bid()
  }

  function end(): void {
    solving?.stop()
    solving = undefined
  }

  function bid(): void {
    if (waiting || !solving || done < nextBid) return
    const parts = done
    ask(`proof?challenge=${memory.challenge}&seed=${memory.seed}&nonces=${nonces()}`, (answer) => {
      const price = Math.min(MOST_PARTS, Number(answer.price) || 0)
      if (answer.status === 'paid') paid(String(answer.cookie))
      else if (answer.status === 'fault') failed()
      else if (answer.status === 'price' && price > parts) {
        lost = 0
        wanted = price
        nextBid = Math.min(price, parts + Math.ceil(price / 4))
        solving!.raise(price)
        progress()
        bid()
      } else again(answer, bid)
    })
  }

  function failed(): void {
    end()
    memory.challenge = memory.nonces = ''
    memory.tries++
    memory.failedMs = nowMs()
    keep(window, memory)
    if (memory.tries >= MOST_TRIES) giveUp()
    else renew()
  }

  function renew(): void {
    ask('challenge', (answer) => {
      if (answer.challenge && answer.bits && answer.price) begin(answer as Offer)
      else again(answer, renew)
    })
  }

  /** Back to the waiting room, with those to turn to. */
  function giveUp(): void {
    end()
    show('calc', false)
    show('line', true)
    show('help', true)
    say('')
    if (onward.href) later(() => location.replace(onward.href!), (Number(facts.poll) || 30) * 1000)
  }

  function paid(cookie: string): void {
    end()
    memory.challenge = memory.nonces = ''
    memory.paidMs = nowMs()
    memory.paidFor = here
    keep(window, memory)
    say(status.dataset.done!)
    if (bar) bar.value = 1
    const token = navigator.cookieEnabled ? '' : `digue=${cookie}`
    if (onward.submit) {
      if (token) onward.action += `${onward.action!.includes('?') ? '&' : '?'}${token}`
      onward.submit()
    } else if (!onward.href) show('calc', false)
    // To the same address with a fragment is no load but a jump within this page.
    else if (location.hash && !token) location.reload()
    else location.replace(here + (token && (search ? '&' : '?') + token) + location.hash)
  }

  function progress(): void {
    if (bar) bar.value = done / wanted
    const now = nowMs()
    const found = done - before
    // The first few come too unevenly to tell a time from.
    if (found < 4 || now - saidMs < SAY_EVERY_MS) return
    saidMs = now
    const left = Math.ceil(((wanted - done) * (now - startedMs)) / found / 1000)
    if (left > 0) say(status.dataset.left!.replace('{time}', time(left)))
  }

  function time(seconds: number): string {
    const { lang } = document.documentElement
    try {
      return new Intl.NumberFormat(lang === 'ar' ? 'ar-u-nu-latn' : lang, {
        style: 'unit',
        unit: 'second',
        unitDisplay: 'long',
      }).format(seconds)
    } catch {
      return seconds + ' s'
    }
  }

  function say(text: string): void {
    if (status.textContent !== text) status.textContent = text
  }

  window.addEventListener('pagehide', () => {
    if (solving) keepParts()
  })
  // Not before the page is loaded: what is stopped then is its Refresh and nothing else.
  window.addEventListener('load', () =>
    later(() => {
      if (memory.tries >= MOST_TRIES) return giveUp()
      window.stop()
      show('calc', true)
      show('line', false)
      begin({
        challenge: facts.challenge!,
        bits: Number(facts.bits),
        price: Number(facts.price),
      })
    }, 0),
  )
}

/** Not a number where there is no challenge. */
function epochOf(challenge: string): number {
  return Number.parseInt(challenge.split('.')[1]!, 36)
}

/** The query without our parameter. */
function withoutOurs(search: string): string {
  return search.replace(/([?&])digue=[^&]*(&|$)/g, (_, before: string, after: string) =>
    after ? before : '',
  )
}
