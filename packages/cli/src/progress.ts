/** One line on standard error that changes as work goes on; nothing where no person looks on. */
export interface Progress {
  show(text: string): void
  /** Takes the line away. */
  end(): void
}

const everyMs = 100

export function startProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { show() {}, end() {} }
  let shown = 0
  return {
    show(text) {
      if (performance.now() - shown < everyMs) return
      shown = performance.now()
      stream.write(`\r\u001b[K${text}`)
    },
    end: () => void stream.write('\r\u001b[K'),
  }
}

/** `[████████░░░░]  67 %  400 of 600`, for a known amount of work. */
export function bar(done: number, total: number): string {
  const part = total === 0 ? 1 : Math.min(1, done / total)
  const full = Math.round(part * 24)
  const percent = `${Math.floor(part * 100)}`.padStart(3)
  return `[${'█'.repeat(full)}${'░'.repeat(24 - full)}] ${percent} %  ${done} of ${total}`
}
