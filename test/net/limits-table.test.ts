// Goal: the tables of bounds in PROTOCOL.md name every limit of the room, and those of helper that strangers can push
// against, with the values that the code has, who can push and what happens then, and no others.
// Method: the tables are read as text, the constants as the modules export them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as helperLimits from '../../helper/limits.ts'
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

const PROTOCOL = readProjectFile('net/PROTOCOL.md')

/** The cells of each row of the tables between two headings. */
function rowsBetween(start: string, end: string): string[][] {
  const section = PROTOCOL.slice(PROTOCOL.indexOf(start), PROTOCOL.indexOf(end))
  return section
    .split('\n')
    .flatMap((line) => (/^\| .*`[A-Z].* \|$/.test(line) ? [line.slice(2, -2).split(' | ')] : []))
}

const ROWS = rowsBetween('## 8. Bounds', '## 9.')
const HELPER_ROWS = rowsBetween('## 10. What', '## 11.')
/** Bounds of helper against peers and what they claim. */
const OF_PEERS = /^(ASK_|CHAIN_|CLAIM_|DOWNLOAD_|LINK_|PEER_WAIT_|RANGE_|SEGMENT_COUNT_MAX|SNAPSHOT_COUNT_MAX|SWARM_)/

function complaintsOf(rows: readonly string[][], values: Readonly<Record<string, number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const row = rows.find(([bound = '']) => bound.includes(`\`${name}\``))
    if (row === undefined) return [`${name} is not in the table`]
    const [, said = ''] = row
    return writingsOf(name, value).some((writing) => writing.test(said)) ? [] : [`${name} is ${value}, not ${said}`]
  })
}

function namesIn(rows: readonly string[][]): string[] {
  return rows.flatMap(([bound = '']) => [...bound.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = '']) => name))
}

test('every limit of the room is in the table, with its value', () => {
  assert.deepEqual(complaintsOf(ROWS, limits), [])
})

test('so is every limit of helper against peers and what they claim', () => {
  const ofPeers = Object.entries(helperLimits).filter(([name]) => OF_PEERS.test(name))
  assert.ok(ofPeers.length > 20)
  assert.deepEqual(complaintsOf(HELPER_ROWS, Object.fromEntries(ofPeers)), [])
})

test('the tables name no limit that the code does not have, and none with another value', () => {
  const unknown = namesIn(ROWS).filter((name) => !Object.hasOwn(limits, name))
  const named = namesIn(HELPER_ROWS)
  const values: Readonly<Record<string, number>> = helperLimits
  const ofHelper = Object.fromEntries(named.map((name) => [name, values[name] ?? Number.NaN]))
  assert.deepEqual([...unknown, ...complaintsOf(HELPER_ROWS, ofHelper)], [])
})

test('every row says the value, who can push and what happens then', () => {
  const short = [...ROWS, ...HELPER_ROWS].filter(
    (cells) => cells.length !== 4 || cells.some((cell) => cell.trim() === ''),
  )
  assert.deepEqual(short, [])
})
