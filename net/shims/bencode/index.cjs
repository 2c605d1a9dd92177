// The bencode 2 face: byte strings are Buffers (k-rpc-socket asks for them).
'use strict'
const { makeCodec } = require('./core.cjs')

module.exports = makeCodec((bytes) => Buffer.from(bytes))
