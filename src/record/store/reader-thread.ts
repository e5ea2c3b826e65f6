/** A thread for questions: one that takes too long is ended with it, for SQLite knows no other way from outside. */
import { parentPort, workerData } from 'node:worker_threads'
import { openForReading } from './database.ts'
import type { FromReader, ToReader } from './protocol.ts'
import { ANSWERS, type Questions } from './queries.ts'
import { Statements } from './statements.ts'

const port = parentPort!
const { file } = workerData as { readonly file: string }
const tell = (message: FromReader) => port.postMessage(message)
let db: Statements | undefined

port.on('message', ({ id, name, ask }: ToReader) => {
  try {
    db ??= new Statements(openForReading(file))
    const answer = ANSWERS[name] as (
      db: Statements,
      ask: Questions[keyof Questions]['ask'],
    ) => Questions[keyof Questions]['answer']
    tell({ id, answer: answer(db, ask) })
  } catch (error) {
    // Opened anew the next time: the file may have been moved away, or come into being.
    db?.db.close()
    db = undefined
    tell({ id, message: (error as Error).message })
  }
})
