/**
 * Ways that move files and know nothing of git: the bare repository by rsync and by Syncthing, a bundle of all refs by zsync and casync.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DemoWorld } from '../demo-world.ts'
import { startStaticServer } from '../static-server.ts'
import { endClient, isThere } from '../torrent-clients.ts'
import {
  accepts,
  BUNDLE,
  CLONE_BUNDLE,
  freePort,
  lacking,
  makeBundle,
  nothing,
  type Program,
  type Rival,
} from './rival.ts'

const RSYNC: Program = { name: 'rsync', packageName: 'rsync', probe: ['rsync', '--version'] }
const ZSYNC: Program = { name: 'zsync', packageName: 'zsync', probe: ['zsync', '-V'] }
const CASYNC: Program = { name: 'casync', packageName: 'casync', probe: ['casync', '--version'] }
const SYNCTHING: Program = { name: 'Syncthing', packageName: 'syncthing', probe: ['syncthing', '--version'] }
export const FILE_PROGRAMS: readonly Program[] = [RSYNC, ZSYNC, CASYNC, SYNCTHING]

export function rsync(world: DemoWorld): Rival {
  let child: ChildProcess | null = null
  let port = 0
  return {
    way: 'rsync of the bare repository',
    missing: async () => ((await isThere(RSYNC)) ? null : lacking(RSYNC)),
    prepare: async () => {
      port = await freePort()
      const file = join(world.folder, 'rsyncd.conf')
      const text = `port = ${port}\naddress = 127.0.0.1\nuse chroot = no\n[all]\npath = ${join(world.folder, 'origin.git')}\nexclude = /gittorrent\n`
      await writeFile(file, text)
      child = spawn('rsync', ['--daemon', '--no-detach', `--config=${file}`], { stdio: 'ignore' })
      await accepts(port)
    },
    before: async () => `rsync --archive --quiet rsync://127.0.0.1:${port}/all/ target.git/`,
    after: nothing,
    close: async () => {
      if (child !== null) await endClient(child)
    },
  }
}

/** A bundle and what describes it, beside each other behind a plain web server. */
function overHttp(
  world: DemoWorld,
  program: Program,
  describe: (folder: string) => Promise<unknown>,
  fetch: (url: string) => string,
): Rival {
  const name = `${program.name}-files`
  let server: Awaited<ReturnType<typeof startStaticServer>> | null = null
  return {
    way: `${program.name} on a bundle, then git clone`,
    missing: async () => ((await isThere(program)) ? null : lacking(program)),
    prepare: async () => {
      await makeBundle(world)
      const folder = join(world.folder, name)
      await mkdir(folder)
      await describe(folder)
      server = await startStaticServer(world.folder)
    },
    before: async () => `${fetch(`${server?.url}/${name}`)} && ${CLONE_BUNDLE}`,
    after: nothing,
    close: async () => server?.close(),
  }
}

export function zsync(world: DemoWorld): Rival {
  const bundle = join(world.folder, BUNDLE)
  return overHttp(
    world,
    ZSYNC,
    (folder) => world.run('zsyncmake', ['-u', `../${BUNDLE}`, '-o', join(folder, 'all.zsync'), bundle]),
    (url) => `zsync -q -o got/${BUNDLE} ${url}/all.zsync 2>/dev/null`,
  )
}

export function casync(world: DemoWorld): Rival {
  const bundle = join(world.folder, BUNDLE)
  return overHttp(
    world,
    CASYNC,
    (folder) => world.run('casync', ['make', `--store=${folder}/all.castr`, join(folder, 'all.caibx'), bundle]),
    (url) => `casync extract --store=${url}/all.castr ${url}/all.caibx got/${BUNDLE}`,
  )
}

/** Two instances that know only each other's address. */
export function syncthing(world: DemoWorld): Rival {
  const homes = { seed: join(world.folder, 'syncthing-seed'), leech: join(world.folder, 'syncthing-leech') }
  const ids = { seed: '', leech: '' }
  const shared = 'syncthing-shared.git'
  let port = 0
  let fileCount = 0
  let child: ChildProcess | null = null
  const words = (home: string): string[] => ['serve', '--no-browser', '--no-restart', '--no-upgrade', `--home=${home}`]
  const configure = (role: 'seed' | 'leech', folder: string, listen: string): Promise<void> => {
    const other = role === 'seed' ? 'leech' : 'seed'
    const address = role === 'seed' ? 'dynamic' : `tcp://127.0.0.1:${port}`
    return writeFile(join(homes[role], 'config.xml'), configuration({ ids, role, other, folder, listen, address }))
  }
  return {
    way: 'Syncthing of the bare repository',
    missing: async () => ((await isThere(SYNCTHING)) ? null : lacking(SYNCTHING)),
    prepare: async () => {
      await world.run('sh', ['-c', `cp -al origin.git ${shared} && rm -rf ${shared}/gittorrent`])
      fileCount = Number((await world.run('sh', ['-c', `find ${shared} -type f | wc -l`])).stdout)
      port = await freePort()
      for (const role of ['seed', 'leech'] as const) {
        await world.run('syncthing', ['generate', '--no-default-folder', `--home=${homes[role]}`])
        ids[role] = (await world.run('syncthing', ['--device-id', `--home=${homes[role]}`])).stdout.trim()
      }
      await configure('seed', join(world.folder, shared), `tcp://127.0.0.1:${port}`)
      child = spawn('syncthing', words(homes.seed), { env: world.environment, stdio: 'ignore' })
      await accepts(port)
    },
    before: async () => {
      const target = join(world.folder, 'target.git')
      await configure('leech', target, `tcp://127.0.0.1:${await freePort()}`)
      const home = join(world.folder, 'got', 'home')
      await cp(homes.leech, home, { recursive: true })
      await mkdir(join(target, '.stfolder'), { recursive: true })
      // Files get their names when they are whole.
      const count = `find target.git -type f ! -name '*syncthing*' | wc -l`
      const isAll = `[ "$(${count})" -ge ${fileCount} ]`
      return `syncthing ${words(home).join(' ')} >/dev/null 2>&1 & until ${isAll}; do sleep 0.05; done; kill $!; wait $! || true`
    },
    after: async () => {},
    close: async () => {
      if (child !== null) await endClient(child)
    },
  }
}

interface SyncthingPlace {
  readonly ids: Readonly<Record<'seed' | 'leech', string>>
  readonly role: 'seed' | 'leech'
  readonly other: 'seed' | 'leech'
  readonly folder: string
  readonly listen: string
  readonly address: string
}

function configuration({ ids, role, other, folder, listen, address }: SyncthingPlace): string {
  const off = ['globalAnnounce', 'localAnnounce', 'relays', 'nat', 'crashReporting'].map(
    (name) => `<${name}Enabled>false</${name}Enabled>`,
  )
  const folderType = role === 'seed' ? 'sendonly' : 'receiveonly'
  return `<configuration version="36">
<folder id="all" path="${folder}" type="${folderType}" rescanIntervalS="0" fsWatcherEnabled="false"><device id="${ids.seed}"/><device id="${ids.leech}"/></folder>
<device id="${ids[role]}"><address>dynamic</address></device>
<device id="${ids[other]}"><address>${address}</address></device>
<gui enabled="false"/>
<options><listenAddress>${listen}</listenAddress>${off.join('')}<urAccepted>-1</urAccepted><startBrowser>false</startBrowser><autoUpgradeIntervalH>0</autoUpgradeIntervalH><reconnectionIntervalS>1</reconnectionIntervalS></options>
</configuration>
`
}
