import Type from 'typebox'
import { getManagedOrganization, updateOrganization } from '../../core/organizations.ts'
import { Id, Time, tagged } from './objects.ts'
import { changesOf, operation } from './operation.ts'

const Organization = Type.Object({ id: Id, name: Type.String(), createdAt: Time })
const acme = { id: '6c1f0a3d9e4b27f58d10c2a7b93e64f8a05d17ce', name: 'Acme', createdAt: '2027-01-15T08:00:00.000Z' }

export const show = operation({
  summary: 'Show the organization',
  reply: Organization,
  example: { reply: acme },
  handle: async (app, actor) => tagged(await getManagedOrganization(app, actor)),
})

export const update = operation({
  summary: 'Rename the organization',
  takesIfMatch: true,
  body: changesOf({ name: Type.String() }),
  reply: Organization,
  example: { body: { name: 'Acme Ltd' }, reply: { ...acme, name: 'Acme Ltd' } },
  handle: async (app, actor, { body, ifMatch }) => tagged(await updateOrganization(app, actor, { ...body, ifMatch })),
})
