/**
 * The Range header of a request (RFC 9110, section 14): one range of bytes. Several at once, other units and what is no range are
 * passed over, as the standard allows, and the whole file is the answer.
 */

export interface ByteRange {
  /** First byte, and the one behind the last; the range has at least one byte and lies inside the file. */
  readonly offset: number
  readonly end: number
}

/** 'whole' for a header that asks for nothing in particular, 'outside' for a range of which nothing is there (416). */
export function rangeIn(header: string | undefined, lengthBytes: number): ByteRange | 'whole' | 'outside' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header ?? '') ?? []
  if (first === '' && last === '') return 'whole'
  if (first === '') {
    const length = Math.min(Number(last), lengthBytes)
    return length === 0 ? 'outside' : { offset: lengthBytes - length, end: lengthBytes }
  }
  const offset = Number(first)
  const end = last === '' ? lengthBytes : Math.min(Number(last) + 1, lengthBytes)
  if (last !== '' && Number(last) < offset) return 'whole'
  return offset >= lengthBytes ? 'outside' : { offset, end }
}
