// The people and things on the pictures: Anna Keller, her three keys and one sign-in, on a Tuesday in March.
import type { Domain, EndedToken, HistoryEntry, Offer, SignInRequest, Token } from '../../src/model/model.ts'

const at = (day: number, hour: number, minute: number, second = 0) =>
  new Date(2026, 2, day, hour, minute, second).getTime()

export const now = at(17, 14, 32, 55)

const picture = (inside: string) =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 52 52">${inside}</svg>`)}`

export const northfield: Domain = {
  id: 'northfield',
  name: 'northfield.example',
  imageUrl: picture(
    '<rect width="52" height="52" fill="#1d3557"/><path d="M0 38l16-13 11 8 11-11 14 11v19H0z" fill="#f1c453"/><circle cx="37" cy="14" r="4.500" fill="#fff"/>',
  ),
}
export const harbour: Domain = {
  id: 'harbour',
  name: 'harbour-clinic.example',
  imageUrl: picture(
    '<rect width="52" height="52" fill="#7a2e4d"/><path d="M8 32c6-5 12-5 18 0s12 5 18 0v6c-6 5-12 5-18 0s-12-5-18 0z" fill="#fff"/><path d="M23 10h6v5h5v6h-5v5h-6v-5h-5v-6h5z" fill="#f6c9d8"/>',
  ),
}
export const oldmill: Domain = {
  id: 'oldmill',
  name: 'oldmill.example',
  imageUrl: picture(
    '<rect width="52" height="52" fill="#3d4a2a"/><path d="M26 8l4 16h14l-14 4-4 16-4-16H8l14-4z" fill="#e9e4c9"/>',
  ),
}
/** Without an image, and with a name that needs room. */
export const longNamed: Domain = {
  id: 'long',
  name: 'Donaudampfschifffahrtsgesellschaft.beschaffung.example',
  imageUrl: '',
}

export const history: HistoryEntry[] = [
  entry('1', 'approved', 'Wiki', at(17, 14, 32)),
  entry('2', 'approved', 'VPN', at(17, 8, 5)),
  entry('3', 'expired', 'VPN', at(13, 17, 40)),
]
export const longHistory: HistoryEntry[] = [
  entry('1', 'not_me', 'A very long name of an application that nobody asked for', at(17, 14, 32)),
  entry('2', 'denied', 'Wiki', at(16, 9, 12)),
  entry('3', 'cancelled', 'VPN', at(14, 7, 1)),
  entry('4', 'elsewhere', 'Mail', at(2, 23, 59)),
  entry('5', 'expired', '', at(1, 0, 3)),
]

function entry(sid: string, result: HistoryEntry['result'], app: string, when: number): HistoryEntry {
  return { sid, at: when, result, attributes: app ? [{ name: 'App', value: app }] : [], ip: '203.0.113.24' }
}

/** Anna's key of northfield.example, with differences. */
export function token(differences: Partial<Token> = {}): Token {
  return {
    tid: 'northfield',
    domain: northfield,
    user: 'anna.keller',
    server: { name: 'Northfield', origin: 'https://auth.northfield.example' },
    name: '',
    addedAt: at(12, 9, 0),
    lastUsedAt: at(17, 14, 32),
    unlock: 'pin',
    pinLength: 6,
    minLength: 6,
    state: { is: 'active' },
    history,
    rename: async () => {},
    unlocks: ['pin'],
    unconfirmedChange: false,
    lateChange: undefined,
    changeUnlock: async () => ({ is: 'done' }),
    retryChange: async () => ({ is: 'done' }),
    remove: async () => ({ is: 'done' }),
    ...differences,
  }
}

export const tokens: Token[] = [
  token(),
  token({ tid: 'harbour', domain: harbour, user: 'a.keller', lastUsedAt: at(13, 10, 0) }),
  token({ tid: 'oldmill', domain: oldmill, user: 'anna', lastUsedAt: undefined }),
]
export const troubledTokens: Token[] = [
  token({ name: 'Work' }),
  token({ tid: '2', domain: harbour, user: 'a.keller', state: { is: 'paused', until: at(17, 15, 32) } }),
  token({ tid: '3', domain: longNamed, user: 'anna.katharina.keller-von-der-muehlen@example.org' }),
  token({ tid: '4', domain: oldmill, user: 'anna', state: { is: 'unlock_required' }, unlocks: [] }),
  token({ tid: '6', domain: northfield, user: 'anna', state: { is: 'unlock_required' }, unlocks: ['platform'] }),
]
export const ended: EndedToken[] = [
  { tid: '5', domain: oldmill, user: 'anna', name: '', endedAt: at(16, 9, 0), by: 'server' },
]

export const offer: Offer = {
  server: { name: 'Northfield', origin: 'https://auth.northfield.example' },
  domain: northfield,
  user: 'anna.keller',
  unlock: ['pin', 'platform'],
  minLength: 6,
  expiresAt: at(17, 14, 42),
}

const attributes = {
  en: [
    { name: 'App', value: 'Wiki' },
    { name: 'Action', value: 'Sign in as editor' },
  ],
  de: [
    { name: 'App', value: 'Wiki' },
    { name: 'Vorgang', value: 'Anmelden als Redakteurin' },
  ],
}

/** What a hostile or careless application sends: long, many, and dressed up as ours. */
export const manyAttributes = [
  { name: 'App', value: 'Payroll of Northfield Manufacturing and Trading, branch office north-west' },
  {
    name: 'Action',
    value:
      'Change the bank account that your salary is paid to, starting with the next month and for all of those after it, until you change it again',
  },
  { name: 'Confirmed by your server', value: '<b>Yes</b> https://evil.example/click?me=1' },
  ...Array.from({ length: 9 }, (_, index) => ({ name: `Detail ${index + 1}`, value: `Value ${index + 1}` })),
]

/** The sign-in to the wiki, 65 seconds before its end, with differences. */
export function request(language: 'en' | 'de', differences: Partial<SignInRequest> = {}): SignInRequest {
  return {
    sid: 's1',
    tid: 'northfield',
    domain: northfield,
    user: 'anna.keller',
    ip: '203.0.113.24',
    attributes: attributes[language],
    via: 'api',
    createdAt: at(17, 14, 32),
    expiresAt: at(17, 14, 34),
    numberLength: 6,
    unlock: 'pin',
    secondsLeft: 65,
    secondsTotal: 90,
    armed: true,
    outcome: { is: 'open' },
    rearm() {},
    isNumber: (typed) => typed.length === 6,
    approve: async () => {},
    deny: async () => {},
    retry: async () => {},
    ...differences,
  }
}
