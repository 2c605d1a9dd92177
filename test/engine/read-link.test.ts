/**
 * Goal: a link gives its objects under their names, whatever is cached, and a link whose bases are missing is refused.
 * Method: links of a generated history, built in memory, against a reader made from the document alone and against git.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import {
  buildChain,
  CommitGraph,
  type GitObject,
  type ObjectFormat,
  parseOid,
  readLink,
  readLinkHeader,
  sourceOfBytes,
  typeName,
} from '../../engine/index.ts'
import { pickDeflate } from '../../helper/build/deflate.ts'
import { CatFile } from '../../helper/git/cat-file.ts'
import { readCommits } from '../../helper/git/commits.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { readLink as readByDocument } from './format-reader.ts'

async function linksOf(directory: string, objectFormat: ObjectFormat): Promise<Uint8Array[]> {
  const { tip } = await generateRepository(directory, { commitCount: 150, seed: 5, objectFormat })
  const graph = new CommitGraph(objectFormat)
  await readCommits(directory, [tip], graph)
  const catFile = new CatFile(directory)
  try {
    const links = await buildChain(graph, parseOid(tip, objectFormat), {
      read: (oids, type) => catFile.read(oids, type),
      hash: (format) => createHash(format),
      deflate: pickDeflate(),
    })
    return links.map(({ payload }) => payload)
  } finally {
    catFile.close()
  }
}

function readAll(payload: Uint8Array, older: ReadonlyMap<string, GitObject>, cacheLengthMax: number) {
  const found = new Map<string, GitObject>()
  const reading = {
    source: sourceOfBytes(payload),
    hash: (format: ObjectFormat) => createHash(format),
    older: (oid: string) => older.get(oid) ?? null,
    cacheLengthMax,
  }
  for (const { oid, type, bytes } of readLink(reading)) found.set(oid, { type, bytes })
  return found
}

for (const objectFormat of ['sha1', 'sha256'] as const) {
  test(`links of a ${objectFormat} history read as the document says, with and without a cache`, () =>
    withTemporaryDirectory(async (scratch) => {
      const older = new Map<string, GitObject>()
      const known = new Map<string, { type: string; bytes: Buffer }>()
      const links = await linksOf(join(scratch, 'r.git'), objectFormat)
      assert(links.length > 2)
      for (const payload of links) {
        const expected = readByDocument(Buffer.from(payload), objectFormat, known)
        assert.equal(readLinkHeader(sourceOfBytes(payload)).tip, expected.tip)
        for (const cacheLengthMax of [0, 5000, 2 ** 26]) {
          const found = readAll(payload, older, cacheLengthMax)
          assert.deepEqual([...found.keys()].sort(), [...expected.objects.keys()].sort())
          for (const [oid, { type, bytes }] of found) {
            assert.equal(typeName(type), expected.objects.get(oid)?.type)
            assert(Buffer.from(bytes).equals(expected.objects.get(oid)?.bytes ?? Buffer.alloc(0)), oid)
          }
        }
        for (const [oid, object] of readAll(payload, older, 2 ** 26)) older.set(oid, object)
        for (const [oid, object] of expected.objects) known.set(oid, object)
      }
      const newest = links.at(-1) ?? new Uint8Array(0)
      assert.throws(() => readAll(newest, new Map(), 2 ** 26), { name: 'EngineError', code: 'object-missing' })
    }))
}
