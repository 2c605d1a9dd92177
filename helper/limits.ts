/**
 * Bounds of the helper room: what a client, an origin or a setting can push against, with unit and reason.
 * Durations end in `Ms`, sizes in `Bytes`, numbers of things in `Count`.
 */

/** One line of the remote-helper protocol. git's own longest are a push of two ref names of 64 KiB at most. */
export const COMMAND_LINE_LENGTH_BYTES_MAX = 256 * 1024

/** Lines of one batch (fetch, push, list): a million refs is the largest repository heard of, times four. */
export const BATCH_LINE_COUNT_MAX = 4_000_000

/** One pkt-line with its four length digits (gitprotocol-common: 65516 bytes of payload). */
export const PACKET_LENGTH_BYTES_MAX = 65_520

/** One protocol v2 request: a want per ref for four million refs of 64 digits would be 300 MB; nobody comes near. */
export const REQUEST_LENGTH_BYTES_MAX = 512 * 1024 * 1024

/** Refs remembered for the planner; later ones still pass to git, but the planner does not see them. */
export const REMEMBERED_REF_COUNT_MAX = 2_000_000

/** Bytes of `git config --list -z` that are read. */
export const CONFIG_LENGTH_BYTES_MAX = 16 * 1024 * 1024

/** Peers, trackers, bootstrap nodes or web seeds in one setting. */
export const SETTING_VALUE_COUNT_MAX = 256

/** A URL in all its forms; browsers and servers stop earlier. */
export const URL_LENGTH_MAX = 4096

/** TCP connection to a git:// origin: git itself waits as long as the system does (about two minutes). */
export const ORIGIN_CONNECT_TIMEOUT_MS = 120_000

/** After the client has closed its end the origin may take this long to exit before it is ended. */
export const ORIGIN_EXIT_TIMEOUT_MS = 10_000

/** Short git commands of our own (config, update-ref); on a loaded machine they still take far less. */
export const GIT_COMMAND_TIMEOUT_MS = 30_000

/** A connection left idle for this long while the swarm worked is opened anew: servers close idle ones. */
export const ORIGIN_IDLE_MS_MAX = 60_000

/** Progress lines per second are bounded by this pause, as git's own are. */
export const PROGRESS_PAUSE_MS = 250

/** How long the children of an interrupted session get to end by themselves. */
export const INTERRUPT_GRACE_MS = 1_000

/** A temporary file older than this has no writer any more: no single write takes a day. */
export const TEMPORARY_FILE_AGE_MS_MAX = 24 * 3600 * 1000

/** Segment bodies open at a time, per repository; each costs a descriptor. */
export const OPEN_BODY_COUNT_MAX = 32

/** Bytes read at a time when a body or a link is hashed. */
export const READ_CHUNK_LENGTH = 4 * 1024 * 1024

/** Lines of one repository that get chains; further branches are negotiated live. */
export const LINE_COUNT_MAX = 64

/** Worker threads of a build; more cores gain little, because git inflates in as many processes again. */
export const BUILD_THREAD_COUNT_MAX = 16

/** Bytes of object contents that all workers of a build keep together. */
export const BUILD_CACHE_LENGTH = 256 * 1024 * 1024

/** Objects longer than this, in bytes, are held by one worker of a build at a time. */
export const BUILD_HEAVY_LENGTH = 8 * 1024 * 1024

/** Bytes of deltas that wait to be chosen in one worker; past it they are encoded twice. */
export const BUILD_PENDING_LENGTH_MAX = 16 * 1024 * 1024

/** Longest object, in bytes, that `git cat-file` may hold as a whole when it need not: longer ones pass through it. */
export const CAT_FILE_STREAM_LENGTH = 16 * 1024 * 1024

/**
 * Compressed bytes of one shard that a worker keeps in memory, and that one task keeps: what is more goes to a file. A
 * build has up to 195 tasks under way, so they hold 200 MB at most.
 */
export const SHARD_MEMORY_LENGTH_MAX = 1024 * 1024

/** Chains in one answer of a peer: as many as a repository offers. */
export const CHAIN_COUNT_MAX = LINE_COUNT_MAX

/** Links of a chain: one per level, and the checkpoint rule ends at level 40. */
export const LINK_COUNT_MAX = 64

/** Segments of a link: the Linux kernel has about 20,000 coarse ones in all. */
export const SEGMENT_COUNT_MAX = 65_536

/** Bytes of one link, whoever claims them: what 2,048 pieces of 4 MiB hold, which is ten times the Linux kernel. */
export const LINK_LENGTH_MAX = 8 * 1024 * 1024 * 1024

/** Objects of one segment. */
export const OBJECT_COUNT_MAX = 0x7fffffff

/** Bytes of a ref name; git's own files cannot hold longer ones. */
export const REF_NAME_LENGTH_MAX = 4096

/** A whole link of at least this many bytes comes through its swarm; below, a connection of its own costs more than it moves. */
export const SWARM_LENGTH_MIN = 1024 * 1024

/** A link that brings too little for this long is left to the origin. */
export const LINK_STALL_TIMEOUT_MS = 8_000

/** Bytes asked for at a time when a range is brought, and how long each may take: at least 32 kB/s, or the origin is asked. */
export const RANGE_PART_LENGTH = 256 * 1024
export const RANGE_TIMEOUT_MS = 8_000

/** How long a clone waits for the first usable peer: past this, plain git is faster. */
export const PEER_WAIT_MS = 3_000

/** The same for a fetch, which moves little: nobody waits three seconds for a few commits. */
export const PEER_WAIT_FOR_FETCH_MS = 1_000

/** An answer to `chain`, from the question to its last byte. */
export const CHAIN_TIMEOUT_MS = 5_000

/** Bytes of a chain answer: the Linux kernel's has 20,000 segments and 20 × 40 kB of piece hashes. */
export const CHAIN_ANSWER_LENGTH_MAX = 16 * 1024 * 1024

/** Peers that are asked for their chains before the best answer is taken. */
export const CHAIN_PEER_COUNT_MAX = 4

/** Links of one line that are downloaded at the same time. */
export const DOWNLOAD_PARALLEL_COUNT = 4

/** Bytes read for a bundle's header: two lines of 64 digits and a ref name fit four times. */
export const BUNDLE_HEADER_LENGTH_MAX = 1024

/** Packs that git indexes at the same time; each `git index-pack` has threads of its own. */
export const INDEX_PARALLEL_COUNT = 4

/** Days that superseded links stay in an exported folder unless the user says so: nobody reads an old list for longer. */
export const EXPORT_GRACE_DAYS = 7
export const EXPORT_GRACE_DAYS_MAX = 3650

/** Superseded links that a folder keeps, the youngest first: a busy repository makes a few dozen a day. */
export const SUPERSEDED_COUNT_MAX = 4096

/** Bytes of a manifest: 20,000 segments of the Linux kernel and 20 × 55 kB of piece hashes are 8 MB. */
export const MANIFEST_LENGTH_MAX = 32 * 1024 * 1024

/** URLs of one kind in a manifest. */
export const MANIFEST_URL_COUNT_MAX = 64

/** Web seeds of one conversation, each a manifest to fetch. */
export const WEBSEED_COUNT_MAX = 8

/** Hops from the URL of a web seed to its bytes: a release asset takes two. */
export const WEBSEED_REDIRECT_COUNT_MAX = 5

/** From a request to a web seed to the head of its answer. */
export const WEBSEED_ANSWER_TIMEOUT_MS = 5_000

/** Bytes that a web seed must bring within LINK_STALL_TIMEOUT_MS: a quarter of 32 kB/s, because four links come at once. */
export const WEBSEED_ALIVE_LENGTH = 64 * 1024

/** Bytes that are passed over when a server knows no ranges; for more than this another source is cheaper. */
export const WEBSEED_SKIP_LENGTH_MAX = 64 * 1024 * 1024

/** How long the faster of peers and web seeds waits for the other, so that both can be used. */
export const SOURCE_GRACE_MS = 300

/** Bytes that a connection to a web seed must have brought to be opened again after it broke. */
export const WEBSEED_RETRY_LENGTH = 16 * 1024

/** Bytes of a blob under refs/mirrors/ and of the pack that carries it: a thousand URLs. */
export const MIRROR_BLOB_LENGTH_MAX = 64 * 1024
