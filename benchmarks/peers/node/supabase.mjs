// @supabase/stripe-sync-engine as its README shows it: `migrate`, `backfill KIND …` (syncBackfill), `serve` (processWebhook).
import { createRequire } from 'node:module'
import { receive } from './receiver.mjs'

// Its ES module cannot migrate (it asks for __dirname) and says so to the logger only; its CommonJS build can.
const { StripeSync, runMigrations } = createRequire(import.meta.url)('@supabase/stripe-sync-engine')
const [, , command, ...kinds] = process.argv
const databaseUrl = process.env.DATABASE_URL

if (command === 'migrate') {
  const failures = []
  const logger = { info() {}, error: (error) => failures.push(error) }
  await runMigrations({ databaseUrl, schema: 'stripe', logger })
  if (failures.length) throw failures[0]
} else {
  const sync = new StripeSync({
    poolConfig: { connectionString: databaseUrl, max: 10 },
    stripeSecretKey: process.env.STRIPE_API_KEY,
    stripeWebhookSecret: process.env.STRIPE_WEBHOOK_SECRET,
    stripeApiVersion: process.env.STRIPE_API_VERSION,
  })
  if (command === 'serve') {
    receive((body, signature) => sync.processWebhook(body, signature), () => sync.close())
  } else {
    for (const object of kinds) await sync.syncBackfill({ object })
    await sync.close()
  }
}
