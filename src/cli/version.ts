import { readFileSync } from 'node:fs'

/** The version in package.json, which lies beside src/ and dist/ alike. */
export function version(): string {
  const url = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version
}
