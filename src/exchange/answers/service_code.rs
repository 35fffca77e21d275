//! Service codes: issued to a customer who is logged in on the web, redeemed once on the telephone.
//!
//! A code is bound to the account, to the purpose it was issued for, and to the level of the web session: one
//! factor there is no more than one factor here. An account has one active code; a new one revokes it. Only the
//! code's keyed hash is kept.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::chance;
use crate::engine::account::Whom;
use crate::engine::audit::Deed;
use crate::engine::question::Verdict;
use crate::engine::turn::later;
use crate::exchange::{Exchange, ExchangeError};
use crate::secret::Secret;
use crate::store::RecordKey;

const RECORD: &str = "service-code";
/// Longer than any code is valid.
const KEPT_FOR: Duration = Duration::from_hours(48);

/// How well the web session had authenticated the customer (NIST SP 800-63B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebLevel {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
}

/// A code as it was issued.
#[derive(Debug)]
pub struct Issued {
    /// The code.
    pub code: Secret,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

/// The code of an account.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::exchange) struct Record {
    active: Option<Active>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Active {
    hash: String,
    level: WebLevel,
    purpose: Option<String>,
    expires_at: Timestamp,
    failures: u32,
    /// The latest time seen here: setting a clock back makes the code no younger.
    #[serde(default)]
    seen: Timestamp,
    /// The attempt that redeemed it; the same attempt gets the same answer again.
    redeemed_by: Option<String>,
}

impl Exchange {
    /// Issues a code for an account; `Ok(None)`: there is no such account.
    pub async fn issue_service_code(
        &self,
        account: &Secret,
        level: WebLevel,
        purpose: Option<String>,
        ttl: Duration,
    ) -> Result<Option<Issued>, ExchangeError> {
        if self.directory.by_id(account.expose()).await?.is_none() {
            return Ok(None);
        }
        let whom = Whom::Account(account.clone());
        let now = self.clock.now();
        let code = chance::code(self.chance.as_ref(), self.policy.service_code.digits);
        let expires_at = later(now, ttl);
        let active = Active {
            hash: self.service_code_hash(&whom, &code),
            level,
            purpose,
            expires_at,
            failures: 0,
            seen: now,
            redeemed_by: None,
        };
        let issue = |record: &mut Record| record.active = Some(active.clone());
        self.change_record(&self.service_code_key(&whom), KEPT_FOR, now, issue).await?;
        let level = match level {
            WebLevel::Aal1 => "aal1",
            WebLevel::Aal2 => "aal2",
        };
        self.audit_outside(&whom, Deed::ServiceCodeIssued { level: level.into() }).await?;
        Ok(Some(Issued { code, expires_at }))
    }

    /// Redeems a code, once: of two attempts at a time, one succeeds.
    pub(super) async fn redeem_service_code(
        &self,
        whom: &Whom,
        entry: &Secret,
        purpose: Option<&str>,
        attempt: &str,
        now: Timestamp,
    ) -> Result<Verdict, ExchangeError> {
        let hash = self.service_code_hash(whom, entry);
        let failures_max = self.policy.service_code.failures;
        let redeem = |record: &mut Record| {
            let Some(active) = &mut record.active else { return Verdict::Wrong };
            if let Some(by) = &active.redeemed_by {
                return if by == attempt { right(active.level) } else { Verdict::Wrong };
            }
            active.seen = active.seen.max(now);
            if active.seen > active.expires_at || active.failures >= failures_max {
                return Verdict::Wrong;
            }
            let meant = active.purpose.is_none() || active.purpose.as_deref() == purpose;
            if bool::from(active.hash.as_bytes().ct_eq(hash.as_bytes())) && meant {
                active.redeemed_by = Some(attempt.to_owned());
                return right(active.level);
            }
            active.failures += 1;
            Verdict::Wrong
        };
        self.change_record(&self.service_code_key(whom), KEPT_FOR, now, redeem).await
    }

    fn service_code_key(&self, whom: &Whom) -> RecordKey {
        let subject = self.subject(whom);
        RecordKey { kind: RECORD, id: self.vault.keyed_hex(RECORD, &[subject.as_bytes()]) }
    }

    fn service_code_hash(&self, whom: &Whom, code: &Secret) -> String {
        let subject = self.subject(whom);
        let parts = [subject.as_bytes(), code.expose().as_bytes()];
        self.vault.keyed_hex("service code", &parts)
    }
}

fn right(level: WebLevel) -> Verdict {
    match level {
        WebLevel::Aal1 => Verdict::RightByOneFactor,
        WebLevel::Aal2 => Verdict::Right,
    }
}
