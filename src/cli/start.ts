/** `digue start`, which is `npm start`: something to look at within a second. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfigValue } from '#config'
import { DEMO_PAGES_PER_SECOND, startDemoSite } from './demo-site.ts'
import { checkOrigins } from './doctor.ts'
import { defaultStateFolder, faultList } from './locate.ts'
import { CliError, EXIT, type Terminal } from './output.ts'
import { serve } from './serve.ts'

export interface StartFlags {
  readonly origin?: string
  readonly port: number
  readonly selfSigned?: boolean
  readonly state?: string
}

export async function start(flags: StartFlags, terminal: Terminal): Promise<void> {
  const site = flags.origin === undefined ? await startDemoSite() : undefined
  const origin = flags.origin ?? site!.url
  // What is learned of the demo site must not be taken for a real site's calm weather.
  const scratch =
    site === undefined || flags.state !== undefined ? undefined : mkdtempSync(join(tmpdir(), 'digue-start-'))
  const state = flags.state ?? scratch ?? defaultStateFolder()
  const secure = flags.selfSigned === true && flags.port > 0
  const value = {
    state,
    listen: [`:${flags.port}`, ...(secure ? [`:${flags.port + 1} tls`] : [])],
    admin: { socket: scratch === undefined ? 'digue.sock' : join(defaultStateFolder(), 'digue.sock') },
    log: { level: 'warn', requests: 'none' },
    sites: [{ host: '*', origin }],
  }
  try {
    const read = () => readConfigValue(value, { selfSigned: true })
    const result = read()
    if (!result.ok) throw new CliError(faultList(result.faults), EXIT.usage)
    await serve(result.config, {
      terminal,
      read,
      selfSigned: secure,
      plainLog: true,
      onReady: (ports) => {
        terminal.out(
          welcome({
            ports,
            origin,
            isDemo: site !== undefined,
            command: process.env['npm_lifecycle_event'] === 'start' ? 'npm run digue --' : 'digue',
            where: flags.state === undefined ? '' : ` --state ${flags.state}`,
          }),
        )
        if (site === undefined) void sayIfSilent(origin, terminal)
      },
    })
  } finally {
    await site?.close()
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  }
}

/** A slip in the address is the usual one, and every page would only say 502. */
async function sayIfSilent(origin: string, terminal: Terminal): Promise<void> {
  const [finding] = await checkOrigins([origin])
  if (finding?.level === 'bad')
    terminal.error(`Your site does not answer: ${finding.message}. Visitors get 502 until it does.\n\n`)
}

function welcome(what: {
  ports: readonly number[]
  origin: string
  isDemo: boolean
  command: string
  where: string
}): string {
  const [port, securePort] = what.ports
  const rows = [
    ['Open', `http://localhost:${port}/`],
    ...(securePort === undefined
      ? []
      : [['', `https://localhost:${securePort}/ (self-signed: the browser will warn)`]]),
    [
      'Behind it',
      what.isDemo
        ? `a demo site on ${what.origin}, which can serve ${DEMO_PAGES_PER_SECOND} pages a second`
        : what.origin,
    ],
    ['Look', `${what.command} status${what.where}`],
    [
      'Try',
      what.isDemo
        ? 'npm run demo   (a 30-second flood, without Digue and through it)'
        : `${what.command} run --config digue.yaml   (for good, and for many sites)`,
    ],
    [
      'Your own site',
      what.isDemo ? 'npm start -- --origin http://127.0.0.1:3000' : 'it runs behind Digue now',
    ],
    ['Stop', 'Ctrl+C'],
  ]
  const width = Math.max(...rows.map(([name]) => name!.length))
  return `\nDigue stands before ${what.isDemo ? 'the demo site' : 'your site'}.\n\n${rows.map(([name, text]) => `  ${name!.padEnd(width)}  ${text}`).join('\n')}\n\n`
}
