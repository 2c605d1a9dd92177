/**
 * git-lfs through the helper: `npm run test:lfs`, after `npm run build`. Clone, fetch and push of a repository with LFS files, by
 * an adopted URL and by a gittorrent:: one, against an LFS server of its own on loopback (batch API, basic transfers) in
 * front of git http-backend. Exit status: 0 all passes, 1 something does not, 2 there is no git-lfs on PATH.
 */

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, request as sendRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startSmartHttp } from '../dist/test/helper/origin.js'

const MEDIA_TYPE = 'application/vnd.git-lfs+json'
const FILE_LENGTH = 300_000
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const run = promisify(execFile)

try {
  execFileSync('git', ['lfs', 'version'], { stdio: 'ignore' })
} catch {
  console.error('lfs: expected git-lfs on PATH, got none, try `apt-get install git-lfs`')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'gittorrent-lfs-'))
const trace = join(folder, 'trace')
/** Contents by oid: what the LFS server holds. */
const held = new Map()
const asked = []
let origin
let server
let base

const environment = {
  PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
  HOME: folder,
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GITTORRENT_DHT: 'false',
  GITTORRENT_LSD: 'false',
  GITTORRENT_TRACE: trace,
}

async function git(...args) {
  return (await run('git', args, { cwd: folder, env: environment })).stdout.trim()
}

async function bodyOf(stream) {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

/** The batch API and basic transfers; everything else is git's. */
async function serve(request, response) {
  const url = request.url ?? '/'
  const isLfs = /\/info\/lfs\/|^\/lfs-objects\//.test(url)
  if (!isLfs) return relay(request, response)
  asked.push(`${request.method} ${url}`)
  const oid = /^\/lfs-objects\/([0-9a-f]{64})$/.exec(url)?.[1]
  const body = await bodyOf(request)
  if (oid !== undefined && request.method === 'PUT') {
    const isIt = createHash('sha256').update(body).digest('hex') === oid
    if (isIt) held.set(oid, body)
    response.writeHead(isIt ? 200 : 422).end()
  } else if (oid !== undefined) {
    response.writeHead(held.has(oid) ? 200 : 404).end(held.get(oid))
  } else if (url.endsWith('/info/lfs/objects/batch')) {
    const { operation, objects } = JSON.parse(body.toString('utf8'))
    const answers = objects.map((object) => {
      const isNeeded = operation === 'download' || !held.has(object.oid)
      const actions = { [operation]: { href: `${base}lfs-objects/${object.oid}` } }
      return { ...object, authenticated: true, ...(isNeeded ? { actions } : {}) }
    })
    response.writeHead(200, { 'content-type': MEDIA_TYPE }).end(JSON.stringify({ transfer: 'basic', objects: answers }))
  } else response.writeHead(404, { 'content-type': MEDIA_TYPE }).end('{"message":"none"}')
}

function relay(request, response) {
  const options = { method: request.method, headers: request.headers }
  const onward = sendRequest(`${origin.url}${request.url}`, options, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
}

/** Commits a new LFS file in a clone; its content. */
async function commitFile(clone, name) {
  const content = randomBytes(FILE_LENGTH)
  writeFileSync(join(folder, clone, name), content)
  await git('-C', clone, 'add', '.')
  await git('-C', clone, 'commit', '--quiet', '-m', name)
  return content
}

function configure(...lines) {
  const own = [
    '[user]',
    'name = T',
    'email = t@example.org',
    '[init]',
    'defaultBranch = main',
    '[protocol]',
    'version = 2',
  ]
  writeFileSync(join(folder, '.gitconfig'), [...own, ...lines, ''].join('\n'))
  execFileSync('git', ['lfs', 'install', '--skip-repo'], { cwd: folder, env: environment, stdio: 'ignore' })
}

const adopted = () => configure(`[url "gittorrent::lfs=${base}"]`, `insteadOf = ${base}`)
const contentOf = (clone, name) => readFileSync(join(folder, clone, name))
const cameThroughUs = () => readFileSync(trace, 'utf8').includes(`origin ${base}project.git`)

before(async () => {
  mkdirSync(join(folder, 'bin'))
  symlinkSync(join(root, 'dist', 'bin', 'git-remote-gittorrent.js'), join(folder, 'bin', 'git-remote-gittorrent'))
  origin = await startSmartHttp(folder)
  server = createServer((request, response) => void serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${server.address().port}/`
  configure()
  await git('init', '--quiet', '--bare', 'project.git')
  await git('clone', '--quiet', `${base}project.git`, 'first')
  await git('-C', 'first', 'lfs', 'track', '*.bin')
  await commitFile('first', 'one.bin')
  await git('-C', 'first', 'push', '--quiet', 'origin', 'main')
  assert.equal(held.size, 1)
})

after(async () => {
  server.closeAllConnections()
  server.close()
  await origin.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

it('git-lfs applies insteadOf to its endpoint too, but not where the other side of it has a "="', async () => {
  const endpoint = async (url) => {
    configure(`[url "${url}"]`, `insteadOf = ${base}`)
    return /Endpoint=(\S+)/.exec(await git('-C', 'first', 'lfs', 'env'))?.[1]
  }
  assert.equal(await endpoint(`gittorrent::${base}`), `gittorrent::${base}project.git/info/lfs`)
  assert.equal(await endpoint(`gittorrent::lfs=${base}`), `${base}project.git/info/lfs`)
})

it('adopted: clone, push, pull and fetch bring LFS files, the stored URL stays, git goes through the helper', async () => {
  adopted()
  appendFileSync(trace, '')
  await git('clone', '--quiet', `${base}project.git`, 'adopted')
  assert.ok(cameThroughUs())
  assert.deepEqual(contentOf('adopted', 'one.bin'), contentOf('first', 'one.bin'))
  assert.equal(await git('-C', 'adopted', 'config', 'remote.origin.url'), `${base}project.git`)
  const content = await commitFile('adopted', 'two.bin')
  await git('-C', 'adopted', 'push', '--quiet', 'origin', 'main')
  assert.ok([...held.values()].some((bytes) => bytes.equals(content)))
  await git('-C', 'first', 'pull', '--quiet', '--ff-only')
  assert.deepEqual(contentOf('first', 'two.bin'), content)
  const third = await commitFile('first', 'three.bin')
  await git('-C', 'first', 'push', '--quiet', 'origin', 'main')
  await git('-C', 'adopted', 'fetch', '--quiet')
  await git('-C', 'adopted', 'lfs', 'fetch', 'origin', 'origin/main')
  asked.length = 0
  await git('-C', 'adopted', 'merge', '--quiet', '--ff-only', 'origin/main')
  assert.deepEqual(asked, [], 'everything was there by then')
  assert.deepEqual(contentOf('adopted', 'three.bin'), third)
  await git('-C', 'adopted', 'lfs', 'fsck')
})

it('adopted: a clone of depth 1 without its LFS files, which come later', async () => {
  adopted()
  const options = { env: { ...environment, GIT_LFS_SKIP_SMUDGE: '1' }, cwd: folder }
  await run('git', ['clone', '--quiet', '--depth', '1', `${base}project.git`, 'later'], options)
  assert.match(contentOf('later', 'one.bin').toString('utf8'), /^version https:\/\/git-lfs/)
  await git('-C', 'later', 'lfs', 'pull')
  assert.deepEqual(contentOf('later', 'one.bin'), contentOf('first', 'one.bin'))
})

it('a gittorrent:: URL works with lfs.url, which clone can be given', async () => {
  configure()
  const url = `gittorrent::${base}project.git`
  await git('clone', '--quiet', '-c', `lfs.url=${base}project.git/info/lfs`, url, 'direct')
  assert.deepEqual(contentOf('direct', 'one.bin'), contentOf('first', 'one.bin'))
  const content = await commitFile('direct', 'four.bin')
  await git('-C', 'direct', 'push', '--quiet', 'origin', 'main')
  assert.ok([...held.values()].some((bytes) => bytes.equals(content)))
})
