// Hostile spellings and contents: base64url, JSON, public keys, payload members, clocks.
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { answer, big, type HostileVector, right } from './hostile-vector.ts'
import { firstAnswer } from './messages.ts'
import { activation, common, header, type KeyName, keys, now, run, sign, tids, utf8 } from './world.ts'

const lengthMax = 16_384
const field = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const text = JSON.stringify

export async function encodings(): Promise<HostileVector[]> {
  const good = await sign('device', right, firstAnswer)
  const [head = '', body = '', tail = ''] = good.split('.')
  const lastBits = (part: string) => part.slice(0, -1) + successor(part.at(-1) ?? '')
  const spellings: [name: string, jws: string][] = [
    ['padding', `${head}.${body}.${tail}==`],
    ['unused bits of the signature set', `${head}.${body}.${lastBits(tail)}`],
    ['plain base64 alphabet', `${head}.${body}.${tail.slice(0, -2)}+/`],
    ['space before', ` ${good}`],
    ['line feed after', `${good}\n`],
    ['white space within', `${head}.${body.slice(0, 20)}\n${body.slice(20)}.${tail}`],
    ['no parts', ''],
    ['two parts', `${head}.${body}`],
    ['four parts', `${good}.`],
    ['five parts, as a JWE', `${head}.${body}.${tail}.${tail}.${tail}`],
    ['empty header', `.${body}.${tail}`],
    ['JSON serialization', text({ protected: head, payload: body, signature: tail })],
    ['NUL after', `${good}\u0000`],
    ['not ASCII', `${head}.${body}.${tail.slice(0, -1)}\u00e9`],
  ]
  return [
    ...spellings.map(([name, jws]): HostileVector => ({ attack: 'T14', name, op: 'answer', jws, expect: 'malformed' })),
    { attack: 'T14', name: 'exactly 16 KiB', op: 'answer', jws: await padded(lengthMax), expect: 'accepted' },
    { attack: 'T14', name: '16 KiB + 1', op: 'answer', jws: await padded(lengthMax + 1), expect: 'too_large' },
    ...(await jsonTexts()),
  ]
}

async function jsonTexts(): Promise<HostileVector[]> {
  const [head, body] = [text(right), text(firstAnswer)]
  const start = body.slice(0, -1)
  const [beforeNumber = '', afterNumber = ''] = body.split('071342')
  const numberOf = (...bytes: number[]) =>
    Uint8Array.of(...utf8.encode(beforeNumber), ...bytes, ...utf8.encode(afterNumber))
  const withBytes = (json: string, ...bytes: number[]) => Uint8Array.of(...utf8.encode(json), ...bytes, 0x22, 0x7d)
  const cases: [name: string, expect: string, header: string | Uint8Array, payload: string | Uint8Array][] = [
    ['alg twice, the right one last', 'accepted', `{"alg":"none",${head.slice(1)}`, body],
    ['alg twice, the wrong one last', 'malformed', `${head.slice(0, -1)},"alg":"none"}`, body],
    ['kid twice, the right one last', 'accepted', `{"kid":"${tids.other}",${head.slice(1)}`, body],
    ['ans twice, approve last', 'accepted', head, `{"ans":"deny",${body.slice(1)}`],
    ['ans twice, an unknown one last', 'malformed', head, `${start},"ans":"maybe"}`],
    ['sid twice, the right one last', 'accepted', head, `{"sid":"${'7'.repeat(40)}",${body.slice(1)}`],
    [
      'header members in another order, spaces',
      'accepted',
      text({ kid: right.kid, typ: right.typ, alg: right.alg }).replaceAll(':', ' : '),
      body,
    ],
    ['escaped member name in the header', 'accepted', head.replace('"alg"', '"\\u0061lg"'), body],
    ['BOM before the header', 'malformed', `\ufeff${head}`, body],
    ['BOM before the payload', 'malformed', head, `\ufeff${body}`],
    ['lone surrogate in kid', 'malformed', head.replace(right.kid, '\\ud800'), body],
    ['lone surrogate in the payload', 'malformed', head, body.replace('071342', '\\udc00')],
    ['lone surrogate as a member name', 'malformed', head, `${start},"\\ud800":1}`],
    ['payload that is not UTF-8', 'malformed', head, numberOf(0xc3, 0x28)],
    ['overlong UTF-8', 'malformed', head, numberOf(0xc0, 0xaf)],
    ['surrogate encoded as UTF-8', 'malformed', head, numberOf(0xed, 0xa0, 0x80)],
    ['header that is not UTF-8', 'malformed', withBytes(`${head.slice(0, -1)},"x":"`, 0xff), body],
    ['payload nested 5,500 deep', 'malformed', head, `${start},"x":${'['.repeat(5500)}${']'.repeat(5500)}}`],
    ['payload nested 10,000 deep, never closed', 'malformed', head, `{"x":${'['.repeat(10_000)}`],
    ['header nested 5,000 deep', 'malformed', `${head.slice(0, -1)},"x":${'['.repeat(5000)}${']'.repeat(5000)}}`, body],
    ['something after the payload', 'malformed', head, `${body}{}`],
    ['comment', 'malformed', head, `${start}/**/}`],
    ['payload an array', 'malformed', head, `[${body}]`],
    ['payload null', 'malformed', head, 'null'],
    ['payload a string', 'malformed', head, text(body)],
    ['payload empty', 'malformed', head, ''],
    ['payload not JSON', 'malformed', head, 'v=1&op=answer'],
  ]
  return Promise.all(
    cases.map(([name, expect, head, body]) =>
      answer('T14', name, expect, { header: bytes(head), payload: bytes(body) }),
    ),
  )
}

export async function publicKeys(): Promise<HostileVector[]> {
  const { jwk, d } = keys.fresh
  const flipped = fromBase64url(jwk.y) ?? new Uint8Array()
  flipped[31] = (flipped[31] ?? 0) ^ 1
  const zero = toBase64url(new Uint8Array(32))
  const invalid: [name: string, key: unknown][] = [
    ['point not on the curve', { ...jwk, y: toBase64url(flipped) }],
    ['point at infinity', { ...jwk, x: zero, y: zero }],
    ['x = p', { ...jwk, x: toBase64url(big(field)) }],
    ['x of 33 bytes', { ...jwk, x: toBase64url(Uint8Array.of(0, ...(fromBase64url(jwk.x) ?? []))) }],
    ['padded x', { ...jwk, x: `${jwk.x}=` }],
    ['y missing', { kty: jwk.kty, crv: jwk.crv, x: jwk.x }],
    ['private key', { ...jwk, d }],
    ['further member', { ...jwk, alg: 'ES256' }],
    ['crv P-384', { ...jwk, crv: 'P-384' }],
    ['kty oct', { kty: 'oct', k: zero }],
    ['a string', text(jwk)],
    ['null', null],
  ]
  const finish = (key: unknown) => ({
    ...common('activate', tids.pending, 0x70),
    ...activation,
    key,
    factor: { m: 'none' },
    device: { name: 'Phone', platform: 'ios', app: 'pwa/1.0.0', persisted: true },
    push: null,
  })
  const head = header('activate', activation.aid)
  const vector = async (
    name: string,
    expect: string,
    key: unknown,
    signer: KeyName = 'fresh',
  ): Promise<HostileVector> => ({
    attack: 'T14',
    name,
    op: 'activate',
    jws: await sign(signer, head, finish(key)),
    expect,
  })
  return Promise.all([
    ...invalid.map(([name, key]) => vector(`activation key: ${name}`, 'malformed', key)),
    vector('activation key that did not sign', 'bad_signature', jwk, 'other'),
  ])
}

export async function payloads(): Promise<HostileVector[]> {
  const { ch: _ch, ...withoutHash } = firstAnswer
  const { num: _num, uv: _uv, ...bare } = firstAnswer
  const cases: [name: string, expect: string, payload: object][] = [
    ['unknown member', 'malformed', { ...firstAnswer, admin: true }],
    ['member __proto__', 'malformed', JSON.parse(`{"__proto__":{"ans":"approve"},${text(firstAnswer).slice(1)}`)],
    ['ans neither approve nor deny', 'malformed', { ...firstAnswer, ans: 'Approve' }],
    ['deny without why', 'malformed', { ...bare, ans: 'deny' }],
    ['deny with an unknown why', 'malformed', { ...bare, ans: 'deny', why: 'because' }],
    ['approve with why', 'malformed', { ...firstAnswer, why: 'mistake' }],
    ['member ch missing', 'malformed', withoutHash],
    ['v 2', 'unsupported_version', { ...firstAnswer, v: 2 }],
    ['v a string', 'malformed', { ...firstAnswer, v: '1' }],
    ['op of another message', 'malformed', { ...firstAnswer, op: 'sync' }],
    ['aud of another server', 'malformed', { ...firstAnswer, aud: 'https://mfa.example.com' }],
    ['aud with a slash', 'malformed', { ...firstAnswer, aud: `${firstAnswer.aud}/` }],
    ['aud in upper case', 'malformed', { ...firstAnswer, aud: firstAnswer.aud.toUpperCase() }],
    ['aud an array', 'malformed', { ...firstAnswer, aud: [firstAnswer.aud] }],
    ['tid that is not the kid', 'malformed', { ...firstAnswer, tid: tids.other }],
    ['jti of 15 bytes', 'malformed', { ...firstAnswer, jti: toBase64url(run(0x55, 15)) }],
    ['jti padded', 'malformed', { ...firstAnswer, jti: `${firstAnswer.jti}==` }],
    ['jti not canonical', 'malformed', { ...firstAnswer, jti: `${firstAnswer.jti.slice(0, -1)}B` }],
    ['iat a string', 'malformed', { ...firstAnswer, iat: String(now) }],
    ['iat with a fraction', 'malformed', { ...firstAnswer, iat: now + 0.5 }],
  ]
  return Promise.all(cases.map(([name, expect, payload]) => answer('T14', name, expect, { payload })))
}

export async function clocks(): Promise<HostileVector[]> {
  const sync = async (name: string, skew: number, expect: string): Promise<HostileVector> => {
    const payload = { ...common('sync', tids.active, 0x11), iat: now + skew }
    return { attack: 'T26', name, op: 'sync', jws: await sign('device', header('sync', tids.active), payload), expect }
  }
  return [
    await sync('sync 300 s slow', -300, 'accepted'),
    await sync('sync 300 s fast', 300, 'accepted'),
    await sync('sync 301 s slow', -301, 'clock_skew'),
    await sync('sync 301 s fast', 301, 'clock_skew'),
    await answer('T26', 'answer of a phone that is a day slow', 'accepted', {
      payload: { ...firstAnswer, iat: now - 86_400 },
    }),
  ]
}

/** The right answer, lengthened to exactly this many characters by spaces in its JSON. */
async function padded(length: number): Promise<string> {
  for (let spaces = 0; spaces < 3; spaces++) {
    const head = bytes(text(right) + ' '.repeat(spaces))
    const rest = length - toBase64url(head).length - 86 - 2
    const payload = text(firstAnswer).padEnd(Math.floor((rest * 3) / 4))
    const jws = await sign('device', head, bytes(payload))
    if (jws.length === length) return jws
  }
  throw new Error(`No spelling has ${length} characters`)
}

function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? utf8.encode(content) : content
}

function successor(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[(alphabet.indexOf(character) + 1) % 64] ?? ''
}
