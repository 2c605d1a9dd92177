/**
 * The executable that git starts for gittorrent URLs. Wiring only: the supply is loaded when the first fetch needs it.
 */
import { serveGit } from '../remote/process.ts'
import { NULL_SUPPLY } from '../remote/supply.ts'

await serveGit(async () => NULL_SUPPLY)
