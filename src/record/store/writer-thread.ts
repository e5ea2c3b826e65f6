/** The writer's thread: SQLite is synchronous, and a seal takes a second. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FromWriter, ToWriter, WriterStart } from './protocol.ts'
import { RecordWriter } from './writer.ts'

const SECOND_MS = 1000

const port = parentPort!
const start = workerData as WriterStart
const taken = new Int32Array(start.taken)
const tell = (message: FromWriter) => port.postMessage(message)
const writer = new RecordWriter({ ...start, onNews: (news) => tell({ kind: 'news', news }) })

const tellStatus = () => {
  const { user, system } = process.threadCpuUsage()
  tell({ kind: 'status', status: writer.status(), cpuMs: (user + system) / 1000 })
}
const tick = () => {
  writer.tick(Date.now(), performance.now())
  tellStatus()
}
const timer = setInterval(tick, SECOND_MS)

port.on('message', (message: ToWriter) => {
  Atomics.add(taken, 0, 1)
  switch (message.kind) {
    case 'report':
      writer.take(message.report, Date.now(), performance.now())
      break
    case 'event':
      writer.event(message.event)
      break
    case 'lost':
      writer.lost(message.requests, message.events)
      break
    case 'settings':
      writer.configure(message.settings)
      break
    case 'close':
      clearInterval(timer)
      writer.close(Date.now(), performance.now())
      tellStatus()
      tell({ kind: 'closed' })
      port.close()
      break
    default:
      message satisfies never
  }
})
tick()
