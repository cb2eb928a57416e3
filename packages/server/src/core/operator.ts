/** What the command line does beside a server, each as an operator of one organization, beyond what main.ts names. */
export { deleteAdministrator } from './administrators.ts'
export { exportAuditEvents, type LoggedEvent, listAuditEvents } from './audit-log.ts'
export { deleteBypassCode } from './bypass-codes.ts'
export type { DomainFields } from './domain-fields.ts'
export { getDomainImage, removeDomainImage, setDomainImage } from './domain-images.ts'
export { deleteDomain, getManagedDomain, listDomains, updateDomain } from './domains.ts'
export { resyncHardwareToken } from './hardware-resync.ts'
export { assignHardwareToken, deleteHardwareToken, unassignHardwareToken } from './hardware-tokens.ts'
export { getApiKey, updateApiKey } from './managed-api-keys.ts'
export { createManagedBypassCode, listManagedBypassCodes } from './managed-bypass-codes.ts'
export {
  createManagedHardware,
  getManagedHardware,
  listManagedHardware,
  type ManagedHardwareToken,
  updateManagedHardware,
} from './managed-hardware-tokens.ts'
export { cancelManagedSession, getManagedSession, listSessions, type SessionListInput } from './managed-sessions.ts'
export {
  createManagedToken,
  getActivationCode,
  getManagedToken,
  listTokens,
  reissueManagedToken,
  resumeToken,
} from './managed-tokens.ts'
export {
  createManagedUser,
  getManagedUser,
  listManagedMembers,
  listManagedUsers,
  unlockUser,
  updateManagedUser,
} from './managed-users.ts'
export { removeMember } from './members.ts'
export { getSettings, type Settings, updateSettings } from './organization-settings.ts'
export { getManagedOrganization, listOrganizations, updateOrganization } from './organizations.ts'
export { createSession } from './sessions.ts'
export { revokeToken } from './tokens.ts'
export { deleteUser, findUser } from './users.ts'
