/**
 * The repeatable numbers of bench/random-numbers.ts under the roof of the tests:
 * the generator lies there, because nothing may import tests.
 */

export { type NumberSource, randomNumbers } from '../../bench/random-numbers.ts'
