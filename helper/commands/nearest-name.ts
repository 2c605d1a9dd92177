/**
 * The name that somebody meant who mistyped it, by Damerau-Levenshtein distance (optimal string alignment): letters
 * inserted, left out, replaced, or swapped with their neighbour count one each.
 */

/** A third of the letters may be wrong, and two of a short word. */
const WRONG_LETTERS_MIN = 2

/** The nearest of `names`, the first of equals; null if none is near. */
export function nearestName(typed: string, names: readonly string[]): string | null {
  let nearest: string | null = null
  let least = Math.max(WRONG_LETTERS_MIN, Math.floor(typed.length / 3)) + 1
  for (const name of names) {
    const distance = distanceBetween(typed, name)
    if (distance >= least || distance >= name.length) continue
    nearest = name
    least = distance
  }
  return nearest
}

/** Letters to change; in time proportional to the product of the lengths. */
function distanceBetween(one: string, other: string): number {
  let before: number[] = []
  let above = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const line = [row]
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      const isSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      const replaced = (above[column - 1] ?? 0) + (isSame ? 0 : 1)
      const changed = Math.min(replaced, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1)
      line.push(isSwapped && row > 1 && column > 1 ? Math.min(changed, (before[column - 2] ?? 0) + 1) : changed)
    }
    before = above
    above = line
  }
  return above[other.length] ?? 0
}
