/**
 * A share of one core for some processes, by Linux's bandwidth control (cgroup v1 or v2). Chromium's own
 * throttling slows a page's main thread only, and effort is made in its workers.
 */
import { accessSync, constants, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PERIOD_US = 100_000
const ROOTS = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup'] as const

export class SlowProcessor implements Disposable {
  readonly #folder: string

  /** Undefined where this system or user may not do it. */
  static make(coreShare: number): SlowProcessor | undefined {
    const root = ROOTS.find((folder) => existsSync(join(folder, 'cgroup.procs')))
    if (root === undefined) return undefined
    try {
      accessSync(root, constants.W_OK)
      return new SlowProcessor(root, coreShare)
    } catch {
      return undefined
    }
  }

  private constructor(root: string, coreShare: number) {
    this.#folder = join(root, `digue-bench-${process.pid}`)
    mkdirSync(this.#folder)
    const quotaUs = Math.round(PERIOD_US * coreShare)
    const v1 = join(this.#folder, 'cpu.cfs_quota_us')
    if (existsSync(v1)) writeFileSync(v1, String(quotaUs))
    else writeFileSync(join(this.#folder, 'cpu.max'), `${quotaUs} ${PERIOD_US}`)
  }

  take(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid))
  }

  /** Once its processes have ended. */
  [Symbol.dispose](): void {
    rmdirSync(this.#folder)
  }
}
