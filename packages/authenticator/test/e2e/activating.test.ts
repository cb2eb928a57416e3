// Adding a key: by link, by code and by camera, and what interrupts it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { filmQr } from '../support/qr-video.ts'
import { choosePin, invite, openStage, type Stage, storedKeys, type Visitor } from '../support/visitor.ts'

const dayMs = 86_400_000

describe('a key is added', { skip }, () => {
  onSqlite((engine) => {
    let stage: Stage
    const folder = mkdtempSync(join(tmpdir(), 'countersign-camera-'))
    const film = join(folder, 'qr.y4m')

    before(async () => {
      const camera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream']
      stage = await openStage(engine, [...camera, `--use-file-for-fake-video-capture=${film}`])
    })
    afterEach(() => stage.clear())
    after(async () => {
      await stage?.close()
      rmSync(folder, { recursive: true, force: true })
    })
    const state = async () => {
      const { acme } = stage.server
      const path = `/api/domains/${acme.domainId}/users/${acme.alice}/token`
      return (await stage.server.call('GET', path)).body.state as string
    }
    const typeCode = async (phone: Visitor, code: string) => {
      await phone.press('Type the code')
      await phone.page.getByLabel('Code').fill(code)
      await phone.press('Continue')
      await phone.page.getByLabel('Your user name').fill('alice')
      await phone.press('Continue')
    }

    it('by a link, whose secrets leave the address bar at once', async () => {
      const phone = await stage.visit((await invite(stage, stage.server.acme.domainId)).path)
      await phone.sees('Is this you?')
      assert.equal(phone.page.url(), `${stage.server.deviceUrl}/`)
      assert.equal(await phone.page.evaluate(() => history.length), 2, 'about:blank and the app')
      await phone.press('Yes, add this key')
      await phone.sees('Your key is ready.')
      assert.equal(await state(), 'active')
    })

    it('by a typed code and user name', async () => {
      const phone = await stage.visit()
      await typeCode(phone, (await invite(stage, stage.server.acme.domainId)).code)
      await phone.press('Yes, add this key')
      await phone.sees('Your key is ready.')
      assert.equal(await state(), 'active')
    })

    it('by a QR code before the camera', async () => {
      filmQr((await invite(stage, stage.server.acme.domainId)).link, film)
      const phone = await stage.visit()
      await phone.press('Scan the QR code')
      await phone.press('Yes, add this key')
      await phone.sees('Your key is ready.')
      assert.equal(await state(), 'active')
    })

    it('not by the QR code of something else', async () => {
      filmQr('https://example.org/a#c=d2mfr24k8r', film)
      const phone = await stage.visit()
      await phone.press('Scan the QR code')
      await phone.reads(/^This (QR code is not from your organization|code is for another server)/)
      assert.equal(await storedKeys(phone.page), 0)
    })

    it('not by a code that has expired', async () => {
      const { code } = await invite(stage, stage.server.acme.domainId)
      stage.server.clock.advance(366 * dayMs)
      const phone = await stage.visit()
      await typeCode(phone, code)
      await phone.reads('We don’t know this code')
      assert.equal(await storedKeys(phone.page), 0)
    })

    it('not when the user says that it is somebody else', async () => {
      const phone = await stage.visit((await invite(stage, stage.server.acme.domainId)).path)
      await phone.press('No, this isn’t me')
      await phone.sees('Your password asks.')
      assert.equal(await state(), 'pending')
    })

    it('from the start again, after a reload in any step before the key is there', async () => {
      const { code } = await invite(stage, stage.server.acme.pinDomainId)
      const phone = await stage.visit()
      const again = async () => {
        await phone.page.reload()
        await phone.sees('Your password asks.')
        assert.equal(await storedKeys(phone.page), 0)
      }
      await phone.press('Type the code')
      await phone.page.getByLabel('Code').waitFor()
      await again()
      await typeCode(phone, code)
      await phone.sees('Is this you?')
      await again()
      await typeCode(phone, code)
      await phone.press('Yes, add this key')
      await phone.sees('Choose a 6-digit PIN')
      await again()
      await typeCode(phone, code)
      await phone.press('Yes, add this key')
      await choosePin(phone)
      await phone.sees('Your key is ready.')
      await phone.page.reload()
      await phone.sees('Nothing to answer')
      assert.equal(await storedKeys(phone.page), 1)
    })
  })
})
