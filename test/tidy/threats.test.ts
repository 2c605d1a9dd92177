/**
 * Goal: every test that THREATS.md names exists, and every lie and attack in its tables has one or says that it has none.
 * Method: the cells of its tables against the titles in the files that they name.
 */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseManual } from '../../helper/manual/manual.ts'
import { projectRoot, readProjectFile } from './project.ts'

/** A file, and words of a title in it: `publisher-trust "about to expire"`. */
const REFERENCE = /((?:[a-z]+\/)?[a-z0-9-]+) "([^"]+)"/g
/** What stands where there is no test to name. */
const NO_TEST = /^(by construction: .+|nothing to show|nothing: .+)$/

const text = readProjectFile('helper/THREATS.md')
const rows = parseManual(text).sections.flatMap(({ blocks }) =>
  blocks.flatMap((block) => (block.kind === 'table' ? block.rows : [])),
)

function titlesIn(file: string): string[] {
  const path = join('test', file.includes('/') ? '' : 'helper', `${file}.test.ts`)
  if (!existsSync(join(projectRoot, path))) return []
  const source = readProjectFile(path)
  return [...source.matchAll(/^ *(?:it|test)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gm)].map(([, , title = '']) => title)
}

test('the document has tables with rows', () => {
  assert.ok(rows.length > 30, `${rows.length}`)
})

test('every test that is named exists', () => {
  const missing = [...text.matchAll(REFERENCE)]
    .filter(([, file = '', words = '']) => !titlesIn(file).some((title) => title.includes(words)))
    .map(([reference]) => reference)
  assert.deepEqual(missing, [])
})

test('every row names a test, or says why there is none', () => {
  const silent = rows.filter((cells) => {
    const isNamed = cells.some((cell) => [...cell.matchAll(REFERENCE)].length > 0)
    return !isNamed && !cells.some((cell) => NO_TEST.test(cell))
  })
  assert.deepEqual(silent, [])
})
