import { after, before, it } from 'node:test'
import fc from 'fast-check'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Model } from './machine.ts'
import { settleIn, steps } from './steps.ts'
import { newOwners, World } from './world.ts'

const walks = 12
const stepsMax = 60
const twoHours = 7_200_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  // A failure prints the shortest walk that fails; its seed and path go into fc.assert's options to walk it again, its
  // replayPath into those of fc.commands.
  it('A11: whatever happens in whatever order, everybody sees what the state machines of the specification say', async () => {
    const walk = fc.asyncProperty(fc.commands(steps, { maxCommands: stepsMax, size: 'max' }), async (commands) => {
      server.clock.advance(twoHours) // no limit by the hour knows the walk before this one
      const world = new World(server, new Model(server.clock.now(), await newOwners(server)))
      await settleIn(world)
      await fc.asyncModelRun(() => ({ model: { world }, real: server }), commands)
    })
    await fc.assert(walk, { numRuns: walks })
  })
})
