import type { WireAnswer } from '../support/wire.ts'
import { type Asked, type Client, hostOf, type Target, Thrown } from './client.ts'

/** logintc-c 0.1.0 (src/logintc.c, src/session.c), which the PAM module stands on, with libcurl 7.88. */
export const c: Client = { name: 'c', keepsAlive: false, write, parse }

function write(target: Target, { method, path, body }: Asked): string {
  const type = body === undefined ? '' : 'Content-Type: application/vnd.logintc.v1+json\r\n'
  const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\nAccept: */*\r\n${type}User-Agent: LoginTC-C/0.1.0\r\n` +
    `Authorization: LoginTC key="${target.apiKey}"\r\n${length}\r\n${body ?? ''}`
  )
}

function parse({ method }: Asked, { status, body }: WireAnswer): unknown {
  if (status === 200 || status === 201) return sessionOf(body)
  // logintc_get_session passes no place for an error, and _execute_curl ends the process that wants to report one.
  if (method === 'GET') throw new Thrown('exit(1)', 'NULL logintc_error_t passed.')
  throw new Thrown('LOGINTC_CLIENT_API_ERR', body)
}

/** logintc_session_new: id and state stand at fixed offsets, and are read without asking whether they do. */
function sessionOf(body: string): unknown {
  if (!body.includes('{"id":')) return null
  return { id: substring(body, 7, 40), state: stateOf(substring(body, 58, body.length - 58 - 2)) }
}

/** _substring gives NULL for what is not all there, a negative length among it; its callers use that at once. */
function substring(text: string, offset: number, count: number): string {
  if (count < 0 || text.length - offset < count) throw new Thrown('SIGSEGV', 'strlen(NULL)')
  return text.slice(offset, offset + count)
}

function stateOf(text: string): number {
  return ['pending', 'approved', 'denied'].indexOf(text)
}
