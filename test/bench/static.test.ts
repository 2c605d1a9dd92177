/**
 * Goal: the table of what clones cost the origin is of things that happened, in the order in which they must come out.
 * Method: the bench itself on a small generated repository; its JSON against what git and arithmetic say.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { generateRepository } from '../../bench/generate-repository.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { projectRoot } from '../tidy/project.ts'

interface Way {
  readonly name: string
  readonly originBytes: number
  readonly webBytes: number
  readonly peerBytes: number
}

test('three clones cost the origin three, less, less, and one', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const repository = join(scratch, 'project.git')
    await generateRepository(repository, { commitCount: 400, seed: 4 })
    const json = join(scratch, 'report.json')
    const script = join(projectRoot, 'dist', 'bench', 'static.js')
    const args = [script, repository, '--clones', '3', '--jobs', '2', '--later', '60', '--json', json]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const { ways, fetches, exports } = JSON.parse(await readFile(json, 'utf8'))
    const [plain, list, web, peers]: Way[] = ways
    assert.ok(plain !== undefined && list !== undefined && web !== undefined && peers !== undefined)
    const one = plain.originBytes / 3
    assert.deepEqual([plain.webBytes, plain.peerBytes, list.peerBytes, web.peerBytes, peers.webBytes], [0, 0, 0, 0, 0])
    assert.ok(list.originBytes < one, `${list.originBytes} with bundles, ${one} for one plain clone`)
    assert.ok(web.originBytes < one && web.webBytes > web.originBytes)
    assert.ok(peers.originBytes < 1.5 * one && peers.peerBytes > one, JSON.stringify(peers))
    const [cold, again, warm] = exports
    assert.ok(cold.writtenCount > 4 && again.writtenCount === 0)
    assert.ok(warm.writtenCount > 0 && warm.writtenBytes < cold.writtenBytes)
    const [plainFetch, , webFetch, peerFetch]: Way[] = fetches
    assert.ok(plainFetch !== undefined && webFetch !== undefined && peerFetch !== undefined)
    assert.ok(webFetch.originBytes < plainFetch.originBytes && webFetch.webBytes > 0, JSON.stringify(fetches))
    assert.ok(peerFetch.originBytes < plainFetch.originBytes && peerFetch.peerBytes > 0, JSON.stringify(fetches))
    for (const { name } of ways) assert.ok(stdout.includes(`| ${name} |`))
  })
})
