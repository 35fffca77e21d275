// The benchmark's call, as a Node service would hold it: a state in Redis, a step, TwiML.

import { readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";

const KEPT_FOR_S = 3600;
const PUBLIC_URL = process.env.PUBLIC_URL;
const customers = new Map(
  JSON.parse(readFileSync(process.env.CUSTOMERS, "utf8")).map((customer) => [customer.id, customer]),
);

export function service(redis, twilio) {
  const { VoiceResponse } = twilio.twiml;

  const ask = (call, words, digits) => {
    const response = new VoiceResponse();
    const gather = response.gather({
      input: "dtmf",
      numDigits: digits,
      timeout: 5,
      action: `${PUBLIC_URL}/twilio/turn/${call.sid}/${call.nonce}`,
      method: "POST",
      actionOnEmptyResult: true,
    });
    gather.say({ language: "en-US", voice: "Polly.Joanna-Neural" }, words);
    return response.toString();
  };

  const end = (...sentences) => {
    const response = new VoiceResponse();
    for (const words of sentences) response.say({ language: "en-US", voice: "Polly.Joanna-Neural" }, words);
    response.hangup();
    return response.toString();
  };

  const keep = async (call) => {
    call.turn += 1;
    call.nonce = randomBytes(16).toString("hex");
    await redis.set(`call:${call.sid}`, JSON.stringify(call), "EX", KEPT_FOR_S);
  };

  async function ring(form) {
    const call = {
      sid: form.CallSid, from: form.From, to: form.To, state: "account", turn: 0,
      started: new Date().toISOString(), history: [],
    };
    await keep(call);
    return ask(call, "Thank you for calling Acme Bank. Please key in your six digit account number.", 6);
  }

  async function turn(sid, nonce, form) {
    const kept = await redis.get(`call:${sid}`);
    const call = kept && JSON.parse(kept);
    if (!call || call.nonce !== nonce) return end("Sorry, something went wrong.");
    call.history.push({ at: Date.now(), state: call.state });
    const digits = form.Digits ?? "";
    switch (call.state) {
      case "account":
        call.account = digits;
        call.state = "digits";
        await keep(call);
        return ask(call, "Please key in the four digits.", 4);
      case "digits": {
        const customer = customers.get(call.account);
        if (customer?.entry !== digits) return end("Thank you. Goodbye.");
        call.balance = customer.balance;
        call.state = "menu";
        await keep(call);
        return ask(call, "For your balance, press 1. For a new card, press 2. For anything else, press 0.", 1);
      }
      case "menu": {
        const balance = call.balance.toLocaleString("en-US", { style: "currency", currency: "USD" });
        call.state = "over";
        await keep(call);
        if (digits !== "1") return end("Thank you. Goodbye.");
        return end(`Your balance is ${balance}.`, "Thank you. Goodbye.");
      }
      default:
        return end("Thank you. Goodbye.");
    }
  }

  return { ring, turn };
}
