import assert from 'node:assert/strict'
import fc from 'fast-check'
import { sweepOld, sweepSessions } from '../../src/core/sweeper.ts'
import type { TestServer } from '../support/server.ts'
import { isOpen, type Kind, kinds, type Model, type Owner, type Said } from './machine.ts'
import { createUser, heard, type World } from './world.ts'

/** One thing that happens in a walk. */
type Step = fc.AsyncCommand<{ world: World }, TestServer>

const walkMax = 80 * 24 * 3_600_000 // sessions are deleted 90 days after their end

const owner = fc.constantFrom(0, 0, 0, 1)
const kind = fc.constantFrom(...kinds)

/** Something happens, and then everybody sees what the model says; time goes on a little. */
function step(text: string, run: (world: World) => unknown, check: (world: World) => boolean = () => true): Step {
  return {
    check: ({ world }) => check(world),
    async run({ world }) {
      await run(world)
      await world.compare()
      world.tick()
    },
    toString: () => text,
  }
}

/** A step about a user's place in a domain. */
function at(text: string, run: (world: World, owner: Owner, kind: Kind) => unknown): fc.Arbitrary<Step> {
  return fc
    .tuple(owner, kind)
    .map(([owner, kind]) => step(`${text} ${kind} ${owner}`, (world) => run(world, ownerOf(world, owner), kind)))
}

/** The same once, or as often as it takes to reach a limit. */
function timesAt(
  text: string,
  max: number,
  run: (world: World, owner: Owner, kind: Kind) => unknown,
): fc.Arbitrary<Step> {
  return fc.tuple(owner, kind, fc.constantFrom(1, max)).map(([owner, kind, times]) =>
    step(`${times} times ${text} ${kind} ${owner}`, async (world) => {
      for (let nth = 0; nth < times; nth++) await run(world, ownerOf(world, owner), kind)
    }),
  )
}

/** A step about one of a list, more often a young one; none while the list is empty. */
function withOne<T>(text: string, list: (world: World) => T[], run: (world: World, one: T) => unknown) {
  const pick = (world: World, nth: number) => {
    const from = list(world)
    return from.at(-1 - (nth % from.length)) ?? assert.fail()
  }
  const check = (world: World) => list(world).length > 0
  const nth = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 2 }) }, { weight: 1, arbitrary: fc.nat({ max: 20 }) })
  return nth.map((nth) => step(`${text} #${nth}`, (world) => run(world, pick(world, nth)), check))
}

const answer = (said: Said, list: (world: World) => ReturnType<World['shown']>) =>
  withOne(said, list, (world, one) => world.answer(one, said))
const pending = (world: World) => world.shown().filter(({ state }) => state === 'pending')
const open = (world: World) => world.shown().filter(isOpen)
const shown = (world: World) => world.shown()
const phones = (world: World) => world.phones()
const pinPhones = (world: World) => world.phones().filter(({ kind }) => kind === 'pin')
const codes = ({ model, deadCodes }: World) => model.tokens.filter(({ state }) => state === 'pending' || deadCodes < 5)

// How often each is there: what ends things is rarer than what begins them.
const weighted: [weight: number, step: fc.Arbitrary<Step>][] = [
  [4, at('PUT token', (world, owner, kind) => world.putToken(owner, kind))],
  [1, at('DELETE token', deleteToken)],
  [5, at('activate', activate)],
  [2, at('add member', addMember)],
  [1, at('remove member', removeMember)],
  [1, owner.map((owner) => step(`delete user ${owner}`, (world) => deleteUser(world, owner), isThere(owner)))],
  [5, owner.map((owner) => step(`create user ${owner}`, (world) => createAgain(world, owner), isAway(owner)))],

  [1, withOne('begin', codes, (world, one) => world.begin(one))],
  [4, timesAt('begin', 6, begin)],
  [
    3,
    withOne(
      'finish',
      ({ begun }) => begun,
      (world, one) => world.finish(one),
    ),
  ],

  [6, at('ask', (world, owner, kind) => world.ask(owner, kind, false))],
  [5, at('ask with a number', (world, owner, kind) => world.ask(owner, kind, true))],
  [10, at('ask and approve', askAndApprove)],
  [4, timesAt('ask and cancel', 16, askAndCancel)],
  [5, timesAt('guess the number', 7, guess)],
  [
    1,
    withOne(
      'cancel',
      ({ model }) => model.sessions,
      (world, one) => world.cancel(one),
    ),
  ],
  [1, withOne('cancel open', open, (world, one) => world.cancel(one))],

  [8, answer('approve', pending)],
  [5, answer('wrongPin', pending)],
  [2, answer('wrongNumber', pending)],
  [1, answer('mistake', pending)],
  [1, answer('other', pending)],
  [4, answer('not_me', open)],
  [1, answer('approve', shown)],
  [1, answer('wrongPin', shown)],
  [1, answer('mistake', shown)],
  [1, answer('not_me', shown)],
  [
    1,
    withOne(
      'repeat',
      (world) => world.remembered(),
      (world, one) => world.repeat(one),
    ),
  ],

  [1, withOne('rotate', phones, (world, one) => world.rotate(one, true))],
  [1, withOne('rotate with a wrong PIN', phones, (world, one) => world.rotate(one, false))],
  [1, withOne('new PIN', phones, (world, one) => world.changeFactor(one, true))],
  [1, withOne('new PIN with a wrong one', pinPhones, (world, one) => world.changeFactor(one, false))],
  [1, withOne('remove', phones, (world, one) => world.remove(one))],

  [2, advanceToEndOf('request')],
  [8, advanceToEndOf('approval')],
  [5, advanceToEndOf('suspension')],
  [6, advanceToEndOf('throttle')],
  [3, advanceToEndOf('activation')],
  [3, advanceToEndOf('code')],
  [4, fc.constant(step('sweep', sweep))],
  [1, fc.constant(step('restart', ({ server }) => server.restart()))],
]

/** For fc.commands, which takes each as often as the others. */
export const steps = weighted.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))

/** Nobody is in a domain yet: how a walk begins, so that it does not begin with nothing. */
export async function settleIn(world: World): Promise<void> {
  for (const kind of kinds) await joinAndActivate(world, 0, kind)
}

function ownerOf(world: World, nth: number): Owner {
  return world.model.owners[nth] ?? assert.fail()
}

function isThere(owner: number) {
  return (world: World) => ownerOf(world, owner).id !== ''
}

function isAway(owner: number) {
  return (world: World) => ownerOf(world, owner).id === ''
}

async function joinAndActivate(world: World, owner: number, kind: Kind): Promise<void> {
  const who = ownerOf(world, owner)
  await addMember(world, who, kind)
  await activate(world, who, kind)
}

async function activate(world: World, owner: Owner, kind: Kind): Promise<void> {
  await world.putToken(owner, kind)
  const token = world.model.live(owner, kind)
  if (token?.state !== 'pending') return
  await world.begin(token)
  await world.finish(world.begun.at(-1) ?? assert.fail())
}

async function addMember(world: World, owner: Owner, kind: Kind): Promise<void> {
  const path = world.memberPath(owner, kind)
  assert.deepEqual(heard(await world.api('PUT', path)), world.model.addMember(owner, kind))
}

async function removeMember(world: World, owner: Owner, kind: Kind): Promise<void> {
  const path = world.memberPath(owner, kind)
  assert.deepEqual(heard(await world.api('DELETE', path)), world.model.removeMember(owner, kind))
}

async function deleteToken(world: World, owner: Owner, kind: Kind): Promise<void> {
  const path = world.tokenPath(owner, kind)
  assert.deepEqual(heard(await world.api('DELETE', path)), world.model.deleteToken(owner, kind))
}

async function deleteUser(world: World, nth: number): Promise<void> {
  const owner = ownerOf(world, nth)
  assert.deepEqual(heard(await world.api('DELETE', `/api/users/${owner.id}`)), world.model.deleteUser(owner))
}

async function createAgain(world: World, owner: number): Promise<void> {
  await createUser(world.server, ownerOf(world, owner))
  for (const kind of kinds) await joinAndActivate(world, owner, kind)
}

async function begin(world: World, owner: Owner, kind: Kind): Promise<void> {
  const token = world.model.live(owner, kind)
  if (token?.state === 'pending') await world.begin(token)
  world.tick()
}

async function askAndApprove(world: World, owner: Owner, kind: Kind): Promise<void> {
  const session = await world.ask(owner, kind, false)
  await world.compare()
  if (session?.asked) await world.answer(session, 'approve')
}

/** Fifteen in a row without an approval throttle. */
async function askAndCancel(world: World, owner: Owner, kind: Kind): Promise<void> {
  const session = await world.ask(owner, kind, false)
  if (session) await world.cancel(session)
}

/** Three wrong numbers deny the session, twenty in a row suspend the token. */
async function guess(world: World, owner: Owner, kind: Kind): Promise<void> {
  const session = await world.ask(owner, kind, true)
  await world.compare()
  for (let left = 3; left > 0 && session?.asked; left--) {
    world.tick()
    await world.answer(session, 'wrongNumber')
  }
}

async function sweep({ server }: World): Promise<void> {
  await sweepSessions(server.app)
  await sweepOld(server.app)
}

/** Up to the moment at which the next thing of a kind lapses, or a millisecond less. What follows happens just then. */
function advanceToEndOf(what: keyof ReturnType<Model['deadlines']>): fc.Arbitrary<Step> {
  return fc.constantFrom(-1, 0).map((offset) => {
    const left = ({ model }: World) => Math.min(...model.deadlines()[what]) + offset - model.now
    return {
      check: ({ world }) => left(world) > 0 && world.model.now + left(world) - world.startedAt < walkMax,
      async run({ world }) {
        world.tick(left(world))
        await world.compare()
      },
      toString: () => `advance to the end of a ${what}${offset === 0 ? '' : ', less 1 ms'}`,
    }
  })
}
