/**
 * One machine of the flash crowd: a net that seeds or downloads one torrent. Started by flash.ts inside a namespace; takes
 * its orders as lines of JSON on stdin and reports on stdout. Peers are found as in real life: on a topic, from the seed on.
 */

import { createHash, randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { type Net, openNet, type Store, type Torrent } from '../net/index.ts'
import { FLASH_PORT } from './flash-network.ts'

/** What flash.ts sends first. */
export interface FlashOrder {
  readonly host: string
  /** Address of the seed, null for the seed itself. */
  readonly seed: string | null
  /** Where the content is, or goes. */
  readonly file: string
  readonly infohash: string
  readonly info: string
  readonly lengthBytes: number
  readonly pieceLengthBytes: number
  readonly sha256: string
}

/** What is reported once the download is complete (by the seed: when it is told to stop). */
export interface FlashReport {
  /** Bytes of blocks that were read from the store to be sent. */
  readonly servedLength: number
  readonly cpuSeconds: number
  readonly peakMiB: number
}

const PLAIN_PORT = FLASH_PORT + 1
const TOPIC = createHash('sha1').update('flash crowd').digest()
const NO_ANSWERS = { onRequest: () => Promise.reject(new Error('nobody asks here')) }

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

interface CountingStore extends Store {
  servedLength(): number
}

async function openStore(path: string): Promise<CountingStore> {
  const file = await open(path, 'a+').then(async (created) => {
    await created.close()
    return open(path, 'r+')
  })
  let served = 0
  return {
    servedLength: () => served,
    read: async (offset, length) => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset)
      served += bytesRead
      return buffer.subarray(0, bytesRead)
    },
    write: async (offset, bytes) => {
      await file.write(bytes, 0, bytes.length, offset)
    },
  }
}

function report(store: CountingStore): FlashReport & { readonly type: 'done' } {
  const { user, system } = process.cpuUsage()
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024)
  return { type: 'done', servedLength: store.servedLength(), cpuSeconds: (user + system) / 1e6, peakMiB }
}

async function download(net: Net, order: FlashOrder, torrent: Torrent, store: CountingStore): Promise<void> {
  const topic = net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  let received = 0
  let isHalf = false
  const task = net.download(torrent, {
    peers: [{ host: order.seed ?? '', port: FLASH_PORT }],
    store,
    stallTimeoutMs: 60_000,
    keepSeeding: true,
    onPiece: ({ length }) => {
      received += length
      if (isHalf || received < order.lengthBytes / 2) return
      isHalf = true
      say({ type: 'half' })
    },
  })
  topic.onPeer(({ address }) => {
    if (address !== null) task.addPeer(address)
  })
  await task.result
  const done = report(store)
  say(done)
  const hash = createHash('sha256')
    .update(await store.read(0, order.lengthBytes))
    .digest('hex')
  if (hash !== order.sha256) throw new Error('the content is not what it should be')
}

/** Sends everyone who connects so many bytes, with nothing but TCP. */
async function sendPlainly(host: string, lengthBytes: number): Promise<void> {
  const content = randomBytes(lengthBytes)
  const server = createServer((socket) => socket.on('error', () => {}).end(content))
  await new Promise<void>((resolve) => server.listen(PLAIN_PORT, host, resolve))
  say({ type: 'plain' })
}

async function takePlainly(host: string): Promise<void> {
  for await (const _ of connect(PLAIN_PORT, host)) {
    // Only its arrival counts.
  }
  say({ type: 'plain' })
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  const order: FlashOrder = JSON.parse((await lines.next()).value)
  const torrent: Torrent = {
    infohash: Buffer.from(order.infohash, 'hex'),
    info: Buffer.from(order.info, 'base64'),
    lengthBytes: order.lengthBytes,
    pieceLengthBytes: order.pieceLengthBytes,
  }
  const net = await openNet({
    listen: { host: order.host, port: FLASH_PORT },
    peers: order.seed === null ? [] : [{ host: order.seed, port: FLASH_PORT }],
    trackers: [],
    dht: false,
    dhtBootstrap: [],
    lsd: false,
  })
  const store = await openStore(order.file)
  if (order.seed === null) {
    net.seed(torrent, store)
    net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  }
  say({ type: 'ready' })
  await lines.next()
  if (order.seed !== null) await download(net, order, torrent, store)
  // Serves on until it is told to stop.
  for (let next = await lines.next(); JSON.parse(next.value).type === 'plain'; next = await lines.next()) {
    if (order.seed === null) await sendPlainly(order.host, JSON.parse(next.value).lengthBytes)
    else await takePlainly(order.seed)
  }
  if (order.seed === null) say(report(store))
  await net.close()
  process.exit(0)
}

await main()
