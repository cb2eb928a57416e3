import type { WireAnswer } from '../support/wire.ts'
import { type Asked, type Client, hostOf, isObject, isSuccess, jsonOf, type Target, Thrown } from './client.ts'

/** logintc-java 1.1.4 (LoginTC.java, AdminRestClient.java) on Apache HttpClient 4.5 and org.json. */
export const java: Client = { name: 'java', keepsAlive: true, write, parse }

// A StringEntity without a charset is ISO-8859-1: one character is one byte here, too. DELETE names a length, PUT always.
function write(target: Target, { method, path, body, returns }: Asked): string {
  const type = body === undefined ? '' : 'Content-Type: application/vnd.logintc.v1+json\r\n'
  const before = method === 'DELETE' ? 'Content-Length: 0\r\n' : ''
  const after = method === 'PUT' || method === 'POST' ? `Content-Length: ${body?.length ?? 0}\r\n` : ''
  const accept = returns === 'image' ? 'image/png' : 'application/vnd.logintc.v1+json'
  return (
    `${method} ${path} HTTP/1.1\r\nAccept: ${accept}\r\n${before}${type}Host: ${hostOf(target)}\r\n` +
    `User-Agent: LoginTC-Java/1.1.4\r\nAuthorization: LoginTC key="${target.apiKey}"\r\n${after}` +
    `Connection: Keep-Alive\r\n\r\n${body ?? ''}`
  )
}

function parse({ returns, many }: Asked, answer: WireAnswer): unknown {
  // HttpClient has no entity for these, and EntityUtils.toByteArray takes no null.
  if ([204, 205, 304].includes(answer.status)) throw new Thrown('IllegalArgumentException', 'Entity may not be null')
  if (!isSuccess(answer)) throw exceptionOf(answer)
  if (returns === 'image') return answer.body
  if (returns === 'void') return undefined
  const document = jsonOf(answer.body)
  if (many) {
    if (!Array.isArray(document)) throw new Thrown('ClassCastException', 'JSONArray')
    return document.map((element) => objectOf(returns, element))
  }
  return returns === 'ping' ? getString(document, 'status') === 'OK' : objectOf(returns, document)
}

type Getter = (document: unknown, name: string) => unknown

const getters: Record<string, Record<string, Getter>> = {
  organization: { name: getString },
  user: {
    id: getString,
    username: getString,
    email: getString,
    name: getString,
    domains: getStrings,
    bypasscodes: getStrings,
    hardware: getString,
  },
  domain: {
    id: getString,
    name: getString,
    type: getString,
    keyType: getString,
    maxAllowedRetries: getInt,
    requestTimeout: getInt,
    activationCodeExpiration: getInt,
    requestPollingEnabled: getBoolean,
    bypassEnabled: getBoolean,
  },
  token: { state: enumOf('PENDING', 'ACTIVE'), code: upperCaseIfAny },
  session: { id: getString, state: enumOf('PENDING', 'APPROVED', 'DENIED') },
  bypassCode: {
    id: getString,
    code: getString,
    dtExpiry: getDate,
    user: getString,
    usesAllowed: getInt,
    usesRemaining: getInt,
  },
  hardwareToken: {
    id: getString,
    alias: getString,
    serialNumber: getString,
    type: getString,
    timeStep: getString,
    syncState: getString,
    user: getString,
  },
}

function objectOf(returns: string, document: unknown): unknown {
  const entries = Object.entries(getters[returns] ?? {})
  return Object.fromEntries(entries.map(([name, get]) => [name, get(document, name)]))
}

/** JSONObject.get: what is missing throws, and null is no string. */
function get(document: unknown, name: string): unknown {
  if (!isObject(document)) throw new Thrown('ClassCastException', 'JSONObject')
  const value = document[name]
  if (value === undefined) throw new Thrown('InternalLoginTCException', `JSONObject["${name}"] not found.`)
  return value
}

function getOf(type: 'string' | 'number' | 'boolean', document: unknown, name: string): unknown {
  const value = get(document, name)
  if (typeof value !== type) throw new Thrown('InternalLoginTCException', `JSONObject["${name}"] is not a ${type}.`)
  return value
}

function getString(document: unknown, name: string): string {
  return String(getOf('string', document, name))
}

function getInt(document: unknown, name: string): unknown {
  return getOf('number', document, name)
}

function getBoolean(document: unknown, name: string): unknown {
  return getOf('boolean', document, name)
}

function getStrings(document: unknown, name: string): unknown {
  const array = get(document, name)
  if (!Array.isArray(array) || array.some((element) => typeof element !== 'string'))
    throw new Thrown('InternalLoginTCException', `JSONObject["${name}"] is not a JSONArray of strings.`)
  return array
}

function enumOf(...constants: string[]): Getter {
  return (document, name) => {
    const constant = getString(document, name).toUpperCase()
    if (!constants.includes(constant)) throw new Thrown('IllegalArgumentException', `No enum constant ${constant}`)
    return constant
  }
}

function upperCaseIfAny(document: unknown, name: string): unknown {
  return isObject(document) && name in document ? getString(document, name).toUpperCase() : null
}

// SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ssZ"): neither "Z", nor a fraction, nor a colon in the zone; text after it is ignored.
function getDate(document: unknown, name: string): Date {
  const text = getString(document, name)
  const [, time, hours, minutes] = /^(\d+-\d+-\d+T\d+:\d+:\d+)([+-]\d\d)(\d\d)/.exec(text) ?? []
  if (time === undefined) throw new Thrown('InternalLoginTCException', `Unparseable date: "${text}"`)
  return new Date(`${time}${hours}:${minutes}`)
}

function exceptionOf(answer: WireAnswer): Thrown {
  const document = jsonOf(answer.body)
  if (!isObject(document)) return new Thrown('ClassCastException', 'JSONObject')
  const error = Array.isArray(document.errors) ? document.errors[0] : undefined
  if (!isObject(error) || typeof error.code !== 'string' || typeof error.message !== 'string')
    return new Thrown('InternalLoginTCException', `API returned status code ${answer.status}`)
  const { code, message } = error
  const type = code === 'api.error.notfound.token' ? 'NoTokenLoginTCException' : 'ApiLoginTCException'
  return new Thrown(type, `${code}: ${message}`, code)
}
