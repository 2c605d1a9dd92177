/**
 * Fuzz target of the manifests of web seeds. HelperError and EngineError may come out; names of files lead nowhere else, and
 * what is read is written so that it is read as the same.
 */

import { EngineError, parseOid } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { isPayloadName } from '../../helper/export/file-names.ts'
import { encodeManifest, parseManifest } from '../../helper/export/manifest.ts'
import { decodeSegments, encodeSegments } from '../../helper/export/manifest-segments.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const manifest = parseManifest(bytes)
    for (const { segments } of manifest.chains.flatMap(({ links }) => links))
      decodeSegments(Buffer.from(segments ?? '', 'base64'), manifest.objectFormat)
    const files = [...manifest.superseded, ...manifest.chains.flatMap(({ links }) => links)]
    if (!files.every(({ file }) => isPayloadName(file) && !file.includes('/')))
      throw new Error('a name that leads away')
    const again = parseManifest(encodeManifest(manifest))
    if (JSON.stringify(again) !== JSON.stringify(manifest)) throw new Error('a manifest that is read differently again')
  } catch (error) {
    if (!(error instanceof HelperError || error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [tip, hash] = ['12'.repeat(20), 'ab'.repeat(32)]
  const file = { file: `gt1-${tip}-root.bundle`, bytes: 900, sha256: hash, infohash: '34'.repeat(20) }
  const record = encodeSegments([
    { tip: parseOid(tip, 'sha1'), objectCount: 300, commitCount: 1, length: 700, sha256: hash },
  ])
  const segments = Buffer.from(record).toString('base64')
  const link = { tip, base: null, level: 1, token: 1, ...file, segments, segmentsSha256: null }
  const chains = [{ ref: 'refs/heads/main', tip, links: [link] }]
  const shared = {
    objectFormat: 'sha1',
    topic: null,
    clock: 1,
    urls: ['https://example.org/'],
    trackers: [],
    bytes: 900,
  } as const
  const superseded = [{ ...file, since: 1 }]
  return [
    encodeManifest({ ...shared, chains, superseded, snapshots: [] } as unknown as Parameters<typeof encodeManifest>[0]),
    encodeManifest({ ...shared, chains: [], superseded: [], snapshots: [] }),
  ]
}

export const dictionary = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  'null',
  '"links"',
  '"segments"',
  '"base"',
  '../',
  '-root.bundle',
  '1e400',
]
