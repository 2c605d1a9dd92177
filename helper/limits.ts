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
