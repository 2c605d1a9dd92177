/**
 * `gittorrent chain`: the chain of one ref, built if need be. The same for the same tip on every machine.
 */

import { buildChains, type Chain } from '../build/chains.ts'
import { resolveTip } from '../build/history.ts'
import { openRepository } from '../git/repository.ts'
import { humanBytes } from '../progress.ts'
import { type Command, onlyPositional, parseCommand, progressOf, textOption } from './command-line.ts'

const USAGE = 'chain <repository> [--ref <ref>] [--json]'

export const chainCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, { ref: { type: 'string' }, json: { type: 'boolean' } })
    const repository = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const tip = await resolveTip(repository, textOption(parsed, 'ref') ?? 'HEAD')
    const progress = progressOf(context)
    const chains = await buildChains(repository, [tip], {
      onProgress: (done, total) =>
        progress.update('Building segments', `${Math.floor((done * 100) / total)}% (${done}/${total} commits)`),
    })
    try {
      const [chain] = chains.chains
      const links = chain === undefined ? [] : describeLinks(chain)
      const bytes = links.reduce((sum, link) => sum + link.bytes, 0)
      if (parsed.values.json === true) {
        const result = { format: 'gt1', objectFormat: repository.objectFormat, tip: tip.oid, links, bytes }
        context.printResult(`${JSON.stringify(result, null, 2)}\n`)
        return 0
      }
      for (const link of links) {
        context.printResult(
          `${link.infohash} ${link.tip} ${link.base ?? 'root'} ${link.commits} commits ${humanBytes(link.bytes)}\n`,
        )
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
