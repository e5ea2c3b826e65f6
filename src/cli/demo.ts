/** `digue demo`: the flood itself lives in bench/, which only a checkout has. */
import { existsSync } from 'node:fs'
import { CliError } from './output.ts'

interface DemoModule {
  runDemo(options: { seconds: number }): Promise<unknown>
}

export async function demo(flags: { seconds: number }): Promise<void> {
  const file = new URL('../../bench/demo.ts', import.meta.url)
  // Node strips no types under node_modules, and the package carries no flood generator.
  if (!existsSync(file) || file.pathname.includes('/node_modules/')) {
    throw new CliError(
      'the demo’s flood generator is not part of the package; get the source and run `npm ci && npm run demo` there',
    )
  }
  const { runDemo } = (await import(file.href)) as DemoModule
  await runDemo({ seconds: flags.seconds })
}
