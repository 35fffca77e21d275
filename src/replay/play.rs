//! Carries out the caller's side: one act after another goes through the provider, and the results are returned.
//! A transcript and a person at a telephone act in the same way, so that either can repeat what the other did.

use super::provider::{Answered, Lapse, Provider, Setup, role_name};
use super::show;
use super::telephone::{self, Doing};
use super::transcript::{Act, Fate, Input, Otp, Specialist, SpokenCode};
use super::world;
use crate::engine::call::{Call, Role};
use crate::engine::event::Heard;
use crate::engine::id::Nonce;
use crate::engine::reply::Gather;
use crate::exchange::Served;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// The key that accepts a transferred call.
const ACCEPT: &str = "1";
/// A key that does not.
const DECLINE: &str = "2";

/// The result of an act.
#[derive(Debug, Default)]
pub struct Played {
    /// What the telephones were told, in order.
    pub answers: Vec<Answered>,
    /// What was done outside.
    pub outgoing: Vec<world::Outgoing>,
    /// What the request was to the call.
    pub served: Option<Served>,
    /// What no call may do.
    pub broken: Vec<String>,
    /// The call as it stands then.
    pub call: Option<Call>,
}

/// The provider, told what to do.
#[derive(Debug)]
pub struct Player {
    /// Everything goes through it.
    pub provider: Provider,
    from: Option<PhoneNumber>,
    code_digits: u32,
}

impl Player {
    /// A player of calls from this number.
    pub fn new(setup: Setup, from: Option<PhoneNumber>) -> Self {
        let code_digits = setup.policy.otp.digits;
        Self { provider: Provider::new(setup), from, code_digits }
    }

    /// How many digits the codes of messages have.
    pub fn code_digits(&self) -> u32 {
        self.code_digits
    }

    /// The levels of the call's flow that its facts meet now.
    pub fn levels(&self, call: &Call) -> Vec<String> {
        let flows = self.provider.exchange().flows();
        let Some(flow) = flows.get(call.flow.as_str()) else { return Vec::new() };
        let now = self.provider.now();
        let met =
            flow.levels.iter().filter(|(_, level)| level.is_met(&call.facts, now, call.risk()));
        met.map(|(name, _)| name.to_string()).collect()
    }

    /// Carries it out, with everything that follows from it.
    pub async fn play(&mut self, act: &Act) -> Result<Played, Lapse> {
        self.provider.world().refuse(act.refused);
        self.provider.world().answer(&act.backend);
        self.provider.world().find(&act.lookup);
        self.provider.world().say(act.verify);
        let before = self.provider.call().await?;
        let mut played = Played::default();
        let mut outgoing = Vec::new();
        played.answers = self.act(act, &mut outgoing, &mut played.broken).await?;
        played.served = played.answers.last().map(|answered| answered.served);
        // One thing may lead to another: a leg that is redirected fetches its present prompt.
        loop {
            outgoing.extend(self.provider.settle().await?);
            let new = std::mem::take(&mut outgoing);
            if new.is_empty() {
                break;
            }
            played.answers.extend(self.provider.follow(&new).await?);
            played.outgoing.extend(new);
        }
        played.call = self.provider.call().await?;
        if self.provider.world().answers_left() > 0 {
            played.broken.push("fewer back ends were asked than answer".to_owned());
        }
        if self.provider.world().fits_left() > 0 {
            played.broken.push("fewer numbers were looked up than there is to find".to_owned());
        }
        if act.verify.is_some() && !self.provider.world().has_said() {
            played.broken.push("the provider was not asked about an entry".to_owned());
        }
        if matches!(act.input, Input::Retry | Input::Stale) {
            if before != played.call {
                played.broken.push("the call was changed".to_owned());
            }
            if played.served == Some(Served::Turn) {
                played.broken.push("the request was taken for a turn".to_owned());
            }
        }
        Ok(played)
    }

    async fn act(
        &mut self,
        act: &Act,
        outgoing: &mut Vec<world::Outgoing>,
        broken: &mut Vec<String>,
    ) -> Result<Vec<Answered>, Lapse> {
        let answered = match &act.input {
            Input::Ring(from) => {
                let from = from.clone().or_else(|| self.from.clone());
                self.provider.ring(from).await?
            }
            Input::Wait(duration) => {
                *outgoing = self.provider.wait(*duration).await?;
                return Ok(Vec::new());
            }
            Input::Hangup => {
                let role = act.on.unwrap_or(Role::Inbound);
                self.provider.status(role, show::HUNG_UP).await?;
                return Ok(Vec::new());
            }
            Input::MessageStatus(arrived) => {
                self.provider.message_status(*arrived).await?;
                return Ok(Vec::new());
            }
            Input::StepUp(level) => {
                self.provider.step_up(level).await?;
                return Ok(Vec::new());
            }
            Input::Callback(Fate::Status(status)) => {
                self.provider.status(Role::Callback, *status).await?;
                return Ok(Vec::new());
            }
            Input::Callback(Fate::Answered(by)) => self.provider.answer(*by).await?,
            Input::Whisper(specialist) => return self.whisper(*specialist).await,
            Input::Retry => {
                let first = self.provider.last_document()?;
                let again = self.provider.again().await?;
                if first != again.document {
                    broken.push("the same request was answered otherwise than before".to_owned());
                }
                again
            }
            Input::Stale => self.stale(act).await?,
            _ => {
                let (role, heard) = self.heard(act).await?;
                self.provider.hear(role, heard).await?
            }
        };
        Ok(vec![answered])
    }

    /// A request with a nonce that was spent before the last one; it carries keys, which must not count.
    async fn stale(&mut self, act: &Act) -> Result<Answered, Lapse> {
        let role = self.role(act).await?;
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
    async fn heard(&self, act: &Act) -> Result<(Role, Heard), Lapse> {
        let role = self.role(act).await?;
        let doing = &self.provider.telephone(role)?.doing;
        let other = |so| Lapse::Other(role_name(role), doing.words(), so);
        let listening = || gather_of(doing).ok_or_else(|| other("nothing can be keyed or said"));
        let heard = match &act.input {
            Input::Digits(keys) => telephone::keyed(&listening()?, keys),
            Input::Speech(words) => telephone::said(&listening()?, words),
            Input::Silence => {
                listening()?;
                Heard::default()
            }
            Input::Otp(which) => telephone::keyed(&listening()?, &self.otp(*which)?),
            Input::ServiceCode(level) => {
                let gather = listening()?;
                let code = self.provider.issue_service_code(*level).await?;
                telephone::keyed(&gather, code.ok_or(Lapse::NoCustomer)?.expose())
            }
            Input::CallbackCode(which) => {
                let said = self.provider.said()?.expose();
                let code = match which {
                    SpokenCode::Said => said.to_owned(),
                    SpokenCode::Wrong => show::wrong(said),
                };
                telephone::keyed(&listening()?, &code)
            }
            Input::Dial(status) => match doing {
                Doing::Dials(_) => Heard { dial: Some(*status), ..Heard::default() },
                _ => return Err(other("no dial can end")),
            },
            Input::Queue(result) => match doing {
                Doing::Queues(_) => Heard { queue: Some(*result), ..Heard::default() },
                _ => return Err(other("it cannot leave a queue")),
            },
            Input::Recorded(recorded) => match doing {
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
    async fn role(&self, act: &Act) -> Result<Role, Lapse> {
        match (act.on, &act.input) {
            (Some(role), _) => Ok(role),
            (None, Input::CallbackCode(_)) => Ok(Role::Callback),
            (None, _) => self.provider.speaking().await,
        }
    }

    fn otp(&self, which: Otp) -> Result<String, Lapse> {
        let digits = self.code_digits;
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
