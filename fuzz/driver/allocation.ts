/**
 * Counts the bytes of typed arrays that code asks for, by standing in for their constructors: a length that a stranger
 * declared must not become memory before it is checked, and pages that nobody touches show in no other figure.
 * What is sliced, copied or kept on the heap is not counted; the limit on the heap of the worker bounds that.
 */

const TYPED_ARRAYS = [
  'Uint8Array',
  'Uint16Array',
  'Uint32Array',
  'Int32Array',
  'Float64Array',
  'BigUint64Array',
] as const

let allocatedLength = 0

/** Bytes asked for since the last call. */
export function takeAllocatedLength(): number {
  const length = allocatedLength
  allocatedLength = 0
  return length
}

/** Stands in for the constructors from now on, in this thread. */
export function countAllocations(): void {
  for (const name of TYPED_ARRAYS) {
    const original = globalThis[name]
    const counting = new Proxy(original, {
      construct(target, parameters, newTarget) {
        const [length] = parameters
        if (typeof length === 'number') allocatedLength += length * original.BYTES_PER_ELEMENT
        return Reflect.construct(target, parameters, newTarget)
      },
    })
    Object.assign(globalThis, { [name]: counting })
  }
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const original = Buffer[name]
    Buffer[name] = (length: number, ...rest: never[]) => {
      allocatedLength += length
      return original(length, ...rest)
    }
  }
}
