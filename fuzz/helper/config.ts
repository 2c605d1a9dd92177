/**
 * Fuzz target of settings: the output of `git config --list -z`, and the settings put together from it. Only HelperError
 * may come out; numbers that are taken in are whole and positive.
 */

import { parseGitConfig, readSettings } from '../../helper/config.ts'
import { HelperError } from '../../helper/errors.ts'

export function fuzz(bytes: Uint8Array): void {
  const config = parseGitConfig(Buffer.from(bytes).toString('utf8'))
  try {
    const settings = readSettings(config, {})
    for (const { port } of [...settings.peers, ...(settings.dhtBootstrap ?? [])])
      if (!(port >= 1 && port <= 65535)) throw new Error('a port that is none')
    for (const rate of [settings.uploadLimit, settings.downloadLimit])
      if (rate !== null && !(Number.isSafeInteger(rate) && rate > 0)) throw new Error('a rate that is none')
    for (const url of [...settings.trackers, ...settings.webseeds]) new URL(url)
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const lists = [
    ['gittorrent.listen\n127.0.0.1:0', 'gittorrent.peer\n[::1]:7001', 'gittorrent.peer\nhost:1', 'gittorrent.dht\nno'],
    [
      'gittorrent.tracker\nudp://t.example:80',
      'gittorrent.webseed\nhttps://w.example/x',
      'gittorrent.uploadlimit\n10m',
    ],
    ['gittorrent.dhtbootstrap\nhost:6881', 'gittorrent.summary\nnever', 'gittorrent.lsd', 'gittorrent.peer\n'],
  ]
  return lists.map((list) => Buffer.from(list.map((entry) => `${entry}\0`).join('')))
}

export const dictionary = [
  '\0',
  '\n',
  'gittorrent.',
  'peer',
  'listen',
  'tracker',
  'uploadlimit',
  ':65536',
  ':0',
  'http://',
  '1g',
  'true',
]
