import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Actor, type Permission, requirePermission, type Scope, scopes } from '../../src/core/actors.ts'

// Which route asks for which permission: test/api/every-action.test.ts.
const granted: Record<Permission, Scope[]> = {
  ping: ['auth', 'read', 'enroll', 'admin'],
  'organization:read': ['read', 'enroll', 'admin'],
  'domains:read': ['read', 'enroll', 'admin'],
  'domains:write': ['admin'],
  'users:read': ['read', 'enroll', 'admin'],
  'users:write': ['enroll', 'admin'],
  'members:write': ['enroll', 'admin'],
  'tokens:read': ['enroll', 'admin'],
  'tokens:write': ['enroll', 'admin'],
  'sessions:create': ['auth', 'admin'],
  'sessions:read': ['auth', 'read', 'enroll', 'admin'],
  'sessions:cancel': ['auth', 'admin'],
  'api-keys:write': ['admin'],
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
  const operator: Actor = { kind: 'operator', organizationId: 'acme', id: 'command-line', scope: 'admin' }
  for (const permission of Object.keys(granted)) requirePermission(operator, permission as Permission)
})
