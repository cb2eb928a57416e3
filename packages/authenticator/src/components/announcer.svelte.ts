/** Says a sentence to who listens instead of looking, politely: what is being read is not interrupted. */
class Announcer {
  /** Two places in turn, so that the same sentence is spoken again. */
  readonly places = $state(['', ''])
  #next = 0

  say(sentence: string): void {
    this.places[1 - this.#next] = ''
    this.places[this.#next] = sentence
    this.#next = 1 - this.#next
  }
}

export const announcer = new Announcer()
