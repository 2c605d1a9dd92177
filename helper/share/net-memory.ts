/**
 * The file in which peers, DHT nodes and bans outlive a run: one per user, because the next clone of the same repository
 * goes into another directory. It names topics, so it is closed to others. A file that is damaged, too long or cannot be
 * written costs a bootstrap and nothing else. Two runs at once each merge into what the other has left.
 */

import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { KnownPeers, type NetMemory } from '../../net/index.ts'
import { PEER_MEMORY_LENGTH_MAX } from '../limits.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** Reads what earlier runs left at `path`; synchronous, because a start waits for nothing else. */
export function openNetMemory(path: string): NetMemory {
  const known = KnownPeers.decode(readBounded(path), Date.now())
  return {
    known,
    save: async () => {
      const nowMs = Date.now()
      const latest = KnownPeers.decode(readBounded(path), nowMs)
      latest.merge(known, nowMs)
      mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE })
      await writeFileAtomically(path, [latest.encode(nowMs)])
      chmodSync(path, FILE_MODE)
    },
  }
}

function readBounded(path: string): Uint8Array | null {
  try {
    return statSync(path).size > PEER_MEMORY_LENGTH_MAX ? null : readFileSync(path)
  } catch {
    return null
  }
}
