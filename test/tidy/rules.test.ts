/**
 * Goal: each tidy rule catches what it is for and leaves good code alone; a rule that never fires guards nothing.
 * Method: made-up trees of a few lines, one bad and one good per rule, and the place of the complaint.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as code from './code-rules.ts'
import * as rooms from './room-rules.ts'
import { type Rule, sourceTreeOf } from './source-tree.ts'
import * as tables from './table-rules.ts'

type Texts = Readonly<Record<string, string>>

function assertCatches(rule: Rule, texts: Texts, expected: readonly RegExp[]): void {
  const complaints = rule(sourceTreeOf(texts))
  assert.equal(complaints.length, expected.length, complaints.join('\n'))
  for (const [index, pattern] of expected.entries()) assert.match(complaints[index] ?? '', pattern)
}

test('imports across rooms go downwards and through the door', () => {
  assertCatches(
    rooms.roomsMeetAtTheirDoors,
    {
      'engine/index.ts': `export { a } from './a.ts'`,
      'engine/a.ts': `export const a = 1\nimport '../net/index.ts'`,
      'net/index.ts': `import type { A } from '../bench/b.ts'`,
      'bench/b.ts': `import '../engine/a.ts'`,
      'helper/bin/h.ts': `import '../../engine/index.ts'\nimport '../../engine/a.ts'\nawait import('../index.ts')`,
      'helper/index.ts': '',
    },
    [
      /engine\/a\.ts:2 engine may not/,
      /h\.ts:2 import engine\/index/,
      /h\.ts:3 .*own door/,
      /net\/index\.ts:1 net may not/,
    ],
  )
})

test('engine imports no Node and product rooms only installed packages', () => {
  const texts = {
    'engine/a.ts': `import 'node:fs'\nimport 'pako'`,
    'helper/a.ts': `import 'node:fs'\nimport 'fast-check'`,
  }
  assertCatches(rooms.engineKnowsNoNode, texts, [/engine\/a\.ts:1 .*node:fs/])
  assertCatches(rooms.packagesAreInstalled(['pako'], []), texts, [/helper\/a\.ts:2 fast-check/])
  const engine = { 'engine/a.ts': `import 'pako'\nimport 'webtorrent'`, 'net/a.ts': `import 'webtorrent'` }
  assertCatches(rooms.packagesAreInstalled(['pako'], ['webtorrent']), engine, [/engine\/a\.ts:2 webtorrent/])
})

test('relative imports end in .ts', () => {
  assertCatches(rooms.importsNameSources, { 'net/a.ts': `import './b.js'\nimport './b.ts'` }, [/net\/a\.ts:1/])
})

test('cycles are found, through types and dynamic imports as well', () => {
  assertCatches(
    rooms.importsHaveNoCycles,
    {
      'net/a.ts': `import type { B } from './b.ts'\nexport type A = B`,
      'net/b.ts': `export const c = () => import('./c.ts')`,
      'net/c.ts': `export type C = import('./a.ts').A`,
      'net/d.ts': `import './a.ts'`,
    },
    [/net\/a\.ts > net\/b\.ts > net\/c\.ts > net\/a\.ts/],
  )
})

test('what git starts loads the network by and by, not at once', () => {
  const start = (text: string) => ({
    'helper/bin/git-remote-gittorrent.ts': `import '../a.ts'`,
    'helper/a.ts': text,
    'net/index.ts': '',
  })
  assertCatches(rooms.gitStartsNoNetwork, start(`import { b } from '../net/index.ts'`), [
    /bin.* > helper\/a\.ts > net\/index\.ts/,
  ])
  assertCatches(
    rooms.gitStartsNoNetwork,
    start(`import type { B } from '../net/index.ts'\nawait import('../net/index.ts')`),
    [],
  )
})

test('words of another room are found inside names and strings, not in comments or our own name', () => {
  assertCatches(
    rooms.roomsKeepTheirWords,
    {
      'engine/a.ts': `// for peers\nexport const socketCount = 'gittorrent'`,
      'net/a.ts': `const extension = 'gittorrent1'\nconst packetLength = 1\nlet readOids = 'a Git word'`,
      'helper/a.ts': `const gitPeer = 1`,
    },
    [/engine\/a\.ts:2 .*"socket"/, /net\/a\.ts:3 .*"oid"/, /net\/a\.ts:3 .*"git"/],
  )
})

test('files are named after subjects', () => {
  assertCatches(rooms.filesHaveNames, { 'net/utils.ts': '', 'net/someThing.ts': '', 'test/a-b.test.ts': '' }, [
    /someThing\.ts:1 .*kebab/,
    /utils\.ts:1 .*subject/,
  ])
})

test('clocks, chance, locale and races are found in engine', () => {
  const bad = [
    'Date.now()',
    'Math.random()',
    'Math.log2(3)',
    `'a'.localeCompare('b')`,
    '[2, 1].sort()',
    'Promise.race([])',
    'process.env',
  ]
  assertCatches(
    code.engineIsPure,
    {
      'engine/a.ts': bad.join(';\n'),
      'engine/b.ts': `Math.floor(1)\n;[1].sort((a, b) => a - b)\nconst x = { process: 1 }\nx.process\nexport interface D { Date: 1 }`,
      'net/a.ts': 'Date.now()',
    },
    bad.map((_, index) => new RegExp(`engine/a\\.ts:${index + 1} `)),
  )
})

test('escapes from the type system are found', () => {
  const text = [
    'let a: any',
    'a!.b',
    'let c!: number',
    `// @ts-${'ignore'}`,
    `const text = 'any! of @ts-ignore'`,
    'let d = !a',
    '',
  ]
  assertCatches(code.typesAreNotEscaped, { 'net/a.ts': text.join('\n') }, [/:1 any/, /:2 !/, /:3 !/, /:4 silences/])
})

test('long files and functions are found, suites are not functions', () => {
  const body = 'x()\n'.repeat(70)
  assertCatches(
    code.functionsAreShort,
    {
      'net/a.ts': `function long() {\n${body}}\nconst short = () => {\n}\n`,
      'test/a.ts': `describe('x', () => {\n${body}})`,
    },
    [/net\/a\.ts:1 long has 72/],
  )
  assertCatches(code.filesAreShort, { 'net/a.ts': '\n'.repeat(401), 'net/b.ts': '\n'.repeat(400) }, [
    /net\/a\.ts:1 has 401/,
  ])
})

test('missing and endless headers are found', () => {
  assertCatches(
    code.filesHaveHeaders,
    {
      'net/a.ts': 'const a = 1',
      'net/b.ts': '/** short */\nconst a = 1',
      'net/c.ts': `#!/usr/bin/env node\n// one\n// two\n// three\nconst a = 1`,
      'net/d.ts': `/*\n${'x\n'.repeat(20)}*/`,
      'test/e.ts': '// goal\n// method\n',
    },
    [/net\/a\.ts/, /net\/b\.ts/, /net\/d\.ts/],
  )
})

test('skipped tests and sleeps are found', () => {
  const text = `test.skip('a', f)\ntest('b', { only: true }, f)\nawait new Promise((done) => setTimeout(done, 5))\nlist.skip(1)`
  assertCatches(code.testsAreNotSkipped, { 'test/a.test.ts': text }, [/:1 test\.skip/, /:2 an option/])
  assertCatches(
    code.testsDoNotSleep,
    { 'test/a.test.ts': text, 'test/b.ts': `import { setTimeout } from 'node:timers/promises'\nsetTimeout(stop, 5)` },
    [/b\.ts:1/, /a\.test\.ts:3/].reverse(),
  )
})

test('an end that a failed beginning would leave out is found', () => {
  const text = `after(() => world.close())\ndescribe('a', () => {\n  after(() => daemon.end())\n})`
  assertCatches(code.testsEndWhatTheyOpen, { 'test/a.test.ts': text, 'test/b.ts': text }, [/a\.test\.ts:1 after/])
})

test('stale and undeclared error codes are found', () => {
  assertCatches(
    tables.errorCodesAreCurrent,
    {
      'net/errors.ts': `export type NetErrorCode = 'used' | 'stale'\nexport class NetError extends Error {}`,
      'net/a.ts': `throw new NetError('used', 'text')\nthrow new NetError('unknown', 'text')`,
    },
    [/errors\.ts:1 .*'stale'/, /net\/a\.ts:2 .*'unknown'/],
  )
})

test('stale and unexplained limits are found', () => {
  assertCatches(
    tables.limitsAreCurrent,
    {
      'net/limits.ts': `/** Bytes. */\nexport const USED_MAX = 1\n\nexport const BARE_MAX = 2\n// Derived from.\nexport const STALE_MAX = USED_MAX`,
      'net/a.ts': `import { BARE_MAX } from './limits.ts'\nBARE_MAX`,
    },
    [/:4 BARE_MAX has no comment/, /:6 nothing uses STALE_MAX/],
  )
})

test('exports that nothing uses are found', () => {
  assertCatches(
    tables.exportsAreUsed,
    {
      'net/a.ts':
        'export const used = 1\nexport function handedOn() {}\nexport class Unused {}\nexport const tested = 1\nexport const own = 1\nown',
      'net/b.ts': 'export const whole = 1',
      'net/index.ts': `export { handedOn } from './a.ts'\nexport * from './b.ts'`,
      'net/c.ts': `import { used } from './a.ts'\nused`,
      'test/a.test.ts': `import { tested as renamed } from '../net/a.ts'\nrenamed`,
    },
    [/net\/a\.ts:3 nothing uses Unused/],
  )
})
