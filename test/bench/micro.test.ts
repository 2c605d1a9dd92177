/**
 * Goal: `npm run bench:micro` measures every kernel against a bound that it measures too, and its baseline names them all.
 * Method: runs it for a part of the kernels, against its own build too, and reads its JSON; whether figures are good is no matter of a test.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { kernels } from '../../bench/micro/kernels.ts'
import { parseObject, projectRoot, readProjectFile, section } from '../tidy/project.ts'

test('a part of the kernels is measured together with their bounds, and by turns with another build', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gittorrent-micro-test-'))
  try {
    const file = join(folder, 'result.json')
    const dist = join(projectRoot, 'dist')
    const words = [join(dist, 'bench', 'micro', 'run.js'), 'pieces, SHA-1', '--json', file, '--against', dist]
    const { stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
    assert.equal(stderr, '')
    const measured = section(parseObject(readFileSync(file, 'utf8')), 'kernels')
    assert.deepEqual(Object.keys(measured), ['crypto SHA-1', 'pieces, SHA-1'])
    assert.equal(section(measured, 'crypto SHA-1').against, null)
    const against = section(measured, 'pieces, SHA-1').against
    assert.ok(Array.isArray(against) && against.length === 3 && against.every((ratio) => ratio > 0))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a build that is not there is an error with its name', () => {
  const program = join(projectRoot, 'dist', 'bench', 'micro', 'run.js')
  const words = [program, 'pieces', '--against', join(projectRoot, 'test')]
  const { stderr, status } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(stderr, /expected a build with bench\/micro\/kernels.js/)
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
