import type { Actor, App } from '@countersign/server/main.ts'
import { everything, loadServer } from './command.ts'

/** The id of a user who is named by it, or by the user name in any case. */
export async function userIdOf(app: App, actor: Actor, named: string): Promise<string> {
  if (isId(named)) return named.toLowerCase()
  const { findUser } = await loadServer()
  return (await findUser(app, actor, { username: named })).id
}

/** The id of a domain that is named by it, or by the name, which several domains may have. */
export async function domainIdOf(app: App, actor: Actor, named: string): Promise<string> {
  if (isId(named)) return named.toLowerCase()
  const { listDomains } = await loadServer()
  const domains = await everything((part) => listDomains(app, actor, { ...part, limit: 1_000 }))
  const [found, another] = domains.filter(({ name }) => name === named)
  if (!found) throw new Error(`There is no domain "${named}". \`countersign domain list\` shows what there is.`)
  if (another) throw new Error(`Several domains are called "${named}": say which by its id.`)
  return found.id
}

/** The id of a hardware token that is named by it, or by the serial number. */
export async function hardwareIdOf(app: App, actor: Actor, named: string): Promise<string> {
  if (isId(named)) return named.toLowerCase()
  const { listManagedHardware } = await loadServer()
  // In the order of serial numbers, so that what begins with this one begins with it.
  const { items } = await listManagedHardware(app, actor, { q: named, limit: 1 })
  const [found] = items.filter(({ serialNumber }) => serialNumber === named)
  if (!found) throw new Error(`There is no hardware token with the serial number "${named}".`)
  return found.id
}

function isId(text: string): boolean {
  return /^[0-9a-f]{40}$/i.test(text)
}
