import type { WireAnswer } from '../support/wire.ts'
import { type Asked, type Client, hostOf, isObject, isSuccess, jsonOf, type Target, Thrown } from './client.ts'

/** logintc-python 1.1.9 (logintc/client.py) on httplib2 0.20. */
export const python: Client = { name: 'python', keepsAlive: true, write, parse }

// httplib2 writes the client's headers in lower case; a Content-Length of http.client stands before them.
function write(target: Target, { method, path, body, returns }: Asked): string {
  const type = 'application/vnd.logintc.v1+json'
  const before = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
  const empty = method === 'PUT' || method === 'POST' ? 'content-length: 0\r\n' : ''
  const after = body === undefined ? empty : `content-type: ${type}\r\n`
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\n${before}accept: ${returns === 'image' ? 'image/png' : type}\r\n` +
    `authorization: LoginTC key="${target.apiKey}"\r\nuser-agent: LoginTC-Python/1.1.9\r\n${after}` +
    `accept-encoding: gzip, deflate\r\n\r\n${body ?? ''}`
  )
}

function parse({ returns }: Asked, answer: WireAnswer): unknown {
  refuseBareChallenge(answer)
  if (!isSuccess(answer)) throw exceptionOf(answer)
  if (returns === 'image') return answer.body
  if (returns === 'void') return undefined
  const document = jsonOf(answer.body)
  if (document === undefined) throw new Thrown('ValueError', 'No JSON object could be decoded')
  return document
}

// httplib2 reads the challenge of every 401 as a scheme and at least one parameter, and raises what is no LoginTCException.
function refuseBareChallenge({ status, headers }: WireAnswer): void {
  const challenge = headers['www-authenticate']
  if (status === 401 && challenge !== undefined && !/^\S+ +\w+ *=/.test(challenge))
    throw new Thrown('MalformedHeader', 'WWW-Authenticate')
}

function exceptionOf(answer: WireAnswer): Thrown {
  const document = jsonOf(answer.body)
  if (!isObject(document) || !('errors' in document))
    return new Thrown('InternalAPIException', 'Something went wrong. Please try again.')
  // It takes errors[0]["code"] without asking.
  const error = Array.isArray(document.errors) ? document.errors[0] : undefined
  if (!isObject(error)) return new Thrown('IndexError', 'list index out of range')
  const { code, message } = error
  if (typeof code !== 'string' || typeof message !== 'string') return new Thrown('KeyError', 'code, message')
  const type = code === 'api.error.notfound.token' ? 'NoTokenException' : 'APIException'
  return new Thrown(type, message, code)
}
