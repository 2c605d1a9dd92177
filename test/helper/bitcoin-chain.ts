/**
 * A Bitcoin node as its clients see it: a chain that the test writes, block by block in the real serialisation (with witnesses),
 * behind JSON-RPC over HTTP on loopback. No proof of work: clients of a node do not check it.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestContext } from 'node:test'

const sha = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest()
const little = (value: number, length: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes.subarray(0, length)
}
const shown = (hash: Uint8Array): string => Buffer.from(hash).reverse().toString('hex')

/** A script that carries text behind OP_RETURN. */
function carrying(text: string): Buffer {
  const data = Buffer.from(text)
  return Buffer.concat([Buffer.from(data.length < 76 ? [0x6a, data.length] : [0x6a, 0x4c, data.length]), data])
}

/** One transaction with an input, a payment, and an output per text; every second one has a witness. */
function transaction(salt: number, texts: readonly string[]): { id: Buffer; bytes: Buffer } {
  const input = Buffer.concat([sha(little(salt, 8)), little(0, 4), Buffer.from([1, 0x51]), little(0xffffffff, 4)])
  const scripts = [Buffer.from('76a914000000000000000000000000000000000000000088ac', 'hex'), ...texts.map(carrying)]
  const outputs = scripts.map((script) => Buffer.concat([little(0, 8), Buffer.from([script.length]), script]))
  const body = Buffer.concat([Buffer.from([1]), input, Buffer.from([outputs.length]), ...outputs])
  const [version, lockTime] = [little(2, 4), little(0, 4)]
  const id = sha(Buffer.concat([version, body, lockTime]))
  if (salt % 2 === 0) return { id, bytes: Buffer.concat([version, body, lockTime]) }
  const witness = Buffer.from([2, 1, 0xaa, 2, 0xbb, 0xcc])
  return { id, bytes: Buffer.concat([version, Buffer.from([0, 1]), body, witness, lockTime]) }
}

export class FakeNode {
  readonly #blocks: { hash: string; bytes: Buffer }[] = []
  /** Methods called so far. */
  readonly calls: string[] = []
  url = ''
  #salt: number

  constructor(salt = 0) {
    this.#salt = salt
    this.mine()
  }

  static async open(t: TestContext): Promise<FakeNode> {
    const node = new FakeNode()
    const server = createServer((request, response) => {
      const parts: Uint8Array[] = []
      request.on('data', (bytes: Uint8Array) => parts.push(bytes))
      request.on('end', () => {
        const isKnown = request.headers.authorization === `Basic ${Buffer.from('user:secret').toString('base64')}`
        const { method, params } = JSON.parse(Buffer.concat(parts).toString())
        node.calls.push(method)
        response.statusCode = isKnown ? 200 : 401
        response.end(isKnown ? JSON.stringify({ ...node.#answer(method, params), id: 'gittorrent' }) : '')
      })
    }).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const address = server.address()
    node.url = `http://user:secret@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
    return node
  }

  get height(): number {
    return this.#blocks.length - 1
  }

  block(height: number): Buffer {
    return this.#blocks[height]?.bytes ?? Buffer.alloc(0)
  }

  /** Adds a block; each list of texts is a transaction. Returns its height. */
  mine(...transactions: readonly (readonly string[])[]): number {
    const made = [[], ...transactions].map((texts) => transaction(this.#salt++, texts))
    let level = made.map(({ id }) => id)
    while (level.length > 1)
      level = level.flatMap((id, n) => (n % 2 === 0 ? [sha(Buffer.concat([id, level[n + 1] ?? id]))] : []))
    const previous = Buffer.from(this.#blocks.at(-1)?.hash ?? '0'.repeat(64), 'hex').reverse()
    const time = little(1_432_000_000 + 600 * this.#blocks.length, 4)
    const header = Buffer.concat([
      little(4, 4),
      previous,
      level[0] ?? Buffer.alloc(32),
      time,
      little(0x207fffff, 4),
      little(0, 4),
    ])
    const bytes = Buffer.concat([header, Buffer.from([made.length]), ...made.map((one) => one.bytes)])
    this.#blocks.push({ hash: shown(sha(header)), bytes })
    return this.height
  }

  mineEmpty(count: number): void {
    for (let n = 0; n < count; n++) this.mine()
  }

  /** Forgets the blocks above a height, as a reorganisation does before it brings others. */
  forget(height: number): void {
    this.#blocks.length = height + 1
  }

  #answer(method: string, [first]: readonly (string | number)[]): { result: unknown; error: unknown } {
    if (method === 'getblockcount') return { result: this.height, error: null }
    const found =
      method === 'getblockhash' ? this.#blocks[Number(first)] : this.#blocks.find(({ hash }) => hash === first)
    if (found === undefined) return { result: null, error: { code: -8, message: 'Block height out of range' } }
    return { result: method === 'getblockhash' ? found.hash : found.bytes.toString('hex'), error: null }
  }
}
