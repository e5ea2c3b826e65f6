/**
 * The picture in README: for each flood, the share of visitors served by each server, as bars with
 * their figures beside them. One warm colour for Digue, cool greys for its peers, the name beside
 * every bar (never colour alone); readable on light and dark grounds.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunRecord } from './run.ts'

const TITLES: Readonly<Record<string, string>> = {
  calm: 'Calm',
  'cohorts-cold-hosting': '2,000 addresses × 2/s, hosting networks; all kinds of visitors',
  'cohorts-cold-providers': '2,000 addresses × 2/s, visitors’ own providers; all kinds of visitors',
  concentrated: '40 addresses × 100/s',
  'cold-hosting': '2,000 addresses × 2/s, hosting networks',
  'cold-proxies': '2,000 proxies × 2/s, 200 networks',
  'cold-providers': "2,000 addresses × 2/s, visitors' own providers",
  pulse: 'Pulse wave, 10 s on, 10 s off',
  expensive: 'Flood of the search page',
  cgnat: '5 attackers among 50 visitors behind one address',
  pages: 'Whole pages over HTTP/2 under flood',
  'https-cold': 'HTTPS, new connection per request',
}

const PEERS = ['unprotected', 'nginx limit_req', 'haproxy', 'static-challenge', 'digue'] as const
const WIDTH = 760
const LEFT = 150
const BAR = 430
const ROW = 20
const HEAD = 30
const GAP = 16

const escaped = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

/** The SVG text; each record's median run by share served is shown where there are several. */
export function draw(records: readonly RunRecord[]): string {
  const scenarios = Object.keys(TITLES).filter((name) => records.some((r) => r.scenario === name))
  let y = 64
  const parts: string[] = []
  for (const scenario of scenarios) {
    parts.push(`<text class="h" x="0" y="${y + 14}">${escaped(TITLES[scenario]!)}</text>`)
    y += HEAD - 4
    for (const peer of PEERS) {
      const shares = records
        .filter((r) => r.scenario === scenario && r.peer === peer && r.settled.asked > 0)
        .map((r) => r.settled.served / r.settled.asked)
        .sort((a, b) => a - b)
      const share = shares[Math.floor((shares.length - 1) / 2)]
      if (share === undefined) continue
      const width = Math.round(BAR * share * 10) / 10
      const kind = peer === 'digue' ? 'd' : 'p'
      // 99.96 % must not read as 100 %.
      const figure = share === 1 ? '100 %' : `${(Math.floor(share * 1000) / 10).toFixed(1)} %`
      parts.push(
        `<text class="n" x="${LEFT - 10}" y="${y + 13}">${escaped(peer)}</text>`,
        `<rect class="t" x="${LEFT}" y="${y + 3}" width="${BAR}" height="13"/>`,
        `<rect class="${kind}" x="${LEFT}" y="${y + 3}" width="${width}" height="13"/>`,
        `<text class="v ${kind}v" x="${LEFT + BAR + 10}" y="${y + 14}">${figure}</text>`,
      )
      y += ROW
    }
    y += GAP
  }
  const floor = y + 4
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${floor + 24}" width="${WIDTH}" height="${floor + 24}" role="img" aria-labelledby="t d">
<title id="t">Visitors served during a flood</title>
<desc id="d">Share of visitors' requests that got the real page in time, by kind of flood and by server. The figures are beside the bars.</desc>
<style>
text{font:14px system-ui,sans-serif;fill:#2b2b28}
.h{font-weight:600}.n{text-anchor:end;fill:#55606a}.v{font-variant-numeric:tabular-nums}.dv{font-weight:600}
.big{font-size:20px;font-weight:600}.s{fill:#55606a}
.ground{fill:#fff}.t{fill:#e9edf0}.p{fill:#7d909e}.d{fill:#8a4a1c}text.p,text.d{fill:inherit}
.pv{fill:#2b2b28}.dv{fill:#8a4a1c}
@media(prefers-color-scheme:dark){text{fill:#ecebe6}.n,.s{fill:#aab6bf}.ground{fill:#14181b}.t{fill:#2a3238}.p{fill:#8398a6}.d{fill:#e39a5f}.pv{fill:#ecebe6}.dv{fill:#e39a5f}}
</style>
<rect class="ground" width="100%" height="100%"/>
<g transform="translate(16 0)">
<text class="big" x="0" y="28">Visitors served during a flood</text>
<text class="s" x="0" y="50">Share of their requests that got the real page in time. Site: 640 pages/s; visitors: 100/s.</text>
${parts.join('\n')}
<text class="s" x="0" y="${floor}">npm run bench:flood; every server before the same site, on one core; raw results in bench/runs/</text>
</g>
</svg>
`
}

/** Writes docs/flood-bench.svg and returns its path. */
export function picture(records: readonly RunRecord[]): string {
  const file = join(import.meta.dirname, '../../docs/flood-bench.svg')
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, draw(records))
  return file
}

if (import.meta.main) {
  const { readFileSync } = await import('node:fs')
  const files = process.argv.slice(2)
  if (files.length === 0) {
    process.stderr.write('Usage: node -C source bench/flood/picture.ts bench/runs/<run>/flood*.json\n')
    process.exit(1)
  }
  const records = files.flatMap(
    (file) => (JSON.parse(readFileSync(file, 'utf8')) as { records: RunRecord[] }).records,
  )
  process.stdout.write(`${picture(records)}\n`)
}
