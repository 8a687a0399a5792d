// @stripe/sync-engine by its exported functions, called as its own command line calls them (which cannot be told several
// kinds, and opens its webhook receiver only behind a tunnel): `migrate`, `backfill KIND …` (fullSync), `serve`.
import { StripeSync, runMigrations } from '@stripe/sync-engine'
import { receive } from './receiver.mjs'

const WORKERS = Number(process.env.SYNC_WORKERS)
const REQUESTS_PER_SECOND = 1_000_000
const [, , command, ...kinds] = process.argv
const databaseUrl = process.env.DATABASE_URL
const stripeApiVersion = process.env.STRIPE_API_VERSION
const logger = { info() {}, warn: console.error, error: console.error }

if (command === 'migrate') {
  await runMigrations({ databaseUrl, stripeApiVersion, openApiSpecPath: process.env.STRIPE_OPENAPI, logger })
} else {
  const sync = await StripeSync.create({
    databaseUrl,
    stripeSecretKey: process.env.STRIPE_API_KEY,
    stripeWebhookSecret: process.env.STRIPE_WEBHOOK_SECRET,
    stripeApiVersion,
    poolConfig: { max: 10, connectionString: databaseUrl, keepAlive: true },
    logger,
  })
  if (command === 'serve') {
    receive((body, signature) => sync.webhook.processWebhook(body, signature), () => sync.close())
  } else {
    const result = await sync.fullSync(kinds, true, WORKERS, REQUESTS_PER_SECOND, false, 0)
    if (result.errors.length) throw new Error(JSON.stringify(result.errors))
    await sync.close()
  }
}
