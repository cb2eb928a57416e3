/** An id that cannot leave its place in a path. Throws TypeError for anything else. */
export function id(value: string): string {
  if (!/^[0-9a-f]{40}$/i.test(value)) throw new TypeError(`Not an id (40 hexadecimal digits): ${JSON.stringify(value)}`)
  return value
}
