import { readFileSync } from 'node:fs'
import type { Operation } from '@countersign/protocol/device-messages.ts'
import { type PublicJwk, thumbprint } from '@countersign/protocol/jws.ts'
import { openLimits } from '../../src/core/limits.ts'
import { plainHash } from '../../src/core/secrets.ts'
import { rowMac } from '../../src/core/tokens.ts'
import type { ActivatedToken, TokenRow } from '../../src/storage/tokens.ts'
import type { TestEngine } from './engines.ts'
import { fixedClock, type Reply, startTestServer, type TestServer } from './server.ts'
import { sql } from './sql.ts'

// The server that docs/specs/vectors/world.json describes, so that its messages can be sent to a real one.
interface World {
  now: number
  aud: string
  keys: Record<string, { jwk: PublicJwk }>
  tokens: { tid: string; state: string; key?: string; factor?: string; pinKey?: string }[]
  activation: { aid: string; nonce: string; tid: string; expires: number }
  sessions: { sid: string; tid: string; number?: string; challenge: string }[]
}

export const world = readVectors<World>('world')
const organization = '8'.repeat(40)
/** asks for a PIN; the other one asks for nothing */
const pinDomain = '4'.repeat(40)
const plainDomain = 'd'.repeat(40)

/** A file of docs/specs/vectors. */
export function readVectors<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../../../../docs/specs/vectors/${name}.json`, import.meta.url), 'utf8'))
}

/** Starts it; `x-forwarded-for` is believed, so that a test can have as many addresses as it needs. */
export function startVectorServer(engine: TestEngine): Promise<TestServer> {
  return startTestServer(engine, {
    empty: true,
    clock: fixedClock(world.now * 1_000),
    settings: {
      COUNTERSIGN_DEVICE_URL: world.aud,
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1',
    },
  })
}

let messages = 0

/** Sends one message of an operation as it stands; a sync in the envelope that it needs. */
export async function post(server: TestServer, op: Operation, jws: string): Promise<Reply> {
  const { host, port } = server.config.deviceListen
  const path = op === 'activate' ? 'activation/finish' : op
  const body = op === 'sync' ? JSON.stringify({ wait: 0, tokens: [jws] }) : jws
  const from = { 'x-forwarded-for': `10.2.${++messages >> 8}.${messages & 255}` }
  const response = await fetch(`http://${host}:${port}/device/v1/${path}`, { method: 'POST', body, headers: from })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

/** Makes the database what world.json says, whatever it was before; the pending token is in a domain with or without a PIN. */
export async function resetWorld(server: TestServer, { pendingWithPin = true } = {}): Promise<void> {
  const { app, database } = server
  for (const table of ['organizations', 'domains', 'users', 'tokens', 'activations', 'sessions', 'replies']) {
    await sql(database, `delete from ${table}`)
  }
  app.limits = openLimits(app.now)
  await app.storage.transaction(async ({ organizations, domains, users }) => {
    await organizations.insert({ id: organization, name: 'Vectors', settings: '{}', created_at: 0 })
    await domains.insert({ ...domain, id: pinDomain, key_type: 'PIN' })
    await domains.insert({ ...domain, id: plainDomain, key_type: 'ONE_STEP' })
    const user = { organization_id: organization, id: '9'.repeat(40), name: '', email: '', created_at: 0 }
    await users.insert(organization, [{ ...user, username: 'jane.doe', username_key: 'jane.doe' }])
  })
  for (const token of world.tokens) {
    const pin = token.factor === 'pin' || (token.state === 'pending' && pendingWithPin)
    await insertToken(server, token, pin ? pinDomain : plainDomain)
  }
  const { aid, nonce, tid, expires } = world.activation
  await app.storage.transaction(async ({ activations, sessions }) => {
    const opened = {
      aid_hash: plainHash(aid),
      nonce_hash: plainHash(nonce),
      created_at: 0,
      expires_at: expires * 1_000,
    }
    await activations.insert({ organization_id: organization, tid, ...opened })
    for (const session of world.sessions) await sessions.insert(sessionRow(server, session))
  })
}

const domain = {
  organization_id: organization,
  name: 'Office VPN',
  type: 'API',
  max_allowed_retries: 5,
  request_timeout: 90,
  activation_code_expiration: 7,
  request_polling_enabled: 1,
  bypass_enabled: 1,
  otp_enabled: 1,
  min_length: 4,
  number_matching: 'whenAsked',
  on_fraud: 'suspend',
  bypass_counts_as_unlock: 0,
  allowed_networks: '[]',
  activation_code_minutes: null,
  platform_unlock_enabled: 0,
  policy_rev: 7,
  created_at: 0,
}

async function insertToken({ app }: TestServer, token: World['tokens'][number], domainId: string): Promise<void> {
  const { tid, state, key = '', factor = 'none', pinKey } = token
  // One live token a user and domain is all that the index allows: each has an owner of its own.
  const owner = {
    organization_id: organization,
    tid,
    domain_id: domainId,
    user_id: state === 'pending' ? '9'.repeat(40) : tid,
  }
  const code = { code_index: `code ${tid}`, code_cipher: '', secret_index: '', secret_cipher: '' }
  await app.storage.transaction(async ({ tokens }) => {
    await tokens.insert({ ...owner, ...code, code_expires_at: (world.now + 86_400) * 1_000, created_at: 0 })
    if (state === 'revoked') await tokens.revoke(organization, [tid], 'api', 0)
    const jwk = world.keys[key]?.jwk
    if (!jwk) return
    const credential = { credential_id: null, credential_public_key: null, credential_sign_count: null }
    const bound = { ...owner, key_generation: 0, thumbprint: await thumbprint(jwk), factor, ...credential }
    const place = { table: 'tokens', column: 'pin_key_cipher', row: tid }
    const active: ActivatedToken = {
      origin: world.aud,
      public_key: JSON.stringify(jwk),
      thumbprint: bound.thumbprint,
      factor,
      factor_kind: pinKey ? 'pin' : null,
      ...credential,
      pin_key_cipher: pinKey ? app.secrets.encrypt(place, pinKey) : null,
      row_mac: rowMac(app, bound as TokenRow),
      device_name: '',
      device_platform: '',
      device_app: '',
      device_persisted: 0,
      activated_at: 0,
      push_endpoint_cipher: null,
      push_keys_cipher: null,
      push_endpoint_hash: null,
      push_vapid_id: null,
    }
    await tokens.activate(organization, tid, app.now(), active)
  })
}

/** Opens one more session than the world has. */
export function insertSession(server: TestServer, session: World['sessions'][number]) {
  return server.app.storage.transaction(({ sessions }) => sessions.insert(sessionRow(server, session)))
}

function sessionRow({ app }: TestServer, { sid, tid, number, challenge }: World['sessions'][number]) {
  const bytes = Buffer.from(challenge, 'base64url').toString('utf8')
  const { iat, exp, unlock } = JSON.parse(bytes)
  return {
    organization_id: organization,
    sid,
    domain_id: unlock === 'none' ? plainDomain : pinDomain,
    user_id: tid,
    tid,
    method: 'push',
    state: 'pending',
    reason: '',
    challenge,
    challenge_hash: plainHash(bytes),
    number_mac: number ? app.secrets.mac('number', `dp1/num\n${sid}\n${number}`) : null,
    number_failures: 0,
    answers: 0,
    verdict_mac: null,
    evidence_cipher: null,
    created_at: iat * 1_000,
    expires_at: exp * 1_000,
    approved_at: null,
    ended_at: null,
  }
}
