/** Caddy as a plain proxy, on one core like the others (GOMAXPROCS=1 by pinning). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, findProgram, listening, need } from '../lib/processes.ts'
import type { Peer } from './peer.ts'

export const caddy: Peer = {
  name: 'caddy',
  variants: [{ label: '', settings: {} }],
  needs: { caddy: 'caddy' },
  async start(place) {
    const file = join(place.folder, 'caddy.json')
    const proxy = [
      { handle: [{ handler: 'reverse_proxy', upstreams: [{ dial: `127.0.0.1:${place.originPort}` }] }] },
    ]
    writeFileSync(
      file,
      JSON.stringify({
        admin: { disabled: true },
        logging: { logs: { default: { level: 'ERROR' } } },
        apps: {
          http: {
            servers: {
              plain: {
                listen: [`127.0.0.1:${place.port}`],
                routes: proxy,
                automatic_https: { disable: true },
              },
              tls: {
                listen: [`127.0.0.1:${place.tlsPort}`],
                routes: proxy,
                automatic_https: { disable: true },
                protocols: ['h1', 'h2'],
                tls_connection_policies: [{ default_sni: 'bench.example.org' }],
              },
            },
          },
          tls: { certificates: { load_files: [{ certificate: place.certFile, key: place.keyFile }] } },
        },
      }),
    )
    const env = findProgram('env') ?? 'env'
    const child = new Child(
      'caddy',
      [env, `HOME=${place.folder}`, 'GOMAXPROCS=1', need('caddy'), 'run', '--config', file],
      { core: place.core },
    )
    await listening(child, place.port)
    return { port: place.port, tlsPort: place.tlsPort, pids: () => child.pids(), stop: () => child.stop() }
  },
}
