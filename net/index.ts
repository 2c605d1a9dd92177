/**
 * The door of the net room: bytes, peers, swarms. It knows nothing of what the bytes mean.
 * Start at openNet; PROTOCOL.md says what goes over the wire.
 */
export {
  type Address,
  type AddressClass,
  classOfHost,
  formatAddress,
  isAnyHost,
  ownerOf,
  parseAddress,
} from './address.ts'
export type { AnswerStream } from './answer-stream.ts'
export { Refusal } from './answers.ts'
export type { FindByName } from './ask.ts'
export {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  type BencodeDict,
  bencodeDict,
  decodeBencode,
  encodeBencode,
} from './bencode.ts'
export type { RequestOptions } from './channel.ts'
export { type Dht, type DhtOptions, openDht, PUBLIC_DHT_BOOTSTRAP, type PutOutcome } from './dht.ts'
export type { ByteRange, DownloadOptions, DownloadProgress } from './download.ts'
export type { Download, DownloadResult } from './downloads.ts'
export { ed25519PublicKey, isSmallOrderKey, signEd25519, verifyEd25519 } from './ed25519.ts'
export { NetError, type NetErrorCode } from './errors.ts'
export { Gates } from './gates.ts'
export { HostCount } from './host-count.ts'
export {
  decodeItem,
  encodeItem,
  isGenuineItem,
  itemMessage,
  itemTarget,
  type MutableItem,
  signItem,
} from './item.ts'
export { KnownPeers } from './known-peers.ts'
export { BAN_DURATION_MS, RANGE_LENGTH_MAX, REQUEST_PAYLOAD_LENGTH_MAX, RESPONSE_LENGTH_MAX } from './limits.ts'
export { lsdInterfaces } from './lsd.ts'
export type {
  Net,
  NetMemory,
  NetOptions,
  TopicHandlers,
} from './net.ts'
export { openNet, openNets } from './nets.ts'
export { type Holder, makeRoom, type Worth, worthOfNewcomer } from './places.ts'
export { type PeerProbe, probeDhtNode, probeLsd, probePeer, probeTracker } from './probe.ts'
export { type FetchRangeOptions, fetchRange, type RangeQuestion } from './range.ts'
export { KeyedBuckets } from './rate.ts'
export { SECRET_LENGTH_MIN, secretTopicOf } from './secret.ts'
export type { Seed, SeedState } from './seeds.ts'
export type { OutsideSource } from './swarm/outside.ts'
export type { Topic, WayState } from './topic.ts'
export type { TopicPeer } from './topic-peer.ts'
export type { Source, Store, Torrent } from './torrent.ts'
export { openTracker, type Tracker } from './tracker/open-tracker.ts'
export { trackerHost } from './tracker.ts'
export { Turns } from './turns.ts'
