/** The lists' thread: reading half a million networks takes a second, which the brain cannot spare. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ListStatus } from './list-types.ts'
import { NetworkLists } from './network-lists.ts'
import type { FromLists, ListsCommand, ListsStart, ToLists } from './protocol.ts'

const TICK_MS = 1000

const port = parentPort!
const tell = (message: FromLists) => port.postMessage(message)
const lists = new NetworkLists({
  ...(workerData as ListsStart),
  onChange: (memory, names) => tell({ kind: 'networks', memory, names }),
  onEvent: (event) => tell({ kind: 'event', event }),
})

port.on('message', (message: ToLists) => {
  switch (message.kind) {
    case 'configure':
      void lists.configure(message.lists).then(() => lists.tick())
      break
    case 'calm':
      lists.calm(message.subscribers)
      break
    case 'storm':
      lists.storm()
      break
    case 'hits':
      lists.hits(message.counts)
      break
    case 'ask':
      obey(message.what).then(
        (answer) => tell({ kind: 'answer', id: message.id, lists: answer }),
        (error: Error) => tell({ kind: 'refused', id: message.id, message: error.message }),
      )
      break
    default:
      message satisfies never
  }
})
setInterval(() => lists.tick(), TICK_MS)

async function obey(what: ListsCommand): Promise<readonly ListStatus[]> {
  switch (what.command) {
    case 'status':
      return lists.status()
    case 'refresh':
      return lists.refresh(what.name)
    case 'release':
      return [await lists.release(what.name)]
    default:
      return what satisfies never
  }
}
