/**
 * Goal: the answering end of the tunnel gives what is published and nothing else, whatever an asker sends and however the user
 * configured git.
 * Method: the real `git upload-pack` behind it, a configuration and an environment made to trap it, git index-pack as judge.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { before, test } from 'node:test'
import { TIP_BURST_COUNT, TIP_PARALLEL_COUNT, TIP_PER_HOST_COUNT } from '../../helper/publish/limits.ts'
import { encodeTipRequest } from '../../helper/publish/tip-request.ts'
import { TipServer } from '../../helper/publish/tip-serve.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { readPacket, textOf } from '../../helper/remote/pkt-line.ts'
import { openTrace } from '../../helper/trace.ts'
import { type AnswerStream, Refusal } from '../../net/index.ts'
import { importCommits } from '../support/fast-import.ts'
import { git, gitBytes } from '../support/git.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'

const directory = directoryUntilExit()
const trap = join(directory, 'trapped')
let oids: readonly string[]
let offer: { gitDir: string; objectFormat: 'sha1'; advertised: ReadonlySet<string> }

before(async () => {
  await git(['init', '--quiet', '--bare', 'repo.git'], { directory })
  const gitDir = join(directory, 'repo.git')
  oids = await importCommits(
    gitDir,
    [0, 1, 2].map((n) => ({ files: { f: `${n}\n`.repeat(3000 + n) } })),
  )
  offer = { gitDir, objectFormat: 'sha1', advertised: new Set([oids.at(-1) ?? '']) }
  const hook = join(directory, 'hook')
  await writeFile(hook, `#!/bin/sh\ntouch '${trap}'\nexec "$@"\n`)
  await chmod(hook, 0o755)
  const configuration = join(directory, 'gitconfig')
  await writeFile(configuration, `[uploadpack]\n\tpackObjectsHook = ${hook}\n[core]\n\thooksPath = ${directory}\n`)
  process.env.GIT_CONFIG_GLOBAL = configuration
  process.env.GIT_CONFIG_PARAMETERS = `'uploadpack.packObjectsHook=${hook}'`
  process.env.GIT_TRACE = trap
})

function ask(
  server: TipServer,
  wants: readonly string[],
  peerId = 'peer',
  haves: readonly string[] = [],
): Promise<AnswerStream> {
  return server.answer(offer, encodeTipRequest({ objectFormat: 'sha1', wants, haves }), peerId)
}

const isRefusal = (reason: string) => (error: unknown) => error instanceof Refusal && error.reason === reason

async function whole(answer: AnswerStream): Promise<void> {
  for await (const _ of answer);
}

/** The pack in an answer. */
async function packOf(answer: AnswerStream): Promise<Buffer> {
  const buffers = (async function* () {
    for await (const bytes of answer) yield Buffer.from(bytes)
  })()
  const reader = new ByteReader(Readable.from(buffers, { objectMode: false }))
  const first = await readPacket(reader)
  assert.equal(first === null ? null : textOf(first), 'packfile')
  const parts: Buffer[] = []
  for (let packet = await readPacket(reader); packet?.kind === 'data'; packet = await readPacket(reader))
    if (packet.payload[0] === 1) parts.push(packet.payload.subarray(1))
  return Buffer.concat(parts)
}

test('what is published comes as a pack that git takes, and no configuration or hook of the user has a part in it', async () => {
  const server = new TipServer(openTrace({}))
  const tip = oids.at(-1) ?? ''
  const pack = await packOf(await ask(server, [tip]))
  await git(['init', '--quiet', '--bare', 'taken.git'], { directory })
  await gitBytes(['index-pack', '--stdin', '--strict'], { directory: join(directory, 'taken.git'), input: pack })
  const listed = await git(['rev-list', '--objects', '--no-object-names', tip], {
    directory: join(directory, 'taken.git'),
  })
  assert.equal(listed, await git(['rev-list', '--objects', '--no-object-names', tip], { directory: offer.gitDir }))
  assert.equal(existsSync(trap), false)
  const rest = await packOf(await ask(server, [tip], 'peer', oids.slice(1, 2)))
  assert.ok(rest.length < pack.length)
  server.close()
})

test('an object that is there but not published is refused by name', async () => {
  const server = new TipServer(openTrace({}))
  await assert.rejects(ask(server, oids.slice(0, 1)), isRefusal('not-advertised'))
  await assert.rejects(ask(server, [...offer.advertised, 'f'.repeat(40)]), isRefusal('not-advertised'))
  await assert.rejects(server.answer(offer, Buffer.from('0014command=ls-refs\n0000'), 'peer'), isRefusal('malformed'))
  const other = { objectFormat: 'sha256' as const, wants: ['a'.repeat(64)], haves: [] }
  await assert.rejects(server.answer(offer, encodeTipRequest(other), 'peer'), isRefusal('not-advertised'))
  server.close()
})

test('processes are bounded for one host and for all, and a closed answer frees its place', async () => {
  const server = new TipServer(openTrace({}))
  const answers: AnswerStream[] = []
  for (let n = 0; n < TIP_PER_HOST_COUNT; n++) answers.push(await ask(server, [...offer.advertised], 'one'))
  await assert.rejects(ask(server, [...offer.advertised], 'one'), isRefusal('busy'))
  for (let n = answers.length; n < TIP_PARALLEL_COUNT; n++)
    answers.push(await ask(server, [...offer.advertised], `peer ${n}`))
  await assert.rejects(ask(server, [...offer.advertised], 'another'), isRefusal('busy'))
  for (const answer of answers) {
    answer.close()
    // An answer ends when its process has.
    await whole(answer).catch(() => {})
  }
  const again = await ask(server, [...offer.advertised], 'one')
  assert.ok((await packOf(again)).length > 0)
  server.close()
  await assert.rejects(ask(server, [...offer.advertised]), isRefusal('busy'))
})

test('who has answers begun and leaves, again and again, has no more begun than a host may, and keeps nobody else out', async () => {
  const server = new TipServer(openTrace({}))
  let begunCount = 0
  const begin = async (): Promise<void> => {
    for (;;) {
      const answer = await ask(server, [...offer.advertised], 'one')
      begunCount++
      answer.close()
      await whole(answer).catch(() => {})
    }
  }
  await assert.rejects(begin(), isRefusal('busy'))
  assert.ok(begunCount >= TIP_BURST_COUNT)
  assert.ok((await packOf(await ask(server, [...offer.advertised], 'another'))).length > 0)
  server.close()
})

test('what the repository lacks is not fetched, whatever its configuration says, by a git of any age', async () => {
  await git(['clone', '--quiet', '--bare', '--no-local', 'repo.git', 'holes.git'], { directory })
  const gitDir = join(directory, 'holes.git')
  const tip = oids.at(-1) ?? ''
  const input = await gitBytes(['pack-objects', '--stdout', '--revs', '--filter=blob:none'], {
    directory: gitDir,
    input: `${tip}\n`,
  })
  await rm(join(gitDir, 'objects'), { recursive: true })
  await git(['init', '--quiet', '--bare', gitDir], { directory })
  await gitBytes(['index-pack', '--stdin', '--promisor'], { directory: gitDir, input })
  const hook = join(directory, 'hook')
  for (const setting of [
    ...['remote.origin.promisor true', `remote.origin.url ext::${hook}`, 'protocol.ext.allow always'],
    ...[`uploadpack.packObjectsHook ${hook}`, 'core.repositoryFormatVersion 1', 'extensions.partialClone origin'],
  ])
    await git(['config', ...setting.split(' ')], { directory: gitDir })
  // A git that does not know GIT_NO_LAZY_FETCH yet is one that takes it for unset.
  const path = process.env.PATH ?? ''
  const old = join(directory, 'old')
  await mkdir(old)
  await writeFile(join(old, 'git'), `#!/bin/sh\nGIT_NO_LAZY_FETCH=0 PATH='${path}' exec git "$@"\n`, { mode: 0o755 })
  const server = new TipServer(openTrace({}))
  for (const programs of [path, `${old}:${path}`]) {
    process.env.PATH = programs
    const request = encodeTipRequest({ objectFormat: 'sha1', wants: [tip], haves: [] })
    const answer = await server.answer({ ...offer, gitDir }, request, 'peer')
    process.env.PATH = path
    await assert.rejects(whole(answer), /upload-pack failed/)
    assert.equal(existsSync(trap), false)
  }
  server.close()
})

test('an asker who leaves takes with him whatever git has started', async () => {
  const programs = join(directory, 'programs')
  await mkdir(programs)
  // Its child holds the answer's pipe, as git's own hold none: the answer cannot end before it.
  await writeFile(join(programs, 'git'), '#!/bin/sh\nsleep 1000 &\necho counting\nwait\n')
  await chmod(join(programs, 'git'), 0o755)
  const path = process.env.PATH
  process.env.PATH = `${programs}:${path}`
  const server = new TipServer(openTrace({}))
  const answer = await ask(server, [...offer.advertised])
  process.env.PATH = path
  const parts = answer[Symbol.asyncIterator]()
  assert.equal(Buffer.from((await parts.next()).value).toString(), 'counting\n')
  answer.close()
  await assert.rejects(async () => void (await parts.next()), /upload-pack failed/)
  server.close()
})

test('half a pack never looks like a whole one', async () => {
  const server = new TipServer(openTrace({}))
  const broken = { ...offer, gitDir: join(directory, 'nowhere.git') }
  const answer = await server.answer(
    broken,
    encodeTipRequest({ objectFormat: 'sha1', wants: [...offer.advertised], haves: [] }),
    'peer',
  )
  await assert.rejects(whole(answer), /upload-pack failed/)
  server.close()
})

test('of all commands, capabilities and arguments that the installed git has, none gets past the one form', async () => {
  const settings = ['uploadpack.allowFilter', 'uploadpack.allowRefInWant', 'uploadpack.advertiseBundleURIs']
  const more = ['transfer.advertiseObjectInfo', 'transfer.advertiseSID', 'uploadpack.allowSidebandAll']
  const offered = await gitBytes(
    [
      ...[...settings, ...more].flatMap((setting) => ['-c', `${setting}=true`]),
      ...['-c', 'uploadpack.blobPackfileUri=a b https://example.org/', 'upload-pack', '--http-backend-info-refs', '.'],
    ],
    { directory: offer.gitDir, environment: { GIT_PROTOCOL: 'version=2' } },
  )
  const advertised = Buffer.from(offered)
    .toString('latin1')
    .split(/\n?[0-9a-f]{4}(?=[a-z])/)
  const commands = advertised.flatMap((line) => /^(?!version|object-format|agent)([a-z-]+)/.exec(line)?.[1] ?? [])
  assert.ok(['ls-refs', 'fetch', 'server-option', 'object-info'].every((command) => commands.includes(command)))
  const features = advertised.flatMap((line) => /^fetch=(.*)/.exec(line)?.[1]?.trim().split(' ') ?? [])
  assert.ok(features.includes('filter') && features.includes('ref-in-want') && features.includes('wait-for-done'))
  const tip = oids.at(-1) ?? ''
  const argumentLines = [
    ...features,
    ...['filter blob:none', 'filter=blob:none', 'want-ref refs/heads/main', 'packfile-uris https', 'sideband-all'],
    ...['deepen 1', 'deepen-since 1', 'deepen-not main', 'deepen-relative', `shallow ${tip}`, 'include-tag', 'done'],
    ...['symrefs', 'peel', 'unborn', 'ref-prefix refs/', 'size', `oid ${tip}`, `want ${tip} filter`, 'no-done', ''],
    ...[`want ${tip.toUpperCase()}`, `want ${oids[0]}\0`, ` want ${oids[0]}`, `have ${tip}`, 'delim'],
  ]
  const headLines = [
    ...commands.flatMap((command) => [command, `command=${command}`, `${command}=x`]),
    ...['object-format=sha1', 'object-format=sha256', 'session-id=x', 'agent=x', 'server-option=x', 'version 1'],
  ]
  const packet = (line: string): string => `${(line.length + 5).toString(16).padStart(4, '0')}${line}\n`
  const whole = Buffer.from(encodeTipRequest({ objectFormat: 'sha1', wants: [tip], haves: [] })).toString('latin1')
  const server = new TipServer(openTrace({}))
  const refused = async (bytes: string): Promise<void> =>
    assert.rejects(server.answer(offer, Buffer.from(bytes, 'latin1'), 'peer'), isRefusal('malformed'), bytes)
  const starts = [...whole.matchAll(/00[0-9a-f]{2}(?=[a-z0])/g)].map(({ index }) => index)
  // Two haves before done are one form, too.
  const isForm = (line: string, at: number): boolean => line === `have ${tip}` && whole.startsWith('0009done', at)
  for (const line of [...headLines, ...argumentLines])
    for (const at of [...starts, whole.length])
      if (!isForm(line, at)) await refused(whole.slice(0, at) + packet(line) + whole.slice(at))
  for (const command of commands.filter((name) => name !== 'fetch'))
    await refused(whole.replace('0012command=fetch', packet(`command=${command}`).trim()))
  // Versions 0 and 1, and their shallow and deepen lines.
  for (const first of [`want ${tip} multi_ack side-band-64k`, `want ${tip}`, `shallow ${tip}`, 'deepen 1'])
    await refused(`${packet(first)}0000${packet('done')}`)
  server.close()
})
