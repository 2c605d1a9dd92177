/**
 * Goal: somebody who installs the package can build, read and verify links with the engine alone, as engine/LIBRARY.md shows.
 * Method: packs the package as `npm publish` would, unpacks it with its dependencies into an empty project, type-checks and
 * runs the document's own examples there; git and the helper say whether the links are right.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { git } from '../support/git.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { parseObject, projectRoot, section } from '../tidy/project.ts'

const project = directoryUntilExit()
const installed = join(project, 'node_modules', 'gittorrent-swarm')
const repository = join(project, 'r.git')
const links = join(project, 'links')

before(async () => {
  await mkdir(installed, { recursive: true })
  await mkdir(links)
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    cwd: projectRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [tarball = ''] = (await readdir(project)).filter((name) => name.endsWith('.tgz'))
  assert(packed.includes(tarball))
  execFileSync('tar', ['xzf', join(project, tarball), '--strip-components=1', '-C', installed])
  for (const name of Object.keys(section(await descriptionOf(installed), 'dependencies'))) {
    const from = join(projectRoot, 'node_modules', name)
    assert.deepEqual(section(await descriptionOf(from), 'dependencies'), {}, `${name} would bring others along`)
    await cp(from, join(project, 'node_modules', name), { recursive: true, dereference: true })
  }
  await compileExamples()
  await generateRepository(repository, { commitCount: 150, seed: 11, objectFormat: 'sha1' })
})

async function descriptionOf(folder: string): Promise<Readonly<Record<string, unknown>>> {
  return parseObject(await readFile(join(folder, 'package.json'), 'utf8'))
}

/** Writes the document's examples as files and compiles them strictly, declarations of the package included. */
async function compileExamples(): Promise<void> {
  const document = await readFile(join(installed, 'engine', 'LIBRARY.md'), 'utf8')
  const examples = [...document.matchAll(/^```ts (\S+)\n(.*?)^```$/gms)]
  assert.deepEqual(
    examples.map(([, name]) => name),
    ['build.ts', 'verify.ts'],
  )
  for (const [, name = '', text = ''] of examples) await writeFile(join(project, name), text)
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    target: 'es2023',
    lib: ['es2023', 'es2024.sharedmemory'],
    module: 'nodenext',
    skipLibCheck: false,
    typeRoots: [join(projectRoot, 'node_modules', '@types')],
    types: ['node'],
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['build.ts', 'verify.ts'] }))
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }))
  const compiler = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
}

function runExample(name: string, ...parameters: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(project, name), ...parameters], {
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr, lines: stdout.trim().split('\n') }
}

test('the package holds the executables, the engine and the documents, and nothing else', async () => {
  assert.deepEqual((await readdir(join(installed, 'dist'))).sort(), ['bin', 'engine'])
  const names = await readdir(installed, { recursive: true })
  assert.deepEqual(
    names.filter((name) => /\.(map|tsbuildinfo|test\.js)$/.test(name)),
    [],
  )
  for (const name of ['engine/FORMAT.md', 'engine/LIBRARY.md', 'helper/MANUAL.md', 'net/PROTOCOL.md', 'LICENSE'])
    assert(names.includes(name), name)
})

test('the first example builds the links that the helper builds, and git reads them', async () => {
  const { status, said, lines } = runExample('build.js', repository, links)
  assert.equal(status, 0, said)
  const opened = await openRepository(repository)
  const chains = await buildChains(opened, [await resolveTip(opened, 'HEAD')], { threadCount: 1 })
  const expected = (chains.chains[0]?.links ?? []).map(({ infohash, objectCount, lengthBytes }) =>
    [Buffer.from(infohash).toString('hex'), objectCount, lengthBytes].join(' '),
  )
  await chains.close()
  assert(expected.length > 2)
  assert.deepEqual(
    lines.map((line) => line.split(' ').slice(0, 3).join(' ')),
    expected.reverse(),
  )
  const copy = join(project, 'copy.git')
  await git(['init', '-q', '--bare', copy])
  for (const line of lines) await git(['-C', copy, 'bundle', 'unbundle', join(links, line.split(' ')[3] ?? '')])
  await git(['-C', copy, 'fsck', '--full', '--strict'])
})

test('the second example verifies them without git, and refuses one changed byte', async () => {
  const { status, said } = runExample('verify.js', links)
  assert.equal(status, 0, said)
  assert.match(said, /^verified \d+ objects/)
  const damaged = join(project, 'damaged')
  await cp(links, damaged, { recursive: true })
  const [first = ''] = (await readdir(damaged)).sort()
  const bytes = await readFile(join(damaged, first))
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(join(damaged, first), bytes)
  const verdict = runExample('verify.js', damaged)
  assert.equal(verdict.status, 1, verdict.said)
  assert.match(verdict.said, /refused: (pack|delta|object)-/)
})

test('the executables run from the installed package, network included', () => {
  const program = join(installed, 'dist', 'bin', 'gittorrent.js')
  const common = ['--listen', '127.0.0.1:0', '--no-dht', '--no-lsd']
  const seeded = spawnSync(
    process.execPath,
    [program, 'seed', repository, '--once', '--origin', repository, ...common],
    {
      encoding: 'utf8',
      cwd: project,
    },
  )
  assert.equal(seeded.status, 0, seeded.stderr)
  const chain = spawnSync(process.execPath, [program, 'chain', repository, '--json'], {
    encoding: 'utf8',
    cwd: project,
  })
  assert.equal(chain.status, 0, chain.stderr)
  assert.match(chain.stdout, /"infohash"/)
})
