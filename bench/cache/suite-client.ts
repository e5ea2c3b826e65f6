/**
 * The suite's client side as its own process, once per server: its runner keeps its state in its modules.
 * Takes a port over IPC and sends the results. It asks with the library that the suite's command line uses.
 */
import { Agent } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loopback } from '../load/loopback-only.ts'
import { SUITE, type SuiteGroup, type SuiteResults, suiteModule } from './suite.ts'

type Fetch = (url: string, init?: object) => Promise<unknown>

interface Runner {
  runTests(groups: readonly SuiteGroup[], fetch: Fetch, isBrowser: boolean, base: string): Promise<void>
  getResults(): SuiteResults
}

const { runTests, getResults } = await suiteModule<Runner>('client/runner.mjs')
const { default: groups } = await suiteModule<{ default: readonly SuiteGroup[] }>('tests/index.mjs')
const nodeFetch = createRequire(join(SUITE, 'cli.mjs'))('node-fetch') as Fetch

/** A hundred tests run at a time; from one address that would be a small flood, so each has its own. */
const fetchAsOne: Fetch = (url, init) => {
  const id = new URL(url).pathname.split('/')[2] ?? ''
  const bits = Number.parseInt(id.slice(0, 4), 16) || 1
  const localAddress = loopback(`127.10.${bits >> 8}.${1 + (bits % 254)}`)
  return nodeFetch(url, { ...init, agent: new Agent({ localAddress }) })
}

process.on('disconnect', () => process.exit(0))
process.once('message', ({ port }: { port: number }) => {
  void runTests(groups, fetchAsOne, false, `http://${loopback('127.0.0.1')}:${port}`).then(() =>
    process.send?.({ results: getResults() }),
  )
})
process.send?.({ ready: true })
