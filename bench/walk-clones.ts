/**
 * Question: what do the 200 clones of helper/ci/WALK.md cost the origin?
 *   npm run walk:clones -- [--clones 200] [--at-once 20]
 * Walks it from `git init` on, counts what leaves the origin's socket, and compares the refs of each clone with those of the first.
 */

import { parseArgs } from 'node:util'
import { CloneWalk, walkClones } from './clone-walk.ts'

const { values } = parseArgs({
  options: { clones: { type: 'string', default: '200' }, 'at-once': { type: 'string', default: '20' } },
})
const size = { cloneCount: Number(values.clones), atOnce: Number(values['at-once']) }
if (!(size.cloneCount > 0 && size.atOnce > 0)) {
  console.error('usage: npm run walk:clones -- [--clones <number>] [--at-once <number>]')
  process.exit(129)
}

const walk = await CloneWalk.open(size)
try {
  const refs = (of: string): Promise<string> => walk.git('-C', of, 'for-each-ref', 'refs/heads', 'refs/remotes')
  const { plain, stock, helper, first, farm } = await walkClones(walk, size, async (clone, other) => {
    if ((await refs(clone)) !== (await refs(other))) throw new Error(`${clone} has other refs than ${other}`)
    await walk.git('-C', clone, 'rev-list', '--objects', '--quiet', '--all')
  })
  console.log('| clones | the origin sends, bytes | each |\n|---|---|---|')
  const rows: readonly (readonly [string, number, number])[] = [
    ['1 by plain git', plain, 1],
    ['1 by git with the bundle list', stock, 1],
    ['1 whole and 1 of depth 1 by the helper, with the folder', helper, 2],
    ['1 by the helper, first of the farm', first, 1],
    [`${size.cloneCount} by the helper, ${size.atOnce} at a time, from the farm`, farm, size.cloneCount],
  ]
  for (const [name, bytes, count] of rows) console.log(`| ${name} | ${bytes} | ${Math.round(bytes / count)} |`)
  const together = ((first + farm) / first).toFixed(2)
  console.log(`\n${size.cloneCount + 1} clones of the farm cost the origin ${together} times the first one.`)
} finally {
  await walk.close()
}
