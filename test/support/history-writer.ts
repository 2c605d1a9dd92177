/**
 * Writes the history that a description stands for, as objects of the exact bytes that the description asks for.
 * Everything is decided by the description: the same one gives the same oids everywhere.
 * Numbers in a description are picks and always valid; a feature that is switched off is passed over.
 */

import { type Change, type ChangeContext, changeTree, type FileTree, picked, writeFileTree } from './history-tree.ts'
import {
  createObjectWriter,
  createRepository,
  type ObjectFormat,
  type ObjectWriter,
  writeRefs,
} from './object-writer.ts'

export const FEATURES = [
  'branches',
  'merges',
  'octopus-merges',
  'roots',
  'duplicate-parents',
  'clock-skew',
  'odd-commits',
  'odd-modes',
  'odd-names',
  'zero-padded-modes',
  'restores',
  'binaries',
  'symlinks',
  'submodules',
  'empty-directories',
  'tags',
] as const

export const TAG_KINDS = ['light', 'annotated', 'of-tag', 'of-tree', 'of-blob'] as const

export type Feature = (typeof FEATURES)[number]

export interface CommitDescription {
  /** How many commits before the one before this one (0 is the one before); none is a root. The first is the first parent. */
  readonly parents: readonly number[]
  /** How the files of further parents are taken over. */
  readonly mergeStyle: number
  /** No change makes an empty commit. */
  readonly changes: readonly Change[]
  /** Committer time minus that of the commit before it in the list; may be negative. */
  readonly clockSeconds: number
  /** Picks time zone, message, extra headers, and zero-padded modes. */
  readonly form: number
}

export interface TagDescription {
  readonly kind: (typeof TAG_KINDS)[number]
  readonly target: number
}

export interface HistoryDescription {
  readonly objectFormat: ObjectFormat
  readonly features: readonly Feature[]
  readonly commits: readonly CommitDescription[]
  readonly tags: readonly TagDescription[]
}

/** A history in a bare repository. All oids are lowercase hex. */
export interface WrittenHistory {
  readonly directory: string
  readonly objectFormat: ObjectFormat
  /** Oids in the order of the description; parents come before children. */
  readonly commits: readonly string[]
  /** The last commit, which is refs/heads/main and HEAD. */
  readonly tip: string
  /** Every ref: main, side-N for each other commit without children, tag-N. */
  readonly refs: ReadonlyMap<string, string>
}

interface WrittenCommit {
  readonly oid: string
  readonly rootTree: string
  readonly parents: readonly string[]
  readonly tree: FileTree
  readonly seconds: number
}

type FeatureSet = ReadonlySet<Feature>

const FIRST_COMMIT_SECONDS = 1_112_911_993
const LAST_SECONDS = 4_000_000_000

const COMMON_PATHS = [
  'README',
  'Makefile',
  'src/main.c',
  'src/main.h',
  'src/lib/a/b/c/deep.c',
  'lib/main.c',
  'doc/main.c',
  // Names that sort differently as files and as directories.
  'a',
  'a/b',
  'a/b/c',
  'a.b',
  'a-b',
  'a0',
  'ab',
  'readme',
  'po/de.po',
  'po/fr.po',
]

const ODD_PATHS = [
  '\xff\xfe',
  'caf\xe9',
  'caf\xc3\xa9',
  'stra\xdfe/\x80',
  'with space/and\ttab',
  'line\nbreak',
  '"quoted"',
  '-dash',
  '\x01',
  'n'.repeat(300),
]

const CHANGE_FEATURES: Partial<Record<Change['kind'], Feature>> = {
  'restore-file': 'restores',
  'restore-all': 'restores',
  'write-binary': 'binaries',
  symlink: 'symlinks',
  submodule: 'submodules',
  'empty-directory': 'empty-directories',
}

/** Creates a bare repository in `directory` that holds the described history. A description without commits is refused. */
export async function writeHistory(directory: string, description: HistoryDescription): Promise<WrittenHistory> {
  const features: FeatureSet = new Set(description.features)
  const writer = createObjectWriter(description.objectFormat)
  const written: WrittenCommit[] = []
  for (const commit of description.commits) written.push(writeCommit(writer, written, commit, features))
  const tip = written.at(-1)
  if (tip === undefined) throw new Error('history: expected at least one commit, got none')
  const refs = new Map([...branchRefs(written, tip), ...writeTags(writer, written, description.tags, features)])
  await createRepository(directory, description.objectFormat)
  await writer.store(directory)
  await writeRefs(directory, refs)
  const commits = written.map((commit) => commit.oid)
  return { directory, objectFormat: description.objectFormat, commits, tip: tip.oid, refs }
}

function writeCommit(
  writer: ObjectWriter,
  earlier: readonly WrittenCommit[],
  commit: CommitDescription,
  features: FeatureSet,
): WrittenCommit {
  const parents = chooseParents(earlier, commit.parents, features)
  const context: ChangeContext = {
    paths: features.has('odd-names') ? [...COMMON_PATHS, ...ODD_PATHS] : COMMON_PATHS,
    fileModes: features.has('odd-modes') ? ['100755', '100644', '100664'] : ['100755', '100644'],
    earlier: earlier.map((other) => other.tree),
    oidLength: writer.objectFormat === 'sha1' ? 40 : 64,
  }
  const changes = commit.changes.filter(({ kind }) => {
    const feature = CHANGE_FEATURES[kind]
    return feature === undefined || features.has(feature)
  })
  const merged = mergeTrees(parents, commit.mergeStyle)
  const tree = changes.reduce((result, change) => changeTree(result, change, context), merged)
  const rootTree = writeFileTree(writer, tree, features.has('zero-padded-modes') && commit.form % 5 === 0)
  const elapsed = features.has('clock-skew') ? commit.clockSeconds : Math.max(0, commit.clockSeconds)
  const before = earlier.at(-1)?.seconds ?? FIRST_COMMIT_SECONDS
  const seconds = Math.min(LAST_SECONDS, Math.max(0, before + elapsed))
  const parentOids = parents.map((parent) => parent.oid)
  const form = features.has('odd-commits') ? commit.form : 0
  const oid = writer.write(
    'commit',
    commitBytes({ rootTree, parents: parentOids, seconds, index: earlier.length, form }),
  )
  return { oid, rootTree, parents: parentOids, tree, seconds }
}

function chooseParents(
  earlier: readonly WrittenCommit[],
  steps: readonly number[],
  features: FeatureSet,
): WrittenCommit[] {
  const last = earlier.length - 1
  if (last < 0) return []
  if (steps.length === 0 && features.has('roots')) return []
  const parentCountMax = !features.has('merges') ? 1 : features.has('octopus-merges') ? steps.length : 2
  const allowed = (features.has('branches') ? steps : [0, ...steps.slice(1)]).slice(0, parentCountMax)
  const chosen = (allowed.length === 0 ? [0] : allowed).flatMap((step) => earlier[last - (step % earlier.length)] ?? [])
  return features.has('duplicate-parents') ? chosen : [...new Set(chosen)]
}

/** First parent's files; from the others nothing, what is missing, or every second path besides. */
function mergeTrees(parents: readonly WrittenCommit[], mergeStyle: number): FileTree {
  const [first, ...others] = parents
  const merged = new Map(first?.tree)
  if (mergeStyle % 3 === 0) return merged
  for (const other of others) {
    let position = mergeStyle
    for (const [path, leaf] of other.tree) {
      position += 1
      const isWanted = merged.has(path) ? mergeStyle % 3 === 2 && position % 2 === 0 : !conflicts(merged, path)
      if (isWanted) merged.set(path, leaf)
    }
  }
  return merged
}

/** Whether a leaf at `path` would lie above or below another leaf. */
function conflicts(tree: FileTree, path: string): boolean {
  return [...tree.keys()].some((other) => path.startsWith(`${other}/`) || other.startsWith(`${path}/`))
}

interface CommitParts {
  readonly rootTree: string
  readonly parents: readonly string[]
  readonly seconds: number
  readonly index: number
  readonly form: number
}

const ZONES = ['+0000', '+0200', '-0330', '+1400', '-1200', '+051800', '-0000']
const EXTRA_HEADERS = [
  '',
  '',
  'encoding ISO-8859-1\n',
  'gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n -----END PGP SIGNATURE-----\n',
  'mergetag object 0000000000000000000000000000000000000000\n type commit\n tag v0\n \n text\n',
  'x-unknown one\nx-unknown two\n',
]
const MESSAGES = [
  'Change things\n',
  'No newline at the end',
  '',
  '\n\nStarts with empty lines\n',
  'Gr\xfc\xdfe\n',
  'tree 1\nparent 2\n',
]

function commitBytes({ rootTree, parents, seconds, index, form }: CommitParts): Uint8Array {
  const zone = picked(ZONES, form) ?? ''
  const name = form % 4 === 3 ? 'J\xf6rg' : 'A U Thor'
  // The index in the address keeps commits apart that are equal otherwise.
  const lines = [
    `tree ${rootTree}\n`,
    ...parents.map((parent) => `parent ${parent}\n`),
    `author ${name} <author-${index}@example.com> ${Math.max(0, seconds - (form % 1000))} ${zone}\n`,
    `committer C O Mitter <committer@example.com> ${seconds} ${zone}\n`,
    picked(EXTRA_HEADERS, form),
    '\n',
    picked(MESSAGES, form >> 3),
  ]
  return Buffer.from(lines.join(''), 'latin1')
}

function branchRefs(written: readonly WrittenCommit[], tip: WrittenCommit): Map<string, string> {
  const parents = new Set(written.flatMap((commit) => commit.parents))
  const others = written.filter((commit) => commit !== tip && !parents.has(commit.oid))
  const sides = others.map((commit, index): [string, string] => [`refs/heads/side-${index}`, commit.oid])
  return new Map([['refs/heads/main', tip.oid], ...sides])
}

function writeTags(
  writer: ObjectWriter,
  written: readonly WrittenCommit[],
  tags: readonly TagDescription[],
  features: FeatureSet,
): Map<string, string> {
  const refs = new Map<string, string>()
  if (!features.has('tags')) return refs
  const blob = writer.write('blob', Buffer.from('tagged, and in no tree\n'))
  tags.forEach(({ kind, target }, index) => {
    const commit = picked(written, target)
    if (commit === undefined) return
    const name = `tag-${index}`
    const tag = (type: string, object: string, label = name): string =>
      writer.write('tag', tagBytes(type, object, label))
    const oids = {
      light: () => commit.oid,
      annotated: () => tag('commit', commit.oid),
      'of-tag': () => tag('tag', tag('commit', commit.oid, `${name}-inner`)),
      'of-tree': () => tag('tree', commit.rootTree),
      'of-blob': () => tag('blob', blob),
    }
    refs.set(`refs/tags/${name}`, oids[kind]())
  })
  return refs
}

function tagBytes(type: string, object: string, name: string): Uint8Array {
  const tagger = `tagger A U Thor <author@example.com> ${FIRST_COMMIT_SECONDS} +0000`
  return Buffer.from(`object ${object}\ntype ${type}\ntag ${name}\n${tagger}\n\nTag ${name}\n`)
}
