/**
 * The executable that git starts for gittorrent URLs. Wiring only: the supply is loaded when the first fetch needs it.
 */
import { serveGit } from '../remote/process.ts'

await serveGit(async (context) => (await import('../share/supply/swarm-supply.ts')).openSwarmSupply(context))
