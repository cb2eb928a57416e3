// Command lines one after another in one process, for tests: a start of Node.js costs more than most commands. Reads their
// arguments from standard input, a JSON array a line, and writes for each what a process of its own would have left.
import { createInterface } from 'node:readline'
import { runProgram } from '../src/program.ts'

const answer = process.stdout.write.bind(process.stdout)
const said = { output: '', errors: '' }
process.stdout.write = kept('output')
process.stderr.write = kept('errors')

for await (const line of createInterface({ input: process.stdin })) {
  Object.assign(said, { output: '', errors: '' })
  process.exitCode = 0
  const code = await runProgram(JSON.parse(line))
  answer(`${JSON.stringify({ code, ...said })}\n`)
}
process.exitCode = 0

/** In the place of a stream's write: whoever waits for it goes on at once. */
function kept(stream: keyof typeof said) {
  return (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    said[stream] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    const done = rest.at(-1)
    if (typeof done === 'function') done()
    return true
  }
}
