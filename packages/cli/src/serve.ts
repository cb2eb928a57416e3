import type { Server } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { loadServer } from './command.ts'

/** `countersign serve` */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the server until it is told to stop (Ctrl-C or SIGTERM).')
    .option('--first-run', 'in an empty database create an organization, a domain and a user to try it with')
    .action(serve)
}

async function serve(options: { firstRun?: boolean }): Promise<void> {
  const { hasOrganizations, readConfig, startServer } = await loadServer()
  const server = await startServer(readConfig(process.env))
  stopOnSignal(server)
  if (server.app.config.tls.length > 0) reloadOnSignal(server)
  const { apiUrl, deviceUrl } = server.app.config
  say([`Countersign is running. REST API: ${apiUrl}/api   Authenticators: ${deviceUrl}`])
  if (await hasOrganizations(server.app)) return say(['Stop it with Ctrl-C.'])
  if (options.firstRun) return say(await (await import('./first-run.ts')).firstRun(server.app))
  say([
    'There is no organization yet. Create one, in a second terminal with the same environment:',
    '  bin/countersign org create --name "My organization"',
  ])
}

function say(lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The first signal tells load balancers and lets what is under way end; a second one does not wait. */
function stopOnSignal(server: Server): void {
  let stopping = false
  const stop = async () => {
    if (stopping) process.exit(1)
    stopping = true
    await server.drain()
    await server.stop()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** Without certificates SIGHUP goes on to end the server, as whoever closes its terminal expects. */
function reloadOnSignal(server: Server): void {
  process.on('SIGHUP', () => void server.reloadCertificates())
}
