/**
 * Runs the tests: `node test/run.mjs [part of a path]…`, after `npm run build`; without arguments all of them.
 * One process per file, as many at once as there are cores, and beside them one of those that mostly wait. Prints one line per
 * file, failures in full, and the closing counts that `node --test` prints. A skipped test counts as a failure: a missing
 * tool has to be noticed.
 * The sources say which files exist, so that a compiled leftover of a removed test does not run.
 */

import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

/** 10 minutes: no file may take longer, however slow the machine. */
const FILE_TIMEOUT_MS = 600_000

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const compiledRoot = join(root, 'dist', 'test')

/** Folders of test/, those whose tests take the least time first: what is wrong shows early. */
const QUICK_FIRST = ['tidy', 'support', 'engine', 'fuzz', 'bench', 'net', 'helper']

/** Returns the compiled test files whose source path contains one of `parts` (any, when there are none), quick ones first. */
function findTests(parts) {
  const sources = readdirSync(join(root, 'test'), { recursive: true }).filter((path) => path.endsWith('.test.ts'))
  const wanted = sources.filter((path) => parts.length === 0 || parts.some((part) => `test/${path}`.includes(part)))
  const rankOf = (path) => QUICK_FIRST.indexOf(path.split('/')[0])
  const ordered = wanted.sort().sort((one, other) => rankOf(one) - rankOf(other))
  return ordered.map((path) => join(compiledRoot, path.replace(/\.ts$/, '.js')))
}

/** Files that take long and little of the processor: for look-ups, and for what a time limit ends. */
const WAITING = /helper\/(daemon-publishes|hostile-publishers|lost-network|published-\w+|publisher-trust)\.test\.js$/

function sourceOf(compiled) {
  return join('test', relative(compiledRoot, compiled)).replace(/\.js$/, '.ts')
}

/** Removes from our environment what speaks to git, to GitTorrent or to another test runner: tests inherit the rest. */
function cleanEnvironment() {
  for (const name of Object.keys(process.env)) {
    if (/^(GIT_|GITTORRENT_|NODE_TEST_CONTEXT$)/.test(name)) delete process.env[name]
  }
}

/** Prints what the runner reports, file by file, and returns whether every test ran and passed. */
async function report(events, counts) {
  let isGood = true
  let current = null
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') process.stderr.write(data.message)
    if (type === 'test:diagnostic' && data.file === undefined) current = closeFile(current)
    if (type === 'test:diagnostic' && data.nesting === 0) addCount(counts, data.message)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const name = sourceOf(data.file ?? compiledRoot)
    if (current?.name !== name) {
      closeFile(current)
      current = openFile(name)
    }
    const failure = describeFailure(type, data)
    isGood &&= failure === null
    if (failure === '') continue
    if (failure !== null) console.log(`\nnot ok  ${name}: ${failure}\n`)
    current.failedCount += failure === null ? 0 : 1
    current.passedCount += failure === null && data.details.type !== 'suite' ? 1 : 0
    current.durationMs += data.nesting === 0 ? data.details.duration_ms : 0
  }
  return isGood
}

/** Adds what a run says in the end (`tests 12`) to what others have said. */
function addCount(counts, message) {
  const [, name = message, number = '0'] = /^(\w+) ([\d.]+)$/.exec(message) ?? []
  const before = counts.get(name) ?? 0
  counts.set(name, name === 'duration_ms' ? Math.max(before, Number(number)) : before + Number(number))
}

function openFile(name) {
  return { name, passedCount: 0, failedCount: 0, durationMs: 0 }
}

function closeFile(file) {
  if (file === null) return null
  const verdict = file.failedCount === 0 ? 'ok    ' : 'not ok'
  const failed = file.failedCount === 0 ? '' : `, ${file.failedCount} failed`
  console.log(`${verdict}  ${file.name}: ${file.passedCount} passed${failed}, ${Math.round(file.durationMs)} ms`)
  return null
}

/** Returns null for success, '' for a suite that failed only because of a test in it, else what went wrong. */
function describeFailure(type, { name, skip, todo, details }) {
  if (skip !== undefined || todo !== undefined) return `"${name}" was skipped`
  if (type === 'test:pass') return null
  if (details.error?.failureType === 'subtestsFailed') return ''
  const cause = details.error?.cause ?? details.error
  return `"${name}"\n${cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause)}`
}

cleanEnvironment()
const files = findTests(process.argv.slice(2))
const missing = files.filter((file) => !existsSync(file))
if (files.length === 0 || missing.length > 0) {
  const found = files.length === 0 ? 'none' : `no ${missing.map((file) => relative(root, file)).join(', ')}`
  console.error(`tests: expected compiled test files, got ${found}, try \`npm run build\` or another part of a path`)
  process.exit(1)
}
const started = [
  run({
    files: files.filter((file) => !WAITING.test(file)),
    concurrency: availableParallelism(),
    timeout: FILE_TIMEOUT_MS,
  }),
  run({ files: files.filter((file) => WAITING.test(file)), concurrency: 1, timeout: FILE_TIMEOUT_MS }),
]
const counts = new Map()
let isGood = true
for (const events of started) isGood = (await report(events, counts)) && isGood
for (const [name, number] of counts) console.log(`# ${name} ${number}`)
process.exit(isGood ? 0 : 1)
