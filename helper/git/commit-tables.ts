/**
 * Commits that need not be read one by one: git's commit-graph file where it may be trusted, else a table of our own in
 * `$GIT_DIR/gittorrent/commit-graph`, in the same format. Both are compared with their checksum first; what does not pass counts as absent.
 * git's file is left alone where grafts, replace refs or a shallow boundary exist: parents in it may be rewritten ones.
 * Our own holds stored parents only, and a name fixes what it names, so it is never out of date.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type CommitGraph,
  type CommitTable,
  EngineError,
  encodeCommitGraph,
  hashLengthOf,
  type ObjectFormat,
  parseCommitGraph,
} from '../../engine/index.ts'
import { COMMIT_GRAPH_LAYER_COUNT_MAX } from '../limits.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import { runGit } from './repository.ts'

const OWN_TABLE = join('gittorrent', 'commit-graph')

/** git's commit-graph of a repository, or null. `gitDir` is the common directory. */
export async function readGraphOfGit(gitDir: string, format: ObjectFormat): Promise<CommitTable | null> {
  const layers = await readLayers(join(gitDir, 'objects', 'info'), format)
  if (layers === null || (await isRewritten(gitDir))) return null
  return tableOrNull(() => parseCommitGraph(layers, format))
}

/** True where git may see other parents than the stored ones. */
export async function isRewritten(gitDir: string): Promise<boolean> {
  if (existsSync(join(gitDir, 'shallow')) || existsSync(join(gitDir, 'info', 'grafts'))) return true
  return (await runGit(gitDir, ['for-each-ref', '--count=1', '--format=%(refname)', 'refs/replace/'])) !== ''
}

export async function readOwnTable(gitDir: string, format: ObjectFormat): Promise<CommitTable | null> {
  const bytes = await readFile(join(gitDir, OWN_TABLE)).catch(() => null)
  return bytes === null || checksumOf(bytes, format) === null
    ? null
    : tableOrNull(() => parseCommitGraph([bytes], format))
}

/** Replaces our table by all commits of `graph`; where nothing can be written there is none. */
export async function writeOwnTable(gitDir: string, graph: CommitGraph): Promise<void> {
  const bytes = encodeCommitGraph(graph)
  const checksum = createHash(graph.format).update(bytes).digest()
  await writeFileAtomically(join(gitDir, OWN_TABLE), [bytes, checksum]).catch(() => {})
}

/** The files of the graph, the base first, each checked; null when there is none or one is damaged. */
async function readLayers(folder: string, format: ObjectFormat): Promise<Uint8Array[] | null> {
  const whole = await readFile(join(folder, 'commit-graph')).catch(() => null)
  if (whole !== null) return checksumOf(whole, format) === null ? null : [whole]
  const chain = await readFile(join(folder, 'commit-graphs', 'commit-graph-chain'), 'latin1').catch(() => null)
  const names = chain?.split('\n').filter((name) => name !== '') ?? []
  if (names.length === 0 || names.length > COMMIT_GRAPH_LAYER_COUNT_MAX) return null
  const layers: Uint8Array[] = []
  for (const name of names) {
    if (!/^[0-9a-f]+$/.test(name)) return null
    const layer = await readFile(join(folder, 'commit-graphs', `graph-${name}.graph`)).catch(() => null)
    if (layer === null || checksumOf(layer, format) !== name) return null
    layers.push(layer)
  }
  return layers
}

/** The checksum at the end of a commit-graph file in hex, null when it is another. */
function checksumOf(bytes: Uint8Array, format: ObjectFormat): string | null {
  const end = bytes.length - hashLengthOf(format)
  if (end < 0) return null
  const checksum = createHash(format).update(bytes.subarray(0, end)).digest()
  return checksum.equals(bytes.subarray(end)) ? checksum.toString('hex') : null
}

function tableOrNull(parse: () => CommitTable): CommitTable | null {
  try {
    return parse()
  } catch (error) {
    if (error instanceof EngineError) return null
    throw error
  }
}
