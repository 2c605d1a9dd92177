/**
 * Valid is not canonical: a chain can be padded with objects that nothing needs, and the pack of a clone is kept from
 * repacking. So the objects of a kept pack are counted against those that its top reaches, once the clone has them. That
 * takes git a third as long as the clone itself, so it happens when git does its own housekeeping after a fetch: behind the
 * user's back, at low priority, or before git ends where he wants that (gc.autoDetach=false), or not at all
 * (maintenance.auto=false). Where the numbers differ the pack is kept no longer, so that `git gc` takes out what is too
 * much, its segments are forgotten, so that they are served to nobody, and who claimed the chain is banned.
 */

import { spawn } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Address, BAN_DURATION_MS, banName, formatAddress } from '../../../net/index.ts'
import { configValue, type GitConfig } from '../../config.ts'
import { messageOf } from '../../errors.ts'
import { runGit } from '../../git/repository.ts'
import { BUILD_NICENESS } from '../../limits.ts'
import { SegmentStore } from '../../store/segment-store.ts'
import type { Trace } from '../../trace.ts'
import { openNetMemory } from '../net-memory.ts'

/** Where the fan-out table of a pack index of version 2 ends, with the number of all objects. */
const OBJECT_COUNT_OFFSET = 8 + 255 * 4

export interface KeptPack {
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  /** Hash in the pack's name. */
  readonly packHash: string
  /** The commit whose whole history the pack is. */
  readonly top: string
  /** Who claimed the chain; null where no peer did. */
  readonly claimant: Address | null
  /** The file in which bans outlive a run, null where they do not. */
  readonly peerMemory: string | null
}

/** Counts now or later, as the user wants housekeeping done; never rejects. */
export async function countAsGitWould(pack: KeptPack, config: GitConfig, trace: Trace): Promise<void> {
  if (isFalse(config, 'maintenance.auto')) return
  const isDetached = !isFalse(config, 'maintenance.autodetach') && !isFalse(config, 'gc.autodetach')
  if (isDetached) countLater(pack)
  else await countKeptPack(pack, trace).catch((error: unknown) => trace(() => messageOf(error)))
}

function isFalse(config: GitConfig, key: string): boolean {
  return /^(false|no|off|0)$/i.test(configValue(config, key) ?? '')
}

function countLater(pack: KeptPack): void {
  const script = fileURLToPath(new URL('./count-kept-pack.js', import.meta.url))
  const options = { detached: true, stdio: 'ignore', cwd: '/' } as const
  const child = spawn(process.execPath, [script, JSON.stringify(pack)], options)
  child.on('error', () => {})
  try {
    if (child.pid !== undefined) setPriority(child.pid, BUILD_NICENESS)
  } catch {
    // It has ended already.
  }
  child.unref()
}

/** @throws HelperError 'git-failed'; Error where the pack is gone, which then was packed anew */
export async function countKeptPack(kept: KeptPack, trace: Trace): Promise<void> {
  const { gitDir, packHash, top, claimant, peerMemory } = kept
  const pack = `pack-${packHash}.pack`
  const path = join(gitDir, 'objects', 'pack', pack)
  const needed = Number(await runGit(gitDir, ['--shallow-file', '', 'rev-list', '--objects', '--count', top]))
  const count = await objectCountIn(path.replace(/pack$/, 'idx'))
  trace(() => `${pack}: ${count} objects, of which ${needed} are needed`)
  if (count === needed) return
  await rm(path.replace(/pack$/, 'keep'), { force: true })
  await new SegmentStore(gitDir).dropOfPack(pack)
  if (claimant === null || peerMemory === null) return
  trace(() => `${formatAddress(claimant)} is banned: its chain was padded`)
  const memory = openNetMemory(peerMemory)
  memory.known.noteBan(banName(claimant), BAN_DURATION_MS, Date.now())
  await memory.save()
}

async function objectCountIn(index: string): Promise<number> {
  const file = await open(index)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, OBJECT_COUNT_OFFSET)
    return buffer.readUInt32BE()
  } finally {
    await file.close()
  }
}
