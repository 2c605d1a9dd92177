/**
 * Goal: downloads of several fetches into one repository do not disturb each other, and what one leaves the next one finds. Method: one
 * opens the file of a link again and again, while another, which is done with the same link, removes it; two have it open at once; one
 * is a process that is killed.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const ROUND_COUNT = 200

const GOOD = Uint8Array.of(1, 2, 3)
const BAD = Uint8Array.of(9, 9, 9)

it('what one download writes is not what another one reads, which has the same link open', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'incoming', 'link')
    const first = await IncomingFile.open(path)
    await first.write(0, GOOD)
    const second = await IncomingFile.open(path)
    assert.equal(await second.leftLength(), 0)
    await second.write(0, BAD)
    assert.deepEqual(await first.read(0, 3), GOOD)
    await second.remove()
    assert.deepEqual(await first.read(0, 3), GOOD)
    await first.close()
    const next = await IncomingFile.open(path)
    assert.deepEqual(await next.read(0, 3), GOOD)
    await next.remove()
    assert.deepEqual(await readdir(join(directory, 'incoming')), [])
  }))

it('what a process leaves that is killed is found by the next one, and not by two', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'incoming', 'link')
    const module = new URL('../../helper/share/supply/incoming.js', import.meta.url).href
    const script = `
      const { IncomingFile } = await import(${JSON.stringify(module)})
      const file = await IncomingFile.open(${JSON.stringify(path)})
      await file.write(0, Uint8Array.of(${GOOD}))
      process.kill(process.pid, 'SIGKILL')`
    const [, signal] = await once(spawn(process.execPath, ['--input-type=module', '-e', script]), 'close')
    assert.equal(signal, 'SIGKILL')
    const next = await IncomingFile.open(path)
    assert.deepEqual(await next.read(0, 3), GOOD)
    const other = await IncomingFile.open(path)
    assert.equal(await other.leftLength(), 0)
    for (const file of [other, next]) await file.remove()
    assert.deepEqual(await readdir(join(directory, 'incoming')), [])
  }))

it('a download begins while another process removes what it had of the same link', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'incoming', 'link')
    let isOver = false
    const remove = async (): Promise<void> => {
      while (!isOver) await rm(path, { force: true })
    }
    const remover = remove()
    try {
      for (let round = 0; round < ROUND_COUNT; round++) {
        const file = await IncomingFile.open(path)
        await file.write(3, Uint8Array.of(1, 2))
        assert.deepEqual([...(await file.read(0, 5))], [0, 0, 0, 1, 2])
        await file.close()
      }
    } finally {
      isOver = true
      await remover
    }
  }))
