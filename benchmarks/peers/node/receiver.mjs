// The few lines of HTTP that both packages leave to their user: 200 once `processWebhook` is done, 400 when it throws.
import http from 'node:http'

export function receive(processWebhook, close) {
  const failures = {}
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      try {
        await processWebhook(Buffer.concat(chunks), request.headers['stripe-signature'])
        response.end('{"received":true}')
      } catch (error) {
        failures[error.message] = (failures[error.message] ?? 0) + 1
        response.statusCode = 400
        response.end(JSON.stringify({ error: error.message }))
      }
    })
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(JSON.stringify({ port: server.address().port }) + '\n'))
  process.on('SIGTERM', async () => {
    server.closeAllConnections()
    await close()
    if (Object.keys(failures).length) console.error(failures)
    process.exit(0)
  })
}
