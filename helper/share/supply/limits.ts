/**
 * Bounds of asking peers for chains and of following what they claim. As in helper/limits.ts, each has its unit and its reason;
 * PROTOCOL.md section 10 says who can push against them.
 */

/**
 * Peers that are asked for their chains: at first, times as many after each pause in which hardly anything came, and at once, of which the slow
 * do not count; and in all, when nothing usable comes.
 */
export const CHAIN_PEER_COUNT_MAX = 4
export const CHAIN_PEER_GROWTH = 4
export const CHAIN_PEER_OPEN_COUNT_MAX = 64
export const CHAIN_PEER_ALL_COUNT_MAX = 256
/**
 * Milliseconds of such a pause: twice what it took those who are asked to greet us, within these bounds, so that near ones are not waited for as long
 * as far ones; between two looks; and, or a pause where that is shorter, for others who were asked once one has answered with something of use.
 */
export const CHAIN_PAUSE_MS_MIN = 100
export const CHAIN_PAUSE_MS = 200
export const CHAIN_BEAT_MS = 50
export const CHAIN_LAST_CALL_MS = 150
/** Bytes in CHAIN_PAUSE_MS, or in as much of it as a pause lasts, of who is not slow: less is what peers say besides. And answers that come at the same time; further ones are broken off. */
export const CHAIN_ALIVE_LENGTH = 1024
export const CHAIN_COMING_COUNT_MAX = 32
/** Peers asked first that keep their places though they are slow: where addresses wait, honest peers that are slow are not all pushed out. */
export const CHAIN_PEER_KEPT_COUNT = 8
/** Milliseconds in which answers that come keep others from being asked, so that who sends rubbish steadily gains no more. */
export const CHAIN_PATIENT_MS = 1_400

/**
 * Claims of chains, or snapshots, that are followed one after the other, and the milliseconds that may go for those of which not all came, for
 * those that offer nothing, and for waiting for others: a peer that brings nothing (LINK_START_TIMEOUT_MS) leaves time for two more.
 * So many bytes make up for a second.
 */
export const CLAIM_COUNT_MAX = 8
export const CLAIM_WASTE_MS_MAX = 8_000
export const CLAIM_SECOND_LENGTH = 64 * 1024
/** The same of snapshots: each is fetched whole before it shows what it is worth, and the origin sends about as much instead. */
export const SNAPSHOT_TRY_COUNT_MAX = 4
/** Sources that have to say that nothing more is lacking before others are not waited for at all: as many as are asked at first. */
export const CLAIM_AGREED_COUNT = CHAIN_PEER_COUNT_MAX

/**
 * A claim that brings less than so many bytes in so many milliseconds (128 KiB/s), and would go on for longer than that, is slow: the origin is
 * asked as well. Lower, and who pretends to be a slow line would be waited for; higher or sooner, and crowds would turn to the origin while
 * they get going: 16 clones of express behind 2 MB/s, judged after 3 s at twice the rate, took 38 MB from it instead of 18.
 */
export const SLOW_LENGTH = 768 * 1024
export const SLOW_WINDOW_MS = 6_000
export const SLOW_LEFT_MS = 30_000
/** Of a claim that is followed after another has failed, so much is enough: peers have cost their time already. */
export const SLOW_NEXT_MS = 2_000
/** So often the origin is asked for everything in one conversation: each time it counts objects. */
export const ORIGIN_ASK_COUNT_MAX = 2
/** Both bring for at least and at most so many milliseconds, from when so many bytes came of the origin: before, it counts objects. */
export const ORIGIN_RACE_MS_MIN = 1_000
export const ORIGIN_RACE_MS = 4_000
export const ORIGIN_BEGUN_LENGTH = 16 * 1024

/**
 * Bytes that a link, and a peer in its swarm, brings between two looks when it moves: a block. After so many looks in which it did not, peers that do
 * not make way for addresses that wait: late enough that most are tried in the swarm alone, which costs less, and soon enough that the
 * third 64 of a crowd are met before a link is given up (LINK_START_TIMEOUT_MS).
 */
export const WAY_LENGTH = 16 * 1024
export const WAY_LOOK_MS = 100
export const WAY_STILL_COUNT = 5
