/** One short confirmation at a time; never for what needs an act. */
class Toaster {
  text = $state('')

  show(text: string): void {
    this.text = text
  }

  hide(): void {
    this.text = ''
  }
}

export const toaster = new Toaster()
