import { codePoints } from '@countersign/protocol/text.ts'
import { badRequest } from './errors.ts'

// A name has at most 128 code points, two units each; an e-mail address, which `begin` also takes, at most 254.
const nameUnitsMax = 512

/**
 * What user names are compared by, everywhere: case and compatibility forms (full width, ligatures) do not make another
 * person. Computed here only; no database folds or collates.
 */
export function usernameKey(username: string): string {
  // Nobody has such a name, and some characters become eighteen: a megabyte of them would hold the server up.
  if (username.length > nameUnitsMax) return ''
  return username.normalize('NFKC').toLowerCase().normalize('NFKC')
}

/** Refuses names that could not be told apart from others, or typed again. */
export function checkUsername(username: string, field = 'username'): string {
  const length = codePoints(username)
  if (length < 1 || length > 128) throw badRequest(field, 'A user name has 1 to 128 characters.')
  const folded = username.normalize('NFKC')
  if (folded !== folded.trim() || username !== username.trim()) {
    throw badRequest(field, 'A user name cannot begin or end with white space.')
  }
  if (/[\p{Cc}\p{Cf}]/u.test(username)) throw badRequest(field, 'A user name cannot contain invisible characters.')
  return username
}

/** A display name: what was given, or the fallback where nothing was. */
export function checkName(name: string | null | undefined, fallback: string, field = 'name'): string {
  if (name === undefined || name === null || name === '') return fallback
  if (codePoints(name) > 256) throw badRequest(field, 'A name has at most 256 characters.')
  return name
}

/** An e-mail address or nothing. Whether mail arrives there only sending can tell. */
export function checkEmail(email: string | null | undefined, field = 'email'): string {
  if (email === undefined || email === null || email === '') return ''
  if (codePoints(email) > 254) throw badRequest(field, 'An e-mail address has at most 254 characters.')
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw badRequest(field, 'This does not look like an e-mail address.')
  return email
}
