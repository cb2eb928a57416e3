import type { WireAnswer } from '../support/wire.ts'
import { type Asked, type Client, hostOf, isObject, isSuccess, jsonOf, type Target, Thrown } from './client.ts'

/** logintc-php 1.2.4 (LoginTC.php, AdminRestClient.php, resource/*.php) on libcurl 7.88. */
export const php: Client = { name: 'php', keepsAlive: false, write, parse }

// AdminRestClient.php asks curl_getinfo for CURLOPT_POSTFIELDS, which is never null: each request has a Content-Type.
function write(target: Target, { method, path, body, returns }: Asked): string {
  // LoginTC.php has an empty text for the body of a PUT that needs none.
  const text = body ?? (method === 'PUT' ? '' : undefined)
  const length = text === undefined ? '' : `Content-Length: ${text.length}\r\n`
  const accept = returns === 'image' ? 'image/png' : 'application/vnd.logintc.v1+json'
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\nAccept: ${accept}\r\nUser-Agent: LoginTC-PHP/1.2.4\r\n` +
    `Authorization: LoginTC key="${target.apiKey}"\r\nContent-Type: application/vnd.logintc.v1+json\r\n${length}\r\n${text ?? ''}`
  )
}

function parse({ returns, many }: Asked, answer: WireAnswer): unknown {
  if (!isSuccess(answer)) throw exceptionOf(answer)
  if (returns === 'image') return answer.body
  if (returns === 'void') return undefined
  const document = jsonOf(answer.body)
  if (returns === 'ping') return isObject(document) && document.status === 'OK'
  if (!many) return fromObject(returns, document)
  // The array is first set when there is an element: of an empty list the caller gets null, and a notice.
  if (!Array.isArray(document) || document.length === 0) return null
  return document.map((element) => fromObject(returns, element))
}

/** The members that each class's fromObject takes; one that is not set, or null, makes the whole object null. */
const members = {
  organization: ['name'],
  user: ['id', 'username', 'name', 'email', 'domains'],
  domain: ['id', 'name', 'type', 'keyType'],
  token: ['state', 'code'],
  session: ['id', 'state'],
  bypassCode: ['id', 'code', 'dtExpiry', 'user', 'usesAllowed', 'usesRemaining'],
  hardwareToken: ['id', 'alias', 'serialNumber', 'type', 'timeStep', 'syncState', 'user'],
}

function fromObject(returns: keyof typeof members, document: unknown): unknown {
  const names = members[returns]
  if (!isObject(document) || names.some((name) => (document[name] ?? null) === null)) return null
  return Object.fromEntries(names.map((name) => [name, document[name]]))
}

function exceptionOf(answer: WireAnswer): Thrown {
  const document = jsonOf(answer.body)
  const errors = isObject(document) && Array.isArray(document.errors) ? document.errors : []
  if (errors.length === 0) return new Thrown('LoginTCException', `API returned status code ${answer.status}`)
  const { code, message } = errors[0]
  return new Thrown('ApiLoginTCException', `${code}: ${message}`, code)
}
