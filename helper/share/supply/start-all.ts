/**
 * When which take begins: the oldest first, because git reads them in that order, and a few at a time, because each costs
 * connections and somebody's uplink. Web seeds alone bring one after the other, so that git gets its bytes as they come and is not
 * left with most of them when the last one is there; the next one is asked for shortly before the last bytes of one.
 */

import { HelperError } from '../../errors.ts'
import { DOWNLOAD_PARALLEL_COUNT } from '../../limits.ts'
import { type Incoming, isSwarmed, startDownload } from './download.ts'
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
  const busyCountMax = around.peers.length > 0 ? DOWNLOAD_PARALLEL_COUNT : 1
  let openCount = 0
  let busyCount = 0
  const waiting: (() => void)[] = []
  const isFree = (): boolean => openCount < DOWNLOAD_PARALLEL_COUNT && busyCount < busyCountMax
  const goOn = (): void => {
    while (isFree()) {
      const next = waiting.shift()
      if (next === undefined) return
      openCount++
      busyCount++
      next()
    }
  }
  const noteEnding = (): void => {
    busyCount--
    goOn()
  }
  const noteEnd = (): void => {
    openCount--
    goOn()
  }
  const begin = async (take: LineTake['takes'][number]): Promise<Incoming> => {
    await new Promise<void>((resolveTurn) => {
      waiting.push(resolveTurn)
      goOn()
    })
    try {
      if (around.signal.aborted) throw new HelperError('interrupted', 'download: not needed any more')
      const incoming = await startDownload(take, around)
      if (around.signal.aborted) {
        // Whoever ends what was started has been here already.
        await incoming.stop()
        await (isSwarmed(take) ? incoming.file.close() : incoming.file.remove())
        throw new HelperError('interrupted', 'download: not needed any more')
      }
      started.push(incoming)
      void incoming.ending.then(noteEnding)
      void incoming.ended.then(noteEnd)
      return incoming
    } catch (error) {
      noteEnding()
      noteEnd()
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
