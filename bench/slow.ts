/**
 * Is the site there while slow clients hold a thousand connections? Debian's slowhttptest in its four
 * modes, and a visitor who asks four times a second on new connections. A second counts as available
 * when every request that began in it got the real page within five seconds.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import { main, options } from './lib/options.ts'
import { makePlace, removeFolder } from './lib/place.ts'
import { BenchError, Child, CORES, need, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { percent, table } from './lib/table.ts'
import { realPage } from './load/real-page.ts'
import { ResponseReader } from './load/response-reader.ts'
import { startOrigin, USUAL_ORIGIN } from './origin/origin.ts'
import { startDigue } from './peers/digue.ts'
import { runNginx } from './peers/nginx.ts'
import type { PeerPlace, RunningPeer } from './peers/peer.ts'

const MODES: Record<string, readonly string[]> = {
  headers: ['-H', '-i', '10', '-x', '24'],
  body: ['-B', '-i', '10', '-s', '8192', '-x', '10'],
  read: ['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32', '-k', '3'],
  range: ['-R', '-a', '10', '-b', '3000'],
}

/** nginx as Debian ships it (768 connections), and with short timeouts, and with more connections too. */
const nginxWith =
  (connections: number, timeouts: string) =>
  async (place: PeerPlace): Promise<RunningPeer> => {
    const child = await runNginx(
      place,
      `${timeouts}
  upstream origin { server 127.0.0.1:${place.originPort}; keepalive 64; }
  server { listen 127.0.0.1:${place.port} backlog=4096; location / {
    proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }`,
      place.port,
      connections,
    )
    return { port: place.port, tlsPort: 0, pids: () => child.pids(), stop: () => child.stop() }
  }

const TUNED =
  'client_header_timeout 5s; client_body_timeout 5s; send_timeout 5s; keepalive_timeout 10s; reset_timedout_connection on;'

const PEERS: Record<string, (place: PeerPlace) => Promise<RunningPeer>> = {
  'nginx, defaults (768 connections)': nginxWith(768, ''),
  'nginx, 5 s timeouts (768)': nginxWith(768, TUNED),
  'nginx, 5 s timeouts (4,096)': nginxWith(4096, TUNED),
  'digue (768)': (place) =>
    startDigue({ ...place, tlsPort: 0 }, { label: '', settings: {} }, { limits: { connections: 768 } }),
  digue: (place) => startDigue({ ...place, tlsPort: 0 }, { label: '', settings: {} }),
}

const USAGE = `Usage: npm run bench:slow -- [options]

Full: 4 modes × 5 servers × 30 s, about 12 minutes. --quick: 10 s each, about 5.`

/** It may end every 2 s. */
const MOST_STARTS = 200

await main(async () => {
  const chosen = options(USAGE, {
    mode: { value: 'NAME', many: true, help: `Only ${Object.keys(MODES).join(', ')}.` },
    peer: { value: 'NAME', many: true, help: 'Only servers whose name begins so.' },
    seconds: { value: 'N', help: 'Length of each attack. Default 30.' },
    connections: { value: 'N', help: 'Slow connections. Default 1000.' },
    quick: { help: '10 s each.' },
    json: { help: 'Print raw results.' },
    'no-keep': { help: 'Do not write bench/runs/.' },
  })
  const seconds = Math.min(240, chosen.number('seconds', chosen.flag('quick') ? 10 : 30))
  const connections = Math.min(5000, chosen.number('connections', 1000))
  const modes = chosen.list('mode')
  for (const mode of modes)
    if (!(mode in MODES)) throw new BenchError('BENCH_OPTION', `--mode: unknown "${mode}"`)
  const wanted = chosen.list('peer')
  const peers = Object.entries(PEERS).filter(
    ([name]) => wanted.length === 0 || wanted.some((one) => name.startsWith(one)),
  )
  if (peers.length === 0) throw new BenchError('BENCH_OPTION', `--peer: unknown "${wanted.join(',')}"`)
  await provide({ nginx: 'nginx-light', slowhttptest: 'slowhttptest' })
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  say(
    CORES
      ? `Servers on core ${CORES.server}; attack, visitor and origin on core ${CORES.load}.`
      : 'Nothing is pinned here.',
  )
  const raw: Record<string, Record<string, Probed>> = {}
  for (const [mode, flags] of Object.entries(MODES)) {
    if (modes.length > 0 && !modes.includes(mode)) continue
    raw[mode] = {}
    for (const [name, start] of peers) {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  ${mode} · ${name}`)
      raw[mode][name] = await attack(start, flags, seconds, connections)
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  const names = Object.keys(raw)
  say(`\nSeconds with the site available, ${connections} slow connections, ${seconds} s each`)
  say(
    table(
      ['', ...names],
      peers.map(([name]) => [name, ...names.map((mode) => cell(raw[mode]![name]!))]),
    ),
  )
  if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(raw)}\n`)
  if (!chosen.flag('no-keep')) keep('slow', { bench: 'slow', seconds, connections, modes: raw })
})

function cell(probed: Probed): string {
  return `${percent(probed.available / probed.seconds, 0)} (${probed.available}/${probed.seconds})`
}

interface Probed {
  readonly seconds: number
  readonly available: number
  readonly asked: number
  readonly served: number
  /** By second: served of asked. */
  readonly perSecond: readonly (readonly [served: number, asked: number])[]
}

async function attack(
  start: (place: PeerPlace) => Promise<RunningPeer>,
  flags: readonly string[],
  seconds: number,
  connections: number,
): Promise<Probed> {
  const origin = await startOrigin(USUAL_ORIGIN)
  const place = await makePlace({ originPort: origin.port })
  let peer: RunningPeer | undefined
  let tool: Child | undefined
  let over = false
  let again: Promise<void> | undefined
  try {
    peer = await start(place)
    const url = `http://127.0.0.1:${peer.port}/`
    const launch = () =>
      new Child(
        'slowhttptest',
        [
          need('slowhttptest'),
          '-c',
          String(connections),
          '-r',
          '500',
          '-l',
          String(seconds + 20),
          '-p',
          '3',
          '-u',
          url,
          ...flags,
        ],
        { core: CORES?.load },
      )
    tool = launch()
    // A server that answers everything at once leaves it without connections: it begins anew.
    again = (async () => {
      for (let starts = 1; starts < MOST_STARTS; starts++) {
        while (!tool.exited && !over) await new Promise((resolve) => setTimeout(resolve, 100))
        if (over) return
        if (!tool.output.includes('No open connections left'))
          throw new BenchError('BENCH_TOOL_FAILED', `slowhttptest ended at once:\n${tool.output}`)
        tool = launch()
      }
    })()
    // Half its connections per second: by then the attack stands.
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 2500)), again])
    const probed = await probe(peer.port, seconds)
    over = true
    await again
    return probed
  } finally {
    over = true
    await again?.catch(() => {})
    if (tool && !tool.exited) {
      tool.process.kill('SIGKILL')
      await once(tool.process, 'exit')
    }
    await peer?.stop()
    origin.stop()
    removeFolder(place.folder)
  }
}

async function probe(port: number, seconds: number): Promise<Probed> {
  const perSecond: [number, number][] = Array.from({ length: seconds }, () => [0, 0])
  const waiting: Promise<void>[] = []
  const start = performance.now()
  for (let i = 0; i < seconds * 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, start + i * 250 - performance.now())))
    const second = perSecond[Math.floor(i / 4)]!
    second[1]++
    waiting.push(
      askOnce(port, `/article/${1 + (i % 49)}`, `127.10.1.${1 + (i % 200)}`).then((served) => {
        if (served) second[0]++
      }),
    )
  }
  await Promise.all(waiting)
  return {
    seconds,
    available: perSecond.filter(([served, asked]) => served === asked).length,
    asked: perSecond.reduce((sum, [, asked]) => sum + asked, 0),
    served: perSecond.reduce((sum, [served]) => sum + served, 0),
    perSecond,
  }
}

function askOnce(port: number, path: string, localAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress })
    const end = (served: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(served)
    }
    const timer = setTimeout(() => end(false), 5000)
    const reader = new ResponseReader(
      { response: (status, _head, body) => end(realPage(status, body, path) !== undefined) },
      true,
    )
    socket.on('data', (data: Buffer) => reader.feed(data, data.length))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: bench.example.org\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
    )
  })
}
