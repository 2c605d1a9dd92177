/**
 * Goal: the whole tree keeps those rules of the house that the compiler and the linter cannot see.
 * Method: apply each rule to the syntax trees of all files; a complaint says where and what.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CODE_RULES } from './code-rules.ts'
import { dependencyNames, projectRoot } from './project.ts'
import { packagesAreInstalled, ROOM_RULES } from './room-rules.ts'
import { readSourceTree } from './source-tree.ts'
import { TABLE_RULES } from './table-rules.ts'

const files = readSourceTree(projectRoot)
const rules = {
  ...ROOM_RULES,
  ...CODE_RULES,
  ...TABLE_RULES,
  'product rooms import only what an installation has': packagesAreInstalled(
    dependencyNames('dependencies'),
    dependencyNames('devDependencies'),
  ),
}

for (const [claim, rule] of Object.entries(rules)) {
  test(claim, () => {
    assert.equal(rule(files).join('\n'), '')
  })
}
