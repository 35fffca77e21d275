//! A state: one step of a flow, with what every type of state has in common.

use std::time::Duration;

use indexmap::IndexMap;

use super::condition::Condition;
use super::level::Fact;
use super::name::{LevelName, StateName, VariableName};
use super::outcome::Outcome;
use super::prompt::Prompt;
use super::states;
use super::template::{Template, Use};
use crate::diagnostic::Place;

/// One step of a flow.
#[derive(Debug)]
pub struct State {
    /// Its name.
    pub name: StateName,
    /// Where its name stands.
    pub place: Place,
    /// What it does.
    pub kind: Kind,
    /// The level that a caller must meet to enter.
    pub requires: Option<(LevelName, Place)>,
    /// Where a caller who does not meet it can prove more.
    pub step_up: Option<Target>,
    /// Where each outcome leads.
    pub routes: IndexMap<Outcome, Target>,
    /// What the owner of the account is told when a caller is let in, over another channel than the
    /// caller has used.
    pub notify: Option<Notify>,
    /// Warnings of the checker that the designer accepts here.
    pub accept: Vec<(String, Place)>,
}

/// What the owner of an account is told.
#[derive(Debug)]
pub enum Notify {
    /// callgate's own words.
    Own,
    /// The designer's.
    Words(Prompt),
}

/// Where something leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The state.
    pub state: StateName,
    /// Where it is written.
    pub place: Place,
}

/// What a state does: the closed set of state types.
#[derive(Debug)]
pub enum Kind {
    /// Speaks.
    Say(states::say::Say),
    /// Lets the caller choose.
    Menu(states::menu::Menu),
    /// Takes something from the caller into a variable.
    Gather(states::gather::Gather),
    /// Takes the claim of an account.
    Identify(states::identify::Identify),
    /// Takes a PIN.
    GatherPin(states::gather_pin::GatherPin),
    /// Takes a verbal passcode.
    GatherPasscode(states::gather_passcode::GatherPasscode),
    /// Sends a code to the mobile on file.
    SendSmsOtp(states::send_sms_otp::SendSmsOtp),
    /// Sends a code to the e-mail address on file.
    SendEmailOtp(states::send_email_otp::SendEmailOtp),
    /// Sends a message without a code.
    SendLink(states::send_link::SendLink),
    /// Takes the code last sent.
    GatherOtp(states::gather_otp::GatherOtp),
    /// Takes a code from the web.
    GatherServiceCode(states::gather_service_code::GatherServiceCode),
    /// Rings the number on file.
    Callback(states::callback::Callback),
    /// Hands over to a specialist.
    Transfer(states::transfer::Transfer),
    /// Records a message.
    Voicemail(states::voicemail::Voicemail),
    /// Asks a back end.
    Lookup(states::lookup::Lookup),
    /// Goes one way or another.
    Branch(states::branch::Branch),
    /// Assigns variables.
    Set(states::set::Set),
    /// Enters a sub-flow.
    Call(states::call::CallFlow),
    /// Comes back from a step-up or a sub-flow.
    Return(states::returns::Return),
    /// Ends the call.
    Hangup(states::hangup::Hangup),
    /// Refuses the call.
    Reject(states::reject::Reject),
}

/// How a state listens.
#[derive(Debug)]
pub struct Listen {
    /// The wording of the first try.
    pub prompt: Prompt,
    /// The wording of the tries between the first and the last; `None`: as the first.
    pub reprompt: Option<Prompt>,
    /// The wording of the last try; `None`: as the one before.
    pub last_prompt: Option<Prompt>,
    /// Tries, the first included.
    pub tries: u8,
    /// Silence that ends a try.
    pub timeout: Duration,
    /// Whether input cuts the prompt short.
    pub barge_in: bool,
}

impl Listen {
    /// The wording of the `index`-th try, from 0.
    pub fn wording(&self, index: u8) -> &Prompt {
        let between = self.reprompt.as_ref().unwrap_or(&self.prompt);
        match index {
            0 => &self.prompt,
            _ if index + 1 >= self.tries => self.last_prompt.as_ref().unwrap_or(between),
            _ => between,
        }
    }

    /// All wordings.
    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        [Some(&self.prompt), self.reprompt.as_ref(), self.last_prompt.as_ref()]
            .into_iter()
            .flatten()
    }
}

impl State {
    /// Where an outcome leads.
    pub fn route(&self, outcome: &Outcome) -> Option<&StateName> {
        self.routes.get(outcome).map(|target| &target.state)
    }

    /// Whether it leads on alike where there is nowhere to send to: then an account without a contact is to
    /// sound like one that does not exist, to which everything is sent.
    pub fn hides_contacts(&self) -> bool {
        let sent = self.route(&Outcome::Sent);
        sent.is_some() && sent == self.route(&Outcome::Unavailable)
    }

    /// Whether it leads on alike where a code is wrong and where it did not arrive: then an account whose code came
    /// back is to sound like one that does not exist, whose code nobody has.
    pub fn hides_undelivered(&self) -> bool {
        let failed = self.route(&Outcome::Failed);
        failed.is_some() && failed == self.route(&Outcome::Undelivered)
    }

    /// Where a specialist can send the caller to prove more.
    pub fn agent_step_up(&self) -> Option<&Target> {
        match &self.kind {
            Kind::Transfer(transfer) => transfer.agent_step_up.as_ref(),
            _ => None,
        }
    }

    /// The name of its type in a flow file.
    pub fn type_name(&self) -> &'static str {
        self.kind.type_name()
    }

    /// Everything that the state says, sends or shows.
    pub fn prompts(&self) -> Vec<&Prompt> {
        let mut prompts = self.kind_prompts();
        if let Some(Notify::Words(words)) = &self.notify {
            prompts.push(words);
        }
        prompts
    }

    fn kind_prompts(&self) -> Vec<&Prompt> {
        match &self.kind {
            Kind::Say(say) => vec![&say.prompt],
            Kind::Menu(menu) => menu.listen.prompts().collect(),
            Kind::Gather(gather) => gather.listen.prompts().collect(),
            Kind::Identify(identify) => identify.listen.iter().flat_map(Listen::prompts).collect(),
            Kind::GatherPin(pin) => pin.listen.prompts().collect(),
            Kind::GatherPasscode(passcode) => passcode.listen.prompts().collect(),
            Kind::SendSmsOtp(send) => send.message.iter().collect(),
            Kind::SendEmailOtp(send) => send.message.iter().collect(),
            Kind::SendLink(link) => vec![&link.message],
            Kind::GatherOtp(otp) => otp.listen.prompts().collect(),
            Kind::GatherServiceCode(code) => code.listen.prompts().collect(),
            Kind::Callback(callback) => {
                [&callback.prompt, &callback.hang_up_prompt].into_iter().flatten().collect()
            }
            Kind::Transfer(transfer) => {
                [&transfer.prompt, &transfer.whisper].into_iter().flatten().collect()
            }
            Kind::Voicemail(voicemail) => vec![&voicemail.prompt],
            Kind::Hangup(hangup) => hangup.prompt.iter().collect(),
            Kind::Lookup(_)
            | Kind::Branch(_)
            | Kind::Set(_)
            | Kind::Call(_)
            | Kind::Return(_)
            | Kind::Reject(_) => Vec::new(),
        }
    }

    /// What the state hands to somebody else than the caller: the texts that a back end gets.
    pub fn sent(&self) -> impl Iterator<Item = &Template> {
        let send = match &self.kind {
            Kind::Lookup(lookup) => lookup.send.as_slice(),
            _ => &[],
        };
        send.iter().filter_map(|(_, sent)| sent.text())
    }

    /// The variables that the state uses: in its texts, in its conditions, and for the flow that it calls.
    pub fn variables_used(&self) -> Vec<&VariableName> {
        fn variable(used: &Use) -> Option<&VariableName> {
            match used {
                Use::Variable(name) => Some(name),
                Use::Field(_) | Use::Code => None,
            }
        }
        let own: Vec<&VariableName> = match &self.kind {
            Kind::Set(set) => {
                set.texts().flat_map(|text| text.uses.iter().filter_map(variable)).collect()
            }
            Kind::Branch(branch) => {
                let conditions = branch.cases.iter().flat_map(|case| case.when.walk());
                let asked = conditions.filter_map(|condition| match condition {
                    Condition::Variable(name, ..) => Some(name),
                    _ => None,
                });
                asked.collect()
            }
            Kind::Call(call) => call.with.iter().map(|passed| &passed.from).collect(),
            _ => Vec::new(),
        };
        let texts = self.prompts().into_iter().flat_map(Prompt::templates).chain(self.sent());
        texts.flat_map(|text| text.uses.iter().filter_map(variable)).chain(own).collect()
    }

    /// The variables that the state assigns.
    pub fn assigns(&self) -> Vec<(&VariableName, &Place)> {
        match &self.kind {
            Kind::Gather(gather) => vec![(&gather.variable, &gather.variable_place)],
            Kind::Set(set) => set.values.iter().map(|value| (&value.name, &value.place)).collect(),
            Kind::Lookup(lookup) => lookup.give.iter().map(|it| (&it.name, &it.place)).collect(),
            Kind::Call(call) => call.give.iter().map(|give| (&give.to, &give.place)).collect(),
            _ => Vec::new(),
        }
    }
}

impl Kind {
    /// The name of the type in a flow file.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Say(_) => states::say::TYPE.name,
            Self::Menu(_) => states::menu::TYPE.name,
            Self::Gather(_) => states::gather::TYPE.name,
            Self::Identify(_) => states::identify::TYPE.name,
            Self::GatherPin(_) => states::gather_pin::TYPE.name,
            Self::GatherPasscode(_) => states::gather_passcode::TYPE.name,
            Self::SendSmsOtp(_) => states::send_sms_otp::TYPE.name,
            Self::SendEmailOtp(_) => states::send_email_otp::TYPE.name,
            Self::SendLink(_) => states::send_link::TYPE.name,
            Self::GatherOtp(_) => states::gather_otp::TYPE.name,
            Self::GatherServiceCode(_) => states::gather_service_code::TYPE.name,
            Self::Callback(_) => states::callback::TYPE.name,
            Self::Transfer(_) => states::transfer::TYPE.name,
            Self::Voicemail(_) => states::voicemail::TYPE.name,
            Self::Lookup(_) => states::lookup::TYPE.name,
            Self::Branch(_) => states::branch::TYPE.name,
            Self::Set(_) => states::set::TYPE.name,
            Self::Call(_) => states::call::TYPE.name,
            Self::Return(_) => states::returns::TYPE.name,
            Self::Hangup(_) => states::hangup::TYPE.name,
            Self::Reject(_) => states::reject::TYPE.name,
        }
    }

    /// What its `ok` proves; `None`: nothing, or (`gather_otp`) what the code last sent does.
    pub fn proves(&self) -> Option<Fact> {
        match self {
            Self::GatherPin(_) => Some(Fact::Pin),
            Self::GatherPasscode(_) => Some(Fact::Passcode),
            Self::GatherServiceCode(_) => Some(Fact::ServiceCode),
            Self::Callback(_) => Some(Fact::Callback),
            _ => None,
        }
    }

    /// What the code proves that it sends; `None`: it sends none.
    pub fn sends_code(&self) -> Option<Fact> {
        match self {
            Self::SendSmsOtp(_) => Some(Fact::SmsOtp),
            Self::SendEmailOtp(_) => Some(Fact::EmailOtp),
            _ => None,
        }
    }

    /// Whether the caller gives a secret there: a PIN, a passcode or a code.
    pub fn takes_secret(&self) -> bool {
        matches!(
            self,
            Self::GatherPin(_)
                | Self::GatherPasscode(_)
                | Self::GatherOtp(_)
                | Self::GatherServiceCode(_)
        )
    }

    /// Whether its outcomes tell what became of a proof.
    pub fn is_proof(&self) -> bool {
        self.takes_secret() || matches!(self, Self::Callback(_))
    }

    /// Whether the verdict on an entry is given with that on the next proof.
    pub fn is_combined(&self) -> bool {
        match self {
            Self::GatherPin(pin) => pin.combined,
            Self::GatherPasscode(passcode) => passcode.combined,
            _ => false,
        }
    }

    /// How it listens, if it does.
    pub fn listen(&self) -> Option<&Listen> {
        match self {
            Self::Menu(menu) => Some(&menu.listen),
            Self::Gather(gather) => Some(&gather.listen),
            Self::Identify(identify) => identify.listen.as_ref(),
            Self::GatherPin(pin) => Some(&pin.listen),
            Self::GatherPasscode(passcode) => Some(&passcode.listen),
            Self::GatherOtp(otp) => Some(&otp.listen),
            Self::GatherServiceCode(code) => Some(&code.listen),
            _ => None,
        }
    }
}
