//! A telephone in the terminal: what is heard is printed, keys are typed.
//!
//! What is typed becomes acts, like those in a transcript. So a call can be taken back (it is rung again, with
//! all but the last acts) and saved as a transcript that can be replayed. Whatever takes time on a real line
//! (silence, waiting for an answer) takes it here on the virtual clock.

mod heard;
mod save;
mod unavailable;

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

use super::play::{Played, Player};
use super::provider::{Answered, Lapse, Setup};
use super::show;
use super::telephone::{self, Doing};
use super::transcript::{
    Act, DIALS, FATES, Fate, Input, Otp, QUEUES, ROLES, SPECIALISTS, SpokenCode, WAIT_MAX,
    WAIT_MIN, WEB_LEVELS,
};
use crate::document;
use crate::engine::account::Claim;
use crate::engine::call::{Call, End, Role};
use crate::engine::eligibility::Fit;
use crate::engine::reply::{self, Gather};
use crate::phone::PhoneNumber;

const HELP: &str = "\
  1 2 3 * #        keys; an empty line is silence
  :speech WORDS    says something
  :wait 5m         time passes
  :back [TURNS]    goes back, one turn or as many as you say, and rings on from there
  :save FILE       writes the call so far as a transcript, which `callgate replay` runs
  :sms :mail       the last text message or mail that was sent; :messages shows all
  :backend JSON    what the next back end that is asked answers, or failed
  :lookup WHAT     what comes of the next number that is looked up: fits, wrong_line, sim_swapped,
                   reassigned, forwarded, unknown
  :step_up LEVEL   the specialist in the conference asks for more
  :undelivered     the last text message does not arrive
  :facts           what is proved, and which levels that meets
  :state :twiml    where the call stands; the last answer as the provider gets it
  :service_code L  keys a code that the customer got on the web, logged in at aal1 or aal2
  :callback WHAT   what becomes of the call that was placed: answered, machine, busy, no_answer,
                   failed, hung_up
  :on LEG          whose keys are typed from now on: inbound, callback, whisper
  :dial WHAT       how the dialling ends: completed, answered, busy, no-answer, failed, canceled
  :whisper WHAT    what the dialled party does: accept, decline, silence
  :queue WHAT      how the queue is left: bridged, queue-full, leave, error, hangup
  :record yes|no   whether something was said after the tone
  :hangup :quit    puts the receiver down; leaves
";

/// Where lines come from.
pub trait Keypad {
    /// The next line, without its end; `listens` is what the telephone listens for, if it does. `None`: there are
    /// no more lines.
    fn next(&mut self, listens: Option<&Gather>) -> io::Result<Option<String>>;

    /// Whether a person sits there.
    fn is_live(&self) -> bool;
}

/// Lines from a pipe or a file.
#[derive(Debug)]
pub struct Lines<R>(pub R);

impl<R: BufRead> Keypad for Lines<R> {
    fn next(&mut self, _listens: Option<&Gather>) -> io::Result<Option<String>> {
        let mut line = String::new();
        Ok((self.0.read_line(&mut line)? > 0).then(|| line.trim().to_owned()))
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// Who calls, and what they call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What is rung, and who its customers are.
    pub setup: Setup,
    /// The number that calls.
    pub from: Option<PhoneNumber>,
    /// The customers as text, for transcripts.
    pub accounts: String,
    /// What `callgate replay` must be told to find the flows; empty if nothing.
    pub replay_with: String,
}

/// A call by hand.
#[derive(Debug)]
pub struct Phone<'o, W> {
    caller: Caller,
    player: Player,
    out: &'o mut W,
    /// The leg whose keys are typed; `None`: the one that the flow speaks to.
    on: Option<Role>,
    steps: Vec<Step>,
    /// What back ends will answer next.
    backend: Vec<Option<serde_json::Value>>,
    /// The results for the numbers that are looked up next.
    lookup: Vec<Fit>,
    /// What was heard last.
    heard: Vec<Answered>,
    /// The accounts that were claimed.
    claimed: BTreeSet<String>,
}

/// What one line has done.
#[derive(Clone, Debug)]
struct Step {
    acts: Vec<Act>,
    /// Which leg was typed for before it.
    on: Option<Role>,
}

/// Why a typed line had no effect.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Lapse(#[from] Lapse),
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("{0}")]
    Word(String),
}

fn word<T>(text: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Word(text.into()))
}

impl<'o, W: Write> Phone<'o, W> {
    /// A telephone, heard on `out`.
    pub fn new(caller: Caller, out: &'o mut W) -> Self {
        Self {
            player: Player::new(caller.setup.clone(), caller.from.clone()),
            caller,
            out,
            on: None,
            steps: Vec::new(),
            backend: Vec::new(),
            lookup: Vec::new(),
            heard: Vec::new(),
            claimed: BTreeSet::new(),
        }
    }

    /// Rings, and does what is typed, until there is nothing more to read or to do.
    pub async fn talk(mut self, keypad: &mut impl Keypad) -> io::Result<()> {
        self.begin_step();
        let rung = self.play(Input::Ring(None).into()).await;
        self.mind(rung)?;
        let mut said_end = false;
        loop {
            let over = self.call().await.is_none_or(|call| call.end.is_some());
            if over && !said_end {
                self.say_end(keypad.is_live()).await?;
            }
            said_end = over;
            let listens = self.listening().await.ok().filter(|_| !over);
            let Some(line) = keypad.next(listens.as_ref())? else { break };
            let line = line.trim();
            if line == ":quit" || (over && line.is_empty() && keypad.is_live()) {
                return Ok(());
            }
            let done = if over { self.look_back(line).await } else { self.obey(line).await };
            self.mind(done)?;
        }
        if !said_end {
            self.begin_step();
            let hung_up = self.play(Input::Hangup.into()).await;
            self.mind(hung_up)?;
            self.say_end(false).await?;
        }
        Ok(())
    }

    /// Says why something was not possible; only what cannot be printed ends the call.
    fn mind(&mut self, done: Result<(), Trouble>) -> io::Result<()> {
        match done {
            Ok(()) => Ok(()),
            Err(Trouble::Output(error)) => Err(error),
            Err(trouble) => writeln!(self.out, "  ! {trouble}"),
        }
    }

    async fn call(&self) -> Option<Call> {
        self.player.provider.call().await.ok().flatten()
    }

    async fn say_end(&mut self, live: bool) -> io::Result<()> {
        let words = match self.call().await.and_then(|call| call.end) {
            Some(End::Hangup) => "the call is over",
            Some(End::Rejected) => "the call was refused",
            Some(End::CallerLeft) => "you have hung up",
            Some(End::Failed) => "the call has failed",
            None => return Ok(()),
        };
        writeln!(self.out, "  [{words}]")?;
        if live {
            writeln!(self.out, "  [:back goes back, :save FILE keeps it, an empty line leaves]")?;
        }
        Ok(())
    }

    /// What can be done in a call that goes on.
    async fn obey(&mut self, line: &str) -> Result<(), Trouble> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        self.begin_step();
        match command {
            "" => self.be_silent().await,
            ":speech" => self.speak(rest).await,
            ":wait" => self.wait(rest).await,
            ":callback" => self.callback(rest).await,
            ":service_code" => {
                let level = choose(&WEB_LEVELS, rest)?;
                self.listening().await?;
                self.give(Input::ServiceCode(level)).await
            }
            ":on" => {
                let role = choose(&ROLES, rest)?;
                self.player.provider.telephone(role)?;
                self.on = Some(role);
                Ok(())
            }
            ":dial" => {
                let status = choose(&DIALS, rest)?;
                self.give_if(|it| matches!(it, Doing::Dials(_)), Input::Dial(status)).await
            }
            ":queue" => {
                let result = choose(&QUEUES, rest)?;
                self.give_if(|it| matches!(it, Doing::Queues(_)), Input::Queue(result)).await
            }
            ":record" => {
                let recorded = choose(&[("yes", true), ("no", false)], rest)?;
                self.give_if(|it| matches!(it, Doing::Records(_)), Input::Recorded(recorded)).await
            }
            ":whisper" => {
                let specialist = choose(&SPECIALISTS, rest)?;
                self.play(Input::Whisper(specialist).into()).await
            }
            ":backend" => self.backend_answers(rest),
            ":lookup" => self.look_numbers_up(choose(&Fit::ALL, rest)?).await,
            ":step_up" => self.play(Input::StepUp(rest.to_owned()).into()).await,
            ":undelivered" => self.play(Input::MessageStatus(false).into()).await,
            ":hangup" => {
                let role = self.role().await?;
                self.hang_up(role).await
            }
            keys if keys.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#')) => {
                self.key(keys).await
            }
            other if !other.starts_with(':') => {
                word(format!("`{other}` is no keys; say it with `:speech {line}`, or see `:help`"))
            }
            _ => self.look(command, rest).await,
        }
    }

    /// Sets the answer of the next back end that is asked.
    fn backend_answers(&mut self, rest: &str) -> Result<(), Trouble> {
        let answer = match rest {
            "failed" => None,
            json => match serde_json::from_str::<serde_json::Value>(json) {
                Ok(answer) if answer.is_object() => Some(answer),
                _ => {
                    return word(
                        "say what comes back: `:backend {\"sum\": 12.5}`, `:backend failed`",
                    );
                }
            },
        };
        self.backend.push(answer);
        Ok(())
    }

    /// Sets the result for the next number that is looked up.
    async fn look_numbers_up(&mut self, fit: Fit) -> Result<(), Trouble> {
        if !self.caller.setup.policy.look_ups.asked {
            // From here on, the call belongs to a house that looks numbers up.
            self.caller.setup.policy.look_ups.asked = true;
            self.ring_again().await?;
        }
        self.lookup.push(fit);
        Ok(())
    }

    /// What can be done when it is over.
    async fn look_back(&mut self, line: &str) -> Result<(), Trouble> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        if command.starts_with(':') {
            return self.look(command, rest.trim()).await;
        }
        word("the call is over; `:back` goes back, `:save FILE` keeps it, `:quit` leaves")
    }

    /// What changes nothing in a call, and time travel.
    async fn look(&mut self, command: &str, rest: &str) -> Result<(), Trouble> {
        match command {
            ":help" => Ok(self.out.write_all(HELP.as_bytes())?),
            ":back" => self.back(rest).await,
            ":save" => self.save(Path::new(rest)).await,
            ":sms" => self.message(|contact| matches!(contact, super::world::Contact::Mobile(_))),
            ":mail" => self.message(|contact| matches!(contact, super::world::Contact::Address(_))),
            ":messages" => self.messages(),
            ":state" => self.state().await,
            ":facts" => self.facts().await,
            ":twiml" => self.twiml(),
            other => word(format!("`{other}` does nothing here; see `:help`")),
        }
    }

    /// The leg whose keys are typed.
    async fn role(&self) -> Result<Role, Trouble> {
        match self.on {
            Some(role) => Ok(role),
            None => Ok(self.player.provider.speaking().await?),
        }
    }

    async fn doing(&self) -> Result<Doing, Trouble> {
        Ok(self.player.provider.telephone(self.role().await?)?.doing.clone())
    }

    /// What the line listens for.
    async fn listening(&self) -> Result<Gather, Trouble> {
        match self.doing().await? {
            Doing::Listens(gather) => Ok(gather),
            doing => word(format!("the line {}{}", doing.words(), heard::hint(&doing))),
        }
    }

    async fn key(&mut self, keys: &str) -> Result<(), Trouble> {
        let gather = self.listening().await?;
        if gather.input == reply::Input::Speech {
            writeln!(self.out, "  [the line listens for speech alone: keys are not heard]")?;
        }
        let input = self.meant(keys).await?;
        self.give(input).await
    }

    /// A code is keyed as what it is, so that a transcript does not depend on chance.
    async fn meant(&self, keys: &str) -> Result<Input, Trouble> {
        let provider = &self.player.provider;
        let speaking = provider.speaking().await?;
        let role = self.role().await?;
        if role == Role::Callback && role != speaking && provider.said()?.expose() == keys {
            return Ok(Input::CallbackCode(SpokenCode::Said));
        }
        let messages = provider.world().messages(provider.call_id()?);
        let sent = messages.last().map(|message| message.body.expose());
        let code = sent.and_then(|body| show::code_in(body, self.player.code_digits()));
        if code == Some(keys) {
            return Ok(Input::Otp(Otp::Last));
        }
        Ok(Input::Digits(keys.to_owned()))
    }

    async fn speak(&mut self, words: &str) -> Result<(), Trouble> {
        let gather = self.listening().await?;
        if telephone::said(&gather, words).speech.expose().is_empty() {
            writeln!(self.out, "  [the line listens for keys alone: nothing is heard]")?;
        }
        self.give(Input::Speech(words.to_owned())).await
    }

    /// Nothing is typed: the time that the provider gives a caller passes.
    async fn be_silent(&mut self) -> Result<(), Trouble> {
        let before = self.doing().await?;
        let (seconds, input) = match &before {
            Doing::Listens(gather) => (gather.timeout_s, Input::Silence),
            Doing::Waits(_, seconds) => (*seconds, Input::Poll),
            doing => return word(format!("the line {}{}", doing.words(), heard::hint(doing))),
        };
        if seconds > 0 {
            self.play(Input::Wait(Duration::from_secs(seconds.into())).into()).await?;
        }
        // Something may have come meanwhile, and the caller hears that.
        let after = self.doing().await;
        if after.is_ok_and(|after| after.nonce() == before.nonce()) {
            return self.give(input).await;
        }
        Ok(())
    }

    async fn wait(&mut self, duration: &str) -> Result<(), Trouble> {
        let fits = |it: &Duration| (WAIT_MIN..=WAIT_MAX).contains(it);
        let Some(duration) = document::parse_duration(duration).filter(fits) else {
            return word("write how long, a day at most: `:wait 90s`, `:wait 5m`");
        };
        self.play(Input::Wait(duration).into()).await
    }

    /// Plays it on the leg that is typed for.
    async fn give(&mut self, input: Input) -> Result<(), Trouble> {
        let speaking = self.player.provider.speaking().await?;
        let by_itself = matches!(input, Input::CallbackCode(_));
        let on = self.on.filter(|role| *role != speaking && !by_itself);
        self.play(Act { on, ..input.into() }).await
    }

    /// The same, if the leg is doing what this ends.
    async fn give_if(&mut self, fits: fn(&Doing) -> bool, input: Input) -> Result<(), Trouble> {
        let doing = self.doing().await?;
        if !fits(&doing) {
            return word(format!("the line {}{}", doing.words(), heard::hint(&doing)));
        }
        self.give(input).await
    }

    async fn callback(&mut self, fate: &str) -> Result<(), Trouble> {
        let fate = choose(&FATES, fate)?;
        self.play(Input::Callback(fate).into()).await?;
        match fate {
            Fate::Answered(_) => {
                self.on = Some(Role::Callback).filter(|_| self.is_up(Role::Callback));
            }
            Fate::Status(status) if status.is_final() => self.on = None,
            Fate::Status(_) => {}
        }
        Ok(())
    }

    fn is_up(&self, role: Role) -> bool {
        let telephone = self.player.provider.telephone(role);
        telephone.is_ok_and(|telephone| !matches!(telephone.doing, Doing::Over))
    }

    async fn hang_up(&mut self, role: Role) -> Result<(), Trouble> {
        let on = (role != Role::Inbound).then_some(role);
        self.play(Act { on, ..Input::Hangup.into() }).await?;
        self.on = self.on.filter(|on| *on != role);
        Ok(())
    }

    fn begin_step(&mut self) {
        self.steps.retain(|step| !step.acts.is_empty());
        self.steps.push(Step { acts: Vec::new(), on: self.on });
    }

    /// Plays it, prints what is heard, and hangs up what should be hung up.
    async fn play(&mut self, act: Act) -> Result<(), Trouble> {
        let mut acts = VecDeque::from([act]);
        while let Some(mut act) = acts.pop_front() {
            act.backend.append(&mut self.backend);
            act.lookup.append(&mut self.lookup);
            let before = self.player.provider.hops().await.len();
            let played = match self.player.play(&act).await {
                Ok(played) => played,
                Err(lapse) => {
                    (self.backend, self.lookup) = (act.backend, act.lookup);
                    return Err(lapse.into());
                }
            };
            // What nobody was asked for waits for the next act.
            let world = self.player.provider.world();
            let (answers, fits) = (world.answers_left(), world.fits_left());
            self.backend = act.backend.split_off(act.backend.len().saturating_sub(answers));
            self.lookup = act.lookup.split_off(act.lookup.len().saturating_sub(fits));
            if let Some(step) = self.steps.last_mut() {
                step.acts.push(act);
            }
            self.tell(&played)?;
            let hops = self.player.provider.hops().await;
            let new = hops.get(before..).unwrap_or_default();
            self.tell_unavailable(new, played.call.as_ref()).await?;
            acts.extend(self.lines_to_hang_up(&played)?);
            self.note(played);
        }
        Ok(())
    }

    /// While the call goes on, the provider reports each leg that an answer has ended.
    fn lines_to_hang_up(&mut self, played: &Played) -> Result<Vec<Act>, Trouble> {
        let mut acts = Vec::new();
        if played.call.as_ref().is_none_or(|call| call.end.is_some()) {
            return Ok(acts);
        }
        for Answered { role, .. } in &played.answers {
            if *role != Role::Whisper && !self.is_up(*role) {
                self.on = self.on.filter(|on| on != role);
                self.tell_hung_up(*role)?;
                let on = (*role != Role::Inbound).then_some(*role);
                acts.push(Act { on, ..Input::Hangup.into() });
            }
        }
        Ok(acts)
    }

    fn note(&mut self, played: Played) {
        if !played.answers.is_empty() {
            self.heard = played.answers;
        }
        let claim = played.call.map(|call| call.claim);
        if let Some(Claim::Account(id) | Claim::Decoy(id)) = claim {
            self.claimed.insert(id.expose().to_owned());
        }
    }

    /// Rings again, and goes on to just before the last line, or the last so many.
    async fn back(&mut self, turns: &str) -> Result<(), Trouble> {
        let Ok(turns) = (if turns.is_empty() { Ok(1) } else { turns.parse::<usize>() }) else {
            return word("write how many turns: `:back`, `:back 3`");
        };
        self.steps.retain(|step| !step.acts.is_empty());
        // The call itself is rung in any case.
        let turns = turns.min(self.steps.len().saturating_sub(1));
        if turns == 0 {
            return word("the call has just begun: there is nothing to go back to");
        }
        let gone = self.steps.split_off(self.steps.len() - turns);
        self.on = gone.first().and_then(|step| step.on);
        self.ring_again().await?;
        self.state().await?;
        self.tell_again()
    }

    /// Rings again, and repeats everything that was done so far.
    async fn ring_again(&mut self) -> Result<(), Trouble> {
        self.player = Player::new(self.caller.setup.clone(), self.caller.from.clone());
        self.claimed.clear();
        for act in self.steps.iter().flat_map(|step| step.acts.clone()).collect::<Vec<_>>() {
            let played = self.player.play(&act).await?;
            self.note(played);
        }
        Ok(())
    }
}

fn choose<T: Copy>(choices: &[(&'static str, T)], word: &str) -> Result<T, Trouble> {
    let chosen = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    chosen.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Trouble::Word(format!("one of: {}", names.join(", ")))
    })
}
