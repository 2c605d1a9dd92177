/**
 * One IPFS node (helia, pure JavaScript) on loopback: puts a file in and serves it, or gets one from a given address. No
 * bootstrap nodes, no gateways, no DHT.
 *   node ipfs-node.js <folder with helia> seed <file>       prints its address and the CID, serves until it is ended
 *   node ipfs-node.js <folder with helia> leech <file> <address> <CID>
 */

import { createReadStream, createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'

const [folder = '', role = '', file = '', address = '', cidText = ''] = process.argv.slice(2)

// Packages of helia 5 take it for granted; Node has it from 22 on.
if (!('withResolvers' in Promise)) {
  Object.assign(Promise, {
    withResolvers: () => {
      const made: { promise?: Promise<unknown>; resolve?: unknown; reject?: unknown } = {}
      made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
      return made
    },
  })
}

/** A package below `folder`, or below the package `from` there. */
async function load(name: string): Promise<ReturnType<typeof JSON.parse>> {
  const home = join(folder, 'node_modules', name)
  const { exports, main } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'))
  const entry = exports?.['.']?.import ?? exports?.['.']?.default ?? main
  return import(pathToFileURL(createRequire(join(home, 'package.json')).resolve(join(home, entry))).href)
}

// Not `helia` itself: it loads a native WebRTC module that npm cannot always build.
const { Helia } = await load('@helia/utils')
const { MemoryBlockstore } = await load('blockstore-core')
const { MemoryDatastore } = await load('datastore-core')
const { unixfs } = await load('@helia/unixfs')
const { bitswap } = await load('@helia/block-brokers')
const { createLibp2p } = await load('libp2p')
const { tcp } = await load('@libp2p/tcp')
const { noise } = await load('@chainsafe/libp2p-noise')
const { yamux } = await load('@chainsafe/libp2p-yamux')
const { identify } = await load('@libp2p/identify')
const { multiaddr } = await load('@multiformats/multiaddr')
const { CID } = await load('multiformats')

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
})
const stores = { blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore() }
const helia = new Helia({ libp2p, ...stores, blockBrokers: [bitswap()], routers: [] })
await helia.start()
const files = unixfs(helia)
if (role === 'seed') {
  const cid = await files.addByteStream(createReadStream(file))
  console.log(`${libp2p.getMultiaddrs()[0]} ${cid}`)
} else {
  await libp2p.dial(multiaddr(address))
  await pipeline(Readable.from(files.cat(CID.parse(cidText))), createWriteStream(file))
  process.exit(0)
}
