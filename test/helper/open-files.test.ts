/**
 * Goal: a file stays open while somebody reads from it, however many others are opened meanwhile.
 * Method: more concurrent readers than files may be open, each of whom waits between taking the file and reading it.
 */

import assert from 'node:assert/strict'
import { fstatSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { OpenFiles } from '../../helper/store/open-files.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

it('readers beyond the bound all read, and closing waits for them', () =>
  withTemporaryDirectory(async (directory) => {
    const files = new OpenFiles(2)
    const paths = Array.from({ length: 12 }, (_, index) => join(directory, `f${index}`))
    for (const [index, path] of paths.entries()) await writeFile(path, `content ${index}`)
    const reads = [...paths, ...paths].map((path) =>
      files.with(path, async (file) => {
        for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
        const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0)
        return buffer.toString('latin1', 0, bytesRead)
      }),
    )
    const expected = paths.map((_, index) => `content ${index}`)
    const closing = files.close()
    assert.deepEqual(await Promise.all(reads), [...expected, ...expected])
    await closing
  }))

it('closing a folder leaves the files of others open', () =>
  withTemporaryDirectory(async (directory) => {
    const files = new OpenFiles(4)
    const handles = new Map<string, number>()
    const openOf = (path: string): Promise<boolean> =>
      files.with(path, async (file) => {
        const isSame = handles.get(path) === file.fd
        handles.set(path, file.fd)
        return isSame
      })
    await mkdir(join(directory, 'a'))
    const [inside, beside] = [join(directory, 'a', 'file'), join(directory, 'ab')]
    for (const path of [inside, beside]) await writeFile(path, path)
    for (const path of [inside, beside]) assert.equal(await openOf(path), false)
    const closed = handles.get(inside)
    await files.close(join(directory, 'a'))
    assert.throws(() => fstatSync(closed ?? -1), { code: 'EBADF' })
    assert.equal(await openOf(beside), true)
    await files.close()
  }))

it('a file that is not there is an error each time, not a memory', () =>
  withTemporaryDirectory(async (directory) => {
    const files = new OpenFiles(2)
    const path = join(directory, 'late')
    await assert.rejects(files.with(path, async () => {}))
    await writeFile(path, 'now')
    assert.equal(await files.with(path, async (file) => (await file.stat()).size), 3)
    await files.close()
  }))
