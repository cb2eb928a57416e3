import { type DestinationStream, type Logger, pino } from 'pino'

// docs/logs.md is generated from this table.

/** Every member that a line may have, by what it says. */
export const logFields = {
  level: '10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.',
  time: 'Milliseconds since 1970.',
  pid: 'The process.',
  hostname: 'The machine.',
  msg: 'A sentence for people; it may change.',
  alarm: 'What a person must look at; see operations.md.',
  requestId: 'Joins the lines of one request.',
  listener: '`api` or `device`.',
  method: 'The HTTP method.',
  route: 'The pattern of the address, never the address: that has ids and names in it.',
  where: 'Method and route of a request that failed.',
  status: 'The HTTP status of the answer, the push service’s where it is about a push.',
  ms: 'How long the request took.',
  result: 'What became of a push; see metrics.md.',
  errorCode: 'What the client was told (errors.md), or how Node calls what it could not read.',
  err: 'What went wrong inside: `type`, `message`, `stack`, `code`.',
  tid: 'The token.',
  sid: 'The session.',
  userId: 'The user.',
  rowId: 'The row of the database that was changed.',
  sessionMethod: '`otp` or `bypasscode`.',
  name: 'A setting that does not exist.',
  host: 'An address that a listener should have had, or a push service; never the path of a subscription.',
  port: 'Its port.',
  deviceUrl: 'The origin that authenticators are bound to.',
  phones: 'How many tokens are bound to another one.',
  pushContact: 'How push services reach the operator.',
  drainSeconds: 'How long the server goes on after SIGTERM.',
  certificate: 'The file of a certificate.',
  validTo: 'The end of its life.',
} as const

/** What these members hold is never logged, at whatever depth; in small letters, without `-` and `_`. */
const secretNames = new Set(
  [
    ['authorization', 'cookie', 'setcookie', 'apikey', 'apikeys', 'password', 'passphrase', 'secret', 'sharedsecret'],
    ['code', 'codes', 'bypasscode', 'bypasscodes', 'otp', 'number', 'num', 'pin', 'passcode', 'pinkey', 'proof', 'uv'],
    ['seed', 'key', 'privatekey', 'keyring', 'link', 'linksecret', 'nonce', 'evidence'],
    ['endpoint', 'p256dh', 'auth', 'subscription'],
    // PostgreSQL's: a row that it refused, with everything in it.
    ['detail', 'internalquery', 'parameters'],
    // Not secrets, but people's, and whatever a client chose to send.
    ['body', 'payload', 'query', 'querystring', 'rawpacket'],
  ].flat(),
)

const redacted = '[redacted]'
const depthMax = 8

/** A log of one JSON object a line that holds back secrets by the names of their members, however deep they stand. */
export function openLog(level: string, destination: DestinationStream = pino.destination(2)): Logger {
  const formatters = { log: (entry: Record<string, unknown>) => withoutSecrets(entry, 0) }
  // Errors are taken apart above already; pino would do it again to whatever stands in `err`.
  return pino({ level, formatters, serializers: { err: (value: unknown) => value } }, destination)
}

/** pino's own redaction knows paths of a fixed length only, and costs ten times as much for five of them. */
function withoutSecrets(entry: object, depth: number): Record<string, unknown> {
  // The code of an error says what kind it is: it is no secret, and the first thing that an operator asks.
  const isSecret = entry instanceof Error ? isSecretOfError : isSecretName
  const plain = entry instanceof Error ? pino.stdSerializers.err(entry) : entry
  return Object.fromEntries(
    Object.entries(plain).map(([name, value]) => [name, isSecret(name) ? redacted : cleanValue(value, depth + 1)]),
  )
}

function cleanValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (ArrayBuffer.isView(value)) return '[bytes]'
  if (depth > depthMax) return '[too deep]'
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth + 1))
  return withoutSecrets(value, depth)
}

function isSecretName(name: string): boolean {
  return secretNames.has(name.toLowerCase().replaceAll(/[-_]/g, ''))
}

function isSecretOfError(name: string): boolean {
  return name !== 'code' && isSecretName(name)
}
