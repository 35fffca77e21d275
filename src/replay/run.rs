//! Runs a transcript: turn by turn, what came back, and how it differs from what was to come.

use super::provider::{Answered, Lapse, Provider, Setup, role_name};
use super::report::{Came, Difference, Report};
use super::show;
use super::telephone::{self, Doing};
use super::transcript::{self, Deed, Fate, Otp, Specialist, SpokenCode, Transcript, Turn};
use super::world;
use crate::engine::call::{Call, Role};
use crate::engine::event::Heard;
use crate::engine::id::Nonce;
use crate::engine::reply::Gather;
use crate::exchange::Served;
use crate::flow::FlowSet;
use crate::secret::Secret;

/// The key that takes a transferred call.
const ACCEPT: &str = "1";
/// A key that does not.
const DECLINE: &str = "2";

/// Runs a transcript against these flows.
pub async fn run(transcript: &Transcript, flows: &FlowSet) -> Report {
    let mut report = Report::default();
    let Some(flows) = flows.closure(&transcript.flow) else {
        let message = format!("there is no flow `{}`", transcript.flow);
        report.differences.push(Difference::of_whole(message));
        return report;
    };
    let mut runner = Runner {
        transcript,
        provider: Provider::new(Setup {
            flows,
            flow: transcript.flow.clone(),
            to: transcript.to.clone(),
            attestation: transcript.attestation,
            directory: transcript.directory.clone(),
            policy: transcript.policy.clone(),
            clock: transcript.clock,
            seed: transcript.seed,
            unenforced: transcript.unenforced.clone(),
        }),
    };
    let mut let_pass = false;
    for (index, turn) in transcript.turns.iter().enumerate() {
        if matches!(turn.deed, Deed::Ring(_)) {
            report.hops.extend(runner.provider.hops().await);
            let_pass |= runner.provider.let_pass().await;
        }
        let (came, differences) = runner.turn(index, turn).await;
        report.turns.push(came);
        report.differences.extend(differences);
    }
    report.hops.extend(runner.provider.hops().await);
    let_pass |= runner.provider.let_pass().await;
    if let Some(demand) = transcript.unenforced.as_ref().filter(|_| !let_pass) {
        let message = format!("no call comes to `{}` without what it demands", demand.at.state);
        report.differences.push(Difference::of_whole(message));
    }
    if !transcript.open
        && report.turns.last().is_some_and(|came| came.end.is_none() && came.lapse.is_none())
    {
        let message = "the call has not ended; say so with `open = true`, or let it end";
        report.differences.push(Difference::of_whole(message.to_owned()));
    }
    report
}

struct Runner<'t> {
    transcript: &'t Transcript,
    provider: Provider,
}

impl Runner<'_> {
    async fn turn(&mut self, index: usize, turn: &Turn) -> (Came, Vec<Difference>) {
        let mut came = Came::default();
        let mut broken = Vec::new();
        match self.carry_out(turn, &mut came, &mut broken).await {
            Ok(call) => {
                let differences = compare(index, turn, &came, call.as_ref());
                let broken = broken.into_iter().map(|message| Difference::of(index, turn, message));
                (came, differences.into_iter().chain(broken).collect())
            }
            Err(lapse) => {
                let message = lapse.to_string();
                came.lapse = Some(message.clone());
                (came, vec![Difference::of(index, turn, message)])
            }
        }
    }

    /// Lets the turn happen; `broken` gets what no transcript may expect.
    async fn carry_out(
        &mut self,
        turn: &Turn,
        came: &mut Came,
        broken: &mut Vec<String>,
    ) -> Result<Option<Call>, Lapse> {
        self.provider.world().refuse(turn.refused);
        let before = self.provider.call().await?;
        let mut deeds = Vec::new();
        let mut answers = self.act(turn, &mut deeds, broken).await?;
        came.served = answers.last().map(|answered| answered.served);
        // What is done may bring about more: a leg taken to its present prompt fetches it.
        loop {
            let done = self.provider.settle().await?;
            deeds.extend(done.iter().cloned());
            let new = std::mem::take(&mut deeds);
            if new.is_empty() {
                break;
            }
            answers.extend(self.provider.follow(&new).await?);
            let digits = self.transcript.policy.otp.digits;
            came.effects.extend(new.iter().map(|deed| show::deed(deed, &self.provider, digits)));
        }
        self.note(answers, came, broken)?;
        let call = self.provider.call().await?;
        if matches!(turn.deed, Deed::Retry | Deed::Stale) {
            if before != call {
                broken.push(format!("{} changed the call", turn.words));
            }
            if came.served == Some(Served::Turn) {
                broken.push(format!("{} was taken for a turn", turn.words));
            }
        }
        if let Some(call) = &call {
            came.state = show::state(call);
            came.facts = call.facts.0.keys().copied().collect();
            came.levels = self.levels(call);
            came.locale = call.locale.to_string();
            came.end = call.end;
        }
        Ok(call)
    }

    /// The levels of the call's flow that its facts meet now.
    fn levels(&self, call: &Call) -> Vec<String> {
        let flows = self.provider.exchange().flows();
        let Some(flow) = flows.get(call.flow.as_str()) else { return Vec::new() };
        let now = self.provider.now();
        let met = flow.levels.iter().filter(|(_, level)| level.is_met(&call.facts, now));
        met.map(|(name, _)| name.to_string()).collect()
    }

    fn note(
        &self,
        answers: Vec<Answered>,
        came: &mut Came,
        broken: &mut Vec<String>,
    ) -> Result<(), Lapse> {
        let mut documents = Vec::new();
        for answered in answers {
            came.says.extend(show::words(&answered.reply));
            documents.push(show::document(&answered, &self.provider)?);
            let problem = |problem| format!("the document is no valid TwiML: {problem}");
            broken.extend(answered.problems.into_iter().map(problem));
        }
        came.twiml = documents.join("\n");
        Ok(())
    }

    async fn act(
        &mut self,
        turn: &Turn,
        deeds: &mut Vec<world::Deed>,
        broken: &mut Vec<String>,
    ) -> Result<Vec<Answered>, Lapse> {
        let answered = match &turn.deed {
            Deed::Ring(from) => {
                let from = from.clone().or_else(|| self.transcript.from.clone());
                self.provider.ring(from).await?
            }
            Deed::Wait(duration) => {
                *deeds = self.provider.wait(*duration).await?;
                return Ok(Vec::new());
            }
            Deed::Hangup => {
                let role = turn.on.unwrap_or(Role::Inbound);
                self.provider.status(role, show::HUNG_UP).await?;
                return Ok(Vec::new());
            }
            Deed::MessageStatus(arrived) => {
                self.provider.message_status(*arrived).await?;
                return Ok(Vec::new());
            }
            Deed::Callback(Fate::Status(status)) => {
                self.provider.status(Role::Callback, *status).await?;
                return Ok(Vec::new());
            }
            Deed::Callback(Fate::Answered(by)) => self.provider.answer(*by).await?,
            Deed::Whisper(specialist) => return self.whisper(*specialist).await,
            Deed::Retry => {
                let first = self.provider.last_document()?;
                let again = self.provider.again().await?;
                if first != again.document {
                    broken.push("the same request was answered otherwise than before".to_owned());
                }
                again
            }
            Deed::Stale => self.stale(turn).await?,
            _ => {
                let (role, heard) = self.heard(turn).await?;
                self.provider.hear(role, heard).await?
            }
        };
        Ok(vec![answered])
    }

    /// A request with a nonce that was spent before the last one; keys come with it, which must not
    /// count.
    async fn stale(&mut self, turn: &Turn) -> Result<Answered, Lapse> {
        let role = self.role(turn).await?;
        let spent = &self.provider.telephone(role)?.spent;
        let made_up = Nonce(uuid::Uuid::from_u128(7));
        let nonce = spent.iter().rev().nth(1).copied().unwrap_or(made_up);
        let heard = Heard { digits: Secret::new("1"), ..Heard::default() };
        self.provider.spend(role, nonce, heard).await
    }

    async fn whisper(&mut self, specialist: Specialist) -> Result<Vec<Answered>, Lapse> {
        let mut answers = Vec::new();
        let listens = |provider: &Provider| {
            let asked = provider.telephone(Role::Whisper).map(|telephone| telephone.doing.clone());
            asked.ok().and_then(|doing| gather_of(&doing))
        };
        if listens(&self.provider).is_none() {
            answers.push(self.provider.whisper().await?);
        }
        let Some(gather) = listens(&self.provider) else { return Ok(answers) };
        let heard = match specialist {
            Specialist::Accept => telephone::keyed(&gather, ACCEPT),
            Specialist::Decline => telephone::keyed(&gather, DECLINE),
            Specialist::Silence => Heard::default(),
        };
        answers.push(self.provider.hear(Role::Whisper, heard).await?);
        Ok(answers)
    }

    /// What a telephone hears in this turn.
    async fn heard(&self, turn: &Turn) -> Result<(Role, Heard), Lapse> {
        let role = self.role(turn).await?;
        let doing = &self.provider.telephone(role)?.doing;
        let other = |so| Lapse::Other(role_name(role), doing.words(), so);
        let listening = || gather_of(doing).ok_or_else(|| other("nothing can be keyed or said"));
        let heard = match &turn.deed {
            Deed::Digits(keys) => telephone::keyed(&listening()?, keys),
            Deed::Speech(words) => telephone::said(&listening()?, words),
            Deed::Silence => {
                listening()?;
                Heard::default()
            }
            Deed::Otp(which) => telephone::keyed(&listening()?, &self.otp(*which)?),
            Deed::ServiceCode(level) => {
                let gather = listening()?;
                let code = self.provider.issue_service_code(*level).await?;
                telephone::keyed(&gather, code.ok_or(Lapse::NoCustomer)?.expose())
            }
            Deed::CallbackCode(which) => {
                let said = self.provider.said()?.expose();
                let code = match which {
                    SpokenCode::Said => said.to_owned(),
                    SpokenCode::Wrong => show::wrong(said),
                };
                telephone::keyed(&listening()?, &code)
            }
            Deed::Dial(status) => match doing {
                Doing::Dials(_) => Heard { dial: Some(*status), ..Heard::default() },
                _ => return Err(other("no dial can end")),
            },
            Deed::Queue(result) => match doing {
                Doing::Queues(_) => Heard { queue: Some(*result), ..Heard::default() },
                _ => return Err(other("it cannot leave a queue")),
            },
            Deed::Recorded(recorded) => match doing {
                Doing::Records(_) => Heard { recorded: *recorded, ..Heard::default() },
                _ => return Err(other("nothing can have been recorded")),
            },
            _ => match doing {
                Doing::Waits(..) => Heard::default(),
                _ => return Err(other("it does not ask again")),
            },
        };
        Ok((role, heard))
    }

    /// The leg that a turn happens on.
    async fn role(&self, turn: &Turn) -> Result<Role, Lapse> {
        match (turn.on, &turn.deed) {
            (Some(role), _) => Ok(role),
            (None, Deed::CallbackCode(_)) => Ok(Role::Callback),
            (None, _) => self.provider.speaking().await,
        }
    }

    fn otp(&self, which: Otp) -> Result<String, Lapse> {
        let digits = self.transcript.policy.otp.digits;
        let messages = self.provider.world().messages(self.provider.call_id()?);
        let back = usize::from(which == Otp::Previous);
        let message = messages.iter().rev().nth(back).ok_or(Lapse::NoMessage)?;
        let code = show::code_in(message.body.expose(), digits).ok_or(Lapse::NoMessage)?;
        Ok(if which == Otp::Wrong { show::wrong(code) } else { code.to_owned() })
    }
}

fn gather_of(doing: &Doing) -> Option<Gather> {
    match doing {
        Doing::Listens(gather) => Some(gather.clone()),
        _ => None,
    }
}

/// What came back against what was to come, the spoken words first.
fn compare(index: usize, turn: &Turn, came: &Came, call: Option<&Call>) -> Vec<Difference> {
    let wanted = &turn.expected;
    let mut found = Vec::new();
    let mut differ = |key: &'static str, wanted: &[String], came: &[String]| {
        found.push(Difference::between(index, turn, key, wanted.to_vec(), came.to_vec()));
    };
    if let Some(says) = wanted.says.as_ref().filter(|says| **says != came.says) {
        differ("says", says, &came.says);
    }
    let stands = |state: &String| call.is_some_and(|call| show::is_state(call, state));
    if let Some(state) = wanted.state.as_ref().filter(|state| !stands(state)) {
        differ("state", std::slice::from_ref(state), std::slice::from_ref(&came.state));
    }
    if wanted.effects != came.effects {
        differ("effects", &wanted.effects, &came.effects);
    }
    if let Some(facts) = wanted.facts.as_ref().filter(|facts| **facts != came.facts) {
        let names = |facts: &[crate::flow::level::Fact]| -> Vec<String> {
            facts.iter().map(ToString::to_string).collect()
        };
        differ("facts", &names(facts), &names(&came.facts));
    }
    if wanted.end.is_some() && wanted.end != came.end {
        let word = |end| transcript::word_of(&transcript::ENDS, &end).to_owned();
        let came: Vec<_> = came.end.map(word).into_iter().collect();
        differ("end", &wanted.end.map(word).into_iter().collect::<Vec<_>>(), &came);
    }
    if let Some(locale) = wanted.locale.as_ref().filter(|locale| **locale != came.locale) {
        differ("locale", std::slice::from_ref(locale), std::slice::from_ref(&came.locale));
    }
    if wanted.answered.is_some() && wanted.answered != came.served {
        let word = |served| transcript::word_of(&transcript::SERVED, &served).to_owned();
        let came: Vec<_> = came.served.map(word).into_iter().collect();
        differ("answered", &wanted.answered.map(word).into_iter().collect::<Vec<_>>(), &came);
    }
    if let Some(twiml) = &wanted.twiml
        && show::squeezed(twiml) != show::squeezed(&came.twiml)
    {
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect()
        };
        differ("twiml", &lines(twiml), &lines(&came.twiml));
    }
    found
}
