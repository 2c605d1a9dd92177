/**
 * A fuzz target with planted defects, one behind each letter, so that a test can see whether the driver finds them.
 * The letter follows a word that only coverage or the dictionary leads to.
 */

/** What was asked for last, so that asking cannot be left out. */
export let kept = new Uint8Array(0)

export function fuzz(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('latin1')
  if (!text.startsWith('ab')) return
  if (text[2] !== 'c') return
  switch (text[3]) {
    case 'T':
      throw new TypeError('planted')
    case 'A':
      kept = new Uint8Array(2 ** 16)
      return
  }
}

export function seeds(): Uint8Array[] {
  return [Buffer.from('a'), Buffer.from('hello')]
}

export const dictionary = ['b', 'c', 'A', 'T']
export const inputLengthMax = 8
export const allocationLengthMax = 2 ** 12
