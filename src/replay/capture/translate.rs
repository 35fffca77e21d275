//! Translates what the provider was told then into what it is told now: each nonce or effect that a captured
//! request names for the first time stands for the one that the server expects.

use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::house::{House, HouseError};
use super::{Captured, SIGNATURE};
use crate::engine::call::{Call, Role};
use crate::engine::id::CallId;

/// What was told then, and what is told now.
#[derive(Debug, Default)]
pub(super) struct Translator {
    /// Nonces and effects.
    told: HashMap<String, String>,
    /// Names of legs that we placed.
    sids: HashMap<String, String>,
    /// How many messages' effects were named.
    messages: usize,
}

impl Translator {
    /// The request for the house as it stands, and the call that it is about.
    pub(super) async fn translate(
        &mut self,
        house: &House,
        request: &Captured,
        fields: &[(String, String)],
    ) -> Result<(Captured, Option<CallId>), HouseError> {
        let path = request.target.split('?').next().unwrap_or_default();
        let parts: Vec<_> = path.split('/').collect();
        let sid = field(fields, "CallSid");
        let ["", "twilio", route, call, last] = parts.as_slice() else {
            let call = CallId::of(field(fields, "AccountSid"), &crate::engine::id::Sid(sid.into()));
            return Ok((self.with_own_names(house, request.clone(), fields), Some(call)));
        };
        let Some(call) = CallId::parse(call) else { return Ok((request.clone(), None)) };
        let Some(state) = house.call(Some(call)).await? else {
            let why = "the capture does not have the call's first request, `/twilio/voice`";
            return Err(HouseError::Request(why.to_owned()));
        };
        self.meet(&state, route, sid);
        if *route != "resume" && !self.told.contains_key(*last) {
            let now = self.waited_for(house, &state, route, sid);
            let now = now.ok_or_else(|| HouseError::Request(nothing(route).to_owned()))?;
            self.told.insert((*last).to_owned(), now);
        }
        let mut changed = request.clone();
        if let Some(now) = self.told.get(*last) {
            changed.target = request.target.replacen(last, now, 1);
        }
        Ok((self.with_own_names(house, changed, fields), Some(call)))
    }

    /// The same with today's names in its fields, signed again.
    fn with_own_names(
        &self,
        house: &House,
        mut changed: Captured,
        fields: &[(String, String)],
    ) -> Captured {
        let mut fields = fields.to_vec();
        for (name, value) in &mut fields {
            match name.as_str() {
                "CallSid" => {
                    if let Some(now) = self.sids.get(value) {
                        value.clone_from(now);
                    }
                }
                // What the provider could not use was the answer to a request with a nonce.
                "ErrorUrl" => {
                    let told = self.told.iter().find(|(then, _)| value.contains(then.as_str()));
                    if let Some((then, now)) = told {
                        *value = value.replace(then, now);
                    }
                }
                _ => {}
            }
        }
        changed.body = encoded(&fields);
        let signature = house.sign(&changed.target, &fields);
        for (name, value) in &mut changed.headers {
            if name.eq_ignore_ascii_case(SIGNATURE) {
                value.clone_from(&signature);
            }
        }
        changed
    }

    /// A leg that we placed had a different name then.
    fn meet(&mut self, call: &Call, route: &str, sid: &str) {
        let placed = matches!(route, "leg" | "status");
        let known = call.legs.iter().any(|leg| leg.sid.as_ref().is_some_and(|own| own.0 == sid));
        if !placed || known || self.sids.contains_key(sid) {
            return;
        }
        let taken = |name: &String| self.sids.values().any(|other| other == name);
        let rung = call.legs.iter().filter(|leg| leg.role == Role::Callback);
        let name =
            rung.filter_map(|leg| Some(leg.sid.as_ref()?.0.clone())).find(|name| !taken(name));
        if let Some(name) = name {
            self.sids.insert(sid.to_owned(), name);
        }
    }

    /// What the server expects on this route.
    fn waited_for(&mut self, house: &House, call: &Call, route: &str, sid: &str) -> Option<String> {
        let sid = self.sids.get(sid).map_or(sid, String::as_str);
        let own = call.legs.iter().find(|leg| leg.sid.as_ref().is_some_and(|own| own.0 == sid));
        match route {
            "turn" => own.map(|leg| leg.expected.to_string()),
            "leg" => {
                let unheard = || call.legs.iter().rfind(|leg| leg.sid.is_none());
                own.or_else(unheard).map(|leg| leg.expected.to_string())
            }
            "status" => own.and_then(|leg| leg.effect).map(|effect| effect.to_string()),
            _ => {
                let message = house.messages(call.id).into_iter().nth(self.messages)?;
                self.messages += 1;
                Some(message.reference.effect.to_string())
            }
        }
    }
}

/// Why a request means nothing.
fn nothing(route: &str) -> &'static str {
    match route {
        "message" => "no message was sent in this call that it could be about",
        "leg" | "status" => "no call was placed in this call that it could be about",
        _ => "no leg of the call has this `CallSid`",
    }
}

fn field<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn encoded(fields: &[(String, String)]) -> Vec<u8> {
    let field = |(name, value): &(String, String)| {
        let of = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        format!("{}={}", of(name), of(value))
    };
    fields.iter().map(field).collect::<Vec<_>>().join("&").into_bytes()
}
