/**
 * Counts one kept pack in a process of its own, which outlives the helper (kept-count.ts): the pack is the only argument, as
 * JSON. Says what it found in the trace alone.
 */

import { openTrace } from '../../trace.ts'
import { countKeptPack } from './kept-count.ts'

// The repository may be gone by now, or packed anew; then there is nothing to count, and nobody to tell.
await countKeptPack(JSON.parse(process.argv[2] ?? ''), openTrace(process.env)).catch(() => {})
