import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, it } from 'node:test'
import type { Actor } from '../../src/core/actors.ts'
import type { HardwareFileToken } from '../../src/core/hardware-files/index.ts'
import { type HardwareImport, importHardwareTokens } from '../../src/core/hardware-import.ts'
import { oathCode, stepAt } from '../../src/core/oath.ts'
import { operatorOf } from '../../src/main.ts'
import { judged } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const known = 'There is a hardware token with this serial number already.'
let files = 0

/** So many tokens whose serial numbers no other file has. */
function file(size: number): HardwareFileToken[] {
  const prefix = `F${++files}`
  return Array.from({ length: size }, (_, index) => {
    const serialNumber = `${prefix}-${index}`
    return { serialNumber, type: 'TOTP6', timeStep: 30, seed: seedOf(serialNumber), line: index + 1 }
  })
}

function seedOf(serialNumber: string): Uint8Array {
  return new Uint8Array(createHash('sha1').update(serialNumber).digest())
}

onEveryEngine((engine) => {
  let server: TestServer
  let operator: Actor
  before(async () => {
    server = await startTestServer(engine)
    operator = await operatorOf(server.app, server.acme.id)
  })
  after(() => server.stop())

  const importAll = (input: HardwareImport, actor = operator) => importHardwareTokens(server.app, actor, input)

  it('the tokens of a file are there, in several batches, and what they show is accepted once they are given', async () => {
    const entries = file(450)
    const steps: number[] = []
    const result = await importAll({ entries, onProgress: (done) => steps.push(done) })
    assert.deepEqual(result, { imported: 450, refused: [] })
    assert.deepEqual(steps, [200, 400, 450])
    const pages = await Promise.all([1, 2, 3, 4, 5].map((page) => server.call('GET', `/api/hardware?page=${page}`)))
    const own = pages
      .flatMap(({ body }) => body)
      .filter(({ serialNumber }: { serialNumber: string }) => serialNumber.startsWith(`F${files}-`))
    assert.equal(own.length, 450)
    const { id, serialNumber, ...shown } = own[7]
    const alias = `HW-${id.slice(0, 8)}`
    assert.deepEqual(shown, { alias, type: 'TOTP6', timeStep: '30s', syncState: 'Never Used', user: '' })
    const { userId } = await newUser(server)
    await server.call('PUT', `/api/users/${userId}/hardware/${id}`)
    const step = stepAt(server.clock.now(), 30)
    const otp = oathCode({ seed: seedOf(serialNumber), step, digits: 6 })
    assert.equal(await judged(server, { id: userId }, { otp }), 'approved')
  })

  it('each token is in the audit log as one that was made by hand, and no seed is anywhere in clear', async () => {
    const entries = file(3)
    await importAll({ entries })
    const rows = await sql(server.database, `select data from audit_events where event = 'hardware.created'`)
    for (const { serialNumber } of entries) {
      assert.equal(rows.filter(({ data }) => JSON.parse(String(data)).serialNumber === serialNumber).length, 1)
    }
    const everything = JSON.stringify(await dump(server.database))
    for (const { seed } of entries) {
      for (const encoding of ['hex', 'base64', 'base64url'] as const)
        assert.ok(!everything.includes(Buffer.from(seed).toString(encoding)))
    }
  })

  it('a token whose serial number is there already is refused by its line, and the others are imported', async () => {
    const entries = file(6)
    const [first, , third, , fifth] = entries
    assert.ok(first && third && fifth)
    await importAll({ entries: [fifth, third] })
    const result = await importAll({ entries: [...entries, { ...first, line: 7 }] })
    const refused = [third, fifth, { ...first, line: 7 }].map(({ line, serialNumber }) => ({ line, serialNumber }))
    assert.deepEqual(
      result.refused.map(({ problem, ...about }) => about),
      refused,
    )
    assert.equal(result.imported, 4)
    assert.deepEqual(new Set(result.refused.map(({ problem }) => problem)), new Set([known]))
    assert.deepEqual((await importAll({ entries })).imported, 0)
  })

  it('a value that cannot be refuses its token only', async () => {
    const [good, ...bad] = file(4)
    assert.ok(good && bad[0] && bad[1] && bad[2])
    const entries: HardwareFileToken[] = [
      { ...bad[0], seed: new Uint8Array(9) },
      { ...bad[1], serialNumber: 'sérial' },
      { ...bad[2], alias: 'x'.repeat(65) },
      good,
    ]
    const { imported, refused } = await importAll({ entries })
    assert.equal(imported, 1)
    assert.deepEqual(
      refused.map(({ line, problem }) => [line, problem.split(':')[0]]),
      [
        [2, 'seed'],
        [3, 'serialNumber'],
        [4, 'alias'],
      ],
    )
  })

  it('a dry run says what would be imported and changes nothing', async () => {
    const entries = file(250)
    await importAll({ entries: entries.slice(0, 1) })
    const before = await dump(server.database)
    const tried = await importAll({ entries, dryRun: true })
    assert.deepEqual(await dump(server.database), before)
    assert.deepEqual(tried, await importAll({ entries }))
    assert.deepEqual([tried.imported, tried.refused.length], [249, 1])
  })

  it('of two imports of one file at once each token is imported by one', async () => {
    const entries = file(300)
    const both = [importAll({ entries }), importAll({ entries: entries.toReversed() })]
    const [one, other] = await Promise.all(both)
    assert.equal((one?.imported ?? 0) + (other?.imported ?? 0), 300)
  })

  it('another organization’s serial numbers are no obstacle, and who may not write imports nothing', async () => {
    const entries = file(2)
    await importAll({ entries })
    const mallory = await operatorOf(server.app, server.other.id)
    assert.deepEqual(await importAll({ entries }, mallory), { imported: 2, refused: [] })
    const reader: Actor = { kind: 'api-key', organizationId: server.acme.id, id: '', scope: 'read' }
    for (const dryRun of [true, false]) {
      await assert.rejects(importAll({ entries, dryRun }, reader), { code: 'api.error.forbidden' })
    }
  })
})
