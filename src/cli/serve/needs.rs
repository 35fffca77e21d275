//! What flows need of the configuration: checked before the first call, and before changed flows are used.

use std::collections::BTreeSet;

use crate::diagnostic::did_you_mean;
use crate::flow::FlowSet;
use crate::flow::state::Kind;

/// What the configuration offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Whether mail can be sent.
    pub(super) mail: bool,
    /// The back ends that `lookup` states may ask.
    pub(super) backends: BTreeSet<String>,
    /// Whether text messages with codes are worded by flows.
    pub(super) own_words: bool,
    /// How many digits codes from the web have.
    pub(super) web_code_digits: u32,
}

impl Offer {
    /// Warns that owners are to be told who mostly cannot be: whoever has proved themselves by the telephone on
    /// file can be told only by mail.
    pub(super) fn warn_of_notices(&self, flows: &FlowSet) {
        let mut states =
            flows.iter().flat_map(|flow| flow.states.values().map(move |it| (flow, it)));
        let telling = states.find(|(_, state)| state.notify.is_some());
        if let Some((flow, state)) = telling.filter(|_| !self.mail) {
            tracing::warn!(
                flow = %flow.name,
                state = %state.name,
                "`notify` tells nobody who has one telephone on file and was reached there: there is no `[smtp]`"
            );
        }
    }

    /// Everything that flows need and that is not offered, in words, one error a line.
    pub(super) fn lacks(&self, flows: &FlowSet) -> Option<String> {
        let states = flows.iter().flat_map(|flow| flow.states.values().map(move |it| (flow, it)));
        let lacks = states.into_iter().filter_map(|(flow, state)| {
            let what = match &state.kind {
                Kind::SendEmailOtp(_) if !self.mail => {
                    "sends codes by e-mail, and the configuration has no `[smtp]`: give it `url_env` \
                     and `from`"
                }
                Kind::SendSmsOtp(send) if send.message.is_some() && !self.own_words => {
                    "has a `message` of its own, and with `[otp] backend = \"verify\"` the provider \
                     words its messages: leave `message` out, or have callgate make the codes, with \
                     `backend = \"own\"`"
                }
                Kind::GatherServiceCode(code)
                    if code.digits.is_some_and(|digits| digits != self.web_code_digits) =>
                {
                    return Some(format!(
                        "state `{}` of flow `{}` takes codes from the web of {} digits, and `[policy.service_code] \
                         digits` makes them of {}: none would be right; leave `digits` out of the state",
                        state.name,
                        flow.name,
                        code.digits.unwrap_or_default(),
                        self.web_code_digits
                    ));
                }
                Kind::Lookup(lookup) if !self.backends.contains(&lookup.backend) => {
                    let known = self.backends.iter().map(String::as_str);
                    let help = did_you_mean(&lookup.backend, known).unwrap_or_else(|| {
                        format!("give it an address: `[backends.{}]` with `url`", lookup.backend)
                    });
                    return Some(format!(
                        "state `{}` of flow `{}` asks the back end `{}`, which the configuration does not \
                         name; {help}",
                        state.name, flow.name, lookup.backend
                    ));
                }
                _ => return None,
            };
            Some(format!("state `{}` of flow `{}` {what}", state.name, flow.name))
        });
        let lacks: Vec<_> = lacks.collect();
        (!lacks.is_empty()).then(|| lacks.join("\nerror: "))
    }
}
