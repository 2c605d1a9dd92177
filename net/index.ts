/**
 * The door of the net room: bytes, peers, swarms. It knows nothing of what the bytes mean.
 * Start at openNet; PROTOCOL.md says what goes over the wire.
 */
export { type Address, type AddressClass, classOfHost, formatAddress, parseAddress } from './address.ts'
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
export { Refusal, type RequestOptions } from './channel.ts'
export { type Dht, type DhtOptions, openDht, PUBLIC_DHT_BOOTSTRAP } from './dht.ts'
export type { ByteRange, DownloadOptions, DownloadProgress } from './download.ts'
export { NetError, type NetErrorCode } from './errors.ts'
export { RANGE_LENGTH_MAX, REQUEST_PAYLOAD_LENGTH_MAX, RESPONSE_LENGTH_MAX } from './limits.ts'
export { type Download, type DownloadResult, type Net, type NetOptions, openNet, type TopicHandlers } from './net.ts'
export { type FetchRangeOptions, fetchRange, type RangeQuestion } from './range.ts'
export type { Seed, SeedState } from './seeds.ts'
export type { Topic, TopicPeer, WayState } from './topic.ts'
export type { Source, Store, Torrent } from './torrent.ts'
export { openTracker, type Tracker } from './tracker-server.ts'
