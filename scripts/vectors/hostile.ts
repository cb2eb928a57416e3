// Messages that must be refused (and a few odd ones that must not), with the code of the refusal.
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
} from 'node:crypto'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { clocks, encodings, payloads, publicKeys } from './hostile-content.ts'
import { answer, big, type HostileVector, right } from './hostile-vector.ts'
import { firstAnswer } from './messages.ts'
import { bytesOf, type KeyName, keys, sign, tids, utf8 } from './world.ts'

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const text = JSON.stringify

/** hostile.json */
export async function hostileVectors(): Promise<object> {
  const cases = [
    ...(await algorithms()),
    ...(await headers()),
    ...(await signatures()),
    ...(await encodings()),
    ...(await publicKeys()),
    ...(await payloads()),
    ...(await clocks()),
  ]
  return {
    description:
      'Messages and what a verifier set up with world.json says to each: the code of the refusal, or accepted. Every message is judged alone: no jti was seen before. Signatures are valid under the key of the token where the name does not say otherwise.',
    cases,
  }
}

async function algorithms(): Promise<HostileVector[]> {
  const hmacKeys = { 'the JWK': bytesOf(keys.device.jwk), 'the SPKI': spki() }
  const hmac = Object.entries(hmacKeys).map(([name, secret]) =>
    foreign(`HS256 keyed with ${name}`, 'HS256', (input) => createHmac('sha256', secret).update(input).digest()),
  )
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const device = createPrivateKeyOf('device')
  const { alg: _, ...withoutAlg } = right
  return [
    foreign('alg none, no signature', 'none', () => new Uint8Array()),
    foreign('alg none, the right signature', 'none', ecdsa(device)),
    ...hmac,
    foreign('ES384', 'ES384', ecdsa(p384, 'sha384')),
    foreign('ES384 in the header, ES256 signature', 'ES384', ecdsa(device)),
    foreign('RS256', 'RS256', (input) => nodeSign('sha256', input, rsa)),
    foreign('lower-case alg', 'es256', ecdsa(device)),
    await answer('T12', 'alg missing', 'malformed', { header: withoutAlg }),
    await answer('T12', 'alg an array', 'malformed', { header: { ...right, alg: ['ES256'] } }),
  ]
}

async function headers(): Promise<HostileVector[]> {
  const members: [name: string, member: object][] = [
    ['jwk', { jwk: keys.other.jwk }],
    ['jku', { jku: 'https://attacker.example/keys' }],
    ['x5u', { x5u: 'https://attacker.example/cert' }],
    ['x5c', { x5c: ['MIIB'] }],
    ['crit and b64', { crit: ['b64'], b64: false }],
    ['zip', { zip: 'DEF' }],
    ['__proto__', JSON.parse('{"__proto__":{"alg":"ES256"}}')],
  ]
  const extra = members.map(([name, member]) =>
    answer('T13', `header with ${name}`, 'malformed', { header: { ...right, ...member } }),
  )
  const types = [
    'dp1-sync+jws',
    'dp1-newkey+jws',
    'dp2-answer+jws',
    'DP1-ANSWER+JWS',
    'application/dp1-answer+jws',
    'JWT',
    '',
    1,
  ]
  const kids: [name: string, kid: unknown, code: string][] = [
    ['SQL', `' OR '1'='1`, 'malformed'],
    ['of 8,000 characters', '1'.repeat(8000), 'malformed'],
    ['that is empty', '', 'malformed'],
    ['with NUL', `${tids.active}\u0000`, 'malformed'],
    ['with a line feed', `${tids.active}\n`, 'malformed'],
    ['of nobody', '0'.repeat(40), 'bad_signature'],
    ["of another user's token", tids.other, 'bad_signature'],
    ['of a pending token', tids.pending, 'bad_signature'],
    ['of a revoked token', tids.revoked, 'token_revoked'],
    ['that is a number', 1, 'malformed'],
    ['that is null', null, 'malformed'],
  ]
  const { typ: _typ, ...withoutTyp } = right
  const { kid: _kid, ...withoutKid } = right
  const upper = { ...firstAnswer, tid: tids.other.toUpperCase() }
  return Promise.all([
    ...extra,
    ...types.map((typ) => answer('T13', `typ ${text(typ)}`, 'malformed', { header: { ...right, typ } })),
    answer('T13', 'typ missing', 'malformed', { header: withoutTyp }),
    answer('T13', 'kid missing', 'malformed', { header: withoutKid }),
    ...kids.map(([name, kid, code]) => answer('T13', `kid ${name}`, code, { header: { ...right, kid } })),
    answer('T13', 'kid in upper case', 'malformed', {
      header: { ...right, kid: upper.tid },
      payload: upper,
      key: 'other',
    }),
    answer('T13', 'header an array', 'malformed', { header: ['ES256', 'dp1-answer+jws', tids.active] }),
  ])
}

async function signatures(): Promise<HostileVector[]> {
  const good = await sign('device', right, firstAnswer)
  const [r, s] = halves(good)
  const own = (name: string, signature: Uint8Array, expect: string): HostileVector => ({
    attack: 'T14',
    name,
    op: 'answer',
    jws: `${good.slice(0, good.lastIndexOf('.'))}.${toBase64url(signature)}`,
    expect,
  })
  const der = nodeSign('sha256', utf8.encode(good.slice(0, good.lastIndexOf('.'))), createPrivateKeyOf('device'))
  const edited = good.split('.').with(1, toBase64url(bytesOf({ ...firstAnswer, sid: '7'.repeat(40) })))
  return [
    own('DER signature', der, 'malformed'),
    own('signature of 63 bytes', raw(r, s).slice(0, 63), 'malformed'),
    own('signature of 65 bytes', Uint8Array.of(...raw(r, s), 0), 'malformed'),
    own('empty signature', new Uint8Array(), 'malformed'),
    own('r = 0', raw(0n, s), 'bad_signature'),
    own('s = 0', raw(r, 0n), 'bad_signature'),
    own('r = s = 0', raw(0n, 0n), 'bad_signature'),
    own('r = n', raw(order, s), 'bad_signature'),
    own('s = n', raw(r, order), 'bad_signature'),
    own('s > n', raw(r, 2n ** 256n - 1n), 'bad_signature'),
    own('r and s exchanged', raw(s, r), 'bad_signature'),
    own('n - s, which ECDSA cannot tell from s', raw(r, order - s), 'accepted'),
    await answer('T14', 'signed by another key', 'bad_signature', { key: 'next' }),
    { attack: 'T11', name: 'sid edited after signing', op: 'answer', jws: edited.join('.'), expect: 'bad_signature' },
  ]
}

/** A message whose header names an algorithm, signed by that algorithm. */
function foreign(name: string, alg: string, signer: (input: Uint8Array) => Uint8Array): HostileVector {
  const input = `${toBase64url(bytesOf({ ...right, alg }))}.${toBase64url(bytesOf(firstAnswer))}`
  const jws = `${input}.${toBase64url(signer(utf8.encode(input)))}`
  return { attack: 'T12', name, op: 'answer', jws, expect: 'malformed' }
}

function ecdsa(key: KeyObject, hash = 'sha256') {
  return (input: Uint8Array) => nodeSign(hash, input, { key, dsaEncoding: 'ieee-p1363' })
}

function createPrivateKeyOf(name: KeyName): KeyObject {
  return createPrivateKey({ key: { ...keys[name].jwk, d: keys[name].d }, format: 'jwk' })
}

function spki(): Uint8Array {
  return createPublicKey({ key: { ...keys.device.jwk }, format: 'jwk' }).export({ type: 'spki', format: 'der' })
}

function halves(jws: string): [r: bigint, s: bigint] {
  const hex = Buffer.from(jws.slice(jws.lastIndexOf('.') + 1), 'base64url').toString('hex')
  return [BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`)]
}

function raw(r: bigint, s: bigint): Uint8Array {
  return Uint8Array.of(...big(r), ...big(s))
}
