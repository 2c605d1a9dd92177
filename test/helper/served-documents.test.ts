/**
 * Goal: who asks for pages of a refs document costs a page of memory each, and never gets one of a damaged document.
 * Method: a document of three pages in a publisher's folder, its file changed and put back.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { it } from 'node:test'
import { REFS_PAGE_LENGTH } from '../../helper/publish/limits.ts'
import { PublisherFolder } from '../../helper/publish/publisher-folder.ts'
import { ServedDocuments } from '../../helper/publish/served-documents.ts'
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
