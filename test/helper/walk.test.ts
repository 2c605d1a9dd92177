/**
 * Goal: whoever follows WALK.md line by line gets what it says, and its clones cost the origin what it says.
 * Method: all its blocks in order, with 5 clones in place of 200; git compares what came. `npm run walk:clones` does all 200.
 */

import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { CloneWalk, walkClones } from '../../bench/clone-walk.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const SIZE = { cloneCount: 5, atOnce: 3 }

let walk: CloneWalk

before(async () => {
  walk = untilFileEnds(await CloneWalk.open(SIZE))
})

async function assertEqual(clone: string, other: string): Promise<void> {
  const refs = (of: string): Promise<string> => walk.git('-C', of, 'for-each-ref', 'refs/heads', 'refs/remotes')
  assert.equal(await refs(clone), await refs(other))
  await walk.git('-C', clone, 'fsck', '--no-progress')
}

it('every block of the walk runs, and the origin sends what the walk says', async () => {
  const { plain, stock, helper, dayRequestCount, first, farm } = await walkClones(walk, SIZE, assertEqual)
  assert.equal(walk.leftCount, 0)
  assert.ok(plain > 400_000, `${plain} bytes`)
  assert.ok(stock < plain / 4, `stock git: ${stock} of ${plain} bytes`)
  assert.ok(helper < plain / 4, `helper, also with depth 1: ${helper} of ${plain} bytes`)
  assert.equal(await walk.git('-C', 'shallow', 'rev-list', '--count', 'HEAD'), '1')
  assert.ok(dayRequestCount > 0)
  assert.equal(await walk.git('-C', 'helper', 'rev-list', '--count', 'HEAD'), '430')
  assert.ok(first > plain)
  assert.ok(farm < first / 2, `${SIZE.cloneCount} clones: ${farm} bytes, the first one ${first}`)
})
