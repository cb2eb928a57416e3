// node scripts/system-packages.ts: Debian packages whose programs the tests use as judges of ours. What is missing is
// installed where that can be done; otherwise this says what to install, and the tests that need it are skipped. Where the
// environment variable CI is set they fail.
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'

/** What a test runs: the Debian package that has it, and the names that it has on other machines. */
const programs = {
  oathtool: { package: 'oathtool', names: ['oathtool'] },
  chromium: { package: 'chromium', names: ['chromium', 'chromium-browser', 'google-chrome'] },
}
export type SystemProgram = keyof typeof programs

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  installSystemPackages(['oathtool', 'chromium'])

/** Installs the Debian packages of those programs that are missing. Says what it does, and never fails. */
export function installSystemPackages(needed: SystemProgram[]): void {
  const missing = needed.filter((program) => !programs[program].names.some(isInstalled))
  if (missing.length === 0) return
  const packages = missing.map((program) => programs[program].package).join(' ')
  if (canInstall()) install(packages)
  const still = missing.filter((program) => !programs[program].names.some(isInstalled))
  if (still.length === 0) return
  console.log(`${still.join(', ')} is not installed: the tests that use it ${process.env.CI ? 'fail' : 'are skipped'}.`)
  console.log(`To run them too, on Debian or Ubuntu: sudo apt-get install ${packages}`)
}

function install(packages: string): void {
  console.log(`Installing from Debian: ${packages}, which tests of Countersign use.`)
  // The lists of packages may be absent or old: they are fetched only when the first try needs them.
  if (aptGet(`install ${packages}`)) return
  aptGet('update')
  aptGet(`install ${packages}`)
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && isInstalled('apt-get')
}

function aptGet(command: string): boolean {
  const args = ['-qq', '-y', '--no-install-recommends', ...command.split(' ')]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Not for ever: without a network apt-get would try each of its servers for minutes.
  return spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 }).status === 0
}
