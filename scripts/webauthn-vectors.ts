// node scripts/webauthn-vectors.ts [--force]: writes docs/specs/vectors/webauthn.json, registrations and assertions as a real
// browser makes them. Needs a Chromium, at COUNTERSIGN_TEST_CHROMIUM or /usr/bin/chromium, whose virtual authenticator stands in for a finger.
//
// Credentials and signatures are different each time, so the file is written once and from then on only verified, by the
// server's tests. Format it afterwards (npm run format).
import { existsSync, writeFileSync } from 'node:fs'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { registrationChallenge, sha256, unlockBinding } from '@countersign/protocol/unlock.ts'
import { chromium, type Page } from 'playwright-core'
import { activation, aud, now, run, tids, utf8 } from './vectors/world.ts'

const file = new URL('../docs/specs/vectors/webauthn.json', import.meta.url)
const algorithms = { ES256: -7, RS256: -257 }
const tid = tids.pending

// The page that makes credentials: JavaScript of a browser, which this program's types know nothing of.
const html = `<!doctype html><title>Authenticator</title><script>
  const bytes = (text) => Uint8Array.fromBase64(text, { alphabet: 'base64url' })
  async function ceremony({ registration, uvb, algorithm, rpId }) {
    const user = { id: crypto.getRandomValues(new Uint8Array(16)), name: 'jane.doe', displayName: 'jane.doe' }
    const created = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(registration),
        rp: { id: rpId, name: 'Example MFA' },
        user,
        pubKeyCredParams: [{ type: 'public-key', alg: algorithm }],
        authenticatorSelection: {
          authenticatorAttachment: 'platform', userVerification: 'required', residentKey: 'discouraged',
        },
        attestation: 'none',
      },
    })
    const allowCredentials = [{ type: 'public-key', id: created.rawId }]
    const asserted = await navigator.credentials.get({
      publicKey: { challenge: bytes(uvb), allowCredentials, userVerification: 'required', rpId },
    })
    return { registration: created.toJSON(), assertion: asserted.toJSON() }
  }
</script>`

if (existsSync(file) && !process.argv.includes('--force')) console.log('kept  webauthn.json')
else {
  writeFileSync(file, `${JSON.stringify(await vectors(), null, 2)}\n`)
  console.log('wrote webauthn.json')
}

async function vectors(): Promise<object> {
  const browser = await chromium.launch({
    executablePath: process.env.COUNTERSIGN_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  })
  try {
    const page = await browser.newPage()
    await openOrigin(page)
    const cases = []
    for (const [name, algorithm] of Object.entries(algorithms)) cases.push(await makeCase(page, name, algorithm))
    return {
      description:
        'WebAuthn by the virtual authenticator of Chromium, at the origin of world.json. "registration" is the RegistrationResponseJSON for the pending token and its open activation, "assertion" the AuthenticationResponseJSON that approves the request whose challenge bytes are given. A verifier must accept both, and after them neither again.',
      browser: `Chromium ${browser.version()}`,
      origin: aud,
      rp_id: new URL(aud).hostname,
      tid,
      nonce: activation.nonce,
      cases,
    }
  } finally {
    await browser.close()
  }
}

/** A page that says it is the device origin: what the browser asks for is answered here, and nothing leaves the machine. */
async function openOrigin(page: Page): Promise<void> {
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: html }))
  await page.goto(`${aud}/`)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}

async function makeCase(page: Page, name: string, algorithm: number): Promise<object> {
  const sid = (algorithm === algorithms.ES256 ? 'c1' : 'c2').repeat(20)
  const challenge = utf8.encode(JSON.stringify(challengeOf(sid)))
  const hash = await sha256(challenge)
  const registration = toBase64url(await registrationChallenge({ tid, nonce: activation.nonce }))
  const uvb = toBase64url(await unlockBinding({ tid, op: 'answer', ref: sid, ans: 'approve', hash }))
  const given = { registration, uvb, algorithm, rpId: new URL(aud).hostname }
  const made = await page.evaluate<{ registration: object; assertion: object }>(`ceremony(${JSON.stringify(given)})`)
  return {
    name,
    algorithm,
    registration_challenge: registration,
    registration: made.registration,
    sid,
    challenge: toBase64url(challenge),
    uvb,
    assertion: made.assertion,
  }
}

function challengeOf(sid: string): Challenge {
  return {
    v: 1,
    aud,
    tid,
    sid,
    nonce: toBase64url(run(0x50, 32)),
    iat: now - 10,
    exp: now + 80,
    domain: { id: '4'.repeat(40), name: 'Office VPN' },
    user: 'jane.doe',
    attrs: [],
    via: 'api',
    unlock: 'platform',
    match: { type: 'none' },
  }
}
