import Type from 'typebox'
import { defaultSettings, getSettings, settingBounds, updateSettings } from '../../core/organization-settings.ts'
import { orNull, tagged } from './objects.ts'
import { changesOf, operation } from './operation.ts'

const within = (name: keyof typeof settingBounds, description?: string) => {
  const [minimum, maximum] = settingBounds[name]
  return Type.Integer({ minimum, maximum, ...(description !== undefined && { description }) })
}

const members = {
  sessionsPerDayMax: within('sessionsPerDayMax', 'sessions that can be created for one user in a day; the next is 429'),
  pendingSessionsMax: within(
    'pendingSessionsMax',
    'requests that wait at one token at a time; the next is denied: `throttled`',
  ),
  activationCodeMinutesMax: orNull(
    within('activationCodeMinutesMax'),
    'minutes that a new activation code is valid at most, whatever its domain says; null for what the domain says',
  ),
  bypassCodeMinutesMax: orNull(
    within('bypassCodeMinutesMax'),
    'minutes that a new bypass code is valid at most, so that none is without an end; null for any',
  ),
  wrongBypassCodesMax: within(
    'wrongBypassCodesMax',
    'wrong bypass codes in a row that lock a user’s codes for an hour',
  ),
  wrongOneTimePasswordsMax: within('wrongOneTimePasswordsMax', 'the same for one-time passwords'),
}
const Settings = Type.Object(members)
const changed = { bypassCodeMinutesMax: 1_440, pendingSessionsMax: 1 }

export const show = operation({
  summary: 'Show the settings of the organization',
  reply: Settings,
  example: { reply: defaultSettings },
  handle: async (app, actor) => tagged(await getSettings(app, actor)),
})

export const update = operation({
  summary: 'Change settings of the organization',
  about: 'Those that are named, on every node from the next request on. What exists already is left as it is.',
  takesIfMatch: true,
  body: changesOf(members),
  reply: Settings,
  example: { body: changed, reply: { ...defaultSettings, ...changed } },
  handle: async (app, actor, { body, ifMatch }) => tagged(await updateSettings(app, actor, { ...body, ifMatch })),
})
