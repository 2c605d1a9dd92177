/**
 * Goal: who asks for pages of a refs document costs a page of memory each, and never gets one of a damaged document; who asks for records
 * has no signature verified that was before.
 * Method: a document of three pages in a publisher's folder, its file changed and put back; a record in its memory, the same.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { REFS_PAGE_LENGTH } from '../../helper/publish/limits.ts'
import { PublisherFolder } from '../../helper/publish/publisher-folder.ts'
import { ServedDocuments } from '../../helper/publish/served-documents.ts'
import { signItem } from '../../net/index.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

it('pages add up to the document, hold no more than themselves, and end where it ends', () =>
  withTemporaryDirectory(async (directory) => {
    const folder = new PublisherFolder({ GITTORRENT_HOME: directory }, '1'.repeat(40))
    const document = randomBytes(2 * REFS_PAGE_LENGTH + 1000)
    const hash = await folder.keepDocument(document)
    const documents = new ServedDocuments(folder)
    const page = (offset: number): Promise<Uint8Array | null> => documents.page(hash, offset, REFS_PAGE_LENGTH)
    const pages = await Promise.all([0, 1, 2].map((number) => page(number * REFS_PAGE_LENGTH)))
    assert.ok(Buffer.concat(pages.map((one) => one ?? Buffer.alloc(0))).equals(document))
    for (const one of pages) assert.equal(one?.buffer.byteLength, one?.length)
    for (const offset of [document.length, document.length + 1]) assert.equal((await page(offset))?.length, 0)
    assert.equal(await documents.page('f'.repeat(64), 0, REFS_PAGE_LENGTH), null)

    await writeFile(folder.documentPath(hash), Buffer.concat([Buffer.from('x'), document]))
    assert.equal(await page(0), null, 'a damaged one')
    await writeFile(folder.documentPath(hash), document)
    assert.equal((await page(0))?.length, REFS_PAGE_LENGTH)
  }))

it('a record that was found genuine is the same one for the next question, and a changed one is none', () =>
  withTemporaryDirectory(async (directory) => {
    const folder = new PublisherFolder({ GITTORRENT_HOME: directory }, '1'.repeat(40))
    const item = signItem(Buffer.alloc(32, 7), {
      salt: Buffer.from('gt1:r:project'),
      seq: 5,
      value: Buffer.from('value'),
    })
    await (await folder.memory()).remember([item])
    const itemsOf = async () => (await folder.memory()).items()
    const [first] = await itemsOf()
    assert.equal(first?.seq, 5)
    assert.ok(first === (await itemsOf())[0])
    const path = join(folder.path, 'seen.json')
    const seen = await readFile(path, 'utf8')
    const [value, other] = ['value', 'other'].map((text) => Buffer.from(text).toString('hex'))
    await writeFile(path, seen.replace(value ?? '', other ?? ''))
    assert.deepEqual(await itemsOf(), [])
  }))
