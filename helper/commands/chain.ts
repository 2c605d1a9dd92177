/**
 * `gittorrent chain`: the chain of one ref, built if need be. The same for the same tip on every machine.
 */

import { buildChains, type Chain } from '../build/chains.ts'
import { resolveTip } from '../build/history.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { openRepository } from '../git/repository.ts'
import { humanBytes } from '../progress.ts'
import {
  buildOptionsOf,
  type Command,
  onlyPositional,
  PROGRESS_OPTIONS,
  parseCommand,
  textOption,
} from './command-line.ts'

const USAGE = 'chain <repository> [--ref <ref>] [--snapshot] [--json] [--progress | -q]'

const OPTIONS = {
  ...PROGRESS_OPTIONS,
  ref: { type: 'string' },
  snapshot: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const chainCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, OPTIONS)
    const repository = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const tip = await resolveTip(repository, textOption(parsed, 'ref') ?? 'HEAD')
    const chains = await buildChains(repository, [tip], {
      ...buildOptionsOf(context, parsed),
      snapshot: parsed.values.snapshot === true,
    })
    try {
      const [chain] = chains.chains
      const snapshots = chains.snapshots.map(describeSnapshot)
      const links = chain === undefined ? [] : describeLinks(chain)
      const bytes = links.reduce((sum, link) => sum + link.bytes, 0)
      if (parsed.values.json === true) {
        const { objectFormat } = repository
        const result = { format: 'gt1', objectFormat, tip: tip.oid, links, bytes, snapshots }
        context.printResult(`${JSON.stringify(result, null, 2)}\n`)
        return 0
      }
      for (const link of links) {
        context.printResult(
          `${link.infohash} ${link.tip} ${link.base ?? 'root'} ${link.commits} commits ${humanBytes(link.bytes)}\n`,
        )
      }
      for (const { infohash, commit, bytes: length } of snapshots) {
        context.printResult(`${infohash} ${commit} snapshot ${humanBytes(length)}\n`)
      }
      context.printText(
        links.length === 0
          ? `gittorrent: ${tip.ref} has no checkpoint yet: everything travels live\n`
          : `gittorrent: ${links.length} links, ${humanBytes(bytes)}\n`,
      )
      return 0
    } finally {
      await chains.close()
    }
  },
}

function describeSnapshot({ commit, objectCount, lengthBytes, infohash, sha256 }: SnapshotFile) {
  const name = Buffer.from(infohash).toString('hex')
  return { commit, objects: objectCount, bytes: lengthBytes, infohash: name, sha256 }
}

/** The links as `--json` shows them, newest first; bytes are those of the payloads. */
export function describeLinks({ links }: Chain) {
  return links.map((link) => ({
    tip: link.plan.tip,
    base: link.plan.base,
    level: link.plan.level,
    segments: link.segments.length,
    commits: link.commitCount,
    objects: link.objectCount,
    bytes: link.lengthBytes,
    infohash: Buffer.from(link.infohash).toString('hex'),
    sha256: link.sha256,
  }))
}
