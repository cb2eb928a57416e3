import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Actor, type Permission, type Role, requirePermission, type Scope, scopes } from '../../src/core/actors.ts'

// Which route asks for which permission: test/api/every-action.test.ts.
const granted: Record<Permission, Scope[]> = {
  ping: ['auth', 'read', 'enroll', 'admin'],
  'organization:read': ['read', 'enroll', 'admin'],
  'organization:write': ['admin'],
  'settings:write': ['admin'],
  'domains:read': ['read', 'enroll', 'admin'],
  'domains:write': ['admin'],
  'users:read': ['read', 'enroll', 'admin'],
  'users:write': ['enroll', 'admin'],
  'members:write': ['enroll', 'admin'],
  'tokens:list': ['read', 'enroll', 'admin'],
  'tokens:read': ['enroll', 'admin'],
  'tokens:write': ['enroll', 'admin'],
  'sessions:create': ['auth', 'admin'],
  'sessions:read': ['auth', 'read', 'enroll', 'admin'],
  'sessions:list': ['read', 'enroll', 'admin'],
  'sessions:cancel': ['auth', 'admin'],
  'bypass-codes:read': ['enroll', 'admin'],
  'bypass-codes:write': ['enroll', 'admin'],
  'hardware:read': ['read', 'enroll', 'admin'],
  'hardware:write': ['enroll', 'admin'],
  'api-keys:read': ['admin'],
  'api-keys:write': ['admin'],
  'administrators:read': ['admin'],
  'administrators:write': ['admin'],
  'audit:read': ['read', 'admin'],
}

const keyOf = (scope: Scope): Actor => ({ kind: 'api-key', organizationId: 'acme', id: 'key', scope })

for (const [permission, may] of Object.entries(granted) as [Permission, Scope[]][]) {
  it(`T38: ${permission} is for ${may.join(', ')} and no other scope`, () => {
    for (const scope of scopes) {
      const ask = () => requirePermission(keyOf(scope), permission)
      if (may.includes(scope)) ask()
      else assert.throws(ask, { code: 'api.error.forbidden', status: 403 })
    }
  })
}

it('a refusal says what the key is and what it lacks', () => {
  const message = 'This API key (scope "auth") may not do that: it needs tokens:read.'
  assert.throws(() => requirePermission(keyOf('auth'), 'tokens:read'), { message })
})

it('the operator at the command line may everything', () => {
  const operator: Actor = { kind: 'operator', organizationId: 'acme', id: 'command-line' }
  for (const permission of Object.keys(granted)) requirePermission(operator, permission as Permission)
})

it('T38: a key that is bound to domains acts in them and nowhere else', () => {
  const bound: Actor = { kind: 'api-key', organizationId: 'acme', id: 'key', scope: 'admin', domainIds: ['vpn'] }
  requirePermission(bound, 'sessions:create', 'vpn')
  requirePermission(bound, 'ping')
  for (const domainId of ['mail', undefined]) {
    assert.throws(() => requirePermission(bound, 'sessions:create', domainId), { code: 'api.error.forbidden' })
  }
})

it('an auditor reads and changes nothing; the help desk hands out codes and touches no domain and no key', () => {
  const as = (role: Role): Actor => ({ kind: 'administrator', organizationId: 'acme', id: 'somebody', role })
  const refused = (role: Role, permission: Permission) =>
    assert.throws(() => requirePermission(as(role), permission), { code: 'api.error.forbidden' })
  for (const permission of Object.keys(granted) as Permission[]) {
    requirePermission(as('owner'), permission)
    if (!/:(read|list)$|^ping$/.test(permission)) refused('auditor', permission)
  }
  for (const permission of ['tokens:read', 'bypass-codes:read'] as const) refused('auditor', permission)
  for (const permission of ['tokens:write', 'bypass-codes:write'] as const)
    requirePermission(as('helpdesk'), permission)
  for (const permission of ['domains:write', 'api-keys:write'] as const) refused('helpdesk', permission)
  for (const permission of ['administrators:write', 'organization:write'] as const) refused('admin', permission)
})
