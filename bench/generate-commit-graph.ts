/**
 * Makes the commit-graph file of a history that does not exist, of any size and of the shape of a large project: a main
 * line of merges, long-lived subsystem lines that merge topics and are merged, octopus merges, release branches with
 * fixes of their own. No object is behind it: planning reads names and parents only. One seed, one file.
 */

import { createHash } from 'node:crypto'
import { randomNumbers } from './random-numbers.ts'

export interface GraphOptions {
  readonly commitCount: number
  readonly seed: number
  /** Branches that leave the main line, for every so many commits of it. */
  readonly releaseCount: number
  /** One line without a merge instead: the most commits that a line can have. */
  readonly isLinear?: boolean
}

export interface GeneratedGraph {
  /** A commit-graph file, version 1, SHA-1. */
  readonly file: Uint8Array
  /** Name of the main line's tip, then of the release branches, newest first; hex. */
  readonly tips: readonly string[]
}

const HASH_LENGTH = 20
const ROW_LENGTH = HASH_LENGTH + 16
const NO_PARENT = 0x70000000
const HIGH_BIT = 0x80000000
const SUBSYSTEM_COUNT = 60
const RELEASE_COMMIT_COUNT = 400

/** Parents of each commit by index; a commit follows its parents. */
interface Shape {
  readonly parents: readonly (readonly number[])[]
  readonly tips: readonly number[]
}

export function generateCommitGraph(options: GraphOptions): GeneratedGraph {
  const narrow = randomNumbers(options.seed)
  const random = (bound: number): number =>
    bound <= 65_536 ? narrow(bound) : Math.floor(((narrow(65_536) * 65_536 + narrow(65_536)) / 2 ** 32) * bound)
  const { parents, tips } = options.isLinear === true ? linearShape(options.commitCount) : projectShape(options, random)
  const count = parents.length
  const positions = shuffled(count, random)
  const names = ascendingNames(count, random)
  const rows = Buffer.alloc(count * ROW_LENGTH)
  const edges: number[] = []
  parents.forEach((of, index) => {
    const at = (positions[index] ?? 0) * ROW_LENGTH
    rows.writeUInt32BE(random(0x7fffffff), at)
    rows.writeUInt32BE(random(0x7fffffff), at + 8)
    const [first, second, ...more] = of.map((parent) => positions[parent] ?? 0)
    rows.writeUInt32BE(first ?? NO_PARENT, at + HASH_LENGTH)
    rows.writeUInt32BE(more.length > 0 ? HIGH_BIT + edges.length : (second ?? NO_PARENT), at + HASH_LENGTH + 4)
    if (more.length > 0 && second !== undefined) {
      edges.push(second, ...more)
      edges[edges.length - 1] = (edges[edges.length - 1] ?? 0) + HIGH_BIT
    }
  })
  const nameOf = (index: number): string => {
    const at = (positions[index] ?? 0) * HASH_LENGTH
    return names.subarray(at, at + HASH_LENGTH).toString('hex')
  }
  return { file: assemble(names, rows, edges), tips: tips.map(nameOf) }
}

function linearShape(commitCount: number): Shape {
  const parents = Array.from({ length: commitCount }, (_, index) => (index === 0 ? [] : [index - 1]))
  return { parents, tips: [commitCount - 1] }
}

function projectShape({ commitCount, releaseCount }: GraphOptions, random: (bound: number) => number): Shape {
  const parents: number[][] = [[]]
  const add = (...of: number[]): number => parents.push(of) - 1
  let main = 0
  const subsystems = new Array<number>(SUBSYSTEM_COUNT).fill(0)
  const releases: number[] = []
  const mainCommitCount = Math.max(1, commitCount - releaseCount * RELEASE_COMMIT_COUNT)
  while (parents.length < mainCommitCount) {
    const which = random(SUBSYSTEM_COUNT)
    let line = subsystems[which] ?? 0
    if (random(8) === 0) line = main
    for (let topics = random(3) + 1; topics > 0; topics--) {
      let topic = random(4) === 0 ? main : line
      for (let commits = random(16) + 2; commits > 0; commits--) topic = add(topic)
      line = random(2) === 0 || topic === line ? (line = topic) : add(line, topic)
    }
    subsystems[which] = line
    if (random(500) === 0) main = add(main, line, ...subsystems.slice(0, 3 + random(20)))
    else main = random(10) === 0 ? add(main) : add(main, line)
    if (parents.length * releaseCount > releases.length * mainCommitCount) releases.push(main)
  }
  const tips = releases.reverse().slice(0, releaseCount)
  const branches = tips.map((from) => {
    let branch = from
    for (let commits = RELEASE_COMMIT_COUNT; commits > 0; commits--) branch = add(branch)
    return branch
  })
  return { parents, tips: [main, ...branches] }
}

function shuffled(count: number, random: (bound: number) => number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, index) => index)
  for (let index = count - 1; index > 0; index--) {
    const other = random(index + 1)
    const kept = order[index] ?? 0
    order[index] = order[other] ?? 0
    order[other] = kept
  }
  return order
}

/** Names spread evenly over their first four bytes, the rest at random. */
function ascendingNames(count: number, random: (bound: number) => number): Buffer {
  const names = Buffer.alloc(count * HASH_LENGTH)
  const step = Math.floor(2 ** 32 / count)
  for (let index = 0; index < count; index++) {
    names.writeUInt32BE(index * step + random(step), index * HASH_LENGTH)
    for (let at = 4; at < HASH_LENGTH; at += 4) names.writeUInt32BE(random(0x7fffffff), index * HASH_LENGTH + at)
  }
  return names
}

function assemble(names: Buffer, rows: Buffer, edges: readonly number[]): Uint8Array {
  const count = names.length / HASH_LENGTH
  const fan = Buffer.alloc(1024)
  for (let index = 0, byte = 0; byte < 256; byte++) {
    while (index < count && (names[index * HASH_LENGTH] ?? 0) <= byte) index++
    fan.writeUInt32BE(index, byte * 4)
  }
  const edgeBytes = Buffer.alloc(edges.length * 4)
  edges.forEach((edge, index) => {
    edgeBytes.writeUInt32BE(edge, index * 4)
  })
  const chunks: (readonly [string, Buffer])[] = [
    ['OIDF', fan],
    ['OIDL', names],
    ['CDAT', rows],
    ['EDGE', edgeBytes],
  ]
  const head = Buffer.alloc(8 + 12 * (chunks.length + 1))
  head.write('CGPH')
  head.set([1, 1, chunks.length, 0], 4)
  let offset = head.length
  chunks.forEach(([name, bytes], index) => {
    head.write(name, 8 + index * 12)
    head.writeUInt32BE(offset, 8 + index * 12 + 8)
    offset += bytes.length
  })
  head.writeUInt32BE(offset, 8 + chunks.length * 12 + 8)
  const content = Buffer.concat([head, ...chunks.map(([, bytes]) => bytes)])
  return Buffer.concat([content, createHash('sha1').update(content).digest()])
}
