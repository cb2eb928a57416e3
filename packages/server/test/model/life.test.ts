import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import fc from 'fast-check'
import { sweepOld, sweepSessions } from '../../src/core/sweeper.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { isOpen, type Kind, kinds, Model, type Owner, type Said } from './machine.ts'
import { createUser, heard, newOwners, World } from './world.ts'

// A failure prints the seed and the shortest walk that fails. What is printed as { seed, path, replayPath } goes, with
// Number(seed), into the options of fc.assert and fc.commands below to walk it again.
const walks = 14
const commandsMax = 60
const hour = 3_600_000
const walkMax = 80 * 24 * hour // sessions are deleted 90 days after their end

type Command = fc.AsyncCommand<World, TestServer>
type Run = (world: World) => Promise<unknown>

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('whatever happens in whatever order, everybody sees what the state machines of the specification say', async () => {
    const walk = fc.asyncProperty(fc.commands(commands, { maxCommands: commandsMax, size: 'max' }), async (steps) => {
      server.clock.advance(2 * hour) // no limit by the hour knows the walk before this one
      const world = new World(server, new Model(server.clock.now(), await newOwners(server)))
      for (const kind of kinds) await startWith(world, 0, kind)
      await fc.asyncModelRun(() => ({ model: world, real: server }), steps)
    })
    await fc.assert(walk, { numRuns: walks })
  })
})

/** Time goes on a little, something happens, and then everybody sees what the model says. */
function step(text: string, run: Run, check: (world: World) => boolean = () => true): Command {
  return {
    check: (world) => check(world),
    async run(world) {
      world.tick()
      await run(world)
      await world.compare()
    },
    toString: () => text,
  }
}

/** What is picked from a list in the order of age, the youngest first; undefined from an empty one. */
function pick<T>(from: T[], nth: number): T | undefined {
  return from.at(-1 - (nth % from.length))
}

/** A step with one of a list; none when the list is empty. */
function stepWith<T>(text: string, nth: number, list: (world: World) => T[], run: (world: World, one: T) => unknown) {
  const take: Run = async (world) => run(world, pick(list(world), nth) ?? assert.fail())
  return step(`${text} #${nth}`, take, (world) => list(world).length > 0)
}

const ownerNth = fc.constantFrom(0, 0, 0, 1)
const kind = fc.constantFrom(...kinds)
const nth = fc.nat({ max: 5 })
const right = fc.boolean()

/** A step about a user's place in a domain. */
function at(text: string, run: (world: World, owner: Owner, kind: Kind) => unknown): fc.Arbitrary<Command> {
  return fc
    .record({ owner: ownerNth, kind })
    .map(({ owner, kind }) =>
      step(`${text} ${kind} ${owner}`, async (world) => run(world, ownerOf(world, owner), kind)),
    )
}

function ownerOf(world: World, nth: number): Owner {
  return world.model.owners[nth] ?? assert.fail()
}

async function startWith(world: World, owner: number, kind: Kind): Promise<void> {
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

async function deleteUser(world: World, owner: Owner): Promise<void> {
  assert.deepEqual(heard(await world.api('DELETE', `/api/users/${owner.id}`)), world.model.deleteUser(owner))
}

/** Up to the moment at which the next thing of a kind lapses, to the millisecond. */
function advanceTo(what: keyof ReturnType<Model['deadlines']>, offset: number): Command {
  const left = ({ model }: World) => Math.min(...model.deadlines()[what]) + offset - model.now
  const isNear = (world: World) => world.model.now + left(world) - world.startedAt < walkMax
  return {
    check: (world) => left(world) > 0 && isNear(world),
    async run(world) {
      world.tick(left(world))
      await world.compare()
    },
    toString: () => `advance to the end of a ${what} ${offset} ms`,
  }
}

/** One request after the other, each taken back: fifteen in a row throttle. */
async function flood(world: World, owner: Owner, kind: Kind): Promise<void> {
  for (let times = 0; times < 7; times++) {
    const session = await world.ask(owner, kind, false)
    if (session) await world.cancel(session)
  }
}

/** Wrong numbers for one request after the other: twenty in a row suspend. */
async function guess(world: World, owner: Owner, kind: Kind): Promise<void> {
  for (let times = 0; times < 4; times++) {
    const session = await world.ask(owner, kind, true)
    await world.compare()
    for (let left = 3; left > 0 && session?.asked; left--) {
      world.tick()
      await world.answer(session, 'wrongNumber')
    }
  }
}

const open = (world: World) => world.shown().filter(isOpen)
const answerTo = (said: Said) => nth.map((nth) => stepWith(said, nth, open, (world, one) => world.answer(one, said)))
const often = <T>(times: number, one: T): T[] => Array.from({ length: times }, () => one)

// fc.commands takes each as often as the others: what leads somewhere is there several times.
const commands: fc.Arbitrary<Command>[] = [
  at('PUT token', (world, owner, kind) => world.putToken(owner, kind)),
  at('DELETE token', deleteToken),
  ...often(3, at('activate', activate)),
  ...often(2, at('add member', addMember)),
  at('remove member', removeMember),
  ownerNth.map((owner) =>
    step(
      `delete user ${owner}`,
      (world) => deleteUser(world, ownerOf(world, owner)),
      (world) => ownerOf(world, owner).id !== '',
    ),
  ),
  ...often(
    2,
    ownerNth.map((owner) =>
      step(
        `create user ${owner} again`,
        async (world) => {
          await createUser(world.server, ownerOf(world, owner))
          for (const kind of kinds) await startWith(world, owner, kind)
        },
        (world) => ownerOf(world, owner).id === '',
      ),
    ),
  ),
  nth.map((nth) =>
    step(
      `begin #${nth}`,
      (world) => world.begin(pick(world.model.tokens, nth) ?? assert.fail()),
      ({ model, deadCodes }) =>
        model.tokens.length > 0 && (deadCodes < 5 || pick(model.tokens, nth)?.state === 'pending'),
    ),
  ),
  at('begin six times', async (world, owner, kind) => {
    const token = world.model.live(owner, kind)
    for (let times = 0; times < 6 && token?.state === 'pending'; times++) {
      world.tick()
      await world.begin(token)
    }
  }),
  ...often(
    2,
    nth.map((nth) =>
      stepWith(
        'finish',
        nth,
        ({ begun }) => begun,
        (world, one) => world.finish(one),
      ),
    ),
  ),
  ...often(
    4,
    at('ask', (world, owner, kind) => world.ask(owner, kind, false)),
  ),
  ...often(
    3,
    at('ask with a number', (world, owner, kind) => world.ask(owner, kind, true)),
  ),
  at('flood', flood),
  at('guess', guess),
  ...often(3, answerTo('approve')),
  ...often(3, answerTo('wrongPin')),
  ...often(2, answerTo('wrongNumber')),
  ...(['mistake', 'not_me', 'other'] as const).map(answerTo),
  ...often(
    2,
    fc
      .record({ nth: fc.nat({ max: 20 }), said: fc.constantFrom<Said>('approve', 'wrongPin', 'mistake', 'not_me') })
      .map(({ nth, said }) =>
        stepWith(
          `${said}, to any`,
          nth,
          (world) => world.shown(),
          (world, one) => world.answer(one, said),
        ),
      ),
  ),
  nth.map((nth) =>
    stepWith(
      'repeat',
      nth,
      (world) => world.remembered(),
      (world, one) => world.repeat(one),
    ),
  ),
  ...often(
    2,
    nth.map((nth) =>
      stepWith(
        'cancel',
        nth,
        ({ model }) => model.sessions,
        (world, one) => world.cancel(one),
      ),
    ),
  ),
  fc.record({ nth, right }).map(({ nth, right }) =>
    stepWith(
      `rotate ${right}`,
      nth,
      (world) => world.phones(),
      (world, one) => world.rotate(one, right),
    ),
  ),
  fc.record({ nth, right }).map(({ nth, right }) =>
    stepWith(
      `change the factor ${right}`,
      nth,
      (world) => world.pinPhones(),
      (world, one) => world.changeFactor(one, right),
    ),
  ),
  nth.map((nth) =>
    stepWith(
      'remove',
      nth,
      (world) => world.phones(),
      (world, one) => world.remove(one),
    ),
  ),
  ...(['request', 'approval', 'suspension', 'throttle', 'activation', 'code'] as const).map((what) =>
    fc.constantFrom(-1, 0).map((offset) => advanceTo(what, offset)),
  ),
  ...often(
    2,
    fc.constant(
      step('sweep', async ({ server }) => {
        await sweepSessions(server.app)
        await sweepOld(server.app)
      }),
    ),
  ),
  fc.constant(step('restart', ({ server }) => server.restart())),
]
