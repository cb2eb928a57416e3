import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

// What the phone makes of it: test/device/number-matching.test.ts.
onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const newMatchingPhone = async (numberMatching: string) =>
    newPhone(server, { domainId: await newDomain(server, { numberMatching }) })
  const ask = (phone: { domainId: string; userId: string }, body: object, headers = {}) =>
    server.call('POST', `/api/domains/${phone.domainId}/sessions`, {
      body: { user: { id: phone.userId }, ...body },
      headers,
    })

  it('who asks for a number is told it once, and nobody else ever', async () => {
    const phone = await newMatchingPhone('whenAsked')
    const created = await ask(phone, { numberMatching: true })
    const { id, number } = created.body
    assert.match(created.text, /^\{"id":"[0-9a-f]{40}","state":"pending","number":"[0-9]{6}"\}$/)
    for (const headers of [{}, countersign]) {
      const read = await server.call('GET', `/api/domains/${phone.domainId}/sessions/${id}`, { headers })
      assert.ok(!read.text.includes(number) && !('number' in read.body))
    }
    const [row] = await sql(server.database, 'select * from sessions where sid = ?', id)
    assert.ok(!JSON.stringify(row).includes(`"${number}"`))
    const { challenge } = await phone.device.request()
    assert.ok(!JSON.stringify(challenge).includes(number))
    const detailed = (await ask(phone, { numberMatching: true }, countersign)).body
    assert.match(detailed.number, /^[0-9]{6}$/)
  })

  it('numbers keep their leading zeros and are as likely as each other', async () => {
    const phone = await newMatchingPhone('whenAsked')
    const digits = new Map<string, number>()
    for (let count = 0; count < 100; count++) {
      const request = await phone.ask({ numberMatching: true })
      const { number: num = '' } = request
      assert.match(num, /^[0-9]{6}$/)
      for (const digit of num) digits.set(digit, (digits.get(digit) ?? 0) + 1)
      assert.equal((await phone.device.approve(request, { num })).status, 200)
      server.clock.advance(10_000)
    }
    assert.equal(digits.size, 10)
    // 60 expected, 7 the standard deviation: six of them are outside these bounds once in a hundred million runs.
    for (const [digit, count] of digits) assert.ok(count > 15 && count < 105, `${digit}: ${count}`)
  })

  it('where matching is off or not asked for there is no number', async () => {
    const [off, whenAsked] = [await newMatchingPhone('off'), await newMatchingPhone('whenAsked')]
    for (const [phone, body] of [
      [off, { numberMatching: true }],
      [off, {}],
      [whenAsked, {}],
      [whenAsked, { numberMatching: false }],
      [whenAsked, { numberMatching: null }],
    ] as const) {
      const reply = await ask(phone, body)
      assert.equal(reply.text, `{"id":"${reply.body.id}","state":"pending"}`)
      const request = (await phone.device.requests()).find(({ sid }) => sid === reply.body.id)
      assert.deepEqual(request?.challenge.match, { type: 'none' })
      await phone.device.approve(request ?? assert.fail())
    }
  })

  it('T25 A33: a domain that requires matching refuses who does not ask, and no phone hears of it', async () => {
    const phone = await newMatchingPhone('required')
    for (const body of [{}, { numberMatching: false }, { numberMatching: null }]) {
      assert.deepEqual(refusal(await ask(phone, body)), { status: 400, code: 'api.error.numbermatching' })
    }
    assert.deepEqual(await phone.device.requests(), [])
    assert.match((await ask(phone, { numberMatching: true })).body.number, /^[0-9]{6}$/)
    // A code is judged where it is: there is no phone to type a number on.
    assert.equal((await ask(phone, { otp: '' })).body.state, 'denied')
  })

  it('a wish that is neither true nor false is a bad request', async () => {
    const phone = await newMatchingPhone('required')
    for (const numberMatching of ['true', 1, 0, '', {}, []]) {
      const reply = await ask(phone, { numberMatching })
      assert.deepEqual(refusal(reply), { status: 400, code: 'api.error.badrequest' })
      assert.ok(reply.body.errors[0].message.startsWith('numberMatching: '))
    }
  })

  it('a refused request has no number', async () => {
    const phone = await newMatchingPhone('whenAsked')
    for (let count = 0; count < 3; count++) await ask(phone, { numberMatching: true })
    const fourth = await ask(phone, { numberMatching: true })
    assert.equal(fourth.text, `{"id":"${fourth.body.id}","state":"denied"}`)
  })
})
