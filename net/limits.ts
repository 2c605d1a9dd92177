/**
 * Every bound that a stranger can push against, with unit and reason. PROTOCOL.md repeats them as a table.
 * Values that both ends must agree on (message and payload lengths) are part of protocol version 1.
 */

/** Bytes of one bencoded message of ours. */
export const BENCODE_LENGTH_MAX = 16 * 1024 * 1024
/** Nested lists and dictionaries in a message of ours; the deepest has 3. */
export const BENCODE_DEPTH_MAX = 32
/** Values in one message of ours; bounds what two-byte empty lists could allocate. */
export const BENCODE_VALUE_COUNT_MAX = 200_000
/** Decimal digits of an integer; 64 bits have 20. */
export const BENCODE_INTEGER_DIGITS_MAX = 20
/** Decimal digits of a byte string's length: eight are more than BENCODE_LENGTH_MAX needs. */
export const BENCODE_STRING_DIGITS_MAX = 8

/** Bytes of one BitTorrent message; the longest honest ones are 128 KiB blocks and our own requests. */
export const WIRE_MESSAGE_LENGTH_MAX = 512 * 1024
/** Milliseconds from connection to handshake, and from handshake to the extension handshake. */
export const HANDSHAKE_TIMEOUT_MS = 8_000
/** Milliseconds until an outgoing connection is given up. */
export const CONNECT_TIMEOUT_MS = 3_000
/** Milliseconds of silence after which a connection is dropped; keep-alives come every 55 s. */
export const IDLE_TIMEOUT_MS = 150_000

/** Connections that have not sent their handshake yet, over all addresses; the oldest makes room for one more. */
export const PENDING_CONNECTION_COUNT_MAX = 64
/** Incoming connections in all; a farm of 200 runners fits. */
export const INCOMING_CONNECTION_COUNT_MAX = 512
/** Incoming connections from one host; machines behind one NAT share it. Loopback counts as many hosts. */
export const INCOMING_PER_HOST_COUNT_MAX = 32
/** Connections of one topic; a farm of 200 runners fits, idle ones make room for others. */
export const TOPIC_CONNECTION_COUNT_MAX = 256
/** Connections of one topic that we dialled. */
export const TOPIC_DIALLED_COUNT_MAX = 64
/** Milliseconds for which who has come, or asked or brought something, keeps a place of a topic or swarm that others want. */
export const PLACE_GRACE_MS = 2_000
/** Connections of one topic to one peer id: both ends may have dialled at once. */
export const TOPIC_PER_PEER_COUNT_MAX = 2
/** Addresses dialled at the same time for one topic; more wait in line. */
export const TOPIC_DIAL_COUNT_MAX = 24
/** Addresses that one topic remembers, dialled or waiting; a flood of fake ones stops here. */
export const TOPIC_ADDRESS_COUNT_MAX = 256
/** Milliseconds between two look-ups of a topic. */
export const TOPIC_LOOKUP_INTERVAL_MS = 5 * 60_000
/** Milliseconds for which "nobody is there" stands before a caller who waits makes us look again. */
export const TOPIC_SEARCH_FRESH_MS = 10_000
/** Milliseconds before an address that failed may be dialled again. */
export const REDIAL_DELAY_MS = 60_000

/** Bytes of the payload of one request. */
export const REQUEST_PAYLOAD_LENGTH_MAX = 256 * 1024
/** Bytes of a request kind, lowercase ASCII. */
export const REQUEST_KIND_LENGTH_MAX = 32
/** Bytes of one response; the longest are chain answers of very long histories and `range`. */
export const RESPONSE_LENGTH_MAX = 64 * 1024 * 1024
/** Bytes of one streamed answer, whose length is not known beforehand; what a payload of a swarm may have at most. */
export const STREAM_LENGTH_MAX = 8 * 1024 * 1024 * 1024
/** Characters of the reason in an error answer. */
export const REASON_LENGTH_MAX = 64
/** Bytes of one chunk of a response. */
export const RESPONSE_CHUNK_LENGTH = 64 * 1024
/** Bytes of a response that may be on their way without credit from the asker. */
export const RESPONSE_WINDOW_LENGTH = 1024 * 1024
/** Bytes after which the asker grants credit again. */
export const RESPONSE_CREDIT_LENGTH = 256 * 1024
/** Requests of one peer that are being answered at once; more are refused as busy. */
export const REQUEST_INCOMING_COUNT_MAX = 16
/** Requests of ours that wait on one peer. */
export const REQUEST_OUTGOING_COUNT_MAX = 64
/** Milliseconds in which an asker must grant credit. */
export const RESPONSE_STALL_TIMEOUT_MS = 30_000
/** Requests and other control messages of a peer: sustained rate per second … */
export const CONTROL_RATE_PER_S = 100
/** … and how many may come at once. Beyond that the peer is dropped. */
export const CONTROL_BURST_COUNT = 400
/** Messages about questions that are not open (late parts of cancelled ones are some): per second, and at once. */
export const STRAY_RATE_PER_S = 1_000
export const STRAY_BURST_COUNT = 20_000
/** Bytes that a peer of a topic may leave unread: the windows of all its questions, and our own questions. */
export const TOPIC_UNREAD_LENGTH_MAX = 32 * 1024 * 1024
/** The same in a swarm: blocks stop long before; the rest answers its own small messages. */
export const SWARM_UNREAD_LENGTH_MAX = 1024 * 1024
/** Milliseconds in which a peer must read on while something lies ready for it: 64 KiB, or one longer message. */
export const UNREAD_TIMEOUT_MS = 60_000

/** `peers` questions in a row without an answer after which a peer counts as mute, and is dropped. */
export const PEERS_UNANSWERED_COUNT_MAX = 3
/** Addresses in one answer to `peers`. */
export const PEERS_ANSWER_COUNT_MAX = 50
/** Milliseconds between two `peers` questions to the same peer. */
export const PEERS_INTERVAL_MS = 60_000
/** Milliseconds allowed for a `peers` answer. */
export const PEERS_TIMEOUT_MS = 3_000

/** Bytes of one `range` answer; longer ranges are asked for in parts. */
export const RANGE_LENGTH_MAX = 4 * 1024 * 1024
/** Ranges of one fetch that are asked for at once. */
export const RANGE_PARALLEL_COUNT = 4
/** Bytes of all answers that are held in memory until their askers have taken them. */
export const ANSWER_LENGTH_ALL_MAX = 128 * 1024 * 1024

/** Bytes of an info dictionary; 2,000 pieces have 40 kB. */
export const INFO_LENGTH_MAX = 4 * 1024 * 1024
/** Bytes of a piece: the format stops at 4 MiB, other torrents at 16. */
export const PIECE_LENGTH_MAX = 16 * 1024 * 1024
/** Block requests that a peer of a swarm may have outstanding (we tell it as `reqq`). */
export const BLOCK_REQUEST_COUNT_MAX = 512
/** Bytes of one block that a swarm peer may ask for; all programs ask for 16 KiB, some once did for 128. */
export const BLOCK_REQUEST_LENGTH_MAX = 128 * 1024
/** Bytes that may wait unsent in a swarm connection before further blocks wait unread on disk. */
export const BLOCK_BACKLOG_LENGTH_MAX = 256 * 1024
/** Bytes of pieces under way after which peers help each other with those instead of beginning more. */
export const SWARM_OPEN_LENGTH_MAX = 48 * 1024 * 1024
/** Candidates that one choice of a piece looks at; a torrent of ours has 2,048 pieces. */
export const SWARM_CANDIDATE_COUNT_MAX = 8192
/** Peers that may be asked for the same block at the same time. */
export const BLOCK_ASKER_COUNT_MAX = 2
/** Peers of a swarm that are served at once, so that a crowd of 32 on one line is never choked by numbers … */
export const UPLOAD_PLACE_COUNT = 32
/** … and of those, places that go to the longest waiting. */
export const UPLOAD_TURN_COUNT = 4
/** Milliseconds from one block to the next in which a peer keeps its place: a block on a line of 2 KiB a second, or a turn in a crowd. */
export const UPLOAD_PAUSE_MS_MAX = 8_000
/** Bytes of whole pieces that may wait for the disk before no more is asked for. */
export const UNWRITTEN_LENGTH_MAX = 32 * 1024 * 1024
/** Milliseconds of silence of a peer that was asked, after which others are asked for the same … */
export const PEER_SNUB_MS = 4_000
/** … the same before its first block: a crowd that never sends one would hold all blocks together … */
export const PEER_UNTRIED_SNUB_MS = 500
/** … and after which its connection is dropped. */
export const PEER_SILENCE_MS = 30_000
/**
 * Addresses that a download has dialled at first, four times as many after each 100 ms in which nothing came, and at a time, fewer than a swarm has
 * places: each costs as much as a few blocks, so more are met only as long as nothing comes. Where more wait, who was asked and has brought
 * nothing for so long leaves for them: before its first block, and after; so does who lets us wait, or has nothing, as long as a place is worth.
 */
export const DOWNLOAD_DIALLED_COUNT_START = 4
export const DOWNLOAD_DIALLED_GROWTH = 4
export const DOWNLOAD_DIALLED_COUNT_MAX = 48
export const DOWNLOAD_UNTRIED_MUTE_MS = 400
export const DOWNLOAD_MUTE_MS = 1_000
/** While nothing comes, a block that is late is asked of one more who was not tried after so long, of three after twice as long, of seven … */
export const DOWNLOAD_TRY_MS = 100
/** Of those so many leave, and so many more are dialled, in 100 ms in which others have brought a block. */
export const DOWNLOAD_WAY_COUNT = 2
/** Bytes in 100 ms with which nobody has to leave for others: 640 kB/s of one download, where what others cost would be missed. */
export const DOWNLOAD_WAY_LENGTH = 64 * 1024
/** Places beside those for addresses that have brought something of another link. */
export const DOWNLOAD_PREFERRED_COUNT_MAX = 8
/** Addresses of a download that wait to be dialled, and those that it remembers so as to dial none anew. */
export const DOWNLOAD_WAITING_COUNT_MAX = 256
export const DOWNLOAD_MET_COUNT_MAX = 4_096
/** Addresses of which a net remembers how often its downloads tried them in vain. */
export const TRIES_COUNT_MAX = 4_096
/** Milliseconds after which something is said, so that the peer does not take us for dead. */
export const KEEP_ALIVE_MS = 55_000
/** Extension messages in a swarm (metadata questions), and on a topic those that are not ours: per second, and at once. */
export const EXTENSION_RATE_PER_S = 20
export const EXTENSION_BURST_COUNT = 200
/**
 * Messages of a swarm peer that choke, unchoke or say all that it has: per second, and at once. Programs choke every few seconds, and send
 * no more than 72 bitfields instead of the haves of a whole torrent.
 */
export const STATE_RATE_PER_S = 20
export const STATE_BURST_COUNT = 200
/** Its messages about interest, which change twice with each piece where they follow single ones: per second, and at once. */
export const INTEREST_RATE_PER_S = 1_000
export const INTEREST_BURST_COUNT = 5_000
/**
 * Its messages that change nothing: requests that are not served, cancels and rejects of what was not asked for, haves said before, hints. Who is
 * choked may have a thousand requests on their way, who ends a download cancels each block that came from elsewhere.
 */
export const NEEDLESS_RATE_PER_S = 1_000
export const NEEDLESS_BURST_COUNT = 5_000
/** Connections of one swarm. */
export const SWARM_CONNECTION_COUNT_MAX = 64
/** Milliseconds after which a seeded swarm without connections is forgotten by the client (it comes back on demand). */
export const SWARM_IDLE_TIMEOUT_MS = 60_000
/** Milliseconds that a ban lasts. */
export const BAN_DURATION_MS = 60 * 60_000
/** Addresses banned at once; the oldest go first. */
export const BAN_COUNT_MAX = 4096
/** Redials of an address that a download has lost. */
export const DOWNLOAD_REDIAL_COUNT_MAX = 2
/**
 * Bytes of lacking blocks that must arrive within two stall time-outs for a download to count as alive: 32 kB/s where four come at
 * once, which a line of 512 kbit/s brings to two who share it.
 */
export const DOWNLOAD_ALIVE_LENGTH = 128 * 1024

/** Bytes of what a run leaves to the next: all bounds below together stay under it. */
export const KNOWN_LENGTH_MAX = 1024 * 1024
/** Topics whose peers are remembered between runs; the one used least recently goes first. */
export const KNOWN_TOPIC_COUNT_MAX = 512
/** Peers of one topic that are remembered; a client needs one, a dozen in case they are off. */
export const KNOWN_PEER_COUNT_MAX = 32
/** DHT nodes that are remembered. */
export const KNOWN_NODE_COUNT_MAX = 64
/** Times in a row after which a remembered peer that could not be used is forgotten: it may have been starting anew. */
export const KNOWN_FAILURE_COUNT_MAX = 3
/** Milliseconds after which a peer that was not met again is forgotten: addresses change. */
export const KNOWN_AGE_MS_MAX = 30 * 24 * 3600 * 1000
/** Milliseconds between two times that a long run leaves what it knows. */
export const KNOWN_SAVE_INTERVAL_MS = 10 * 60_000

/** Bytes of one datagram of local service discovery (BEP 14). */
export const LSD_DATAGRAM_LENGTH_MAX = 1400
/** Infohashes in one such datagram: 1,400 bytes hold 26. */
export const LSD_INFOHASH_COUNT_MAX = 26
/** Characters of the word by which a sender knows its own datagrams. */
export const LSD_COOKIE_LENGTH_MAX = 64
/** Such datagrams of one address: per second, and at once. */
export const LSD_RATE_PER_S = 10
export const LSD_BURST_COUNT = 100
/** Source addresses whose rate is remembered. */
export const LSD_SOURCE_COUNT_MAX = 1024
/** Network interfaces on which peers are looked for. */
export const LSD_INTERFACE_COUNT_MAX = 8
/** Milliseconds between two announcements of a topic (BEP 14 allows one a minute) … */
export const LSD_ANNOUNCE_PAUSE_MS = 60_000
/** … and between two questions of one who cannot be dialled. */
export const LSD_ASK_PAUSE_MS = 5_000
/** Milliseconds that neighbours get to answer; nobody is waited for longer. */
export const LSD_ANSWER_WAIT_MS = 200

/** Bytes of one DHT datagram; honest ones stay below 1,500. */
export const DHT_DATAGRAM_LENGTH_MAX = 4096
/** Bytes of a token, and of a transaction's number; libtorrent's have 4 and 2, ours 20 and 2. */
export const DHT_TOKEN_LENGTH_MAX = 128
export const DHT_TRANSACTION_LENGTH_MAX = 32
/** Bytes of the reason that an error gives. */
export const DHT_REASON_LENGTH_MAX = 256
/** DHT messages of one address: per second, and at once. Beyond that they are ignored. */
export const DHT_RATE_PER_S = 100
export const DHT_BURST_COUNT = 500
/** DHT messages of all addresses together. */
export const DHT_RATE_ALL_PER_S = 2_000
export const DHT_BURST_ALL_COUNT = 5_000
/** Source addresses whose rate is remembered. */
export const DHT_SOURCE_COUNT_MAX = 4096
/** Bytes of a stored value as a bencoded byte string must be ≤ 1000 (BEP 44): 995 and its "995:". */
export const DHT_VALUE_LENGTH_MAX = 995
/** Bytes of the salt of a stored item (BEP 44). */
export const DHT_SALT_LENGTH_MAX = 64
/** Items that our node stores for others; the one not asked for or refreshed for longest makes room. */
export const DHT_ITEM_COUNT_MAX = 10_000
/** Milliseconds for which our node keeps an item that nobody refreshes (BEP 44: two hours). */
export const DHT_ITEM_AGE_MS_MAX = 2 * 3600 * 1000
/** Different genuine items of one target that a look-up returns; honest ones differ while an update spreads. */
export const DHT_VERSION_COUNT_MAX = 16
/** Milliseconds that an announced peer is kept (BEP 5 clients announce every 15 to 30 minutes). */
export const DHT_PEER_AGE_MS_MAX = 45 * 60_000
/** Milliseconds until a DHT node that does not answer is given up. */
export const DHT_QUERY_TIMEOUT_MS = 1_500
/** Peers of one topic that are taken from the DHT or a tracker in one round. */
export const LOOKUP_ADDRESS_COUNT_MAX = 200
/** Milliseconds that a tracker may take to answer. */
export const TRACKER_TIMEOUT_MS = 5_000
/** Milliseconds that the farewell to trackers may delay close(). */
export const TRACKER_CLOSE_TIMEOUT_MS = 500
/** Bytes of a tracker's answer; 200 peers have 4 kB. */
export const TRACKER_ANSWER_LENGTH_MAX = 256 * 1024
/** Milliseconds after which a UDP tracker is asked again. */
export const TRACKER_RESEND_MS = 1_000
/** Peers that our own tracker keeps, over all infohashes: 45 MB at most. */
export const TRACKER_PEER_COUNT_MAX = 50_000
/** Peers of one infohash that it keeps, each of which an announcement looks at … */
export const TRACKER_PER_INFOHASH_COUNT_MAX = 1_000
/** … and those of one host; machines behind one NAT share it, and few of them can be dialled. */
export const TRACKER_PER_HOST_COUNT_MAX = 8
/** The same of one /64 of IPv6, which all machines of a local network share. */
export const TRACKER_PER_NETWORK_COUNT_MAX = 64
/** Milliseconds after which who announced is to come back … */
export const TRACKER_INTERVAL_MS = 5 * 60_000
/** … and after which he is forgotten. */
export const TRACKER_PEER_AGE_MS_MAX = 15 * 60_000
/** Peers in an answer of our tracker, for who does not say how many, and at most. */
export const TRACKER_ANSWER_COUNT_DEFAULT = 50
export const TRACKER_ANSWER_COUNT_MAX = 200
/** Infohashes in one scrape; a datagram that no path splits holds 74 of them. */
export const TRACKER_SCRAPE_COUNT_MAX = 64
/** Requests of one host to our tracker: per second, and at once. A daemon announces all that it keeps when it starts. */
export const TRACKER_RATE_PER_S = 50
export const TRACKER_BURST_COUNT = 2_000
/** Hosts whose rate is remembered. */
export const TRACKER_SOURCE_COUNT_MAX = 4096
/** HTTP connections to our tracker; the host with most loses its oldest. */
export const TRACKER_CONNECTION_COUNT_MAX = 256
/** Milliseconds that such a connection may last. */
export const TRACKER_CONNECTION_MS_MAX = 5_000
/** Bytes of an HTTP request's head. */
export const TRACKER_REQUEST_LENGTH_MAX = 8 * 1024
/** Milliseconds for which a connection id is told; it is good for as long again (BEP 15). */
export const TRACKER_CONNECTION_ID_AGE_MS = 2 * 60_000
/** Failures of one piece after which all who sent parts of it are banned. */
export const BAD_PIECE_COUNT_MAX = 4
/** Blocks of a peer that nobody asked for; late answers to cancelled requests are some. */
export const UNASKED_BLOCK_COUNT_MAX = 1_000
/** Milliseconds before a lost peer of a download is dialled again. */
export const DOWNLOAD_REDIAL_DELAY_MS = 500
/** Bytes received for one download, in multiples of its length (and 16 MiB), after which it is given up as poisoned. */
export const DOWNLOAD_WASTE_FACTOR_MAX = 3

/** Connections whose handshake names neither topic nor swarm, because they ask where something is: at once … */
export const ASK_CONNECTION_COUNT_MAX = 32
/** … per second, and at once; each costs a look-up in the embedding room … */
export const ASK_RATE_PER_S = 40
export const ASK_BURST_COUNT = 256
/** … of one host (or /64), so that it takes dozens to use that up; and hosts that are counted … */
export const ASK_OWNER_RATE_PER_S = 1
export const ASK_OWNER_BURST_COUNT = 16
export const ASK_OWNER_COUNT_MAX = 4_096
/** … messages on one of them … */
export const ASK_MESSAGE_COUNT_MAX = 16
/** … and milliseconds that one may last. */
export const ASK_DURATION_MS_MAX = 30_000
