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

/** Bytes of an answer that are kept until the links are checked. Of tigerbeetle with all branches it has 6 MB. */
export const ANSWER_KEPT_LENGTH_MAX = 64 * 1024 * 1024

/** An answer that stood unread for this long is asked for anew: servers end connections that nobody reads, nginx after 60 s. */
export const ORIGIN_UNREAD_MS_MAX = 20_000

/** Progress lines per second are bounded by this pause, as git's own are. */
export const PROGRESS_PAUSE_MS = 250

/** How long the children of an interrupted session get to end by themselves. */
export const INTERRUPT_GRACE_MS = 1_000

/** A temporary file older than this has no writer any more: no single write takes a day. */
export const TEMPORARY_FILE_AGE_MS_MAX = 24 * 3600 * 1000

/** Segment bodies open at a time in one process, whatever the number of its repositories; each costs a descriptor. */
export const OPEN_BODY_COUNT_MAX = 128

/** A file that changed less than this before it was checked may change again with the same times (some file systems count seconds). */
export const RACY_AGE_MS_MAX = 2_000

/** Bytes read at a time when a body or a link is hashed. */
export const READ_CHUNK_LENGTH = 4 * 1024 * 1024

/** Lines of one repository that get chains; further branches are negotiated live. Tigerbeetle, with 542 branches, has 273. */
export const LINE_COUNT_MAX = 512

/** Commits of the main line that a branch's segments may hold again, for each that they bring. */
export const LINE_REPEATED_FACTOR_MAX = 3

/** Layers of a split commit-graph; git merges them long before. */
export const COMMIT_GRAPH_LAYER_COUNT_MAX = 256

/** Commits read one by one before \`git log\` over the whole history is the faster way. */
export const COMMIT_WALK_COUNT_MAX = 16_384

/** Commits to build for each worker thread that is started. */
export const BUILD_COMMITS_PER_THREAD_MIN = 64

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

/** Bytes of delta bases that one `git cat-file` keeps; git's own 96 MiB in each of a build's processes are no faster. */
export const CAT_FILE_CACHE_LENGTH = 16 * 1024 * 1024

/**
 * Compressed bytes of one shard that a worker keeps in memory, and that one task keeps: what is more goes to a file. A
 * build has up to 195 tasks under way, so they hold 200 MB at most.
 */
export const SHARD_MEMORY_LENGTH_MAX = 1024 * 1024

/** Chains in one answer of a peer: as many as a repository offers. */
export const CHAIN_COUNT_MAX = LINE_COUNT_MAX

/** Chains in an answer to who does not say how many he takes, and in an exported folder, where each link is a file and a request. */
export const CHAIN_COUNT_UNASKED = 64

/**
 * Bytes from which on a branch is taken where there are more lines than the second value. git stores the delta bases of each line once
 * more: all 272 branches of tigerbeetle, 5.4 MB, add 28 MB to the disk, its 19 from 64 KiB on 6.7 MB, the 3 from 192 KiB on 1.4 MB.
 */
export const LINE_LENGTH_MIN = 192 * 1024
export const SHORT_LINE_COUNT_MAX = 32

/** The same for an exported folder with fewer lines: what is shorter is not worth a request for each of its links. */
export const FOLDER_LINE_LENGTH_MIN = 64 * 1024

/** Links of a chain: one per level, and the checkpoint rule ends at level 40. */
export const LINK_COUNT_MAX = 64

/** Segments of a link: the Linux kernel has about 20,000 coarse ones in all. */
export const SEGMENT_COUNT_MAX = 65_536

/** Bytes of one link, whoever claims them: what 2,048 pieces of 4 MiB hold, which is ten times the Linux kernel. */
export const LINK_LENGTH_MAX = 8 * 1024 * 1024 * 1024

/** Bytes of the piece hashes of one payload: 20 for each of 2,048 pieces (FORMAT.md). */
export const PIECE_HASHES_LENGTH_MAX = 2048 * 20

/** Objects of one segment. */
export const OBJECT_COUNT_MAX = 0x7fffffff
/** Bytes of a ref name; git's own files cannot hold longer ones. */
export const REF_NAME_LENGTH_MAX = 4096

/**
 * A whole link of at least this many bytes comes through its swarm; below, a connection of its own costs more than it moves. What
 * comes as ranges is sent by a seeder once for each of a crowd: eight clones of express at once cost it 12 times the history with 1 MiB.
 */
export const SWARM_LENGTH_MIN = 128 * 1024

/** A link that brings too little for this long is left to the origin; and one that has brought nothing yet (four bring a block each at 22 kB/s). */
export const LINK_STALL_TIMEOUT_MS = 8_000
export const LINK_START_TIMEOUT_MS = 3_000
/** Bytes asked for at a time when a range is brought, and how long each may take as long as its peer moves. */
export const RANGE_PART_LENGTH = 256 * 1024
export const RANGE_TIMEOUT_MS = 30_000
/** A peer that brings less than so many bytes, on its whole connection, in so many milliseconds is not asked for ranges any more. */
export const RANGE_STALL_LENGTH = 16 * 1024
export const RANGE_STALL_MS = 4_000
/** A peer that brings less than so many bytes of a range in so many milliseconds has so many peers asked beside it. */
export const RANGE_ALIVE_LENGTH = 16 * 1024
export const RANGE_PATIENCE_MS = 500
export const RANGE_BESIDE_COUNT = 3

/** How long a clone waits for the first usable peer: past this, plain git is faster. */
export const PEER_WAIT_MS = 3_000
/** The same for a fetch, which moves little: nobody waits three seconds for a few commits. */
export const PEER_WAIT_FOR_FETCH_MS = 1_000
/** An answer to `chain`, from the question to its last byte. */
export const CHAIN_TIMEOUT_MS = 5_000
/**
 * Bytes of a chain answer: the Linux kernel's has 20,000 segments of 95 and 20 × 40 kB of piece hashes, that of tigerbeetle's 273 lines
 * 182 kB. And of all that are kept at once: what was read of one takes several times as much, and 32 come at once.
 */
export const CHAIN_ANSWER_LENGTH_MAX = 4 * 1024 * 1024
export const CHAIN_ANSWER_LENGTH_ALL_MAX = 16 * 1024 * 1024

/** Bytes of the file in which peers are remembered; the net bounds what is in it. */
export const PEER_MEMORY_LENGTH_MAX = 1024 * 1024

/** Links of one line that are downloaded at the same time. */
export const DOWNLOAD_PARALLEL_COUNT = 4

/** Bytes read for a bundle's header: two lines of 64 digits and a ref name fit four times. */
export const BUNDLE_HEADER_LENGTH_MAX = 1024

/** Packs of one claim that git may refuse before the rest of it is left alone: one bad line among 512 costs nine, with its pack's halves. */
export const PACK_REFUSED_COUNT_MAX = 16

/**
 * Objects of a whole history that is checked by our own thread, at 130 bytes of each (measured: 191 MB for 1.5 million); of longer ones git
 * lists all objects, so that a client stays under 300 MB.
 */
export const EXACT_OBJECT_COUNT_MAX = 1_000_000

/** So few that git's list of them (0.1 s for express' 32,434) costs less than a thread, whose code has to get warm first. */
export const EXACT_OBJECT_COUNT_MIN = 50_000

/** Objects of a pack that is held against what git lists, at 41 bytes each; who lacks more of a history that he has asks its origin. */
export const ADDED_OBJECT_COUNT_MAX = 3_000_000

/**
 * What git may list beyond the objects of a pack and as many again: what went and came back (695 objects in all of git/git), a
 * whole tree of a large project at worst.
 */
export const ADDED_BEYOND_COUNT_MAX = 65_536

/** Milliseconds for git's list, and for every thousand objects of the pack: git lists 100,000 in a second. */
export const ADDED_CHECK_MS = 20_000
export const ADDED_CHECK_MS_PER_THOUSAND = 100

/** Snapshots of one repository that are kept and offered: the newest, and the one that clones still ask for. */
export const SNAPSHOT_COUNT_MAX = 2

/** Bytes of a snapshot's commit, which is inflated here, before git sees it; the longest of public histories have some ten thousand. */
export const SNAPSHOT_COMMIT_LENGTH_MAX = 1024 * 1024

/** Snapshots of one repository on the disk, those of lines that were rewritten or left included. */
export const SNAPSHOT_STORED_COUNT_MAX = 4

/** Repositories that one daemon keeps unless told otherwise: each costs a look at its refs per round. */
export const REPOSITORY_COUNT_DEFAULT = 1000

/** Seconds between two looks at all repositories; what the file system tells is heard at once. */
export const POLL_INTERVAL_DEFAULT_S = 30

/** Repositories whose folders are watched through the file system, three watches each; the others are only polled. */
export const WATCHED_REPOSITORY_COUNT_MAX = 256

/** Milliseconds from a change in a repository to the look at it: a fetch writes many refs one after the other. */
export const REF_SETTLE_MS = 500

/** Milliseconds by which the clock may leave the monotonic one between two looks before all is announced anew. */
export const CLOCK_JUMP_MS = 60_000

/** Milliseconds until a failed build is tried again; doubles up to the second value. */
export const BUILD_RETRY_MS_MIN = 60_000
export const BUILD_RETRY_MS_MAX = 3_600_000

/** Niceness of a background build. */
export const BUILD_NICENESS = 15

/** Bytes that stay free on a disk on which something is built. */
export const DISK_FREE_LENGTH_MIN = 16 * 1024 * 1024

/** Bytes of one request or answer on the daemon's socket: status of 1,000 repositories with 20 links each. */
export const CONTROL_REQUEST_LENGTH_MAX = 64 * 1024
export const CONTROL_ANSWER_LENGTH_MAX = 64 * 1024 * 1024

/** Programs that talk to the daemon at the same time. */
export const CONTROL_CONNECTION_COUNT_MAX = 32

/** Milliseconds for one request on the daemon's socket; `add` opens the repository first. */
export const CONTROL_TIMEOUT_MS = 20_000

/** Milliseconds that a finished fetch spends on telling the daemon. */
export const HAND_OVER_TIMEOUT_MS = 500

/** Bytes of a socket's path: 108 with the closing zero on Linux, 104 elsewhere. */
export const SOCKET_PATH_LENGTH_MAX = 103

/** Milliseconds in which the daemon has to end, whatever still hangs. */
export const DAEMON_CLOSE_TIMEOUT_MS = 2_500

/** Milliseconds in which an origin has to answer an anonymous request, and until it is asked again. */
export const ANONYMOUS_TIMEOUT_MS = 15_000
export const ANONYMOUS_RETRY_MS = 600_000

/** Milliseconds between two writes of the daemon's list while only counters change. */
export const LIST_WRITE_INTERVAL_MS = 60_000

/** Folders below a root that are searched for exported repositories: deeper ones are no layout of repositories. */
export const EXPORT_DEPTH_MAX = 8

/** Folders that one search visits. */
export const EXPORT_FOLDER_COUNT_MAX = 100_000

/** Repositories that the daemon reads at the same time, each with a git of its own. */
export const REPOSITORY_READ_PARALLEL_COUNT = 2

/** Milliseconds after which a clone that vanished is forgotten, unless somebody had added it by hand. */
export const MISSING_FORGET_MS = 24 * 3_600_000

/** Milliseconds in which a peer or tracker has to take a connection of the doctor's. */
export const DOCTOR_CONNECT_TIMEOUT_MS = 3_000

/** Days that superseded links stay in an exported folder unless the user says so: nobody reads an old list for longer. */
export const EXPORT_GRACE_DAYS = 7
export const EXPORT_GRACE_DAYS_MAX = 3650

/** Superseded links that a folder keeps, the youngest first: a busy repository makes a few dozen a day. */
export const SUPERSEDED_COUNT_MAX = 4096

/** Bytes of a manifest: 64 chains of 20 links are 1 MB, 4,096 superseded links as much again. */
export const MANIFEST_LENGTH_MAX = 8 * 1024 * 1024

/** URLs of one kind in a manifest. */
export const MANIFEST_URL_COUNT_MAX = 64

/** Bytes of a .torrent file: piece hashes, 64 trackers, 64 URLs, and 65,536 segments. */
export const TORRENT_FILE_LENGTH_MAX = 8 * 1024 * 1024

/** Web seeds of one conversation, each a manifest to fetch. */
export const WEBSEED_COUNT_MAX = 8

/** Hops from the URL of a web seed to its bytes: a release asset takes two. */
export const WEBSEED_REDIRECT_COUNT_MAX = 5

/** From a request to a web seed to the head of its answer. */
export const WEBSEED_ANSWER_TIMEOUT_MS = 5_000

/** Bytes that a web seed must bring within LINK_STALL_TIMEOUT_MS: a quarter of 32 kB/s, because four links come at once. */
export const WEBSEED_ALIVE_LENGTH = 64 * 1024

/** Bytes that are still to come from a web seed when the next link is asked for: a round trip of 40 ms at 50 Mbit/s. */
export const WEBSEED_AHEAD_LENGTH = 256 * 1024

/** Bytes that are there already and are taken once more, rather than asking a web seed twice. */
export const WEBSEED_GAP_LENGTH = 256 * 1024

/** .torrent files that are asked for at the same time, each over a connection of its own. */
export const TORRENT_PARALLEL_COUNT = 8

/** Bytes that are passed over when a server knows no ranges; for more than this another source is cheaper. */
export const WEBSEED_SKIP_LENGTH_MAX = 64 * 1024 * 1024

/** Characters of an ETag or a date that are given back to a web server. */
export const WEBSEED_VALIDATOR_LENGTH_MAX = 256

/** Manifests that are kept between runs, and bytes of all of them: 64 repositories as large as git/git are 16 MB. */
export const MANIFEST_KEPT_COUNT_MAX = 64
export const MANIFEST_KEPT_LENGTH_MAX = 64 * 1024 * 1024

/**
 * How long the faster of peers and web seeds waits for the other, so that both can be used; and how long both are waited for where neither has
 * said anything of use: peers take 8 s at most, and a manifest of 300 kB (git/git's has 22) comes in that time at 32 kB/s.
 */
export const SOURCE_GRACE_MS = 300
export const SOURCE_WAIT_MS = 10_000

/** Bytes that a connection to a web seed must have brought to be opened again after it broke. */
export const WEBSEED_RETRY_LENGTH = 16 * 1024

/** Connections to our own web server in all, and from one host that is not this machine: a few clones, at up to 12 each. */
export const WEB_CONNECTION_COUNT_MAX = 256
export const WEB_PER_HOST_COUNT_MAX = 64

/** Bytes and number of a request's headers: a path has some 200 bytes, and clients add little. */
export const WEB_HEADER_LENGTH_MAX = 8 * 1024
export const WEB_HEADER_COUNT_MAX = 64

/** Milliseconds from a connection, or the first byte of a further request on it, to the end of the request. */
export const WEB_REQUEST_TIMEOUT_MS = 10_000

/** Milliseconds that a connection may stay between two requests. */
export const WEB_IDLE_TIMEOUT_MS = 15_000

/** Milliseconds in which a client has to take the next part of an answer: 64 KiB in 30 s are 2 kB/s. */
export const WEB_UNREAD_TIMEOUT_MS = 30_000

/** Bytes of such a part, and under an upload limit, which many clients share. */
export const WEB_CHUNK_LENGTH = 64 * 1024
export const WEB_LIMITED_CHUNK_LENGTH = 16 * 1024

/** Parts that are read from the disk at the same time: each may read a piece of 4 MiB to check it. */
export const WEB_READ_PARALLEL_COUNT = 8

/** Seconds that `seed --once --linger` may take: a day; timers hold no more than 24 of them. */
export const LINGER_S_MAX = 24 * 3600

/** Bytes of the file with a farm's secret: one line of random text. */
export const SECRET_FILE_LENGTH_MAX = 4096

/** Checkpoints that a shallow repository is asked whether it holds all of: each costs a walk, which mostly ends at once. */
export const WHOLE_CHECK_COUNT_MAX = 8

/** Strangers' questions where a commit is: asked of git at once per repository, chains looked through, milliseconds of each command. */
export const ASK_PARALLEL_COUNT = 1
export const ASK_CHAIN_COUNT_MAX = 8
export const ASK_GIT_TIMEOUT_MS = 2_000

/** Milliseconds between two touches of a lock, until one that nobody touches is taken over, and between two tries. */
export const LOCK_TOUCH_MS = 2_000
export const LOCK_STALE_MS = 15_000
export const LOCK_POLL_MS = 50

/** An interrupted download that is not gone on with for so long is removed by the next one. */
export const INCOMING_AGE_MS_MAX = 7 * 24 * 3600 * 1000
