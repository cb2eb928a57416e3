import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Finished } from '../../server/test/support/process.ts'

/** Runs command lines in one process, with these settings, one after another. */
export class Commands {
  #child: ChildProcess
  #lines: AsyncIterator<string>

  constructor(environment: Record<string, string>) {
    const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
    const flags = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'many.ts')]
    const child = spawn(process.execPath, flags, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH, NODE_COMPILE_CACHE, ...environment },
    })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** Runs a command and returns what it has left. */
  async run(...args: string[]): Promise<Finished> {
    this.#child.stdin?.write(`${JSON.stringify(args)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`The process ended during ${args.join(' ')}.`)
    return JSON.parse(value)
  }

  /** The JSON that a command prints, which must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts the shape of what it got
  async json(...args: string[]): Promise<any> {
    const { code, output, errors } = await this.run(...args, '--json')
    if (code !== 0 || !/^[^\n]+\n$/.test(output)) throw new Error(`${args.join(' ')}: ${errors}${output}`)
    return JSON.parse(output)
  }

  async end(): Promise<void> {
    this.#child.stdin?.end()
    if (this.#child.exitCode === null) await once(this.#child, 'close')
  }
}
