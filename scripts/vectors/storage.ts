// Vectors of what the server stores: field encryption and the MACs of rows and verdicts.
import { createCipheriv, createHmac } from 'node:crypto'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { challenges, keys, run, sids, tids } from './world.ts'

const ids = { organization: '8'.repeat(40), user: '9'.repeat(40), domain: '4'.repeat(40) }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export async function storageVectors(): Promise<Record<string, object>> {
  return { 'field-encryption': fields(), 'row-mac': await rowMacs(), 'verdict-mac': await verdictMacs() }
}

function fields(): object {
  const dek = run(0x00, 32)
  const cases: [row: { table: string; column: string; id: string }, dekId: string, nonceStart: number, text: string][] =
    [
      [{ table: 'tokens', column: 'code', id: tids.pending }, 'd1', 0x10, 'd2mejab9n7'],
      [{ table: 'tokens', column: 'code', id: tids.active }, 'd1', 0x10, 'd2mejab9n7'],
      [{ table: 'bypass_codes', column: 'code', id: '3'.repeat(40) }, 'd2', 0x20, ''],
      [{ table: 'users', column: 'note', id: ids.user }, 'd1', 0x30, 'Zo\u00eb \u{1f511}'],
    ]
  return {
    description:
      'Encrypted fields: v1.<DEK id>.<base64url nonce, 12 bytes>.<base64url ciphertext and 16-byte tag>, AES-256-GCM, additional data utf8("table|column|row id|v1"). Moved to another row, column or table a field must not decrypt.',
    dek_hex: hex(dek),
    cases: cases.map(([row, dekId, nonceStart, text]) => {
      const aad = `${row.table}|${row.column}|${row.id}|v1`
      const nonce = run(nonceStart, 12)
      return { ...row, aad, dek_id: dekId, nonce_hex: hex(nonce), text, field: seal(dek, dekId, nonce, aad, text) }
    }),
  }
}

function seal(dek: Uint8Array, dekId: string, nonce: Uint8Array, aad: string, text: string): string {
  const cipher = createCipheriv('aes-256-gcm', dek, nonce)
  cipher.setAAD(Buffer.from(aad))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${dekId}.${toBase64url(nonce)}.${toBase64url(sealed)}`
}

async function rowMacs(): Promise<object> {
  const key = run(0xd0, 32)
  const print = await thumbprint(keys.device.jwk)
  const row = [ids.organization, tids.active, 1, ids.user, ids.domain, print, 'pin', null]
  return {
    description:
      'Row MAC of a token: HMAC-SHA-256(K_row, utf8(JSON.stringify([organization id, tid, key generation, user id, domain id, thumbprint, factor method, credential id or null]))), base64url. A token with a credential has its public key (COSE, base64url) as a ninth member.',
    key_hex: hex(key),
    cases: [
      row,
      row.with(2, 2),
      row.with(6, 'none'),
      [...row.with(6, 'webauthn').with(7, 'Y3JlZGVudGlhbA'), 'cHVibGljIGtleQ'],
    ].map((array) => ({
      array,
      mac: mac(key, array),
    })),
  }
}

async function verdictMacs(): Promise<object> {
  const key = run(0xe0, 32)
  const hash = toBase64url(await sha256(challenges.pin))
  const cases = [
    [sids.pin, tids.active, ids.user, ids.domain, 'push', 1767225612345, hash],
    [sids.pin, '', ids.user, ids.domain, 'otp', 1767225612345, ''],
    [sids.pin, '', ids.user, ids.domain, 'bypasscode', 1767225612345, ''],
  ]
  return {
    description:
      'Verdict MAC of a session: HMAC-SHA-256(K_verdict, utf8(JSON.stringify([sid, tid or "", user id, domain id, method, approved_at in milliseconds, challenge hash or ""]))), base64url.',
    key_hex: hex(key),
    cases: cases.map((array) => ({ array, mac: mac(key, array) })),
  }
}

function mac(key: Uint8Array, array: unknown[]): string {
  return toBase64url(createHmac('sha256', key).update(JSON.stringify(array)).digest())
}
