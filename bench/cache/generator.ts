/** Generator processes of the cache's bench, on the load's core. */
import { join } from 'node:path'
import { Child, CORES } from '../lib/processes.ts'
import type { VisitorPlan } from '../load/plan.ts'
import { LOAD_PROCESS } from '../load/process.ts'
import type { CacheLoadPlan } from './load-main.ts'

const OWN = [process.execPath, '-C', 'source', join(import.meta.dirname, 'load-main.ts')]

export class Generator implements AsyncDisposable {
  readonly #child: Child

  private constructor(child: Child) {
    this.#child = child
  }

  /** Started before its plan is known, so that the plan's first second does not include that. */
  static async start(role: CacheLoadPlan['role'] | VisitorPlan['role']): Promise<Generator> {
    const child = new Child(role, role === 'visitors' ? LOAD_PROCESS : OWN, {
      core: CORES?.load,
      ipc: true,
      // Politer than visitors and origin: when the core is full, it is the flood that gets thinner.
      ...(role === 'attackers' ? { nice: 5 } : {}),
    })
    await child.message('ready')
    return new Generator(child)
  }

  run<T>(plan: CacheLoadPlan | VisitorPlan): Promise<T> {
    const result = this.#child.message<T>('result')
    // Whoever awaits it hears of it; meanwhile a failure elsewhere may have ended the bench.
    result.catch(() => {})
    this.#child.send(plan)
    return result
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child.stop()
  }
}
