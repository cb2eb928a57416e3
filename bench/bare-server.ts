// The least that a server in Node.js can do: it answers a constant. Started by limits.ts, which it tells its port.
import { createServer } from 'node:http'

const body = JSON.stringify({ id: 'c'.repeat(32), state: 'pending' })
const headers = { 'content-type': 'application/json', 'content-length': body.length }

const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, headers).end(body)
})
server.listen(0, '127.0.0.1', () => process.send?.(server.address()))
process.on('disconnect', () => process.exit())
