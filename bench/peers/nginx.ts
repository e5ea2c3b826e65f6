/**
 * nginx with limit_req and limit_conn by client address, over a small sweep of rates. A visitor asks
 * once per second and an attacker of the distributed flood twice: no rate tells them apart, which is
 * the point of that scenario, so the sweep covers the rates an operator would try.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, listening, need } from '../lib/processes.ts'
import type { Peer, PeerPlace, Variant } from './peer.ts'

const rate = (perSecond: number, burst: number, connections: number): Variant => ({
  label: `rate=${perSecond}/s burst=${burst} conn=${connections}`,
  settings: { perSecond, burst, connections },
})

export const nginx: Peer = {
  name: 'nginx limit_req',
  variants: [rate(5, 20, 20), rate(2, 10, 10), rate(1, 5, 10), rate(30, 60, 50)],
  needs: { nginx: 'nginx-light' },
  start: (place, variant) => startNginx(place, variant),
}

/** nginx as a plain proxy with no limits. */
export const plainNginx: Peer = {
  name: 'nginx',
  variants: [{ label: '', settings: {} }],
  needs: { nginx: 'nginx-light' },
  start: (place, variant) => startNginx(place, variant),
}

/** nginx in the foreground with this in its `http` block; writes its configuration into `folder`. */
export function nginxCommand(folder: string, http: string, connections: number): string[] {
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events { worker_connections ${connections}; multi_accept on; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000;
  ${http}
}
`,
  )
  return [need('nginx'), '-e', `${folder}/error.log`, '-p', folder, '-c', file]
}

export async function runNginx(
  place: Pick<PeerPlace, 'folder' | 'core'>,
  http: string,
  port: number,
  connections = 18_000,
) {
  const child = new Child('nginx', nginxCommand(place.folder, http, connections), { core: place.core })
  await listening(child, port)
  return child
}

async function startNginx(place: PeerPlace, variant: Variant) {
  const { perSecond, burst, connections } = variant.settings
  const limited = perSecond !== undefined
  const child = await runNginx(
    place,
    `${limited ? `limit_req_zone $binary_remote_addr zone=req:16m rate=${perSecond}r/s; limit_conn_zone $binary_remote_addr zone=conn:16m; limit_req_status 429; limit_conn_status 429;` : ''}
  upstream origin { server 127.0.0.1:${place.originPort}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    listen 127.0.0.1:${place.tlsPort} ssl http2 backlog=4096;
    ssl_certificate ${place.certFile};
    ssl_certificate_key ${place.keyFile};
    ssl_session_cache shared:tls:16m;
    ssl_session_tickets on;
    location / {
      ${limited ? `limit_req zone=req burst=${burst} nodelay; limit_conn conn ${connections};` : ''}
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 30s;
      proxy_buffering on;
    }
    location ~ ^/(events|download) {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_buffering off;
    }
  }`,
    place.port,
  )
  return { port: place.port, tlsPort: place.tlsPort, pids: () => child.pids(), stop: () => child.stop() }
}
