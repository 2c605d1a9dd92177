/**
 * Goal: a fixed history has the chain that it always had, on every machine and Node version, and a reader made from the
 * document alone decodes it.
 * Method: a generated repository whose commits depend on a seed only, its links compared with test/engine/golden.json (write it
 * anew with `GOLDEN=write`, only when the format changes its name), and read by format-reader.ts, oldest link first.
 */

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { SnapshotStore, snapshotCheckpoint } from '../../helper/build/snapshots.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { reachableObjects } from '../support/oracles.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { readLink } from './format-reader.ts'

const GOLDEN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'test', 'engine', 'golden.json')
const DEPTH_MAX = 48

interface GoldenChain {
  readonly tip: string
  readonly directory: string
  readonly chains: Chains
}

async function buildGolden(directory: string, objectFormat: 'sha1' | 'sha256'): Promise<GoldenChain> {
  const { tip } = await generateRepository(directory, { commitCount: 700, seed: 42, objectFormat })
  const repository = await openRepository(directory)
  const chains = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 2 })
  return { tip, directory, chains }
}

for (const objectFormat of ['sha1', 'sha256'] as const) {
  describe(`the golden history in ${objectFormat}`, () => {
    let golden: GoldenChain

    before(async () => {
      golden = await buildGolden(join(directoryUntilExit(), `${objectFormat}.git`), objectFormat)
    })

    after(() => golden.chains.close())

    it('has the recorded chain and snapshot', async () => {
      const { tip } = golden
      const { chains, repository, store } = golden.chains
      const links = (chains[0]?.links ?? []).map(({ plan, segments, infohash, sha256, lengthBytes }) => ({
        tip: plan.tip,
        base: plan.base,
        segments: segments.map((segment) => segment.sha256),
        bytes: lengthBytes,
        sha256,
        infohash: Buffer.from(infohash).toString('hex'),
      }))
      const newest = snapshotCheckpoint(chains[0]?.checkpoints ?? [])
      assert.ok(newest !== null)
      const snapshots = new SnapshotStore(repository, store.folder)
      const { commit, infohash, sha256, lengthBytes } = await snapshots.ensure(newest.oid)
      const snapshot = { commit, bytes: lengthBytes, sha256, infohash: Buffer.from(infohash).toString('hex') }
      const recorded = JSON.parse(await readFile(GOLDEN, 'utf8').catch(() => '{}'))
      if (process.env.GOLDEN === 'write') {
        await writeFile(
          GOLDEN,
          `${JSON.stringify({ ...recorded, [objectFormat]: { tip, links, snapshot } }, null, 2)}\n`,
        )
      } else {
        assert.deepEqual({ tip, links, snapshot }, recorded[objectFormat])
      }
    })

    it('is decoded by a reader made from the document to what git has', async () => {
      const older = new Map<string, { type: string; bytes: Buffer }>()
      const links = golden.chains.chains[0]?.links ?? []
      for (const link of [...links].reverse()) {
        const payload = Buffer.from(await link.read(0, link.lengthBytes))
        const read = readLink(payload, objectFormat, older)
        assert.deepEqual([read.tip, read.base], [link.plan.tip, link.plan.base])
        assert.ok(read.depthMax <= DEPTH_MAX)
        for (const [oid, object] of read.objects) older.set(oid, object)
      }
      const expected = await reachableObjects(golden.directory, [links[0]?.plan.tip ?? ''])
      assert.deepEqual([...older.keys()].sort(), [...expected].sort())
    })
  })
}
