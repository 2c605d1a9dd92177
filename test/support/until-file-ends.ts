/**
 * What a test file opens for all of its tests ends with it: the newest first, and each of them also when another could not be
 * ended. node:test goes no further than the first `after` that throws, as one does that closes what a failed `before` has never
 * opened; what was open by then would keep the process until the runner's limit.
 */

import { after } from 'node:test'

const ends: (() => unknown)[] = []

/** Has `end` run once the tests of this file are over, whatever came of them and of its `before`. */
export function whenFileEnds(end: () => unknown): void {
  ends.push(end)
}

/** Has `opened` closed once the tests of this file are over; returns it. */
export function untilFileEnds<Opened extends { close(): unknown }>(opened: Opened): Opened {
  whenFileEnds(() => opened.close())
  return opened
}

after(async () => {
  const failures: unknown[] = []
  for (const end of ends.reverse()) {
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
})
