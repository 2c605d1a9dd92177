/**
 * Checks bundles of links: git takes them in, oldest first, each providing the bases of the next; then the engine builds all of
 * their links from those objects, over one history that is read once, and the bytes are compared. What breaks the building of
 * all is found by building one by one, so that no bundle speaks against another.
 */

import { basename } from 'node:path'
import {
  type BundleHeader,
  CommitGraph,
  createCheckpointRule,
  type Grain,
  GT1,
  type LinkPlan,
  planLink,
  readLine,
  type TracedLine,
  Trunks,
} from '../../engine/index.ts'
import { buildPlanned } from '../build/chains.ts'
import type { History } from '../build/history.ts'
import type { LinkFile } from '../build/link-file.ts'
import { HelperError, messageOf } from '../errors.ts'
import { describeLink } from '../export/manifest-entries.ts'
import { readCommits } from '../git/commits.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { sha256OfFile } from '../store/read-file.ts'
import { SegmentStore } from '../store/segment-store.ts'
import type { CheckedPayload } from './verdict.ts'

export interface Bundle {
  readonly path: string
  readonly header: BundleHeader
}

/** A link by its ends, as far as a map needs it. */
type Ends = `${string}-${string}`

/** Coarse first: a link between coarse checkpoints is hardly ever a fine one. */
const GRAINS: readonly Grain[] = ['coarse', 'fine']

/** Checks bundles, in order as far as what they build on allows. @throws HelperError 'interrupted' when `signal` ends it */
export async function verifyBundles(
  bundles: readonly Bundle[],
  scratch: Repository,
  signal: AbortSignal,
): Promise<CheckedPayload[]> {
  const { taken, refusals } = await takeIn(bundles, scratch, signal)
  return [...refusals, ...(await rebuild(taken, scratch, signal))]
}

export function interrupted(): HelperError {
  return new HelperError('interrupted', 'verify: interrupted')
}

/** Has git take in what it can. */
async function takeIn(bundles: readonly Bundle[], scratch: Repository, signal: AbortSignal) {
  const taken: Bundle[] = []
  const refusals: CheckedPayload[] = []
  const waiting = new Set(bundles)
  while (waiting.size > 0) {
    for (const bundle of await nextOf([...waiting], scratch)) {
      if (signal.aborted) throw interrupted()
      waiting.delete(bundle)
      await runGit(scratch.gitDir, ['bundle', 'unbundle', bundle.path]).then(
        () => taken.push(bundle),
        (error: unknown) => refusals.push(refusal(bundle, messageOf(error))),
      )
    }
  }
  return { taken, refusals }
}

/** The bundles whose base is there by now: a branch starts inside a link of the line it leaves. All if none is ready. */
async function nextOf(bundles: readonly Bundle[], { gitDir }: Repository): Promise<readonly Bundle[]> {
  const bases = bundles.flatMap(({ header }) => header.base ?? [])
  const answers = await runGit(gitDir, ['cat-file', '--batch-check=%(objectname)'], `${bases.join('\n')}\n`)
  const there = new Set(answers.split('\n'))
  const ready = bundles.filter(({ header }) => header.base === null || there.has(header.base))
  return ready.length > 0 ? ready : bundles
}

/** Builds the links of all bundles together; where one keeps that from ending, each by itself. */
async function rebuild(
  bundles: readonly Bundle[],
  scratch: Repository,
  signal: AbortSignal,
): Promise<CheckedPayload[]> {
  try {
    return await rebuildTogether(bundles, scratch, signal)
  } catch (error) {
    if (signal.aborted) throw interrupted()
    const [first, ...others] = bundles
    if (first === undefined) return []
    if (others.length === 0) return [refusal(first, messageOf(error))]
    const checked: CheckedPayload[] = []
    for (const bundle of bundles) checked.push(...(await rebuild([bundle], scratch, signal)))
    return checked
  }
}

async function rebuildTogether(
  bundles: readonly Bundle[],
  scratch: Repository,
  signal: AbortSignal,
): Promise<CheckedPayload[]> {
  const history = await readHistory(bundles, scratch)
  const checked: CheckedPayload[] = []
  const reasons = new Map(bundles.map((bundle) => [bundle, 'its ends are no checkpoints of one line']))
  for (const grain of GRAINS) {
    const links = await buildLinks([...reasons.keys()], grain, history, scratch, signal)
    for (const bundle of [...reasons.keys()]) {
      const link = links.get(endsOf(bundle.header))
      if (link === undefined) continue
      const found = await sha256OfFile(bundle.path)
      reasons.set(bundle, `differs from what its objects build (SHA-256 ${found})`)
      if (link.sha256 !== found) continue
      reasons.delete(bundle)
      checked.push({ name: basename(bundle.path), reason: null, built: describeLink(link, heightOf(link, history)) })
    }
  }
  return [...checked, ...[...reasons].map(([bundle, reason]) => refusal(bundle, reason))]
}

/** The lines that the tips of some bundles are on, without links. */
async function readHistory(bundles: readonly Bundle[], { gitDir, objectFormat }: Repository): Promise<History> {
  const graph = new CommitGraph(objectFormat)
  const tips = new Set(bundles.map(({ header }) => header.tip))
  await readCommits(gitDir, [...tips], graph)
  const levelOf = await createCheckpointRule(GT1)
  const trunks = new Trunks(graph)
  const lines: TracedLine[] = []
  const bases = new Set(bundles.map(({ header }) => header.base))
  // What is the base of another link is on the line of that one.
  for (const tip of [...tips].sort((a, b) => Number(bases.has(a)) - Number(bases.has(b)))) {
    const line = readLine(graph, tip, levelOf, trunks)
    if (line.commits.length === 0) continue
    lines.push(line)
    trunks.add(line)
  }
  return { graph, lines: lines.map((line) => ({ ref: line.tip, line, links: [] })) }
}

/** Links of one grain, as far as some line of the history has them. */
async function buildLinks(
  bundles: readonly Bundle[],
  grain: Grain,
  { graph, lines }: History,
  scratch: Repository,
  signal: AbortSignal,
): Promise<Map<Ends, LinkFile>> {
  const planned = lines.map((line) => ({ ...line, links: [] as LinkPlan[] }))
  const ends = new Map(bundles.map(({ header }) => [endsOf(header), header]))
  for (const { tip, base } of ends.values()) {
    for (const { line, links } of planned) {
      const plan = planLink(line, tip, base, grain, GT1)
      if (plan === null) continue
      links.push(plan)
      break
    }
  }
  if (planned.every(({ links }) => links.length === 0)) return new Map()
  const store = new SegmentStore(scratch.gitDir)
  const built = await buildPlanned(scratch, { graph, lines: planned }, store, { signal })
  await built.close()
  return new Map(built.chains.flatMap(({ links }) => links.map((link) => [endsOf(link.plan), link] as const)))
}

function heightOf({ plan }: LinkFile, { lines }: History): number {
  const checkpoints = lines.flatMap(({ line }) => line.checkpoints)
  return checkpoints.find(({ oid }) => oid === plan.tip)?.height ?? 0
}

function endsOf({ tip, base }: Pick<BundleHeader, 'tip' | 'base'>): Ends {
  return `${tip}-${base ?? ''}`
}

function refusal({ path }: Bundle, reason: string): CheckedPayload {
  return { name: basename(path), reason, built: null }
}
