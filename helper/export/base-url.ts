/**
 * The URL under which an exported folder will be found. It ends up in git configuration, in .torrent files and on a page
 * that people read, so it is taken apart and put together anew: nothing in it can end a line, a quote or an attribute.
 * Credentials are refused, because the folder is public.
 */

import { HelperError, printable } from '../errors.ts'
import { URL_LENGTH_MAX } from '../limits.ts'

/** Normalised, absolute, ending in a slash; `what` says where `text` came from. @throws HelperError 'usage' */
export function parseBaseUrl(text: string, what: string): string {
  const refused = (expected: string): HelperError => {
    const shown = printable(text.replace(/\/\/[^/@]*@/, '//***@'))
    return new HelperError('usage', `${what}: expected ${expected}, got '${shown}'`)
  }
  const isPlain = text.length <= URL_LENGTH_MAX && !/[\s\u0000-\u001f\u007f"'\\<>]/.test(text)
  if (!isPlain || !URL.canParse(text)) throw refused('an absolute URL')
  const url = new URL(text)
  if (!/^(https?|file):$/.test(url.protocol)) throw refused('https://, http:// or file://')
  if (url.username !== '' || url.password !== '') throw refused('a URL without credentials')
  if (url.search !== '' || url.hash !== '') throw refused('the URL of a folder, without ? and #')
  const { href } = url
  return href.endsWith('/') ? href : `${href}/`
}
