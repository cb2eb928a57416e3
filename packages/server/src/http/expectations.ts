import type { IncomingMessage, Server } from 'node:http'
import { ApiError } from '../core/errors.ts'

const waiting = new WeakSet<IncomingMessage>()
const unmet = new WeakSet<IncomingMessage>()

/** Lets requests with an Expect header in like any other: who is refused has not sent the body yet, and need not. */
export function admitExpectations(server: Server): void {
  server.on('checkContinue', (request, response) => {
    waiting.add(request)
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request, response) => {
    unmet.add(request)
    server.emit('request', request, response)
  })
}

/** Throws `api.error.expectation` for an expectation other than 100-continue. */
export function refuseUnmet(request: IncomingMessage): void {
  if (unmet.has(request))
    throw new ApiError('api.error.expectation', 'Only the expectation 100-continue is known here.')
}

/** Whether the client (curl and PHP, above 1 MB) waits to be told to send its body. */
export function waitsToContinue(request: IncomingMessage): boolean {
  return waiting.has(request)
}
