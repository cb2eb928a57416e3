import { AdministratorCalls } from './management-administrators.ts'
import { ApiKeyCalls } from './management-api-keys.ts'
import { AuditCalls } from './management-audit.ts'
import { BypassCodeCalls } from './management-bypass-codes.ts'
import { DomainCalls } from './management-domains.ts'
import { HardwareCalls } from './management-hardware.ts'
import { MemberCalls } from './management-members.ts'
import { OrganizationCalls, SettingsCalls } from './management-organization.ts'
import { SessionCalls, SignInCalls } from './management-sessions.ts'
import { TokenCalls } from './management-tokens.ts'
import { UserCalls } from './management-users.ts'
import { type ClientOptions, transportOf } from './rest-request.ts'

export type * from '@countersign/protocol/management.ts'
export type { IfMatch, Revised } from './management-revisions.ts'
export { CountersignError, type CountersignErrorCode } from './rest-errors.ts'

/** As for the REST API; without a key the browser's cookie says who asks, see `signIn`. */
export type ManagementOptions = Omit<ClientOptions, 'apiKey'> & Partial<Pick<ClientOptions, 'apiKey'>>

/**
 * Client of the management API, by noun. Every method throws CountersignError when the server refuses or does not answer, and
 * TypeError for an id that cannot be one.
 */
export class ManagementClient {
  readonly signIn: SignInCalls
  readonly organization: OrganizationCalls
  readonly settings: SettingsCalls
  readonly domains: DomainCalls
  readonly users: UserCalls
  readonly members: MemberCalls
  readonly tokens: TokenCalls
  readonly sessions: SessionCalls
  readonly bypassCodes: BypassCodeCalls
  readonly hardware: HardwareCalls
  readonly apiKeys: ApiKeyCalls
  readonly administrators: AdministratorCalls
  readonly audit: AuditCalls

  constructor(options: ManagementOptions) {
    const api = { path: '/admin/v1', mediaType: 'application/json', cookie: true }
    const transport = transportOf(options, api)
    this.signIn = new SignInCalls(transport)
    this.organization = new OrganizationCalls(transport)
    this.settings = new SettingsCalls(transport)
    this.domains = new DomainCalls(transport)
    this.users = new UserCalls(transport)
    this.members = new MemberCalls(transport)
    this.tokens = new TokenCalls(transport)
    this.sessions = new SessionCalls(transport)
    this.bypassCodes = new BypassCodeCalls(transport)
    this.hardware = new HardwareCalls(transport)
    this.apiKeys = new ApiKeyCalls(transport)
    this.administrators = new AdministratorCalls(transport)
    this.audit = new AuditCalls(transport)
  }
}
