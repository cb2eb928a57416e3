import { type App, addMember, createDomain, createOrganization, createUser, operatorOf } from '../../src/main.ts'

export interface Organization {
  id: string
  apiKey: string
  /** a ONE_STEP domain */
  domainId: string
  /** a PIN domain */
  pinDomainId: string
}

/** Alice and bob are acme's and members of both of its domains; mallory is another organization's, with all rights there. */
export interface People {
  acme: Organization & { alice: string; bob: string }
  other: Organization & { mallory: string }
}

export async function populate(app: App): Promise<People> {
  const acme = await organization(app, 'Acme')
  const other = await organization(app, 'Other')
  return {
    acme: { ...acme, alice: await member(app, acme, 'alice'), bob: await member(app, acme, 'bob') },
    other: { ...other, mallory: await member(app, other, 'mallory') },
  }
}

/** A user of an organization, in both of its domains. */
export async function member(app: App, { id, domainId, pinDomainId }: Organization, username: string): Promise<string> {
  const actor = await operatorOf(app, id)
  const user = await createUser(app, actor, { username, email: `${username}@example.org` })
  for (const domain of [domainId, pinDomainId]) await addMember(app, actor, { domainId: domain, userId: user.id })
  return user.id
}

async function organization(app: App, name: string): Promise<Organization> {
  const { id, apiKey } = await createOrganization(app, { name })
  const actor = await operatorOf(app, id)
  const domain = await createDomain(app, actor, { name: `${name} VPN`, type: 'RADIUS', keyType: 'ONE_STEP' })
  const pinDomain = await createDomain(app, actor, { name: `${name} Bank`, type: 'API', keyType: 'PIN' })
  return { id, apiKey, domainId: domain.id, pinDomainId: pinDomain.id }
}
