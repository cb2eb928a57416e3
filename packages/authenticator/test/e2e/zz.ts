import { execSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { everyEngine } from '../../../server/test/support/engines.ts'
import { openStage } from '../support/stage.ts'
import { keyholder, phoneWithKey } from '../support/visitor.ts'

const cpu = () =>
  readdirSync('/sys/fs/cgroup/cpuacct/e2e2').length &&
  readFileSync('/sys/fs/cgroup/cpuacct/e2e2/cgroup.procs', 'utf8')
    .trim()
    .split('\n')
    .map((p) => {
      try {
        const s = readFileSync(`/proc/${p}/stat`, 'utf8').split(') ')[1]!.split(' ')
        const c = readFileSync(`/proc/${p}/cmdline`, 'utf8').split('\0').join(' ')
        return [
          Number(s[11]) + Number(s[12]),
          (c.match(/--type=\S+( --\S*sub-type=\S+)?/)?.[0] ?? c.slice(0, 60)) +
            (c.match(/--utility-sub-type=\S+/)?.[0] ?? ''),
        ] as const
      } catch {
        return [0, ''] as const
      }
    })
    .filter(([n]) => n > 5)
    .map(([n, c]) => `${(n / 100).toFixed(2)} ${c}`)
    .join('\n  ')
const total = () => Number(readFileSync('/sys/fs/cgroup/cpuacct/e2e2/cpuacct.usage', 'utf8')) / 1e9
let t = performance.now(),
  c0 = total()
const lap = (w: string) => {
  const n = performance.now(),
    c = total()
  console.log(w.padEnd(14), 'wall', ((n - t) / 1000).toFixed(2), 'cpu', (c - c0).toFixed(2))
  t = n
  c0 = c
}
lap('imports')
console.log('cpu so far', total())
const stage = await openStage(everyEngine[0]!, process.argv.slice(2))
lap('stage')
console.log(' ', cpu())
const phone = await stage.visit()
lap('first visit')
console.log(' ', cpu())
await phone.sees('Your password asks.')
lap('sees')
await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => 1))
lap('sw')
for (let i = 0; i < 4; i++) {
  await stage.visit()
  lap('visit wiped')
  await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => 1))
  lap('sw')
}
for (let i = 0; i < 3; i++) {
  await phoneWithKey(stage, stage.server.acme.domainId)
  lap('phoneWithKey')
}
await new Promise((r) => setTimeout(r, 2000))
lap('idle 2 s')
console.log(' ', cpu())
await stage.close()
lap('close')
