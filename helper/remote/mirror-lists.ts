/**
 * The lists of mirrors that an origin keeps under refs/mirrors/, asked for over the connection that is open anyway.
 */
import type { MirrorKind } from '../config.ts'
import { messageOf } from '../errors.ts'
import {
  encodeBlobRequest,
  isUseful,
  keepMirrorBlob,
  keptMirrorBlob,
  NO_MIRRORS,
  readBlobAnswer,
  withList,
} from './mirrors.ts'
import type { OriginDialogue } from './origin-dialogue.ts'
import type { Session } from './session.ts'

/** Asks for the lists in the user's order, unless they are known, and notes in the session's supply what they name. */
export async function readMirrors({ supply, settings, gitDir, trace }: Session, origin: OriginDialogue): Promise<void> {
  if (!settings.mirrors || !supply.isOpen || gitDir === null) return
  let mirrors = NO_MIRRORS
  for (const kind of settings.mirrorOrder) {
    const oid = supply.memory.mirrorOids.get(kind)
    if (oid === undefined || !isUseful(kind, mirrors)) continue
    const blob = await readList(gitDir, kind, oid, origin).catch((error: unknown) => {
      trace(() => messageOf(error))
      return null
    })
    if (blob !== null) mirrors = withList(mirrors, kind, blob)
    trace(() => `mirrors: ${kind}: ${[...mirrors.manifests, ...mirrors.repositories].join(' ') || 'none of use'}`)
  }
  supply.mirrors = mirrors
}

async function readList(
  gitDir: string,
  kind: MirrorKind,
  oid: string,
  origin: OriginDialogue,
): Promise<Uint8Array | null> {
  const kept = await keptMirrorBlob(gitDir, kind, oid)
  if (kept !== null) return kept
  const blob = await origin.question(encodeBlobRequest(oid), (reader, last) => readBlobAnswer(reader, last, oid))
  await keepMirrorBlob(gitDir, kind, blob)
  return blob
}
