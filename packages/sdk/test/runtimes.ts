import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Something that runs TypeScript, and how it is told to. */
export interface Runtime {
  command: string
  args: string[]
}

export const runtimes = {
  node: { command: process.execPath, args: ['--disable-warning=ExperimentalWarning'] },
  deno: { command: 'deno', args: ['run', '--allow-net', '--allow-env'] },
  bun: { command: 'bun', args: [] },
} satisfies Record<string, Runtime>

/** A program that runs. */
export interface Program {
  /** all it has printed, once it has ended well */
  readonly output: Promise<string>
  /** Resolves once it has printed this. */
  says(text: string): Promise<void>
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Why a runtime's test is skipped; false when it is there, and where CI is set, so that it fails. */
export function skipOf({ command }: Runtime): string | false {
  if (process.env.CI) return false
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.some((folder) => existsSync(join(folder, command))) || existsSync(command)
  return found ? false : `${command} is not on the PATH`
}

/** Starts a program with no environment but this one, and the PATH. */
export function startProgram(
  { command, args }: Runtime,
  file: string,
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Program {
  const { PATH = '', HOME = '' } = process.env
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = spawn(command, [...args, file], { cwd, stdio: [...stdio], env: { PATH, HOME, ...env } })
  running.add(child)
  let said = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const ended = once(child, 'close').then(() => void running.delete(child))
  return {
    get output() {
      return ended.then(() => {
        assert.equal(child.exitCode, 0, `${file}: ${errors}`)
        return said
      })
    },
    async says(text) {
      const signal = AbortSignal.timeout(30_000)
      while (!said.includes(text)) {
        assert.equal(child.exitCode, null, `${file} ended before it said ${text}: ${errors}`)
        await Promise.race([once(child.stdout, 'data', { signal }), ended])
      }
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
