interface Path {
  method: string
  path: string
}

/** Tells, from a route table, which methods a path knows, for the Allow header of a 405; '' for a path that it does not know. */
export function allowedMethods(routes: Path[]): (path: string) => string {
  const methods = new Map<string, string[]>()
  for (const { method, path } of routes) {
    const known = methods.get(path) ?? []
    // A GET answers HEAD as well.
    methods.set(path, method === 'GET' ? [...known, 'GET', 'HEAD'] : [...known, method])
  }
  const patterns = [...methods].map(([path, names]) => ({ names, pattern: patternOf(path) }))
  return (path) => patterns.find(({ pattern }) => pattern.test(path))?.names.join(', ') ?? ''
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+/g, '[^/]+').replaceAll('.', '\\.')}$`)
}
