// A customer, a card, a payment, a refund, a list: node purchase.cjs 127.0.0.1:8080
//
// DESCRIPTORS is the published descriptor set, payment_kit/v1/payment_kit.binpb of the checkout when it is not set.
// API_KEY and CA_FILE are for a service that asks for a key and has a certificate of its own.
"use strict";

const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const grpc = require("@grpc/grpc-js");
const { loadFileDescriptorSetFromBuffer } = require("@grpc/proto-loader");

const descriptors = process.env.DESCRIPTORS ?? join(__dirname, "../../payment_kit/v1/payment_kit.binpb");
const loaded = loadFileDescriptorSetFromBuffer(readFileSync(descriptors), {
  keepCase: true, // the names of the contract
  longs: String, // amounts are 64-bit integers
  enums: String,
  defaults: true,
});
const { payment_kit } = grpc.loadPackageDefinition(loaded);

// UNAVAILABLE is tried again by gRPC itself; that is safe, because the message holds the request_id of the write.
const config = {
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: "0.2s",
        maxBackoff: "5s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};
const DEADLINE_MILLISECONDS = 30_000;

/** A client whose methods answer promises, with the key and a deadline on every call. */
function client(Service, target) {
  const ca = process.env.CA_FILE;
  const credentials = ca ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure();
  const metadata = new grpc.Metadata();
  if (process.env.API_KEY) metadata.set("authorization", `Bearer ${process.env.API_KEY}`);
  const stub = new Service(target, credentials, { "grpc.service_config": JSON.stringify(config) });
  return new Proxy(stub, {
    get: (_, method) => (request) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + DEADLINE_MILLISECONDS };
        stub[method](request, metadata, options, (error, answer) => (error ? reject(error) : resolve(answer)));
      }),
  });
}

/** A map of the contract, which protobufjs reads from a descriptor set as a list of its entries; write it so as well. */
function map(entries) {
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

/** The ErrorInfo of a failed call: `reason` and `metadata`, for programs to act on. */
function errorInfo(error) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!bytes) return { reason: "", metadata: {} };
  const status = loaded["google.rpc.Status"].deserialize(bytes);
  const detail = status.details.find(({ type_url }) => type_url.endsWith("/google.rpc.ErrorInfo"));
  const { reason, metadata } = loaded["google.rpc.ErrorInfo"].deserialize(detail.value);
  return { reason, metadata: map(metadata) };
}

async function main(target) {
  const { CustomerService, PaymentMethodService, PaymentIntentService, RefundService } = payment_kit.v1;
  const payments = client(PaymentIntentService, target);

  const { customer } = await client(CustomerService, target).CreateCustomer({ request_id: randomUUID(), name: "Ada" });
  const { payment_method } = await client(PaymentMethodService, target).CreatePaymentMethod({
    request_id: randomUUID(),
    customer: customer.id,
    payment_method: "pm_card_visa",
  });
  const { payment_intent } = await payments.CreatePaymentIntent({
    request_id: randomUUID(),
    amount: { amount_minor: 1999, currency: "usd" },
    customer: customer.id,
    payment_method: payment_method.id,
    metadata: [{ key: "order", value: "1001" }],
    confirm: true,
  });
  const { amount, state, metadata } = payment_intent;
  console.log(`${amount.amount_minor} ${amount.currency} ${state}, order ${map(metadata).order}`);

  const { refund } = await client(RefundService, target).CreateRefund({
    request_id: randomUUID(),
    payment_intent: payment_intent.id,
    amount: { amount_minor: 500, currency: "usd" },
  });
  console.log(`${refund.amount.amount_minor} ${refund.amount.currency} back: ${refund.state}`);

  try {
    await payments.CreatePaymentIntent({
      request_id: randomUUID(),
      amount: { amount_minor: 500, currency: "jpy" },
      customer: customer.id,
      payment_method: "pm_card_chargeDeclined",
      confirm: true,
    });
  } catch (error) {
    const info = errorInfo(error);
    console.log(`${info.reason}: ${info.metadata.decline_code}`);
  }

  for (let page_token = ""; ; ) {
    const page = await payments.ListPaymentIntents({ customer: customer.id, page_size: 1, page_token });
    for (const one of page.payment_intents) console.log(`listed ${one.amount.amount_minor} ${one.amount.currency}`);
    page_token = page.next_page_token;
    if (!page_token) break;
  }
}

main(process.argv[2]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
