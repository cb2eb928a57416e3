// Approving and denying, with each way to unlock, by what a person sees and presses.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { askFor } from '../support/phone.ts'
import {
  choosePin,
  domainWith,
  openStage,
  phoneWithKey,
  type Stage,
  storedKeys,
  type Visitor,
} from '../support/visitor.ts'

const passcode = 'correct horse 7'
const dialPin = (phone: Visitor) => phone.page.keyboard.type('482913')

async function choosePasscode(phone: Visitor): Promise<void> {
  await phone.sees('Choose a passcode')
  await phone.page.getByLabel('Passcode', { exact: true }).fill(passcode)
  await phone.page.getByLabel('Type it once more').fill(passcode)
  await phone.press('Continue')
}

async function typePasscode(phone: Visitor): Promise<void> {
  await phone.page.getByLabel('Passcode', { exact: true }).fill(passcode)
  await phone.press('Approve')
}

const useFinger = (phone: Visitor) => phone.press('Continue')

describe('a request on the phone', { skip }, () => {
  onSqlite((engine) => {
    let stage: Stage
    let domains: Record<'none' | 'PIN' | 'passcode' | 'fingerprint', string>

    before(async () => {
      stage = await openStage(engine)
      const { server } = stage
      domains = {
        none: server.acme.domainId,
        PIN: server.acme.pinDomainId,
        passcode: await domainWith(server, 'PASSCODE'),
        fingerprint: await domainWith(server, 'BIOMETRIC'),
      }
    })
    afterEach(() => stage.clear())
    after(() => stage?.close())

    const ways = [
      { by: 'none' },
      { by: 'PIN', choose: choosePin, prove: dialPin },
      { by: 'passcode', choose: choosePasscode, prove: typePasscode },
      { by: 'fingerprint', choose: useFinger },
    ] as const
    for (const { by, ...way } of ways) {
      it(`is approved and the next one denied, unlocked by ${by}`, async () => {
        const phone = await phoneWithKey(stage, domains[by], 'choose' in way ? way.choose : undefined)
        const first = await askFor(stage.server, domains[by])
        await phone.sees('Are you signing in?')
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
      })
    }

    it('is denied with “This wasn’t me”, which pauses the key', async () => {
      const phone = await phoneWithKey(stage, domains.none)
      const asked = await askFor(stage.server, domains.none)
      await phone.answer('Deny')
      await phone.press(/^This wasn’t me/)
      await phone.sees('Blocked')
      assert.equal(await asked.verdict(), 'denied')
      await phone.press('Done')
      await phone.reads('Paused until')
    })

    it('is not denied when the question why is closed', async () => {
      const phone = await phoneWithKey(stage, domains.none)
      const asked = await askFor(stage.server, domains.none)
      await phone.answer('Deny')
      await phone.press('Back to the request')
      await phone.sees('Are you signing in?')
      assert.equal(await asked.verdict(), 'pending')
    })

    it('is approved by the right number, after a wrong one', async () => {
      const phone = await phoneWithKey(stage, domains.none)
      const asked = await askFor(stage.server, domains.none, { numberMatching: true })
      const field = phone.page.getByLabel('Type the number shown where you are signing in')
      await field.fill(unlike(asked.number))
      await phone.answer('Approve')
      await phone.reads('The number doesn’t match.')
      assert.equal(await asked.verdict(), 'pending')
      await field.fill(asked.number)
      await phone.answer('Approve')
      await phone.sees('Approved')
      assert.equal(await asked.verdict(), 'approved')
    })

    it('is denied by the third wrong number', async () => {
      const phone = await phoneWithKey(stage, domains.none)
      const asked = await askFor(stage.server, domains.none, { numberMatching: true })
      const field = phone.page.getByLabel('Type the number shown where you are signing in')
      for (const wrong of [1, 2, 3]) {
        await field.fill(unlike(asked.number))
        await phone.answer('Approve')
        if (wrong < 3) await phone.reads('The number doesn’t match.')
      }
      await phone.reads('The number was wrong three times.')
      assert.equal(await asked.verdict(), 'denied')
    })

    it('T32: five wrong PINs end the key, and nothing of it is left on the phone', async () => {
      const phone = await phoneWithKey(stage, domains.PIN, choosePin)
      const asked = await askFor(stage.server, domains.PIN)
      await phone.answer('Approve')
      for (const said of ['4 tries left', '3 tries left', '2 tries left', 'One try left']) {
        await phone.page.keyboard.type('111213')
        await phone.reads(said)
      }
      await phone.page.keyboard.type('111213')
      await phone.reads('This key has ended after too many wrong PINs.')
      assert.equal(await asked.verdict(), 'denied')
      assert.equal(await storedKeys(phone.page), 0)
    })
  })
})

/** Another number of the same length. */
function unlike(number: string): string {
  return String((Number(number) + 1) % 10 ** number.length).padStart(number.length, '0')
}
