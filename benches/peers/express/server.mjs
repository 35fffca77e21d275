// The benchmark's call on express, with the provider's own package and ioredis.

import express from "express";
import Redis from "ioredis";
import twilio from "twilio";
import { service } from "./flow.mjs";

const { PORT, REDIS_URL, TOKEN, PUBLIC_URL } = process.env;
const { ring, turn } = service(new Redis(REDIS_URL, { enableAutoPipelining: true }), twilio);

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use((request, response, next) => {
  const signature = request.get("X-Twilio-Signature") ?? "";
  const known = twilio.validateRequest(TOKEN, signature, PUBLIC_URL + request.originalUrl, request.body);
  if (known) next();
  else response.status(403).end();
});
app.post("/twilio/voice", async (request, response) => {
  response.type("text/xml").send(await ring(request.body));
});
app.post("/twilio/turn/:sid/:nonce", async (request, response) => {
  const { sid, nonce } = request.params;
  response.type("text/xml").send(await turn(sid, nonce, request.body));
});
app.listen(Number(PORT), "127.0.0.1");
