// Goal: items and signatures are those of BEP 44 and RFC 8032, whoever makes or checks them.
// Method: the published vectors, @noble/ed25519 in strict mode as oracle, and changes of single bits.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as noble from '@noble/ed25519'
import fc from 'fast-check'
import {
  decodeItem,
  ed25519PublicKey,
  encodeItem,
  isGenuineItem,
  isSmallOrderKey,
  itemMessage,
  itemTarget,
  NetError,
  signEd25519,
  signItem,
  verifyEd25519,
} from '../../net/index.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const strict = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): Promise<boolean> =>
  noble.verifyAsync(signature, message, key, { zip215: false }).catch(() => false)

/** BEP 44, "Test vectors": tests 1 and 2. */
const BEP44_KEY = hex('77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548')
const BEP44_EXPANDED_SECRET = hex(
  'e06d3183d14159228433ed599221b80bd0a5ce8352e4bdf0262f76786ef1c74db7e7a9fea2c0eb269d61e3b38e450a22e754941ac78479d6c54e1faf6037881d',
)
const BEP44 = [
  {
    salt: '',
    message: '3:seqi1e1:v12:Hello World!',
    target: '4a533d47ec9c7d95b1ad75f576cffc641853b750',
    signature:
      '305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01',
  },
  {
    salt: 'foobar',
    message: '4:salt6:foobar3:seqi1e1:v12:Hello World!',
    target: '411eba73b6f087ca51a3795d9c8c938d365e32c1',
    signature:
      '6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08',
  },
]

/** RFC 8032, section 7.1: tests 1, 2 and 3. */
const RFC8032 = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const

/** Signs with an expanded secret (scalar and prefix), as BEP 44's examples need and RFC 8032's do not. */
function signExpanded(secret: Uint8Array, message: Uint8Array): string {
  const L = noble.Point.CURVE().n
  const little = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % L
  const hash = (...parts: Uint8Array[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest()
  const scalar = little(secret.subarray(0, 32))
  const r = little(hash(secret.subarray(32), message))
  const R = noble.Point.BASE.multiply(r).toBytes()
  const k = little(hash(R, BEP44_KEY, message))
  const S = hex(((r + k * scalar) % L).toString(16).padStart(64, '0')).reverse()
  return text(Buffer.concat([R, S]))
}

test('the published vectors of BEP 44 hold: message, target, signature', async () => {
  for (const { salt, message, target, signature } of BEP44) {
    const item = {
      key: BEP44_KEY,
      salt: Buffer.from(salt),
      seq: 1,
      value: Buffer.from('Hello World!'),
      signature: hex(signature),
    }
    assert.equal(Buffer.from(itemMessage(item.salt, 1, item.value)).toString(), message)
    assert.equal(text(itemTarget(BEP44_KEY, item.salt)), target)
    assert.equal(isGenuineItem(item), true)
    assert.equal(await strict(item.signature, Buffer.from(message), BEP44_KEY), true)
    assert.equal(signExpanded(BEP44_EXPANDED_SECRET, Buffer.from(message)), signature)
    assert.deepEqual(isGenuineItem({ ...item, seq: 2 }), false)
  }
})

test('the published vectors of RFC 8032 hold for keys and signatures', () => {
  for (const [seed, key, message, signature] of RFC8032) {
    assert.equal(text(ed25519PublicKey(hex(seed))), key)
    assert.equal(text(signEd25519(hex(seed), hex(message))), signature)
    assert.equal(verifyEd25519(hex(signature), hex(message), hex(key)), true)
  }
})

test('we accept what strict RFC 8032 accepts, and nothing else, for honest and mangled signatures', async () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  await fc.assert(
    fc.asyncProperty(
      bytes(32),
      fc.uint8Array({ maxLength: 99 }),
      fc.nat(95),
      fc.nat(8),
      async (seed, message, at, bit) => {
        const key = Buffer.from(await noble.getPublicKeyAsync(seed))
        const signature = Buffer.from(await noble.signAsync(message, seed))
        assert.equal(text(ed25519PublicKey(seed)), text(key))
        assert.equal(text(signEd25519(seed, message)), text(signature))
        const both = Buffer.concat([key, signature])
        // Bit 8 leaves all as it is.
        both[at] = (both[at] ?? 0) ^ ((1 << bit) & 0xff)
        const [mangledKey, mangled] = [both.subarray(0, 32), both.subarray(32)]
        assert.equal(verifyEd25519(mangled, message, mangledKey), await strict(mangled, message, mangledKey))
      },
    ),
    { numRuns: 150 },
  )
})

test('a key of small order signs nothing, in no encoding', async () => {
  const identity = Buffer.alloc(32)
  identity[0] = 1
  const forged = Buffer.concat([identity, Buffer.alloc(32)])
  for (const signBit of [0, 0x80]) {
    const key = Buffer.from(identity)
    key[31] = signBit
    assert.equal(isSmallOrderKey(key), true)
    assert.equal(
      isGenuineItem({ key, salt: Buffer.alloc(0), seq: 1, value: Buffer.from('v'), signature: forged }),
      false,
    )
    assert.equal(await strict(forged, itemMessage(Buffer.alloc(0), 1, Buffer.from('v')), key), false)
  }
})

test('an item survives its encoding, and a changed one is refused', () => {
  const seed = Buffer.alloc(32, 3)
  const item = signItem(seed, { salt: Buffer.from('s'), seq: 7, value: Buffer.alloc(995, 1) })
  assert.deepEqual(decodeItem(encodeItem(item)), {
    ...item,
    salt: Uint8Array.from(item.salt),
    value: Uint8Array.from(item.value),
  })
  const encoded = encodeItem(item)
  for (let at = 0; at < encoded.length; at += 13) {
    const changed = Buffer.from(encoded)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.throws(() => decodeItem(changed), NetError)
  }
})

test('what BEP 44 has no room for is refused before it is signed', () => {
  const seed = Buffer.alloc(32, 3)
  const [salt, value] = [Buffer.alloc(0), Buffer.from('v')]
  assert.throws(() => signItem(seed, { salt, seq: 1, value: Buffer.alloc(996) }), { code: 'message-limit' })
  assert.throws(() => signItem(seed, { salt, seq: 1, value: Buffer.alloc(0) }), { code: 'message-limit' })
  assert.throws(() => signItem(seed, { salt: Buffer.alloc(65), seq: 1, value }), { code: 'message-limit' })
  assert.throws(() => signItem(seed, { salt, seq: -1, value }), { code: 'message-limit' })
})
