import { text } from 'node:stream/consumers'
import type { ManagementClient } from '@countersign/sdk/management.ts'
import { PNG } from 'pngjs'

/** What a world of the server's tests holds, by the names in paths. */
export type Named = Record<string, string> & { domainId: string; userId: string; hardwareId: string; keyId: string }

/** A call of one operation, and the names of the types of what goes in and comes out. */
export interface OperationCall {
  call(client: ManagementClient, named: Named): Promise<unknown>
  reply?: string
  body?: string
  query?: string
}

const png = PNG.sync.write(new PNG({ width: 8, height: 8 }))
const seed = '3132333435363738393031323334353637383930'
const year = '2028-01-15T08:00:00Z'

/** Every operation, in an order in which each finds what it needs in one world. */
export const operationCalls: Record<string, OperationCall> = {
  adminGetOwnSession: { call: (client) => client.signIn.show(), reply: 'M.SignedIn' },
  adminDeleteOwnSession: { call: (client) => client.signIn.delete() },
  adminCreateOwnSession: {
    call: (client, { signInSecret = '' }) => client.signIn.create(signInSecret),
    reply: '{ administrator: M.Administrator }',
    body: '{ secret: string }',
  },

  adminGetOrganization: { call: (client) => client.organization.show(), reply: 'M.ManagedOrganization' },
  adminUpdateOrganization: {
    call: (client) => client.organization.update({ name: 'Renamed' }, { ifMatch: '*' }),
    reply: 'M.ManagedOrganization',
    body: 'M.OrganizationChanges',
  },

  adminGetSettings: { call: (client) => client.settings.show(), reply: 'M.Settings' },
  adminUpdateSettings: {
    call: (client) => client.settings.update({ pendingSessionsMax: 2 }, { ifMatch: '*' }),
    reply: 'M.Settings',
    body: 'Partial<M.Settings>',
  },

  adminListDomains: {
    call: (client) => all(client.domains.list({ limit: 1 })),
    reply: 'M.Part<M.ManagedDomain>',
    query: 'M.PartQuery',
  },
  adminCreateDomain: {
    call: (client) => client.domains.create({ name: 'Bank', keyType: 'PIN', allowedNetworks: ['10.0.0.0/8'] }),
    reply: 'M.ManagedDomain',
    body: 'M.NewManagedDomain',
  },
  adminGetDomain: { call: (client, { domainId }) => client.domains.show(domainId), reply: 'M.ManagedDomain' },
  adminUpdateDomain: {
    call: (client, { domainId }) => client.domains.update(domainId, { activationCodeMinutes: null, otpEnabled: true }),
    reply: 'M.ManagedDomain',
    body: 'M.DomainChanges',
  },
  adminPutDomainImage: { call: (client, { domainId }) => client.domains.setImage(domainId, png) },
  adminDeleteDomainImage: { call: (client, { domainId }) => client.domains.deleteImage(domainId) },

  adminListUsers: {
    call: (client) => all(client.users.list({ q: 'in', limit: 1 })),
    reply: 'M.Part<M.ManagedUser>',
    query: 'M.UserQuery & M.PartQuery',
  },
  adminCreateUser: {
    call: (client) => client.users.create({ username: 'jane', name: 'Jane Doe', email: 'jane@example.org' }),
    reply: 'M.ManagedUser',
    body: 'M.NewManagedUser',
  },
  adminGetUser: { call: (client, { userId }) => client.users.show(userId), reply: 'M.ManagedUser' },
  adminUpdateUser: {
    call: (client, { userId }) => client.users.update(userId, { name: 'Jane Roe' }),
    reply: 'M.ManagedUser',
    body: 'M.UserChanges',
  },
  adminUnlockUser: { call: (client, { userId }) => client.users.unlock(userId) },

  adminListDomainMembers: {
    call: (client, { domainId }) => all(client.members.list(domainId, { q: 'in' })),
    reply: 'M.Part<M.ManagedUser>',
    query: 'M.UserQuery & M.PartQuery',
  },
  adminPutDomainMember: { call: (client, { domainId, userId }) => client.members.add(domainId, userId) },

  adminListSessions: {
    call: (client, { domainId: domain }) => all(client.sessions.list({ domain, state: 'pending', until: year })),
    reply: 'M.Part<M.ManagedSession>',
    query: 'M.SessionQuery & M.PartQuery',
  },
  adminGetSession: {
    call: (client, { sessionId = '' }) => client.sessions.show(sessionId),
    reply: 'M.ShownSession',
  },
  adminDeleteSession: { call: (client, { sessionId = '' }) => client.sessions.cancel(sessionId) },

  adminListTokens: {
    call: (client, { userId: user }) => all(client.tokens.list({ user, state: 'active' })),
    reply: 'M.Part<M.ManagedToken>',
    query: 'M.TokenQuery & M.PartQuery',
  },
  adminListUserTokens: {
    call: (client, { userId }) => all(client.tokens.listOfUser(userId)),
    reply: 'M.Part<M.ManagedToken>',
    query: 'M.PartQuery',
  },
  adminGetDomainMemberToken: {
    call: (client, { domainId, userId }) => client.tokens.show(domainId, userId),
    reply: 'M.ManagedToken',
  },
  adminResumeDomainMemberToken: { call: (client, { domainId, userId }) => client.tokens.resume(domainId, userId) },
  adminReissueDomainMemberToken: {
    call: (client, { domainId, userId }) => client.tokens.reissue(domainId, userId),
    reply: 'M.ActivationCode',
  },
  adminGetDomainMemberTokenCode: {
    call: (client, { domainId, userId }) => client.tokens.showCode(domainId, userId),
    reply: 'M.ActivationCode',
  },
  adminPutDomainMemberToken: {
    call: (client, { domainId, userId }) => client.tokens.create(domainId, userId),
    reply: 'M.IssuedToken',
  },
  adminDeleteDomainMemberToken: { call: (client, { domainId, userId }) => client.tokens.revoke(domainId, userId) },

  adminListUserBypassCodes: {
    call: (client, { userId }) => all(client.bypassCodes.list(userId)),
    reply: 'M.Part<M.ManagedBypassCode>',
    query: 'M.PartQuery',
  },
  adminCreateUserBypassCode: {
    call: (client, { userId }) => client.bypassCodes.create(userId, { usesAllowed: 3, expiresAt: null }),
    reply: 'M.ManagedBypassCode',
    body: 'M.NewManagedBypassCode',
  },
  adminGetBypassCode: {
    call: (client, { bypassCodeId = '' }) => client.bypassCodes.show(bypassCodeId),
    reply: 'M.ManagedBypassCode',
  },
  adminDeleteBypassCode: { call: (client, { bypassCodeId = '' }) => client.bypassCodes.delete(bypassCodeId) },

  adminListHardware: {
    call: (client) => all(client.hardware.list({ assigned: true })),
    reply: 'M.Part<M.ManagedHardwareToken>',
    query: 'M.HardwareQuery & M.PartQuery',
  },
  adminCreateHardwareToken: {
    call: (client) => client.hardware.create({ serialNumber: 'FT-2', type: 'TOTP6', timeStep: 30, seed }),
    reply: 'M.ManagedHardwareToken',
    body: 'M.NewManagedHardwareToken',
  },
  adminImportHardwareToken: {
    call: (client) => client.hardware.import(Buffer.from(`FT-1,${seed}\r\n`), { dryRun: true }),
    reply: 'M.HardwareImported',
    query: '{ dryRun?: boolean }',
  },
  adminGetHardwareToken: {
    call: (client, { hardwareId }) => client.hardware.show(hardwareId),
    reply: 'M.ManagedHardwareToken',
  },
  adminUpdateHardwareToken: {
    call: (client, { hardwareId }) => client.hardware.update(hardwareId, { alias: 'Spare' }),
    reply: 'M.ManagedHardwareToken',
    body: 'M.HardwareChanges',
  },
  adminResyncHardwareToken: {
    call: (client, { hardwareId, otp1 = '', otp2 = '' }) => client.hardware.resync(hardwareId, { otp1, otp2 }),
    reply: 'M.ManagedHardwareToken',
    body: '{ otp1: string; otp2: string }',
  },
  adminPutUserHardwareToken: { call: (client, { userId, hardwareId }) => client.hardware.assign(userId, hardwareId) },
  adminDeleteUserHardwareToken: {
    call: (client, { userId, hardwareId }) => client.hardware.unassign(userId, hardwareId),
  },
  adminDeleteHardwareToken: { call: (client, { hardwareId }) => client.hardware.delete(hardwareId) },

  adminListApiKeys: {
    call: (client) => all(client.apiKeys.list({ limit: 1 })),
    reply: 'M.Part<M.ManagedApiKey>',
    query: 'M.PartQuery',
  },
  adminCreateApiKey: {
    call: (client, { domainId }) => client.apiKeys.create({ name: 'Mail', scope: 'auth', domainIds: [domainId] }),
    reply: 'M.IssuedApiKey',
    body: 'M.NewApiKey',
  },
  adminGetApiKey: { call: (client, { keyId }) => client.apiKeys.show(keyId), reply: 'M.ManagedApiKey' },
  adminUpdateApiKey: {
    call: (client, { keyId }) => client.apiKeys.update(keyId, { expiresAt: year }),
    reply: 'M.ManagedApiKey',
    body: 'M.ApiKeyChanges',
  },
  adminRotateApiKey: {
    call: (client, { keyId }) => client.apiKeys.rotate(keyId, { overlapHours: 1 }),
    reply: 'M.IssuedApiKey',
    body: '{ overlapHours?: number }',
  },
  adminDeleteApiKey: { call: (client, { keyId }) => client.apiKeys.revoke(keyId) },

  adminListAdministrators: {
    call: (client) => all(client.administrators.list()),
    reply: 'M.Part<M.Administrator>',
    query: 'M.PartQuery',
  },
  adminCreateAdministrator: {
    call: (client) => client.administrators.create({ email: 'o@example.org', name: 'Olivia', role: 'owner' }),
    reply: 'M.Administrator',
    body: 'M.NewAdministrator',
  },
  adminGetAdministrator: {
    call: (client, { administratorId = '' }) => client.administrators.show(administratorId),
    reply: 'M.Administrator',
  },
  adminUpdateAdministrator: {
    call: (client, { administratorId = '' }) => client.administrators.update(administratorId, { role: 'auditor' }),
    reply: 'M.Administrator',
    body: 'M.AdministratorChanges',
  },
  adminCreateAdministratorSignInLink: {
    call: (client, { administratorId = '' }) => client.administrators.createSignInLink(administratorId),
    reply: 'M.SignInLink',
  },
  adminDeleteAdministrator: {
    call: (client, { administratorId = '' }) => client.administrators.delete(administratorId),
  },

  adminListAudit: {
    call: (client, { userId: user }) => all(client.audit.list({ user, event: 'user.created' })),
    reply: 'M.Part<M.AuditEvent>',
    query: 'M.AuditQuery & M.PartQuery',
  },
  adminGetAuditEventExport: {
    call: async (client) => text(await client.audit.export({ since: '2027-01-01T00:00:00Z' })),
    query: "M.TimeQuery & { format?: 'jsonl' | 'csv' }",
  },

  adminDeleteDomainMember: { call: (client, { domainId, userId }) => client.members.remove(domainId, userId) },
  adminDeleteUser: { call: (client, { userId }) => client.users.delete(userId) },
  adminDeleteDomain: { call: (client, { domainId }) => client.domains.delete(domainId) },
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  return Array.fromAsync(items)
}
