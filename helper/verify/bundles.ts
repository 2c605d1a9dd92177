/**
 * Checks bundles of links: header in its one form, readable by stock git, equal to what the engine builds from the same
 * objects. Bundles are taken oldest first, each providing the bases of the next; a bundle whose base is in none of them
 * needs a repository that has it.
 */

import { open, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type BundleHeader, type Grain, GT1, parseBundleHeader, planLink } from '../../engine/index.ts'
import { buildPlanned } from '../build/chains.ts'
import { planHistory } from '../build/history.ts'
import { messageOf } from '../errors.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { BUNDLE_HEADER_LENGTH_MAX } from '../limits.ts'
import { sha256OfFile } from '../store/read-file.ts'
import { SegmentStore } from '../store/segment-store.ts'
import { withScratchRepository } from './scratch-repository.ts'

/** `reason` is null when all is well. */
export interface Verdict {
  readonly name: string
  readonly reason: string | null
  /** What a repair did about it; absent without one, null where it could do nothing. */
  readonly remedy?: string | null
}

/** Paths of the bundles: the file itself, or those in the folder. */
export async function bundlesOf(path: string, isFolder: boolean): Promise<string[]> {
  if (!isFolder) return [path]
  const names = await readdir(path)
  return names.filter((name) => name.endsWith('.bundle')).map((name) => join(path, name))
}

export async function verifyBundles(paths: readonly string[], lender: Repository | null): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const readable: { path: string; header: BundleHeader }[] = []
  for (const path of [...paths].sort((a, b) => (a < b ? -1 : 1))) {
    try {
      readable.push({ path, header: await readHeader(path) })
    } catch (error) {
      verdicts.push({ name: basename(path), reason: messageOf(error) })
    }
  }
  const [first] = readable
  if (first === undefined) return verdicts
  const { objectFormat } = first.header
  const checked = await withScratchRepository(objectFormat, lender, async (scratch) => {
    const results: Verdict[] = []
    const waiting = new Set(readable)
    while (waiting.size > 0) {
      for (const bundle of await nextOf([...waiting], scratch)) {
        const { path, header } = bundle
        const reason = await reasonAgainst(path, header, scratch).catch((error: unknown) => messageOf(error))
        results.push({ name: basename(path), reason })
        waiting.delete(bundle)
      }
    }
    return results
  })
  return [...verdicts, ...checked]
}

async function readHeader(path: string): Promise<BundleHeader> {
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(BUNDLE_HEADER_LENGTH_MAX)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return parseBundleHeader(bytes.subarray(0, bytesRead))
  } finally {
    await file.close()
  }
}

/** The bundles whose base is there by now: a branch starts inside a link of the line it leaves. All if none is ready. */
async function nextOf<Bundle extends { readonly header: BundleHeader }>(
  bundles: readonly Bundle[],
  { gitDir }: Repository,
): Promise<readonly Bundle[]> {
  const bases = bundles.flatMap(({ header }) => header.base ?? [])
  const answers = await runGit(gitDir, ['cat-file', '--batch-check=%(objectname)'], `${bases.join('\n')}\n`)
  const there = new Set(answers.split('\n'))
  const ready = bundles.filter(({ header }) => header.base === null || there.has(header.base))
  return ready.length > 0 ? ready : bundles
}

async function reasonAgainst(path: string, { tip, base }: BundleHeader, scratch: Repository): Promise<string | null> {
  await runGit(scratch.gitDir, ['bundle', 'unbundle', path])
  const expected = await sha256OfFile(path)
  const history = await planHistory(scratch, [{ ref: tip, oid: tip }])
  const [main] = history.lines
  if (main === undefined) return 'no history behind its tip'
  const grains: readonly Grain[] = ['coarse', 'fine']
  let isLink = false
  for (const grain of grains) {
    const plan = planLink(main.line, tip, base, grain, GT1)
    if (plan === null) continue
    isLink = true
    const lines = [{ ...main, links: [plan] }]
    const chains = await buildPlanned(scratch, { graph: history.graph, lines }, new SegmentStore(scratch.gitDir))
    await chains.close()
    if (chains.chains[0]?.links[0]?.sha256 === expected) return null
  }
  return isLink
    ? `differs from what its objects build (SHA-256 ${expected})`
    : 'its ends are no checkpoints of one line'
}
