/**
 * nginx with proxy_cache. What is best depends on the question, so a bench names its variant:
 *
 *   stale      serves stale copies while the origin is down or a copy is renewed; one request per miss
 *   sendfile   the same, and keeps descriptors of stored files open: cheapest for large plain answers
 *   buffers    that without sendfile: cheapest for all others
 *   suite      as the maintainers of http-cache-tests run it: strict, no stale copies
 *
 * No tcp_nopush: with it, a kept connection gets 50 answers of 100 kB per second here and costs thrice the CPU.
 */
import { chmodSync } from 'node:fs'
import { runNginx } from './nginx.ts'
import type { Peer, PeerPlace, RunningPeer, Variant } from './peer.ts'

const STALE = `proxy_cache_lock on;
      proxy_cache_use_stale error timeout invalid_header updating http_500 http_502 http_503 http_504;
      proxy_cache_background_update on;
      proxy_connect_timeout 1s;`

const OPEN_FILES = 'open_file_cache max=10000 inactive=60s; open_file_cache_min_uses 1;'

export const NGINX_VARIANTS = {
  stale: { label: 'use_stale, lock', settings: { stale: true } },
  sendfile: { label: 'sendfile', settings: { stale: true, openFiles: true, sendfile: true } },
  buffers: { label: 'buffers', settings: { stale: true, openFiles: true } },
  suite: { label: 'suite', settings: {} },
} as const satisfies Record<string, Variant>

export const nginxCache: Peer = {
  name: 'nginx',
  variants: [NGINX_VARIANTS.stale, NGINX_VARIANTS.sendfile, NGINX_VARIANTS.buffers, NGINX_VARIANTS.suite],
  needs: { nginx: 'nginx-light' },
  start: startNginxCache,
}

async function startNginxCache(place: PeerPlace, variant: Variant): Promise<RunningPeer> {
  const { stale, openFiles, sendfile } = variant.settings
  // Started by root, the workers are somebody else, and may otherwise not even pass through to their cache.
  chmodSync(place.folder, 0o711)
  const child = await runNginx(
    place,
    `${sendfile ? 'sendfile on;' : 'output_buffers 2 128k;'}
  proxy_cache_path ${place.folder}/cache levels=1:2 keys_zone=pages:64m max_size=1g inactive=24h use_temp_path=off;
  upstream origin { server 127.0.0.1:${place.originPort}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    listen 127.0.0.1:${place.tlsPort} ssl http2 backlog=4096;
    ssl_certificate ${place.certFile};
    ssl_certificate_key ${place.keyFile};
    ssl_session_cache shared:tls:16m;
    ssl_session_tickets on;
    ${openFiles ? OPEN_FILES : ''}
    location / {
      proxy_pass http://origin;
      ${stale ? 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;' : ''}
      proxy_cache pages;
      proxy_cache_revalidate on;
      ${stale ? STALE : ''}
    }
  }`,
    place.port,
  )
  return { port: place.port, tlsPort: place.tlsPort, pids: () => child.pids(), stop: () => child.stop() }
}
