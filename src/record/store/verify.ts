/**
 * Recomputes the chain from the rows.
 *
 * It shows that nothing in sealed segments was changed, added or left out by somebody who did not also
 * recompute every later seal; and that what is missing is missing with a note. Whoever can write the file
 * can recompute all seals: against that helps only a hash that lies elsewhere (`head`), such as in the
 * system's journal, where Digue writes each new one.
 */
import { LEAVES, type LeafSeal, sealLeaf, segmentHash } from './leaves.ts'
import { headOf } from './segments.ts'
import { int, type Row, type Statements, text } from './statements.ts'

export interface SegmentFault {
  readonly segment: number
  /** The leaf that differs; '' when it is the seal itself. */
  readonly leaf: string
  readonly message: string
}

export interface Verification {
  readonly ok: boolean
  readonly segments: number
  /** Leaves whose rows were removed with a note, so that only their hash is left. */
  readonly removedLeaves: number
  /** The first altered segment; further ones are counted only. */
  readonly firstFault: SegmentFault | undefined
  readonly faultySegments: number
  /** Rows that were written since the last seal: nothing protects them yet. */
  readonly unsealedRows: number
  readonly head: string
  readonly firstSealedMs: number
  readonly lastSealedMs: number
}

export interface VerifyOptions {
  /** A hash noted elsewhere, which must be among the seals. */
  readonly head?: string
  readonly onProgress?: (done: number, all: number) => void
}

/** Reads all of it, in one transaction; some 10 s for 150 MB. */
export function verify(db: Statements, options: VerifyOptions = {}): Verification {
  db.db.exec('BEGIN')
  try {
    return verifyNow(db, options)
  } finally {
    db.db.exec('COMMIT')
  }
}

function verifyNow(db: Statements, options: VerifyOptions): Verification {
  const all = db.number('SELECT count(*) FROM segments')
  const faults: SegmentFault[] = []
  const faulty = new Set<number>()
  const fail = (segment: number, leaf: string, message: string) => {
    faults.push({ segment, leaf, message })
    faults.length = Math.min(faults.length, 1)
    faulty.add(segment)
  }
  let before: { number: number; hash: string; lastSeq: number } = { number: 0, hash: '', lastSeq: 0 }
  let removedLeaves = 0
  let hasHead = options.head === undefined
  let first = 0
  let last = 0
  let done = 0
  for (const row of db.all('SELECT * FROM segments ORDER BY number')) {
    const head = headOf(row)
    const { number } = head
    const hash = text(row['hash'])
    if (number !== before.number + 1)
      fail(number, '', `expected segment ${before.number + 1} here, got ${number}: segments are missing`)
    if (head.previous !== before.hash) fail(number, '', `it does not follow on segment ${before.number}`)
    if (head.firstSeq !== before.lastSeq + 1 || head.lastSeq < head.firstSeq - 1)
      fail(number, '', `its sequence numbers do not go on from those of segment ${before.number}`)
    if (segmentHash(head) !== hash) fail(number, '', 'its seal does not fit what it says of itself')
    removedLeaves += verifyLeaves(db, row, fail)
    hasHead ||= hash === options.head
    before = { number, hash, lastSeq: head.lastSeq }
    if (first === 0) first = head.sealedMs
    last = head.sealedMs
    options.onProgress?.(++done, all)
  }
  const stray = strayRow(db, before.number)
  if (stray !== undefined) fail(stray.segment, '', stray.message)
  if (!hasHead) fail(before.number, '', `no seal is ${options.head}: the record was cut off or made anew`)
  return {
    ok: faulty.size === 0,
    segments: all,
    removedLeaves,
    firstFault: faults[0],
    faultySegments: faulty.size,
    unsealedRows: unsealedRows(db, before.number),
    head: before.hash,
    firstSealedMs: first,
    lastSealedMs: last,
  }
}

/** How many of the segment's leaves were removed with a note. */
function verifyLeaves(
  db: Statements,
  row: Row,
  fail: (segment: number, leaf: string, message: string) => void,
): number {
  const segment = int(row['number'])
  let removed = 0
  let sealed: ReadonlyMap<string, LeafSeal>
  try {
    sealed = new Map((JSON.parse(text(row['leaves'])) as LeafSeal[]).map((seal) => [seal[0], seal]))
  } catch {
    fail(segment, '', 'its list of leaves cannot be read')
    return 0
  }
  for (const leaf of LEAVES) {
    const [, lines, hash] = sealed.get(leaf.name) ?? [leaf.name, 0, '']
    const [, linesNow, hashNow] = sealLeaf(db, leaf, segment)
    if (linesNow === lines && (hashNow === hash || lines === 0)) continue
    const note = linesNow === 0 ? removalOf(db, leaf.name, segment) : undefined
    if (note !== undefined) {
      removed++
      continue
    }
    fail(
      segment,
      leaf.name,
      linesNow === lines
        ? `${leaf.name}: a row was changed`
        : `${leaf.name}: expected ${lines} rows, got ${linesNow}, and no removal is noted`,
    )
  }
  return removed
}

/** Columns of samples go with their rows, whose removal is the one noted. */
function removalOf(db: Statements, leaf: string, segment: number): Row | undefined {
  const find = (name: string) =>
    db.get('SELECT seq FROM removals WHERE removed_segment = ? AND leaf = ? LIMIT 1', segment, name)
  const rows = leaf.replace(/^(clients|marks)\./, 'samples.')
  return find(leaf) ?? (rows === leaf ? undefined : find(rows))
}

const TABLES = ['buckets', 'samples', 'events', 'removals'] as const

/** Only the open segment may have rows beside the sealed ones. */
function strayRow(db: Statements, newest: number): { segment: number; message: string } | undefined {
  for (const table of TABLES) {
    const row = db.get(
      `SELECT segment FROM ${table} WHERE segment > ? OR segment < 1 ORDER BY segment LIMIT 1`,
      newest + 1,
    )
    if (row !== undefined)
      return { segment: int(row['segment']), message: `${table} has rows of a segment that is not there` }
  }
  for (const table of ['tallies', 'tops']) {
    const orphans = db.number(
      `SELECT count(*) FROM ${table} WHERE NOT EXISTS (SELECT 1 FROM buckets WHERE seq = bucket)`,
    )
    if (orphans > 0) return { segment: 0, message: `${table} has ${orphans} rows that belong to no period` }
  }
  return undefined
}

function unsealedRows(db: Statements, newest: number): number {
  return TABLES.reduce(
    (sum, table) => sum + db.number(`SELECT count(*) FROM ${table} WHERE segment > ?`, newest),
    0,
  )
}
