/** A real helper, a real nft and real packets, in network namespaces that the test makes itself. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { sendCommand } from '#console'
import { KernelDrop, type KernelEvent, type KernelStatus } from '#kernel'
import { clientV4, clientV6, type Lab, makeLab, SERVER } from '../../bench/lib/lab.ts'
import { findProgram } from '../../bench/lib/processes.ts'
import { scratchFolder } from './cli-harness.ts'
import type { LabAnswer, LabOrder } from './lab-worker.ts'

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname
const WORKER = new URL('./lab-worker.ts', import.meta.url).pathname
const NODE = [process.execPath, '-C', 'source'] as const

/** One for all tests: each uses clients of its own. */
const absent = ['nft', 'ip'].filter((program) => findProgram(program) === undefined)
const lab = absent.length > 0 ? `${absent.join(' and ')} missing (apt install nftables iproute2)` : makeLab()
after(() => typeof lab === 'string' || lab.close())
const setpriv = findProgram('setpriv')
const skip = typeof lab === 'string' ? lab : false

/** What a hung test would otherwise never say. */
const HANG_MS = 120_000

async function until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + HANG_MS
  while (!(await is())) {
    assert.ok(performance.now() < endMs, `${what}: still not so after ${HANG_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

class Worker {
  readonly #child: ChildProcess
  readonly ready: Promise<unknown>

  constructor(command: readonly string[]) {
    this.#child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.ready = once(this.#child, 'message')
    after(() => this.#child.kill('SIGKILL'))
  }

  async order(order: LabOrder): Promise<number> {
    await this.ready
    const answer = once(this.#child, 'message') as Promise<[LabAnswer]>
    this.#child.send(order)
    return (await answer)[0].done
  }
}

interface Helper {
  readonly child: ChildProcess
  readonly socket: string
  readonly said: string[]
}

/** `digue kernel-helper` where the server is, with its own Unix socket. */
async function helperIn(
  { server }: Lab,
  options: { ports: readonly number[]; kernel?: object; before?: readonly string[] },
): Promise<Helper> {
  const folder = scratchFolder()
  const socket = join(folder, 'k.sock')
  const config = join(folder, 'digue.yaml')
  writeFileSync(
    config,
    JSON.stringify({
      kernel: { ports: options.ports, socket, ...options.kernel },
      sites: [{ host: '*', origin: 'http://127.0.0.1:1' }],
    }),
  )
  const command = server([...(options.before ?? []), ...NODE, MAIN, 'kernel-helper', '--config', config])
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  after(() => child.kill('SIGKILL'))
  const said: string[] = []
  const lines = createInterface({ input: child.stderr! })
  lines.on('line', (line) => said.push(line))
  await until(() => said.some((line) => line.includes('listening')) || child.exitCode !== null, 'the helper')
  assert.equal(child.exitCode, null, said.join('\n'))
  return { child, socket, said }
}

async function dropTo(socket: string): Promise<{ kernel: KernelDrop; events: KernelEvent[] }> {
  const events: KernelEvent[] = []
  const kernel = new KernelDrop({
    mode: 'auto',
    socket,
    maxEntries: 65_536,
    onEvent: (event) => events.push(event),
  })
  after(() => kernel.close())
  await kernel.open()
  return { kernel, events }
}

const isIn = (kernel: KernelDrop) => async () => {
  const { table } = await kernel.status()
  return table?.state === 'active' && table.waiting === 0
}

const tables = ({ runAtServer }: Lab) => runAtServer(['nft', 'list', 'tables'])

async function ends(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

test('who is silenced cannot connect; others can, and so can he to every other port', { skip }, async () => {
  const place = lab as Lab
  const server = new Worker(place.server([...NODE, WORKER]))
  const client = new Worker(place.client([...NODE, WORKER]))
  const guarded = await server.order({ do: 'listen', host: '::' })
  const other = await server.order({ do: 'listen', host: '::' })
  const reach = (from: string, port: number, withinMs: number) =>
    client.order({ do: 'connect', to: from.includes(':') ? SERVER.v6 : SERVER.v4, port, from, withinMs })
  const { socket, child } = await helperIn(place, { ports: [guarded] })
  const { kernel } = await dropTo(socket)
  for (const from of [clientV4(1), clientV4(2), clientV6(1), clientV6(2)])
    assert.equal(await reach(from, guarded, HANG_MS), 1, `${from} before`)
  assert.equal(tables(place), '', 'no table while nobody is silenced')

  kernel.drop([clientV4(1), clientV6(1)], 600)
  await until(isIn(kernel), 'silenced')
  assert.equal(await reach(clientV4(1), guarded, 300), 0)
  assert.equal(await reach(clientV6(1), guarded, 300), 0)
  for (const from of [clientV4(2), clientV6(2)]) assert.equal(await reach(from, guarded, HANG_MS), 1, from)
  for (const from of [clientV4(1), clientV6(1)]) assert.equal(await reach(from, other, HANG_MS), 1, from)
  await until(async () => ((await kernel.status()).table?.packets ?? 0) >= 2, 'packets are counted')

  kernel.release([`${clientV4(1)}/32`])
  await until(isIn(kernel), 'released')
  // What is sent again and again comes through, however late the release.
  assert.equal(await reach(clientV4(1), guarded, HANG_MS), 1)

  kernel.drop([clientV4(1)], 1)
  await until(isIn(kernel), 'silenced for a second')
  assert.equal(await reach(clientV4(1), guarded, HANG_MS), 1, 'it ends by itself')

  await ends(child, 'SIGTERM')
  assert.equal(tables(place), '')
})

test('who floods on after having been dropped ends in the kernel, and the operator lets him out', {
  skip,
}, async () => {
  const place = lab as Lab
  const server = new Worker(place.server([...NODE, WORKER]))
  const client = new Worker(place.client([...NODE, WORKER]))
  const origin = await server.order({ do: 'listen', host: '127.0.0.1', holds: true })
  const folder = scratchFolder()
  const config = join(folder, 'digue.yaml')
  writeFileSync(
    config,
    JSON.stringify({
      state: folder,
      threads: 1,
      listen: [{ address: SERVER.v4, port: 8080 }],
      admin: { metrics: 'off', socket: 'd.sock' },
      log: { level: 'info', requests: 'none' },
      kernel: { socket: join(folder, 'none.sock') },
      sites: [{ host: '*', origin: `http://127.0.0.1:${origin}`, maxInFlight: 1 }],
    }),
  )
  const command = place.server([...NODE, MAIN, 'run', '--config', config])
  const digue = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  after(() => digue.kill('SIGKILL'))
  const codes: unknown[] = []
  const lines = createInterface({ input: digue.stdout! })
  let isServing = false
  lines.on('line', (line) => {
    const { code, msg } = JSON.parse(line) as Record<string, unknown>
    codes.push(code)
    if (msg === 'serving') isServing = true
  })
  await until(() => isServing || digue.exitCode !== null, 'serving')
  const socket = join(folder, 'd.sock')
  const status = () => sendCommand(socket, { command: 'kernel' }) as Promise<KernelStatus>
  await until(async () => (await status()).state === 'ready', 'a helper can be started')

  const from = clientV4(50)
  const target = { to: SERVER.v4, port: 8080 }
  await until(async () => {
    await client.order({ do: 'flood', ...target, from, requests: 200 })
    const { table } = await status()
    return table?.state === 'active' && table.entries.v4 === 1
  }, 'silenced')
  assert.equal((await status()).via, 'child')
  assert.equal(await client.order({ do: 'connect', ...target, from, withinMs: 300 }), 0)
  assert.equal(
    await client.order({ do: 'connect', ...target, from: clientV4(51), withinMs: HANG_MS }),
    1,
    'his neighbour',
  )

  await sendCommand(socket, {
    command: 'addDecision',
    wish: { effect: 'allow', cidr: `${clientV4(50)}/32`, note: '', forMs: 60_000 },
  })
  assert.equal(await client.order({ do: 'connect', ...target, from, withinMs: HANG_MS }), 1, 'let out')

  const another = clientV4(52)
  await until(async () => {
    await client.order({ do: 'flood', ...target, from: another, requests: 200 })
    return (await status()).table?.entries.v4 === 1
  }, 'another is silenced')
  await sendCommand(socket, { command: 'attack', mode: 'off' })
  assert.equal(
    await client.order({ do: 'connect', ...target, from: another, withinMs: HANG_MS }),
    1,
    'whoever ends the defence ends it in the kernel',
  )
  assert.ok(codes.includes('kernel-ready') && codes.includes('kernel-table'), String(codes))
  digue.kill('SIGKILL')
  await until(() => tables(place) === '', 'gone with a Digue that was killed')
})

test('whoever dies, the main process, the helper or nft, nothing of ours stays', { skip }, async () => {
  const place = lab as Lab
  const { socket, child } = await helperIn(place, { ports: [80] })
  const first = await dropTo(socket)
  first.kernel.drop([clientV4(10)], 600)
  await until(isIn(first.kernel), 'silenced')
  first.kernel.close()
  await until(() => tables(place) === '', 'gone with the main process')

  const second = await dropTo(socket)
  second.kernel.drop([clientV4(10)], 600)
  await until(isIn(second.kernel), 'silenced again')
  const { table } = await second.kernel.status()
  await ends(child, 'SIGKILL')
  // An old kernel has no owned tables: there, entries end by themselves and the next start removes the rest.
  if (table!.owned) await until(() => tables(place) === '', 'gone with the helper')
  await until(async () => (await second.kernel.status()).state === 'unavailable', 'noticed')
  second.kernel.close()
  if (!table!.owned) place.runAtServer(['nft', 'delete', 'table', 'inet', 'digue'])
})

test('other tables are never touched, and a flushed ruleset is made again', { skip }, async () => {
  const place = lab as Lab
  const rules = join(scratchFolder(), 'firewall.nft')
  writeFileSync(
    rules,
    `flush ruleset
table inet filter {
  set drop4 { type ipv4_addr; flags timeout; }
  set drop6 { type ipv6_addr; flags timeout; }
  chain input { type filter hook input priority 0; policy accept; ip saddr @drop4 tcp dport 80 drop; }
}
`,
  )
  place.runAtServer(['nft', '-f', rules])
  const before = place.runAtServer(['nft', 'list', 'table', 'inet', 'filter'])
  const { socket, child } = await helperIn(place, { ports: [80] })
  const { kernel } = await dropTo(socket)
  kernel.drop([clientV4(20)], 600)
  await until(isIn(kernel), 'silenced')
  assert.equal(place.runAtServer(['nft', 'list', 'table', 'inet', 'filter']), before)
  place.runAtServer(['nft', '-f', rules])
  const standing = () =>
    tables(place).includes('digue') &&
    place.runAtServer(['nft', 'list', 'set', 'inet', 'digue', 'drop4']).includes(clientV4(20))
  await until(standing, 'there again')
  await ends(child, 'SIGTERM')
  assert.equal(tables(place), 'table inet filter\n')
  assert.equal(place.runAtServer(['nft', 'list', 'table', 'inet', 'filter']), before)

  const sets = await helperIn(place, { ports: [80], kernel: { mode: 'set-only', table: 'filter' } })
  const filler = await dropTo(sets.socket)
  filler.kernel.drop([clientV4(21)], 600)
  await until(isIn(filler.kernel), 'in the operator’s set')
  const inSet = () =>
    place.runAtServer(['nft', 'list', 'set', 'inet', 'filter', 'drop4']).includes(clientV4(21))
  assert.ok(inSet())
  place.runAtServer(['nft', '-f', rules])
  await until(inSet, 'there again after the firewall was loaded anew')
  await until(() => filler.events.some(({ code }) => code === 'kernel-flushed'), 'said')
  await ends(sets.child, 'SIGTERM')
  assert.equal(place.runAtServer(['nft', 'list', 'table', 'inet', 'filter']), before)
  place.runAtServer(['nft', 'delete', 'table', 'inet', 'filter'])
})

test('the machine’s own addresses and its gateways are never silenced', { skip }, async () => {
  const place = lab as Lab
  const { socket, child } = await helperIn(place, { ports: [80], kernel: { never: [`${clientV4(0)}/28`] } })
  const { kernel } = await dropTo(socket)
  // Its own, the gateway to 198.19.0.0/16, its own /64 (two addresses, one entry), and one that is listed.
  kernel.drop([SERVER.v4, '198.18.0.2', SERVER.v6, '2001:db8:1::ffff', clientV4(3), clientV4(30)], 600)
  let status: KernelStatus | undefined
  await until(async () => (status = await kernel.status()).table?.added === 1, 'one of them')
  assert.deepEqual(status!.table!.refused, { 'not-an-address': 0, reserved: 0, listed: 1, own: 3 })
  await ends(child, 'SIGTERM')
})

test('without the privilege it says so with what to do, and goes on', {
  skip: skip || (setpriv === undefined ? 'setpriv is not installed' : false),
}, async () => {
  const place = lab as Lab
  const before = [setpriv!, '--bounding-set=-net_admin', '--inh-caps=-net_admin']
  const { socket, child, said } = await helperIn(place, { ports: [80], before })
  const { kernel, events } = await dropTo(socket)
  kernel.drop([clientV4(40)], 600)
  await until(() => events.some(({ code }) => code === 'kernel-fault'), 'told')
  assert.match(events.find(({ code }) => code === 'kernel-fault')!.message, /CAP_NET_ADMIN/)
  assert.match(said.join('\n'), /CAP_NET_ADMIN/)
  assert.match((await kernel.status()).reason, /permitted/)
  await ends(child, 'SIGTERM')
})
