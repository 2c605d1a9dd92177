/**
 * Bounds of publishing under a key: records, refs documents, the tunnel, following. Each with unit and reason;
 * names as in ../limits.ts.
 */

/** Bytes of a record: what BEP 44 lets a value have as a bencoded byte string of at most 1000. */
export const RECORD_LENGTH_MAX = 995

/** Maintainers that a record can delegate to; about as many fit into it. */
export const DELEGATE_COUNT_MAX = 16

/** Bytes of a refs document: a million refs of 128 bytes. */
export const REFS_DOCUMENT_LENGTH_MAX = 128 * 1024 * 1024

/** Bytes of one page of a refs document. */
export const REFS_PAGE_LENGTH = 1024 * 1024

/** Refs documents of a publisher that are known to be undamaged, without reading them again for each page. */
export const SERVED_DOCUMENT_COUNT_MAX = 256

/** Records that are known to be genuine, without verifying them again for each question: about a kilobyte each. */
export const GENUINE_ITEM_COUNT_MAX = 1_024

/** Records in one answer: profile, repository, those of delegates, successors. */
export const RECORDS_ANSWER_COUNT_MAX = 64

/** Milliseconds for one answer to `refs`: records, of which a few kilobytes are told; a page, which has a megabyte. */
export const RECORDS_TIMEOUT_MS = 5_000
export const REFS_TIMEOUT_MS = 15_000

/** Peers of a publisher's topic that know its key and are asked for records and documents … */
export const REFS_PEER_COUNT_MAX = 32
/** … and peers that are asked whether they do. */
export const REFS_PEER_ALL_COUNT_MAX = 128

/** Proofs of two values for one seq that are kept per publisher. */
export const EVIDENCE_COUNT_MAX = 32

/** How often a record is signed above what other machines with the key have signed meanwhile, before it is put as it is. */
export const OWN_RECORD_ATTEMPT_COUNT_MAX = 4

/** Milliseconds that a machine which has signed the same seq as another one leaves to that one, whose word goes first. */
export const OWN_RECORD_PAUSE_MS = 1_000

/** Successors that are followed from the key of a URL; each is a rotation that its holder made. */
export const SUCCESSOR_COUNT_MAX = 8

/** Seconds that a record holds unless told otherwise: four weeks, so that a holiday of its publisher does not matter. */
export const RECORD_LIFETIME_S = 28 * 24 * 3600

/** Seconds before its end from which a record is shown as about to expire. */
export const RECORD_WARNING_S = 3 * 24 * 3600

/** How long a reader waits for the first peer of a publisher's topic: there is no origin that could answer instead. */
export const PUBLISHER_WAIT_MS = 10_000

/** Bytes of one question to the tunnel, and wants and haves in it: within the 256 KiB of a payload at 64 digits each. */
export const TIP_REQUEST_LENGTH_MAX = 256 * 1024
export const TIP_WANT_COUNT_MAX = 1_500
export const TIP_HAVE_COUNT_MAX = 1_000

/** Bytes that one answer of the tunnel may have, and how long making it may take. */
export const TIP_ANSWER_LENGTH_MAX = 8 * 1024 * 1024 * 1024
export const TIP_SERVE_TIMEOUT_MS = 30 * 60_000

/** Answers of the tunnel that are made at once, in all and for one host: each is a `git upload-pack` with its memory. */
export const TIP_PARALLEL_COUNT = 4
export const TIP_PER_HOST_COUNT = 2

/** Answers of the tunnel that a host may have begun per second and at once, and hosts that are counted: starting git takes 8 ms. */
export const TIP_RATE_PER_S = 4
export const TIP_BURST_COUNT = 20
export const TIP_HOST_COUNT_MAX = 1_024

/** A tunnel that brings nothing for this long is left; counting objects of a large repository takes some seconds. */
export const TIP_STALL_TIMEOUT_MS = 30_000

/** A tunnel that brings less than so many bytes in so many milliseconds has the next peer asked beside it. */
export const TIP_ALIVE_LENGTH = 32 * 1024
export const TIP_PATIENCE_MS = 3_000

/** How often, and after how many milliseconds, a peer that is busy is asked again. */
export const TIP_BUSY_COUNT_MAX = 20
export const TIP_BUSY_PAUSE_MS = 1_000

/**
 * An asker who has let the tunnel wait for so many milliseconds, and took, beyond the first bytes that go without credit, less
 * than so many in each second of them, makes room for the next one when all places are taken.
 */
export const TIP_READER_WAIT_MS_MAX = 3_000
export const TIP_READER_FREE_LENGTH = 1024 * 1024
export const TIP_READER_RATE_MIN = 32 * 1024

/** Questions to the tunnel for one fetch; each carries what it has of wants. */
export const TIP_ROUND_COUNT_MAX = 1_000

/** Bytes of what receive-pack says to a push; it is held back until the record is signed. */
export const PUSH_REPORT_LENGTH_MAX = 64 * 1024 * 1024

/** Bytes on disk up to which `follow <key>` takes further repositories of a publisher. */
export const FOLLOW_BUDGET_BYTES = 10 * 1024 * 1024 * 1024

/** Milliseconds until records are put again; nodes forget after two hours (BEP 44). */
export const REPUBLISH_INTERVAL_MS = 45 * 60_000

/** Milliseconds between two looks for news of what is followed. */
export const FOLLOW_INTERVAL_MS = 5 * 60_000

/** How often, and after how many milliseconds times the attempt, refs are tried again that another run of ours has locked. */
export const REF_LOCK_ATTEMPT_COUNT_MAX = 6
export const REF_LOCK_DELAY_MS = 150

/** How long a reader waits for a further peer that has what is lacking, when others are there already. */
export const FURTHER_PEER_WAIT_MS = 3_000

/** The same when nobody is there though a record is: a topic is looked up again after ten seconds. */
export const LATE_PEER_WAIT_MS = 12_000

/** Pause between two looks at who has come. */
export const PEER_POLL_MS = 100

/** Milliseconds that one of our processes waits for another that signs for the same publisher: a push may bring much. */
export const PUBLISHER_LOCK_WAIT_MS = 10 * 60_000

/** Milliseconds that a reader or a daemon waits for it: it comes back later anyway. */
export const PUBLISHER_LOCK_PATIENCE_MS = 30_000

/** Publications that one daemon keeps; each costs a topic, and a look for news now and then. */
export const PUBLICATION_COUNT_MAX = 1_000

/** Peers of a topic that are asked now and then whether they hold the publication, too. */
export const HOLDER_ASKED_COUNT_MAX = 32

/** Bytes of the main line, and share of it, from which a second copy on disk is worth an indexing of all. */
export const TWICE_LENGTH_MIN = 1024 * 1024
export const TWICE_SHARE_MIN = 0.25

/** How often a publication is read again because a newer record turned up while its objects came. */
export const REREAD_COUNT_MAX = 3
