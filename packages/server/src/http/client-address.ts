import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** The client's address in its plain form. Beyond a trusted proxy that names no address it is the last one that is an address. */
export function clientAddress(request: FastifyRequest): string {
  // ips begins with the peer and ends with the client, trusted proxies between; it is absent when no proxy is trusted.
  const known = (request.ips ?? [request.ip]).map(plainAddress)
  const firstInvalid = known.indexOf('')
  return known.at(firstInvalid < 0 ? -1 : Math.max(0, firstInvalid - 1)) ?? ''
}

function plainAddress(written = ''): string {
  const address = written
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .replace(/^::ffff:(?=[\d.]+$)/i, '')
  return isIP(address) ? address.toLowerCase() : ''
}
