//! States at random: each type of the language, with its keys, led anywhere.

use super::random::Dice;

/// A state, as long as its flow is being made.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) lines: String,
    pub(super) requires: Option<String>,
    pub(super) step_up: Option<&'static str>,
    /// How often it was mended so.
    pub(super) guards: usize,
    denied: String,
    on: Vec<(&'static str, String)>,
}

/// Where a state may lead.
struct Ways {
    a: String,
    b: String,
    c: String,
}

type Lines = (String, Vec<(&'static str, String)>);

/// How a flow begins, up to its levels.
pub(super) const HEAD: &str = "start = \"begin\"\n[hours.h]\nzone = \"UTC\"\n\
    open = [\"mon-fri 09:00-17:00\"]\n[disclose]\nfirst_name = \"lo\"\nbalance = \"hi\"\n\
    visit = \"said\"\n[states.bye]\ntype = \"hangup\"\n[states.begin]\ntype = \"set\"\n\
    values = { v = \"x\", w = \"x\" }\nnext = \"s0\"\n[levels]\nlo = { any = [\"pin\"] }\n\
    hi = { any = [\"sms_otp\", \"callback\"] }\nboth = { all = [\"knowledge\", \"possession\"] }\n\
    fresh = { any = [\"pin\", \"service_code\"], within = \"30s\" }\n\
    said = { any = [\"passcode\", { all = [\"pin\", \"email_otp\"] }] }\n";
/// A level that asks for more where much speaks against the caller, and the same without.
pub(super) const RISKY: [&str; 3] = [
    "risky = { any = [\"knowledge\"], at_risk = { high = { any = [\"possession\"], within = \"9m\" } } }\n",
    "risky = { any = [\"knowledge\"] }\n",
    "risky = { any = [\"knowledge\"] }\n",
];
const LEVELS: [&str; 6] = ["lo", "hi", "both", "fresh", "said", "risky"];

/// Branches on what the checker knows for certain.
pub(super) const CERTAIN: [&str; 9] = [
    "{ fact = \"pin\" }",
    "{ fact = \"email_otp\" }",
    "{ level = \"hi\" }",
    "{ not = { level = \"both\" } }",
    "{ all = [{ attestation = \"A\" }, { level = \"said\" }] }",
    "{ field = \"balance\", at_least = 5 }",
    "{ any = [{ fact = \"callback\" }, { level = \"fresh\" }] }",
    "{ risk = \"medium\" }",
    "{ risk_at_least = \"high\" }",
];
/// And on what variables hold and clocks show, which it does not follow: either way may be taken.
pub(super) const GUESSED: [&str; 10] = [
    "{ all = [{ level = \"hi\" }, { field = \"balance\", at_least = 5 }] }",
    "{ field = \"visit\", equals = \"2026-12-03\" }",
    "{ var = \"v\", equals = \"x\" }",
    "{ var = \"w\", at_least = 5 }",
    "{ any = [{ var = \"w\", at_most = 4 }, { var = \"v\", one_of = [\"x\", 5] }] }",
    "{ var = \"w\", above = 4 }",
    "{ var = \"v\", below = 9 }",
    "{ not = { any = [{ var = \"v\", present = true }, { level = \"fresh\" }] } }",
    "{ open = \"h\" }",
    "{ time = \"mon-fri 09:00-17:00\", zone = \"UTC\" }",
];

/// Where levels are proved, by the state that it begins with: one factor after the other, and back.
pub(super) const PROVERS: [(&str, &str); 3] = [
    (
        "prove",
        "[states.prove]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\ntries = 1\n\
         on = { ok = \"prove2\", failed = \"back\", locked = \"back\" }\n\
         [states.prove2]\ntype = \"send_sms_otp\"\n\
         on = { sent = \"prove3\", unavailable = \"back\", limited = \"back\" }\n\
         [states.prove3]\ntype = \"gather_otp\"\nprompt = \"Code?\"\ntries = 1\n\
         on = { ok = \"back\", failed = \"back\", expired = \"back\", undelivered = \"back\" }\n",
    ),
    (
        "show",
        "[states.show]\ntype = \"gather_passcode\"\nprompt = \"Passcode?\"\ntries = 1\n\
         verdict = \"combined\"\non = { ok = \"show2\", failed = \"back\", locked = \"back\" }\n\
         [states.show2]\ntype = \"callback\"\ntries = 1\n\
         on = { ok = \"back\", failed = \"back\", no_answer = \"back\", unavailable = \"back\", limited = \"back\" }\n",
    ),
    (
        "mail",
        "[states.mail]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\ntries = 1\n\
         verdict = \"combined\"\non = { ok = \"mail2\", failed = \"back\", locked = \"back\" }\n\
         [states.mail2]\ntype = \"send_email_otp\"\n\
         on = { sent = \"mail3\", unavailable = \"back\", limited = \"back\" }\n\
         [states.mail3]\ntype = \"gather_otp\"\nprompt = \"Code?\"\ntries = 1\n\
         on = { ok = \"back\", failed = \"back\", expired = \"back\", undelivered = \"back\" }\n",
    ),
];
pub(super) const BACK: &str = "[states.back]\ntype = \"return\"\n";

const SAYS: [&str; 7] = [
    "So.",
    "So.",
    "So.",
    "Hello {{ account.first_name }}.",
    "{{ account.balance | money }}.",
    "On {{ account.visit | date }}.",
    "It is {{ v }}.",
];
const SETS: [&str; 5] = [
    "v = \"{{ account.first_name }}\"",
    "v = \"{{ account.balance }}\"",
    "w = \"{{ v }}\", v = 1",
    "v = \"{{ w }} {{ account.first_name }}\"",
    "v = \"x\"",
];

/// What makes states.
pub(super) struct Maker<'d> {
    pub(super) dice: &'d mut Dice,
    /// The states of the flow.
    pub(super) count: usize,
    /// Whether one may call the sub-flow.
    pub(super) calls: bool,
    /// What branches ask.
    pub(super) branches: &'d [&'d str],
    /// Whether most states lead on alike where a stranger could tell who is a customer.
    pub(super) even: bool,
    pub(super) onwards: Onwards,
}

/// Where states lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onwards {
    /// Anywhere behind them, and back now and then.
    Anywhere,
    /// To those that follow soon, so that ways are long, and back now and then.
    Soon,
    /// Nearly always to the next one, whatever becomes of them.
    Straight,
}

/// What a state is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Say,
    Menu,
    Identify,
    Pin,
    Passcode,
    SmsCode,
    EmailCode,
    Link,
    Code,
    ServiceCode,
    Callback,
    Transfer,
    Voicemail,
    Lookup,
    Branch,
    Set,
    Gather,
    Hangup,
    Reject,
    Call,
}

/// Each as often as it is drawn.
const OFTEN: [(Of, usize); 20] = [
    (Of::Say, 1),
    (Of::Menu, 1),
    (Of::Identify, 2),
    (Of::Pin, 2),
    (Of::Passcode, 1),
    (Of::SmsCode, 2),
    (Of::EmailCode, 1),
    (Of::Link, 1),
    (Of::Code, 2),
    (Of::ServiceCode, 1),
    (Of::Callback, 1),
    (Of::Transfer, 2),
    (Of::Voicemail, 1),
    (Of::Lookup, 2),
    (Of::Branch, 3),
    (Of::Set, 2),
    (Of::Gather, 1),
    (Of::Hangup, 1),
    (Of::Reject, 1),
    (Of::Call, 1),
];

impl Maker<'_> {
    /// The state of this number.
    pub(super) fn made(&mut self, number: usize) -> Made {
        self.made_of(number, None)
    }

    fn often(&mut self) -> Of {
        let most = if self.calls { OFTEN.len() } else { OFTEN.len() - 1 };
        let all = OFTEN[..most].iter().flat_map(|(of, times)| std::iter::repeat_n(*of, *times));
        *self.dice.one(&all.collect::<Vec<_>>())
    }

    /// The state of this number, drawn as such a one; `None`: as any.
    pub(super) fn made_of(&mut self, number: usize, of: Option<Of>) -> Made {
        let ways = Ways { a: self.to(number), b: self.to(number), c: self.to(number) };
        let denied = self.to(number);
        let requires = self.dice.once_in(3).then(|| (*self.dice.one(&LEVELS)).to_owned());
        let of = of.unwrap_or_else(|| {
            // Nothing can be proved of nobody.
            let claims = number == 0 && !self.dice.once_in(6);
            if claims { Of::Identify } else { self.often() }
        });
        let (mut lines, on) = self.drawn(of, ways);
        if requires.is_some() && self.dice.once_in(3) {
            let notice = ["true", "\"Somebody was let in.\"", "\"{{ account.first_name }}: you?\""];
            lines += &format!("notify = {}\n", self.dice.one(&notice));
        }
        if !self.even && self.dice.once_in(9) {
            lines += "accept = [\"enumeration\"]\n";
        }
        let proves = requires.is_some() && self.dice.once_in(2);
        let step_up = proves.then(|| self.prover());
        Made { name: format!("s{number}"), lines, requires, step_up, guards: 0, denied, on }
    }

    /// Mostly onwards, so that there is an end.
    fn to(&mut self, number: usize) -> String {
        let left = self.count - number;
        let far = if self.onwards == Onwards::Anywhere { left } else { left.min(3) };
        let onwards = number + 1 + self.dice.below(far);
        let next = match self.onwards {
            Onwards::Straight if self.dice.once_in(12) => onwards,
            Onwards::Straight => number + 1,
            _ if self.dice.once_in(6) => self.dice.below(self.count),
            _ => onwards,
        };
        if next >= self.count { "bye".to_owned() } else { format!("s{next}") }
    }

    fn prover(&mut self) -> &'static str {
        // A callback tells those who show the number on file.
        let of = if self.even { &PROVERS[..1] } else { &PROVERS[..] };
        self.dice.one(of).0
    }

    fn words(&mut self) -> &'static str {
        SAYS[self.dice.below(SAYS.len())]
    }

    /// Whether two ways of a state lead on alike, for a stranger could tell who is a customer.
    fn evens(&mut self) -> bool {
        self.even && !self.dice.once_in(12)
    }

    /// A line that is there now and then.
    fn perhaps(&mut self, line: &str) -> String {
        if self.dice.once_in(5) { format!("{line}\n") } else { String::new() }
    }

    fn spoken(&mut self, key: &str) -> String {
        let words = self.words();
        self.perhaps(&format!("{key} = \"{words}\""))
    }

    fn listens(&mut self, kind: &str) -> String {
        let tries = if self.dice.once_in(5) { 2 } else { 1 };
        let mut lines = format!("type = \"{kind}\"\nprompt = \"What?\"\ntries = {tries}\n");
        lines += &self.spoken("reprompt");
        lines += &self.spoken("last_prompt");
        lines += &self.perhaps("timeout = \"4s\"");
        lines + &self.perhaps("barge_in = false")
    }

    fn drawn(&mut self, of: Of, ways: Ways) -> Lines {
        match of {
            Of::Say => {
                let next = ways.a;
                (format!("type = \"say\"\nprompt = \"{}\"\nnext = \"{next}\"\n", self.words()), vec![])
            }
            Of::Menu => self.menu(ways),
            Of::Identify => self.identify(ways),
            Of::Pin => self.secret("gather_pin", ways),
            Of::Passcode => self.secret("gather_passcode", ways),
            Of::SmsCode => self.sends("send_sms_otp", ways),
            Of::EmailCode => self.sends("send_email_otp", ways),
            Of::Link => self.link(ways),
            Of::Code => self.code(ways),
            Of::ServiceCode => self.service_code(ways),
            Of::Callback if self.even => self.code(ways),
            Of::Callback => self.callback(ways),
            Of::Transfer => self.transfer(ways),
            Of::Voicemail => self.voicemail(ways),
            Of::Lookup => self.lookup(ways),
            Of::Branch => self.branch(&ways),
            Of::Set => self.set(&ways),
            Of::Gather => self.gather(ways),
            Of::Hangup => (format!("type = \"hangup\"\n{}", self.spoken("prompt")), vec![]),
            Of::Reject => {
                let reasons = ["", "reason = \"busy\"\n", "reason = \"rejected\"\n"];
                (format!("type = \"reject\"\n{}", self.dice.one(&reasons)), vec![])
            }
            Of::Call => (
                "type = \"call\"\nflow = \"sub\"\nwith = { v = \"v\", w = \"w\" }\ngive = { v = \"w\" }\n".into(),
                vec![("ok", ways.a), ("failed", ways.b)],
            ),
        }
    }

    fn menu(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let mut lines = format!("{}keys = {{ 1 = \"{a}\", 2 = \"{b}\" }}\n", self.listens("menu"));
        lines += &self.perhaps(&format!("phrases = {{ more = \"{b}\" }}"));
        (lines, vec![("no_input", c.clone()), ("no_match", c)])
    }

    fn identify(&mut self, Ways { a, b, .. }: Ways) -> Lines {
        let by = [
            "[\"digits\"]",
            "[\"digits\"]",
            "[\"caller_id\", \"digits\"]",
            "[\"digits\", \"speech\"]",
        ];
        let by = *self.dice.one(&by);
        let lines = if self.dice.once_in(6) {
            "type = \"identify\"\nby = [\"caller_id\"]\n".to_owned()
        } else {
            format!("{}by = {by}\ndigits = 8\n", self.listens("identify"))
        };
        let unknown = if self.evens() { a.clone() } else { b };
        (lines, vec![("found", a), ("unknown", unknown)])
    }

    fn secret(&mut self, kind: &str, Ways { a, b, c }: Ways) -> Lines {
        let mut lines = format!("{}digits = 6\n", self.listens(kind));
        let verdict = ["", "", "verdict = \"combined\"\n", "verdict = \"own\"\n"];
        lines += *self.dice.one(&verdict);
        if kind == "gather_pin" {
            lines += &self.perhaps("speech = true");
        }
        let alike = if self.even { !self.dice.once_in(4) } else { self.dice.once_in(2) };
        let locked = if alike { b.clone() } else { c };
        (lines, vec![("ok", a), ("failed", b), ("locked", locked)])
    }

    fn sends(&mut self, kind: &str, Ways { a, b, c }: Ways) -> Lines {
        let message = [
            "",
            "message = \"Your code: {{ code }}\"\n",
            "message = \"{{ account.first_name }}: {{ code }}\"\n",
        ];
        let lines = format!("type = \"{kind}\"\n{}", *self.dice.one(&message));
        let unavailable = if self.evens() { a.clone() } else { b };
        (lines, vec![("sent", a), ("unavailable", unavailable), ("limited", c)])
    }

    fn link(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let lines = format!("type = \"send_link\"\nmessage = \"{}\"\n", self.words());
        let unavailable = if self.evens() { a.clone() } else { b };
        (lines, vec![("sent", a), ("unavailable", unavailable), ("limited", c)])
    }

    fn code(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let lines = self.listens("gather_otp") + &self.perhaps("digits = 6");
        let undelivered = if self.evens() { b.clone() } else { c };
        let failed = [("failed", b.clone()), ("expired", b), ("undelivered", undelivered)];
        (lines, [("ok", a)].into_iter().chain(failed).collect())
    }

    fn service_code(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let mut lines = format!("{}digits = 6\n", self.listens("gather_service_code"));
        lines += &self.perhaps("purpose = \"card\"");
        let locked = if self.evens() { b.clone() } else { c };
        (lines, vec![("ok", a), ("failed", b), ("locked", locked)])
    }

    fn callback(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let mut lines = "type = \"callback\"\ntries = 1\n".to_owned();
        lines += &self.spoken("prompt");
        lines += &self.spoken("hang_up_prompt");
        lines += &self.perhaps("ring = \"20s\"");
        lines += &self.perhaps("timeout = \"20s\"");
        let on = vec![
            ("ok", a),
            ("failed", b.clone()),
            ("no_answer", b),
            ("unavailable", c.clone()),
            ("limited", c),
        ];
        (lines, on)
    }

    fn transfer(&mut self, Ways { a, b, .. }: Ways) -> Lines {
        let whom = [
            "number = \"+15005550020\"",
            "sip = \"sip:desk@example.com\"",
            "queue = \"service\"",
            "workflow = \"WW0123456789abcdef0123456789abcdef\"",
            "conference = \"desk\"",
            "conference = \"desk\"",
            "conference = \"desk\"",
        ];
        let whom = *self.dice.one(&whom);
        let mut lines = format!("type = \"transfer\"\nto = {{ {whom} }}\n");
        if whom.starts_with("conference") {
            lines += &format!("agent_step_up = \"{}\"\n", self.prover());
        }
        if whom.starts_with("number") || whom.starts_with("sip") {
            lines += &self.spoken("whisper");
        }
        lines += &self.spoken("prompt");
        lines += &self.perhaps("share = [\"first_name\", \"balance\"]");
        lines += &self.perhaps("timeout = \"20s\"");
        let on = ["completed", "busy", "no_answer", "failed", "declined"];
        let to = |outcome| (outcome, if outcome == "completed" { a.clone() } else { b.clone() });
        (lines, on.map(to).to_vec())
    }

    fn voicemail(&mut self, Ways { a, b, .. }: Ways) -> Lines {
        let mut lines = format!("type = \"voicemail\"\nprompt = \"{}\"\n", self.words());
        lines += &self.perhaps("max_length = \"30s\"");
        lines += &self.perhaps("silence = \"4s\"");
        (lines, vec![("ok", a), ("no_input", b)])
    }

    fn lookup(&mut self, Ways { a, b, .. }: Ways) -> Lines {
        let mut lines = "type = \"lookup\"\nbackend = \"ledger\"\n".to_owned();
        lines += &self.perhaps("path = \"sums/open\"");
        let account = if self.even && self.dice.once_in(2) { "" } else { "account = false" };
        lines += &if self.even { format!("{account}\n") } else { self.perhaps(account) };
        let anyone = if self.even && account.is_empty() { "lo" } else { "anyone" };
        let send = ["v = \"{{ v }}\", n = 1", "sum = \"{{ account.balance }}\""];
        let send = *self.dice.one(&send);
        lines += &self.perhaps(&format!("send = {{ {send} }}"));
        let label = *self.dice.one(&[anyone, "lo", "hi", "said"]);
        let (one, other) = (self.dice.one(&["text", "number"]), self.dice.one(&["flag", "date"]));
        lines += &format!(
            "give = {{ v = {{ type = \"{one}\", label = \"{label}\" }}, w = {{ type = \"{other}\", label = \"{anyone}\" }} }}\n"
        );
        let failed = if self.evens() { a.clone() } else { b };
        (lines, vec![("ok", a), ("failed", failed)])
    }

    fn branch(&mut self, Ways { a, b, .. }: &Ways) -> Lines {
        let when = *self.dice.one(self.branches);
        let cases = format!("cases = [{{ when = {when}, next = \"{a}\" }}]\notherwise = \"{b}\"\n");
        (format!("type = \"branch\"\n{cases}"), vec![])
    }

    fn set(&mut self, Ways { a, .. }: &Ways) -> Lines {
        let values = *self.dice.one(&SETS);
        let mut lines = format!("type = \"set\"\nvalues = {{ {values} }}\nnext = \"{a}\"\n");
        lines += &self.perhaps("locale = \"es-MX\"");
        (lines, vec![])
    }

    fn gather(&mut self, Ways { a, b, c }: Ways) -> Lines {
        let kinds = [
            "digits = 3\n",
            "kind = \"digits\"\nspeech = true\n",
            "kind = \"speech\"\n",
            "kind = \"amount\"\nat_least = 1\nat_most = 500\n",
            "kind = \"date\"\nformat = \"mmddyyyy\"\n",
            "kind = \"date\"\nformat = \"ddmmyyyy\"\n",
            "kind = \"date\"\nformat = \"yyyymmdd\"\n",
        ];
        let kind = *self.dice.one(&kinds);
        let variable = *self.dice.one(&["v", "w"]);
        let lines = format!("{}var = \"{variable}\"\n{kind}", self.listens("gather"));
        (lines, vec![("ok", a), ("no_input", b), ("invalid", c)])
    }
}

impl Made {
    /// A state that is written like that.
    pub(super) fn named(name: &str, lines: &str) -> Self {
        let (name, lines) = (name.to_owned(), lines.to_owned());
        let (requires, step_up, denied, on) = (None, None, "bye".to_owned(), Vec::new());
        Self { name, lines, requires, step_up, guards: 0, denied, on }
    }

    /// It says something, and the way ends.
    pub(super) fn plain(&mut self, end: &str) {
        self.lines = format!("type = \"say\"\nprompt = \"So.\"\nnext = \"{end}\"\n");
        self.on.clear();
        self.leads_out(end);
    }

    /// It waits for the caller, who may go on as before.
    pub(super) fn waits(&mut self, end: &str) {
        let next = self.lines.split("next = \"").nth(1).and_then(|next| next.split('"').next());
        let to = self.on.first().map_or(next.unwrap_or(end), |(_, to)| to).to_owned();
        self.lines = format!(
            "type = \"menu\"\nprompt = \"So.\"\ntries = 1\nkeys = {{ 1 = \"{to}\", 2 = \"{end}\" }}\n"
        );
        self.on = ["no_input", "no_match"].map(|outcome| (outcome, end.to_owned())).to_vec();
        self.leads_out(end);
    }

    /// Whether it takes a claim.
    pub(super) fn claims(&self) -> bool {
        self.lines.starts_with("type = \"identify\"\n")
    }

    /// It has no such way out.
    pub(super) fn without(&mut self, outcome: &str) {
        self.on.retain(|(it, _)| *it != outcome);
    }

    /// Nobody is kept from it, nor told of.
    pub(super) fn open(&mut self) {
        (self.requires, self.step_up) = (None, None);
        let lines = self.lines.split_inclusive('\n');
        self.lines = lines.filter(|line| !line.starts_with("notify = ")).collect();
    }

    /// Whoever is turned away is led to an end.
    pub(super) fn leads_out(&mut self, to: &str) {
        to.clone_into(&mut self.denied);
    }

    /// Leads elsewhere what leads to this state.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        self.lines = self.lines.replace(from, to);
        let bare = |it: &str| it.trim_matches('"').to_owned();
        let leads = self.on.iter_mut().map(|(_, to)| to).chain([&mut self.denied]);
        leads.filter(|it| **it == bare(from)).for_each(|it| *it = bare(to));
    }

    /// The state as it is written.
    pub(super) fn text(&self) -> String {
        let mut text = format!("[states.{}]\n{}", self.name, self.lines);
        let mut on = self.on.clone();
        if let Some(level) = &self.requires {
            text = format!("{text}requires = \"{level}\"\n");
            on.push(("denied", self.denied.clone()));
            if let Some(prover) = self.step_up {
                text = format!("{text}step_up = \"{prover}\"\n");
            }
        }
        let on: Vec<_> = on.iter().map(|(outcome, to)| format!("{outcome} = \"{to}\"")).collect();
        if !on.is_empty() {
            text = format!("{text}on = {{ {} }}\n", on.join(", "));
        }
        text
    }

    /// What it says about a level is mended: it asks for it, and can be proved.
    pub(super) fn guard(&mut self, level: Option<&str>, dice: &mut Dice) {
        if let Some(level) = level {
            self.requires = Some(level.to_owned());
        }
        self.step_up.get_or_insert_with(|| dice.one(&PROVERS).0);
        self.guards += 1;
    }
}
