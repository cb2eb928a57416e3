interface ErrorKind {
  /** HTTP */
  status: number
  /** what it means and what to do, for docs/errors.md */
  about: string
}

/** Error codes of the public HTTP API. Only `api.error.notfound.token` is known to LoginTC's clients. */
export const apiErrors = {
  'api.error.badrequest': {
    status: 400,
    about: 'A member of the request is missing or wrong; the message begins with its name.',
  },
  'api.error.numbermatching': {
    status: 400,
    about: 'The domain requires number matching: send `"numberMatching":true` and show the number of the answer.',
  },
  'api.error.conflict.username': { status: 400, about: 'Somebody has this user name, in whatever case.' },
  'api.error.conflict.serialnumber': {
    status: 400,
    about: 'The organization has a hardware token with this serial number.',
  },
  'api.error.conflict.hardware': { status: 400, about: 'The hardware token is another user’s: take it away first.' },
  'api.error.conflict.lastowner': {
    status: 400,
    about: 'The last owner who is not disabled stays one: make somebody else an owner first.',
  },
  'api.error.conflict.email': { status: 400, about: 'An administrator of the organization has this address.' },
  'api.error.limit.bypasscodes': {
    status: 400,
    about: 'The user has five bypass codes that can still be used: delete one first.',
  },
  'api.error.unauthorized': {
    status: 401,
    about: 'The API key is missing, wrong, expired or revoked; or the administrator’s session or sign-in link is.',
  },
  'api.error.forbidden': {
    status: 403,
    about: 'The API key’s scope, or the administrator’s role, lacks the permission.',
  },
  'api.error.forbidden.bypasscode': { status: 403, about: 'Bypass codes are switched off in this domain.' },
  'api.error.forbidden.otp': { status: 403, about: 'One-time passwords are switched off in this domain.' },
  'api.error.notfound': { status: 404, about: 'There is nothing at this address.' },
  'api.error.notfound.user': {
    status: 404,
    about: 'The organization has no such user, or the user is not a member of the domain in the path.',
  },
  'api.error.notfound.domain': { status: 404, about: 'The organization has no such domain.' },
  'api.error.notfound.token': { status: 404, about: 'The user has no token in this domain: create one.' },
  'api.error.notfound.bypasscode': { status: 404, about: 'The organization has no such bypass code.' },
  'api.error.notfound.hardware': {
    status: 404,
    about: 'The organization has no such hardware token, or the user has none.',
  },
  'api.error.notfound.apikey': { status: 404, about: 'The organization has no such API key.' },
  'api.error.notfound.administrator': { status: 404, about: 'The organization has no such administrator.' },
  'api.error.notfound.session': { status: 404, about: 'This domain never had such a session.' },
  'api.error.methodnotallowed': { status: 405, about: 'The address exists, the method does not; see `Allow`.' },
  'api.error.timeout': { status: 408, about: 'The request took too long to arrive.' },
  'api.error.preconditionfailed': {
    status: 412,
    about: 'Somebody has changed this meanwhile: read it again, and send the new `ETag` in `If-Match`.',
  },
  'api.error.toolarge': { status: 413, about: 'The body is too large.' },
  'api.error.uritoolong': { status: 414, about: 'The address is too long.' },
  'api.error.expectation': { status: 417, about: 'The only expectation that can be met is `100-continue`.' },
  'api.error.toomanyrequests': { status: 429, about: 'A limit was reached: try again after `Retry-After` seconds.' },
  'api.error.headerstoolarge': { status: 431, about: 'The headers are too large.' },
  'api.error.internal': { status: 500, about: 'A fault of the server; its log says which.' },
  'api.error.unavailable': {
    status: 503,
    about:
      'The server cannot reach its database at the moment, or is full: try again after `Retry-After` seconds. A change may have been made all the same: look before you repeat a POST.',
  },
} as const satisfies Record<string, ErrorKind>

/** Error codes of the device protocol (docs/specs/device-protocol.md §13). */
export const deviceErrors = {
  malformed: { status: 400, about: 'A mistake of the authenticator: show a general error.' },
  activation_failed: { status: 400, about: 'Wrong, used or expired code, or wrong name: ask the administrator.' },
  unsupported_version: { status: 400, about: 'With `versions`: update the authenticator.' },
  bad_signature: {
    status: 401,
    about: 'Also for an unknown or a pending token: offer to activate again.',
  },
  clock_skew: { status: 401, about: 'With `time`: remember the difference and sign once more.' },
  replayed: { status: 401, about: 'The jti was used for another message: take a new one, once.' },
  factor_failed: {
    status: 403,
    about: 'Wrong PIN or passcode, or an assertion that proves nothing, with `remaining`: ask again.',
  },
  factor_required: { status: 403, about: 'The domain asks for an unlock that was not given: set it up or ask for it.' },
  number_mismatch: { status: 403, about: 'Not the number on the login screen, with `remaining`: ask again.' },
  unknown_session: { status: 404, about: 'Drop the request from the list.' },
  not_found: { status: 404, about: 'There is nothing at this address.' },
  method_not_allowed: { status: 405, about: 'The address exists, the method does not; see `Allow`.' },
  request_timeout: { status: 408, about: 'The request took too long to arrive.' },
  session_closed: { status: 409, about: 'The request is over, with `state`: show how it ended.' },
  challenge_mismatch: {
    status: 409,
    about: 'What was signed is not what was asked; an alarm on the server: sync again.',
  },
  token_revoked: { status: 410, about: 'Delete the keys of this token and say so.' },
  too_large: { status: 413, about: 'A body has at most 16 KiB.' },
  uri_too_long: { status: 414, about: 'The address is too long.' },
  expectation_failed: { status: 417, about: 'The only expectation that can be met is `100-continue`.' },
  rate_limited: { status: 429, about: 'A limit was reached: try again after `Retry-After` seconds.' },
  headers_too_large: { status: 431, about: 'The headers are too large.' },
  internal: { status: 500, about: 'A fault of the server; its log says which.' },
  unavailable: { status: 503, about: 'The server cannot answer at the moment: try again after `Retry-After` seconds.' },
} as const satisfies Record<string, ErrorKind>

export type ApiErrorCode = keyof typeof apiErrors
export type DeviceErrorCode = keyof typeof deviceErrors
export type ErrorCode = ApiErrorCode | DeviceErrorCode

/** Every non-2xx answer of both APIs has this body; the device protocol puts further members beside `errors`. */
export interface ErrorEnvelope {
  errors: { code: string; message: string }[]
  [extra: string]: unknown
}

const kinds: Record<ErrorCode, ErrorKind> = { ...apiErrors, ...deviceErrors }

/** The HTTP status that belongs to a code. */
export function statusOf(code: ErrorCode): number {
  return kinds[code].status
}
