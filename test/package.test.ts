/** What a stranger gets: the packed tarball, installed into an empty folder, serves a site. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'

const root = path.join(import.meta.dirname, '..')
/** The Node that runs this test comes first, for npx and the package's #! line. */
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH']}`,
}
delete env['NODE_OPTIONS']

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

describe('the packed tarball', () => {
  let folder: string
  let packed: Packed
  let origin: Server
  let digue: ChildProcess | undefined
  let output = ''

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'digue-package-'))
    // Scripts print before the JSON; built first, packed without them.
    npm(root, 'run', 'build')
    packed = (
      JSON.parse(npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder)) as Packed[]
    )[0]!
    env['XDG_STATE_HOME'] = path.join(folder, 'state')
    delete env['STATE_DIRECTORY']
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
    install(path.join(folder, packed.filename))
    origin = createServer((request, response) =>
      response.setHeader('x-origin', 'reached').end(`page ${request.url}`),
    )
    origin.listen(0, '127.0.0.1')
    await once(origin, 'listening')
  })

  after(async () => {
    if (digue !== undefined) signalAll(digue, 'SIGKILL')
    origin?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function npm(cwd: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('npm', args, { cwd, env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
    return stdout
  }

  /** Dependencies come from the registry or npm's cache. Without either, they are copied from this checkout. */
  function install(tarball: string): void {
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1']
    try {
      npm(folder, 'install', ...options, tarball)
    } catch (error) {
      if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(String(error)))
        throw error
      console.log('# the registry cannot be reached: dependencies are copied from this checkout')
      const modules = path.join(folder, 'node_modules')
      for (const from of npm(root, 'ls', '--omit=dev', '--all', '--parseable').trim().split('\n').slice(1)) {
        cpSync(from, path.join(modules, path.relative(path.join(root, 'node_modules'), from)), {
          recursive: true,
        })
      }
      const target = path.join(modules, 'digue')
      mkdirSync(target, { recursive: true })
      execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
      mkdirSync(path.join(modules, '.bin'), { recursive: true })
      execFileSync('ln', ['-s', '../digue/dist/cli/main.js', path.join(modules, '.bin', 'digue')])
    }
  }

  /** `npx digue …`, its output kept. */
  function start(...args: string[]): ChildProcess {
    output = ''
    const child = spawn('npx', ['--no-install', 'digue', ...args], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // npx starts a shell that starts Digue: signals go to all of them.
      detached: true,
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
    digue = child
    return child
  }

  /** The first answer, asked for until there is one. */
  async function firstAnswer(child: ChildProcess, url: string): Promise<Response> {
    for (;;) {
      try {
        return await fetch(url, { signal: AbortSignal.timeout(5000) })
      } catch (error) {
        if (child.exitCode !== null)
          throw new Error(`digue ended with ${child.exitCode}:\n${output}`, { cause: error })
        await wait(50)
      }
    }
  }

  /** Ends all of it and waits for the last to close its output; a Digue that does not end in time is killed and fails. */
  async function stop(child: ChildProcess): Promise<void> {
    digue = undefined
    const closed = once(child, 'close')
    signalAll(child, 'SIGTERM')
    const patience = setTimeout(() => signalAll(child, 'SIGKILL'), 20_000)
    const [code, signal] = await closed
    clearTimeout(patience)
    assert.ok(code === 0 || code === 143 || signal === 'SIGTERM', `ended with ${code ?? signal}:\n${output}`)
  }

  function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // None is left.
    }
  }

  const originUrl = () => `http://127.0.0.1:${(origin.address() as AddressInfo).port}`

  test('carries JavaScript, declarations, data and licences; no source, no tests', () => {
    const names = packed.files.map((file) => file.path)
    for (const name of [
      'dist/cli/main.js',
      'dist/edge/mod.d.ts',
      'data/networks.bin',
      'data/network-names.tsv.gz',
      'data/NOTICE',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
    ]) {
      assert.ok(names.includes(name), `${name} is missing`)
    }
    assert.deepEqual(
      names.filter(
        (name) =>
          (name.endsWith('.ts') && !name.endsWith('.d.ts')) ||
          /\.(test|fixture)\.|^(src|test|bench|scripts)\//.test(name),
      ),
      [],
    )
  })

  test('its JavaScript names no TypeScript file to start', () => {
    for (const { path: name } of packed.files) {
      if (!name.endsWith('.js')) continue
      const text = readFileSync(path.join(folder, 'node_modules/digue', name), 'utf8')
      assert.doesNotMatch(
        text,
        /^(import|export)\b.*from '.*\.ts'|\bimport\('[^']*\.ts'\)|new URL\('(?!\.\.\/\.\.\/bench)[^']*\.ts'/m,
        name,
      )
    }
  })

  test('npx digue run --origin serves the site', { timeout: 60_000 }, async () => {
    const port = await freePort()
    const child = start('run', '--origin', originUrl(), '--port', String(port))
    const response = await firstAnswer(child, `http://127.0.0.1:${port}/hello?x=1`)
    assert.equal(response.status, 200, output)
    assert.equal(response.headers.get('x-origin'), 'reached')
    assert.equal(await response.text(), 'page /hello?x=1')
    await stop(child)
  })

  test('a configuration with two edge threads serves through its workers', { timeout: 60_000 }, async () => {
    const port = await freePort()
    writeFileSync(
      path.join(folder, 'digue.yaml'),
      `threads: 2\nlisten:\n  - { address: 127.0.0.1, port: ${port} }\nadmin: { metrics: "off" }\nsites:\n  - hosts: ["*"]\n    origins: ["${originUrl()}"]\n`,
    )
    const child = start('run', '--config', 'digue.yaml')
    await firstAnswer(child, `http://127.0.0.1:${port}/`)
    // Each on a connection of its own, so that they spread over the threads; few at a time, as from one visitor.
    for (let n = 0; n < 40; n += 8) {
      const pages = Array.from({ length: 8 }, (_, i) => `/${n + i}`)
      const answers = await Promise.all(
        pages.map((page) => fetch(`http://127.0.0.1:${port}${page}`, { headers: { connection: 'close' } })),
      )
      assert.deepEqual(
        await Promise.all(answers.map((answer) => answer.text())),
        pages.map((page) => `page ${page}`),
      )
    }
    await stop(child)
  })
})

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
