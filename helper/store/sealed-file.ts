/**
 * Files of derived facts with their own SHA-256 at the end: what does not pass it counts as absent and is derived anew.
 * Written atomically.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writeFileAtomically } from './atomic-file.ts'

const SEAL_LENGTH = 32

export async function writeSealedFile(path: string, content: Uint8Array): Promise<void> {
  await writeFileAtomically(path, [content, sealOf(content)])
}

/** The content, or null where there is no such file or its seal is broken. */
export async function readSealedFile(path: string): Promise<Uint8Array | null> {
  const bytes = await readFile(path).catch(() => null)
  if (bytes === null || bytes.length < SEAL_LENGTH) return null
  const content = bytes.subarray(0, bytes.length - SEAL_LENGTH)
  return sealOf(content).equals(bytes.subarray(content.length)) ? content : null
}

function sealOf(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest()
}
