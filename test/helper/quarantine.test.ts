/**
 * Goal: nothing of a quarantine is left once it is closed, whatever git was doing in it. Method: a stand-in for git that
 * writes once more when it is told to end, as a process does that gets the signal between two system calls.
 */

import assert from 'node:assert/strict'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { Quarantine } from '../../helper/share/supply/quarantine.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const OPTIONS = { keep: false, isWholeHistory: true, lengthMax: 8 * 1024 * 1024, fsckObjects: false }
/** More than a pipe holds: once it is written, somebody has begun to read. */
const MUCH = new Uint8Array(1024 * 1024)

const LATE_WRITER = `#!${process.execPath}
const { mkdirSync, writeFileSync } = require('node:fs')
process.once('SIGTERM', () => {
  const folder = process.env.GIT_OBJECT_DIRECTORY + '/pack'
  mkdirSync(folder, { recursive: true })
  writeFileSync(folder + '/tmp_pack_late', '')
  process.exit(1)
})
process.stdin.resume()
`

for (const how of ['its signal is aborted', 'it is closed early'] as const) {
  it(`a git that writes while it is ended leaves nothing when ${how}`, () =>
    withTemporaryDirectory(async (directory) => {
      await mkdir(join(directory, 'objects'))
      await mkdir(join(directory, 'bin'))
      await writeFile(join(directory, 'bin', 'git'), LATE_WRITER, { mode: 0o755 })
      process.env.PATH = `${join(directory, 'bin')}:${process.env.PATH}`
      const interruption = new AbortController()
      const quarantine = await Quarantine.open(directory, interruption.signal)
      const indexer = quarantine.index(OPTIONS)
      await indexer.write(MUCH)
      if (how === 'its signal is aborted') {
        interruption.abort()
        await assert.rejects(indexer.finish(), /git index-pack/)
        assert.throws(() => quarantine.index(OPTIONS), { code: 'interrupted' })
        assert.equal(await quarantine.areConnected(['0'.repeat(40)], [], true), false)
      }
      await quarantine.close()
      await assert.rejects(indexer.finish(), /git index-pack/)
      assert.deepEqual(await readdir(join(directory, 'objects')), [])
    }))
}

it('a repository that an interrupted clone has removed does not come into being again', () =>
  withTemporaryDirectory(async (directory) => {
    const repository = join(directory, 'clone')
    await mkdir(join(repository, 'objects', 'pack'), { recursive: true })
    const quarantine = await Quarantine.open(repository, new AbortController().signal)
    await rm(repository, { recursive: true })
    await assert.rejects(quarantine.release(), { code: 'ENOENT' })
    await quarantine.close()
    await assert.rejects(IncomingFile.open(join(repository, 'gittorrent', 'incoming', 'link')), { code: 'ENOENT' })
    assert.deepEqual(await readdir(directory), [])
  }))
