/**
 * Names on a real chain: registrations of ours mined by a full node in regtest, scanned over its JSON-RPC, a reorganisation included.
 *   npm install --ignore-scripts --prefix /tmp/bcoin bcoin@1.0.2
 *   npm run walk:bitcoin -- /tmp/bcoin
 * The node is bcoin (pure JavaScript, from npm), because Debian has no Bitcoin Core; it is no dependency of ours. It runs in this
 * process, in memory, on loopback, without peers. Exit status 1 if a check fails.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Coinbase outputs can be spent so many blocks later. */
const MATURITY = 101
const PROGRAM = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'bin', 'gittorrent.js')
let failedCount = 0

function check(claim: string, holds: boolean, why: unknown = ''): void {
  if (!holds) failedCount++
  process.stdout.write(`  ${holds ? 'yes' : 'NO '}  ${claim}${holds ? '' : `\n       ${JSON.stringify(why)}`}\n`)
}

/** Runs our command with a data folder; its stdout, whatever its status. */
function ours(data: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: data, GITTORRENT_DATA: data, GIT_CONFIG_NOSYSTEM: '1' }
  return new Promise((done) => execFile(process.execPath, [PROGRAM, ...args], { env }, (_, stdout) => done(stdout)))
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

/** What is used of bcoin, which has no types. */
interface Bcoin {
  readonly FullNode: new (options: object) => BcoinNode
  readonly KeyRing: { generate(network: string): { getAddress(): unknown } }
  readonly MTX: new () => BcoinTransaction
  readonly Script: { fromRaw(hex: string, encoding: string): unknown }
  readonly Coin: { fromTX(transaction: unknown, index: number, height: number): { value: number } }
}

interface BcoinTransaction {
  addCoin(coin: unknown): void
  addOutput(output: { script?: unknown; address?: unknown; value: number }): void
  sign(ring: unknown): number
  toTX(): unknown
}

interface BcoinBlock {
  readonly txs: readonly unknown[]
  rhash(): string
}

interface BcoinNode {
  readonly miner: { addAddress(address: unknown): void; mineBlock(tip?: unknown): Promise<BcoinBlock> }
  readonly chain: {
    add(block: BcoinBlock): Promise<unknown>
    getEntry(hash: unknown): Promise<unknown>
    tip: { height: number; hash: unknown }
  }
  readonly mempool: { addTX(transaction: unknown): Promise<unknown>; reset(): Promise<void> }
  open(): Promise<void>
  close(): Promise<void>
}

class RegtestChain {
  readonly node: BcoinNode
  readonly #bcoin: Bcoin
  readonly #ring: { getAddress(): unknown }
  readonly #coinbases: unknown[] = []

  constructor(bcoin: Bcoin, httpPort: number) {
    this.#bcoin = bcoin
    const quiet = { network: 'regtest', memory: true, listen: false, noDns: true, logConsole: false, logLevel: 'none' }
    this.node = new bcoin.FullNode({ ...quiet, httpHost: '127.0.0.1', httpPort, apiKey: 'secret' })
    this.#ring = bcoin.KeyRing.generate('regtest')
  }

  async open(): Promise<void> {
    await this.node.open()
    this.node.miner.addAddress(this.#ring.getAddress())
    await this.mine(MATURITY)
  }

  async mine(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const block = await this.node.miner.mineBlock()
      await this.node.chain.add(block)
      this.#coinbases.push(block.txs[0])
    }
  }

  /** Blocks on top of an older one, until they are the longer chain. */
  async forkAt(height: number): Promise<void> {
    const { chain, miner } = this.node
    for (let tip = await chain.getEntry(height), left = chain.tip.height - height + 1; left > 0; left--) {
      tip = await chain.add(await miner.mineBlock(tip))
    }
  }

  /**
   * Does with a script that `register` printed what a wallet would: an output, funds, change, signature. The printed transaction
   * without inputs is Bitcoin Core's to fund: bcoin reads its first bytes as the mark of a witness.
   */
  async send(script: string): Promise<void> {
    const height = this.#sentCount + 1
    const coin = this.#bcoin.Coin.fromTX(this.#coinbases[this.#sentCount++], 0, height)
    const transaction = new this.#bcoin.MTX()
    transaction.addCoin(coin)
    transaction.addOutput({ script: this.#bcoin.Script.fromRaw(script, 'hex'), value: 0 })
    transaction.addOutput({ address: this.#ring.getAddress(), value: coin.value - 10_000 })
    transaction.sign(this.#ring)
    await this.node.mempool.addTX(transaction.toTX())
  }
  #sentCount = 0
}

/** Loads it without its database on disk, which would have to be compiled and which a chain in memory does not open. */
function loadBcoin(folder: string): Bcoin {
  const load = createRequire(join(resolve(folder), 'package.json'))
  const path = load.resolve('leveldown')
  // Its hashes and curves in JavaScript, for the same reason.
  process.env.NODE_BACKEND = 'js'
  load.cache[path] = Object.assign(Object.create(null), { id: path, filename: path, loaded: true, exports: class {} })
  return load('bcoin')
}

async function main(): Promise<void> {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) throw new Error('walk: expected the folder in which bcoin was installed')
  const bcoin = loadBcoin(folder)
  const port = await freePort()
  const chain = new RegtestChain(bcoin, port)
  const data = await mkdtemp(join(tmpdir(), 'gt-chain-'))
  try {
    await chain.open()
    const rpc = `http://x:secret@127.0.0.1:${port}`
    const [{ id }] = JSON.parse(await ours(data, 'keygen', '--json'))
    const reservation = JSON.parse(await ours(data, 'register', 'alice', '--reserve', '--json'))
    const claim = JSON.parse(await ours(data, 'register', 'alice', '--token', reservation.token, '--json'))
    await chain.send(reservation.script)
    await chain.mine(1)
    await chain.send(claim.script)
    await chain.mine(1)
    const before = await ours(data, 'scan', '--rpc', rpc, '--json')
    check('the node took what register printed, and the scanner found it', before.includes('"registrations":2'), before)
    const early = JSON.parse(await ours(data, 'resolve', 'alice', '--json'))
    check('a claim of one confirmation is not believed', early.key === null, early)
    await chain.mine(5)
    await ours(data, 'scan', '--rpc', rpc)
    const settled = JSON.parse(await ours(data, 'resolve', 'alice', '--json'))
    check('after six confirmations the name is ours', settled.key === id, settled)
    process.stdout.write(`  (${settled.steps.at(-1).explanation})\n`)
    const tip = chain.node.chain.tip.height
    await chain.forkAt(MATURITY + 1)
    check('the node went over to a longer chain without the claim', chain.node.chain.tip.height === tip + 1)
    const after = await ours(data, 'scan', '--rpc', rpc, '--json')
    check('the scanner follows: the reservation stands, the claim is gone', after.includes('"registrations":1'), after)
    const gone = JSON.parse(await ours(data, 'resolve', 'alice', '--json'))
    check("and the name is nobody's", gone.key === null, gone)
    await chain.send(claim.script)
    await chain.mine(6)
    await ours(data, 'scan', '--rpc', rpc)
    const again = JSON.parse(await ours(data, 'resolve', 'alice', '--json'))
    check('claimed again, it is ours again', again.key === id, again)
  } finally {
    await chain.node.close()
    await rm(data, { recursive: true, force: true })
  }
  if (failedCount > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`fatal: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
}
process.exit()
