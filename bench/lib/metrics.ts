/** Reads Digue's figures as Prometheus would. */
import { request } from 'node:http'

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export class Figures {
  readonly #samples = new Map<string, Sample[]>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const found = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)/i.exec(line)
      if (!found) continue
      const labels = Object.fromEntries(
        [...(found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1]!, m[2]!]),
      )
      const list = this.#samples.get(found[1]!) ?? []
      list.push({ labels, value: Number(found[3]) })
      this.#samples.set(found[1]!, list)
    }
  }

  all(name: string): readonly Sample[] {
    return this.#samples.get(name) ?? []
  }

  sum(name: string): number {
    return this.all(name).reduce((sum, sample) => sum + sample.value, 0)
  }
}

/** Undefined when the port does not answer within a second. */
export function readMetrics(port: number): Promise<Figures | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/metrics', timeout: 1000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (data: string) => {
        text += data
      })
      response.on('end', () => resolve(response.statusCode === 200 ? new Figures(text) : undefined))
      response.on('error', () => resolve(undefined))
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(undefined))
    asked.end()
  })
}
