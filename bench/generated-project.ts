/**
 * The life of a made-up project as a stream for `git fast-import`: who commits what on which branch, step by step.
 * A branch remembers the files that it changed and how, so that a merge replays its edits on what main has become.
 * Order, dates and contents depend on the seed alone.
 */

import {
  applyEdit,
  author,
  catalogueLines,
  commitMessage,
  type Edit,
  type Lines,
  randomEdit,
  sourceLines,
  word,
} from './generated-text.ts'
import { type NumberSource, randomNumbers } from './random-numbers.ts'

export interface ProjectOptions {
  readonly commitCount: number
  /** Any integer; the same one gives the same objects. */
  readonly seed: number
  /** sha1 unless given. */
  readonly objectFormat?: 'sha1' | 'sha256'
}

/** A line of commits apart from main. `edits` are what main has not got yet. */
interface Branch {
  readonly ref: string
  readonly name: string
  mark: number
  commitCount: number
  /** What the branch's own versions of the files are. */
  readonly files: Map<string, Lines>
  /** What a merge has to replay, by path; of a new file its content. */
  readonly edits: Map<string, Edit[] | Lines>
}

interface Project {
  readonly next: NumberSource
  readonly options: ProjectOptions
  /** Main's files. */
  readonly files: Map<string, Lines>
  paths: string[]
  readonly topics: Branch[]
  /** Refs of topics that are merged, to use again. */
  readonly freeRefs: string[]
  release: Branch | null
  releaseCount: number
  mainMark: number
  lastMark: number
  seconds: number
  fileCount: number
}

const FIRST_COMMIT_SECONDS = 1_112_911_993
const FIRST_FILE_COUNT = 40
const OPEN_TOPICS_MAX = 12
const COMMITS_PER_NEW_FILE = 22
const HOT_PATHS = ['CHANGES', 'Makefile', 'source/cache.h']
const DIRECTORIES = ['source', 'source/refs', 'builtin', 'tests', 'tests/lib', 'doc', 'doc/technical', 'contrib/tools']
const LANGUAGES = ['de', 'fr', 'ja', 'sv']

/** Yields the commands of the whole history, for the stdin of one `git fast-import` into an empty repository. */
export function* importStream(options: ProjectOptions): Generator<Uint8Array> {
  const project = newProject(options)
  const releaseInterval = Math.max(120, Math.floor(options.commitCount / 12))
  yield firstCommit(project)
  let nextRelease = releaseInterval
  while (project.lastMark < options.commitCount) {
    if (project.lastMark >= nextRelease) {
      nextRelease += releaseInterval
      yield startRelease(project)
    }
    yield nextStep(project)
  }
  yield closeBranches(project)
}

function newProject(options: ProjectOptions): Project {
  return {
    next: randomNumbers(options.seed),
    options,
    files: new Map(),
    paths: [],
    topics: [],
    freeRefs: [],
    release: null,
    releaseCount: 0,
    mainMark: 0,
    lastMark: 0,
    seconds: FIRST_COMMIT_SECONDS,
    fileCount: 0,
  }
}

function firstCommit(project: Project): Uint8Array {
  const paths = [...HOT_PATHS, ...Array.from({ length: FIRST_FILE_COUNT }, () => newPath(project))]
  for (const path of paths) project.files.set(path, newContent(project))
  project.paths = paths
  const files = paths.map((path) => fileCommand(path, project.files.get(path) ?? []))
  return Buffer.concat([commitCommand(project, 'refs/heads/main', 'Initial import\n', []), ...files])
}

function nextStep(project: Project): Uint8Array {
  const { next, topics, release } = project
  const dice = next(100)
  const ripe = topics.findIndex((topic) => topic.commitCount > next(4))
  if (dice < 34 && ripe >= 0) return mergeBranch(project, topics.splice(ripe, 1)[0])
  if (dice < 36 && release !== null && release.edits.size > 0) return mergeBranch(project, release)
  if (dice < 38 && release !== null) return commitOnBranch(project, release)
  if (dice < 50) return commitOnMain(project)
  if (topics.length < OPEN_TOPICS_MAX && next(4) > 0) topics.push(newTopic(project))
  const topic = topics[next(topics.length)]
  return topic === undefined ? commitOnMain(project) : commitOnBranch(project, topic)
}

function newTopic(project: Project): Branch {
  const ref = project.freeRefs.pop() ?? `refs/generating/topic-${project.topics.length}-${project.lastMark}`
  const name = `${word(project.next)}-${project.lastMark}`
  return { ref, name, mark: project.mainMark, commitCount: 0, files: new Map(), edits: new Map() }
}

/** A commit of one to four files: edits, and at times a new file, on a topic or release branch. */
function commitOnBranch(project: Project, branch: Branch): Uint8Array {
  const { next } = project
  const changed = new Map<string, Lines>()
  for (let count = 1 + next(1 + next(4)); count > 0; count--) editOnBranch(project, branch, changed)
  if (next(COMMITS_PER_NEW_FILE) === 0) {
    const path = newPath(project)
    const content = newContent(project)
    branch.edits.set(path, content)
    changed.set(path, content)
  }
  for (const [path, lines] of changed) branch.files.set(path, lines)
  const message = commitMessage(next, areaOf(changed))
  const header = commitCommand(project, branch.ref, message, [branch.mark])
  branch.mark = project.lastMark
  branch.commitCount += 1
  return Buffer.concat([header, ...[...changed].map(([path, lines]) => fileCommand(path, lines))])
}

function editOnBranch(project: Project, branch: Branch, changed: Map<string, Lines>): void {
  const path = pickPath(project)
  // A branch knows a file by its first look at main, which may be younger than its fork point: like a rebased topic.
  const before = changed.get(path) ?? branch.files.get(path) ?? project.files.get(path)
  if (before === undefined) return
  const edit = randomEdit(project.next)
  const earlier = branch.edits.get(path) ?? []
  if (isEdits(earlier)) branch.edits.set(path, [...earlier, edit])
  else branch.edits.set(path, applyEdit(earlier, edit))
  changed.set(path, applyEdit(before, edit))
}

function isEdits(edits: Edit[] | Lines): edits is Edit[] {
  return edits.every((edit) => typeof edit !== 'string')
}

/** Merges a branch into main: what main has not touched is taken over, what it has is merged by replaying the edits. */
function mergeBranch(project: Project, branch: Branch | undefined): Uint8Array {
  if (branch === undefined) return commitOnMain(project)
  const message = `Merge branch '${branch.name}'\n\n${commitMessage(project.next, branch.name)}`
  const header = commitCommand(project, 'refs/heads/main', message, [project.mainMark, branch.mark])
  project.mainMark = project.lastMark
  const commands = [...branch.edits].map(([path, edits]) => {
    const before = project.files.get(path)
    const isNew = !isEdits(edits)
    if (before === undefined && !isNew) return new Uint8Array()
    const after = isEdits(edits) ? edits.reduce(applyEdit, before ?? []) : edits
    if (before === undefined) project.paths.push(path)
    project.files.set(path, after)
    return fileCommand(path, after)
  })
  branch.edits.clear()
  if (branch !== project.release) project.freeRefs.push(branch.ref)
  return Buffer.concat([header, ...commands])
}

/** A commit on main itself: hot files mostly, now and then something that touches the tree's shape. */
function commitOnMain(project: Project): Uint8Array {
  const { next } = project
  const dice = next(40)
  const path = dice === 0 ? pickPath(project) : (HOT_PATHS[next(HOT_PATHS.length)] ?? 'CHANGES')
  const change =
    dice === 0
      ? renameOrDelete(project, path)
      : dice < 3
        ? addBinary(next)
        : dice < 5
          ? translate(next)
          : edit(project, path)
  const header = commitCommand(project, 'refs/heads/main', commitMessage(next, path), [project.mainMark])
  project.mainMark = project.lastMark
  return Buffer.concat([header, change])
}

function edit(project: Project, path: string): Uint8Array {
  const after = applyEdit(project.files.get(path) ?? [], randomEdit(project.next))
  project.files.set(path, after)
  return fileCommand(path, after)
}

function renameOrDelete(project: Project, path: string): Uint8Array {
  const lines = project.files.get(path)
  if (HOT_PATHS.includes(path) || lines === undefined) return edit(project, 'CHANGES')
  project.files.delete(path)
  project.paths = project.paths.filter((other) => other !== path)
  if (project.next(3) === 0) return Buffer.from(`D ${path}\n`)
  const renamed = newPath(project)
  project.files.set(renamed, lines)
  project.paths.push(renamed)
  return Buffer.from(`R ${path} ${renamed}\n`)
}

function addBinary(next: NumberSource): Uint8Array {
  const content = Buffer.from(Array.from({ length: 2000 + next(30_000) }, () => next(256)))
  return Buffer.concat([Buffer.from(`M 100644 inline images/image-${next(40)}.png\n`), dataCommand(content)])
}

function translate(next: NumberSource): Uint8Array {
  const language = LANGUAGES[next(LANGUAGES.length)] ?? 'de'
  return fileCommand(`po/${language}.po`, catalogueLines(next, language, 300))
}

/** Tags main, and opens the next release branch there; the one before keeps its ref. */
function startRelease(project: Project): Uint8Array {
  project.releaseCount += 1
  const version = `1.${project.releaseCount}`
  const ref = `refs/heads/release-${version}`
  const before = project.release
  project.release = {
    ref,
    name: `release-${version}`,
    mark: project.mainMark,
    commitCount: 0,
    files: new Map(),
    edits: new Map(),
  }
  const tags = [tagCommand(project, `v${version}.0`, project.mainMark)]
  if (before !== null)
    tags.push(tagCommand(project, `v1.${project.releaseCount - 1}.${before.commitCount + 1}`, before.mark))
  return Buffer.from(`reset ${ref}\nfrom :${project.mainMark}\n\n${tags.join('')}`)
}

/** Open topics become branches; the refs that were used while generating go. */
function closeBranches(project: Project): Uint8Array {
  const { topics, freeRefs, options } = project
  const nothing = '0'.repeat(options.objectFormat === 'sha256' ? 64 : 40)
  const started = topics.filter((topic) => topic.commitCount > 0)
  const branches = started.map((topic) => `reset refs/heads/topic/${topic.name}\nfrom :${topic.mark}\n\n`)
  const used = [...freeRefs, ...topics.map((topic) => topic.ref)]
  return Buffer.from([...branches, ...used.map((ref) => `reset ${ref}\nfrom ${nothing}\n\n`)].join(''))
}

function commitCommand(project: Project, ref: string, message: string, parents: readonly number[]): Uint8Array {
  const { next } = project
  // One clock in a hundred is wrong by up to a day.
  project.seconds += 60 + next(7000)
  const seconds = next(100) === 0 ? project.seconds - next(65_536) : project.seconds
  project.lastMark += 1
  if (parents.length === 0) project.mainMark = project.lastMark
  const lines = [
    `commit ${ref}\nmark :${project.lastMark}\n`,
    `author ${author(next)} ${seconds - next(65_536)} +0${next(9)}00\n`,
    `committer ${author(next)} ${seconds} +0000\n`,
    `data ${Buffer.byteLength(message)}\n${message}\n`,
    ...parents.map((parent, index) => `${index === 0 ? 'from' : 'merge'} :${parent}\n`),
  ]
  return Buffer.from(lines.join(''))
}

function tagCommand(project: Project, name: string, mark: number): string {
  const message = `Release ${name}\n`
  const tagger = `tagger ${author(project.next)} ${project.seconds} +0000\n`
  return `tag ${name}\nfrom :${mark}\n${tagger}data ${message.length}\n${message}\n`
}

function fileCommand(path: string, lines: Lines): Uint8Array {
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  return Buffer.concat([Buffer.from(`M 100644 inline ${path}\n`), dataCommand(content)])
}

function dataCommand(content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`data ${content.length}\n`), content, Buffer.from('\n')])
}

function newPath(project: Project): string {
  const { next } = project
  project.fileCount += 1
  return `${DIRECTORIES[next(DIRECTORIES.length)]}/${word(next)}-${project.fileCount}.c`
}

/** Mostly short files, a few of a thousand lines. */
function newContent({ next }: Project): Lines {
  return sourceLines(next, 20 + next(1 + next(400)))
}

/** Old files are changed far more often than new ones. */
function pickPath({ next, paths }: Project): string {
  return paths[next(1 + next(paths.length))] ?? 'CHANGES'
}

function areaOf(changed: ReadonlyMap<string, Lines>): string {
  const [path = 'project'] = changed.keys()
  return path.slice(path.lastIndexOf('/') + 1)
}
