import type {
  HardwareChanges,
  HardwareImported,
  HardwareQuery,
  ManagedHardwareToken,
  NewManagedHardwareToken,
  Part,
  PartQuery,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import { part, parts, withQuery } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** Devices that show one-time passwords. */
export class HardwareCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every hardware token, in the order of their serial numbers, fetched as they are consumed. */
  list(query: HardwareQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedHardwareToken, void> {
    return parts(this.#transport, '/hardware', query)
  }

  /** One part of the list. */
  part(query: HardwareQuery & PartQuery = {}): Promise<Part<ManagedHardwareToken>> {
    return part(this.#transport, '/hardware', query)
  }

  create(token: NewManagedHardwareToken): Promise<Revised<ManagedHardwareToken>> {
    return askRevised(this.#transport, { method: 'POST', path: '/hardware', body: token })
  }

  /** Registers the tokens of a file of up to 1 MiB: LoginTC's CSV, OATH CSV or PSKC. A dry run changes nothing. */
  import(file: Uint8Array, query: { dryRun?: boolean } = {}): Promise<HardwareImported> {
    const path = withQuery('/hardware/import', query)
    return ask(this.#transport, { method: 'POST', path, file: { bytes: file, mediaType: 'text/csv' } })
  }

  show(hardwareId: string): Promise<Revised<ManagedHardwareToken>> {
    return askRevised(this.#transport, { method: 'GET', path: `/hardware/${id(hardwareId)}` })
  }

  /** Renames it. */
  update(hardwareId: string, changes: HardwareChanges, options: IfMatch = {}): Promise<Revised<ManagedHardwareToken>> {
    const call = { method: 'PATCH', path: `/hardware/${id(hardwareId)}`, body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }

  /** Forgets it, whoever has it. */
  delete(hardwareId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/hardware/${id(hardwareId)}` })
  }

  /** Finds its clock by two passwords that it shows one right after the other. Both are used up. */
  resync(hardwareId: string, passwords: { otp1: string; otp2: string }): Promise<ManagedHardwareToken> {
    return ask(this.#transport, { method: 'POST', path: `/hardware/${id(hardwareId)}/resync`, body: passwords })
  }

  /** Gives it to a user, in the place of one that the user may have. It must not be somebody else's. */
  assign(userId: string, hardwareId: string): Promise<void> {
    return ask(this.#transport, { method: 'PUT', path: `/users/${id(userId)}/hardware/${id(hardwareId)}` })
  }

  /** Takes that very token away from a user. */
  unassign(userId: string, hardwareId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/users/${id(userId)}/hardware/${id(hardwareId)}` })
  }
}
