/**
 * Goal: the top level holds what the house rules name and nothing else, and the documents exist, with links that lead somewhere.
 * Method: list directories, and follow every relative link of every document.
 */

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { parseObject, projectRoot, readProjectFile, section } from './project.ts'
import { PRODUCT_ROOMS, ROOMS } from './source-tree.ts'

const TOP_LEVEL = new Set<string>([
  ...ROOMS,
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'biome.json',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  '.ci',
  '.github',
  '.gitignore',
  '.gitattributes',
  '.npmrc',
])

/** What building, installing and git itself leave behind. */
const NOT_OURS = new Set(['.git', 'node_modules', 'dist'])

const DOCUMENTS = [
  'README.md',
  'engine/FORMAT.md',
  'engine/LIBRARY.md',
  'net/PROTOCOL.md',
  'helper/MANUAL.md',
  'helper/PUBLISHING.md',
  'helper/THREATS.md',
]

test('the top level holds nothing unexpected', () => {
  const unexpected = readdirSync(projectRoot).filter((name) => !TOP_LEVEL.has(name) && !NOT_OURS.has(name))
  assert.deepEqual(unexpected, [])
})

test('every room is a project of the compiler, and the product rooms see no names of others', () => {
  for (const room of ROOMS) assert.ok(existsSync(join(projectRoot, room, 'tsconfig.json')), room)
  const references = PRODUCT_ROOMS.map((room) => parseObject(readProjectFile(`${room}/tsconfig.json`)).references)
  assert.deepEqual(references, [[], [], [{ path: '../engine' }, { path: '../net' }]])
  const engine = section(parseObject(readProjectFile('engine/tsconfig.json')), 'compilerOptions')
  assert.deepEqual(engine.types, [])
})

for (const document of DOCUMENTS) {
  test(`${document} exists`, () => {
    assert.ok(existsSync(join(projectRoot, document)))
  })
}

test('relative links of the documents lead to files', () => {
  const documents = ['.', ...ROOMS].flatMap((directory) =>
    readdirSync(join(projectRoot, directory))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(directory, name)),
  )
  const broken = documents.flatMap((document) =>
    linksOf(readProjectFile(document))
      .filter((link) => !existsSync(join(projectRoot, dirname(document), link)))
      .map((link) => `${document}: ${link}`),
  )
  assert.deepEqual(broken, [])
})

test('versions of dependencies are exact', () => {
  const description = parseObject(readProjectFile('package.json'))
  const versions = ['dependencies', 'devDependencies'].flatMap((key) => Object.entries(section(description, key)))
  const loose = versions.filter(
    ([, version]) => !/^(\d+\.\d+\.\d+|npm:.+@\d+\.\d+\.\d+|file:.+)$/.test(String(version)),
  )
  assert.deepEqual(loose, [])
})

test('the lockfile installs from the configured registry and from this tree only', () => {
  const packages = section(parseObject(readProjectFile('package-lock.json')), 'packages')
  const foreign = Object.keys(packages).filter((name) => {
    const { resolved } = section(packages, name)
    return typeof resolved === 'string' && !/^(net\/shims\/|https:\/\/registry\.npmjs\.org\/)/.test(resolved)
  })
  assert.deepEqual(foreign, [])
})

function linksOf(markdown: string): string[] {
  const links = [...markdown.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link)
  return links.filter((link) => !/^[a-z]+:/.test(link))
}
