import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { App } from '../app.ts'
import { ApiError, badRequest } from '../core/errors.ts'
import type { Connections } from './connections.ts'
import { asApiError, renderError, uriTooLong } from './errors.ts'
import { commonHeaders, type ListenerKind, listeners } from './listeners.ts'
import { parseRawGet, type RawGet } from './raw-get.ts'

/** What Node says of a request that it could not read. */
export interface ClientError extends Error {
  code?: string
  bytesParsed?: number
  rawPacket?: unknown
}

export interface RawAnswer {
  status: number
  headers: Record<string, unknown>
  body: Uint8Array | string
}

interface Listening {
  app: App
  kind: ListenerKind
  connections: Connections
}

interface Front extends Listening {
  /** answers a request that the parser refused and we repaired */
  answerGet(get: RawGet): Promise<RawAnswer>
}

const lingerMs = 1000
const givenUp = new WeakSet<Socket>()

/** Answers requests that never became one, in the envelope, and closes their connection. */
export function onClientError(front: Front, error: ClientError, socket: Socket): void {
  // Once given up, each further packet is reported again.
  if (givenUp.has(socket)) return
  givenUp.add(socket)
  const owed = front.connections.owed(socket)
  const broken = owed.at(-1)?.req.complete === false ? owed.pop() : undefined
  if (error.code === 'ECONNRESET' || !socket.writable || broken?.headersSent) {
    socket.destroySoon()
    return
  }
  afterOwed(owed, () => void answerBroken(front, error, socket))
}

/** Refuses a CONNECT, which Node hands over as a bare connection: this is no proxy, whatever the address. */
export function onConnect(listening: Listening & { methods: string }, socket: Socket): void {
  socket.on('error', () => {}) // nobody else listens to it now, and a client may be gone
  socket.resume()
  const { status, headers, body } = refusal(
    listening,
    new ApiError('api.error.methodnotallowed', `This server knows only ${listening.methods}.`),
  )
  const answer = { status, headers: { ...headers, allow: listening.methods }, body }
  afterOwed(listening.connections.owed(socket), () => sendLast(socket, answer))
}

/** Earlier requests of the same connection have their answers first. */
function afterOwed(owed: ServerResponse[], answer: () => void): void {
  const before = owed.at(-1)
  if (before) before.once('close', answer)
  else answer()
}

async function answerBroken(front: Front, error: ClientError, socket: Socket): Promise<void> {
  const get = error.code === 'HPE_INVALID_URL' ? parseRawGet(error.rawPacket, error.bytesParsed) : undefined
  const answer = get ? await answerRepaired(front, get) : refusal(front, readable(error))
  front.app.log.debug({ errorCode: error.code, status: answer.status }, 'unreadable request')
  sendLast(socket, answer)
  // A request whose time ran out could still complete, and be carried out after its refusal.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroySoon()
}

function sendLast(socket: Socket, { status, headers, body }: RawAnswer): void {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`)
  socket.end(body)
  // To close while the client still writes would reset the connection and take the answer with it.
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}

async function answerRepaired(front: Front, get: RawGet): Promise<RawAnswer> {
  try {
    return await front.answerGet(get)
  } catch (cause) {
    return refusal(front, new ApiError('api.error.unavailable', 'The server is stopping.', { cause }))
  }
}

function refusal(front: Listening, error: unknown): RawAnswer {
  const { status, headers, body } = renderError(asApiError(error, front.kind))
  const entity = { 'content-type': listeners[front.kind].mediaType({}), 'content-length': Buffer.byteLength(body) }
  return { status, headers: { ...commonHeaders(front.kind, front.app.config), ...headers, ...entity }, body }
}

function readable(error: ClientError): Error {
  if (error.code === 'HPE_HEADER_OVERFLOW' && endsInRequestLine(error.rawPacket)) return uriTooLong()
  if (error.code === 'HPE_HEADER_OVERFLOW' || error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return error
  return badRequest('request', 'It is not valid HTTP/1.1.')
}

// Good only for an address that came in one packet; of one that came in several we say that the headers are too large.
function endsInRequestLine(packet: unknown): boolean {
  return Buffer.isBuffer(packet) && /^[A-Z]+ [^ \n]{8192}/.test(packet.toString('latin1'))
}
