/**
 * Question: do BitTorrent clients that share no code with ours take a link from our seeder, and give it to our client?
 * For aria2 and libtorrent (its Python binding): (1) it downloads a link from `gittorrent seed`, knowing only the exported
 * .torrent file and a tracker; (2) our client downloads it from there; (3) it downloads the same link with no peer, from the
 * web seed in the .torrent file. SHA-256 of the payload is the judge. Everything stays on loopback, which is why Transmission
 * is not here: it refuses peers on 127.0.0.0/8.
 *
 *   npm run bench:clients [-- --install]      --install gets missing clients from Debian's archive (as root)
 */

import { openExchangeWorld } from './client-exchange.ts'
import { install, isThere, TORRENT_CLIENTS } from './torrent-clients.ts'

// Transmission refuses peers on 127.0.0.0/8.
const CLIENTS = TORRENT_CLIENTS.filter(({ name }) => name !== 'Transmission')

const COMMIT_COUNT = 3000
const PORT_FIRST = 41_000

async function main(): Promise<number> {
  const presence = await Promise.all(CLIENTS.map(isThere))
  const missing = CLIENTS.filter((_, index) => presence[index] !== true)
  const packages = missing.map(({ packageName }) => packageName)
  if (missing.length > 0 && process.argv.includes('--install')) await install(packages)
  let isGood = true
  const say = (client: string, what: string, isRight: boolean): void => {
    isGood &&= isRight
    console.log(`${isRight ? 'ok    ' : 'not ok'}  ${client}: ${what}`)
  }
  const world = await openExchangeWorld(COMMIT_COUNT)
  try {
    console.log(`# ${world.link.file}, ${world.link.bytes} bytes`)
    let port = PORT_FIRST + (process.pid % 10_000)
    for (const client of CLIENTS) {
      if (await isThere(client)) {
        for await (const { what, isRight } of world.exchange(client, port)) say(client.name, what, isRight)
        port += 2
      } else say(client.name, `missing, try --install (package ${client.packageName})`, false)
    }
  } finally {
    await world.close()
  }
  return isGood ? 0 : 1
}

process.exitCode = await main()
