import assert from 'node:assert/strict'
import { it } from 'node:test'
import { addressKey, openLimits } from '../../src/core/limits.ts'
import { fixedClock } from '../support/server.ts'

const minuteMs = 60_000

it('a window counts to its limit, says how long it lasts, and begins anew', () => {
  const { limits, clock } = opened()
  const window = limits.deviceFailures
  for (let count = 0; count < 119; count++) window.count('a')
  assert.equal(window.retryAfter('a'), 0)
  clock.advance(30_500)
  window.count('a')
  assert.equal(window.retryAfter('a'), 30)
  assert.equal(window.retryAfter('b'), 0)
  clock.advance(29_499)
  assert.equal(window.retryAfter('a'), 1)
  clock.advance(1)
  assert.equal(window.retryAfter('a'), 0)
  for (let count = 0; count < 119; count++) window.count('a')
  assert.equal(window.retryAfter('a'), 0, 'the count is a new one')
  window.count('a')
  assert.equal(window.retryAfter('a'), 60)
})

it('pauses double up to an hour, and are short again for whoever behaved for an hour', () => {
  const { limits, clock } = opened()
  const failures = limits.activationFailures
  const fail = (count: number) => {
    for (let tries = 0; tries < count; tries++) failures.count('a')
  }
  for (const minutes of [10, 20, 40, 60, 60]) {
    fail(29)
    assert.equal(failures.retryAfter('a'), 0)
    fail(1)
    assert.equal(failures.retryAfter('a'), minutes * 60)
    clock.advance(minutes * minuteMs)
    assert.equal(failures.retryAfter('a'), 0)
  }
  clock.advance(60 * minuteMs)
  fail(30)
  assert.equal(failures.retryAfter('a'), 600)
})

it('failures spread over more than ten minutes are no reason to pause', () => {
  const { limits, clock } = opened()
  for (let round = 0; round < 10; round++) {
    for (let tries = 0; tries < 29; tries++) limits.activationFailures.count('a')
    assert.equal(limits.activationFailures.retryAfter('a'), 0)
    clock.advance(10 * minuteMs)
  }
})

it('what is under way could fail: who comes after it waits, and goes on as soon as one is known not to fail', async () => {
  const { limits, clock } = opened()
  const window = limits.deviceFailures
  const order: string[] = []
  const begin = async (name: string) => {
    const one = await window.begin('a', 1)
    order.push(`${name} ${one.pause}`)
    return one
  }
  const many = await window.begin('a', 119)
  const last = await begin('last')
  assert.equal(window.isFull('a'), true)
  const waiting = ['first', 'second', 'third', 'fourth'].map(begin)
  assert.equal((await window.begin('b', 20)).pause, 0, 'others do not wait')
  assert.deepEqual(order, ['last 0'])
  last.end()
  last.end()
  const first = await waiting[0]
  assert.deepEqual(order, ['last 0', 'first 0'])
  window.count('a')
  first?.end()
  for (let count = 0; count < 118; count++) window.count('a')
  many.end()
  const second = await waiting[1]
  await new Promise(setImmediate)
  assert.deepEqual(order, ['last 0', 'first 0', 'second 0'])
  window.count('a')
  second?.end()
  await Promise.all(waiting)
  assert.deepEqual(order.slice(3), ['third 60', 'fourth 60'])
  assert.equal((await window.begin('a', 1)).pause, 60)
  clock.advance(minuteMs)
  assert.equal((await window.begin('a', 1)).pause, 0)
})

it('an address is counted alone, by its /64 where it is IPv6', () => {
  const same: string[][] = [
    ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0DB8:0001:0002::', '2001:db8:1:2::1%eth0'],
    ['::1', '::', '0:0:0:0:1::'],
    ['2001:db8::1', '2001:db8:0:0::5', '2001:db8:0:0:0:0:0:9'],
    ['fe80::1', 'fe80::1%eth0'],
    ['1:2:3::4', '1:2:3::5:6:7', '1:2:3:0:9::'],
  ]
  const keys = same.map((addresses) => {
    const [key, ...others] = [...new Set(addresses.map(addressKey))]
    assert.deepEqual(others, [], addresses.join())
    return key
  })
  assert.equal(new Set(keys).size, same.length)
  assert.notEqual(addressKey('192.0.2.1'), addressKey('192.0.2.2'))
  assert.notEqual(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'))
})

it('turns of one key come one after the other, in order, also after a failure; other keys do not wait', async () => {
  const { addressTurns } = opened().limits
  const events: string[] = []
  const gate = Promise.withResolvers<void>()
  const work = (name: string, wait?: Promise<void>) => async () => {
    events.push(`${name} begins`)
    await wait
    events.push(`${name} ends`)
    if (name === 'second') throw new Error(name)
    return name
  }
  const first = addressTurns.take('a', work('first', gate.promise))
  const second = addressTurns.take('a', work('second'))
  const third = addressTurns.take('a', work('third'))
  assert.equal(await addressTurns.take('b', work('other')), 'other')
  assert.deepEqual(events, ['first begins', 'other begins', 'other ends'])
  gate.resolve()
  assert.equal(await first, 'first')
  await assert.rejects(second, { message: 'second' })
  assert.equal(await third, 'third')
  assert.deepEqual(events.slice(3), ['first ends', 'second begins', 'second ends', 'third begins', 'third ends'])
})

it('a jti is new once in eleven minutes', () => {
  const { limits, clock } = opened()
  assert.equal(limits.syncJtis.add('a'), true)
  assert.equal(limits.syncJtis.add('a'), false)
  assert.equal(limits.syncJtis.add('b'), true)
  clock.advance(11 * minuteMs - 1)
  assert.equal(limits.syncJtis.add('a'), false)
  clock.advance(1)
  assert.equal(limits.syncJtis.add('a'), true)
})

it('T30: a flood of addresses or of jtis fills no memory, and takes no longer when the oldest must be forgotten', () => {
  const { limits } = opened()
  const before = process.memoryUsage().heapUsed
  for (let count = 0; count < 120; count++) limits.deviceFailures.count('first')
  for (let index = 0; index < 110_000; index++) {
    limits.deviceFailures.count(`address ${index}`)
    limits.activationFailures.count(`address ${index}`)
  }
  const filling = timeOf(() => add(0, 500_000))
  const full = timeOf(() => add(500_000, 750_000))
  assert.ok(full < 3 * filling + 1_000, `${filling} ms, then ${full} ms`)
  assert.equal(limits.deviceFailures.retryAfter('first'), 0, 'forgotten')
  assert.equal(limits.syncJtis.add('jti 0'), true, 'forgotten')
  assert.equal(limits.syncJtis.add('jti 749999'), false)
  assert.ok(process.memoryUsage().heapUsed - before < 250 * 1024 * 1024)

  function add(from: number, to: number): void {
    for (let index = from; index < to; index++) limits.syncJtis.add(`jti ${index}`)
  }
})

function opened() {
  const clock = fixedClock()
  return { clock, limits: openLimits(clock.now) }
}

function timeOf(work: () => void): number {
  const began = performance.now()
  work()
  return performance.now() - began
}
