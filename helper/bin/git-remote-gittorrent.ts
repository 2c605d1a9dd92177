/**
 * The executable that git starts for gittorrent URLs. Wiring only: the supply is loaded when the first fetch needs it.
 */
import { setMaxListeners } from 'node:events'
import { serveGit } from '../remote/process.ts'

// One signal ends the questions to many peers: Node would warn of the eleventh, in the middle of git's output.
setMaxListeners(0)

await serveGit(async (context) => (await import('../share/supply/swarm-supply.ts')).openSwarmSupply(context))
