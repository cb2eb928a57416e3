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

    describe('loads', () => loading(stage))
    describe('takes a person from a code to a sign-in', () => journey(stage))
    describe('adds a key', () => activating(stage))
    describe('shows a request that', () => answering(stage))
    describe('has an open request that', () => overtaken(stage))
    describe('has an origin that', () => isolation(stage))
  })
})
