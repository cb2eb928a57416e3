import type { ActivationLink } from '../link.ts'
import type { Facts, TokenRecord } from '../store/records.ts'
import { ActivationFlow } from './activation.svelte.ts'
import { Keyring } from './keyring.svelte.ts'
import type { Install, Model, Settings } from './model.ts'
import { NotificationSetting } from './notifications.svelte.ts'
import { Poller } from './poller.svelte.ts'
import { RequestList } from './requests.svelte.ts'
import type { Surroundings } from './surroundings.ts'
import { Ticker } from './ticker.svelte.ts'
import { TokenList } from './tokens.svelte.ts'

/** The model, with what only its owner may do. */
export interface OpenModel extends Model {
  close(): void
}

/** Settings that can be told what the browser has promised. */
export interface OwnSettings extends Settings {
  notePersisted(persisted: boolean): void
}

/** Reads the store and starts: polls, goes on with an unfinished activation, follows the link that the page was opened by. */
export async function openModel(
  inside: Surroundings,
  own: { facts: Partial<Facts>; install: Install; settings: OwnSettings; link?: ActivationLink | undefined },
): Promise<OpenModel> {
  const { facts, install, settings, link } = own
  const ticker = new Ticker(inside.client.clock)
  const keyring = new Keyring(inside)
  const tokens = new TokenList({ inside, keyring, ticker })
  const notifications = new NotificationSetting(inside, keyring)
  const requests = new RequestList({ inside, keyring, ticker, onMismatch: () => connection.retryNow() })
  const connection = new Poller({
    ...{ inside, keyring, requests, ticker },
    onPush: (record, push) => void notifications.compare(record, push),
    onVapid: (vapid) => void notifications.learnVapid(vapid),
  })
  const activation = new ActivationFlow({
    ...{ inside, keyring },
    tokenView: (tid) => tokens.find(tid),
    onPersist: (persisted) => settings.notePersisted(persisted),
    onActive: () => connection.retryNow(),
  })
  const expiry = setInterval(() => requests.expire(inside.client.clock.now()), 1_000)
  // What waits to be sent again goes out as soon as there is a network.
  inside.page.onChange(() => {
    if (!inside.page.online) return
    for (const request of requests.open) if (request.outcome.is === 'sending') void request.retry()
    if (activation.step.at === 'finishing') void activation.retry()
  })
  ticker.start()
  await keyring.load()
  notifications.start({ declined: facts.notificationsDeclined ?? false, vapid: facts.serverVapid })
  connection.start(facts.lastConnectedAt)
  const unfinished = keyring.records.find(isUnfinished)
  if (link) void activation.open(link)
  else if (unfinished) void activation.resume(unfinished)
  return {
    ...{ activation, requests, tokens, connection, notifications, install, settings },
    get now() {
      return ticker.now
    },
    close() {
      clearInterval(expiry)
      ticker.stop()
      connection.stop()
      inside.tabs.close()
    },
  }
}

function isUnfinished(record: TokenRecord): record is TokenRecord & { activation: object } {
  return record.state === 'activating' && record.activation !== undefined
}
