/**
 * Goal: `npm run bench:micro` measures every kernel against a bound that it measures too, and its baseline names them all.
 * Method: runs it for a part of the kernels and reads its JSON; whether figures are good is no matter of a test.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { kernels } from '../../bench/micro/kernels.ts'
import { parseObject, projectRoot, readProjectFile, section } from '../tidy/project.ts'

test('a part of the kernels is measured together with their bounds', () => {
  const program = join(projectRoot, 'dist', 'bench', 'micro', 'run.js')
  const { stdout, stderr } = spawnSync(process.execPath, [program, 'pieces, SHA-1', '--json'], { encoding: 'utf8' })
  assert.equal(stderr, '')
  const measured = section(parseObject(stdout), 'kernels')
  assert.deepEqual(Object.keys(measured), ['crypto SHA-1', 'pieces, SHA-1'])
})

test('the baseline holds a ratio for every kernel, and every kernel has a bound that is one', async () => {
  const all = await kernels()
  const baseline = section(parseObject(readProjectFile('bench/micro-baseline.json')), 'kernels')
  assert.deepEqual(
    Object.keys(baseline),
    all.map(({ name }) => name),
  )
  for (const { name, bound } of all) {
    if (bound !== null)
      assert(
        all.some((other) => other.name === bound && other.bound === null),
        name,
      )
  }
})
