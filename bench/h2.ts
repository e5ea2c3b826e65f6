/**
 * How far does an abusive HTTP/2 client get before it is cut off, and does an ordinary one stay?
 * Rapid reset, endless CONTINUATION, SETTINGS, PING and empty DATA frames; and h2load as the ordinary one.
 */

import { HOST } from './lib/certificate.ts'
import { main, options } from './lib/options.ts'
import { withPeers } from './lib/paired.ts'
import { Child, CORES, listening, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median } from './lib/stats.ts'
import { percent, table, thousands } from './lib/table.ts'
import { h2load } from './lib/tools.ts'
import { type Abuse, type AbuseResult, abuse } from './load/h2-abuser.ts'
import { startConstantOrigin } from './origin/constant.ts'
import { digue } from './peers/digue.ts'
import { haproxy } from './peers/haproxy.ts'
import { plainNginx } from './peers/nginx.ts'
import type { Peer } from './peers/peer.ts'

const KINDS: readonly Abuse[] = ['rapid-reset', 'continuation', 'settings', 'ping', 'empty-data']
const MOST = 5000
const GOAL = 120

const BARE = `
const { createSecureServer } = require('node:http2'), { readFileSync } = require('node:fs')
const server = createSecureServer({ cert: readFileSync(process.argv[1]), key: readFileSync(process.argv[2]) }, (request, response) => { response.on('error', () => {}); response.end('x'.repeat(2048)) })
server.on('sessionError', () => {})
server.listen(Number(process.argv[3]), '127.0.0.1')`

const bareNode: Peer = {
  name: 'bare node:http2',
  variants: [{ label: '', settings: {} }],
  needs: {},
  async start(place) {
    const child = new Child(
      'node',
      [process.execPath, '-e', BARE, place.certFile, place.keyFile, String(place.tlsPort)],
      { core: place.core },
    )
    await listening(child, place.tlsPort)
    return { port: 0, tlsPort: place.tlsPort, pids: () => child.pids(), stop: () => child.stop() }
  },
}

/** HAProxy without limits by rate: the question is what the protocol layer bears. */
const plainHaproxy: Peer = {
  ...haproxy,
  variants: [{ label: '', settings: { per10s: 1_000_000, maxconn: 1000, queueS: 5 } }],
}

await main(async () => {
  const chosen = options('Usage: npm run bench:h2 -- [options]\n\nAbout 2 minutes.', {
    runs: { value: 'N', help: 'Attempts of each; the median is shown. Default 3.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const runs = Math.min(20, chosen.number('runs', 3))
  await provide({ nginx: 'nginx-light', haproxy: 'haproxy', h2load: 'nghttp2-client' })
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  const origin = await startConstantOrigin()
  try {
    await withPeers([bareNode, plainNginx, plainHaproxy, digue], { originPort: origin.port }, async (up) => {
      const raw: Record<string, Record<string, AbuseResult[]>> = {}
      const ordinary: Record<string, { requests: number; bad: number }> = {}
      for (const { name, peer } of up) {
        // The ordinary client first: an abuser may leave a grudge against its network.
        const { requests, bad } = await h2load(`https://127.0.0.1:${peer.tlsPort}/`, 3, 4, 4)
        ordinary[name] = { requests, bad }
        raw[name] = {}
        for (const kind of KINDS) {
          raw[name][kind] = []
          for (let i = 0; i < runs; i++) {
            if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  ${name} · ${kind}`)
            raw[name][kind].push(
              await abuse(kind, {
                port: peer.tlsPort,
                host: HOST,
                most: MOST,
                localAddress: `127.40.${1 + i}.1`,
              }),
            )
          }
        }
      }
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
      say(
        `Steps an abusive client takes before it is cut off (goal: rapid reset within ${GOAL} streams; ${thousands(MOST)} tried)${CORES ? '' : '; not pinned'}\n`,
      )
      say(
        table(
          ['', ...KINDS, 'h2load served'],
          up.map(({ name }) => [
            name,
            ...KINDS.map((kind) => {
              const list = raw[name]![kind]!
              const steps = thousands(median(list.map((one) => one.steps)))
              return list.every((one) => !one.cutOff) ? `never (${steps})` : `${steps} ${list[0]!.how}`
            }),
            `${percent(1 - ordinary[name]!.bad / ordinary[name]!.requests, 1)} of ${thousands(ordinary[name]!.requests)}`,
          ]),
        ),
      )
      const own = raw['digue']!['rapid-reset']!
      say(
        `\ngoal, rapid reset within ${GOAL}: ${own.every((one) => one.cutOff && one.steps <= GOAL) ? 'met' : 'missed'}`,
      )
      if (chosen.flag('json')) process.stdout.write(`${JSON.stringify({ raw, ordinary })}\n`)
      if (!chosen.flag('no-keep')) keep('h2', { bench: 'h2', abuse: raw, ordinary })
    })
  } finally {
    await origin.stop()
  }
})
