import { Answer, type Incoming } from '../route.ts'

const pageMax = 1_000_000_000

/** `page` of the query: a whole number from 1; anything else is page 1. */
export function pageOf(request: Incoming): number {
  const page = new URLSearchParams(request.query).get('page') ?? ''
  return /^\d+$/.test(page) ? Math.min(Math.max(1, Number(page)), pageMax) : 1
}

/** A page as a bare array; the way to the next one stands in a header, where clients that know nothing of it do not stumble. */
export function pageAnswer(items: unknown[], next: { path: string; page: number } | undefined): Answer {
  return new Answer(items, next ? { link: `<${next.path}?page=${next.page}>; rel="next"` } : {})
}
