//! What is heard and seen at the telephone, in lines.

use std::io::{self, Write};

use super::{Phone, Played, Trouble};
use crate::engine::call::Role;
use crate::engine::eligibility::Fit;
use crate::engine::reply::{Audible, DialTarget, QueueTarget};
use crate::replay::provider::{Answered, Lapse, role_name};
use crate::replay::show;
use crate::replay::telephone::Doing;
use crate::replay::transcript::word_of;
use crate::replay::world::{Contact, Message, Outgoing};

impl<W: Write> Phone<'_, W> {
    /// What came of an act.
    pub(super) fn tell(&mut self, played: &Played) -> Result<(), Trouble> {
        for answered in &played.answers {
            self.tell_answer(answered)?;
        }
        for outgoing in &played.outgoing {
            self.tell_outgoing(outgoing)?;
        }
        Ok(())
    }

    /// What was heard last, once more.
    pub(super) fn tell_again(&mut self) -> Result<(), Trouble> {
        for answered in self.heard.clone() {
            self.tell_answer(&answered)?;
        }
        Ok(())
    }

    fn tell_answer(&mut self, answered: &Answered) -> Result<(), Trouble> {
        let mark = match answered.role {
            Role::Inbound => String::new(),
            role => format!("{}: ", role_name(role)),
        };
        for audible in answered.reply.heard() {
            match audible {
                Audible::Say(speech) => writeln!(self.out, "▸ {mark}{}", speech.text())?,
                Audible::Play(address) => writeln!(self.out, "▸ {mark}[plays {address}]")?,
                Audible::Pause(_) => {}
            }
        }
        let doing = &self.player.provider.telephone(answered.role)?.doing;
        let hint = hint(doing);
        if !hint.is_empty() {
            writeln!(self.out, "  [the line {}{hint}]", doing.words())?;
        }
        Ok(())
    }

    fn tell_outgoing(&mut self, outgoing: &Outgoing) -> Result<(), Trouble> {
        match outgoing {
            Outgoing::SendSms { to, .. } => {
                writeln!(self.out, "  [a text message to {}; :sms shows it]", to.as_e164())?;
            }
            Outgoing::SendEmail { email, .. } => {
                let to = email.to.expose();
                writeln!(self.out, "  [a mail to {to}; :mail shows it]")?;
            }
            Outgoing::PlaceCall { to, .. } => {
                writeln!(self.out, "  [{} rings; :callback answered]", to.as_e164())?;
            }
            Outgoing::LookUp { path, body, failed } => {
                let so = if *failed {
                    "not answered; :backend says what comes back"
                } else {
                    "answered"
                };
                writeln!(self.out, "  [{path} was asked {body}: {so}]")?;
            }
            Outgoing::LookUpNumber { number, fit, .. } => {
                let so = word_of(&Fit::ALL, fit);
                writeln!(self.out, "  [{} was looked up: {so}]", number.as_e164())?;
            }
            Outgoing::BeginVerification { begin, .. } => {
                let to = begin.to.as_e164();
                writeln!(self.out, "  [the provider sends a code to {to}; :sms shows it]")?;
            }
            Outgoing::RedirectLeg(..) | Outgoing::CheckVerification { .. } => {}
            Outgoing::EndLeg(sid) => {
                let role = self.player.provider.role_of(sid).unwrap_or(Role::Callback);
                self.tell_hung_up(role)?;
            }
        }
        Ok(())
    }

    pub(super) fn tell_hung_up(&mut self, role: Role) -> io::Result<()> {
        writeln!(self.out, "  [the {} line is hung up]", role_name(role))
    }

    fn sent(&self) -> Result<Vec<Message>, Trouble> {
        Ok(self.player.provider.world().messages(self.player.provider.call_id()?))
    }

    /// All messages and mails of the call.
    pub(super) fn messages(&mut self) -> Result<(), Trouble> {
        let messages = self.sent()?;
        if messages.is_empty() {
            writeln!(self.out, "  no message was sent")?;
        }
        for message in messages {
            self.tell_message(&message)?;
        }
        Ok(())
    }

    /// The last one of a kind.
    pub(super) fn message(&mut self, kind: fn(&Contact) -> bool) -> Result<(), Trouble> {
        match self.sent()?.iter().rfind(|message| kind(&message.to)) {
            Some(message) => self.tell_message(message),
            None => Ok(writeln!(self.out, "  none was sent")?),
        }
    }

    fn tell_message(&mut self, message: &Message) -> Result<(), Trouble> {
        Ok(writeln!(self.out, "  to {}: {}", message.to.expose(), message.body.expose())?)
    }

    /// Where the call stands.
    pub(super) async fn state(&mut self) -> Result<(), Trouble> {
        let call = self.player.provider.call().await?.ok_or(Lapse::NoCall)?;
        Ok(writeln!(self.out, "  {} ({})", show::state(&call), call.locale)?)
    }

    /// What is proved, and what that is worth.
    pub(super) async fn facts(&mut self) -> Result<(), Trouble> {
        let provider = &self.player.provider;
        let call = provider.call().await?.ok_or(Lapse::NoCall)?;
        if call.facts.0.is_empty() {
            writeln!(self.out, "  nothing is proved")?;
        }
        for (fact, proof) in &call.facts.0 {
            let age_s = provider.now().duration_since(proof.at).as_secs();
            writeln!(self.out, "  {fact}, {age_s} s ago")?;
        }
        let levels = self.player.levels(&call);
        if !levels.is_empty() {
            writeln!(self.out, "  enough for {}", levels.join(", "))?;
        }
        Ok(())
    }

    /// The last answer as the provider gets it, its nonces hidden.
    pub(super) fn twiml(&mut self) -> Result<(), Trouble> {
        for answered in self.heard.clone() {
            let document = show::document(&answered, &self.player.provider)?;
            for line in document.lines() {
                writeln!(self.out, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// What may be typed at a line that does not listen.
pub(super) fn hint(doing: &Doing) -> String {
    match doing {
        Doing::Dials(dial) => {
            let (to, whispers) = match &dial.to {
                DialTarget::Number { number, whisper } => (number, whisper.is_some()),
                DialTarget::Sip { uri, whisper, .. } => (uri, whisper.is_some()),
                DialTarget::Conference { name } => (name, false),
            };
            let next = if whispers { ":whisper accept" } else { ":dial completed" };
            format!(" to {to}; {next}")
        }
        Doing::Queues(enqueue) => match &enqueue.queue {
            QueueTarget::Named(name) => format!(" `{name}`; :queue bridged"),
            QueueTarget::Workflow { sid, attributes, .. } => {
                format!(" {sid} with {attributes}; :queue bridged")
            }
        },
        Doing::Records(_) => "; :record yes".to_owned(),
        Doing::Waits(..) => "; an empty line waits".to_owned(),
        _ => String::new(),
    }
}
