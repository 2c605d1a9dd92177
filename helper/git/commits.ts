/**
 * Fills the engine's commit graph: names, trees and parents of everything reachable from some commits. Stored parents,
 * not rewritten ones. What a table holds is taken from there; what is newer is walked commit by commit; a history of
 * which no table knows is read from one `git rev-list`, and a table of it is left behind for the next time. Plumbing,
 * and an encoding by name: log.*, format.* and i18n.* change what `git log` prints, even its hex digits.
 */

import { spawn } from 'node:child_process'
import { COMMIT, type CommitGraph } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { COMMIT_WALK_COUNT_MAX } from '../limits.ts'
import { CatFile } from './cat-file.ts'
import { isRewritten, readGraphOfGit, readOwnTable, writeOwnTable } from './commit-tables.ts'
import { plumbingEnvironment } from './environment.ts'

/** Our table is written anew when this many commits are in no table, and one for so many that it holds. */
const TABLE_RENEWAL_COUNT = 512
const TABLE_RENEWAL_SHARE = 256

const NEWLINE = 0x0a

/**
 * Adds all commits reachable from `tips` to `graph`, and possibly others that the repository has.
 * @throws HelperError 'git-failed', 'object-missing'
 */
export async function readCommits(gitDir: string, tips: readonly string[], graph: CommitGraph): Promise<void> {
  const isWhole = (): boolean => tips.every((tip) => graph.has(tip))
  for (const readTable of [readGraphOfGit, readOwnTable]) {
    const table = await readTable(gitDir, graph.format)
    if (table !== null) graph.addTable(table)
    if (isWhole()) return
  }
  const known = graph.count
  if (known === 0 || !(await walkCommits(gitDir, tips, graph))) await listCommits(gitDir, tips, graph)
  if (graph.count - known > Math.max(TABLE_RENEWAL_COUNT, Math.floor(known / TABLE_RENEWAL_SHARE))) {
    await writeOwnTable(gitDir, graph)
  }
}

/** Reads commits that the graph lacks, generation by generation; false if there are too many of them. */
async function walkCommits(gitDir: string, tips: readonly string[], graph: CommitGraph): Promise<boolean> {
  const catFile = new CatFile(gitDir)
  try {
    let walked = 0
    for (let lacking = [...new Set(tips)].filter((oid) => !graph.has(oid)); lacking.length > 0; ) {
      walked += lacking.length
      if (walked > COMMIT_WALK_COUNT_MAX) return false
      const contents = await catFile.read(lacking, COMMIT)
      const parents = lacking.flatMap((oid, index) => addCommit(oid, contents[index] ?? new Uint8Array(0), graph))
      lacking = [...new Set(parents)].filter((oid) => !graph.has(oid))
    }
    return true
  } finally {
    catFile.close()
  }
}

/** Adds a commit from its stored header, as git reads it: the tree, then the parents. Returns the parents. */
function addCommit(oid: string, content: Uint8Array, graph: CommitGraph): string[] {
  const digitCount = graph.hashLength * 2
  const text = Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1')
  const header = new RegExp(`^tree ([0-9a-f]{${digitCount}})\n((?:parent [0-9a-f]{${digitCount}}\n)*)`).exec(text)
  if (header === null) {
    throw new HelperError('object-missing', `object ${oid}: expected a commit, got something else, try \`git fsck\``)
  }
  const parents = (header[2] ?? '').split('\n').flatMap((line) => line.split(' ')[1] ?? [])
  graph.add(oid, header[1] ?? '', parents)
  return parents
}

async function listCommits(gitDir: string, tips: readonly string[], graph: CommitGraph): Promise<void> {
  // git reads its commit-graph file unless told not to; where it may be wrong, the objects are asked.
  const trust = (await isRewritten(gitDir)) ? ['-c', 'core.commitGraph=false'] : []
  const format = ['--no-commit-header', '--encoding=UTF-8', '--format=%H %T %P']
  const child = spawn('git', ['--git-dir', gitDir, ...trust, 'rev-list', '--stdin', ...format], {
    env: plumbingEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const errors: Uint8Array[] = []
  child.stderr.on('data', (chunk: Uint8Array) => errors.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(`${tips.join('\n')}\n`)
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', reject)
  })
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of child.stdout) rest = addLines(rest, chunk, graph)
  const status = await closed
  if (status !== 0) {
    const said = Buffer.concat(errors).toString('utf8').trim().split('\n')[0]
    throw new HelperError('git-failed', `git rev-list: expected status 0, got ${status} (${said})`)
  }
}

/** Adds the whole lines of `rest` and `chunk` together; returns the bytes after the last one. */
function addLines(rest: Uint8Array, chunk: Uint8Array, graph: CommitGraph): Uint8Array {
  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
  let start = 0
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    graph.addLine(bytes, start, end)
    start = end + 1
  }
  return bytes.subarray(start)
}
