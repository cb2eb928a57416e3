import {
  type App,
  addMember,
  createDomain,
  createOrganization,
  createUser,
  operatorOf,
} from '@countersign/server/main.ts'

/** Creates an organization, a domain and the user jane, and tells how to log her in: the newcomer's first five minutes. */
export async function firstRun(app: App): Promise<string[]> {
  const organization = await createOrganization(app, { name: 'My organization' })
  const operator = await operatorOf(app, organization.id)
  const domain = await createDomain(app, operator, { name: 'First domain', type: 'API', keyType: 'ONE_STEP' })
  const jane = await createUser(app, operator, { username: 'jane', name: 'Jane' })
  await addMember(app, operator, { domainId: domain.id, userId: jane.id })
  return tour({ ...app.config, apiKey: organization.apiKey, domainId: domain.id, userId: jane.id })
}

interface Seed {
  apiUrl: string
  deviceUrl: string
  apiKey: string
  domainId: string
  userId: string
}

function tour({ apiUrl, deviceUrl, apiKey, domainId, userId }: Seed): string[] {
  const domain = `${apiUrl}/api/domains/${domainId}`
  const key = `-H 'Authorization: LoginTC key="${apiKey}"'`
  return [
    '',
    'This is the first start: there is an organization with an API key, a domain and a user, jane.',
    'What follows is shown this once. Paste it into a second terminal, in this directory.',
    '',
    '1. Create a token for jane. The answer has her activation code:',
    `   curl -X PUT ${key} ${domain}/users/${userId}/token; echo`,
    '',
    '2. Activate it, with that code in the place of CODE. This terminal is now her authenticator:',
    `   bin/countersign device activate --server ${deviceUrl} --code CODE --username jane --store jane.json`,
    `   Or open ${deviceUrl} in a browser, type the code there, and leave out the next step.`,
    '',
    '3. Let her answer the next request:',
    '   bin/countersign device watch --store jane.json --answer ask --once',
    '',
    '4. Log her in, in a third terminal. The answer has the id of the session:',
    `   curl ${key} -d '{"user":{"username":"jane"},"attributes":[{"key":"Application","value":"curl"}]}' ${domain}/sessions; echo`,
    '',
    '5. Read the verdict, with that id in the place of SESSION:',
    `   curl ${key} ${domain}/sessions/SESSION; echo`,
    '',
    '6. Revoke the token. Nothing authenticates by it any more:',
    `   curl -X DELETE ${key} ${domain}/users/${userId}/token`,
    '',
    'Stop the server with Ctrl-C; `npm start` again continues where it was.',
  ]
}
