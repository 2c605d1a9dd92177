/**
 * The DHT of the walk, as a process in a namespace that has an address for every node: `walk-nodes <first address> <count>
 * <milliseconds for which items live>`. Prints `ready <host:port of the first>`. A line `<target> <salt>` (hex) on stdin is
 * answered by the newest seq that the nodes find under it, or by `none`; nodes of other machines are asked, too.
 */
import { execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type Dht, formatAddress, openDht } from '../net/index.ts'

const PORT = 6881

const [first = '', count = '32', itemAgeMs = '20000'] = process.argv.slice(2)
const prefix = first.slice(0, first.lastIndexOf('.') + 1)
const nodes: Dht[] = []

for (let n = 0; n < Number(count); n++) {
  const host = `${prefix}${Number(first.slice(prefix.length)) + n}`
  execFileSync('ip', ['addr', 'add', `${host}/16`, 'dev', 'line'])
  const bootstrap = nodes.slice(0, 1).map(({ address }) => address)
  const node = await openDht({ listen: { host, port: PORT }, bootstrap, itemAgeMsMax: Number(itemAgeMs) })
  nodes.push(node)
  await node.lookup(Buffer.alloc(20, n + 1), () => {}, new AbortController().signal)
}

const [entry] = nodes
const asker = nodes.at(-1)
if (entry === undefined || asker === undefined) throw new Error('expected at least one node')
process.stdout.write(`ready ${formatAddress(entry.address)}\n`)

createInterface({ input: process.stdin }).on('line', (line) => {
  const [target = '', salt = ''] = line.split(' ')
  asker.getItems(Buffer.from(target, 'hex'), Buffer.from(salt, 'hex')).then(
    (items) => process.stdout.write(`found ${items[0]?.seq ?? 'none'}\n`),
    (error: unknown) => process.stdout.write(`found none ${String(error)}\n`),
  )
})
