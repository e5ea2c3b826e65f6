/**
 * Debian's programs that some tests run as peers and clients. A program counts as needed when a test
 * names it in quotes. Missing ones are installed where that is possible without asking; otherwise
 * the command is shown, and the tests that need them say that they were skipped.
 */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, globSync, readFileSync } from 'node:fs'
import path from 'node:path'

const PACKAGES: Readonly<Record<string, string>> = {
  nginx: 'nginx',
  haproxy: 'haproxy',
  h2load: 'nghttp2-client',
  slowhttptest: 'slowhttptest',
  chromium: 'chromium',
  openssl: 'openssl',
  curl: 'curl',
  nft: 'nftables',
  ip: 'iproute2',
}

export function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Programs named in tests, less those that are there. */
export function missingPrograms(root: string): string[] {
  const tests = globSync(['src/**/*.test.ts', 'test/**/*.ts', 'bench/**/*.test.ts'], { cwd: root })
  const text = tests.map((file) => readFileSync(path.join(root, file), 'utf8')).join('\n')
  return Object.keys(PACKAGES).filter(
    (program) => new RegExp(`['"\`]${program}['"\`]`).test(text) && !isInstalled(program),
  )
}

/** Installs what is missing, or says how; returns what is missing still. */
export function provide(programs: readonly string[], say: (line: string) => void): string[] {
  if (programs.length === 0) return []
  const packages = [...new Set(programs.map((program) => PACKAGES[program]!))]
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`
  if (process.getuid?.() === 0 && isInstalled('apt-get')) {
    say(`installing ${packages.join(', ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    for (const step of ['apt-get update', command]) {
      try {
        execFileSync('sh', ['-c', step], { stdio: ['ignore', 'ignore', 'inherit'], env })
      } catch {
        say(`${step}: failed`)
      }
    }
  } else say(`some tests need ${packages.join(', ')} and are skipped without. To install: sudo ${command}`)
  return programs.filter((program) => !isInstalled(program))
}
