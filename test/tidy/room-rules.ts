/**
 * Rules about rooms: who may import whom and what, no cycles, and the words that each room does not know.
 * bench, fuzz and test may import anything; nothing imports them.
 */

import { builtinModules } from 'node:module'
import { basename } from 'node:path/posix'
import { isIdentifier, isStringLiteral, SyntaxKind } from 'typescript/unstable/ast'
import { type Complaint, complain, isProduct, type Room, type Rule, walk } from './source-tree.ts'

/** The rooms that a product room may import. */
const ALLOWED_ROOMS: Readonly<Record<string, readonly string[]>> = {
  engine: ['engine'],
  net: ['net'],
  helper: ['engine', 'net', 'helper'],
}

const DUMPS = ['utils', 'util', 'common', 'misc', 'types', 'helpers', 'shared']

/** Whole words, in lowercase, of names and strings. Left out are words with an everyday meaning, such as tree or branch. */
const UNKNOWN_WORDS: Partial<Record<Room, readonly string[]>> = {
  engine: ['peer', 'socket', 'swarm', 'tracker', 'dht', 'seeder', 'leecher', 'handshake', 'choke', 'http', 'udp'],
  net: ['git', 'oid', 'commit', 'blob', 'pack', 'packfile', 'checkpoint', 'refspec', 'worktree', 'submodule', 'rebase'],
}

const TEMPLATE_KINDS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateHead,
  SyntaxKind.TemplateMiddle,
  SyntaxKind.TemplateTail,
])

/** Across rooms only through the other room's door, downwards only; inside a room never through its own door. */
export const roomsMeetAtTheirDoors: Rule = (files) =>
  files.filter(isProduct).flatMap((file) =>
    file.imports.flatMap(({ target, line }) => {
      if (target === null) return []
      const room = target.split('/', 1)[0] ?? ''
      if (ALLOWED_ROOMS[file.room]?.includes(room) !== true)
        return [`${file.path}:${line} ${file.room} may not import ${target}`]
      const isDoor = target === `${room}/index.ts`
      if (room !== file.room && !isDoor) return [`${file.path}:${line} import ${room}/index.ts instead of ${target}`]
      if (room === file.room && isDoor)
        return [`${file.path}:${line} import the file that defines it, not the own door`]
      return []
    }),
  )

/** Relative specifiers name the source file. */
export const importsNameSources: Rule = (files) =>
  files.flatMap((file) =>
    file.imports
      .filter(({ target, specifier }) => target !== null && !/\.(ts|mjs|json)$/.test(specifier))
      .map(({ specifier, line }) => `${file.path}:${line} "${specifier}" does not end in .ts`),
  )

/** The engine gets files, processes, clocks and hashes through ports, never from Node. */
export const engineKnowsNoNode: Rule = (files) =>
  files
    .filter((file) => file.room === 'engine')
    .flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith('node:') || builtinModules.includes(specifier))
        .map(({ specifier, line }) => `${file.path}:${line} engine imports ${specifier}, take it as a port`),
    )

/**
 * The engine, which is published as modules, uses only what an installation has: the dependencies of package.json. The
 * other rooms are published as bundles that carry what they import, so development dependencies will do for them.
 */
export function packagesAreInstalled(dependencies: readonly string[], bundled: readonly string[]): Rule {
  return (files) =>
    files.filter(isProduct).flatMap((file) => {
      const known = file.room === 'engine' ? dependencies : [...dependencies, ...bundled]
      return file.imports
        .filter(({ specifier, target }) => target === null && !isInstalled(specifier, known))
        .map(({ specifier, line }) => `${file.path}:${line} ${specifier} is not in the dependencies of package.json`)
    })
}

function isInstalled(specifier: string, dependencies: readonly string[]): boolean {
  if (specifier.startsWith('node:')) return true
  return dependencies.some((name) => specifier === name || specifier.startsWith(`${name}/`))
}

/** No file imports itself through others, types included. */
export const importsHaveNoCycles: Rule = (files) => {
  const edges = new Map(files.map((file) => [file.path, file.imports.flatMap(({ target }) => target ?? [])]))
  const finished = new Set<string>()
  const complaints: Complaint[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (finished.has(path)) return
    const start = trail.indexOf(path)
    if (start >= 0) {
      complaints.push(`${path} imports itself: ${[...trail.slice(start), path].join(' > ')}`)
      return
    }
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path])
    finished.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return complaints
}

/** What git starts for every conversation, with or without a swarm. */
const STARTED_BY_GIT = 'helper/bin/git-remote-gittorrent.ts'

/** The network is loaded when it is needed: it would double the start of the helper, also where no peer is asked. */
export const gitStartsNoNetwork: Rule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const trails = new Map([[STARTED_BY_GIT, STARTED_BY_GIT]])
  for (const [path, trail] of trails) {
    const file = byPath.get(path)
    for (const { target, node } of file?.imports ?? []) {
      const isLoaded = /^(import|export)\s+(?!type\b)/.test(file === undefined ? '' : node.getText(file.syntax))
      if (target !== null && isLoaded && !trails.has(target)) trails.set(target, `${trail} > ${target}`)
    }
  }
  return [...trails].flatMap(([path, trail]) => (path === 'net/index.ts' ? `${trail} is loaded at the start` : []))
}

/** Engine has no word for the network, net none for git: in names and strings; comments may explain. */
export const roomsKeepTheirWords: Rule = (files) =>
  files.flatMap((file) => {
    const unknown = UNKNOWN_WORDS[file.room]
    if (unknown === undefined) return []
    const complaints: Complaint[] = []
    walk(file.syntax, (node) => {
      if (!isIdentifier(node) && !isStringLiteral(node) && !TEMPLATE_KINDS.has(node.kind)) return
      const word = wordsOf(node.getText(file.syntax)).find((candidate) => unknown.includes(candidate))
      if (word !== undefined) complaints.push(complain(file, node, `${file.room} does not know the word "${word}"`))
    })
    return complaints
  })

/** Splits camelCase, UPPER_SNAKE and text into lowercase words without plural s. Our own name is no word. */
export function wordsOf(text: string): string[] {
  const words = text.replace(/gittorrent/gi, ' ').match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? []
  return words.map((word) => word.toLowerCase().replace(/s$/, ''))
}

/** kebab-case names, and no file that can take anything. */
export const filesHaveNames: Rule = (files) =>
  files.flatMap((file) => {
    const name = basename(file.path)
    const stem = name.replace(/(\.test|\.d)?\.ts$/, '')
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) return [`${file.path}:1 the name is not kebab-case`]
    return isProduct(file) && DUMPS.includes(stem) ? [`${file.path}:1 "${stem}" names no subject`] : []
  })

export const ROOM_RULES: Readonly<Record<string, Rule>> = {
  'rooms meet at their doors': roomsMeetAtTheirDoors,
  'relative imports name sources': importsNameSources,
  'engine imports nothing of Node': engineKnowsNoNode,
  'imports have no cycles': importsHaveNoCycles,
  'what git starts loads no network': gitStartsNoNetwork,
  'engine has no word for the network and net none for git': roomsKeepTheirWords,
  'files are named in kebab-case after a subject': filesHaveNames,
}
