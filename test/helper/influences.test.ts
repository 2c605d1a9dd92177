/**
 * Goal: nothing but objects decides the bytes of a chain: no replace ref, graft, alternate, attribute, configuration or
 * variable of the environment; and a repository without all its history is refused, in one line.
 * Method: each influence is first shown to change what plain git says, then the chain is built anew beside it and compared
 * with the one of the untouched repository.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildChains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { describeLinks } from '../../helper/commands/chain.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { historyOfSeed, writeHistory } from '../engine/histories.ts'
import { git, hermeticEnvironment } from '../support/git.ts'
import { firstParentLine } from '../support/oracles.ts'
import { directoryUntilExit, withTemporaryDirectory } from '../support/temporary-directory.ts'
import { INFLUENCE_GROUPS, type Influence, type Place, WORK_TREE_ATTRIBUTES } from './influences.ts'

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const EXECUTABLE = fileURLToPath(new URL('../../bin/gittorrent.js', import.meta.url))

/** 65 commits with every oddity that git stores, in a chain of 6 links, one of them coarse. */
const HISTORY = historyOfSeed(44, { commitCountMin: 50, commitCountMax: 70, objectFormat: 'sha1' })

/** What `gittorrent chain --json` shows of the links, built in this process with an environment of its own. */
async function linksOf(directory: string, environment: Readonly<Record<string, string>> = {}): Promise<unknown[]> {
  const own = { ...process.env }
  replaceEnvironment(hermeticEnvironment(environment))
  try {
    const repository = await openRepository(directory)
    const chains = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 1 })
    await chains.close()
    return chains.chains.flatMap(describeLinks)
  } finally {
    replaceEnvironment(own)
  }
}

function replaceEnvironment(variables: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, variables)
}

/** Puts an influence in place, where git has to show it. */
async function prove(influence: Influence, place: Place): Promise<void> {
  await influence.ground?.(place)
  const without = await influence.shows?.(place, {})
  await influence.arrange?.(place)
  const environment = influence.environment?.(place) ?? {}
  if (influence.shows !== null)
    assert.notEqual(await influence.shows(place, environment), without, `git shows no effect of ${influence.name}`)
}

let expected: unknown[] = []
let line: readonly string[] = []
const pristine = join(directoryUntilExit(), 'pristine.git')

before(async () => {
  const { tip } = await writeHistory(pristine, HISTORY)
  line = await firstParentLine(pristine, tip)
  await withPlace(async ({ directory }) => {
    expected = await linksOf(directory)
  })
  assert.equal(expected.length, 6)
})

/** A copy of the repository that nobody has built in. */
async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r.git')
    await cp(pristine, directory, { recursive: true })
    await use({ directory, scratch, line })
  })
}

for (const [name, influences] of Object.entries(INFLUENCE_GROUPS)) {
  it(`no byte changes by ${name}`, () =>
    withPlace(async (place) => {
      const environment: Record<string, string> = {}
      for (const influence of influences) {
        await withPlace((own) => prove(influence, own))
        await influence.ground?.(place)
        await influence.arrange?.(place)
        Object.assign(environment, influence.environment?.(place))
      }
      assert.deepEqual(await linksOf(place.directory, environment), expected)
    }))
}

/** Runs the executable; status and output, whatever they are. */
function gittorrent(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: environment, encoding: 'utf8' as const }
    execFile(process.execPath, [EXECUTABLE, ...args], options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

it('no byte changes by locale, time zone, language, and every variable of git at once', () =>
  withPlace(async (place) => {
    const variables = Object.entries(INFLUENCE_GROUPS).filter(([name]) => name.startsWith('variables'))
    const environment: Record<string, string> = {}
    for (const { ground, environment: given } of variables.flatMap(([, influences]) => influences)) {
      await ground?.(place)
      Object.assign(environment, given?.(place))
    }
    const foreign = { LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', LANGUAGE: 'tr', TZ: 'Pacific/Kiritimati' }
    const show = 'console.log(Intl.DateTimeFormat().resolvedOptions().locale, new Date(0).getHours())'
    const shown = await promisify(execFile)(process.execPath, ['-e', show], { env: hermeticEnvironment(foreign) })
    assert.equal(shown.stdout, 'tr-TR 13\n')
    const chain = await gittorrent(
      ['chain', place.directory, '--json'],
      hermeticEnvironment({
        ...environment,
        ...foreign,
        UV_THREADPOOL_SIZE: '1',
        NODE_OPTIONS: '--max-semi-space-size=1',
      }),
    )
    assert.equal(chain.status, 0, chain.stderr)
    assert.deepEqual(JSON.parse(chain.stdout).links, expected)
  }))

it('no byte changes by the .gitattributes of a work tree', () =>
  withPlace(async ({ directory, scratch }) => {
    const workTree = join(scratch, 'work-tree')
    await git(['clone', '--quiet', '--no-checkout', directory, workTree])
    await prove(WORK_TREE_ATTRIBUTES, { directory: workTree, scratch, line })
    assert.deepEqual(await linksOf(workTree), expected)
  }))

/** Clones of the repository that lack history or objects, as a user gets them. */
const INCOMPLETE: Readonly<Record<string, readonly string[]>> = {
  shallow: ['--depth=3'],
  partial: ['--filter=blob:none', '--no-checkout'],
}

for (const [kind, options] of Object.entries(INCOMPLETE)) {
  it(`a ${kind} clone is refused in one line by every command that builds, and nothing is written`, () =>
    withPlace(async ({ directory, scratch }) => {
      await git(['config', 'uploadpack.allowFilter', 'true'], { directory })
      const clone = join(scratch, 'clone.git')
      await git(['clone', '--quiet', '--bare', ...options, `file://${directory}`, clone])
      const commands = [['chain'], ['seed', '--once', '--origin', directory], ['export', '--out', join(scratch, 'out')]]
      for (const [name = '', ...more] of [...commands, ['verify']]) {
        // Variables that hide from git what the clone is.
        const environment = hermeticEnvironment({ GIT_CONFIG: '/dev/null', GIT_SHALLOW_FILE: '' })
        const { status, stdout, stderr } = await gittorrent([name, clone, ...more], environment)
        assert.equal(status, 128)
        assert.equal(stdout, '')
        assert.match(
          stderr,
          new RegExp(`^fatal: repository '.*': expected all history, got a ${kind} clone, try .*\n$`),
        )
      }
      assert.ok(!existsSync(join(clone, 'gittorrent')) && !existsSync(join(scratch, 'out')))
    }))
}

it('a clone that is partial no more builds the same bytes', () =>
  withPlace(async ({ directory }) => {
    await git(['config', 'remote.origin.promisor', 'false'], { directory })
    assert.deepEqual(await linksOf(directory), expected)
  }))

it('a repository that lacks an object is refused in one line, with the name of the object', () =>
  withPlace(async ({ directory, scratch }) => {
    const oid = await git(['rev-parse', 'HEAD:log/hot.txt'], { directory })
    const pack = join(scratch, 'all.pack')
    const [file = ''] = (await readdir(join(directory, 'objects', 'pack'))).filter((name) => name.endsWith('.pack'))
    await rename(join(directory, 'objects', 'pack', file), pack)
    await rm(join(directory, 'objects', 'pack'), { recursive: true })
    await git(['unpack-objects', '-q'], { directory, input: await readFile(pack) })
    await rm(join(directory, 'objects', oid.slice(0, 2), oid.slice(2)))
    const { status, stderr } = await gittorrent(['chain', directory], hermeticEnvironment())
    assert.equal(status, 128)
    assert.match(stderr, new RegExp(`^fatal: object ${oid}: expected .*\n$`))
  }))
