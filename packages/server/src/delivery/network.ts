import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect } from 'node:tls'

/** The world outside, as delivery reaches it. */
export interface Network {
  /** All addresses of a host. */
  resolve(host: string): Promise<string[]>
  /** A TLS connection to one of the addresses, port 443, whose certificate is the host's. Nothing is looked up again. */
  dial(host: string, addresses: string[]): Duplex
  /** Resolves after so many milliseconds, or as soon as the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export const internet: Omit<Network, 'wait'> = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  dial: (host, addresses) => {
    const options = { host, servername: host, port: 443, minVersion: 'TLSv1.2' } as const
    // Whoever dialled may have gone before it fails; an error that nobody hears would end the process.
    return connect({ ...options, lookup: answering(addresses) }).on('error', () => {})
  },
}

/**
 * Instead of the resolver: Node tries the addresses in turn, and can reach no other. It answers later, as a resolver does: else
 * a connection that fails at once fails inside connect(), before anybody can listen (Node.js 24.21: the process ends).
 */
function answering(addresses: string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, { all }, answer) => {
    const [first = { address: '', family: 0 }] = found
    process.nextTick(() => (all ? answer(null, found) : answer(null, first.address, first.family)))
  }
}
