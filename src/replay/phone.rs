//! A telephone in the terminal: what is heard is printed, keys are typed.
//!
//! The same provider as a replay's, with a person in the transcript's place. Whatever passes time on a
//! real line (silence, waiting for an answer) passes it here on the virtual clock.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::provider::{Answered, Lapse, Provider, role_name};
use super::telephone::{self, Doing};
use super::transcript::{DIALS, FATES, Fate, QUEUES, ROLES, SPECIALISTS, Specialist};
use super::{show, world};
use crate::document;
use crate::engine::call::{End, Role};
use crate::engine::event::{Heard, LegStatus};
use crate::engine::reply::{Audible, DialTarget, Gather, QueueTarget};
use crate::phone::PhoneNumber;

const HELP: &str = "\
  1 2 3 * #        keys; an empty line is silence
  :speech WORDS    says something
  :wait 5m         time passes
  :messages        the text messages and mails that were sent
  :callback WHAT   what becomes of the call that was placed: answered, machine, busy, no_answer,
                   failed, hung_up
  :on LEG          whose keys are typed from now on: inbound, callback, whisper
  :dial WHAT       how the dialling ends: completed, answered, busy, no-answer, failed, canceled
  :whisper WHAT    what the dialled party does: accept, decline, silence
  :queue WHAT      how the queue is left: bridged, queue-full, leave, error, hangup
  :record yes|no   whether something was said after the tone
  :undelivered     the last message does not arrive
  :state :facts    where the call stands, and what is proved
  :hangup :quit    puts the receiver down; leaves
";

/// A call by hand.
#[derive(Debug)]
pub struct Phone<'o, W> {
    provider: Provider,
    out: &'o mut W,
    /// The leg whose keys are typed; `None`: the one that the flow speaks to.
    on: Option<Role>,
}

/// Why a line that was typed came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Lapse(#[from] Lapse),
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("{0}")]
    Word(String),
}

impl<'o, W: Write> Phone<'o, W> {
    /// A telephone with this provider behind it, heard on `out`.
    pub fn new(provider: Provider, out: &'o mut W) -> Self {
        Self { provider, out, on: None }
    }

    /// Rings, and does what is typed, until the call has ended or there is no more to read.
    pub async fn talk(
        mut self,
        from: Option<PhoneNumber>,
        input: &mut impl BufRead,
    ) -> io::Result<()> {
        let rung = match self.provider.ring(from).await {
            Ok(answered) => self.hear(answered).await,
            Err(lapse) => Err(lapse.into()),
        };
        self.mind(rung)?;
        let mut line = String::new();
        while self.is_on().await {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                let hung_up = self.hang_up(Role::Inbound).await;
                self.mind(hung_up)?;
                break;
            }
            if line.trim() == ":quit" {
                return Ok(());
            }
            let done = self.obey(line.trim()).await;
            self.mind(done)?;
        }
        self.say_end().await
    }

    /// Says what came in the way; only what cannot be printed ends the call.
    fn mind(&mut self, done: Result<(), Trouble>) -> io::Result<()> {
        match done {
            Ok(()) => Ok(()),
            Err(Trouble::Output(error)) => Err(error),
            Err(trouble) => writeln!(self.out, "  ! {trouble}"),
        }
    }

    async fn is_on(&self) -> bool {
        self.provider.call().await.is_ok_and(|call| call.is_some_and(|call| call.end.is_none()))
    }

    async fn say_end(&mut self) -> io::Result<()> {
        let call = self.provider.call().await.ok().flatten();
        let words = match call.and_then(|call| call.end) {
            Some(End::Hangup) => "the call is over",
            Some(End::Rejected) => "the call was refused",
            Some(End::CallerLeft) => "you have hung up",
            Some(End::Failed) => "the call has failed",
            None => return Ok(()),
        };
        writeln!(self.out, "  [{words}]")
    }

    async fn obey(&mut self, line: &str) -> Result<(), Trouble> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "" => self.be_silent().await,
            ":help" => Ok(self.out.write_all(HELP.as_bytes())?),
            ":speech" => self.speak(rest).await,
            ":wait" => self.wait(rest).await,
            ":messages" => self.messages(),
            ":callback" => self.callback(rest).await,
            ":on" => {
                self.on = Some(choose(&ROLES, rest)?);
                Ok(())
            }
            ":dial" => {
                let dial = Some(choose(&DIALS, rest)?);
                self.give_if(|it| matches!(it, Doing::Dials(_)), Heard { dial, ..Heard::default() })
                    .await
            }
            ":queue" => {
                let queue = Some(choose(&QUEUES, rest)?);
                let heard = Heard { queue, ..Heard::default() };
                self.give_if(|it| matches!(it, Doing::Queues(_)), heard).await
            }
            ":record" => {
                let recorded = choose(&[("yes", true), ("no", false)], rest)?;
                let heard = Heard { recorded, ..Heard::default() };
                self.give_if(|it| matches!(it, Doing::Records(_)), heard).await
            }
            ":whisper" => self.whisper(choose(&SPECIALISTS, rest)?).await,
            ":undelivered" => {
                self.provider.message_status(false).await?;
                self.settle().await
            }
            ":state" => self.state().await,
            ":facts" => self.facts().await,
            ":hangup" => self.hang_up(self.role().await?).await,
            keys if keys.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#')) => {
                self.key(keys).await
            }
            other => Err(Trouble::Word(format!(
                "`{other}` is no keys; say it with `:speech {line}`, or see `:help`"
            ))),
        }
    }

    async fn role(&self) -> Result<Role, Trouble> {
        match self.on {
            Some(role) => Ok(role),
            None => Ok(self.provider.speaking().await?),
        }
    }

    async fn key(&mut self, keys: &str) -> Result<(), Trouble> {
        let heard = telephone::keyed(&self.listening().await?, keys);
        self.give(heard).await
    }

    async fn speak(&mut self, words: &str) -> Result<(), Trouble> {
        let heard = telephone::said(&self.listening().await?, words);
        self.give(heard).await
    }

    /// What the line listens for.
    async fn listening(&self) -> Result<Gather, Trouble> {
        match &self.provider.telephone(self.role().await?)?.doing {
            Doing::Listens(gather) => Ok(gather.clone()),
            doing => Err(Trouble::Word(format!("the line {}{}", doing.words(), hint(doing)))),
        }
    }

    /// Nothing is typed: the time that the provider gives a caller passes.
    async fn be_silent(&mut self) -> Result<(), Trouble> {
        let seconds = match &self.provider.telephone(self.role().await?)?.doing {
            Doing::Listens(gather) => gather.timeout_s,
            Doing::Waits(_, seconds) => *seconds,
            doing => {
                let hint = hint(doing);
                return Err(Trouble::Word(format!("the line {}{hint}", doing.words())));
            }
        };
        self.pass(Duration::from_secs(seconds.into())).await?;
        self.give(Heard::default()).await
    }

    async fn give(&mut self, heard: Heard) -> Result<(), Trouble> {
        let role = self.role().await?;
        let answered = self.provider.hear(role, heard).await?;
        self.hear(answered).await
    }

    /// The same, if the line does what this ends.
    async fn give_if(&mut self, fits: fn(&Doing) -> bool, heard: Heard) -> Result<(), Trouble> {
        let doing = &self.provider.telephone(self.role().await?)?.doing;
        if !fits(doing) {
            return Err(Trouble::Word(format!("the line {}{}", doing.words(), hint(doing))));
        }
        self.give(heard).await
    }

    async fn wait(&mut self, duration: &str) -> Result<(), Trouble> {
        let duration = document::parse_duration(duration)
            .ok_or_else(|| Trouble::Word("write how long: `:wait 90s`, `:wait 5m`".to_owned()))?;
        self.pass(duration).await?;
        self.settle().await
    }

    async fn pass(&mut self, duration: Duration) -> Result<(), Trouble> {
        let deeds = self.provider.wait(duration).await?;
        self.follow(&deeds).await
    }

    async fn callback(&mut self, fate: &str) -> Result<(), Trouble> {
        match choose(&FATES, fate)? {
            Fate::Answered(by) => {
                let answered = self.provider.answer(by).await?;
                self.on = Some(Role::Callback);
                self.hear(answered).await
            }
            Fate::Status(status) => {
                self.provider.status(Role::Callback, status).await?;
                if status.is_final() {
                    self.on = None;
                }
                self.settle().await
            }
        }
    }

    async fn whisper(&mut self, specialist: Specialist) -> Result<(), Trouble> {
        let asked = self
            .provider
            .telephone(Role::Whisper)
            .is_ok_and(|it| matches!(it.doing, Doing::Listens(_)));
        if !asked {
            let answered = self.provider.whisper().await?;
            self.hear(answered).await?;
        }
        let gather = match &self.provider.telephone(Role::Whisper)?.doing {
            Doing::Listens(gather) => gather.clone(),
            _ => return Ok(()),
        };
        let heard = match specialist {
            Specialist::Accept => telephone::keyed(&gather, "1"),
            Specialist::Decline => telephone::keyed(&gather, "2"),
            Specialist::Silence => Heard::default(),
        };
        let answered = self.provider.hear(Role::Whisper, heard).await?;
        self.hear(answered).await
    }

    async fn hang_up(&mut self, role: Role) -> Result<(), Trouble> {
        self.provider.status(role, LegStatus::Completed).await?;
        if self.on == Some(role) {
            self.on = None;
        }
        self.settle().await
    }

    /// Prints what a telephone hears, and does what comes of it.
    async fn hear(&mut self, answered: Answered) -> Result<(), Trouble> {
        let role = answered.role;
        self.print(&answered)?;
        self.settle().await?;
        let over = self.provider.telephone(role).is_ok_and(|it| matches!(it.doing, Doing::Over));
        if over && role != Role::Whisper && self.is_on().await {
            writeln!(self.out, "  [the {} line is hung up]", role_name(role))?;
            if self.on == Some(role) {
                self.on = None;
            }
            // The provider says so, as it does of every line.
            self.provider.status(role, LegStatus::Completed).await?;
            self.settle().await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Trouble> {
        let deeds = self.provider.settle().await?;
        self.follow(&deeds).await
    }

    async fn follow(&mut self, deeds: &[world::Deed]) -> Result<(), Trouble> {
        for deed in deeds {
            match deed {
                world::Deed::SendSms { to, .. } => {
                    let to = to.as_e164();
                    writeln!(self.out, "  [a text message to {to}; :messages shows it]")?;
                }
                world::Deed::SendEmail { email, .. } => {
                    let to = email.to.expose();
                    writeln!(self.out, "  [a mail to {to}; :messages shows it]")?;
                }
                world::Deed::PlaceCall { to, .. } => {
                    writeln!(self.out, "  [{} rings; :callback answered]", to.as_e164())?;
                }
                world::Deed::RedirectLeg(..) => {}
                world::Deed::EndLeg(sid) => {
                    let role = self.provider.role_of(sid).unwrap_or(Role::Callback);
                    writeln!(self.out, "  [the {} line is hung up]", role_name(role))?;
                }
            }
        }
        for answered in self.provider.follow(deeds).await? {
            self.print(&answered)?;
        }
        Ok(())
    }

    fn print(&mut self, answered: &Answered) -> Result<(), Trouble> {
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
        let doing = &self.provider.telephone(answered.role)?.doing;
        let hint = hint(doing);
        if !hint.is_empty() {
            writeln!(self.out, "  [the line {}{hint}]", doing.words())?;
        }
        Ok(())
    }

    fn messages(&mut self) -> Result<(), Trouble> {
        let messages = self.provider.world().messages(self.provider.call_id()?);
        if messages.is_empty() {
            writeln!(self.out, "  no message was sent")?;
        }
        for message in messages {
            writeln!(self.out, "  to {}: {}", message.to.expose(), message.body.expose())?;
        }
        Ok(())
    }

    async fn state(&mut self) -> Result<(), Trouble> {
        let call = self.provider.call().await?.ok_or(Lapse::NoCall)?;
        Ok(writeln!(self.out, "  {} ({})", show::state(&call), call.locale)?)
    }

    async fn facts(&mut self) -> Result<(), Trouble> {
        let call = self.provider.call().await?.ok_or(Lapse::NoCall)?;
        if call.facts.0.is_empty() {
            writeln!(self.out, "  nothing is proved")?;
        }
        for (fact, proof) in &call.facts.0 {
            let age_s = self.provider.now().duration_since(proof.at).as_secs();
            writeln!(self.out, "  {fact}, {age_s} s ago")?;
        }
        Ok(())
    }
}

/// What may be typed at a line that does not listen.
fn hint(doing: &Doing) -> String {
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

fn choose<T: Copy>(choices: &[(&'static str, T)], word: &str) -> Result<T, Trouble> {
    let chosen = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    chosen.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Trouble::Word(format!("one of: {}", names.join(", ")))
    })
}
