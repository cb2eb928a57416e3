import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, before, it } from 'node:test'
import { deviceRoutes } from '../../src/http/device/routes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const limited = { status: 429, code: 'rate_limited' }
const root = new URL('../../src/', import.meta.url)
const sources = globSync('**/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(new URL(file, root), 'utf8'),
}))

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' } })
  })
  after(() => server.stop())

  it('A10: every operation that verifies a signature, a code or a secret is limited by it', async () => {
    const phone = await newPhone(server)
    const forged = (await phone.device.sign('answer', phone.device.common('answer'))).replace(/.{4}$/, 'AAAA')
    // What a guesser sends to each, and how often it is judged before the guesser has to wait.
    const guesses: Record<string, { body: string | object; max: number }> = {
      'activation/begin': { body: { v: 1, code: '0000000000', secret: 'A'.repeat(22) }, max: 30 },
      'activation/finish': { body: forged, max: 120 },
      sync: { body: { wait: 0, tokens: [forged] }, max: 120 },
      answer: { body: forged, max: 120 },
      push: { body: forged, max: 120 },
      factor: { body: forged, max: 120 },
      rotate: { body: forged, max: 120 },
      remove: { body: forged, max: 120 },
    }
    const verifying = deviceRoutes.filter(({ method }) => method === 'POST')
    assert.deepEqual(verifying.map(({ path }) => path.replace('/device/v1/', '')).sort(), Object.keys(guesses).sort())
    for (const [index, [path, { body, max }]] of Object.entries(guesses).entries()) {
      const guess = () => server.device(path, body, { 'x-forwarded-for': `10.7.0.${index}` })
      const replies = await Promise.all(Array.from({ length: max }, guess))
      assert.ok(
        replies.every(({ status }) => status !== 429),
        path,
      )
      assert.deepEqual(refusal(await guess()), limited, path)
    }
  })
})

it('A16: an unlock proof is judged only where a wrong one is counted', () => {
  const judging = sources.filter(({ file, text }) => file !== 'core/unlock.ts' && text.includes('judgeProof'))
  assert.deepEqual(
    judging.map(({ file }) => file),
    ['core/answers.ts', 'core/token-changes.ts'],
  )
  for (const { file, text } of judging) {
    const wholes = functionsOf(text).filter((body) => body.includes('judgeProof('))
    assert.equal(wholes.length, 1, file)
    assert.match(wholes[0] ?? '', /countWrongProof\(/, file)
  }
})

it('A16: a PIN key is decrypted in one place, a number compared in one, a code looked up in one, each beside its count', () => {
  const where = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file)
  // data-keys.ts hands through, key-rotation.ts encrypts again, push-subscriptions.ts opens where to send: none of them
  // compares with what anybody sent.
  const others = ['data-keys', 'key-rotation', 'push-subscriptions']
  const decrypting = ['bypass-codes', 'hardware-seeds', 'tokens', 'unlock', ...others].sort()
  assert.deepEqual(
    where(/secrets\.decrypt\(/),
    decrypting.map((file) => `core/${file}.ts`),
  )
  assert.deepEqual(where(/decrypt\([^\n]*pin_key_cipher\)/), ['core/unlock.ts'])
  assert.deepEqual(where(/isRightNumber\(/), ['core/answers.ts'])
  assert.deepEqual(where(/storage\.tokens\.findByCode\(/), ['core/activations.ts'])
  const answers = functionsOf(textOf('core/answers.ts'))
  for (const body of answers) if (body.includes('!isRightNumber(')) assert.match(body, /wrongNumber\(/)
  const activations = functionsOf(textOf('core/activations.ts')).filter((body) => body.includes('await findPending('))
  assert.equal(activations.length, 2)
  for (const body of activations) assert.match(body, /^async function (judgeName|beginBySecret)\(/)
})

it('A16: a code is judged, and an OATH seed opened, only for the judge whose wrong verdicts are counted', () => {
  const where = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ file }) => file)
  const [judge, judges] = [['core/codes.ts'], ['core/bypass-codes.ts', 'core/codes.ts']]
  assert.deepEqual(where(/(match|use)BypassCode\(/), judges)
  assert.deepEqual(where(/(find|use)Password\(/), ['core/codes.ts', 'core/one-time-passwords.ts'])
  assert.deepEqual(where(/openSeed\(/), ['core/hardware-seeds.ts', 'core/one-time-passwords.ts'])
  assert.deepEqual(where(/await kinds\[/), judge)
  assert.deepEqual(where(/underBudget\(/), ['core/code-budget.ts', 'core/codes.ts', 'core/hardware-resync.ts'])
  const judging = functionsOf(textOf('core/codes.ts')).filter((body) => body.includes('judge(unit)'))
  assert.equal(judging.length, 1)
  assert.match(judging[0] ?? '', /await underBudget\([^\n]*judge: \(\) => judge\(unit\) \}\)/)
})

it('A16: signatures are verified in three places and nowhere else', () => {
  const verifying = sources.filter(({ text }) => /verifySignature\(/.test(text)).map(({ file }) => file)
  assert.deepEqual(verifying, ['core/activations.ts', 'core/signed-messages.ts', 'core/token-changes.ts'])
})

function textOf(file: string): string {
  return sources.find((source) => source.file === file)?.text ?? assert.fail(`there is no ${file}`)
}

/** The source cut at its top-level functions. */
function functionsOf(text: string): string[] {
  return text.split(/^(?=(?:export )?(?:async )?function )/m).slice(1)
}
