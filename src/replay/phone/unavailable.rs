//! Why a state ended as `unavailable`: what is on file, and what keeps it from being used.

use std::io::Write;

use super::{Phone, Trouble};
use crate::engine::account::{self, Account, Claim};
use crate::engine::call::Call;
use crate::engine::eligibility::{Purpose, Unfit, is_old_enough, on_file};
use crate::engine::turn::Hop;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;
use crate::replay::transcript::word_of;

impl<W: Write> Phone<'_, W> {
    /// Explains each of these states that ended so. What was looked up has been told already.
    pub(super) async fn tell_unavailable(
        &mut self,
        hops: &[Hop],
        call: Option<&Call>,
    ) -> Result<(), Trouble> {
        let ended = hops.iter().filter(|hop| hop.outcome == Some(Outcome::Unavailable));
        for hop in ended {
            let Some(call) = call else { continue };
            let Claim::Account(id) = &call.claim else { continue };
            let customer = self.caller.setup.directory.by_id(id.expose()).await.ok().flatten();
            let Some(customer) = customer else { continue };
            let flow = self.caller.setup.flows.get(hop.at.flow.as_str());
            let Some(state) = flow.and_then(|flow| flow.state(&hop.at.state)) else { continue };
            let why = match &state.kind {
                Kind::SendSmsOtp(_) | Kind::SendLink(_) => {
                    self.of_phones(&customer.account, Purpose::Message)
                }
                Kind::Callback(_) => self.of_phones(&customer.account, Purpose::Ring),
                Kind::SendEmailOtp(_) => self.of_email(&customer.account),
                _ => Vec::new(),
            };
            for why in why {
                writeln!(self.out, "  [`{}` is unavailable: {why}]", state.name)?;
            }
        }
        Ok(())
    }

    fn of_phones(&self, account: &Account, purpose: Purpose) -> Vec<String> {
        if account.phones.is_empty() {
            return vec!["no telephone is on file".into()];
        }
        let policy = &self.caller.setup.policy.contact;
        let now = self.player.provider.now();
        let why = |phone: &account::Phone| {
            let unfit = on_file(phone, purpose, &self.caller.setup.to, policy, now).err()?;
            let what = match purpose {
                Purpose::Message => "messages",
                Purpose::Ring => "calls",
            };
            let why = match unfit {
                Unfit::Line => {
                    format!(
                        "is a {}, which gets no {what}",
                        word_of(&account::Line::ALL, &phone.line)
                    )
                }
                Unfit::TooNew => too_new(phone.since, policy.min_age_days),
                Unfit::Abroad => "is in a country that gets no messages and calls".into(),
                Unfit::CostsExtra => "charges whoever calls it".into(),
            };
            Some(format!("{} {why}", phone.number.as_e164()))
        };
        account.phones.iter().filter_map(why).collect()
    }

    fn of_email(&self, account: &Account) -> Vec<String> {
        let policy = &self.caller.setup.policy.contact;
        let now = self.player.provider.now();
        match &account.email {
            None => vec!["no e-mail address is on file".into()],
            Some(email) if !is_old_enough(email.since, policy, now) => {
                let why = too_new(email.since, policy.min_age_days);
                vec![format!("{} {why}", email.address.expose())]
            }
            Some(_) => Vec::new(),
        }
    }
}

fn too_new(since: jiff::civil::Date, days: u32) -> String {
    format!("is on file since {since}, and is used after {days} days")
}
