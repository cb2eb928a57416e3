import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { App } from '../../app.ts'
import { Answer, type DeviceRoute, type Incoming } from '../route.ts'

/** One file of the built web app, in every form that it can be sent in. */
interface AppFile {
  bytes: Buffer
  /** made by the build, where they are smaller */
  encoded: { br?: Buffer; gzip?: Buffer }
  etag: string
  headers: Record<string, string>
}

const built = fileURLToPath(new URL('../../../../authenticator/dist', import.meta.url))
const page = 'index.html'
/** Where a link leads, and where the home screen does; the rest of the app's addresses are behind a #. */
const pagePaths = ['/', '/a']

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
}

/**
 * A route for each file of the web app, which is read once, here: no path that a client sends ever reaches the disk. Where it was
 * not built, the log says what to run, and so does `/`.
 */
export function appFileRoutes(app: App, directory = built): DeviceRoute[] {
  if (!existsSync(join(directory, page))) {
    app.log.warn({ directory }, 'the authenticator was not built: run "npm run build", and start again')
    return pagePaths.map((path) => ({ method: 'GET', path, handle: async () => notBuilt() }))
  }
  const names = globSync('**/*.*', { cwd: directory }).map((name) => name.replaceAll('\\', '/'))
  return names
    .filter((name) => extname(name) in mediaTypes)
    .flatMap((name) => {
      const file = readFile(directory, name)
      const paths = name === page ? pagePaths : [`/${name}`]
      return paths.map(
        (path) => ({ method: 'GET', path, handle: async (_app, request) => send(file, request) }) as const,
      )
    })
}

function readFile(directory: string, name: string): AppFile {
  const bytes = readFileSync(join(directory, name))
  const [br, gzip] = ['br', 'gz'].map((ending) => readIfThere(join(directory, `${name}.${ending}`)))
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`
  // The build puts a hash into the names of assets; what has a fixed name is asked for again each time.
  const cacheControl = name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
  const headers = {
    'content-type': mediaTypes[extname(name)] ?? 'application/octet-stream',
    'cache-control': cacheControl,
    vary: 'accept-encoding',
    etag,
  }
  return { bytes, encoded: { ...(br && { br }), ...(gzip && { gzip }) }, etag, headers }
}

function readIfThere(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined
}

function send(file: AppFile, { headers }: Incoming): Answer {
  if (isKnown(headers, file.etag)) return new Answer(undefined, file.headers, 304)
  const encoding = (['br', 'gzip'] as const).find((name) => file.encoded[name] && accepts(headers, name))
  const encoded = encoding && file.encoded[encoding]
  if (!encoded) return new Answer(file.bytes, file.headers)
  return new Answer(encoded, { ...file.headers, 'content-encoding': encoding })
}

/** Whether the client has these very bytes (RFC 9110 §13.1.2). */
export function isKnown(headers: IncomingHttpHeaders, etag: string): boolean {
  const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return known.includes(etag) || known.includes('*')
}

function accepts(headers: IncomingHttpHeaders, encoding: string): boolean {
  const header = headers['accept-encoding']
  const ranges = (Array.isArray(header) ? header.join(',') : (header ?? '')).toLowerCase().split(',')
  return ranges.some((range) => {
    const [name, ...parameters] = range.split(';').map((part) => part.trim())
    return name === encoding && !parameters.some((parameter) => /^q=0(\.0+)?$/.test(parameter))
  })
}

function notBuilt(): Answer {
  const text =
    'The authenticator was not built.\n\nRun this where Countersign is installed, and start it again:\n\n  npm run build\n'
  return new Answer(Buffer.from(text), { 'content-type': 'text/plain; charset=utf-8' }, 503)
}
