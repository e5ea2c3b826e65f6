import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { readOffer } from '../load/offer.ts'
import { Proof } from '../load/puzzle.ts'
import { seeded } from '../load/random.ts'
import { startStaticChallenge } from './static-challenge-main.ts'

async function standing(work: (base: string) => Promise<void>) {
  const origin = createServer((request, response) => response.end(`real ${request.url}`))
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const port = (server: Server) => (server.address() as AddressInfo).port
  const server = startStaticChallenge(0, port(origin))
  await once(server, 'listening')
  try {
    await work(`http://127.0.0.1:${port(server)}`)
  } finally {
    for (const one of [server, origin]) {
      one.closeAllConnections()
      one.close()
    }
  }
}

test('one part of one puzzle buys a pass for a week of pages', async () => {
  await standing(async (base) => {
    const page = await fetch(`${base}/article/1`)
    const offer = readOffer(await page.text())!
    assert.equal(offer.price, 1)
    assert.equal(offer.isStatic, true)
    const proof = new Proof(offer, seeded(1))
    proof.solve(1)
    const answer = await fetch(base + proof.target())
    assert.equal(((await answer.json()) as { status: string }).status, 'paid')
    const pass = answer.headers.get('set-cookie')!
    assert.match(pass, /Max-Age=604800/)
    const cookie = pass.split(';')[0]!
    for (let i = 0; i < 3; i++) {
      const served = await fetch(`${base}/article/${i}`, { headers: { cookie } })
      assert.equal(await served.text(), `real /article/${i}`)
    }
  })
})

test('a forged pass, a forged challenge and a wrong part buy nothing', async () => {
  await standing(async (base) => {
    const offer = readOffer(await (await fetch(base)).text())!
    const forged = await fetch(base, {
      headers: { cookie: 'static_pass=zzzzzz.AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA' },
    })
    assert.ok(readOffer(await forged.text()))
    const proof = new Proof({ ...offer, challenge: `${offer.challenge.slice(0, -4)}AAAA` }, seeded(1))
    proof.solve(1)
    assert.equal((await fetch(base + proof.target())).status, 403)
    const empty = new Proof(offer, seeded(1))
    assert.equal((await fetch(base + empty.target())).status, 403)
  })
})
