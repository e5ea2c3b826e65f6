/** Lists of networks in a serving Digue: who is on one, the operator's word on it, and CrowdSec's decisions. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startFakeCrowdSec } from '../../src/lists/crowdsec.fixture.ts'
import { digue, get, running, scratchFolder, startOrigin } from './cli-harness.ts'

const folder = scratchFolder()

/** Asks again until it is so: what a list says reaches the edge within a second or two, whatever the machine. */
async function until<T>(look: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look()
    if (isSo(value)) return value
    await delay(50)
  }
}

test('who is on a list is refused, weighed or let in, as far as the list may act', {
  timeout: 120_000,
}, async () => {
  await using lapi = await startFakeCrowdSec()
  const origin = await startOrigin((_request, response) => response.end('the real page'))
  const state = join(folder, 's')
  const config = join(folder, 'digue.yaml')
  const list = join(folder, 'drop.json')
  const office = join(folder, 'office.txt')
  const keyFile = join(folder, 'lapi.key')
  writeFileSync(list, '{"cidr":"203.0.113.0/24","sblid":"SBL1"}\n{"type":"metadata","records":1}\n')
  writeFileSync(office, '# us\n203.0.113.77\n')
  writeFileSync(keyFile, `${lapi.key}\n`)
  const write = (lists: string) =>
    writeFileSync(
      config,
      `state: ${state}
threads: 1
listen: "127.0.0.1:0"
admin: { metrics: "off" }
trustedProxies: ["127.0.0.1"]
sites: [{ host: "*", origin: "${origin.url}" }]
lists:
${lists}`,
    )
  const DROP = `  - { name: drop, file: ${list}, then: refuse, refresh: 1s }\n`
  const OFFICE = `  - { name: office, file: ${office}, then: allow }\n`
  const CROWDSEC = `  - { name: crowdsec, crowdsec: { url: "${lapi.url}", keyFile: ${keyFile} }, refresh: 1s }\n`
  lapi.add({ value: '198.51.100.9' })
  write(DROP + OFFICE + CROWDSEC)
  const site = await running(['--config', config])
  const statusFor = async (client: string) =>
    (await get(site.port, '/', { 'x-forwarded-for': client })).status
  const lists = async (...words: string[]) => {
    const { code, out, err } = await digue(['lists', ...words, '--config', config, '--json'])
    return { code, value: JSON.parse(out), err }
  }

  // Nothing is known of calm weather yet: a list takes a share in overload, and nobody's page.
  await site.line((line) => line['code'] === 'list-loaded' && line['list'] === 'drop')
  await site.line((line) => line['code'] === 'list-loaded' && line['list'] === 'crowdsec')
  assert.equal(await statusFor('203.0.113.5'), 200)
  assert.equal(await statusFor('198.51.100.9'), 200)
  const before = await lists()
  assert.deepEqual(
    before.value.map((one: { name: string; standing: string; networks: number }) => [
      one.name,
      one.standing,
      one.networks,
    ]),
    [
      ['drop', 'weight', 1],
      ['office', 'acting', 1],
      ['crowdsec', 'weight', 1],
    ],
  )
  assert.match((await digue(['lists', '--config', config])).out, /digue lists release drop/)

  // The operator knows better.
  assert.equal((await lists('release', 'drop')).value.standing, 'acting')
  assert.equal((await lists('release', 'crowdsec')).value.standing, 'acting')
  await until(
    () => statusFor('203.0.113.5'),
    (status) => status === 403,
  )
  await until(
    () => statusFor('198.51.100.9'),
    (status) => status === 403,
  )
  assert.equal(await statusFor('203.0.114.5'), 200)
  assert.equal(await statusFor('203.0.113.77'), 200, 'the office is let in, whoever else lists it')
  const refused = await site.line((line) => line['list'] === 'drop' && line['status'] === 403)
  assert.equal(refused['reason'], 'list')
  const wrong = await lists('release', 'nothing')
  assert.equal(wrong.code, 1)
  assert.match(wrong.value.error, /there is no list "nothing"; there are drop, office, crowdsec/)

  // Its file changes, and CrowdSec's mind; a broken file changes nothing.
  lapi.delete('198.51.100.9')
  lapi.add({ value: '198.51.100.10' })
  await until(
    () => statusFor('198.51.100.9'),
    (status) => status === 200,
  )
  await until(
    () => statusFor('198.51.100.10'),
    (status) => status === 403,
  )
  writeFileSync(`${list}.new`, '<html>not today</html>')
  renameSync(`${list}.new`, list)
  await site.line((line) => line['code'] === 'list-failing')
  assert.equal(await statusFor('203.0.113.5'), 403)
  const failing = await digue(['status', '--config', config])
  assert.match(failing.out, /list drop: expected a list of networks, got a page/)
  writeFileSync(`${list}.new`, '{"cidr":"203.0.112.0/24"}\n')
  renameSync(`${list}.new`, list)
  await until(
    () => statusFor('203.0.113.5'),
    (status) => status === 200,
  )
  await until(
    () => statusFor('203.0.112.5'),
    (status) => status === 403,
  )
  const hit = await until(
    () => lists(),
    ({ value }) => value[0].hitsPerMinute > 0,
  )
  assert.equal(hit.code, 0)

  // Taken out of the configuration, it is gone.
  write(OFFICE)
  site.child.kill('SIGHUP')
  await until(
    () => statusFor('203.0.112.5'),
    (status) => status === 200,
  )
  await until(
    () => statusFor('198.51.100.10'),
    (status) => status === 200,
  )
  assert.equal((await lists()).value.length, 1)
  assert.ok(!JSON.stringify(site.lines).includes(lapi.key))
  assert.equal(await site.stop(), 0)
})
