/**
 * The ways of git itself and of what speaks its protocol: a clone from `git daemon`, by our helper, with a bundle first, by Dulwich.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DemoWorld } from '../demo-world.ts'
import { startStaticServer } from '../static-server.ts'
import { isThere } from '../torrent-clients.ts'
import { BUNDLE, isReady, lacking, makeBundle, nothing, type Program, type Rival } from './rival.ts'

export const DULWICH: Program = {
  name: 'Dulwich',
  packageName: 'python3-dulwich',
  probe: ['/usr/bin/python3', '-c', 'import dulwich'],
}

export function gitClone(world: DemoWorld): Rival {
  const command = `git clone --quiet --mirror ${world.originUrl('origin.git')} target.git`
  return {
    way: 'git clone',
    missing: isReady,
    prepare: nothing,
    before: async () => command,
    after: nothing,
    close: nothing,
  }
}

export function gitTorrent(world: DemoWorld): Rival {
  let seeder: Awaited<ReturnType<DemoWorld['startSeeder']>> | null = null
  const url = `gittorrent::${world.originUrl('origin.git')}`
  return {
    way: 'GitTorrent, one seeder',
    missing: isReady,
    prepare: async () => {
      seeder = await world.startSeeder('origin.git')
    },
    before: async () => {
      const settings = `-c gittorrent.peer=${seeder?.address} -c gittorrent.dht=false -c gittorrent.lsd=false`
      return `git ${settings} clone --quiet --mirror ${url} target.git`
    },
    after: nothing,
    close: async () => seeder?.stop(),
  }
}

export function bundleUri(world: DemoWorld): Rival {
  let server: Awaited<ReturnType<typeof startStaticServer>> | null = null
  return {
    way: 'git clone --bundle-uri, one bundle',
    missing: isReady,
    prepare: async () => {
      await makeBundle(world)
      server = await startStaticServer(world.folder)
    },
    before: async () =>
      `git clone --quiet --mirror --bundle-uri=${server?.url}/${BUNDLE} ${world.originUrl('origin.git')} target.git && ` +
      // What git keeps of the bundle beside the refs that were asked for.
      `git -C target.git for-each-ref --format='delete %(refname)' refs/bundles | git -C target.git update-ref --stdin`,
    after: nothing,
    close: async () => server?.close(),
  }
}

const DULWICH_SCRIPT = `
import sys
from dulwich.client import get_transport_and_path
from dulwich.repo import Repo
client, path = get_transport_and_path(sys.argv[1])
repository = Repo.init_bare(sys.argv[2], mkdir=True)
for name, oid in client.fetch(path, repository).refs.items():
    if name.startswith((b"refs/heads/", b"refs/tags/")) and not name.endswith(b"^{}"):
        repository.refs[name] = oid
`

/** git's protocol and packs in Python: what git's own C is worth. */
export function dulwich(world: DemoWorld): Rival {
  const script = join(world.folder, 'clone-by-dulwich.py')
  return {
    way: 'Dulwich from the same daemon',
    missing: async () => ((await isThere(DULWICH)) ? null : lacking(DULWICH)),
    prepare: () => writeFile(script, DULWICH_SCRIPT),
    before: async () => `/usr/bin/python3 ${script} ${world.originUrl('origin.git')} target.git`,
    after: nothing,
    close: nothing,
  }
}
