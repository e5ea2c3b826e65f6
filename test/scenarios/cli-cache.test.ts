/** Stored pages from the operator's side: seen, purged, kept over a restart, shown without the origin. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digue, get, running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()

/** A configuration of one site in `state`. */
function configure(state: string, origin: string): string {
  const file = `${state}.yaml`
  writeFileSync(
    file,
    `state: ${state}
threads: 2
listen: "127.0.0.1:0"
admin: { metrics: "off" }
sites: [{ host: a.example.org, origin: "${origin}" }]
`,
  )
  return file
}

async function json(...command: string[]) {
  const { code, out, err } = await digue([...command, '--json'])
  assert.equal(code, 0, err + out)
  return JSON.parse(out)
}

test('stored pages are seen and purged, last over a restart, and are shown without the origin', async () => {
  let asked = 0
  const origin = await startOrigin((incoming, response) => {
    asked++
    response.writeHead(200, {
      'cache-control': 'max-age=60',
      'surrogate-key': `all ${incoming.url!.slice(1)}`,
    })
    response.end(`page ${incoming.url}`)
  })
  const state = join(folder, 's')
  const config = configure(state, origin.url)
  let site = await running(['--config', config])
  assert.equal(statSync(join(state, 'cache')).mode & 0o777, 0o700)

  for (const path of ['/one', '/one', '/two', '/two?page=2', '/three']) await get(site.port, path)
  assert.equal(asked, 4)
  const status = await untilStored(config, 4)
  assert.deepEqual(
    status.sites.map(({ name, stores }) => [name, stores]),
    [['a.example.org', true]],
  )
  const text = await digue(['cache', 'status', '--config', config])
  assert.match(text.out, /^memory +4 /m)
  assert.match(text.out, /^disk +\d/m)
  assert.match(text.out, /^a\.example\.org /m)

  const purge = async (...what: string[]) =>
    (await json('cache', 'purge', ...what, '--config', config)).removed
  assert.equal(await purge('--url', 'https://a.example.org/two'), 1)
  assert.equal(await purge('--url', 'https://a.example.org/two'), 0)
  await get(site.port, '/two?page=2')
  assert.equal(asked, 4, 'another query is another page')
  assert.equal(await purge('--prefix', 'a.example.org/two'), 1)
  assert.equal(await purge('--tag', 'three', '--host', 'b.example.org'), 0)
  assert.equal(await purge('--tag', 'three'), 1)
  await site.line((line) => line['msg'] === 'the operator purged stored pages')
  const none = await digue(['cache', 'purge', '--url', 'a.example.org/three', '--config', config])
  assert.equal(none.code, 0)
  assert.match(none.out, /Nothing of that was stored\. .*--prefix/)
  await get(site.port, '/three')
  assert.equal(asked, 5)
  await untilStored(config, 2)

  assert.equal(await site.stop(), 0)
  origin.server.close()
  origin.server.closeAllConnections()
  site = await running(['--config', config])
  assert.deepEqual(await get(site.port, '/one'), { status: 200, body: 'page /one' })
  assert.equal((await get(site.port, '/two')).status, 502)
  assert.match(
    (await digue(['cache', 'purge', '--all', '--config', config])).out,
    /2 stored pages are forgotten/,
  )
  assert.equal((await get(site.port, '/one')).status, 502)
  assert.equal(await site.stop(), 0)
})

interface CacheStatus {
  readonly library: { readonly responses: number; readonly disk?: { readonly responses: number } }
  readonly sites: readonly { readonly name: string; readonly stores: boolean }[]
}

/** What a thread stores comes to the library, and to disk, a moment later. */
async function untilStored(config: string, responses: number): Promise<CacheStatus> {
  for (;;) {
    const status = (await json('cache', 'status', '--config', config)) as CacheStatus
    if (status.library.responses === responses && status.library.disk?.responses === responses) return status
    await sleep(50)
  }
}

test('where nothing can be kept on disk Digue serves from memory, and says so', async () => {
  const origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.end('page')
  })
  const state = join(folder, 't')
  const config = configure(state, origin.url)
  await (await running(['--config', config])).stop()
  // The folder's place is taken.
  rmSync(join(state, 'cache'), { recursive: true })
  writeFileSync(join(state, 'cache'), 'a file')
  const site = await running(['--config', config])
  await site.line((line) => line['code'] === 'cache-disk')
  assert.equal((await get(site.port)).body, 'page')
  origin.server.close()
  origin.server.closeAllConnections()
  assert.equal((await get(site.port)).body, 'page')
  assert.equal(await site.stop(), 0)
})

test('the metrics port counts stored pages', async () => {
  const origin = await startOrigin((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.end('page')
  })
  const state = join(folder, 'm')
  const config = configure(state, origin.url)
  const port = await freePort()
  writeFileSync(
    config,
    `state: ${state}\nlisten: "127.0.0.1:0"\nadmin: { metrics: "127.0.0.1:${port}" }\nsites: [{ host: a.example.org, origin: "${origin.url}" }]\n`,
  )
  const site = await running(['--config', config])
  await get(site.port)
  await get(site.port)
  let text = ''
  do {
    const asked = request({ host: '127.0.0.1', port, path: '/metrics', agent: false }).end()
    const [response] = await once(asked, 'response')
    text = ''
    for await (const chunk of response) text += chunk
  } while (!/digue_requests_total\{[^}]*action="store"/.test(text) || !/place="memory"\} 1$/m.test(text))
  assert.match(text, /^digue_cache_responses\{place="memory"\} 1$/m)
  assert.match(text, /^digue_cache_limit_bytes\{place="disk"\} 1000000000$/m)
  assert.equal(await site.stop(), 0)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

test('where nothing runs, or nothing is named, the exit code says which', async () => {
  const nowhere = ['--state', join(folder, 'nowhere')]
  assert.equal((await digue(['cache', 'status', ...nowhere])).code, 3)
  assert.equal((await digue(['cache', 'purge', '--all', ...nowhere])).code, 3)
  const unnamed = await digue(['cache', 'purge', ...nowhere])
  assert.equal(unnamed.code, 2)
  assert.match(unnamed.err, /expected a url, a prefix, a host, a tag, or all, got none of them/)
})
