// The benchmark's call on fastify, with the provider's own package and ioredis.

import Fastify from "fastify";
import formbody from "@fastify/formbody";
import Redis from "ioredis";
import twilio from "twilio";
import { service } from "./flow.mjs";

const { PORT, REDIS_URL, TOKEN, PUBLIC_URL } = process.env;
const { ring, turn } = service(new Redis(REDIS_URL, { enableAutoPipelining: true }), twilio);

const app = Fastify({ logger: false });
await app.register(formbody);
app.addHook("preHandler", async (request, reply) => {
  const signature = request.headers["x-twilio-signature"] ?? "";
  if (!twilio.validateRequest(TOKEN, signature, PUBLIC_URL + request.url, request.body)) {
    return reply.code(403).send();
  }
});
app.post("/twilio/voice", async (request, reply) => {
  reply.type("text/xml").send(await ring(request.body));
  return reply;
});
app.post("/twilio/turn/:sid/:nonce", async (request, reply) => {
  const { sid, nonce } = request.params;
  reply.type("text/xml").send(await turn(sid, nonce, request.body));
  return reply;
});
await app.listen({ host: "127.0.0.1", port: Number(PORT) });
