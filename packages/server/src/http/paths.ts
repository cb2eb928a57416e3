interface Path {
  method: string
  path: string
}

/** Tells, from a route table, which methods a path knows, for the Allow header of a 405; '' for a path that it does not know. */
export function allowedMethods(routes: Path[]): (path: string) => string {
  const methods = new Map<string, string[]>()
  for (const { method, path } of routes) {
    methods.set(path, [...(methods.get(path) ?? []), ...answering(method)])
  }
  const patterns = [...methods].map(([path, names]) => ({ names, pattern: patternOf(path) }))
  return (path) => patterns.find(({ pattern }) => pattern.test(path))?.names.join(', ') ?? ''
}

/** Every method that a route table knows, for the Allow header of a refusal that concerns no path. */
export function allMethods(routes: Path[]): string {
  return [...new Set(routes.flatMap(({ method }) => answering(method)))].join(', ')
}

// A GET answers HEAD as well.
function answering(method: string): string[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method]
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+/g, '[^/]+').replaceAll('.', '\\.')}$`)
}
