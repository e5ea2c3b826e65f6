import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT } from './output.ts'
import { main } from './program.ts'

async function digue(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await main(args, { out: (text) => void (out += text), error: (text) => void (err += text) })
  return { code, out, err }
}

const COMMANDS = [
  'start',
  'run',
  'demo',
  'check',
  'status',
  'attack',
  'bypass',
  'doctor',
  'decisions',
  'signatures',
  'cache',
  'lists',
  'kernel',
  'kernel-helper',
  'rule',
  'replay',
  'hash-token',
  'schema',
]

test('every command is listed and has help with an example', async () => {
  const { code, out } = await digue('--help')
  assert.equal(code, EXIT.ok)
  for (const name of COMMANDS) {
    assert.match(out, new RegExp(`^ {2}${name}\\b`, 'm'))
    const help = await digue(name, '--help')
    assert.equal(help.code, EXIT.ok)
    assert.match(help.out, /Examples?:\n {2}\S/, name)
  }
})

test('commands that ask or tell a running Digue can answer in JSON', async () => {
  for (const name of ['check', 'status', 'attack', 'bypass', 'doctor'])
    assert.match((await digue(name, '--help')).out, /--json/)
  for (const name of ['list', 'add', 'delete'])
    assert.match((await digue('decisions', name, '--help')).out, /--json/)
})

test('every command of a command has help with an example, and answers in JSON where it says something', async () => {
  const groups: Record<string, readonly string[]> = {
    decisions: ['list', 'add', 'delete'],
    signatures: ['list', 'pin', 'forbid', 'effect', 'release', 'export'],
    cache: ['check', 'status', 'purge'],
    lists: ['refresh', 'release'],
    kernel: ['status'],
    rule: ['list', 'test'],
  }
  for (const [group, names] of Object.entries(groups)) {
    for (const name of names) {
      const { code, out } = await digue(group, name, '--help')
      assert.equal(code, EXIT.ok)
      assert.match(out, /Examples?:\n {2}digue /, `${group} ${name}`)
      // Options of `lists` hold for its commands.
      if (group !== 'lists') assert.match(out, /--json/, `${group} ${name}`)
    }
  }
})

test('with --json an error is JSON on stdout, and the exit code is the same', async () => {
  const cases: [string[], string, RegExp][] = [
    [['status', '--socket', '/nonexistent/digue.sock'], 'DIGUE_NOT_RUNNING', /no Digue runs at/],
    [['decisions', 'list', '--socket', '/nonexistent/digue.sock'], 'DIGUE_NOT_RUNNING', /no Digue runs at/],
    [['decisions', 'add', '--cidr', '192.0.2.0/24'], 'DIGUE_CLI', /--allow or --refuse/],
    [['attack', 'perhaps'], 'DIGUE_USAGE', /on, off, auto/],
  ]
  for (const [args, code, message] of cases) {
    const plain = await digue(...args)
    const asked = await digue(...args, '--json')
    const told = JSON.parse(asked.out) as { error: string; code: string }
    assert.equal(told.code, code)
    assert.match(told.error, message)
    assert.equal(asked.code, plain.code)
    assert.equal(plain.out, '')
    assert.match(plain.err, message)
  }
})

test('a slip on the command line ends with 2 and a hint', async () => {
  const cases: [string[], RegExp][] = [
    [['statsu'], /status/],
    [['run', '--orgin', 'x'], /--origin/],
    [['start', '--port', '99999'], /port from 0 to 65535/],
    [['attack', 'perhaps'], /on, off, auto/],
    [['decisions', 'add', '--refuse', '--cidr', '192.0.2.0/24', '--for', 'ever'], /duration/],
    [['decisions', 'add', '--cidr', '192.0.2.0/24'], /--allow or --refuse/],
    [['decisions', 'add', '--refuse', '--cidr', '192.0.2.0/24', '--asn', '64496'], /exactly one/],
    [['cache', 'purge'], /expected a url, a prefix, a host, a tag, or all/],
    [['cache', 'purge', '--url', '/news'], /--url: expected host and path/],
    [['cache', 'purge', '--all', '--host', 'a.example.org'], /expected one of them/],
    [['cache', 'check'], /url/],
    [['cache', 'check', 'www.example.org'], /expected a page such as https/],
    [['cache', 'check', 'https://a:b@www.example.org/'], /without user and password/],
    [['cache', 'check', 'https://www.example.org/', '--origin', '127.0.0.1:80'], /--origin: expected/],
  ]
  for (const [args, hint] of cases) {
    const { code, err } = await digue(...args)
    assert.equal(code, EXIT.usage, args.join(' '))
    assert.match(err, hint)
  }
})
