/**
 * HAProxy with a stick table by client address (429 above a rate) and a bounded queue before the
 * origin, over a small sweep of rates, concurrency and queue times.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, listening, need } from '../lib/processes.ts'
import type { Peer, Variant } from './peer.ts'

const setting = (per10s: number, maxconn: number, queueS: number): Variant => ({
  label: `rate=${per10s}/10s maxconn=${maxconn} queue=${queueS}s`,
  settings: { per10s, maxconn, queueS },
})

export const haproxy: Peer = {
  name: 'haproxy',
  variants: [setting(50, 16, 5), setting(20, 16, 1), setting(15, 8, 5), setting(300, 32, 1)],
  needs: { haproxy: 'haproxy' },
  async start(place, variant) {
    const { per10s, maxconn, queueS } = variant.settings
    const pem = join(place.folder, 'haproxy.pem')
    writeFileSync(pem, readFileSync(place.certFile, 'utf8') + readFileSync(place.keyFile, 'utf8'), {
      mode: 0o600,
    })
    const file = join(place.folder, 'haproxy.cfg')
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn 9900
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
  timeout http-keep-alive 30s
  timeout queue ${queueS}s
  option http-keep-alive
  option abortonclose
frontend web
  bind 127.0.0.1:${place.port} backlog 4096
  bind 127.0.0.1:${place.tlsPort} ssl crt ${pem} alpn h2,http/1.1 backlog 4096
  stick-table type ip size 1m expire 30s store http_req_rate(10s)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${per10s} }
  http-request set-header X-Forwarded-For %[src]
  use_backend streams if { path_beg /events /download }
  default_backend site
backend site
  http-reuse always
  server origin 127.0.0.1:${place.originPort} maxconn ${maxconn}
backend streams
  server origin 127.0.0.1:${place.originPort}
`,
    )
    const child = new Child('haproxy', [need('haproxy'), '-db', '-f', file], { core: place.core })
    await listening(child, place.port)
    return { port: place.port, tlsPort: place.tlsPort, pids: () => child.pids(), stop: () => child.stop() }
  },
}
