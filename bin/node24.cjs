'use strict'
// Runs one of this project's TypeScript programs on Node.js 24 or newer, whatever Node.js started it. Plain JavaScript,
// so that an older one (18 or newer) gets as far as the bundled one or the message below.
//
//   node bin/node24.cjs scripts/test.ts [arguments]

const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const root = join(__dirname, '..')
const bundledNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
const versionMin = 24

module.exports = run
if (require.main === module) run(process.argv[2], process.argv.slice(3))

/** Runs `program` (a path below the repository's root) in this process if it can, else on the bundled Node.js. */
function run(program, args) {
  if (Number.parseInt(process.versions.node, 10) >= versionMin) return runHere(program, args)
  if (existsSync(bundledNode)) return runOnBundledNode(program, args)
  return fail(`it is not installed in ${join(root, 'node_modules')}`)
}

function runHere(program, args) {
  const path = join(root, program)
  dropExperimentalWarnings()
  if (process.channel) stopWithParent()
  process.argv = [process.execPath, path, ...args]
  import(pathToFileURL(path).href).catch((error) => {
    console.error(error)
    process.exit(1)
  })
}

// node:sqlite is announced as experimental at every start. Other warnings stay.
function dropExperimentalWarnings() {
  const emitWarning = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    const name = warning.name ?? rest[0]?.type ?? rest[0]
    if (name !== 'ExperimentalWarning') emitWarning(warning, ...rest)
  }
}

// The channel closes when the parent ends, even by SIGKILL: nobody is left to pass signals on, so stop as told by one.
function stopWithParent() {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

function runOnBundledNode(program, args) {
  const child = spawn(bundledNode, [__filename, program, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    // A terminal sends Ctrl-C to both processes: passing it on would make two of one.
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal))
  }
  child.on('error', (error) => fail(`it does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function fail(reason) {
  console.error(`Countersign needs Node.js ${versionMin} or newer; this is ${process.version} (${process.execPath}).

Its own copy of Node.js would do, but ${reason}.
Run this in ${root}:

  npm ci

and allow the install scripts: npm must not run with --ignore-scripts, nor with ignore-scripts=true in an .npmrc.
Or put a newer Node.js on your PATH.`)
  process.exit(1)
}
