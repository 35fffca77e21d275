//! What flows need of the configuration: found before the first call, and before changed flows are
//! taken into use.

use crate::flow::FlowSet;
use crate::flow::state::Kind;

/// What the configuration offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Whether mail can be sent.
    pub(super) mail: bool,
}

impl Offer {
    /// The first thing that a flow needs and that is not offered, in words.
    pub(super) fn lacks(&self, flows: &FlowSet) -> Option<String> {
        let states = flows.iter().flat_map(|flow| flow.states.values().map(move |it| (flow, it)));
        states.into_iter().find_map(|(flow, state)| {
            let what = match &state.kind {
                Kind::SendEmailOtp(_) if !self.mail => {
                    "sends codes by e-mail, and the configuration has no `[smtp]`: give it `url_env` \
                     and `from`"
                }
                _ => return None,
            };
            Some(format!("state `{}` of flow `{}` {what}", state.name, flow.name))
        })
    }
}
