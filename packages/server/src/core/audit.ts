import type { App } from '../app.ts'
import type { AuditEventRow, AuditHeadRow } from '../storage/audit.ts'
import type { Transaction } from '../storage/storage.ts'

/** Everything that is ever written to the audit log. */
type AuditEventName =
  | 'organization.created'
  | 'organization.updated'
  | 'organization.settings_changed'
  | 'api_key.created'
  | 'api_key.updated'
  | 'api_key.rotated'
  | 'api_key.revoked'
  | 'administrator.created'
  | 'administrator.updated'
  | 'administrator.deleted'
  | 'administrator.link_created'
  | 'administrator.signed_in'
  | 'administrator.signed_out'
  | 'domain.created'
  | 'domain.updated'
  | 'domain.deleted'
  | 'domain.image_changed'
  | 'user.created'
  | 'user.updated'
  | 'user.deleted'
  | 'member.added'
  | 'member.removed'
  | 'members.replaced'
  | 'token.created'
  | 'token.code_revealed'
  | 'token.activation_begun'
  | 'token.activated'
  | 'token.expired'
  | 'token.revoked'
  | 'token.suspended'
  | 'token.resumed'
  | 'token.unlock_failed'
  | 'token.factor_changed'
  | 'token.key_rotated'
  | 'token.push_changed'
  | 'token.push_gone'
  | 'token.tampered'
  | 'session.created'
  | 'session.refused'
  | 'session.approved'
  | 'session.denied'
  | 'session.cancelled'
  | 'session.expired'
  | 'session.answer_refused'
  | 'session.challenge_mismatch'
  | 'session.fraud_reported'
  | 'session.tampered'
  | 'bypass_code.created'
  | 'bypass_code.revealed'
  | 'bypass_code.deleted'
  | 'bypass_code.tampered'
  | 'hardware.created'
  | 'hardware.updated'
  | 'hardware.deleted'
  | 'hardware.assigned'
  | 'hardware.unassigned'
  | 'hardware.resynchronized'
  | 'hardware.tampered'
  | 'codes.locked'
  | 'codes.unlocked'
  | 'audit.head_noted'
  | 'audit.exported'
  | 'keys.added'
  | 'keys.retired'
  | 'keys.rotated'
  | 'keys.removed'
  | 'fields.unreadable'
  | 'keyring.rotated'
  | 'keyring.keys_dropped'
  | 'backup.restored'
  | 'push.forbidden'

export interface AuditEvent {
  organizationId: string
  event: AuditEventName
  actor: { kind: 'api-key' | 'administrator' | 'operator' | 'device' | 'server'; id: string }
  domainId?: string
  userId?: string
  tid?: string
  sid?: string
  /** more that a reader wants to know; never a secret */
  data?: Record<string, unknown>
}

/** The server itself, where nobody asked. */
export const theServer = { kind: 'server', id: '' } as const

/** The chain of the installation, which belongs to no organization. */
export const installation = ''

const rowsPerInsert = 500
const creationMissing = 'the event that created the organization is missing'

/** Adds the events to the connection's chain of each organization. The chain's head is the last lock of a unit: call it last. */
export async function appendEvents(app: App, tx: Transaction, events: AuditEvent[]): Promise<void> {
  const organizations = [...new Set(events.map((event) => event.organizationId))].sort()
  for (const organizationId of organizations) {
    const own = events.filter((event) => event.organizationId === organizationId)
    await appendToChain(app, tx, own, organizationId)
  }
}

async function appendToChain(app: App, tx: Transaction, events: AuditEvent[], organizationId: string): Promise<void> {
  let { seq, hash } = await lockedHead(app, tx, organizationId)
  const rows = events.map((event) => {
    const row = { ...rowOf(event, app.now()), chain: tx.chain, seq: ++seq, hash }
    hash = eventHash(app, hash, row)
    return { ...row, hash }
  })
  for (let from = 0; from < rows.length; from += rowsPerInsert) {
    await tx.audit.append(organizationId, rows.slice(from, from + rowsPerInsert))
  }
  await tx.audit.moveHead(organizationId, tx.chain, seq, hash)
}

async function lockedHead(app: App, tx: Transaction, organizationId: string): Promise<AuditHeadRow> {
  const head = await tx.audit.lockHead(organizationId, tx.chain)
  if (head) return head
  await tx.audit.createHead(organizationId, tx.chain, genesis(app, organizationId, tx.chain))
  const created = await tx.audit.lockHead(organizationId, tx.chain)
  if (!created) throw new Error('An audit chain could not be begun.')
  return created
}

function rowOf(event: AuditEvent, at: number): Omit<AuditEventRow, 'chain' | 'seq' | 'hash'> {
  return {
    organization_id: event.organizationId,
    at,
    event: event.event,
    actor_kind: event.actor.kind,
    actor_id: event.actor.id,
    domain_id: event.domainId ?? null,
    user_id: event.userId ?? null,
    tid: event.tid ?? null,
    sid: event.sid ?? null,
    data: JSON.stringify(event.data ?? {}),
  }
}

/** Where the log was found to be other than it was written. */
interface AuditFlaw {
  organizationId: string
  chain: number
  seq: number
  problem: string
}

export interface AuditReport {
  chains: number
  events: number
  /** the first bad row; absent when all is well */
  flaw?: AuditFlaw
}

/**
 * Reads every chain from its beginning. Finds a row that was changed, added, removed or moved, and a tail that was cut, and an
 * organization whose creation is not there; with a noted head also a tail that was cut together with the chain's own head.
 */
export async function verifyAudit(app: App, notedHead?: string): Promise<AuditReport> {
  const report: AuditReport = { chains: 0, events: 0 }
  const noted = new NotedHead(notedHead)
  // Read before the chains, so that the events of each of them are there to be read.
  const uncreated = new Set((await app.storage.organizations.list(Number.MAX_SAFE_INTEGER)).map(({ id }) => id))
  const accepts = (row: AuditEventRow) => {
    if (row.event === 'organization.created') uncreated.delete(row.organization_id)
    return noted.accepts(row)
  }
  for (const chain of await chainsOf(app)) {
    const { events, flaw } = await verifyChain(app, chain, accepts)
    report.chains++
    report.events += events
    if (flaw) return { ...report, flaw }
  }
  const [unlogged] = [...uncreated].map((organizationId) => ({
    organizationId,
    chain: 0,
    seq: 0,
    problem: creationMissing,
  }))
  const flaw = noted.flaw() ?? unlogged
  return flaw ? { ...report, flaw } : report
}

/** Notes where every chain ends, in one event of the installation's chain whose hash stands for all of them. */
export async function noteHeads(app: App): Promise<string> {
  const heads = (await app.storage.audit.heads()).map((row) => [row.organization_id, row.chain, row.seq, row.hash])
  return app.storage.transaction(async (tx) => {
    const event: AuditEvent = {
      organizationId: installation,
      event: 'audit.head_noted',
      actor: { kind: 'operator', id: 'command-line' },
      data: { heads },
    }
    await appendEvents(app, tx, [event])
    return (await lockedHead(app, tx, installation)).hash
  })
}

type Chain = { organization_id: string; chain: number }

/** The installation's chain first: it holds the noted heads that the others are compared with. */
async function chainsOf(app: App): Promise<Chain[]> {
  const all = new Map<string, Chain>()
  for (const { organization_id, chain } of [
    ...(await app.storage.audit.heads()),
    ...(await app.storage.audit.chains()),
  ]) {
    all.set(JSON.stringify([organization_id, chain]), { organization_id, chain })
  }
  return [...all.values()].sort((a, b) => compare(a.organization_id, b.organization_id) || a.chain - b.chain)
}

async function verifyChain(
  app: App,
  chain: Chain,
  accepts: (row: AuditEventRow) => boolean,
): Promise<{ events: number; flaw?: AuditFlaw }> {
  const { organization_id: organizationId } = chain
  let last = { seq: 0, hash: genesis(app, organizationId, chain.chain) }
  const flawAt = (seq: number, problem: string) => ({
    events: last.seq,
    flaw: { organizationId, chain: chain.chain, seq, problem },
  })
  for (;;) {
    // The head is read before the rows: whatever it names must then be there, also while the server goes on writing.
    const head = await app.storage.audit.findHead(organizationId, chain.chain)
    if (!head) return flawAt(last.seq, 'the head of the chain is missing')
    const after = last.seq === 0 ? Number.MIN_SAFE_INTEGER : last.seq
    const rows = await app.storage.audit.list(organizationId, chain.chain, after, 1_000)
    for (const row of rows) {
      if (row.seq <= last.seq) return flawAt(row.seq, 'the row was added')
      if (row.seq !== last.seq + 1) return flawAt(last.seq + 1, 'the row is missing')
      if (row.hash !== eventHash(app, last.hash, row)) return flawAt(row.seq, 'the row is not as it was written')
      if (!accepts(row)) return flawAt(row.seq, 'the row is not the one that was noted as the head')
      last = row
    }
    if (rows.length > 0) continue
    if (head.seq === last.seq && head.hash === last.hash) return { events: last.seq }
    return flawAt(
      last.seq + 1,
      head.seq > last.seq ? 'the end of the chain was cut off' : 'the head of the chain was changed',
    )
  }
}

/** Compares the chains with a head that was noted elsewhere. */
class NotedHead {
  readonly #hash: string | undefined
  #found = false
  readonly #expected = new Map<string, string>()

  constructor(hash: string | undefined) {
    this.#hash = hash
  }

  /** False when this row takes the place of one that was noted. */
  accepts(row: AuditEventRow): boolean {
    const place = JSON.stringify([row.organization_id, row.chain, row.seq])
    const expected = this.#expected.get(place)
    this.#expected.delete(place)
    if (expected !== undefined && expected !== row.hash) return false
    if (row.hash === this.#hash) this.#expect(row)
    return true
  }

  flaw(): AuditFlaw | undefined {
    if (this.#hash === undefined) return undefined
    const missing = { organizationId: installation, chain: 0, seq: 0, problem: 'the noted head is not in the log' }
    if (!this.#found) return missing
    const [place] = this.#expected.keys()
    if (place === undefined) return undefined
    const [organizationId, chain, seq] = JSON.parse(place) as [string, number, number]
    return { organizationId, chain, seq, problem: 'the row that was noted as the head is missing' }
  }

  #expect(row: AuditEventRow): void {
    this.#found = true
    const { heads = [] } = JSON.parse(row.data) as { heads?: [string, number, number, string][] }
    for (const [organizationId, chain, seq, hash] of heads) {
      // The installation's own chain was already read up to here: that this row is in it vouches for what is before.
      if (organizationId !== installation) this.#expected.set(JSON.stringify([organizationId, chain, seq]), hash)
    }
  }
}

function genesis(app: App, organizationId: string, chain: number): string {
  return app.secrets.mac('audit', JSON.stringify(['genesis', organizationId, chain]))
}

function eventHash(app: App, previous: string, row: AuditEventRow): string {
  const { organization_id, chain, seq, at, event, actor_kind, actor_id, domain_id, user_id, tid, sid, data } = row
  const fields = [organization_id, chain, seq, at, event, actor_kind, actor_id, domain_id, user_id, tid, sid, data]
  return app.secrets.mac('audit', JSON.stringify([previous, ...fields]))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
