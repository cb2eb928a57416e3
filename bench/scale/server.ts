import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { LeanClient } from '../../packages/server/test/support/lean-client.ts'
import { environmentOf, saysThatItRuns } from '../../packages/server/test/support/process.ts'
import type { Reply } from '../../packages/server/test/support/server.ts'
import type { Seeded } from './seeded.ts'
import type { Observed, Watched } from './watch.ts'

/** `countersign serve` on a seeded database, in a process of its own. */
export interface ScaleServer {
  apiUrl: string
  /** Rejects unless the answer is 200 or 201. */
  call(path: string, body?: unknown): Promise<Reply>
  /** The statements that run meanwhile, with their values. */
  statementsOf(work: () => Promise<unknown>): Promise<Watched[]>
  /** The server's memory, and the peak of it since the last time. */
  memory(): Promise<{ rssBytes: number; rssPeakBytes: number }>
  stop(): Promise<void>
}

const root = join(import.meta.dirname, '../..')

export async function startServerOn(seeded: Seeded): Promise<ScaleServer> {
  const environment = await environmentOf({ url: seeded.database, data: seeded.data, drop: async () => {} })
  const args = ['--disable-warning=ExperimentalWarning', '--import', join(import.meta.dirname, 'watch.ts')]
  const child = spawn(process.execPath, [...args, join(root, 'packages/cli/src/main.ts'), 'serve'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH, COUNTERSIGN_LOG_LEVEL: 'error', ...environment },
  })
  process.once('exit', () => child.kill('SIGKILL'))
  let errors = ''
  child.stderr?.on('data', (text) => {
    errors += text
  })
  await saysThatItRuns(child, () => errors)
  const apiUrl = `http://${environment.COUNTERSIGN_API_LISTEN}`
  const client = new LeanClient(apiUrl)
  const observe = async (message: 'watch' | 'rest'): Promise<Observed> => {
    const answered = once(child, 'message')
    child.send(message)
    const [observed] = await answered
    return observed
  }
  return {
    apiUrl,
    async call(path, body) {
      const headers = { authorization: `LoginTC key="${seeded.apiKey}"`, 'content-type': 'application/json' }
      const sent = body === undefined ? { method: 'GET' } : { method: 'POST', body: JSON.stringify(body) }
      const reply = await client.call(path, { ...sent, headers })
      if (reply.status > 201) throw new Error(`${path}: ${reply.status} ${reply.text}\n${errors}`)
      return reply
    },
    async statementsOf(work) {
      await observe('watch')
      await work()
      return (await observe('rest')).statements
    },
    memory: () => observe('rest'),
    async stop() {
      client.close()
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
