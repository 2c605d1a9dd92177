// Strict, linear, bounded bencode that stands in for the npm package `bencode` (2 and 4) in the whole dependency tree.
// The original hangs or exhausts memory on four bytes ("d-3:", "l-3:"); here every byte is read once and every length,
// depth and count is bounded. Refused: truncation, trailing bytes, "-0", leading zeros, signs other than "-",
// integers beyond 2^53, repeated keys. Accepted, because other clients send it: keys out of order.
// Plain JavaScript, because the tree loads it without a build; the typed codec of our own messages is net/bencode.ts.
'use strict'

const INPUT_LENGTH_MAX = 16 * 1024 * 1024 // bytes; a .torrent of 2,000 pieces has 40 kB
const DEPTH_MAX = 64 // nested lists and dictionaries; real messages use 4
const VALUE_COUNT_MAX = 200_000 // values in one input; bounds the objects that two-byte lists could make
const LENGTH_DIGITS_MAX = 8
const INTEGER_DIGITS_MAX = 16

const I = 0x69
const L = 0x6c
const D = 0x64
const E = 0x65
const COLON = 0x3a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const text = new TextEncoder()
const hex = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

class Reader {
  constructor(bytes, toValue) {
    this.bytes = bytes
    this.toValue = toValue
    this.at = 0
    this.depth = 0
    this.count = 0
  }

  fail(what) {
    throw new Error(`bencode: ${what} at byte ${this.at}`)
  }

  digits(end, most) {
    const from = this.at
    let value = 0
    while (this.at < this.bytes.length) {
      const byte = this.bytes[this.at]
      if (byte < ZERO || byte > NINE) break
      if (this.at - from === most) this.fail('number too long')
      value = value * 10 + (byte - ZERO)
      this.at += 1
    }
    if (this.at === from) this.fail('digit expected')
    if (this.bytes[from] === ZERO && this.at - from > 1) this.fail('leading zero')
    if (this.bytes[this.at] !== end) this.fail('delimiter expected')
    this.at += 1
    return value
  }

  integer() {
    this.at += 1
    const negative = this.bytes[this.at] === MINUS
    if (negative) this.at += 1
    const value = this.digits(E, INTEGER_DIGITS_MAX)
    if (negative && value === 0) this.fail('negative zero')
    if (!Number.isSafeInteger(value)) this.fail('integer out of range')
    return negative ? -value : value
  }

  string() {
    const length = this.digits(COLON, LENGTH_DIGITS_MAX)
    if (length > this.bytes.length - this.at) this.fail('truncated string')
    const value = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return value
  }

  key() {
    const bytes = this.string()
    try {
      return utf8.decode(bytes)
    } catch {
      return hex(bytes)
    }
  }

  enter() {
    this.at += 1
    this.depth += 1
    if (this.depth > DEPTH_MAX) this.fail('nested too deeply')
  }

  atEnd() {
    if (this.bytes[this.at] !== E) return false
    this.at += 1
    this.depth -= 1
    return true
  }

  dictionary() {
    this.enter()
    const dictionary = {}
    while (!this.atEnd()) {
      const key = this.key()
      if (Object.hasOwn(dictionary, key)) this.fail('repeated key')
      // defineProperty: a key "__proto__" is an ordinary key
      Object.defineProperty(dictionary, key, {
        value: this.value(),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    }
    return dictionary
  }

  list() {
    this.enter()
    const list = []
    while (!this.atEnd()) list.push(this.value())
    return list
  }

  value() {
    if (++this.count > VALUE_COUNT_MAX) this.fail('too many values')
    switch (this.bytes[this.at]) {
      case I:
        return this.integer()
      case L:
        return this.list()
      case D:
        return this.dictionary()
      default:
        return this.toValue(this.string())
    }
  }
}

function toBytes(input) {
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  if (input instanceof ArrayBuffer) return new Uint8Array(input)
  return text.encode(String(input))
}

// decode(data, [start, [end]], [encoding]): the optional arguments shift as they do in the original.
function makeDecode(copy) {
  function decode(data, start, end, encoding) {
    if (data === null || data === undefined || data.length === 0) return null
    if (typeof start !== 'number' && encoding === undefined) {
      encoding = start
      start = undefined
    }
    if (typeof end !== 'number' && encoding === undefined) {
      encoding = end
      end = undefined
    }
    const bytes = toBytes(data).subarray(start ?? 0, end)
    if (bytes.length > INPUT_LENGTH_MAX) throw new Error('bencode: input too long')
    const asText = encoding !== undefined && encoding !== null
    const reader = new Reader(bytes, asText ? (string) => Buffer.from(string).toString(encoding) : copy)
    const value = reader.value()
    if (reader.at !== bytes.length) reader.fail('trailing bytes')
    decode.bytes = bytes.length
    decode.position = reader.at
    return value
  }
  decode.bytes = 0
  decode.position = 0
  return decode
}

function pushString(parts, bytes) {
  parts.push(text.encode(`${bytes.length}:`), bytes)
}

function pushEntries(parts, entries) {
  const keyed = []
  for (const [key, value] of entries) {
    if (value !== null && value !== undefined)
      keyed.push([ArrayBuffer.isView(key) ? toBytes(key) : text.encode(String(key)), value])
  }
  keyed.sort((a, b) => Buffer.compare(a[0], b[0]))
  parts.push(text.encode('d'))
  for (const [key, value] of keyed) {
    pushString(parts, key)
    push(parts, value)
  }
  parts.push(text.encode('e'))
}

function pushList(parts, values) {
  parts.push(text.encode('l'))
  for (const value of values) push(parts, value)
  parts.push(text.encode('e'))
}

function pushObject(parts, value) {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return pushString(parts, toBytes(value))
  if (Array.isArray(value) || value instanceof Set) return pushList(parts, value)
  if (value instanceof Map) return pushEntries(parts, value)
  if (value instanceof String || value instanceof Number || value instanceof Boolean)
    return push(parts, value.valueOf())
  return pushEntries(parts, Object.entries(value))
}

function push(parts, value) {
  if (value === null || value === undefined) return
  switch (typeof value) {
    case 'string':
      return pushString(parts, text.encode(value))
    case 'boolean':
      return parts.push(text.encode(value ? 'i1e' : 'i0e'))
    case 'bigint':
      return parts.push(text.encode(`i${value}e`))
    case 'number':
      if (!Number.isSafeInteger(value)) throw new TypeError(`bencode: ${value} is no safe integer`)
      return parts.push(text.encode(`i${value === 0 ? 0 : value}e`))
    case 'object':
      return pushObject(parts, value)
    default:
      throw new TypeError(`bencode: cannot encode a ${typeof value}`)
  }
}

function makeEncode(copy) {
  function encode(data, buffer, offset) {
    const parts = []
    push(parts, data)
    const result = Buffer.concat(parts)
    encode.bytes = result.length
    if (ArrayBuffer.isView(buffer)) {
      toBytes(buffer).set(result, offset ?? 0)
      return buffer
    }
    return copy(result)
  }
  encode.bytes = -1
  return encode
}

// A codec whose byte strings are made by `copy`: Buffers for the old users (2.x), Uint8Arrays for the new (4.x).
function makeCodec(copy) {
  const encode = makeEncode(copy)
  const decode = makeDecode(copy)
  const encodingLength = (value) => makeEncode((bytes) => bytes)(value).length
  return { encode, decode, byteLength: encodingLength, encodingLength }
}

module.exports = { makeCodec }
