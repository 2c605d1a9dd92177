/**
 * `gittorrent export`: the links of one ref as files that stock git and any BitTorrent client read: one bundle and one
 * .torrent per link, and manifest.json. Files that are there already with the right length are kept.
 */

import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { linkName } from '../../engine/index.ts'
import { decodeBencode, encodeBencode } from '../../net/index.ts'
import { buildChains } from '../build/chains.ts'
import { resolveTip } from '../build/history.ts'
import type { LinkFile } from '../build/link-file.ts'
import { HelperError } from '../errors.ts'
import { openRepository } from '../git/repository.ts'
import { READ_CHUNK_LENGTH } from '../limits.ts'
import { humanBytes } from '../progress.ts'
import { temporaryPath, writeFileAtomically } from '../store/atomic-file.ts'
import { describeLinks } from './chain.ts'
import {
  buildOptionsOf,
  type Command,
  onlyPositional,
  PROGRESS_OPTIONS,
  parseCommand,
  textOption,
} from './command-line.ts'

const USAGE = 'export <repository> --out <directory> [--ref <ref>] [--progress | -q]'

export const exportCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, { ...PROGRESS_OPTIONS, out: { type: 'string' }, ref: { type: 'string' } })
    const repository = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const out = textOption(parsed, 'out')
    if (out === null) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const tip = await resolveTip(repository, textOption(parsed, 'ref') ?? 'HEAD')
    const chains = await buildChains(repository, [tip], buildOptionsOf(context, parsed))
    try {
      const [chain] = chains.chains
      await mkdir(out, { recursive: true })
      for (const link of chain?.links ?? []) await exportLink(link, out)
      const links = (chain === undefined ? [] : describeLinks(chain)).map((link) => ({
        ...link,
        file: linkName(link.tip, link.base),
      }))
      const bytes = links.reduce((sum, link) => sum + link.bytes, 0)
      const manifest = { format: 'gt1', objectFormat: repository.objectFormat, tip: tip.oid, links, bytes }
      await writeFileAtomically(join(out, 'manifest.json'), [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)])
      context.printText(`gittorrent: ${links.length} bundles, ${humanBytes(bytes)}, in '${out}'\n`)
      return 0
    } finally {
      await chains.close()
    }
  },
}

async function exportLink(link: LinkFile, folder: string): Promise<void> {
  const name = linkName(link.plan.tip, link.plan.base)
  const torrent = encodeBencode(new Map([['info', decodeBencode(link.info)]]))
  await writeFileAtomically(join(folder, `${name}.torrent`), [torrent])
  const path = join(folder, name)
  if ((await stat(path).catch(() => null))?.size === link.lengthBytes) return
  const temporary = temporaryPath(folder)
  const file = await open(temporary, 'wx')
  const hash = createHash('sha256')
  try {
    for (let at = 0; at < link.lengthBytes; at += READ_CHUNK_LENGTH) {
      const bytes = await link.read(at, Math.min(READ_CHUNK_LENGTH, link.lengthBytes - at))
      hash.update(bytes)
      await file.writeFile(bytes)
    }
    await file.sync()
    if (hash.digest('hex') !== link.sha256)
      throw new HelperError('store-corrupt', `link ${name}: expected SHA-256 ${link.sha256}, got another`)
    await rename(temporary, path)
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
}
