/**
 * Random git histories for the engine's laws: what a history may look like, as fast-check arbitraries.
 * A description is plain data; every description is valid, because picks are taken modulo what is there, so it shrinks freely.
 * Features are switched per history (swarm testing): a history without merges finds other faults than one with everything.
 * test/support/history-writer.ts turns a description into a repository.
 */

import fc from 'fast-check'
import type { Change } from '../support/history-tree.ts'
import {
  type CommitDescription,
  FEATURES,
  type HistoryDescription,
  TAG_KINDS,
  type TagDescription,
} from '../support/history-writer.ts'
import type { ObjectFormat } from '../support/object-writer.ts'

export { type WrittenHistory, writeHistory } from '../support/history-writer.ts'
export type { HistoryDescription }

export interface HistoryOptions {
  /** Fewest commits; 1 unless given. */
  readonly commitCountMin?: number
  /** Most commits; 40 unless given. */
  readonly commitCountMax?: number
  /** Both unless given. isomorphic-git reads SHA-1 only. */
  readonly objectFormat?: ObjectFormat
}

const natural = fc.nat({ max: 0xffff })
const seed = fc.nat({ max: 0x7fffffff })

const changeArbitrary: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: editArbitrary() },
  { weight: 4, arbitrary: writeArbitrary() },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append-to-hot-file'), seed }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), file: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-directory'), file: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename'), file: natural, path: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename-directory'), file: natural, path: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('copy'), file: natural, path: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('set-mode'), file: natural, mode: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('symlink'), path: natural, target: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('submodule'), path: natural, seed }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('empty-directory'), path: natural }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('write-binary'), path: natural, length: contentLength(), seed }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore-file'), commit: natural, file: natural }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore-all'), commit: natural }) },
)

const commitArbitrary: fc.Arbitrary<CommitDescription> = commitWith(
  fc.oneof(
    { weight: 40, arbitrary: fc.constant([0]) },
    { weight: 3, arbitrary: fc.tuple(fc.nat({ max: 8 })) },
    { weight: 6, arbitrary: fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 8 })) },
    { weight: 2, arbitrary: fc.array(fc.nat({ max: 12 }), { minLength: 3, maxLength: 8 }) },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
)

/** Shapes that single random commits rarely make: each is a few commits in a row. */
const groupArbitrary: fc.Arbitrary<readonly CommitDescription[]> = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(commitArbitrary) },
  { weight: 4, arbitrary: shapeArbitrary([[0], [0], [0], [0], [0], [0], [0], [0]]) }, // long lines have checkpoints
  { weight: 2, arbitrary: shapeArbitrary([[0], [1], [0, 1], [2, 1], [0, 1]]) }, // criss-cross
  { weight: 2, arbitrary: shapeArbitrary([[0], [0], [0], [3, 0]]) }, // a topic branch and its merge
  { weight: 1, arbitrary: shapeArbitrary([[0], [1], [2], [3], [3, 2, 1, 0]]) }, // octopus
  { weight: 1, arbitrary: shapeArbitrary([[], [0], [2, 0]]) }, // an unrelated history merged
  { weight: 1, arbitrary: shapeArbitrary([[0], [0], [1, 0]]) }, // a merge the wrong way round
)

/** Returns descriptions of histories with `commitCountMin` to `commitCountMax` commits and every oddity that git stores. */
export function historyArbitrary(options: HistoryOptions = {}): fc.Arbitrary<HistoryDescription> {
  const { commitCountMin = 1, commitCountMax = 40 } = options
  const objectFormats: ObjectFormat[] = options.objectFormat === undefined ? ['sha1', 'sha256'] : [options.objectFormat]
  return fc.record({
    objectFormat: fc.constantFrom(...objectFormats),
    features: fc.subarray([...FEATURES]),
    commits: fc
      .array(groupArbitrary, { minLength: commitCountMin, maxLength: commitCountMax, size: 'max' })
      .map((groups) => groups.flat().slice(0, commitCountMax)),
    tags: fc.array(tagArbitrary(), { maxLength: 6 }),
  })
}

/** Returns the one description that a seed stands for, with every feature and every kind of tag: a fixed history. */
export function historyOfSeed(historySeed: number, options: HistoryOptions = {}): HistoryDescription {
  const [description] = fc.sample(historyArbitrary(options), { seed: historySeed, numRuns: 1 })
  if (description === undefined) throw new Error('fast-check: expected one sample, got none')
  const tags = TAG_KINDS.map((kind, target) => ({ kind, target }))
  return { ...description, features: [...FEATURES], tags }
}

function commitWith(parents: fc.Arbitrary<readonly number[]>): fc.Arbitrary<CommitDescription> {
  return fc.record({
    parents,
    mergeStyle: natural,
    changes: fc.array(changeArbitrary, { maxLength: 4 }),
    clockSeconds: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 6, arbitrary: fc.nat({ max: 100_000 }) },
      { weight: 2, arbitrary: fc.integer({ min: -1_000_000, max: -1 }) },
      { weight: 1, arbitrary: fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }) },
    ),
    form: natural,
  })
}

function shapeArbitrary(shape: readonly (readonly number[])[]): fc.Arbitrary<readonly CommitDescription[]> {
  return fc.tuple(...shape.map((parents) => commitWith(fc.constant(parents))))
}

function tagArbitrary(): fc.Arbitrary<TagDescription> {
  return fc.record({
    kind: fc.constantFrom(...TAG_KINDS),
    target: natural,
  })
}

function editArbitrary(): fc.Arbitrary<Change> {
  return fc.record({
    kind: fc.constant('edit'),
    file: natural,
    line: natural,
    removedCount: fc.nat({ max: 20 }),
    addedCount: fc.nat({ max: 20 }),
    seed,
  })
}

function writeArbitrary(): fc.Arbitrary<Change> {
  const lineCount = fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 60 }) },
    { weight: 1, arbitrary: fc.nat({ max: 1500 }) },
  )
  return fc.record({ kind: fc.constant('write'), path: natural, lineCount, seed })
}

/** Around the lengths where pack headers and delta instructions change their size. */
function contentLength(): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 1, 15, 16, 127, 128, 2047, 2048, 65_535, 65_536, 65_537), fc.nat({ max: 3000 }))
}
