/**
 * The recipes as written, run: the configurations in docs/recipes with their ports changed, a real
 * proxy, a real Digue, and an origin that says whom it was told to serve.
 * Needs Debian's nginx, haproxy and caddy; each test is left out where its proxy is missing.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfigText } from '#config'
import { running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()
const RECIPES = new URL('../../docs/recipes/', import.meta.url)

function blocks(recipe: string, language: string): string[] {
  const text = readFileSync(new URL(recipe, RECIPES), 'utf8')
  return [...text.matchAll(/^```(.+)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!)
}

function missing(program: string): string | false {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status === 0
    ? false
    : `${program} is not installed (apt install ${program})`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a proxy and waits until its port takes connections. */
async function proxy(command: string, args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin`, HOME: folder },
  })
  let err = ''
  child.stderr!.on('data', (data) => (err += data))
  after(() => child.kill('SIGTERM'))
  let ended = false
  child.on('exit', () => (ended = true))
  for (;;) {
    assert.equal(ended, false, `${command} ended: ${err}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return child
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** From 127.0.0.9, so that the client's address can be told from the proxy's. */
function getFrom9(
  port: number,
  fields: Record<string, string> = {},
): Promise<{ body: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port,
        localAddress: '127.0.0.9',
        headers: { host: 'www.example.org', ...fields },
        agent: false,
      },
      (response) => {
        let body = ''
        response.on('data', (data) => (body += data))
        response.on('end', () => resolve({ body, headers: response.headers }))
      },
    )
      .on('error', reject)
      .end()
  })
}

const tellsClient = () =>
  startOrigin((asked, response) =>
    response.end(`client ${asked.headers['x-forwarded-for']} host ${asked.headers.host}`),
  )

/** A recipe's YAML with other ports. */
function digueFile(recipe: string, ports: { readonly digue: number; readonly origin: string }): string {
  const here = mkdtempSync(join(folder, 'r-'))
  const text = blocks(recipe, 'yaml')[0]!
    .replace(/8080/g, String(ports.digue))
    .replace('":80"', `"127.0.0.1:${ports.digue}"`)
    .replace('http://127.0.0.1:3000', ports.origin)
  writeFileSync(join(here, 'digue.yaml'), `${text}state: s\nthreads: 1\nadmin: { metrics: "off" }\n`)
  return join(here, 'digue.yaml')
}

function nginxFile(text: string): string {
  const here = mkdtempSync(join(folder, 'n-'))
  mkdirSync(join(here, 'tmp'))
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${here}/tmp/${kind};`)
    .join('\n')
  const file = join(here, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off;\nmaster_process off;\npid ${here}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temp}\n${text}\n}\n`,
  )
  return file
}

test('every YAML block of the recipes is a configuration without faults but for files that are not here', () => {
  let seen = 0
  for (const recipe of readdirSync(RECIPES)) {
    for (const text of [...blocks(recipe, 'yaml'), ...blocks(recipe, 'yaml https')]) {
      seen++
      const result = readConfigText(text, { folder, selfSigned: true })
      if (result.ok) continue
      const faults = result.faults.filter((fault) => !/ENOENT/.test(fault.message))
      assert.deepEqual(faults, [], recipe)
    }
  }
  assert.ok(seen >= 6)
})

test('behind nginx the origin is told the client, whatever the client claims', {
  skip: missing('nginx'),
}, async () => {
  const origin = await tellsClient()
  const [outer, inner] = [await freePort(), await freePort()]
  const site = await running(['--config', digueFile('behind-nginx.md', { digue: inner, origin: origin.url })])
  await proxy(
    'nginx',
    [
      '-c',
      nginxFile(
        blocks('behind-nginx.md', 'nginx')[0]!
          .replace('listen 80;', `listen 127.0.0.1:${outer};`)
          .replace('8080', String(inner)),
      ),
    ],
    outer,
  )
  const { body } = await getFrom9(outer, { 'x-forwarded-for': '192.0.2.66' })
  assert.match(body, /^client 127\.0\.0\.9(, 127\.0\.0\.1)? host www\.example\.org$/)
  assert.equal(await site.stop(), 0)
})

test('before nginx the site’s server sees the client’s address', { skip: missing('nginx') }, async () => {
  const [outer, inner] = [await freePort(), await freePort()]
  await proxy(
    'nginx',
    [
      '-c',
      nginxFile(
        blocks('before-nginx.md', 'nginx')[0]!
          .replace('127.0.0.1:3000', `127.0.0.1:${inner}`)
          .replace('add_header X-Seen-Client $remote_addr', 'add_header X-Seen-Client $remote_addr always'),
      ),
    ],
    inner,
  )
  const site = await running([
    '--config',
    digueFile('before-nginx.md', { digue: outer, origin: `http://127.0.0.1:${inner}` }),
  ])
  const { headers } = await getFrom9(outer, { 'x-forwarded-for': '192.0.2.66' })
  assert.equal(headers['x-seen-client'], '127.0.0.9')
  assert.equal(await site.stop(), 0)
})

test('behind Caddy the origin is told the client', { skip: missing('caddy') }, async () => {
  const origin = await tellsClient()
  const [outer, inner] = [await freePort(), await freePort()]
  const site = await running(['--config', digueFile('caddy.md', { digue: inner, origin: origin.url })])
  const file = join(folder, 'Caddyfile')
  writeFileSync(
    file,
    `{\n\tadmin off\n\tauto_https off\n}\n${blocks('caddy.md', 'caddy')[0]!.replace(':80 {', `http://:${outer} {`).replace('8080', String(inner))}`,
  )
  await proxy('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], outer)
  const { body } = await getFrom9(outer, { 'x-forwarded-for': '192.0.2.66' })
  assert.match(body, /^client 127\.0\.0\.9(, 127\.0\.0\.1)? host www\.example\.org$/)
  assert.equal(await site.stop(), 0)
})

test('behind HAProxy the PROXY protocol tells the client', { skip: missing('haproxy') }, async () => {
  const origin = await tellsClient()
  const [outer, inner] = [await freePort(), await freePort()]
  const site = await running(['--config', digueFile('haproxy.md', { digue: inner, origin: origin.url })])
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    blocks('haproxy.md', 'haproxy')[0]!
      .replace('bind :80', `bind 127.0.0.1:${outer}`)
      .replace('8080', String(inner)),
  )
  await proxy('haproxy', ['-db', '-f', file], outer)
  const { body } = await getFrom9(outer, { 'x-forwarded-for': '192.0.2.66' })
  assert.match(body, /^client 127\.0\.0\.9 host www\.example\.org$/)
  assert.equal(await site.stop(), 0)
})

for (const name of ['digue.service', 'digue-kernel.service'])
  test(`systemd accepts ${name}`, { skip: missing('systemd-analyze') }, () => {
    const unit = join(folder, name)
    writeFileSync(unit, readFileSync(new URL(`../../packaging/${name}`, import.meta.url)))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.ok(!stderr.includes(name), stderr)
  })
