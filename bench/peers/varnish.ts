/**
 * Varnish with its built-in VCL. Plain HTTP only: Debian's has no TLS of its own.
 *
 *   grace   serves stale copies for a day while it asks in the background or the origin is down
 *   suite   as the maintainers of http-cache-tests run it: no default lifetime, no grace
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, listening, need } from '../lib/processes.ts'
import type { Peer, PeerPlace, RunningPeer, Variant } from './peer.ts'

/** A failed renewal leaves the stored copy alone. */
const GRACE = `
sub vcl_backend_response {
  set beresp.grace = 24h;
  if (beresp.status >= 500 && bereq.is_bgfetch) { return (abandon); }
}
sub vcl_backend_error { if (bereq.is_bgfetch) { return (abandon); } }`

export const VARNISH_VARIANTS = {
  grace: { label: 'grace 24 h', settings: { grace: true } },
  suite: { label: 'suite', settings: {} },
} as const satisfies Record<string, Variant>

export const varnish: Peer = {
  name: 'varnish',
  variants: [VARNISH_VARIANTS.grace, VARNISH_VARIANTS.suite],
  // It compiles its configuration.
  needs: { varnishd: 'varnish', gcc: 'gcc' },
  start: startVarnish,
}

async function startVarnish(place: PeerPlace, variant: Variant): Promise<RunningPeer> {
  const file = join(place.folder, 'site.vcl')
  const isSuite = !variant.settings['grace']
  writeFileSync(
    file,
    `vcl 4.1;
backend origin { .host = "127.0.0.1"; .port = "${place.originPort}"; .connect_timeout = 1s; }
${isSuite ? '' : GRACE}
`,
  )
  const parameters = isSuite
    ? ['default_ttl=0', 'default_grace=0', 'default_keep=3600']
    : ['thread_pool_min=500', 'timeout_idle=60']
  const child = new Child(
    'varnish',
    [
      need('varnishd', 'varnish'),
      '-F',
      // No second user: the folder is private to the one who runs the bench.
      '-j',
      'none',
      '-n',
      join(place.folder, 'varnish'),
      '-a',
      `127.0.0.1:${place.port}`,
      '-T',
      'none',
      '-f',
      file,
      '-s',
      'malloc,256m',
      ...parameters.flatMap((parameter) => ['-p', parameter]),
    ],
    { core: place.core },
  )
  await listening(child, place.port)
  return { port: place.port, tlsPort: 0, pids: () => child.pids(), stop: () => child.stop() }
}
