/** Entry of a worker thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { EdgeThread } from './edge-thread.ts'
import type { ThreadStart, ToThread } from './messages.ts'

const port = parentPort!
const thread = new EdgeThread(workerData as ThreadStart, (message) => port.postMessage(message))
// Messages wait in the port until it listens, and it listens once the thread can act on them.
await thread.open()
port.on('message', (message: ToThread) => thread.handle(message))
