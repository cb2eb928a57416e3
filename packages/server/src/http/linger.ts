import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'

const lingerMs = 1000

/**
 * An answer given before the request has arrived whole: it is sent at once, and what still comes is thrown away for a moment. To
 * close at once would reset the connection of a client that writes its whole body before it reads, and take the answer with it.
 */
export function lingering(answer: Buffer, request: IncomingMessage): Readable {
  return Readable.from(answerThenRest(answer, request), { objectMode: false })
}

async function* answerThenRest(answer: Buffer, request: IncomingMessage): AsyncGenerator<Buffer> {
  yield answer
  request.resume()
  try {
    await finished(request, { cleanup: true, signal: AbortSignal.timeout(lingerMs) })
  } catch {
    /* the client hung up, or it had its moment */
  }
}
