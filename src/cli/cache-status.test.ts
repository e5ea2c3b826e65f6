import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CacheReport, CacheStatus } from '#console'
import { purgeOf } from './cache-purge.ts'
import { cacheStatusText } from './cache-status.ts'

const DISK = {
  responses: 1234,
  bytes: 98_765_432,
  reads: 0,
  writes: 0,
  evicted: 0,
  faults: 0,
  failures: 0,
  writesDropped: 0,
  unfit: 0,
}
const LIBRARY: CacheReport = {
  responses: 120,
  memoryBytes: 5_400_000,
  evicted: 0,
  notAdmitted: 0,
  variantsDropped: 0,
  outdated: 0,
  compressed: 0,
  compressionsSkipped: 0,
  disk: DISK,
}
const STATUS: CacheStatus = {
  library: LIBRARY,
  memoryBytes: 64e6,
  diskBytes: 1e9,
  sites: [
    { name: 'a.example.org', stores: true, fromStore: { fresh: 90, stale: 5, emergency: 0 }, fromOrigin: 5 },
    {
      name: 'b\u001b[2J.example.org',
      stores: false,
      fromStore: { fresh: 0, stale: 0, emergency: 0 },
      fromOrigin: 7,
    },
    { name: 'c.example.org', stores: true, fromStore: { fresh: 0, stale: 0, emergency: 0 }, fromOrigin: 0 },
  ],
  sitesLeftOut: 2,
}

test('what is stored, and the share of each site that it serves', () => {
  const text = cacheStatusText(STATUS)
  assert.match(text, /^memory +120 +5\.4 MB +64 MB$/m)
  assert.match(text, /^disk +1234 +99 MB +1\.0 GB$/m)
  assert.match(text, /^a\.example\.org +95 % +90 +5\.0 +0 +5\.0$/m)
  assert.match(text, /^b�\[2J\.example\.org +not stored +0 +0 +0 +7\.0$/m)
  assert.match(text, /^c\.example\.org +– /m)
  assert.match(text, /and 2 quieter sites/)
  assert.doesNotMatch(text, /cache\.memory|cache\.disk|!/)
})

test('what went wrong is told with what to do', () => {
  const told = (library: CacheReport | undefined) => cacheStatusText({ ...STATUS, library })
  assert.match(told({ ...LIBRARY, evicted: 3 }), /too small for 3 pages.*raise cache\.memory/)
  assert.match(
    told({ ...LIBRARY, disk: { ...DISK, evicted: 4 } }),
    /too small for 4 pages.*raise cache\.disk/,
  )
  assert.match(
    told({ ...LIBRARY, disk: { ...DISK, failures: 5 } }),
    /refused 5 reads or writes: look at its space/,
  )
  assert.match(told({ ...LIBRARY, disk: { ...DISK, faults: 6 } }), /^! 6 pages on disk/m)
  assert.match(told({ ...LIBRARY, disk: undefined }), /a restart forgets all/)
  assert.match(told(undefined), /Nothing is stored/)
})

test('a purge is what its options say', () => {
  assert.deepEqual(purgeOf({ url: 'https://A.example.org/x' }), { url: 'a.example.org/x' })
  assert.deepEqual(purgeOf({ tag: 't', host: 'a.example.org', json: true, state: '/x' }), {
    tag: 't',
    host: 'a.example.org',
  })
  assert.deepEqual(purgeOf({ all: true }), { all: true })
  assert.throws(() => purgeOf({ url: 'a.example.org', prefix: 'a.example.org' }), /^.*expected one of them/)
  assert.throws(() => purgeOf({ url: '/x' }), /^.*--url: expected host and path/)
})
