/** A flood's handwriting on the real command line: recognised, shown, pinned, hardened, exported, forbidden, kept. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { sendCommand } from '#console'
import type { SiteSignaturesStatus } from '#control'
import type { Signature } from '#recognise'
import { digue, running, scratchFolder, startOrigin } from './cli-harness.ts'

const BROWSERS = ['128.0', '131.0', '140.0'].map(
  (version) => `Mozilla/5.0 (X11; Linux x86_64; rv:${version}) Gecko/20100101 Firefox/${version}`,
)

/** One request from the i-th address of many. */
async function from(port: number, i: number, fields: Record<string, string>): Promise<number> {
  const asked = request({
    host: '127.0.0.1',
    localAddress: `127.${10 + (i >> 16)}.${(i >> 8) & 255}.${1 + (i % 250)}`,
    port,
    headers: { host: 'a.example.org', ...fields },
    agent: false,
  }).end()
  const [response] = await once(asked, 'response')
  response.resume()
  return response.statusCode
}

test('a flood is recognised by what its clients share, and the operator decides what becomes of them', async () => {
  const origin = await startOrigin((_request, response) => response.end('page'))
  const state = join(scratchFolder(), 's')
  const args = ['--origin', origin.url, '--listen', '127.0.0.1:0', '--state', state]
  const site = await running(args)
  const told = async (...command: string[]) => {
    const { code, out, err } = await digue(['signatures', ...command, '--state', state])
    assert.equal(code, 0, err)
    return out
  }
  // Asked again and again: not by a new process each time.
  const known = async () =>
    (await sendCommand(join(state, 'digue.sock'), { command: 'signatures' })) as SiteSignaturesStatus[]

  assert.match(await told(), /no signature in force. Too little calm weather is known yet/)
  const people = (first: number, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        from(site.port, first + i, {
          'user-agent': BROWSERS[i % 3]!,
          accept: 'text/html',
          'accept-language': 'fr',
          'accept-encoding': 'gzip',
        }),
      ),
    )
  // Calm weather is learned five seconds late, by a sample: visitors come until it is known.
  let visitors = 0
  do await people((visitors += 40) - 40, 40)
  while (!(await known())[0]!.isReady)

  assert.equal((await digue(['attack', 'on', '--state', state])).code, 0)
  const tool = { 'user-agent': 'FloodTool/1.0', 'x-tool': '1' }
  const bots = () => Promise.all(Array.from({ length: 60 }, (_, i) => from(site.port, 100_000 + i, tool)))
  let published: readonly Signature[] = []
  while (published.length === 0) {
    await bots()
    published = (await known())[0]!.published
  }
  const { id, reason } = published[0]!
  const words = /\d+ % of the clients now .+; in calm weather none of \d+ did/
  assert.match(reason, words)
  assert.equal((await site.line(({ code }) => code === 'signature'))['signature'], id)
  const text = await told()
  const listed: SiteSignaturesStatus[] = JSON.parse(await told('list', '--json'))
  assert.ok(listed[0]!.published.some((signature) => signature.id === id))
  // Its figures go on changing.
  assert.ok(text.includes(id) && words.test(text), text)

  const early = await digue(['signatures', 'effect', id, 'refuse', '--state', state])
  assert.equal(early.code, 1)
  assert.match(early.err, /pin it first/)
  assert.match(await told('pin', id), /stays in force for 24 h/)
  assert.match(await told('effect', id, 'refuse'), /the effect is refuse now/)
  while ((await from(site.port, 100_001, tool)) !== 403);
  const { sites } = JSON.parse(await told('export'))
  assert.equal(sites[0].signatures[0].id, id)
  for (const format of ['rules', 'nginx', 'haproxy', 'ddos-clearing-house'])
    assert.ok((await told('export', '--format', format)).includes(id), format)

  assert.equal(await site.stop(), 0)
  const again = await running(args)
  assert.equal(await from(again.port, 100_001, tool), 403, 'a restart does not undo what the operator said')
  assert.match(await told('forbid', id, '--note', 'ours'), /is forbidden until/)
  while ((await from(again.port, 100_001, tool)) === 403);
  assert.match(await told(), /Forbidden by you:\n {2}s\w+ {2}\d+ s ago {2}ours/)
  assert.match(await told('release', id), /neither pinned nor forbidden any more/)
  const twice = await digue(['signatures', 'release', id, '--state', state])
  assert.equal(twice.code, 1)
  assert.match(twice.err, /there is no signature|neither pinned nor forbidden/)
  const nowhere = await digue(['signatures', 'list', '--site', 'b.example', '--state', state])
  assert.equal(nowhere.code, 2)
  assert.equal((await digue(['signatures', 'pin', 'nonsense', '--state', state])).code, 1)
  assert.equal(await again.stop(), 0)
})
