import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { de } from '../src/words/de.ts'
import { en } from '../src/words/en.ts'
import { dayOf, Times } from '../src/words/times.ts'

/** What nobody says who is not of the trade, and what hurries (nor any error number). */
const forbidden =
  /\b(tokens?|mfa|2fa|otp|multi-?factor|factors?|faktor(en)?|sessions?|sitzung(en)?|credentials?|push|urgent|dringend|sofort handeln|oops|ups|sorry|error|fehler \d+|http \d+)\b|!/i

describe('the words', () => {
  it('are the same in number and place in both languages', () => {
    assert.deepEqual(shapeOf(de), shapeOf(en))
  })

  it('say nothing that only the trade understands, and do not hurry', () => {
    for (const sentence of [...sentencesOf(en), ...sentencesOf(de)]) assert.doesNotMatch(sentence, forbidden)
  })

  it('are there: none is empty, and German has no English left in it', () => {
    for (const sentence of [...sentencesOf(en), ...sentencesOf(de)]) assert.notEqual(sentence.trim(), '')
    for (const sentence of sentencesOf(de)) assert.doesNotMatch(sentence, /\b(the|your|you|this|and)\b/i)
  })
})

describe('times', () => {
  const now = new Date(2026, 2, 17, 14, 32, 51).getTime()
  const before = (days: number, hours = 0) => now - days * 86_400_000 - hours * 3_600_000
  const english = new Times('en-GB')
  const german = new Times('de-DE')

  it('are said as people say them: today and yesterday by the calendar, not by the hour', () => {
    assert.equal(dayOf(before(0, 14), now), 'today')
    assert.equal(dayOf(before(0, 15), now), 'yesterday')
    assert.equal(dayOf(before(6), now), 'this week')
    assert.equal(dayOf(before(7), now), 'earlier')
  })

  it('have 14:32 in English and 14:32 Uhr in German', () => {
    assert.equal(english.moment(now, now), 'Today, 14:32')
    assert.equal(german.moment(now, now), 'Heute, 14:32 Uhr')
    assert.equal(german.momentInside(before(1), now), 'gestern, 14:32 Uhr')
    assert.equal(english.shortMoment(before(4), now), 'Fri, 14:32')
    assert.equal(german.date(now), '17. März 2026')
    assert.equal(english.exact(now), '14:32:51')
  })
})

/** Where sentences stand, without what they say. */
function shapeOf(words: object): unknown {
  return Object.entries(words).map(([key, value]) => [key, typeof value === 'object' ? shapeOf(value) : typeof value])
}

/** Every sentence, with 2 for a number and a word for a name. */
function sentencesOf(words: object): string[] {
  return Object.values(words).flatMap((value) => {
    if (typeof value === 'function') return [String(value(2, 3))]
    return typeof value === 'object' ? sentencesOf(value) : [String(value)]
  })
}
