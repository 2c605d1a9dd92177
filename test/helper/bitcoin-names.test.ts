/**
 * Goal: the first to register a name on the chain has it, whatever the order of scanning, and a reorganisation is followed.
 * Method: two real blocks (0 and 1 of Bitcoin's main chain), a fake node that serves written blocks over real JSON-RPC, and the
 * transaction of a registration read back by the same rules.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HelperError } from '../../helper/errors.ts'
import { carryingScript, readBlock, unsignedTransaction } from '../../helper/names/bitcoin-block.ts'
import { readChainState, scanChain } from '../../helper/names/bitcoin-scanner.ts'
import { REORGANISATION_BLOCK_COUNT_MAX } from '../../helper/names/limits.ts'
import {
  ownerOf,
  RESERVATION_BLOCK_COUNT,
  readRegistration,
  reservationHash,
  writeRegistration,
} from '../../helper/names/registration.ts'
import { keyOfSteps, resolveSteps } from '../../helper/names/resolve.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { FakeNode } from './bitcoin-chain.ts'
import { PublishedWorld } from './published-world.ts'

const BLOCK_0 =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000'
const BLOCK_1 =
  '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e362990101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff001d0104ffffffff0100f2052a0100000043410496b538e853519c726a2c91e61ec11600ae1390813a627c66fb8be7947be63c52da7589379515d4e0a604f8141781e62294721166bf621e73a82cbf2342c858eeac00000000'
const [A, B] = ['a'.repeat(40), 'b'.repeat(40)] as const
const SIGNAL = new AbortController().signal

/** The example of the original's description. */
const ORIGINAL = '@gittorrent!cjb!81e24205d4bac8496d3e13282c90ead5045f09ea'

test('real blocks are read, and linked by their hashes', () => {
  const [zero, one] = [readBlock(Buffer.from(BLOCK_0, 'hex')), readBlock(Buffer.from(BLOCK_1, 'hex'))]
  assert.equal(zero.hash, '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f')
  assert.equal(one.hash, '00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048')
  assert.equal(one.previousHash, zero.hash)
  assert.equal(zero.time, 1231006505)
  assert.deepEqual(zero.carried, [])
})

test('a block that was changed, cut or lengthened anywhere is refused', () => {
  const block = Buffer.from(BLOCK_0, 'hex')
  for (let at = 36; at < block.length; at += 7) {
    if (at >= 68 && at < 80) continue
    const changed = Buffer.from(block)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.throws(() => readBlock(changed), HelperError, `byte ${at}`)
    assert.throws(() => readBlock(block.subarray(0, at)), HelperError)
  }
  assert.throws(() => readBlock(Buffer.concat([block, block])), HelperError)
})

test('the format of the original is read, and what is nearly it is not', () => {
  const read = (text: string) => readRegistration(Buffer.from(text), { height: 1, transaction: 0, output: 0 })
  const claim = read(ORIGINAL)
  assert.ok(claim?.kind === 'claim')
  assert.deepEqual([claim.name, claim.id, claim.token], ['cjb', '81e24205d4bac8496d3e13282c90ead5045f09ea', null])
  assert.ok(read(`@gittorrent!${'x'.repeat(27)}!${A}`) !== null)
  for (const bad of [
    `@gittorrent!${'x'.repeat(28)}!${A}`,
    `@gittorrent!CJB!${A}`,
    `@gittorrent!-x!${A}`,
    `@gittorrent!a.b!${A}`,
    `@gittorrent!cjb!${A}\n`,
    `@gittorrent!cjb!${A.slice(1)}`,
    ` @gittorrent!cjb!${A}`,
    `@other!cjb!${A}`,
    `@gittorrent!cjb!${A}!`,
  ])
    assert.equal(read(bad), null, bad)
})

test('what register prints is what the scanner reads', () => {
  const data = writeRegistration('cjb', '81e24205d4bac8496d3e13282c90ead5045f09ea', null, 'claim')
  assert.equal(Buffer.from(data).toString(), ORIGINAL)
  const script = carryingScript(data)
  assert.equal(script.toString('hex').slice(0, 4), `6a${data.length.toString(16)}`)
  const transaction = unsignedTransaction(data)
  assert.equal(
    transaction.toString('hex'),
    `0200000000010000000000000000${script.length.toString(16)}${script.toString('hex')}00000000`,
  )
  const long = writeRegistration('x'.repeat(27), A, null, 'claim')
  assert.equal(long.length, 80)
  assert.equal(carryingScript(long).toString('hex').slice(0, 6), '6a4c50')
  assert.throws(() => writeRegistration('x'.repeat(20), A, 'long-token', 'claim'), { code: 'usage' })
  assert.throws(() => writeRegistration('cjb', A, null, 'reserve'), { code: 'usage' })
})

test('block order alone decides; a reservation counts from its own block, for a while', () => {
  const at = (height: number, transaction = 0) => ({ height, transaction, output: 0 })
  const claim = (height: number, id: string, token: string | null = null, transaction = 0) =>
    ({ ...at(height, transaction), kind: 'claim', name: 'x', id, token }) as const
  const reserve = (height: number, id: string, token: string) =>
    ({ ...at(height), kind: 'reservation', hash: reservationHash('x', id, token) }) as const
  const owner = (...entries: Parameters<typeof ownerOf>[1][number][]) => {
    const [forwards, backwards] = [ownerOf('x', entries)?.id, ownerOf('x', [...entries].reverse())?.id]
    assert.equal(forwards, backwards)
    return forwards
  }
  assert.equal(owner(claim(10, A), claim(11, B)), A)
  assert.equal(owner(claim(10, A, null, 5), claim(10, B, null, 2)), B)
  // B saw A's second step and was quicker; A had reserved.
  assert.equal(owner(reserve(5, A, 't'), claim(10, B), claim(10, A, 't', 9)), A)
  assert.equal(owner(reserve(10, A, 't'), claim(10, B, null, 1), claim(10, A, 't', 2)), B, 'not in one block')
  assert.equal(owner(reserve(5, A, 'other'), claim(10, B), claim(11, A, 't')), B)
  assert.equal(owner(reserve(5, A, 't'), claim(10, B), claim(6 + RESERVATION_BLOCK_COUNT, A, 't')), B, 'too late')
  // Who copies a token claims for another key, and so matches no reservation.
  assert.equal(owner(reserve(5, A, 't'), claim(9, B, 't'), claim(10, A, 't')), A)
  assert.equal(ownerOf('y', [claim(10, A)]), null)
})

test('the scanner resumes, keeps registrations only, and follows a reorganisation', (t) =>
  withTemporaryDirectory(async (directory) => {
    const env = { GITTORRENT_DATA: directory }
    const node = await FakeNode.open(t)
    const scan = () => scanChain({ env, rpc: node.url, nowSeconds: 1, signal: SIGNAL })
    node.mineEmpty(3)
    node.mine(['hello world'], [`@gittorrent!alice!${A}`, `@gittorrent!bob!${A}`], [`@gittorrent!alice!${B}`])
    const first = await scan()
    assert.deepEqual(
      first.registrations.map((entry) =>
        entry.kind === 'claim' ? `${entry.height}.${entry.transaction}.${entry.output} ${entry.name}` : '',
      ),
      ['4.2.1 alice', '4.2.2 bob', '4.3.1 alice'],
    )
    assert.equal(ownerOf('alice', first.registrations)?.id, A)
    node.mine([`@gittorrent!carol!${B}`])
    node.calls.length = 0
    await scan()
    assert.deepEqual(node.calls.filter((method) => method === 'getblock').length, 1)
    node.forget(3)
    node.mine([`@gittorrent!alice!${B}`])
    node.mineEmpty(2)
    const last = await scan()
    assert.deepEqual(
      [
        ownerOf('alice', last.registrations)?.id,
        ownerOf('carol', last.registrations),
        ownerOf('bob', last.registrations),
      ],
      [B, null, null],
    )
    assert.deepEqual(await readChainState(env), last)
    assert.ok(last.recent.length <= REORGANISATION_BLOCK_COUNT_MAX)
    const wrong = scanChain({ env, rpc: node.url.replace('secret', 'other'), nowSeconds: 1, signal: SIGNAL })
    await assert.rejects(wrong, { code: 'name-unresolved' })
  }))

test('a name is believed after six blocks, and the doubt that is left is told', (t) =>
  withTemporaryDirectory(async (directory) => {
    const around = { env: { GITTORRENT_DATA: directory }, config: new Map(), nowMs: 5_000, signal: SIGNAL }
    const address = { kind: 'name', petname: 'Alice', repository: 'x' } as const
    const node = await FakeNode.open(t)
    const scan = () => scanChain({ env: around.env, rpc: node.url, nowSeconds: 1, signal: SIGNAL })
    node.mine([`@gittorrent!alice!${A}`])
    node.mineEmpty(4)
    await scan()
    const early = await resolveSteps(address, around)
    assert.throws(() => keyOfSteps(address, early), { code: 'name-unresolved', message: /5 of 6 confirmations/ })
    node.mineEmpty(1)
    await scan()
    const steps = await resolveSteps(address, around)
    assert.equal(keyOfSteps(address, steps), A)
    assert.match(
      steps.at(-1)?.explanation ?? '',
      /first claimed in block 1, 2015-05-19, counts from block 1, scanned up to 6; until block 1009/,
    )
    assert.equal(steps.at(-1)?.ageSeconds, 4)
  }))

test('the commands scan, register and resolve', (t) =>
  withTemporaryDirectory(async (directory) => {
    const world = await PublishedWorld.open(directory)
    const { id } = await world.keygen('user')
    const node = await FakeNode.open(t)
    const reservation = JSON.parse(await world.run('user', 'gittorrent', 'register', 'alice', '--reserve', '--json'))
    const claim = JSON.parse(
      await world.run('user', 'gittorrent', 'register', 'alice', '--token', reservation.token, '--json'),
    )
    assert.doesNotMatch(reservation.text, /alice/)
    const reservedAt = node.mine([reservation.text])
    node.mine([`@gittorrent!alice!${B}`], [claim.text])
    node.mineEmpty(5)
    assert.match(await world.run('user', 'gittorrent', 'scan', '--rpc', node.url), /^block 7, 3 registrations$/)
    const resolved = JSON.parse(await world.run('user', 'gittorrent', 'resolve', 'alice', '--json'))
    assert.equal(resolved.key, id)
    assert.match(resolved.steps.at(-1).explanation, new RegExp(`counts from block ${reservedAt}`))
    const unknown = await world.outcome('user', 'gittorrent', ['resolve', 'nobody'])
    assert.equal(unknown.status, 1)
  }))
