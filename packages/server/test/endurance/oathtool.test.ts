import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { promisify } from 'node:util'
import { type Digits, oathCode, stepAt } from '../../src/core/oath.ts'

/** One question for both: what a token shows from a time on, a few time steps long. */
interface Question {
  /** hexadecimal */
  seed: string
  seconds: number
  timeStep: number
  digits: Digits
}

const questionCount = 500
const codesEach = 20
const lanes = 2

// A process a question is what takes the time; the script forks nothing else.
const script = `while read -r seed seconds step digits; do
  oathtool --totp -N "@$seconds" -s "$step" -d "$digits" -w ${codesEach - 1} "$seed" || exit 1
done < "$1"`

const absent = spawnSync('oathtool', ['--version'], { stdio: 'ignore' }).status !== 0
const remedy = 'oathtool is not installed: run node scripts/system-packages.ts, which installs it or says how'
// Where changes are accepted nothing may go unjudged.
const skip = absent && !process.env.CI && remedy

const folder = mkdtempSync(join(tmpdir(), 'countersign-oathtool-'))
after(() => rmSync(folder, { recursive: true }))

it(`oathtool shows the same ${questionCount * codesEach} codes, of random seeds at random times`, {
  skip,
}, async () => {
  assert.ok(!absent, remedy)
  const questions = Array.from({ length: questionCount }, randomQuestion)
  const size = Math.ceil(questionCount / lanes)
  const parts = Array.from({ length: lanes }, (_, lane) => questions.slice(lane * size, (lane + 1) * size))
  const answers = (await Promise.all(parts.map(askOathtool))).flat()
  assert.equal(answers.length, questionCount * codesEach)
  for (const [index, question] of questions.entries()) {
    const theirs = answers.slice(index * codesEach, (index + 1) * codesEach)
    assert.deepEqual(ourCodes(question), theirs, JSON.stringify(question))
  }
})

function randomQuestion(): Question {
  return {
    seed: randomBytes(randomInt(10, 65)).toString('hex'),
    seconds: randomInt(2 ** 33),
    timeStep: randomInt(2) ? 30 : 60,
    digits: randomInt(2) ? 6 : 8,
  }
}

function ourCodes({ seed, seconds, timeStep, digits }: Question): string[] {
  const first = stepAt(seconds * 1000, timeStep)
  const bytes = Buffer.from(seed, 'hex')
  return Array.from({ length: codesEach }, (_, ahead) => oathCode({ seed: bytes, step: first + ahead, digits }))
}

async function askOathtool(questions: Question[], lane: number): Promise<string[]> {
  const file = join(folder, String(lane))
  const lines = questions.map(({ seed, seconds, timeStep, digits }) => `${seed} ${seconds} ${timeStep} ${digits}\n`)
  writeFileSync(file, lines.join(''))
  const { stdout } = await promisify(execFile)('bash', ['-c', script, 'bash', file])
  return stdout.trim().split('\n')
}
