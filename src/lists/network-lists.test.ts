import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { NetworkSet } from '#networks'
import { startFakeCrowdSec } from './crowdsec.fixture.ts'
import type { Download, DownloadOptions } from './download.ts'
import { EFFECTS } from './effects.ts'
import type { ListEvent, ListSettings } from './list-types.ts'
import { NetworkLists } from './network-lists.ts'

const root = mkdtempSync(join(tmpdir(), 'digue-lists-'))
after(() => rmSync(root, { recursive: true }))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'state-'))
})

const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 10, 24, 10)
const URL_LIST: ListSettings = {
  name: 'drop',
  url: 'https://lists.example.org/drop.txt?key=secret',
  format: 'auto',
}

/** Lists with a clock, a network and a log of the test's own. */
class Stage {
  nowMs = START_MS
  readonly events: ListEvent[] = []
  set = NetworkSet.EMPTY
  names: readonly string[] = []
  changes = 0
  /** What the address answers; a text is a list. */
  answer: string | Exclude<Download, { kind: 'new' }> = ''
  /** What the answer waits for. */
  hold: Promise<void> | undefined
  readonly asked: DownloadOptions[] = []
  readonly lists: NetworkLists

  constructor() {
    this.lists = new NetworkLists({
      folder,
      userAgent: 'digue/test',
      now: () => this.nowMs,
      random: () => 0.5,
      key: { k0: 1, k1: 2 },
      onEvent: (event) => this.events.push(event),
      onChange: (memory, names) => {
        this.set = new NetworkSet(memory)
        this.names = names
        this.changes++
      },
      download: async (_url, file, options) => {
        this.asked.push(options)
        const { answer } = this
        await this.hold
        if (typeof answer !== 'string') return answer
        writeFileSync(file, answer)
        return {
          kind: 'new',
          validators: { etag: '"v1"' },
          sha256: createHash('sha256').update(answer).digest('hex'),
          bytes: answer.length,
        }
      },
    })
  }

  effectOf(address: string): string {
    const found = this.set.find(address)
    return found === undefined ? '' : `${EFFECTS[found.effect]} ${this.names[found.list]}`
  }

  /** Time passes, and what became due is done. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms
    this.lists.tick()
    await this.settled()
  }

  async settled(): Promise<void> {
    while (this.lists.status().some((list) => list.isRefreshing)) await new Promise(setImmediate)
    this.lists.tick()
  }

  /** So many clients in calm weather, the first ones of them on 192.0.2.0/24. */
  async calm(clients: number, listed: number): Promise<void> {
    this.lists.calm(
      Array.from({ length: clients }, (_, i) =>
        i < listed ? `192.0.2.${i}` : `20.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
      ),
    )
    await this.pass(5000)
    await this.pass(10_000)
  }

  codes(): string[] {
    return this.events.map((event) => event.code)
  }
}

const only = (stage: Stage) => stage.lists.status()[0]!

describe('a list from an address', () => {
  test('acts by weight at most until calm weather is known, and then in full', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...refuse }])
    await stage.pass(0)
    assert.equal(stage.effectOf('192.0.2.1'), 'weight drop')
    assert.equal(only(stage).standing, 'weight')
    await stage.calm(300, 2)
    assert.equal(only(stage).standing, 'acting')
    assert.equal(only(stage).share, 2 / 300)
    assert.equal(stage.effectOf('192.0.2.1'), 'refuse drop')
    assert.deepEqual(stage.codes(), ['list-weight', 'list-loaded', 'list-acting'])
  })

  test('is held back when it would touch more than one visitor in a hundred, until the operator lets it', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...refuse }])
    await stage.pass(0)
    await stage.calm(300, 4)
    assert.equal(only(stage).standing, 'held')
    assert.equal(stage.effectOf('192.0.2.1'), '')
    assert.match(
      stage.events.at(-1)!.message,
      /^list drop is held back: 1\.3 % of the clients of calm weather are on it; `digue lists release drop` lets it act$/,
    )
    await stage.lists.release('drop')
    assert.equal(stage.effectOf('192.0.2.1'), 'refuse drop')
    await stage.pass(10_000)
    assert.equal(only(stage).standing, 'acting')
    // What was accepted is not a blank cheque: twice the share is held again.
    await stage.calm(300, 30)
    assert.equal(only(stage).standing, 'held')
  })

  test('the operator’s release survives a restart', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...refuse }])
    await stage.pass(0)
    await stage.calm(300, 4)
    await stage.lists.release('drop')
    await assert.rejects(stage.lists.release('drop'), /^ListError|list drop is not held back/)
    await stage.lists.close()
    const again = new Stage()
    again.answer = { kind: 'unchanged' }
    await again.lists.configure([{ ...URL_LIST, ...refuse }])
    assert.equal(again.effectOf('192.0.2.1'), 'refuse drop')
  })

  test('a list of friends is never held, and never reaches into this house', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n10.0.0.0/8\n'
    await stage.lists.configure([{ ...URL_LIST, ...allow }])
    await stage.pass(0)
    await stage.calm(300, 100)
    assert.equal(stage.effectOf('192.0.2.1'), 'allow drop')
    assert.equal(stage.effectOf('10.0.0.1'), '')
  })

  test('keeps its last good copy over failures, and says so once', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    stage.answer = '<!DOCTYPE html>'
    await stage.pass(HOUR_MS)
    assert.equal(stage.asked.length, 2)
    await stage.pass(61_000)
    assert.equal(stage.asked.length, 2)
    stage.answer = { kind: 'failed', fault: 'expected the list, got status 500' }
    await stage.pass(2000)
    assert.equal(stage.asked.length, 3)
    await stage.pass(100_000)
    assert.equal(stage.asked.length, 3, 'the second wait is longer')
    await stage.pass(30_000)
    assert.equal(stage.asked.length, 4)
    assert.equal(stage.effectOf('192.0.2.1'), 'weight drop')
    assert.equal(only(stage).fault, 'expected the list, got status 500')
    const failing = stage.events.filter((event) => event.code === 'list-failing')
    assert.equal(failing.length, 1)
    assert.equal(
      failing[0]!.message,
      'list drop: expected a list of networks, got a page ("<!DOCTYPE html>"); the 1 networks of 2026-11-24T10:00:00.000Z stay in force',
    )
    stage.answer = '192.0.2.0/25\n'
    await stage.pass(HOUR_MS)
    assert.equal(stage.effectOf('192.0.2.200'), '')
    assert.equal(stage.codes().at(-1), 'list-recovered')
  })

  test('stays away as long as the server wishes', async () => {
    const stage = new Stage()
    stage.answer = { kind: 'failed', fault: 'expected the list, got status 429', retryAfterMs: 2 * HOUR_MS }
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    await stage.pass(2 * HOUR_MS - 1)
    assert.equal(stage.asked.length, 1)
    await stage.pass(HOUR_MS)
    assert.equal(stage.asked.length, 2)
  })

  test('begins with its copy after a restart, without the network', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...refuse }])
    await stage.pass(0)
    await stage.calm(300, 1)
    await stage.pass(700_000)
    await stage.lists.close()
    const again = new Stage()
    again.nowMs = stage.nowMs
    again.answer = { kind: 'failed', fault: 'no answer' }
    await again.lists.configure([{ ...URL_LIST, ...refuse }])
    // In full at once: what calm weather said of it is known from before.
    assert.equal(again.effectOf('192.0.2.1'), 'refuse drop')
    await again.pass(0)
    assert.deepEqual(again.asked[0]!.validators, { etag: '"v1"', lastModified: undefined })
    assert.equal(again.effectOf('192.0.2.1'), 'refuse drop')
  })

  test('does not begin with a copy that is damaged, or from another address', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    const copy = join(folder, 'drop.list')
    writeFileSync(copy, '198.51.100.0/24\n')
    const again = new Stage()
    await again.lists.configure([URL_LIST])
    assert.equal(again.effectOf('198.51.100.1'), '')
    writeFileSync(copy, '192.0.2.0/24\n')
    const moved = new Stage()
    await moved.lists.configure([{ ...URL_LIST, url: 'https://elsewhere.example.org/' }])
    assert.equal(moved.effectOf('192.0.2.1'), '')
    writeFileSync(join(folder, 'drop.json'), '{"content":{"url":7}}')
    await new Stage().lists.configure([URL_LIST])
  })

  test('an empty one in place of a full one is a failure', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    stage.answer = '# nothing today\n'
    await stage.pass(2 * HOUR_MS)
    assert.equal(stage.effectOf('192.0.2.1'), 'weight drop')
    assert.match(only(stage).fault, /an empty one$/)
  })

  test('one that grew tenfold waits for the operator', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`).join('\n')
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    stage.answer = many
    await stage.pass(2 * HOUR_MS)
    await stage.pass(2 * HOUR_MS)
    assert.equal(stage.effectOf('192.0.2.1'), 'weight drop')
    assert.equal(only(stage).waiting, 2000)
    assert.equal(stage.codes().filter((code) => code === 'list-grown').length, 1)
    await stage.lists.release('drop')
    assert.equal(stage.effectOf('192.0.2.1'), '')
    assert.equal(stage.effectOf('198.51.0.7'), 'weight drop')
    assert.equal(readFileSync(join(folder, 'drop.list'), 'latin1'), many)
  })

  test('friends whose addresses grew tenfold wait, too, however few the lines', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...allow }])
    await stage.pass(0)
    stage.answer = '192.0.2.0/24\n20.0.0.0/8\n'
    await stage.pass(2 * HOUR_MS)
    assert.equal(stage.effectOf('20.0.0.1'), '')
    assert.equal(only(stage).waiting, 2)
  })

  test('one that is taken out, or moved, while it is fetched, changes nothing any more', async () => {
    const stage = new Stage()
    let finish = () => {}
    stage.hold = new Promise<void>((resolve) => (finish = resolve))
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    stage.lists.tick()
    while (stage.asked.length === 0) await new Promise(setImmediate)
    const { signal } = stage.asked[0]!
    await stage.lists.configure([{ ...URL_LIST, url: 'https://elsewhere.example.org/' }])
    assert.ok(signal!.aborted)
    stage.answer = '198.51.100.0/24\n'
    stage.lists.tick()
    finish()
    await stage.settled()
    assert.equal(stage.effectOf('192.0.2.1'), '')
    assert.equal(stage.effectOf('198.51.100.1'), 'weight drop')
    assert.equal(readFileSync(join(folder, 'drop.list'), 'latin1'), '198.51.100.0/24\n')
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith('.new')),
      [],
    )
  })

  test('its status does not tell the key in its address', async () => {
    const stage = new Stage()
    await stage.lists.configure([URL_LIST])
    assert.equal(only(stage).from, 'https://lists.example.org/drop.txt')
  })
})

// biome-ignore lint/suspicious/noThenProperty: a word of the configuration, and nothing that could be called
const refuse = { then: 'refuse' } as const
// biome-ignore lint/suspicious/noThenProperty: the same
const allow = { then: 'allow' } as const
// biome-ignore lint/suspicious/noThenProperty: the same
const price = { then: 'price' } as const

describe('a list from a file', () => {
  const file = () => join(folder, 'office.txt')
  const write = (text: string, ageMs: number, stage: Stage) => {
    writeFileSync(file(), text)
    const seconds = (stage.nowMs - ageMs) / 1000
    utimesSync(file(), seconds, seconds)
  }

  test('is read again when it changes and has settled', async () => {
    const stage = new Stage()
    write('10.1.0.0/16\n', HOUR_MS, stage)
    await stage.lists.configure([{ name: 'office', file: file(), format: 'auto', ...allow }])
    await stage.pass(0)
    assert.equal(stage.effectOf('10.1.2.3'), 'allow office')
    const { changes } = stage
    await stage.pass(11_000)
    assert.equal(stage.changes, changes, 'nothing new, nothing made')
    await stage.pass(9000)
    write('10.', 0, stage)
    await stage.pass(1500)
    assert.equal(stage.effectOf('10.1.2.3'), 'allow office', 'it may be half written')
    assert.equal(only(stage).fault, '')
    write('10.2.0.0/16\n', 0, stage)
    await stage.pass(2500)
    assert.equal(stage.effectOf('10.2.2.3'), 'allow office')
    assert.equal(stage.effectOf('10.1.2.3'), '')
    rmSync(file())
    await stage.pass(11_000)
    assert.equal(stage.effectOf('10.2.2.3'), 'allow office')
    assert.match(only(stage).fault, /ENOENT/)
  })

  test('one that was emptied on purpose is empty', async () => {
    const stage = new Stage()
    write('192.0.2.0/24\n', HOUR_MS, stage)
    await stage.lists.configure([{ name: 'office', file: file(), format: 'auto' }])
    await stage.pass(0)
    write('# nobody\n', HOUR_MS / 2, stage)
    await stage.pass(11_000)
    assert.equal(stage.effectOf('192.0.2.1'), '')
  })
})

describe('CrowdSec', () => {
  test('its decisions act, end and come back after its restart', async () => {
    await using lapi = await startFakeCrowdSec()
    const keyFile = join(folder, 'key')
    writeFileSync(keyFile, lapi.key)
    lapi.add({ value: '192.0.2.1' }, { value: '198.51.100.0/24', scope: 'Range', type: 'captcha' })
    const stage = new Stage()
    await stage.lists.configure([{ name: 'crowdsec', crowdsec: { url: lapi.url, keyFile }, format: 'auto' }])
    await stage.pass(0)
    await stage.calm(300, 0)
    assert.equal(stage.effectOf('192.0.2.1'), 'refuse crowdsec')
    assert.equal(stage.effectOf('198.51.100.1'), 'price crowdsec')
    lapi.add({ value: '203.0.113.1', duration: '1m0s' })
    lapi.delete('192.0.2.1')
    await stage.pass(11_000)
    assert.equal(stage.effectOf('192.0.2.1'), '')
    assert.equal(stage.effectOf('203.0.113.1'), 'refuse crowdsec')
    assert.ok(lapi.asked.at(-1)!.url!.includes('startup=false'))
    lapi.forgetBouncers()
    await stage.pass(11_000)
    assert.match(only(stage).fault, /cscli bouncers add digue/)
    assert.equal(stage.effectOf('203.0.113.1'), 'refuse crowdsec', 'what it said stays')
    await stage.pass(50_000)
    assert.equal(stage.effectOf('203.0.113.1'), '', 'and ends when it was to end')
    assert.equal(stage.effectOf('198.51.100.1'), 'price crowdsec')
    assert.ok(lapi.asked.at(-1)!.url!.includes('startup=true'), 'after a failure it is asked for everything')
    assert.ok(!JSON.stringify([stage.events, stage.lists.status()]).includes(lapi.key))
  })
})

describe('several lists', () => {
  test('lie over each other, and go when they are taken out', async () => {
    const stage = new Stage()
    const one = join(folder, 'one.txt')
    const two = join(folder, 'two.txt')
    writeFileSync(one, '192.0.2.0/24\n')
    writeFileSync(two, '192.0.2.7\n')
    const settings: ListSettings[] = [
      { name: 'one', file: one, format: 'auto', ...price },
      { name: 'two', file: two, format: 'auto', ...allow },
    ]
    await stage.lists.configure(settings)
    await stage.pass(0)
    await stage.calm(300, 0)
    assert.equal(stage.effectOf('192.0.2.1'), 'price one')
    assert.equal(stage.effectOf('192.0.2.7'), 'allow two')
    await stage.lists.configure([settings[0]!])
    assert.equal(stage.effectOf('192.0.2.7'), 'price one', 'without a new look at what stayed')
    assert.equal(stage.effectOf('192.0.2.1'), 'price one')
    await stage.lists.configure([])
    assert.ok(stage.set.isEmpty)
  })

  test('copies of lists that are no more are removed', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    assert.ok(existsSync(join(folder, 'drop.list')))
    writeFileSync(join(folder, 'README'), 'mine')
    await stage.lists.configure([])
    assert.ok(!existsSync(join(folder, 'drop.list')) && !existsSync(join(folder, 'drop.json')))
    assert.ok(existsSync(join(folder, 'README')))
  })

  test('hits are those of the last minute', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([URL_LIST])
    await stage.pass(0)
    stage.lists.hits({ drop: 7, other: 9 })
    await stage.pass(30_000)
    stage.lists.hits({ drop: 3 })
    await stage.pass(1000)
    assert.equal(only(stage).hitsPerMinute, 10)
    for (let i = 0; i < 7; i++) await stage.pass(10_000)
    assert.equal(only(stage).hitsPerMinute, 0)
  })

  test('a command about a list that there is not names those there are', async () => {
    const stage = new Stage()
    await assert.rejects(stage.lists.refresh('x'), /there are no lists/)
    await stage.lists.configure([URL_LIST])
    await assert.rejects(stage.lists.refresh('x'), /there is no list "x"; there are drop/)
    await assert.rejects(stage.lists.release('x'), /there is no list "x"; there are drop/)
  })

  test('a flood’s first seconds are not calm weather', async () => {
    const stage = new Stage()
    stage.answer = '192.0.2.0/24\n'
    await stage.lists.configure([{ ...URL_LIST, ...refuse }])
    await stage.pass(0)
    stage.lists.calm(Array.from({ length: 250 }, (_, i) => `192.0.2.${i}`))
    stage.lists.storm()
    await stage.pass(20_000)
    assert.equal(only(stage).standing, 'weight')
    assert.equal(only(stage).clients, 0)
  })
})
