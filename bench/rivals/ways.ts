/**
 * The ways to a whole repository that bench:rivals compares, and those that could not be had: looked for in Debian's archive and on npm,
 * which is where everything else of this project comes from.
 */

import type { DemoWorld } from '../demo-world.ts'
import { isThere, TORRENT_CLIENTS } from '../torrent-clients.ts'
import { casync, FILE_PROGRAMS, rsync, syncthing, zsync } from './file-ways.ts'
import { bundleUri, DULWICH, dulwich, gitClone, gitTorrent } from './git-ways.ts'
import type { Rival } from './rival.ts'
import { type Hosts, ipfs, torrentOf } from './swarm-ways.ts'

interface Options {
  readonly hosts: Hosts
  /** Where helia is installed, or null. */
  readonly helia: string | null
}

/** Names of Debian's packages that are not there. */
export async function missingPackages(): Promise<string[]> {
  const wanted = [...FILE_PROGRAMS, DULWICH, ...TORRENT_CLIENTS]
  const presence = await Promise.all(wanted.map(isThere))
  return wanted.filter((_, index) => presence[index] !== true).map(({ packageName }) => packageName)
}

export function rivalsIn(world: DemoWorld, { hosts, helia }: Options): Rival[] {
  return [
    gitClone(world),
    gitTorrent(world),
    bundleUri(world),
    dulwich(world),
    rsync(world),
    syncthing(world),
    zsync(world),
    casync(world),
    ...TORRENT_CLIENTS.map((client) => torrentOf(world, client, hosts)),
    ipfs(world, helia),
  ]
}

/** Why others are not here. */
export const UNAVAILABLE: readonly { readonly way: string; readonly reason: string }[] = [
  {
    way: 'IPFS by kubo',
    reason:
      "not in Debian's archive; npm's package kubo has no program in it, only a script that downloads one from elsewhere",
  },
  { way: 'Radicle', reason: "neither in Debian's archive nor on npm" },
  { way: 'desync', reason: "neither in Debian's archive nor on npm; casync has the same format" },
  {
    way: 'git-annex',
    reason:
      "moves the contents of files beside git; its helper for git's own history is younger than Debian 12's version",
  },
  { way: 'uftp', reason: 'multicast: everybody has to receive at the same time' },
]
