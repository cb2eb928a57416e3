import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'

/** Text of others, fit for a terminal: what could move its cursor or reorder its letters is spelled out. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${codeOf(character)}}`)
}

/** One compact line of JSON in ASCII, which shows in every terminal what it says. */
export function jsonLine(value: object): string {
  const spell = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return `${JSON.stringify(value).replace(/[\u007f-\uffff]/g, spell)}\n`
}

/** Says something to the person at the terminal; standard output is for programs. */
export function say(...lines: string[]): void {
  process.stderr.write(`${lines.join('\n')}\n`)
}

/** How a question is put. */
export interface Question {
  /** what is typed is not shown */
  hidden?: boolean
  /** at a terminal nothing counts that was typed earlier than this after the question appeared */
  armedAfterMs?: number
  signal?: AbortSignal
}

/**
 * The person at the keyboard, or a program that writes lines to standard input. Lines are read from the first question on
 * until `close`; questions appear on standard error.
 */
export class Terminal {
  #reader: Interface | undefined
  #lines: string[] = []
  #waiting: ((line: string | undefined) => void) | undefined
  #ended = false
  #muted = false

  /** Whether somebody can be asked. */
  get interactive(): boolean {
    return process.stdin.isTTY === true
  }

  /** The next line; undefined at the end of the input. Throws the signal's reason when it is aborted first. */
  async ask(text: string, { hidden = false, armedAfterMs = 0, signal }: Question = {}): Promise<string | undefined> {
    this.#open()
    if (this.interactive) this.#lines = [] // typed before the question was there: no answer to it
    process.stderr.write(text)
    this.#muted = hidden
    const armedAt = Date.now() + (this.interactive ? armedAfterMs : 0)
    try {
      for (;;) {
        const line = await this.#next(signal)
        if (line === undefined || Date.now() >= armedAt) return line
        process.stderr.write(text)
      }
    } finally {
      if (this.#muted || !this.interactive) process.stderr.write('\n')
      this.#muted = false
    }
  }

  close(): void {
    this.#reader?.close()
  }

  #open(): void {
    if (this.#reader) return
    const echo = new Writable({
      write: (chunk, _, done) => {
        if (!this.#muted) process.stderr.write(chunk)
        done()
      },
    })
    this.#reader = createInterface({ input: process.stdin, output: echo, terminal: this.interactive, historySize: 0 })
    this.#reader.on('line', (line) => this.#receive(line))
    this.#reader.on('close', () => this.#receive(undefined))
    this.#reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT')) // a raw terminal sends none itself
  }

  #receive(line: string | undefined): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (line === undefined) this.#ended = true
    if (waiting) waiting(line)
    else if (line !== undefined) this.#lines.push(line)
  }

  #next(signal?: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      if (this.#lines.length > 0 || this.#ended) return resolve(this.#lines.shift())
      const aborted = () => {
        this.#waiting = undefined
        reject(signal?.reason)
      }
      this.#waiting = (line) => {
        signal?.removeEventListener('abort', aborted)
        resolve(line)
      }
      signal?.addEventListener('abort', aborted, { once: true })
    })
  }
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16)
}
