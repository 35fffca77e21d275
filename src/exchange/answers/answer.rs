//! Answers to the machine's questions: accounts, verdicts, codes, budgets.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::audit;
use crate::chance;
use crate::directory::accounts::Customer;
use crate::directory::pin::StoredPin;
use crate::engine::account::Whom;
use crate::engine::call::Call;
use crate::engine::id::CallId;
use crate::engine::ledger::{Alert, Attempt, Ledger, Lock, Reserved};
use crate::engine::question::{Against, Answer, Question, Verdict, Verify};
use crate::exchange::watch::guards::Limit;
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::level::Fact;
use crate::limits;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::store::RecordKey;

const RECORD: &str = "ledger";
/// As far as the year's budget looks back.
const LEDGER_KEPT_FOR: Duration = Duration::from_hours(366 * 24);
/// What counts on a call alone is of no use after it.
const LEDGER_OF_CALL_KEPT_FOR: Duration = limits::CALL_DURATION_MAX.saturating_mul(2);

/// What follows from an attempt beside its verdict.
#[derive(Clone, Copy, Default)]
struct Sequel {
    /// What the owner is told.
    told_if_right: Option<Alert>,
    told_if_wrong: Option<Alert>,
    /// The lock that a wrong entry sets.
    lock_if_wrong: Option<Lock>,
}

impl Exchange {
    /// Verifies secrets in the caller's own thread: for simulations, which must run the same every time, and in
    /// which nobody else waits.
    #[must_use]
    pub fn verifying_in_place(mut self) -> Self {
        self.verifier.verify_in_place();
        self
    }

    pub(in crate::exchange) async fn answer(
        &self,
        call: CallId,
        question: &Question,
        now: Timestamp,
        until: Instant,
    ) -> Result<Answer, ExchangeError> {
        match question {
            Question::FindById(id) => {
                let customer = in_time(until, self.directory.by_id(id.expose())).await?;
                Ok(Answer::Account(customer.map(|customer| customer.account.clone())))
            }
            Question::FindByPhone(number) => {
                let customer = in_time(until, self.directory.by_phone(number)).await?;
                Ok(Answer::Account(customer.map(|customer| customer.account.clone())))
            }
            Question::Verify(verify) => {
                // These are large and rare: turns without such a question need not carry them.
                let judged = Box::pin(self.judge(call, verify, now, until));
                let (verdict, alert) = judged.await?;
                Ok(match alert {
                    Some(alert) => Answer::Alerted(verdict, alert),
                    None => Answer::Verdict(verdict),
                })
            }
            Question::FreshCode { whom, factor, digits } => {
                let code = chance::code(self.chance.as_ref(), *digits);
                let hash = self.code_hash(call, whom, *factor, &code);
                Ok(Answer::Code { code, hash })
            }
            Question::Spend { key, whom, factor, to, code } => {
                let spend = self.spend(call, (key, whom, *factor), to.as_ref(), *code, now);
                Box::pin(spend).await
            }
            Question::Notify(notify) => Ok(Answer::Notifies(self.notify(notify, now).await?)),
            Question::Reach { caller, line, account } => {
                Ok(Answer::Spent(self.reach(caller.as_ref(), line, account, now).await?))
            }
            Question::Eligible { key, to, purpose } => {
                let fits = Box::pin(self.are_eligible(key, to, *purpose, now, until)).await?;
                Ok(match fits.as_slice() {
                    [fit] => Answer::Eligible(*fit),
                    _ => Answer::EligibleOf(fits),
                })
            }
            Question::LookUp(look_up) => {
                Ok(Answer::LookedUp(Box::pin(self.look_up(look_up, now, until)).await?))
            }
            Question::Vouch(voucher) => Ok(Answer::Voucher(self.vouch(voucher))),
        }
    }

    /// Verifies an entry, and says what its owner must be told.
    async fn judge(
        &self,
        call: CallId,
        verify: &Verify,
        now: Timestamp,
        until: Instant,
    ) -> Result<(Verdict, Option<Alert>), ExchangeError> {
        let (verdict, sequel) = self.verify(call, verify, now, until).await?;
        match verdict {
            Verdict::Right | Verdict::RightByOneFactor => Ok((verdict, sequel.told_if_right)),
            Verdict::Wrong | Verdict::Exhausted => {
                if let Some(lock) = sequel.lock_if_wrong {
                    self.guards.lock(verify.factor, lock);
                }
                Ok((verdict, sequel.told_if_wrong))
            }
            Verdict::Locked | Verdict::Expired | Verdict::Unanswered => Ok((verdict, None)),
        }
    }

    /// Reserves an attempt, then checks whether the entry is right, and says what follows.
    async fn verify(
        &self,
        call: CallId,
        verify: &Verify,
        now: Timestamp,
        until: Instant,
    ) -> Result<(Verdict, Sequel), ExchangeError> {
        let Verify { key, whom, factor, entry, against, caller, .. } = verify;
        let known = matches!(against, Against::Pin | Against::Passcode);
        // A customer who cannot be served in time loses no attempt.
        let _place = if known { Some(self.verifier.place()?) } else { None };
        // The directory comes first: if it does not answer, the customer loses no attempt.
        let customer = match against {
            Against::Pin | Against::Passcode => self.customer(verify, until).await?,
            Against::Code(_) | Against::Verification(_) | Against::ServiceCode { .. } => None,
        };
        let customer = customer.as_deref();
        let digest = self.vault.keyed_hex("entry", &[key.as_bytes(), entry.expose().as_bytes()]);
        let length = entry.expose().chars().count();
        let attempt = Attempt { call, factor: *factor, key, digest: &digest, length };
        let fused = known && self.policy.fuse.is_there();
        let (reserved, sequel) = if fused && !self.fuse_is_whole(whom, now).await? {
            (Reserved::Refused, Sequel::default())
        } else {
            self.reserve(verify, &attempt, until, now).await?
        };
        let looked_at = matches!(reserved, Reserved::Granted | Reserved::Again);
        let verdict = match reserved {
            Reserved::Refused | Reserved::Busy(_) => {
                self.take_as_long(against, until).await?;
                Verdict::Locked
            }
            Reserved::Other => {
                tracing::warn!(call.id = %call, %factor, "another entry was sent for a spent attempt");
                Verdict::Wrong
            }
            Reserved::Granted | Reserved::Again => {
                self.look_at(call, verify, customer, now, until).await?
            }
        };
        if fused && looked_at {
            self.load_fuse(whom, caller.as_ref(), verdict == Verdict::Right, now).await?;
        }
        Ok((verdict, sequel))
    }

    /// Takes as long as a check, without checking anything.
    async fn take_as_long(&self, against: &Against, until: Instant) -> Result<(), ExchangeError> {
        match (against, &self.verifications) {
            // Waits its turn like those that are hashed, so that a queue of entries does not reveal a locked
            // account.
            (Against::Pin | Against::Passcode, _) => drop(self.verifier.turn().await?),
            (Against::Verification(_), Some(verifications)) => verifications.wait(until).await,
            _ => {}
        }
        Ok(())
    }

    /// Whether the entry is right for which an attempt is reserved.
    async fn look_at(
        &self,
        call: CallId,
        verify: &Verify,
        customer: Option<&Customer>,
        now: Timestamp,
        until: Instant,
    ) -> Result<Verdict, ExchangeError> {
        let Verify { key, whom, factor, entry, against, .. } = verify;
        let on_file = match against {
            Against::Pin => customer.and_then(|customer| customer.pin.clone()),
            Against::Passcode => customer.and_then(|customer| customer.passcode.clone()),
            _ => None,
        };
        let right = match against {
            Against::Pin | Against::Passcode => self.is_known_secret(verify, on_file, now).await?,
            Against::Code(hash) => {
                let given = self.code_hash(call, whom, *factor, entry);
                given.as_bytes().ct_eq(hash.as_bytes()).into()
            }
            Against::Verification(to) => {
                return self.check_with_provider(key, to.as_ref(), entry, now, until).await;
            }
            Against::ServiceCode { purpose } => {
                return self.redeem_service_code(whom, entry, purpose.as_deref(), key, now).await;
            }
        };
        Ok(if right { Verdict::Right } else { Verdict::Wrong })
    }

    /// Reserves an attempt, and says what would follow from it. If other calls are trying the same account, those
    /// that have ended, or cannot be read, give up their places; to a call from a number on file, so do those from other numbers. A
    /// stranger who claims an account cannot keep its owner from proving it.
    async fn reserve(
        &self,
        verify: &Verify,
        attempt: &Attempt<'_>,
        until: Instant,
        now: Timestamp,
    ) -> Result<(Reserved, Sequel), ExchangeError> {
        let mut giving_way = Vec::new();
        loop {
            let reserve = |ledger: &mut Ledger| {
                let reserved = ledger.reserve(attempt, &giving_way, &self.policy, now);
                let told = |wrong| ledger.due(attempt, wrong, &self.policy, now);
                let is_new = reserved == Reserved::Granted;
                let lock = is_new.then(|| ledger.lock_of(attempt, &self.policy, now)).flatten();
                let [told_if_right, told_if_wrong] = [told(false), told(true)];
                (reserved, Sequel { told_if_right, told_if_wrong, lock_if_wrong: lock })
            };
            let (reserved, sequel) = self.change_ledger(&verify.whom, now, reserve).await?;
            let Reserved::Busy(calls) = &reserved else { return Ok((reserved, sequel)) };
            let known = giving_way.len();
            let on_file = self.numbers_of(verify, until).await;
            let is_on_file = |number: Option<&PhoneNumber>| {
                number.is_some_and(|number| on_file.contains(number))
            };
            let goes_first = is_on_file(verify.caller.as_ref());
            for call in
                calls.iter().filter(|call| !giving_way.contains(*call)).copied().collect::<Vec<_>>()
            {
                let loaded = self.load_unless_damaged(call).await?;
                let keeps = |call: &Call| {
                    call.end.is_none() && (!goes_first || is_on_file(call.caller.number.as_ref()))
                };
                if loaded.is_none_or(|loaded| !keeps(&loaded.call)) {
                    giving_way.push(call);
                }
            }
            if giving_way.len() == known {
                self.guards.refuse(Limit::Parallel);
                return Ok((reserved, sequel));
            }
        }
    }

    /// The numbers on file of the claimed account. If the directory does not answer there are none, and nobody
    /// goes first.
    async fn numbers_of(&self, verify: &Verify, until: Instant) -> Vec<PhoneNumber> {
        let customer = self.customer(verify, until).await.ok().flatten();
        let phones = customer.iter().flat_map(|customer| &customer.account.phones);
        phones.map(|phone| phone.number.clone()).collect()
    }

    /// Whether the entry is the secret on file, and not one that is tried on account after account. In that case
    /// all the work is done, and the entry counts as wrong.
    async fn is_known_secret(
        &self,
        verify: &Verify,
        on_file: Option<StoredPin>,
        now: Timestamp,
    ) -> Result<bool, ExchangeError> {
        let room = self.try_secret(verify, now).await?;
        let right = self.is_on_file(&verify.entry, on_file).await? && room;
        if right {
            self.forgive_secret(verify, now).await?;
        }
        Ok(right)
    }

    /// Who is claimed. The directory is also asked about a claim that is no account, and about one on which the
    /// attempt does not count, so that all take the same work and fail together; its answer for these does not count.
    async fn customer(
        &self,
        verify: &Verify,
        until: Instant,
    ) -> Result<Option<Arc<Customer>>, ExchangeError> {
        let (Whom::Account(id) | Whom::Decoy(id)) = &verify.claimed else { return Ok(None) };
        let customer = in_time(until, self.directory.by_id(id.expose())).await?;
        Ok(customer.filter(|_| matches!(verify.whom, Whom::Account(_))))
    }

    /// Whether the entry is the secret on file; if there is none, the work is the same.
    async fn is_on_file(
        &self,
        entry: &Secret,
        on_file: Option<StoredPin>,
    ) -> Result<bool, ExchangeError> {
        let exists = on_file.is_some();
        let stored = on_file.unwrap_or_else(StoredPin::of_nobody);
        let right = self.verifier.is(stored, entry, &self.vault).await?;
        Ok(right && exists)
    }

    /// A code is good for one call, one claim and one purpose.
    fn code_hash(&self, call: CallId, whom: &Whom, factor: Fact, code: &Secret) -> String {
        let call = call.to_string();
        let subject = self.subject(whom);
        let parts = [
            call.as_bytes(),
            subject.as_bytes(),
            factor.as_str().as_bytes(),
            code.expose().as_bytes(),
        ];
        self.vault.keyed_hex("code", &parts)
    }

    /// The name of a ledger: it does not say whose it is.
    pub(in crate::exchange) fn subject(&self, whom: &Whom) -> String {
        audit::subject(&self.vault, whom)
    }

    /// Forgets the failures before a success, as an effect of the turn that had it. `reached`: the number that
    /// the code went to.
    pub async fn clear_attempts(
        &self,
        whom: &Whom,
        (factor, key): (Fact, &str),
        at: Timestamp,
        reached: Option<&PhoneNumber>,
    ) -> Result<(), ExchangeError> {
        let clear = |ledger: &mut Ledger| ledger.clear(factor, key, at);
        let now = self.clock.now();
        self.change_ledger(whom, now, clear).await?;
        match reached {
            Some(number) => self.entered(number, key, now).await,
            None => Ok(()),
        }
    }

    pub(in crate::exchange) async fn change_ledger<T>(
        &self,
        whom: &Whom,
        now: Timestamp,
        change: impl Fn(&mut Ledger) -> T,
    ) -> Result<T, ExchangeError> {
        let key = RecordKey { kind: RECORD, id: self.subject(whom) };
        let kept_for = match whom {
            Whom::Account(_) | Whom::Decoy(_) => LEDGER_KEPT_FOR,
            Whom::Call(_) => LEDGER_OF_CALL_KEPT_FOR,
        };
        self.change_record(&key, kept_for, now, change).await
    }
}

/// Waits for somebody else, as long as a turn may.
pub(super) async fn in_time<T, E: Into<ExchangeError>>(
    until: Instant,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, ExchangeError> {
    match tokio::time::timeout_at(until, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(ExchangeError::Late),
    }
}

/// An exchange is shared by every worker.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Exchange>>();
};

#[cfg(test)]
mod tests {
    use std::iter::repeat_with;

    use futures_util::FutureExt as _;
    use jiff::Timestamp;
    use tokio::runtime::Builder;

    use super::*;
    use crate::chance::SystemChance;
    use crate::clock::VirtualClock;
    use crate::diagnostic::Problems;
    use crate::directory::Directory;
    use crate::directory::accounts::{Accounts, Secrets};
    use crate::engine::id::Sid;
    use crate::engine::policy::Policy;
    use crate::exchange::Parts;
    use crate::flow::FlowSet;
    use crate::limits::HASHES_AT_ONCE;
    use crate::store::envelope::Vault;
    use crate::store::memory::MemoryStore;

    fn exchange(now: Timestamp) -> Exchange {
        let (accounts, problems) =
            ("[[accounts]]\nid = \"1\"\npin = \"860317\"\n", Problems::default());
        let accounts = Accounts::read(&"accounts".into(), accounts, Secrets::Plain, &problems);
        let exchange = Exchange::new(Parts {
            store: Arc::new(MemoryStore::new()),
            vault: Vault::new(&[7; 32]),
            directory: Arc::new(Directory::new(accounts)),
            clock: Arc::new(VirtualClock::at(now)),
            chance: Arc::new(SystemChance),
            policy: Policy::default(),
            flows: FlowSet::default(),
        });
        exchange.verifying_in_place()
    }

    /// Where entries wait to be hashed, one for a locked account waits too: else its answer, which comes at once, tells
    /// that it is locked.
    #[test]
    fn an_entry_for_a_locked_account_waits_its_turn() {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let question = |n: u32, against: Against| {
            let (key, account) = (n.to_string(), Secret::new("1"));
            let call = CallId::of("AC1", &Sid(format!("CA{n}")));
            let (whom, claimed) = (Whom::Account(account.clone()), Whom::Account(account));
            let entry = Secret::new(format!("111{n:03}"));
            let factor = Fact::Pin;
            let verify = Verify { key, whom, claimed, factor, entry, against, caller: None };
            (call, Question::Verify(verify))
        };
        Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let exchange = exchange(now);
            let until = Instant::now() + Duration::from_mins(1);
            let limit = exchange.policy.pin.soft_limit;
            for n in 0..limit {
                let (call, question) = question(n, Against::Pin);
                // None of these waits, as long as they are looked at.
                let answer = exchange.answer(call, &question, now, until).now_or_never();
                assert_eq!(answer.unwrap().unwrap().verdict(), Some(Verdict::Wrong), "{n}");
            }
            let mut turns = Vec::new();
            for taken in repeat_with(|| exchange.verifier.turn()).take(HASHES_AT_ONCE) {
                turns.push(taken.await.unwrap());
            }
            for against in [Against::Pin, Against::Passcode] {
                let (call, question) = question(limit, against);
                let mut waits = Box::pin(exchange.answer(call, &question, now, until));
                assert!(waits.as_mut().now_or_never().is_none(), "it waits as long as others do");
                turns.pop();
                let verdict = waits.await.unwrap().verdict();
                assert_eq!(verdict, Some(Verdict::Locked));
                turns.push(exchange.verifier.turn().now_or_never().unwrap().unwrap());
            }
        });
    }
}
