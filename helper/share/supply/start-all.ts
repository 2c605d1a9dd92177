/**
 * When which take begins: the oldest first, because git reads them in that order, and a few at a time, because each costs
 * connections and somebody's uplink.
 */

import { HelperError } from '../../errors.ts'
import { DOWNLOAD_PARALLEL_COUNT } from '../../limits.ts'
import { type Incoming, startDownload } from './download.ts'
import type { LineTake } from './plan.ts'

/**
 * Starts the takes of all lines, oldest first and a few at a time; each is a promise that settles when its turn comes, or
 * rejects once `signal` says that nobody waits for it any more.
 */
export function startAll(
  lines: readonly LineTake[],
  started: Incoming[],
  around: Parameters<typeof startDownload>[1],
): Promise<Incoming>[][] {
  let running = 0
  const waiting: (() => void)[] = []
  const release = (): void => {
    running--
    waiting.shift()?.()
  }
  const begin = async (take: LineTake['takes'][number]): Promise<Incoming> => {
    if (running >= DOWNLOAD_PARALLEL_COUNT) await new Promise<void>((resolveSlot) => waiting.push(resolveSlot))
    running++
    if (around.signal.aborted) {
      release()
      throw new HelperError('interrupted', 'download: not needed any more')
    }
    try {
      const incoming = await startDownload(take, around)
      started.push(incoming)
      void incoming.ended.then(release)
      return incoming
    } catch (error) {
      release()
      throw error
    }
  }
  return lines.map(({ takes }) =>
    takes.map((take) => {
      const incoming = begin(take)
      incoming.catch(() => {})
      return incoming
    }),
  )
}
