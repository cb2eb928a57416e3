// Deno and Bun, for the tests of the SDK's package: each as an npm package of its own, outside node_modules, because nobody
// who runs the server needs them. Where they cannot be had, the tests that need them are skipped; where CI is set, they fail.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const packages = { deno: '2.9.6', bun: '1.4.5' }
const folder = join(tmpdir(), 'countersign-runtimes')
const bin = join(folder, 'node_modules', '.bin')

/** The PATH that has them, installed if need be. Says what it does, and never fails. */
export function pathWithRuntimes(): string {
  const path = process.env.PATH ?? ''
  const missing = Object.entries(packages).filter(([name]) => !isOn(path, name) && !existsSync(join(bin, name)))
  if (missing.length > 0) install(missing.map(([name, version]) => `${name}@${version}`))
  return `${path}${delimiter}${bin}`
}

function install(specifiers: string[]): void {
  console.log(`Installing ${specifiers.join(' and ')} into ${folder}, to run the SDK in them.`)
  mkdirSync(folder, { recursive: true })
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--silent',
    ...specifiers,
  ]
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 })
  if (status !== 0) console.log(`That failed: the tests that need them ${process.env.CI ? 'fail' : 'are skipped'}.`)
}

function isOn(path: string, program: string): boolean {
  return path.split(delimiter).some((directory) => existsSync(join(directory, program)))
}
