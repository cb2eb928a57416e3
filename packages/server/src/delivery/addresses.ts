import ipaddr from 'ipaddr.js'

const globalUnicast: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3]

/**
 * Whether an address is one on the internet: not of this machine or its networks, and none behind which such a one can hide
 * (IPv4 in IPv6, NAT64, 6to4, Teredo).
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  // Of IPv6 only this part is handed out; `unicast` there is all that has no other name.
  return parsed.kind() === 'ipv4' || parsed.match(globalUnicast)
}
