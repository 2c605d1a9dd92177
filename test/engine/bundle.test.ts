/**
 * Goal: the header of a link has one form, which stock git reads and our parser alone accepts.
 * Method: exact bytes as golden vectors, bundles made of our header and git's pack given to `git bundle` and `git fetch`,
 * and headers with one thing wrong.
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeBundleHeader, parseBundleHeader } from '../../engine/bundle.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'
import { hashLengthOf, type ObjectFormat, parseOid } from '../../engine/oid.ts'
import { importLine } from '../support/fast-import.ts'
import { git, gitBytes, gitLines } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const A = 'a'.repeat(40)
const B = '0123456789'.repeat(4)
const A256 = 'a'.repeat(64)
const B256 = '01234567'.repeat(8)

function headerOf(objectFormat: ObjectFormat, tip: string, base: string | null) {
  const parsedBase = base === null ? null : parseOid(base, objectFormat)
  return { objectFormat, tip: parseOid(tip, objectFormat), base: parsedBase }
}

function textOf(objectFormat: ObjectFormat, tip: string, base: string | null): string {
  return Buffer.from(encodeBundleHeader(headerOf(objectFormat, tip, base))).toString('latin1')
}

function refuses(text: string): void {
  assert.throws(
    () => parseBundleHeader(Buffer.from(text, 'latin1')),
    (error) => error instanceof EngineError && error.code === 'bundle-malformed',
  )
}

describe('the bundle header', () => {
  test('has these bytes', () => {
    assert.equal(textOf('sha1', A, B), `# v2 git bundle\n-${B} \n${A} refs/heads/gittorrent/${A}\n\n`)
    assert.equal(textOf('sha1', A, null), `# v2 git bundle\n${A} refs/heads/gittorrent/${A}\n\n`)
    const preamble = '# v3 git bundle\n@object-format=sha256\n'
    assert.equal(textOf('sha256', A256, B256), `${preamble}-${B256} \n${A256} refs/heads/gittorrent/${A256}\n\n`)
    assert.equal(textOf('sha256', A256, null), `${preamble}${A256} refs/heads/gittorrent/${A256}\n\n`)
  })

  test('is read as it was written, and says where the pack starts', () => {
    const oids = fc.constantFrom('sha1', 'sha256').chain((objectFormat: ObjectFormat) => {
      const length = hashLengthOf(objectFormat)
      const oid = fc.uint8Array({ minLength: length, maxLength: length }).map((raw) => Buffer.from(raw).toString('hex'))
      return fc.record({ objectFormat: fc.constant(objectFormat), tip: oid, base: fc.option(oid) })
    })
    fc.assert(
      fc.property(oids, fc.uint8Array(), ({ objectFormat, tip, base }, pack) => {
        fc.pre(tip !== base)
        const header = headerOf(objectFormat, tip, base)
        const bytes = encodeBundleHeader(header)
        const parsed = parseBundleHeader(Buffer.concat([bytes, pack]))
        assert.deepEqual(parsed, { ...header, headerLength: bytes.length })
      }),
    )
  })

  test('is refused when one thing is wrong', () => {
    const good = textOf('sha1', A, B)
    for (let length = 0; length < good.length; length++) refuses(good.slice(0, length))
    for (let at = 0; at < good.length; at++) refuses(`${good.slice(0, at)}\xff${good.slice(at + 1)}`)
    refuses(`\xef\xbb\xbf${good}`)
    refuses(good.replace(' \n', '\n'))
    refuses(good.replace(' \n', ' a comment\n'))
    refuses(good.replaceAll('\n', '\r\n'))
    refuses(good.replace('# v2', '# v3'))
    refuses(good.replace('# v2 git bundle\n', '# v3 git bundle\n@object-format=sha1\n'))
    refuses(good.replace('gittorrent/a', 'gittorrent/b'))
    refuses(good.replace('\n\n', `\n${B} refs/heads/main\n\n`))
    refuses(good.replace(`-${B} \n`, `-${B} \n-${B.replace('0', '1')} \n`))
    refuses(good.replaceAll(A, A.toUpperCase()))
    refuses(good.replaceAll(B, A))
    refuses(textOf('sha256', A256, B256).replace('# v3', '# v2'))
    refuses(textOf('sha256', A256, B256).replace('sha256\n', 'sha256\n@filter=blob:none\n'))
  })

  test('is not written for a link that ends where it starts', () => {
    assert.throws(() => textOf('sha1', A, A), AssertionError)
  })

  for (const objectFormat of ['sha1', 'sha256'] as const) {
    test(`makes a bundle that stock git verifies, lists, clones and fetches (${objectFormat})`, () =>
      withTemporaryDirectory(async (directory) => {
        const origin = join(directory, 'origin')
        const line = await importLine(origin, 20, objectFormat)
        const [middle, tip] = [line[9] ?? '', line[19] ?? '']
        const older = await writeBundle(origin, join(directory, 'older.bundle'), objectFormat, middle, null)
        const newer = await writeBundle(origin, join(directory, 'newer.bundle'), objectFormat, tip, middle)
        const clone = join(directory, 'clone')
        await createRepository(clone, objectFormat)
        await assert.rejects(git(['bundle', 'verify', newer], { directory: clone }))
        for (const [bundle, end] of [
          [older, middle],
          [newer, tip],
        ] as const) {
          const ref = `refs/heads/gittorrent/${end}`
          assert.deepEqual(await gitLines(['bundle', 'list-heads', bundle]), [`${end} ${ref}`])
          await git(['bundle', 'verify', bundle], { directory: clone })
          await git(['fetch', bundle, `${ref}:${ref}`], { directory: clone })
        }
        assert.deepEqual(await gitLines(['rev-list', '--reverse', tip], { directory: clone }), line)
        assert.equal(
          await git(['fsck', '--strict'], { directory: clone }).then((text) => text.includes('error')),
          false,
        )
        await git(['clone', '--quiet', '--bare', older, join(directory, 'cloned')])
      }))
  }
})

async function writeBundle(
  directory: string,
  path: string,
  objectFormat: ObjectFormat,
  tip: string,
  base: string | null,
): Promise<string> {
  const input = base === null ? `${tip}\n` : `${tip}\n^${base}\n`
  const pack = await gitBytes(['pack-objects', '--revs', '--stdout', '--thin', '-q'], { directory, input })
  await writeFile(path, Buffer.concat([encodeBundleHeader(headerOf(objectFormat, tip, base)), pack]))
  return path
}
