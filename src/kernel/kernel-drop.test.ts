import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { after, test } from 'node:test'
import { type Helper, startHelper } from './helper.ts'
import { KernelDrop, type KernelEvent, type KernelOptions } from './kernel-drop.ts'
import { FakeKernel } from './nft.fixture.ts'

const SETTINGS = { mode: 'own', table: 'digue', maxEntries: 1000, ports: [80], never: [] } as const

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'digue-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function helperOn(kernel: FakeKernel, folder = scratch()): Promise<Helper> {
  const helper = await startHelper({
    settings: SETTINGS,
    folder,
    open: (onEnd) => kernel.open(onEnd),
    look: async () => ({ addresses: [] }),
    onEvent: () => {},
  })
  after(() => helper.close())
  return helper
}

function drop(options: Partial<KernelOptions>) {
  const events: KernelEvent[] = []
  const kernel = new KernelDrop({
    mode: 'auto',
    socket: '/nonexistent/kernel.sock',
    maxEntries: 1000,
    mayAdminister: async () => false,
    onEvent: (event) => events.push(event),
    ...options,
  })
  after(() => kernel.close())
  return { kernel, events, codes: () => events.map(({ code }) => code) }
}

/** Polls: what goes through sockets and gathered batches has no event of its own. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!(await is())) {
    assert.ok(performance.now() < endMs, `still not so after a minute: ${is}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A helper as a child would be: its end of a pair of streams. */
function child(helper: Helper): { spawn: () => Duplex; ends: Duplex[] } {
  const ends: Duplex[] = []
  return {
    ends,
    spawn: () => {
      const [ours, theirs] = duplexPair()
      ends.push(ours)
      helper.serve(theirs)
      return ours
    },
  }
}

test('offenders go through the socket into the kernel, each once', async () => {
  const fake = new FakeKernel()
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  const helper = await helperOn(fake, folder)
  await helper.listen(socket)
  assert.equal(statSync(socket).mode & 0o777, 0o660)
  const { kernel, codes } = drop({ socket })
  await kernel.open()
  assert.deepEqual(codes(), ['kernel-ready'])
  kernel.offend(['192.0.2.1', '192.0.2.1', '2001:db8::1', '2001:db8::2', 'nonsense', '10.0.0.1'])
  await until(() => fake.elements('drop4').length === 1)
  assert.deepEqual(fake.elements('drop6'), ['2001:db8::'])
  const status = await kernel.status()
  assert.equal(status.state, 'active')
  assert.equal(status.via, 'socket')
  assert.equal(status.table?.added, 2)
  assert.equal(status.told, 2)
  kernel.offend(['192.0.2.1'])
  assert.equal((await kernel.status()).pending, 0, 'said already')
})

test('more than a line holds goes in several, in order', async () => {
  const fake = new FakeKernel()
  const helper = await helperOn(fake)
  const { kernel } = drop({ spawn: child(helper).spawn, mayAdminister: async () => true })
  await kernel.open()
  kernel.drop(
    Array.from({ length: 1500 }, (_, n) => `198.18.${n >> 8}.${n & 255}`),
    60,
  )
  assert.equal((await kernel.status()).ignored, 500, 'beyond maxEntries')
  await until(() => fake.elements('drop4').length === 1000)
})

test('without a helper and without the right, it says so once and drops nothing', async () => {
  const { kernel, codes, events } = drop({})
  await kernel.open()
  await kernel.open()
  assert.deepEqual(codes(), ['kernel-unavailable'])
  assert.equal(events[0]!.level, 'info')
  assert.match(events[0]!.message, /ENOENT/)
  kernel.offend(['192.0.2.1'])
  const status = await kernel.status()
  assert.equal(status.state, 'unavailable')
  assert.equal(status.ignored, 1)
})

test('a flood over loopback or from the house starts no helper', async () => {
  let started = 0
  const { kernel } = drop({
    mayAdminister: async () => true,
    spawn: () => {
      started++
      return duplexPair()[0]
    },
  })
  await kernel.open()
  kernel.offend(['127.0.0.1', '::1', '10.0.0.7', '172.17.0.1', 'fd00::1', ''])
  assert.equal((await kernel.status()).pending, 0)
  kernel.offend(['192.0.2.1'])
  await until(() => started === 1)
})

test('off is off', async () => {
  const { kernel, codes } = drop({ mode: 'off', mayAdminister: async () => true })
  await kernel.open()
  kernel.offend(['192.0.2.1'])
  assert.equal((await kernel.status()).state, 'off')
  assert.deepEqual(codes(), [])
})

test('a main process that dies takes its entries along', async () => {
  const fake = new FakeKernel()
  const helper = await helperOn(fake)
  const { spawn, ends } = child(helper)
  const { kernel } = drop({ spawn, mayAdminister: async () => true })
  await kernel.open()
  kernel.offend(['192.0.2.1'])
  await until(() => fake.elements('drop4').length === 1)
  ends[0]!.destroy()
  await until(() => fake.tables.size === 0)
  await until(async () => (await kernel.status()).state === 'unavailable')
})

test('who only asks for the status takes nothing along', async () => {
  const fake = new FakeKernel()
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  const helper = await helperOn(fake, folder)
  await helper.listen(socket)
  const { kernel } = drop({ socket })
  await kernel.open()
  kernel.offend(['192.0.2.1'])
  await until(() => fake.elements('drop4').length === 1)
  const other = connect(socket)
  other.write('{"id":1,"status":true}\n')
  await once(other, 'data')
  other.destroy()
  await once(other, 'close')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(fake.elements('drop4'), ['192.0.2.1'])
})

test('a helper that ended is told again what still stands, when it is back', async () => {
  const fake = new FakeKernel()
  const helper = await helperOn(fake)
  const { spawn, ends } = child(helper)
  const { kernel, codes } = drop({ spawn, mayAdminister: async () => true })
  await kernel.open()
  kernel.offend(['192.0.2.1', '192.0.2.2'])
  await until(() => fake.elements('drop4').length === 2)
  ends[0]!.destroy()
  await until(() => fake.tables.size === 0)
  await until(() => codes().includes('kernel-lost'))
  // What the next try would do, without waiting for it.
  await kernel.open()
  await until(() => fake.elements('drop4').length === 2)
  assert.deepEqual(
    codes().filter((code) => code !== 'kernel-table'),
    ['kernel-ready', 'kernel-lost', 'kernel-ready'],
  )
})

test('who is released while the helper is away is not silenced when it is back', async () => {
  const fake = new FakeKernel()
  const helper = await helperOn(fake)
  const { spawn, ends } = child(helper)
  const { kernel, codes } = drop({ spawn, mayAdminister: async () => true })
  await kernel.open()
  kernel.offend(['192.0.2.1', '198.51.100.1', '2001:db8::7'])
  await until(() => fake.elements('drop4').length + fake.elements('drop6').length === 3)
  ends[0]!.destroy()
  await until(() => codes().includes('kernel-lost') && fake.tables.size === 0)
  kernel.release(['192.0.2.0/24', '2001:db8::9/128'])
  await kernel.open()
  await until(() => fake.elements('drop4').length === 1)
  assert.deepEqual(fake.elements('drop4'), ['198.51.100.1'])
  assert.deepEqual(fake.elements('drop6'), [], 'the /64 of an address that is released')
})

test('a release reaches the kernel, and who goes on is silenced again', async () => {
  const fake = new FakeKernel()
  const helper = await helperOn(fake)
  const { kernel } = drop({ spawn: child(helper).spawn, mayAdminister: async () => true })
  await kernel.open()
  kernel.offend(['192.0.2.1', '198.51.100.1'])
  await until(() => fake.elements('drop4').length === 2)
  kernel.release(['192.0.2.0/24'])
  await until(() => fake.elements('drop4').length === 1)
  assert.deepEqual(fake.elements('drop4'), ['198.51.100.1'])
  kernel.offend(['192.0.2.1'])
  await until(() => fake.elements('drop4').length === 2)
  kernel.release('all')
  await until(() => fake.elements('drop4').length === 0)
})

test('whatever is sent to the helper, it stays up and adds nothing that is no address', async () => {
  const fake = new FakeKernel()
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  const helper = await helperOn(fake, folder)
  await helper.listen(socket)
  for (const text of [
    'GET / HTTP/1.1\r\n\r\n',
    '{"id":1,"drop":["192.0.2.1 }; flush ruleset; #"],"seconds":60}\n',
    '{"id":1,"drop":["0.0.0.0/0","::/0"],"seconds":60}\n',
    '{"id":1,"drop":["192.0.2.1"],"seconds":99999999}\n',
    `{"id":1,"release":["${'('.repeat(64)}"]}\n`,
    `${'['.repeat(60_000)}\n`,
    'x'.repeat(200_000),
  ]) {
    const client = connect(socket)
    client.on('error', () => {})
    client.end(text)
    client.resume()
    await new Promise((resolve) => client.once('close', resolve))
  }
  const { kernel } = drop({ socket })
  await kernel.open()
  const status = await kernel.status()
  assert.equal(status.table?.added, 0)
  assert.equal(fake.sessions.length, 0)
})

test('connections to the helper are bounded', async () => {
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  const helper = await helperOn(new FakeKernel(), folder)
  await helper.listen(socket)
  const clients = Array.from({ length: 9 }, () => connect(socket))
  await Promise.race(clients.map((client) => once(client.resume(), 'close')))
  const open = clients.filter((client) => !client.destroyed)
  assert.equal(open.length, 8)
  for (const client of open) client.destroy()
})

test('a second helper does not take the socket of one that runs', async () => {
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  await (await helperOn(new FakeKernel(), folder)).listen(socket)
  await assert.rejects((await helperOn(new FakeKernel(), folder)).listen(socket), /EADDRINUSE/)
})

test('what is left of a killed helper is no hindrance; a file that is no socket is not removed', async () => {
  const folder = scratch()
  const socket = join(folder, 'kernel.sock')
  const killed = spawnSync(process.execPath, [
    '-e',
    'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))',
    socket,
  ])
  assert.equal(killed.signal, 'SIGKILL')
  await (await helperOn(new FakeKernel(), folder)).listen(socket)
  const file = join(folder, 'precious')
  writeFileSync(file, 'x')
  await assert.rejects((await helperOn(new FakeKernel(), folder)).listen(file), /EADDRINUSE/)
  assert.equal(readFileSync(file, 'utf8'), 'x')
})
