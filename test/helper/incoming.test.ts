/**
 * Goal: downloads of several processes into one repository do not disturb each other. Method: one opens the file of a link again
 * and again, while another, which is done with the same link, removes it; each has to find a file of its own or the one that is there.
 */

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const ROUND_COUNT = 200

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
