/**
 * Goal: the thread of the exact check says of a pack that arrives in pieces, in several files, what engine/history-scan.ts says.
 * Method: a pack that git makes of a repository with deep folders, whole, with one object more, and with less; git indexes it, in
 * both object formats. Its order is given by listing commits, trees and blobs one after the other.
 */

import assert from 'node:assert/strict'
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashLengthOf, PACK_HEADER_LENGTH, parseOid } from '../../engine/index.ts'
import { ExactCheck } from '../../helper/share/supply/exact-check.ts'
import { git } from '../support/git.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

/** Twenty commits as a stream for `git fast-import`: forty files in two folders, one of which changes each time. */
function history(): string {
  const lines: string[] = []
  for (let number = 1; number <= 20; number++) {
    lines.push('commit refs/heads/main', `committer A <a@b> ${1_000_000_000 + number} +0000`, 'data 2', 'm')
    for (let index = 0; index < 40; index++) {
      if (number > 1 && index !== number) continue
      const content = `content ${number} ${index}`
      lines.push(`M 100644 inline ${index % 2 ? 'a/deep' : 'b'}/file-${index}`, `data ${content.length}`, content)
    }
  }
  return `${lines.join('\n')}\n`
}

for (const objectFormat of ['sha1', 'sha256'] as const) {
  test(`the thread tells the exact history from more and from less (${objectFormat})`, () =>
    withTemporaryDirectory(async (directory) => {
      const run = (args: readonly string[], input = ''): Promise<string> => git(args, { directory, input })
      await run(['init', '--quiet', '--bare', `--object-format=${objectFormat}`, '.'])
      await run(['fast-import', '--quiet'], history())
      const tip = parseOid(await run(['rev-parse', 'main']), objectFormat)
      const oids = (await run(['rev-list', '--objects', '--no-object-names', 'main'])).split('\n')
      const types = (await run(['cat-file', '--batch-check=%(objecttype)'], oids.join('\n'))).split('\n')
      const whole = ['commit', 'tree', 'blob'].flatMap((type) => oids.filter((_, index) => types[index] === type))
      const padding = await run(['hash-object', '-w', '--stdin'], 'nobody names this')

      const verdictOf = async (objects: readonly string[]): Promise<string> => {
        const hash = await run(['pack-objects', '--quiet', '--delta-base-offset', 'made'], `${objects.join('\n')}\n`)
        const made = join(directory, `made-${hash}`)
        const body = (await readFile(`${made}.pack`)).subarray(PACK_HEADER_LENGTH, -hashLengthOf(objectFormat))
        const objectCount = objects.length
        const files: FileHandle[] = []
        const check = new ExactCheck({ objectFormat, tip, objectCount, segmentLengths: [body.length] })
        try {
          const half = body.length >> 1
          for (const [name, part] of [body.subarray(0, half), body.subarray(half)].entries()) {
            const path = join(directory, `part-${name}`)
            await writeFile(path, Buffer.concat([Buffer.alloc(5), part]))
            const file = await open(path)
            files.push(file)
            // As by another process that is done with the same link.
            await rm(path)
            check.expect(file.fd, 5, part.length)
            check.noteArrived(part.length - 1)
            check.noteArrived(1)
          }
          return (await check.answer(made)).verdict
        } finally {
          await check.close()
          for (const file of files) await file.close()
        }
      }
      assert.equal(await verdictOf(whole), 'exact')
      assert.equal(await verdictOf([...whole, padding]), 'not-exact')
      assert.equal(await verdictOf(whole.slice(0, -1)), 'not-exact')
    }))
}
