/**
 * From the changes of a segment's commits to the shards that are placed: exact membership, version graph, spine
 * (FORMAT.md, "Membership", "Version graph", "Names and shards"). Synchronous; decides everything that depends on the
 * order of discovery, so that what runs in parallel afterwards cannot.
 */

import type { CommitGraph } from './commit-graph.ts'
import { type FormatParameters, SHARD_COUNT_PER_TYPE } from './format.ts'
import type { LineState } from './line-state.ts'
import { COMMIT, type ObjectType, TREE } from './object.ts'
import type { ShardSegment } from './placement.ts'
import { type Change, nameKey } from './tree-diff.ts'

/** Shards of a segment: commits, then trees, then blobs. */
export const SHARD_COUNT = 1 + 2 * SHARD_COUNT_PER_TYPE

const NO_BYTES = new Uint8Array(0)
const ROOT_TREE_NAME = nameKey(TREE, NO_BYTES, 0, 0)
const COMMIT_NAME = nameKey(COMMIT, NO_BYTES, 0, 0)

/** What the walk found: the segment's commits in order, what each brings, and what the tip brings against the base. */
export interface SegmentChanges {
  readonly commits: readonly number[]
  readonly byCommit: readonly (readonly Change[])[]
  readonly tipTree: string
  readonly baseTree: string | null
  readonly spine: readonly Change[]
}

export interface SegmentObjects {
  readonly objectCount: number
  /** One per shard number, null where the segment has no object of the shard. */
  readonly shards: readonly (ShardSegment | null)[]
}

export function shardOf(type: number, name: number): number {
  if (type === COMMIT) return 0
  return 1 + (type === TREE ? 0 : SHARD_COUNT_PER_TYPE) + (name % SHARD_COUNT_PER_TYPE)
}

/** Collects one segment, adds its objects to the line and closes the segment there. */
export function collectSegment(
  changes: SegmentChanges,
  graph: CommitGraph,
  line: LineState,
  parameters: FormatParameters,
): SegmentObjects {
  const collector = new Collector(line, parameters.neighbourCountMax)
  changes.commits.forEach((commit, index) => {
    collector.addCommit(graph, commit, changes.byCommit[index] ?? [])
  })
  collector.addSpine(changes.tipTree, changes.baseTree, changes.spine)
  const shards = collector.shards()
  line.closeSegment()
  return { objectCount: collector.members.length, shards }
}

class Collector {
  /** Numbers in order of discovery. */
  readonly members: number[] = []
  readonly #line: LineState
  readonly #neighbourCountMax: number
  readonly #memberOf = new Map<number, number>()
  readonly #neighbours: number[][] = []
  readonly #spine: number[] = []
  readonly #spineOlds: number[] = []

  constructor(line: LineState, neighbourCountMax: number) {
    this.#line = line
    this.#neighbourCountMax = neighbourCountMax
  }

  addCommit(graph: CommitGraph, commit: number, changes: readonly Change[]): void {
    this.#discover(graph.oidOf(commit), COMMIT, COMMIT_NAME)
    const rootTree = graph.treeOf(commit)
    const root = this.#discover(rootTree, TREE, ROOT_TREE_NAME)
    for (let index = 0; index < graph.parentCountOf(commit); index++) {
      this.#join(root, this.#line.find(graph.treeOf(graph.parentOf(commit, index))))
    }
    for (const { type, name, oid, olds } of changes) {
      const number = this.#discover(oid, type, name)
      for (const old of olds) this.#join(number, this.#line.find(old))
    }
  }

  addSpine(tipTree: string, baseTree: string | null, spine: readonly Change[]): void {
    this.#addToSpine(tipTree, baseTree)
    for (const { oid, olds } of spine) this.#addToSpine(oid, olds[0] ?? null)
  }

  shards(): (ShardSegment | null)[] {
    const { types, names } = this.#line.rows.views
    const byShard: number[][] = Array.from({ length: SHARD_COUNT }, () => [])
    const positions = new Int32Array(this.members.length)
    this.members.forEach((number, member) => {
      positions[member] = (byShard[shardOf(types[number] ?? 0, names[number] ?? 0)]?.push(member) ?? 0) - 1
    })
    const spines: { members: number[]; olds: number[] }[] = byShard.map(() => ({ members: [], olds: [] }))
    this.#spine.forEach((member, index) => {
      const number = this.members[member] ?? 0
      const spine = spines[shardOf(types[number] ?? 0, names[number] ?? 0)]
      spine?.members.push(positions[member] ?? 0)
      spine?.olds.push(this.#spineOlds[index] ?? -1)
    })
    return byShard.map((members, shard) => {
      const spine = spines[shard] ?? { members: [], olds: [] }
      return members.length === 0 ? null : this.#shardOfMembers(members, spine.members, spine.olds)
    })
  }

  #shardOfMembers(members: readonly number[], spine: readonly number[], spineOlds: readonly number[]): ShardSegment {
    const { names, types } = this.#line.rows.views
    const numbers = Int32Array.from(members, (member) => this.members[member] ?? 0)
    const edgeStart = new Int32Array(members.length + 1)
    const edgeTo: number[] = []
    members.forEach((member, position) => {
      edgeTo.push(...(this.#neighbours[member] ?? []))
      edgeStart[position + 1] = edgeTo.length
    })
    return {
      members: numbers,
      edgeStart,
      edgeTo: Int32Array.from(edgeTo),
      spine: Int32Array.from(spine),
      spineOlds: Int32Array.from(spineOlds),
      sameName: Int32Array.from(numbers, (number) => this.#line.latestOf(types[number] ?? 0, names[number] ?? 0)),
    }
  }

  #discover(oid: string, type: ObjectType, name: number): number {
    const known = this.#line.find(oid)
    if (known >= 0) return known
    const number = this.#line.add(oid, type, name)
    this.#memberOf.set(number, this.members.push(number) - 1)
    this.#neighbours.push([])
    return number
  }

  /** An edge of the version graph between two different objects of one shard. */
  #join(a: number, b: number): void {
    if (a < 0 || b < 0 || a === b || !this.#inOneShard(a, b)) return
    this.#link(a, b)
    this.#link(b, a)
  }

  #link(from: number, to: number): void {
    const member = this.#memberOf.get(from)
    if (member === undefined) return
    const neighbours = this.#neighbours[member]
    if (neighbours === undefined || neighbours.length >= this.#neighbourCountMax || neighbours.includes(to)) return
    neighbours.push(to)
  }

  #addToSpine(oid: string, old: string | null): void {
    const number = this.#line.find(oid)
    const member = this.#memberOf.get(number)
    if (member === undefined) return
    const older = old === null ? -1 : this.#line.find(old)
    this.#spine.push(member)
    this.#spineOlds.push(older >= 0 && !this.#memberOf.has(older) && this.#inOneShard(number, older) ? older : -1)
  }

  #inOneShard(a: number, b: number): boolean {
    const { types, names } = this.#line.rows.views
    return shardOf(types[a] ?? 0, names[a] ?? 0) === shardOf(types[b] ?? 0, names[b] ?? 0)
  }
}
