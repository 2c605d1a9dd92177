/**
 * BitTorrent clients that share no code with ours, as benchmarks run them: one torrent, no DHT, no local discovery, no port
 * mapping, and a tracker that sends everybody to one address. Packages are Debian's.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { bencodeDict, encodeBencode } from '../net/index.ts'

export interface ClientOrder {
  readonly torrent: string
  /** Where the payload is or goes. */
  readonly folder: string
  /** Address of its own. */
  readonly host: string
  readonly port: number
}

export interface TorrentClient {
  readonly name: string
  readonly packageName: string
  /** Fails unless the client is there. */
  readonly probe: readonly string[]
  /** Words that download a torrent, and seed it until they are ended. */
  seed(order: ClientOrder): Promise<readonly string[]>
  /** A line of shell that ends when all is there. */
  leech(order: ClientOrder): Promise<string>
}

const LIBTORRENT_SCRIPT = `
import libtorrent as lt, sys, time
torrent, folder, host, port, role = sys.argv[1:]
session = lt.session({"listen_interfaces": host + ":" + port, "enable_dht": False, "enable_lsd": False,
  "enable_upnp": False, "enable_natpmp": False, "ssrf_mitigation": False, "allow_multiple_connections_per_ip": True})
handle = session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
while role == "seed" or not handle.status().is_seeding: time.sleep(0.02)
`

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ')

function aria2Words({ torrent, folder, host, port }: ClientOrder): string[] {
  return [
    ...['aria2c', '--no-conf', '--quiet', '--check-integrity=true', '--enable-dht=false', '--enable-dht6=false'],
    ...['--enable-peer-exchange=false', '--bt-enable-lpd=false', '--file-allocation=none', '--disable-ipv6'],
    ...['--bt-tracker-interval=1', `--listen-port=${port}`, `--dir=${folder}`],
    ...[...(host === '127.0.0.1' ? [] : [`--interface=${host}`]), torrent],
  ]
}

function libtorrentWords({ torrent, folder, host, port }: ClientOrder, role: 'seed' | 'leech'): string[] {
  return ['/usr/bin/python3', '-c', LIBTORRENT_SCRIPT, torrent, folder, host, String(port), role]
}

/** Transmission reads its settings from a folder. */
async function transmissionWords({ torrent, folder, host, port }: ClientOrder): Promise<string[]> {
  const settings = `${folder}-transmission`
  await mkdir(settings, { recursive: true })
  const quiet = { 'dht-enabled': false, 'lpd-enabled': false, 'pex-enabled': false, 'port-forwarding-enabled': false }
  const text = JSON.stringify({ ...quiet, 'bind-address-ipv4': host, 'utp-enabled': false, preallocation: 0 })
  await writeFile(`${settings}/settings.json`, text)
  return ['transmission-cli', '--config-dir', settings, '--download-dir', folder, '--port', String(port), torrent]
}

export const TORRENT_CLIENTS: readonly TorrentClient[] = [
  {
    name: 'aria2',
    packageName: 'aria2',
    probe: ['aria2c', '--version'],
    seed: async (order) => [...aria2Words(order), '--seed-ratio=0'],
    leech: async (order) => quoted([...aria2Words(order), '--seed-time=0']),
  },
  {
    name: 'libtorrent',
    packageName: 'python3-libtorrent',
    probe: ['/usr/bin/python3', '-c', 'import libtorrent'],
    seed: async (order) => libtorrentWords(order, 'seed'),
    leech: async (order) => quoted(libtorrentWords(order, 'leech')),
  },
  {
    name: 'Transmission',
    packageName: 'transmission-cli',
    probe: ['sh', '-c', 'command -v transmission-cli'],
    seed: transmissionWords,
    leech: async (order) => {
      // It seeds on for ever; a script that it calls tells that it is done.
      const pipe = `${order.folder}-done`
      await writeFile(`${pipe}.sh`, `#!/bin/sh\necho done > '${pipe}'\n`, { mode: 0o755 })
      const words = quoted([...(await transmissionWords(order)), '--finish', `${pipe}.sh`])
      return `rm -f '${pipe}'; mkfifo '${pipe}'; ${words} >/dev/null 2>&1 & read done < '${pipe}'; kill -9 $!; wait $! 2>/dev/null || true`
    },
  },
]

/** A tracker that sends everybody to whoever is set, and remembers nobody. */
export async function startSignpost() {
  let target: { readonly host: string; readonly port: number } | null = null
  const seeds = new EventEmitter()
  const server = createServer((request, response) => {
    const [a, b, c, d] = (target?.host ?? '').split('.').map(Number)
    const { port = 0 } = target ?? {}
    const peers = target === null ? [] : [a, b, c, d, port >> 8, port & 255].map((byte) => byte ?? 0)
    response.end(encodeBencode(bencodeDict({ interval: 5n, 'min interval': 1n, peers: Uint8Array.from(peers) })))
    const asked = new URL(request.url ?? '/', 'http://loopback/').searchParams
    if (asked.get('left') === '0') seeds.emit('seed', Number(asked.get('port')))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/announce`,
    pointAt: (next: typeof target): void => {
      target = next
    },
    /** Resolves when a client on this port says that it has everything. */
    hasSeed: (port: number): Promise<void> =>
      new Promise((resolve) => {
        const look = (announced: number): void => {
          if (announced !== port) return
          seeds.off('seed', look)
          resolve()
        }
        seeds.on('seed', look)
      }),
    close: () => server.close(),
  }
}

/** Starts a program with a home in the scratch folder: no settings of the user, and none left to him. */
export function startClient([program = '', ...args]: readonly string[], folder: string): ChildProcess {
  return spawn(program, args, { stdio: 'ignore', env: { PATH: process.env.PATH, HOME: `${folder}-settings` } })
}

export async function endClient(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

export async function isThere({
  probe: [program = '', ...args],
}: {
  readonly probe: readonly string[]
}): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  )
}

/** Installs packages of Debian's archive, as root. */
export async function install(packages: readonly string[]): Promise<void> {
  const args = ['install', '--yes', '--no-install-recommends', ...packages]
  await promisify(execFile)('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
}
