// Loaded before a contender: whatever it sends to https://api.stripe.com goes to STRIPE_BASE (plain http) instead.
// stripe-node looks `https.request` up at every call, so the packages themselves stay as they were installed.
import http from 'node:http'
import https from 'node:https'

const base = new URL(process.env.STRIPE_BASE)
const agent = new http.Agent({ keepAlive: true })

https.request = (options, ...rest) => {
  const host = options.host ?? options.hostname
  if (host !== 'api.stripe.com') throw new Error(`a request to ${host}: only Stripe is redirected`)
  const request = http.request({ ...options, host: base.hostname, port: base.port, protocol: 'http:', agent }, ...rest)
  // Older releases of stripe-node write only when the TLS handshake is over.
  request.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', () => socket.emit('secureConnect'))
  })
  return request
}
