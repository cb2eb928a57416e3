// Approving and denying, with each way to unlock, by what a person sees and presses.
import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { askFor, domainOf } from '../support/asking.ts'
import type { Stage } from '../support/stage.ts'
import { choosePin, domainsOf, keyholder, type Visitor } from '../support/visitor.ts'

const passcode = 'correct horse 7'
const numberLabel = 'Type the number shown where you are signing in'
const dialPin = (phone: Visitor) => phone.page.keyboard.type('482913')

async function choosePasscode(phone: Visitor): Promise<void> {
  await phone.fills('Passcode', passcode)
  await phone.fills('Type it once more', passcode)
  await phone.press('Continue')
}

async function typePasscode(phone: Visitor): Promise<void> {
  await phone.fills('Passcode', passcode)
  await phone.press('Approve')
}

const useFinger = (phone: Visitor) => phone.press('Continue')

/** What a person may answer, and how. */
export function answering(stage: Stage): void {
  let domains: Record<'none' | 'PIN' | 'passcode' | 'fingerprint', string>

  before(async () => {
    const { server } = stage
    domains = {
      none: server.acme.domainId,
      PIN: server.acme.pinDomainId,
      passcode: await domainOf(server, { keyType: 'PASSCODE' }),
      fingerprint: await domainOf(server, { keyType: 'BIOMETRIC' }),
    }
  })

  const ways = [
    { by: 'none' },
    { by: 'passcode', choose: choosePasscode, prove: typePasscode },
    { by: 'fingerprint', choose: useFinger },
    { by: 'PIN', choose: choosePin, prove: dialPin },
  ] as const
  for (const { by, ...way } of ways) {
    it(`is approved and the next one denied, unlocked by ${by}`, async () => {
      const phone = await keyholder(stage, domains[by], 'choose' in way ? way.choose : undefined)
      const first = await askFor(stage.server, domains[by])
      await phone.answer('Approve')
      if ('prove' in way) await way.prove(phone)
      await phone.sees('Approved')
      assert.equal(await first.verdict(), 'approved')
      await phone.press('Done')
      const second = await askFor(stage.server, domains[by])
      await phone.sees('Are you signing in?')
      await phone.answer('Deny')
      await phone.press(/^I started this by mistake/)
      await phone.sees('Denied')
      assert.equal(await second.verdict(), 'denied')
      await phone.press('Done')
    })
  }

  it('T32: five wrong PINs end the key, and nothing of it is left on the phone', async () => {
    const phone = await keyholder(stage, domains.PIN, choosePin)
    stage.expect(/status of 403/)
    const asked = await askFor(stage.server, domains.PIN)
    await phone.answer('Approve')
    for (const said of ['4 tries left', '3 tries left', '2 tries left', 'One try left']) {
      await phone.page.keyboard.type('111213')
      await phone.reads(said)
    }
    await phone.page.keyboard.type('111213')
    await phone.reads('This key has ended after too many wrong PINs.')
    assert.equal(await asked.verdict(), 'denied')
    assert.ok(!(await domainsOf(phone.page)).includes(domains.PIN))
  })

  it('is not denied when the question why is closed, and denied with “This wasn’t me”, which pauses the key', async () => {
    const phone = await keyholder(stage, domains.none)
    const asked = await askFor(stage.server, domains.none)
    await phone.answer('Deny')
    await phone.press('Back to the request')
    assert.equal(await asked.verdict(), 'pending')
    await phone.answer('Deny')
    await phone.press(/^This wasn’t me/)
    await phone.sees('Blocked')
    assert.equal(await asked.verdict(), 'denied')
    await phone.press('Done')
    await phone.reads('Paused until')
    stage.server.clock.advance(3_600_001)
  })

  it('is approved by the right number, after a wrong one', async () => {
    const phone = await keyholder(stage, domains.none)
    stage.expect(/status of 403/)
    const asked = await askFor(stage.server, domains.none, { numberMatching: true })
    await phone.fills(numberLabel, unlike(asked.number))
    await phone.answer('Approve')
    await phone.reads('The number doesn’t match.')
    assert.equal(await asked.verdict(), 'pending')
    await phone.fills(numberLabel, asked.number)
    await phone.answer('Approve')
    await phone.sees('Approved')
    assert.equal(await asked.verdict(), 'approved')
    await phone.press('Done')
  })

  it('is denied by the third wrong number', async () => {
    const phone = await keyholder(stage, domains.none)
    stage.expect(/status of 403/)
    const asked = await askFor(stage.server, domains.none, { numberMatching: true })
    for (const wrong of [1, 2, 3]) {
      await phone.fills(numberLabel, unlike(asked.number))
      await phone.answer('Approve')
      if (wrong < 3) await phone.reads('The number doesn’t match.')
    }
    await phone.reads('The number was wrong three times.')
    assert.equal(await asked.verdict(), 'denied')
    await phone.press('Done')
  })

  it('is one of two: both are marked, and each is answered by itself', async () => {
    const phone = await keyholder(stage, domains.none)
    const first = await askFor(stage.server, domains.none)
    await phone.sees('Are you signing in?')
    const second = await askFor(stage.server, domains.none)
    await phone.reads('2 requests wait. You see the newest. Started only one? Deny the other.')
    for (const verdicts of [
      ['denied', 'pending'],
      ['denied', 'denied'],
    ]) {
      await phone.answer('Deny')
      await phone.press(/^I started this by mistake/)
      await phone.sees('Denied')
      assert.deepEqual([await first.verdict(), await second.verdict()].sort(), verdicts)
      await phone.press('Done')
    }
  })
}

/** Another number of the same length. */
function unlike(number: string): string {
  return String((Number(number) + 1) % 10 ** number.length).padStart(number.length, '0')
}
