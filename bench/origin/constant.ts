/** A constant-time origin: nginx on its own core, answering 2 kB from memory. */

import { removeFolder, tempFolder } from '../lib/place.ts'
import { freePorts } from '../lib/ports.ts'
import { CORES } from '../lib/processes.ts'
import { runNginx } from '../peers/nginx.ts'

export interface ConstantOrigin {
  readonly port: number
  stop(): Promise<void>
}

export async function startConstantOrigin(bytes = 2048): Promise<ConstantOrigin> {
  const folder = tempFolder()
  const [port] = (await freePorts(1)) as [number]
  const child = await runNginx(
    { folder, core: CORES?.load },
    `server { listen 127.0.0.1:${port} backlog=4096; default_type text/html; location / { return 200 "${'x'.repeat(bytes)}"; } }`,
    port,
  )
  return {
    port,
    async stop() {
      await child.stop()
      removeFolder(folder)
    },
  }
}
