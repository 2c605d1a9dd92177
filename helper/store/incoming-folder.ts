/**
 * Where bytes wait that the repository has not taken in yet: of links, snapshots and answers.
 */

import { join } from 'node:path'

/** @param gitDir the common directory of the repository */
export function incomingFolder(gitDir: string): string {
  return join(gitDir, 'gittorrent', 'incoming')
}
