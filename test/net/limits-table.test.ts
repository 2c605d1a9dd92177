// Goal: the tables of bounds in PROTOCOL.md and PUBLISHING.md name every limit that somebody else can push against, with the values
// that the code has, who can push and what happens then, and no others.
// Method: the tables are read as text, the constants as the modules export them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as generalLimits from '../../helper/limits.ts'
import * as publishLimits from '../../helper/publish/limits.ts'
import * as supplyLimits from '../../helper/share/supply/limits.ts'
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
  const units = /_MS(_|$)/.test(name) ? TIMES : /_(LENGTH|BYTES)(_|$)/.test(name) ? LENGTHS : null
  const suffix = name.endsWith('_PER_S') ? '/s' : ''
  const texts = units?.map(([size, unit]) => `${grouped(value / size)} ${unit}`) ?? [`${grouped(value)}${suffix}`]
  return texts.map((text) => new RegExp(`(^|[^\\d.,])${text.replaceAll('.', '\\.')}(?![\\d.,]*\\d|\\w)`))
}

/** The cells of each row of the tables between two headings. */
function rowsBetween(path: string, start: string, end: string): string[][] {
  const text = readProjectFile(path)
  const section = text.slice(text.indexOf(start), text.indexOf(end))
  return section
    .split('\n')
    .flatMap((line) => (/^\| .*`[A-Z].* \|$/.test(line) ? [line.slice(2, -2).split(' | ')] : []))
}

const helperLimits = { ...generalLimits, ...supplyLimits }

const ROWS = rowsBetween('net/PROTOCOL.md', '## 8. Bounds', '## 9.')
const HELPER_ROWS = rowsBetween('net/PROTOCOL.md', '## 10. What', '## 11.')
const PUBLISH_ROWS = rowsBetween('helper/PUBLISHING.md', '## 8. ', '## 9.')

/** Limits that nobody but the user and the own machine can push against: builds, the daemon's own affairs, files, commands. */
const OWN_AFFAIRS = new RegExp(
  `^(${[
    ...[
      'BATCH_',
      'BUILD_',
      'BUNDLE_HEADER_',
      'CAT_FILE_',
      'CLOCK_',
      'COMMAND_',
      'COMMIT_',
      'CONFIG_',
      'CONTROL_',
      'DAEMON_',
    ],
    ...[
      'DISK_',
      'DOCTOR_',
      'EXPORT_',
      'GIT_',
      'HAND_OVER_',
      'INTERRUPT_',
      'LINE_COUNT_',
      'LINE_REPEATED_',
      'LINGER_',
      'LIST_',
    ],
    ...['LOCK_', 'MISSING_', 'OPEN_BODY_', 'POLL_', 'PROGRESS_', 'RACY_', 'READ_CHUNK_', 'REF_SETTLE_', 'REPOSITORY_'],
    ...['SECRET_FILE_', 'SETTING_', 'SHARD_', 'SNAPSHOT_STORED_', 'SOCKET_', 'SUPERSEDED_', 'TEMPORARY_', 'WATCHED_'],
    // Of publishing:
    ...[
      'FOLLOW_INTERVAL_',
      'PEER_POLL_',
      'PUBLISHER_LOCK_',
      'RECORD_LIFETIME_',
      'RECORD_WARNING_',
      'REF_LOCK_',
      'REPUBLISH_',
      'TWICE_',
    ],
  ].join('|')})`,
)

/** The limits of a module that others can push against. */
function ofOthers(module: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(module).filter(([name]) => !OWN_AFFAIRS.test(name)))
}

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

test("so is every limit of helper, and of publishing, that is not the own machine's affair", () => {
  assert.deepEqual(complaintsOf(HELPER_ROWS, ofOthers(helperLimits)), [])
  assert.deepEqual(complaintsOf(PUBLISH_ROWS, ofOthers(publishLimits)), [])
})

test('the tables name no limit that the code does not have, and none with another value', () => {
  const valuesOf = (rows: readonly string[][], values: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(namesIn(rows).map((name) => [name, values[name] ?? Number.NaN]))
  const { SOURCE_GRACE_MS, ADDED_OBJECT_COUNT_MAX } = helperLimits
  const tables: readonly (readonly [string[][], Readonly<Record<string, number>>])[] = [
    [ROWS, limits],
    [HELPER_ROWS, helperLimits],
    [PUBLISH_ROWS, { ...publishLimits, SOURCE_GRACE_MS, ADDED_OBJECT_COUNT_MAX }],
  ]
  for (const [rows, values] of tables) assert.deepEqual(complaintsOf(rows, valuesOf(rows, values)), [])
})

test('every row says the value, who can push and what happens then', () => {
  const short = [...ROWS, ...HELPER_ROWS, ...PUBLISH_ROWS].filter(
    (cells) => cells.length !== 4 || cells.some((cell) => cell.trim() === ''),
  )
  assert.deepEqual(short, [])
})
