/**
 * Runs the helper's tests with other versions of git: `npm run test:gits -- [<folder or Debian suite>]… [--only <part of a path>]…`.
 * A folder holds an executable `git`; a suite (bookworm-backports, trixie, sid, …; by default the last two) is asked for its
 * package of git, which is unpacked with all its libraries into a temporary folder and started with its own dynamic linker,
 * so nothing is installed. Needs apt-get and dpkg-deb for that. Prints one line per version, and failures in full.
 * Exit status: 0 all pass, 1 a test fails, 2 none does, but some version could not be had.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const SUITES = ['trixie', 'sid']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** What talks to git: every way of fetching and pushing, the readers of histories, the daemon over git's housekeeping. */
const TESTS = [
  'remote-',
  'swarm-clone',
  'shallow-clone',
  'stock-git',
  'adopt',
  'commits',
  'mirrors',
  'sha256',
  'daemon-',
]
const TIMEOUT_MS = 3_600_000
const OUTPUT_LENGTH_MAX = 64 * 1024 * 1024
const ELF = '\x7fELF'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a program to its end; never rejects. */
function run(program, args, options = {}) {
  const settings = { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_LENGTH_MAX, ...options }
  return new Promise((done) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      done({ isGood: error === null, stdout, said: stderr.trim() || error?.message || '' })
    })
  })
}

/** Runs a program that has to succeed. */
async function must(program, args) {
  const { isGood, stdout, said } = await run(program, args)
  if (!isGood) throw new Error(`${program} ${args.at(-1)}: ${said.split('\n').at(-1)}`)
  return stdout
}

/** Where this machine's own apt gets Debian from. */
async function archive() {
  const words = ['indextargets', '--format', '$(REPO_URI)', 'Origin: Debian', 'Label: Debian']
  const [address = ''] = (await must('apt-get', words)).split('\n')
  if (address === '') throw new Error('apt knows no archive of Debian: expected one, try apt-get update')
  return address
}

/** Downloads git and everything that it needs of a suite, with lists and caches of its own; names of the packages' files. */
async function download(suite, folder) {
  const [state, cache] = [join(folder, 'state'), join(folder, 'cache')]
  for (const place of [join(state, 'lists', 'partial'), join(cache, 'archives', 'partial')]) {
    await mkdir(place, { recursive: true })
  }
  await writeFile(join(state, 'status'), '')
  const suites = suite.endsWith('-backports') ? [suite.replace('-backports', ''), suite] : [suite]
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : ''
  const address = await archive()
  const lines = suites.map((name) => `deb ${signed}${address} ${name} main\n`)
  await writeFile(join(folder, 'sources.list'), lines.join(''))
  const options = {
    'Dir::State': state,
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': cache,
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferencesparts': '-',
    'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '_apt',
    'Debug::NoLocking': 'true',
  }
  const settings = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  await must('apt-get', [...settings, '-qq', 'update'])
  const release = suite.endsWith('-backports') ? ['-t', suite] : []
  const flags = ['-qq', '--yes', '--download-only', '--no-install-recommends']
  await must('apt-get', [...settings, ...release, ...flags, 'install', 'git'])
  const archives = join(cache, 'archives')
  return (await readdir(archives)).filter((name) => name.endsWith('.deb')).map((name) => join(archives, name))
}

/** Makes a git of unpacked packages that starts with its own linker and libraries; the folder for PATH. */
async function assemble(packages, folder) {
  const unpacked = join(folder, 'root')
  for (const path of packages) await must('dpkg-deb', ['-x', path, unpacked])
  const found = await must('find', [unpacked, '-name', 'ld-linux*.so.*', '-o', '-name', 'libc.so.6'])
  const linker = found.split('\n').find((path) => /\/ld-linux[^/]*$/.test(path))
  const libraries = [
    ...new Set(
      found
        .split('\n')
        .filter((path) => path.endsWith('/libc.so.6'))
        .map(dirname),
    ),
  ]
  const triplet = libraries[0]?.split('/').at(-1) ?? ''
  const searched = ['usr/lib', 'lib'].map((place) => join(unpacked, place, triplet)).filter(existsSync)
  if (linker === undefined || searched.length === 0) throw new Error('expected a dynamic linker in libc6, got none')
  const core = join(unpacked, 'usr', 'lib', 'git-core')
  // Linkers before glibc 2.33 know no --argv0: git is told which of its builtins a link stands for. git daemon, which starts itself again
  // for each connection, cannot do without.
  const argv0 = (await run(linker, ['--help'])).stdout.includes('--argv0') ? ' --argv0 "$0"' : ''
  const start = (real) => {
    const named = /\/(core-)?git$/.test(real) ? `case "\${0##*/}" in git-*) set -- "\${0##*/git-}" "$@";; esac\n` : ''
    const called = real.endsWith('/core-git-daemon') ? argv0 : ''
    const words = `'${linker}'${called} --library-path '${searched.join(':')}' '${real}'`
    return `#!/bin/sh\n${named}GIT_EXEC_PATH='${core}' exec ${words} "$@"\n`
  }
  const real = join(unpacked, 'real')
  await mkdir(real)
  for (const place of [join(unpacked, 'usr', 'bin'), core]) {
    for (const name of await readdir(place)) {
      const path = join(place, name)
      if (!name.startsWith('git') || !(await isBinary(path))) continue
      const moved = join(real, `${place === core ? 'core-' : ''}${name}`)
      await rename(path, moved)
      await writeFile(path, start(moved))
      await chmod(path, 0o755)
    }
  }
  return join(unpacked, 'usr', 'bin')
}

async function isBinary(path) {
  if (!(await lstat(path)).isFile()) return false
  const file = await open(path)
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
  await file.close()
  return buffer.toString('latin1') === ELF
}

/** Folder for PATH, or null with the reason printed. */
async function obtain(wanted, folder) {
  if (wanted.includes('/')) return resolve(wanted)
  try {
    return await assemble(await download(wanted, folder), folder)
  } catch (error) {
    console.log(`not had  git of ${wanted}: ${error.message}`)
    return null
  }
}

/** Runs the tests with one git; 'passes', 'fails' or 'missing'. */
async function check(wanted, parts) {
  const folder = await mkdtemp(join(tmpdir(), 'gittorrent-git-'))
  try {
    const bin = await obtain(wanted, folder)
    if (bin === null) return 'missing'
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
    const { isGood: starts, stdout: version, said: why } = await run('git', ['version'], { env })
    if (!starts || !existsSync(join(bin, 'git'))) {
      console.log(`not had  ${wanted}: expected a git that starts, got ${why || 'none'}`)
      return 'missing'
    }
    const { isGood, stdout, said } = await run(process.execPath, [join(root, 'test', 'run.mjs'), ...parts], { env })
    const counts = stdout
      .split('\n')
      .filter((line) => /^# (pass|fail) /.test(line))
      .map((line) => line.slice(2))
    console.log(`${isGood ? 'passes ' : 'fails  '}  ${version.trim()}, ${wanted}: ${counts.join(', ')}`)
    if (!isGood) console.log(`${stdout}${said}`)
    return isGood ? 'passes' : 'fails'
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const [wanted, parts] = [[], []]
for (let args = process.argv.slice(2); args.length > 0; ) {
  const [first, ...rest] = args
  if (first === '--only') parts.push(...rest.splice(0, 1))
  else wanted.push(first)
  args = rest
}
const chosen = parts.length > 0 ? parts : TESTS.map((name) => `test/helper/${name}`)
const verdicts = []
for (const one of wanted.length > 0 ? wanted : SUITES) verdicts.push(await check(one, chosen))
const count = (verdict) => verdicts.filter((other) => other === verdict).length
console.log(`# ${count('passes')} pass, ${count('fails')} fail, ${count('missing')} not had, of ${verdicts.length}`)
process.exit(count('fails') > 0 ? 1 : count('missing') > 0 ? 2 : 0)
