// The app in a browser against a real server, by what a person sees and presses. All on one stage: to start it costs more than most
// of the tests do.
import { after, afterEach, before, describe } from 'node:test'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { Stage } from '../support/stage.ts'
import { activating } from './activating.ts'
import { answering } from './answering.ts'
import { isolation } from './isolation.ts'
import { journey } from './journey.ts'
import { loading } from './loading.ts'
import { overtaken } from './overtaken.ts'

describe('the app in a browser', { skip }, () => {
  onSqlite((engine) => {
    const stage = new Stage()
    before(() => stage.open(engine))
    afterEach(() => stage.clear())
    after(() => stage.close())

    describe('the app', () => loading(stage))
    describe('a person with a phone', () => journey(stage))
    describe('a key is added', () => activating(stage))
    describe('a request on the phone', () => answering(stage))
    describe('an open request', () => overtaken(stage))
    describe('the app’s origin', () => isolation(stage))
  })
})
