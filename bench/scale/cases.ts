import { writeCursor } from '../../packages/server/src/core/lists.ts'
import type { Place } from '../../packages/server/src/storage/pages.ts'
import { idOf, type Seeded, type Stretch, timeOf, usernameOf } from './seeded.ts'

/** A list with one choice of filters, in its first part, one from the middle and the last. */
export interface Case {
  list: string
  /** the filters as they are printed */
  filters: string
  /** what is asked for the n-th time: other users each time */
  paths(n: number): string[]
  /** the list is one answer, however long */
  whole?: true
  /** how often its rows are looked at depends on how many fit: at most five times */
  stepwise?: true
}

/** A list of the management API; a filter's value may depend on which time it is asked for. */
interface Listed {
  path: string | ((n: number) => string)
  filters: Record<string, string | ((n: number) => string)>
  /** cursors of the middle and of the last part */
  places: Place[]
}

/** Every list of both APIs with every choice of its filters. */
export function casesOf(seeded: Seeded): Case[] {
  const all = [...managed(seeded).flatMap(choicesOf), ...compatible(seeded)]
  return [...new Map(all.map((each) => [`${each.list} ${each.filters}`, each])).values()]
}

function managed(seeded: Seeded): Listed[] {
  const { users, audit } = seeded.sizes
  const userAt = (n: number) => idOf(1 + ((n * 7_919) % users))
  const [everybody = '', domain = ''] = seeded.domainIds
  const names = [[usernameOf(users / 2)], [usernameOf(users - 50)]]
  const time = (stretch: Stretch, count: number) => ({
    'since+until': `since=${iso(stretch, count / 4)}&until=${iso(stretch, (3 * count) / 4)}`,
  })
  const by = (stretch: Stretch, count: number) => [
    [timeOf(stretch, count / 2), ''],
    [timeOf(stretch, 50), ''],
  ]
  const ofWhom = { 'domain=large': `domain=${everybody}`, user: (n: number) => `user=${userAt(n)}` }
  const sessions = { path: '/admin/v1/sessions', places: by(seeded.sessions, users) }
  const times = time(seeded.sessions, users)
  const logged = by(seeded.audit, audit).map(([at = 0]) => [at, 0, 0])
  const log = { path: '/admin/v1/audit', places: logged }
  return [
    { path: '/admin/v1/domains', filters: {}, places: [] },
    { path: '/admin/v1/api-keys', filters: {}, places: [] },
    { path: '/admin/v1/administrators', filters: {}, places: [] },
    { path: '/admin/v1/users', filters: { q: 'q=USER' }, places: names },
    { path: '/admin/v1/users', filters: { 'q=one': (n) => `q=${usernameOf(1 + ((n * 7_919) % users))}` }, places: [] },
    { path: `/admin/v1/domains/${everybody}/members`, filters: { q: 'q=user' }, places: names },
    { path: `/admin/v1/domains/${domain}/members`, filters: {}, places: names },
    {
      path: '/admin/v1/tokens',
      filters: { ...ofWhom, 'state=active': 'state=active' },
      places: by(seeded.users, users),
    },
    {
      path: '/admin/v1/tokens',
      filters: { 'domain=small': `domain=${domain}`, 'state=revoked': 'state=revoked' },
      places: [],
    },
    { path: (n) => `/admin/v1/users/${userAt(n)}/tokens`, filters: {}, places: [] },
    { ...sessions, filters: { ...ofWhom, 'state=expired': 'state=expired', ...times } },
    { ...sessions, filters: { ...ofWhom, 'state=denied': 'state=denied', ...times } },
    { ...sessions, filters: { 'domain=small': `domain=${domain}`, 'state=cancelled': 'state=cancelled', ...times } },
    { ...sessions, filters: { 'domain=small': `domain=${domain}`, 'state=pending': 'state=pending' } },
    { ...sessions, filters: { 'domain=small': `domain=${domain}`, 'state=approved': 'state=approved' } },
    { path: (n) => `/admin/v1/users/${userAt(n % 8)}/bypass-codes`, filters: {}, places: [] },
    {
      path: '/admin/v1/hardware',
      filters: { q: 'q=S-', assigned: 'assigned=true' },
      places: [[`S-${String(users / 200).padStart(8, '0')}`], [`S-${String(users / 100 - 50).padStart(8, '0')}`]],
    },
    { path: '/admin/v1/hardware', filters: { unassigned: 'assigned=false' }, places: [] },
    { ...log, filters: { ...ofWhom, 'event=common': 'event=session.created', ...time(seeded.audit, audit) } },
    { ...log, filters: { 'event=rare': 'event=token.tampered', 'domain=small': `domain=${domain}` } },
    { ...log, filters: { actor: (n) => `actor=${userAt(n)}`, 'event=common': 'event=session.approved' } },
    { ...log, filters: { 'user+session': (n) => `user=${userAt(n)}&session=${userAt(n)}` } },
    { ...log, filters: { 'user+token': (n) => `user=${userAt(n)}&token=${userAt(n)}` } },
  ]
}

/** The compatible API counts its pages, of 100 users each. */
function compatible({ sizes: { users }, domainIds }: Seeded): Case[] {
  const pages = (path: string, count: number) => ({
    list: path.replaceAll(/[0-9a-f]{40}/g, ':id'),
    filters: 'page=N',
    paths: () => [1, Math.ceil(count / 200), Math.ceil(count / 100)].map((page) => `${path}?page=${page}`),
  })
  const one = {
    list: '/api/users',
    filters: 'username',
    paths: (n: number) => [`/api/users?username=${usernameOf(n + 1)}`],
  }
  return [
    pages('/api/users', users),
    one,
    pages(`/api/domains/${domainIds[0]}/users`, users),
    pages(`/api/domains/${domainIds[1]}/users`, users / 10),
    { list: '/api/hardware', filters: '', paths: () => ['/api/hardware'], whole: true },
  ]
}

function choicesOf({ path, filters, places }: Listed): Case[] {
  const cursors = ['', ...places.map((place) => `after=${writeCursor(place)}`)]
  return subsetsOf(Object.keys(filters)).map((chosen) => ({
    list: pathAt(path, 0).replaceAll(/[0-9a-f]{40}/g, ':id'),
    filters: chosen.join(' '),
    ...(path === '/admin/v1/audit' && chosen.length > 0 && { stepwise: true as const }),
    paths(n) {
      const query = chosen.map((name) => valueAt(filters[name] ?? '', n))
      return cursors.map((cursor) => `${pathAt(path, n)}?${[...query, cursor].filter(Boolean).join('&')}`)
    },
  }))
}

const pathAt = valueAt

function valueAt(value: string | ((n: number) => string), n: number): string {
  return typeof value === 'string' ? value : value(n)
}

function subsetsOf([first, ...others]: string[]): string[][] {
  if (first === undefined) return [[]]
  return subsetsOf(others).flatMap((set) => [set, [first, ...set]])
}

function iso(stretch: Stretch, n: number): string {
  return new Date(timeOf(stretch, Math.floor(n))).toISOString()
}
