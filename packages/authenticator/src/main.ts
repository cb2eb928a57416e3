import type { UnlockBinding } from '@countersign/protocol/unlock.ts'
import { mount } from 'svelte'
import App from './App.svelte'
import { takeLink } from './link.ts'
import { Installation } from './model/install.svelte.ts'
import { openModel } from './model/open-model.ts'
import { PhoneSettings } from './model/settings.svelte.ts'
import { openTabs } from './model/tabs.ts'
import { browserPage, browserPush } from './page.ts'
import { ServerClock } from './protocol/clock.ts'
import { hasPlatformUnlock, type PlatformUnlock, provePlatform, registerPlatform } from './protocol/platform.ts'
import { sleep } from './protocol/sleep.ts'
import { registerWorker, takeNewVersion } from './register-worker.ts'
import { openIdbStore } from './store/idb-store.ts'
import type { Store } from './store/records.ts'

// Before anything else runs: an activation code stays neither in the address bar nor in the history.
const link = takeLink(location, history)
const target = document.getElementById('app')
const settings = new PhoneSettings()
const install = new Installation()

/** Puts the app together and shows it. */
async function start(store: Store, into: HTMLElement): Promise<void> {
  const facts = await store.facts()
  const transport = { origin: location.origin, fetch, sleep, random: Math.random }
  const inside = {
    client: { transport, clock: new ServerClock(Date.now, facts.clockOffsetMs) },
    ...{ store, tabs: openTabs(), page: browserPage, push: browserPush },
    platform: {
      available: hasPlatformUnlock,
      register: (token: Parameters<typeof registerPlatform>[0]) => registerPlatform(token, location.hostname),
      prove: (unlock: PlatformUnlock, binding: UnlockBinding) => provePlatform(unlock, binding, location.hostname),
    },
  }
  const model = await openModel(inside, { facts, install, settings, link })
  mount(App, { target: into, props: { model } })
}

/** There is no place for keys: a private window of some browsers, or site data switched off. */
function sayNoStore(into: HTMLElement): void {
  into.textContent =
    settings.language === 'de'
      ? 'Dieser Browser lässt Countersign nichts speichern. Öffnen Sie die Seite in einem normalen Fenster und erlauben Sie Websitedaten.'
      : 'This browser does not let Countersign store anything. Open the page in a normal window and allow site data.'
}

if (target && (link || !(await takeNewVersion()))) {
  const store = await openIdbStore().catch(() => undefined)
  if (store) await start(store, target)
  else sayNoStore(target)
  await registerWorker()
}
