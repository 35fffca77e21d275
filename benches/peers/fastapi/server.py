"""The benchmark's call on FastAPI, with the provider's own package and redis-py."""

import json
import os
import secrets
import time
from datetime import datetime, timezone

from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Gather, VoiceResponse

KEPT_FOR_S = 3600
PUBLIC_URL = os.environ["PUBLIC_URL"]
VOICE = {"language": "en-US", "voice": "Polly.Joanna-Neural"}

with open(os.environ["CUSTOMERS"], encoding="utf-8") as file:
    customers = {customer["id"]: customer for customer in json.load(file)}
validator = RequestValidator(os.environ["TOKEN"])
redis = Redis.from_url(os.environ["REDIS_URL"])
app = FastAPI()


def ask(call, words, digits):
    response = VoiceResponse()
    gather = Gather(
        input="dtmf", num_digits=digits, timeout=5, method="POST", action_on_empty_result=True,
        action=f"{PUBLIC_URL}/twilio/turn/{call['sid']}/{call['nonce']}",
    )
    gather.say(words, **VOICE)
    response.append(gather)
    return str(response)


def end(*sentences):
    response = VoiceResponse()
    for words in sentences:
        response.say(words, **VOICE)
    response.hangup()
    return str(response)


async def keep(call):
    call["turn"] += 1
    call["nonce"] = secrets.token_hex(16)
    await redis.set(f"call:{call['sid']}", json.dumps(call), ex=KEPT_FOR_S)


async def ring(form):
    call = {
        "sid": form["CallSid"], "from": form["From"], "to": form["To"], "state": "account", "turn": 0,
        "started": datetime.now(timezone.utc).isoformat(), "history": [],
    }
    await keep(call)
    return ask(call, "Thank you for calling Acme Bank. Please key in your six digit account number.", 6)


async def carry_on(sid, nonce, form):
    kept = await redis.get(f"call:{sid}")
    call = json.loads(kept) if kept else None
    if call is None or call["nonce"] != nonce:
        return end("Sorry, something went wrong.")
    call["history"].append({"at": time.time(), "state": call["state"]})
    digits = form.get("Digits", "")
    if call["state"] == "account":
        call["account"], call["state"] = digits, "digits"
        await keep(call)
        return ask(call, "Please key in the four digits.", 4)
    if call["state"] == "digits":
        customer = customers.get(call["account"])
        if customer is None or customer["entry"] != digits:
            return end("Thank you. Goodbye.")
        call["balance"], call["state"] = customer["balance"], "menu"
        await keep(call)
        return ask(call, "For your balance, press 1. For a new card, press 2. For anything else, press 0.", 1)
    if call["state"] == "menu":
        call["state"] = "over"
        await keep(call)
        if digits != "1":
            return end("Thank you. Goodbye.")
        return end(f"Your balance is ${call['balance']:,.2f}.", "Thank you. Goodbye.")
    return end("Thank you. Goodbye.")


async def signed(request):
    form = dict((await request.form()).items())
    signature = request.headers.get("X-Twilio-Signature", "")
    return form if validator.validate(PUBLIC_URL + request.url.path, form, signature) else None


@app.post("/twilio/voice")
async def voice(request: Request):
    form = await signed(request)
    if form is None:
        return Response(status_code=403)
    return Response(await ring(form), media_type="text/xml")


@app.post("/twilio/turn/{sid}/{nonce}")
async def turn(sid: str, nonce: str, request: Request):
    form = await signed(request)
    if form is None:
        return Response(status_code=403)
    return Response(await carry_on(sid, nonce, form), media_type="text/xml")
