import { BlockList, isIP } from 'node:net'
import { badRequest } from './errors.ts'

const rangesMax = 100

/** Addresses and CIDR ranges (RFC 4632, RFC 4291 §2.3) as they were written. Throws `api.error.badrequest` for anything else. */
export function readNetworks(ranges: readonly string[], field: string): string[] {
  if (ranges.length > rangesMax) throw badRequest(field, `There are at most ${rangesMax} ranges.`)
  for (const [index, range] of ranges.entries()) {
    if (!parseRange(range))
      throw badRequest(`${field}[${index}]`, 'It is no address and no range such as 192.0.2.0/24.')
  }
  return [...ranges]
}

/** Whether an address lies in one of the ranges. An IPv4 address that is written as an IPv6 one is the IPv4 one. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const parsed = parseRange(range)
    if (parsed) list.addSubnet(parsed.address, parsed.bits, parsed.family)
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = isIP(plain)
  return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6')
}

function parseRange(range: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', written] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(range) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const most = version === 4 ? 32 : 128
  const bits = written === undefined ? most : Number(written)
  return bits > most ? undefined : { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}
