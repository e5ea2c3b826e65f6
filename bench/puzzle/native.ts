/** What an attacker's own program reaches on one core: C with vectors, by whichever compiler does best. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { BenchError, findProgram } from '../lib/processes.ts'
import { median } from '../lib/stats.ts'

const HERE = import.meta.dirname

export interface NativeRate {
  /** Compiler, hashes abreast, instruction set. */
  readonly how: string
  /** Million hashes per second of CPU time. */
  readonly rates: readonly number[]
  /** What it found for an easy mask: the same for all programs of a hash, or one of them is wrong. */
  readonly found: number
}

/** Everything this machine has; and what every server of the last ten years has. */
const TARGETS = {
  native: { march: 'native', lanes: [1, 8, 16, 32] },
  avx2: { march: 'x86-64-v3', lanes: [8, 16] },
} as const
export type NativeTarget = keyof typeof TARGETS

/** The best program of a hash for a target, after trying them all; undefined when none can be built. */
export function fastest(
  source: string,
  target: NativeTarget,
  { rounds, folder }: { readonly rounds: number; readonly folder: string },
): NativeRate | undefined {
  const { march, lanes } = TARGETS[target]
  let best: NativeRate | undefined
  for (const compiler of ['gcc', 'clang']) {
    if (!findProgram(compiler)) continue
    for (const count of source === 'sha-ni' ? [1, 2, 4] : lanes) {
      const program = join(folder, `${source}-${target}-${compiler}-${count}`)
      const files = [join(HERE, `${source}.c`), join(HERE, 'rate.c')]
      const flags = ['-O3', `-march=${march}`, `-DLANES=${count}`, '-w', '-o', program]
      if (spawnSync(compiler, [...flags, ...files], { stdio: 'ignore' }).status !== 0) continue
      const ran = spawnSync(program, [String(rounds)], { encoding: 'utf8' })
      // Another processor than this program was built for.
      if (ran.status !== 0) continue
      const { rates, found } = JSON.parse(ran.stdout) as { rates: number[]; found: number }
      if (best && best.found !== found) {
        throw new BenchError('BENCH_PUZZLE_WRONG', `${program}: found ${found}, others ${best.found}`)
      }
      if (!best || median(rates) > median(best.rates)) {
        best = { how: `${compiler}, ${count} abreast`, rates, found }
      }
    }
  }
  return best
}

/** Our C as WebAssembly, by clang; undefined where it does not build. */
export function compileToWasm(source: string, lanes: number, folder: string): string | undefined {
  const file = join(folder, `${source}-${lanes}.wasm`)
  const { status } = spawnSync(
    'clang',
    [
      '--target=wasm32',
      '-O3',
      ...(lanes > 1 ? ['-msimd128'] : []),
      `-DLANES=${lanes}`,
      '-fvisibility=hidden',
      '-nostdlib',
      '-w',
      '-Wl,--no-entry,--export=search,--export=where',
      '-o',
      file,
      join(HERE, `${source}.c`),
    ],
    { stdio: 'ignore' },
  )
  return status === 0 ? file : undefined
}
