/**
 * Fuzz target of what a web server says in its headers: where a redirect leads (first line), which bytes follow (second line). Only
 * HelperError may come out; a redirect keeps to http and https, never falls back to http, and carries no credentials.
 */

import { HelperError } from '../../helper/errors.ts'
import { sentRange, targetOf } from '../../helper/share/webseed/http-get.ts'

export function fuzz(bytes: Uint8Array): void {
  const [location = '', contentRange = ''] = Buffer.from(bytes).toString('latin1').split('\n')
  for (const from of ['https://a.example/folder/x', 'http://a.example/folder/x']) {
    try {
      const { protocol, username, password } = targetOf(location, new URL(from))
      if (protocol !== 'https:' && !(protocol === 'http:' && from.startsWith('http:')))
        throw new Error('another protocol')
      if (username !== '' || password !== '') throw new Error('credentials')
    } catch (error) {
      if (!(error instanceof HelperError)) throw error
    }
  }
  const { offset = 0, fileLength = null } = sentRange(contentRange) ?? {}
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(fileLength ?? 0) || offset >= (fileLength ?? Infinity))
    throw new Error('a range that is none')
}

export function seeds(): Uint8Array[] {
  return [
    'https://user:secret@b.example:8443/y?z#f\nbytes 0-9/10',
    '../up/y\nbytes 5-5/*',
    '//b.example\nbytes 1000-1999/2000',
    'http://[::1]:80/\n',
  ].map((text) => Buffer.from(text))
}

export const dictionary = ['https://', 'http://', 'file:', '//', '\\', '@', '%2f', '[::1]', '\n', 'bytes ', '-', '/*']
