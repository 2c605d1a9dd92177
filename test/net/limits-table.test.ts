// Goal: the table of bounds in PROTOCOL.md names every limit of the room, with the value that the code has, and no other.
// Method: the table is read as text, the constants as the module exports them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as limits from '../../net/limits.ts'
import { readProjectFile } from '../tidy/project.ts'

const TIMES: readonly (readonly [number, string])[] = [
  [1, 'ms'],
  [1_000, 's'],
  [60_000, 'min'],
  [3_600_000, 'h'],
  [24 * 3_600_000, 'days'],
]
const LENGTHS: readonly (readonly [number, string])[] = [
  [1, 'bytes'],
  [2 ** 10, 'KiB'],
  [2 ** 20, 'MiB'],
  [2 ** 30, 'GiB'],
]

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** The ways in which the table may write a value, as regular expressions. */
function writingsOf(name: string, value: number): RegExp[] {
  const units = /_MS(_|$)/.test(name) ? TIMES : /_LENGTH(_|$)/.test(name) ? LENGTHS : null
  const suffix = name.endsWith('_PER_S') ? '/s' : ''
  const texts = units?.map(([size, unit]) => `${grouped(value / size)} ${unit}`) ?? [`${grouped(value)}${suffix}`]
  return texts.map((text) => new RegExp(`(^|[^\\d.,])${text.replaceAll('.', '\\.')}(?![\\d.,]*\\d|\\w)`))
}

/** First cell and second cell of each row. */
function rows(): [string, string][] {
  const text = readProjectFile('net/PROTOCOL.md')
  const section = text.slice(text.indexOf('## 8. Bounds'), text.indexOf('## 9.'))
  return section.split('\n').flatMap((line) => {
    const [, bound, value] = /^\| (.*?) \| (.*?) \|/.exec(line) ?? []
    return bound === undefined || value === undefined ? [] : [[bound, value] as [string, string]]
  })
}

test('every limit is in the table, with its value', () => {
  const complaints = Object.entries(limits).flatMap(([name, value]) => {
    const row = rows().find(([bound]) => bound.includes(`\`${name}\``))
    if (row === undefined) return [`${name} is not in the table`]
    return writingsOf(name, value).some((writing) => writing.test(row[1])) ? [] : [`${name} is ${value}, not ${row[1]}`]
  })
  assert.deepEqual(complaints, [])
})

test('the table names no limit that the code does not have', () => {
  const named = rows().flatMap(([bound]) => [...bound.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = '']) => name))
  assert.deepEqual(
    named.filter((name) => !Object.hasOwn(limits, name)),
    [],
  )
})
