// Vectors of the building blocks: codes, keys, hashes, binding values, text.
import { createHmac } from 'node:crypto'
import { encodeActivationCode } from '@countersign/protocol/activation-code.ts'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { thumbprint } from '@countersign/protocol/jws.ts'
import { cleanText } from '@countersign/protocol/text.ts'
import { pinIterations, pinProof, sha256, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import { challenges, keys, mix, pin, pinKeyOf, run, salt, sids, tids, utf8 } from './world.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export async function primitiveVectors(): Promise<Record<string, object>> {
  return {
    thumbprint: await thumbprints(),
    'activation-code': activationCodes(),
    'pin-key': await pinKeys(),
    challenge: await challengeHashes(),
    'unlock-binding': await unlockBindings(),
    number: numbers(),
    text: texts(),
  }
}

async function thumbprints(): Promise<object> {
  const cases = Object.values(keys).map(async ({ jwk }) => ({ jwk, thumbprint: await thumbprint(jwk) }))
  return { description: 'JWK thumbprints (RFC 7638, SHA-256, base64url).', cases: await Promise.all(cases) }
}

function activationCodes(): object {
  const indexKey = run(0x40, 32)
  const index = (code: string) => toBase64url(createHmac('sha256', indexKey).update(`dp1/code\n${code}`).digest())
  const encode = (random: Uint8Array) => ({ random_hex: hex(random), code: encodeActivationCode(random) })
  return {
    description:
      'Activation codes: the low 50 bits of 7 random bytes as ten 5-bit groups; what was typed, read as a code (null: it is none); and the keyed index HMAC-SHA-256(K_idx, "dp1/code\\n" + code).',
    encode: [encode(run(0xa1, 7)), encode(new Uint8Array(7)), encode(new Uint8Array(7).fill(0xff)), encode(run(1, 7))],
    read: [
      ['d2mejab9n7', 'd2mejab9n7'],
      ['D2MEJ-AB9N7', 'd2mejab9n7'],
      [' d2mej ab9n7\n', 'd2mejab9n7'],
      ['d-2-m-e-j-a-b-9-n-7', 'd2mejab9n7'],
      ['oOiIlL2345', '0011112345'],
      ['d2mejab9n', null],
      ['d2mejab9n77', null],
      ['d2mejab9nu', null],
      ['d2mejab9n!', null],
      ['d2mejab9n\uff17', null],
      ['', null],
    ].map(([typed, code]) => ({ typed, code })),
    index: { key_hex: hex(indexKey), code: 'd2mejab9n7', index: index('d2mejab9n7') },
  }
}

async function pinKeys(): Promise<object> {
  const spellings: [note: string, pin: string, tid: string][] = [
    ['six digits', pin, tids.active],
    ['full-width digits are the same PIN (NFKC)', '\uff14\uff18\uff12\uff19\uff11\uff13', tids.active],
    ['another token of the same device', pin, tids.other],
    ['leading zeros count', '0000', tids.active],
    ['a passcode, composed', 'caf\u00e9 \ufb01ve', tids.active],
    ['the same passcode, decomposed and without the ligature', 'cafe\u0301 five', tids.active],
  ]
  const cases = spellings.map(async ([note, secret, tid]) => ({
    note,
    pin: secret,
    tid,
    pinKey: toBase64url(await pinKeyOf(tid, secret)),
  }))
  return {
    description:
      'k0 = PBKDF2-HMAC-SHA-256(utf8(NFKC(pin)), salt, iterations, 32); pinKey = HMAC-SHA-256(mixKey, utf8("dp1/pin\\n" + tid + "\\n") || k0).',
    salt_hex: hex(salt),
    mix_hex: hex(mix),
    iterations: pinIterations,
    cases: await Promise.all(cases),
  }
}

async function challengeHashes(): Promise<object> {
  const cases = Object.values(challenges).map(async (bytes) => ({
    wire: toBase64url(bytes),
    challenge: JSON.parse(new TextDecoder().decode(bytes)),
    sha256: toBase64url(await sha256(bytes)),
  }))
  return {
    description: 'Challenge bytes as sync sends them (base64url), what they say, and the hash that an answer signs.',
    cases: await Promise.all(cases),
  }
}

async function unlockBindings(): Promise<object> {
  const { tid, ref } = { tid: tids.active, ref: toBase64url(run(0x55, 16)) }
  const challengeHash = await sha256(challenges.pin)
  const bindings: UnlockBinding[] = [
    { tid, op: 'answer', ref: sids.pin, ans: 'approve', hash: challengeHash },
    { tid, op: 'factor', ref, ans: 'change', hash: new Uint8Array(32) },
    { tid, op: 'rotate', ref, ans: 'rotate', hash: await sha256(utf8.encode(await thumbprint(keys.next.jwk))) },
  ]
  const pinKey = await pinKeyOf(tid)
  const cases = bindings.map(async ({ hash, ...binding }) => {
    const uvb = await unlockBinding({ ...binding, hash })
    return { ...binding, hash: toBase64url(hash), uvb: toBase64url(uvb), proof: await pinProof(pinKey, uvb) }
  })
  return {
    description:
      'uvb = SHA-256(utf8("dp1/uv\\n" + tid + "\\n" + op + "\\n" + ref + "\\n" + ans + "\\n") || hash); proof = HMAC-SHA-256(pinKey, uvb). The hash is that of the challenge, 32 zero bytes, or SHA-256 of the new thumbprint.',
    pinKey: toBase64url(pinKey),
    cases: await Promise.all(cases),
  }
}

function numbers(): object {
  const key = run(0xc0, 32)
  const mac = (sid: string, number: string) =>
    toBase64url(createHmac('sha256', key).update(`dp1/num\n${sid}\n${number}`).digest())
  const cases = [
    [sids.pin, '071342'],
    [sids.plain, '071342'],
    [sids.pin, '00'],
  ].map(([sid = '', number = '']) => ({ sid, number, mac: mac(sid, number) }))
  return {
    description: 'How a matching number is stored: HMAC-SHA-256(K_num, utf8("dp1/num\\n" + sid + "\\n" + number)).',
    key_hex: hex(key),
    cases,
  }
}

function texts(): object {
  const cases: [note: string, text: string][] = [
    ['nothing to do', 'Office VPN'],
    ['composed (NFC)', 'Zoe\u0308\u2019s desk'],
    ['compatibility characters stay (NFC, not NFKC)', '\ufb01le \uff11\uff12 \u2460'],
    ['controls, line breaks, tab, delete', 'a\u0000b\tc\nd\re\u007ff\u0085g'],
    ['terminal escape', '\u001b[2J\u001b[31mred\u009b0m'],
    ['override', 'gpj.\u202eexe'],
    ['isolates', '\u2066a\u2067b\u2068c\u2069'],
    ['marks', 'a\u200eb\u200fc\u061cd'],
    ['zero width and joiners', 'pay\u200bpal\u200c.\u200dcom\u2060!'],
    ['an emoji loses its joiners', '\u{1f468}\u200d\u{1f4bb}'],
    ['line and paragraph separator', 'a\u2028b\u2029c'],
    ['byte order mark and annotations', '\ufeffa\ufff9b\ufffac\ufffb'],
    ['Mongolian vowel separator', 'a\u180eb'],
    ['tag characters', 'flag\u{e0067}\u{e007f}'],
    ['removal first, then composition', 'e\u200d\u0301'],
    ['markup is text', '<img onerror=alert(1)>'],
    ['right-to-left letters stay', '\u05e9\u05dc\u05d5\u05dd'],
    ['next to the ranges', '\u061b\u200a\u2010\u2027\u202f\u205f\u206a\ufff8\ufffc\u{dffff}\u{e0080}'],
    ['nothing is left', '\u200b\u200e'],
  ]
  return {
    description:
      'Text as it is frozen into a challenge (section 7): C0, C1, U+007F, U+061C, U+180E, U+200B-200F, U+2028-202E, U+2060-2069, U+FEFF, U+FFF9-FFFB and U+E0000-E007F removed, then NFC.',
    cases: cases.map(([note, text]) => ({ note, text, clean: cleanText(text) })),
  }
}
