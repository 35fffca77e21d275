//! The provider's side of a call: what it posts, signed, and what it makes of the answers.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

/// The address that the provider knows every server by.
pub(crate) const PUBLIC_URL: &str = "https://ivr.example.com";
/// What it signs with.
pub(crate) const TOKEN: &str = "12345678901234567890123456789012";
/// Its account.
pub(crate) const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// The number that leads to the flow of the benchmark.
pub(crate) const LINE: &str = "+15005550006";
/// The number that leads to the flow with a real PIN.
pub(crate) const PIN_LINE: &str = "+15005550007";
/// The customers; call `n` claims account `n`, and begins again from the first after the last.
pub(crate) const ACCOUNTS: usize = 1_000;
/// How many of them have a PIN: more than are ever about to prove theirs, for one call at a time may try
/// to prove an account.
pub(crate) const PINS: usize = 128;
/// The blocks of numbers that callers ring from.
const BLOCKS: u64 = 100_000;
/// The four digits of every customer.
pub(crate) const ENTRY: &str = "2468";

/// Tells the calls of one load from those of another.
pub(crate) fn fresh_run() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    RUNS.fetch_add(1, Ordering::Relaxed)
}

/// Whom a call rings, and what its caller keys in after each answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Account, four digits, a menu's key: four webhooks.
    Balance,
    /// Account and PIN: three webhooks.
    Pin,
    /// As [`Self::Balance`], but the menu is asked for again until the call has had [`AGAIN`] webhooks: nearly all
    /// of them are turns of one round trip.
    Again,
}

/// The webhooks of a call in which the menu is asked for again and again.
const AGAIN: usize = 500;

/// What the provider makes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It asks the caller for more.
    Asked,
    /// It is the end that the caller rang for.
    Done,
    /// It is something else.
    Wrong,
}

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    script: Script,
    sid: String,
    from: String,
    account: usize,
    turn: usize,
    target: String,
}

pub(crate) fn account(n: usize) -> String {
    format!("{:06}", 100_000 + n)
}

/// The PIN of account `n`: no two have the same, for one that is tried on many accounts is a guess.
pub(crate) fn pin(n: usize) -> String {
    format!("{:06}", 739_182 + 137 * n)
}

/// Number `n`: a line rings anew long after everybody else has rung. Callers come from all over the
/// country: one block of ten thousand numbers would soon be taken for a single caller.
pub(crate) fn number(n: u64) -> String {
    let (line, block) = (n / BLOCKS % 10_000, n % BLOCKS);
    format!("+12{block:05}{line:04}")
}

impl Call {
    /// The `n`-th call of this run; no two are the same.
    pub(crate) fn new(script: Script, run: u64, n: u64) -> Self {
        let account = match script {
            Script::Balance | Script::Again => usize::try_from(n).unwrap_or(0) % ACCOUNTS,
            Script::Pin => usize::try_from(n).unwrap_or(0) % PINS,
        };
        let sid = format!("CA{run:016x}{n:016x}");
        let from = number(run.wrapping_mul(10_000_000).wrapping_add(n));
        Self { script, sid, from, account, turn: 0, target: "/twilio/voice".to_owned() }
    }

    /// Writes the next request of the call.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let digits = match (self.script, self.turn) {
            (_, 0) => None,
            (_, 1) => Some(account(self.account)),
            (Script::Balance | Script::Again, 2) => Some(ENTRY.to_owned()),
            (Script::Again, turn) if turn + 1 < AGAIN => Some("9".to_owned()),
            (Script::Balance | Script::Again, _) => Some("1".to_owned()),
            (Script::Pin, _) => Some(pin(self.account)),
        };
        let (from, to_number) = (self.from.as_str(), self.line());
        // In the order of their names, as they are signed.
        let status = if self.turn == 0 { "ringing" } else { "in-progress" };
        let mut fields = vec![
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", self.sid.as_str()),
            ("CallStatus", status),
            ("Called", to_number),
            ("CalledCity", "SAN FRANCISCO"),
            ("CalledCountry", "US"),
            ("CalledState", "CA"),
            ("CalledZip", "94105"),
            ("Caller", from),
            ("CallerCity", "OAKLAND"),
            ("CallerCountry", "US"),
            ("CallerState", "CA"),
            ("CallerZip", "94601"),
        ];
        if let Some(digits) = &digits {
            fields.push(("Digits", digits));
        }
        fields.push(("Direction", "inbound"));
        if digits.is_some() {
            fields.push(("FinishedOnKey", ""));
        }
        fields.extend([
            ("From", from),
            ("FromCity", "OAKLAND"),
            ("FromCountry", "US"),
            ("FromState", "CA"),
            ("FromZip", "94601"),
            ("StirVerstat", "TN-Validation-Passed-A"),
            ("To", to_number),
            ("ToCity", "SAN FRANCISCO"),
            ("ToCountry", "US"),
            ("ToState", "CA"),
            ("ToZip", "94105"),
        ]);
        if digits.is_some() {
            fields.push(("msg", "Gather"));
        }
        self.post(&fields, to);
    }

    fn line(&self) -> &'static str {
        match self.script {
            Script::Balance | Script::Again => LINE,
            Script::Pin => PIN_LINE,
        }
    }

    fn post(&self, fields: &[(&str, &str)], to: &mut Vec<u8>) {
        let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).expect("any key will do");
        mac.update(PUBLIC_URL.as_bytes());
        mac.update(self.target.as_bytes());
        let mut body = String::with_capacity(600);
        for (name, value) in fields {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(name);
            body.push('=');
            body.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let (target, length) = (&self.target, body.len());
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: ivr.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n\
             Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: {length}\r\n\
             I-Twilio-Idempotency-Token: {}\r\nX-Twilio-Signature: {signature}\r\n\r\n",
            self.sid
        );
        to.clear();
        to.extend_from_slice(head.as_bytes());
        to.extend_from_slice(body.as_bytes());
    }

    /// Takes the answer to the request that was written last.
    pub(crate) fn hear(&mut self, document: &str) -> Heard {
        self.turn += 1;
        let last = match self.script {
            Script::Balance => 4,
            Script::Pin => 3,
            Script::Again => AGAIN,
        };
        if self.turn == last {
            let said = match self.script {
                Script::Balance | Script::Again => "Your balance is",
                Script::Pin => "You are known.",
            };
            let done = document.contains("<Hangup") && document.contains(said);
            return if done { Heard::Done } else { Heard::Wrong };
        }
        let action = document.split_once("action=\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((action, _)) = action else { return Heard::Wrong };
        let target = action.strip_prefix(PUBLIC_URL).unwrap_or(action);
        target.clone_into(&mut self.target);
        Heard::Asked
    }
}
