// What an application does on the server while somebody holds a phone.
import { addMember, createDomain, operatorOf } from '../../../server/src/main.ts'
import type { TestServer } from '../../../server/test/support/server.ts'

type NewDomain = Parameters<typeof createDomain>[2]

/** A domain of acme's with alice in it. */
export async function domainOf({ app, acme }: TestServer, rules: Partial<NewDomain>): Promise<string> {
  const actor = await operatorOf(app, acme.id)
  const { id } = await createDomain(app, actor, { name: `Acme ${rules.keyType}`, type: 'API', ...rules })
  await addMember(app, actor, { domainId: id, userId: acme.alice })
  return id
}

/** A new code for alice; the token that she had in the domain is revoked. */
export async function codeFor(server: TestServer, domainId: string): Promise<string> {
  const path = `/api/domains/${domainId}/users/${server.acme.alice}/token`
  await server.call('DELETE', path)
  return (await server.call('PUT', path)).body.code
}

/** Somebody signs in as alice. */
export async function askFor(server: TestServer, domainId: string, extra: object = {}) {
  const path = `/api/domains/${domainId}/sessions`
  const { body } = await server.call('POST', path, { body: { user: { username: 'alice' }, ...extra } })
  const verdict = async () => (await server.call('GET', `${path}/${body.id}`)).body.state as string
  return { sid: body.id as string, number: body.number as string, path: `${path}/${body.id}`, verdict }
}
