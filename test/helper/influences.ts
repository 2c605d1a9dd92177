/**
 * Everything in a repository, its configuration or the environment that changes what plain git shows or packs, as data:
 * how each is put in place, and a git command whose output proves that it works there.
 * An influence that git never shows (a cache size) says so with `shows: null`.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type GitOptions, git, gitOutcome } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'

/** A bare repository that an influence may change, and a folder for what lies outside of it. */
export interface Place {
  readonly directory: string
  readonly scratch: string
  /** The first-parent line of HEAD, newest first. */
  readonly line: readonly string[]
}

type Environment = Readonly<Record<string, string>>
type Arrange = (place: Place) => Promise<unknown>
type Show = (place: Place, environment: Environment) => Promise<string>

export interface Influence {
  readonly name: string
  /** Done before git's first answer: what the influence needs to have an effect. */
  readonly ground?: Arrange | undefined
  readonly arrange?: Arrange
  readonly environment?: (place: Place) => Environment
  /** What plain git says; it differs with the influence. Null where git shows nothing of it. */
  readonly shows: Show | null
}

/** Status and all output of a git command in the repository. */
function prints(...args: readonly string[]): Show {
  return async ({ directory }, environment) => {
    const { status, stdout, stderr } = await gitOutcome(args, { directory, environment })
    return `${status}\n${Buffer.from(stdout).toString('latin1')}\n${stderr}`
  }
}

function inPlace({ directory }: Place, args: readonly string[], options: GitOptions = {}): Promise<string> {
  return git(args, { directory, ...options })
}

const PACKING = ['pack-objects', '--all', '--stdout', '-q', '--no-reuse-delta', '--no-reuse-object', '--threads=1']
const packs = prints(...PACKING)
const packsOfIslands = prints(...PACKING, '--delta-islands')
const log = prints('log', '-12')
const parents = prints('log', '--format=%H %T %P')
const head = prints('rev-parse', 'HEAD', 'main')
const authors = prints('log', '--format=%aN')

/** Names of the files that a full repack leaves. */
const repackedFiles: Show = async (place, environment) => {
  await inPlace(place, ['repack', '-adfq'], { environment })
  return (await readdir(join(place.directory, 'objects', 'pack'))).sort().join('\n')
}

/** The index that git makes of the repository's objects. */
const packIndex: Show = async (place, environment) => {
  const [name] = (await repackedFiles(place, environment)).split('\n').filter((file) => file.endsWith('.idx'))
  return (await readFile(join(place.directory, 'objects', 'pack', name ?? ''))).toString('latin1')
}

/** Bytes of a loose object that git writes. */
const looseObject: Show = async (place, environment) => {
  const input = 'a loose object\n'.repeat(99)
  const oid = await inPlace(place, ['hash-object', '-w', '--stdin'], { environment, input })
  const path = join(place.directory, 'objects', oid.slice(0, 2), oid.slice(2))
  const bytes = await readFile(path)
  await rm(path)
  return bytes.toString('latin1')
}

/** How many threads git says it packs with. */
const packThreads: Show = async (place, environment) => {
  const said = await prints(
    'pack-objects',
    '--all',
    '--stdout',
    '--all-progress',
    '--no-reuse-delta',
  )(place, environment)
  return /using up to .*/.exec(said)?.[0] ?? ''
}

const replaceParent: Arrange = (place) => inPlace(place, ['replace', '-f', place.line[1] ?? '', place.line[6] ?? ''])
const addNote: Arrange = (place) => inPlace(place, ['notes', 'add', '-f', '-m', 'Grüße', 'HEAD'])
const addOtherNote: Arrange = (place) =>
  inPlace(place, ['notes', '--ref=other', 'add', '-f', '-m', 'another note', 'HEAD'])
const addAmbiguousRef: Arrange = (place) => inPlace(place, ['update-ref', 'refs/tags/main', place.line[4] ?? ''])

/** Puts the name of an object into refs/replace that stands for an empty one. */
function replaceByEmpty(name: string, make: readonly string[]): Arrange {
  return async (place) => {
    const empty = await inPlace(place, make, { input: '' })
    await inPlace(place, ['replace', await inPlace(place, ['rev-parse', name]), empty])
  }
}

/** Writes a file below the repository. */
function writes(path: readonly string[], text: string | ((place: Place) => string)): Arrange {
  return async (place) => {
    await mkdir(join(place.directory, ...path.slice(0, -1)), { recursive: true })
    await writeFile(join(place.directory, ...path), typeof text === 'string' ? text : text(place))
  }
}

const writeGrafts = writes(['info', 'grafts'], ({ line }) => `${line[2]}\n${line[5]} ${line[9]} ${line[20]}\n`)
const writeAttributes = writes(['attributes'], '* -delta\n')
const writeMailmap = writes(['mailmap'], 'Somebody Else <author-60@example.com>\n')
const breakGraph = writes(['objects', 'info', 'commit-graph'], 'no graph\n'.repeat(200))
const breakIndex = writes(['objects', 'pack', 'multi-pack-index'], 'no index\n'.repeat(200))

async function moveObjectsAway({ directory, scratch }: Place): Promise<void> {
  await mkdir(join(scratch, 'lender'))
  await rename(join(directory, 'objects', 'pack'), join(scratch, 'lender', 'pack'))
  await mkdir(join(directory, 'objects', 'pack'))
  await writeFile(join(directory, 'objects', 'info', 'alternates'), `${join(scratch, 'lender')}\n`)
}

/** Another repository, with one commit that has no files; the same at each call. */
async function makeOther({ scratch }: Place): Promise<void> {
  const directory = join(scratch, 'other.git')
  await createRepository(directory)
  const tree = await git(['mktree'], { directory, input: '' })
  await git(['update-ref', 'HEAD', await git(['commit-tree', '-m', 'other', tree], { directory })], { directory })
}

/** Influences that lie in files, refs and objects of the repository. */
const FILES: readonly Influence[] = [
  { name: 'a replace ref of a commit', arrange: replaceParent, shows: parents },
  {
    name: 'a replace ref of a tree',
    arrange: replaceByEmpty('HEAD^{tree}', ['mktree']),
    shows: prints('ls-tree', 'HEAD'),
  },
  {
    name: 'a replace ref of a blob',
    arrange: replaceByEmpty('HEAD:log/hot.txt', ['hash-object', '-w', '--stdin']),
    shows: prints('cat-file', '-p', 'HEAD:log/hot.txt'),
  },
  { name: 'grafts', arrange: writeGrafts, shows: parents },
  { name: 'objects of an alternate', arrange: moveObjectsAway, shows: prints('count-objects', '-v') },
  { name: 'a commit-graph file that is none', arrange: breakGraph, shows: log },
  { name: '-delta in info/attributes', arrange: writes(['info', 'attributes'], '* -delta\n'), shows: packs },
  { name: 'notes', arrange: addNote, shows: log },
  { name: 'a tag with the name of the branch', arrange: addAmbiguousRef, shows: head },
  {
    name: 'a branch with the name of a commit',
    arrange: (place) => inPlace(place, ['update-ref', `refs/heads/${place.line[0]}`, place.line[4] ?? '']),
    shows: (place, environment) => prints('rev-parse', place.line[0] ?? '')(place, environment),
  },
]

/** Only where there is a work tree. */
export const WORK_TREE_ATTRIBUTES: Influence = {
  name: '-delta in .gitattributes',
  arrange: writes(['.gitattributes'], '* -delta\n'),
  shows: packs,
}

/** One setting in the repository's configuration. A value in angle brackets is a file below the repository. */
function setting(key: string, value: string, shows: Show | null, ground?: Arrange): Influence {
  const arrange: Arrange = (place) =>
    inPlace(place, ['config', key, value.replace(/^<(.*)>$/, (_, name: string) => join(place.directory, name))])
  return { name: `${key}=${value}`, ground, arrange, shows }
}

/** How git writes packs and loose objects. */
const SETTINGS_OF_PACKING: readonly Influence[] = [
  setting('core.attributesFile', '<attributes>', packs, writeAttributes),
  setting('core.compression', '1', packs),
  setting('core.looseCompression', '0', looseObject),
  setting('core.bigFileThreshold', '1', packs),
  setting('pack.window', '0', packs),
  setting('pack.depth', '1', packs),
  setting('pack.compression', '0', packs),
  setting('pack.threads', '3', packThreads),
  setting('pack.windowMemory', '1', packs),
  setting('pack.deltaCacheSize', '1', null),
  setting('pack.packSizeLimit', '1', prints('pack-objects', '--all', '-q', '../limited')),
  setting('pack.island', 'refs/heads/(.*)', packsOfIslands),
  setting('pack.writeReverseIndex', 'true', repackedFiles, (place) =>
    inPlace(place, ['config', 'pack.writeReverseIndex', 'false']),
  ),
  setting('pack.indexVersion', '1', packIndex),
  setting('repack.writeBitmaps', 'false', repackedFiles),
]

/** How git finds and reads objects. */
const SETTINGS_OF_READING: readonly Influence[] = [
  setting('core.useReplaceRefs', 'false', parents, replaceParent),
  setting('core.commitGraph', 'false', log, breakGraph),
  setting('core.multiPackIndex', 'false', log, breakIndex),
  setting('core.deltaBaseCacheLimit', '1', null),
  setting('core.packedGitWindowSize', '4096', null),
  setting('core.packedGitLimit', '8192', null),
  setting('core.precomposeUnicode', 'true', null),
  setting('core.ignoreCase', 'true', null),
  setting('core.autocrlf', 'true', prints('cat-file', '--filters', 'HEAD:log/hot.txt')),
  setting('core.warnAmbiguousRefs', 'false', head, addAmbiguousRef),
]

/** How git prints what it has read. */
const SETTINGS_OF_PRINTING: readonly Influence[] = [
  setting('core.abbrev', '5', prints('log', '--oneline')),
  setting('core.quotePath', 'false', prints('ls-tree', '-r', 'HEAD')),
  setting('core.notesRef', 'refs/notes/other', log, addOtherNote),
  setting('notes.displayRef', 'refs/notes/other', log, addOtherNote),
  setting('log.showSignature', 'true', log),
  setting('log.date', 'unix', log),
  setting('log.decorate', 'full', log),
  setting('log.abbrevCommit', 'true', log),
  setting('log.showRoot', 'false', prints('log', '-p')),
  setting('log.follow', 'true', null),
  setting('log.mailmap', 'false', log, (place) =>
    writeMailmap(place).then(() => inPlace(place, ['config', 'mailmap.file', join(place.directory, 'mailmap')])),
  ),
  setting('mailmap.file', '<mailmap>', authors, writeMailmap),
  setting('format.pretty', 'oneline', log),
  setting('color.ui', 'always', log),
  setting('diff.noprefix', 'true', prints('log', '-p')),
  setting('trace2.normalTarget', '2', null),
]

/** What makes `git log` fail. */
const SETTINGS_THAT_BREAK_LOG: readonly Influence[] = [
  setting('log.date', 'no such form', log),
  setting('format.pretty', 'no such form', log),
  setting('diff.renames', 'no such kind', log),
]

const SETTINGS_OF_ENCODING: readonly Influence[] = [
  setting('i18n.logOutputEncoding', 'ISO-8859-1', log, addNote),
  setting('i18n.logOutputEncoding', 'UTF-16', log),
  setting('i18n.commitEncoding', 'UTF-16', log),
]

/** One variable of the environment. `{line N}`, `{scratch}` and `{directory}` in the value stand for what they name. */
function variable(name: string, value: string, shows: Show | null, ground?: Arrange): Influence {
  const environment = ({ directory, scratch, line }: Place): Environment => ({
    [name]: value
      .replace('{directory}', directory)
      .replace('{scratch}', scratch)
      .replace(/\{line (\d+)\}/, (_, index: string) => line[Number(index)] ?? ''),
  })
  return { name: `${name}=${value}`, ground, environment, shows }
}

const inScratch =
  (name: string, text: (place: Place) => string): Arrange =>
  (place) =>
    writeFile(join(place.scratch, name), text(place))

const configFile = inScratch('config', () => '[i18n]\n\tlogOutputEncoding = UTF-16\n[pack]\n\twindow = 0\n')

/** Variables that name another repository, or a part of one. */
const VARIABLES_OF_PLACE: readonly Influence[] = [
  variable('GIT_DIR', '{scratch}/other.git', head, makeOther),
  variable('GIT_COMMON_DIR', '{scratch}/other.git', log, makeOther),
  variable('GIT_WORK_TREE', '{scratch}', prints('rev-parse', '--is-inside-work-tree', '--show-toplevel')),
  variable('GIT_OBJECT_DIRECTORY', '{scratch}/other.git/objects', log, makeOther),
  variable('GIT_ALTERNATE_OBJECT_DIRECTORIES', '{scratch}/other.git/objects', prints('count-objects', '-v'), makeOther),
  variable('GIT_INDEX_FILE', '{scratch}/index', prints('rev-parse', '--git-path', 'index')),
  variable('GIT_NAMESPACE', 'elsewhere', prints('ls-remote', '.')),
  variable('GIT_PREFIX', 'folder/', null),
  // git took it away in 2.41.
  variable('GIT_INTERNAL_SUPER_PREFIX', 'folder/', null),
  variable('GIT_DEFAULT_HASH', 'sha256', prints('init', '--bare', '../default-hash.git')),
  variable('GIT_TEMPLATE_DIR', '{scratch}', null),
]

/** Variables that change what a commit or an object is. */
const VARIABLES_OF_HISTORY: readonly Influence[] = [
  variable(
    'GIT_SHALLOW_FILE',
    '{scratch}/shallow',
    log,
    inScratch('shallow', ({ line }) => `${line[3]}\n`),
  ),
  variable(
    'GIT_GRAFT_FILE',
    '{scratch}/grafts',
    parents,
    inScratch('grafts', ({ line }) => `${line[3]} ${line[9]}\n`),
  ),
  variable('GIT_REPLACE_REF_BASE', 'refs/other/', parents, (place) =>
    inPlace(place, ['update-ref', `refs/other/${place.line[1]}`, place.line[6] ?? '']),
  ),
]

const VARIABLES_OF_CONFIGURATION: readonly Influence[] = [
  variable('GIT_CONFIG_GLOBAL', '{scratch}/config', packs, configFile),
  variable('GIT_CONFIG', '{scratch}/config', prints('config', '--get', 'pack.window'), configFile),
  variable('GIT_CONFIG_PARAMETERS', "'i18n.logoutputencoding'='UTF-16'", log),
  {
    name: 'GIT_CONFIG_COUNT=1',
    environment: () => ({
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'i18n.logOutputEncoding',
      GIT_CONFIG_VALUE_0: 'UTF-16',
    }),
    shows: log,
  },
]

const VARIABLES_OF_PRINTING: readonly Influence[] = [
  variable('GIT_NO_REPLACE_OBJECTS', '1', parents, replaceParent),
  variable('GIT_NOTES_REF', 'refs/notes/other', log, addOtherNote),
  variable('GIT_LITERAL_PATHSPECS', '1', prints('log', '--format=%H', '--', ':(glob)log/*')),
  variable('GIT_PAGER_IN_USE', '1', log),
  variable('GIT_EXTERNAL_DIFF', 'false', prints('log', '-p', '--ext-diff')),
  variable('GIT_TRACE', '1', log),
  variable('GIT_TRACE_SETUP', '1', log),
  variable('GIT_TRACE2_EVENT', '2', log),
]

/** Influences that are put in place together; none of a group hides another. */
export const INFLUENCE_GROUPS: Readonly<Record<string, readonly Influence[]>> = {
  ...alone(FILES),
  'settings of packing': SETTINGS_OF_PACKING,
  'settings of reading': SETTINGS_OF_READING,
  'settings of printing': SETTINGS_OF_PRINTING,
  'settings that break git log': SETTINGS_THAT_BREAK_LOG,
  ...alone(SETTINGS_OF_ENCODING),
  'variables of place': VARIABLES_OF_PLACE,
  'variables of history': VARIABLES_OF_HISTORY,
  'variables of configuration': VARIABLES_OF_CONFIGURATION,
  'variables of printing': VARIABLES_OF_PRINTING,
}

function alone(influences: readonly Influence[]): Record<string, readonly Influence[]> {
  return Object.fromEntries(influences.map((influence) => [influence.name, [influence]]))
}
