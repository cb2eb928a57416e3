import { runProgram } from './program.ts'

// Whatever this process creates (database, keyring, credentials) is its owner's alone.
process.umask(0o077)
process.exitCode = await runProgram(process.argv.slice(2))
