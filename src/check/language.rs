//! The pages of what the reader itself reports: mistakes in the language.

use super::Page;
use crate::diagnostic::Severity;

/// A code of the reader.
struct Entry {
    code: &'static str,
    title: &'static str,
    what: &'static str,
    fix: &'static str,
    before: &'static str,
    after: &'static str,
}

/// The codes that the reader reports. All are errors: what it cannot read cannot be used.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.code)
}

/// Their pages.
pub(super) fn pages() -> impl Iterator<Item = Page> {
    ENTRIES.iter().map(|entry| Page {
        code: entry.code,
        title: entry.title,
        severity: Severity::Error,
        text: format!(
            "{}\n\n## How to fix it\n\n{}\n\n## Before\n\n```toml\n{}\n```\n\n## After\n\n```toml\n{}\n```",
            entry.what, entry.fix, entry.before, entry.after
        ),
    })
}

const ENTRIES: &[Entry] = &[
    Entry {
        code: "syntax",
        title: "the file is not TOML",
        what: "The file cannot be read to its end: a quote, a bracket, a comma or an `=` is missing or too
many, or a key is there twice, or the file is not in UTF-8. What could be read is checked all the
same, except for what may have been lost.",
        fix: "Mend the place shown. One mistake can make what follows it unreadable, so mend the first first.",
        before: r#"next = "menu"#,
        after: r#"next = "menu""#,
    },
    Entry {
        code: "too-large",
        title: "a file that is too large",
        what: "A flow file has at most 4 MiB, which is far more than anybody reads.",
        fix: "Move parts into sub-flows, and enter them with `call`.",
        before: "# one file for everything",
        after: r#"[states.verify]
type = "call"
flow = "verify"
on = { ok = "menu", failed = "agent" }"#,
    },
    Entry {
        code: "missing-key",
        title: "something that must be said is not",
        what: "A flow or a state lacks a key without which it means nothing.",
        fix: "Add the key. `callgate explain menu` lists the keys of a menu, and so with every other type.",
        before: r#"[states.welcome]
type = "say"
prompt = "Welcome.""#,
        after: r#"[states.welcome]
type = "say"
prompt = "Welcome."
next = "menu""#,
    },
    Entry {
        code: "unknown-key",
        title: "a key that nothing reads",
        what: "A key that a table of this kind does not have. It is never ignored: a misspelt `requires` would
leave a state unguarded.",
        fix: "Correct its spelling, or delete it.",
        before: r#"[states.welcome]
type = "say"
promt = "Welcome.""#,
        after: r#"[states.welcome]
type = "say"
prompt = "Welcome.""#,
    },
    Entry {
        code: "wrong-type",
        title: "a value of the wrong kind",
        what: "A number stands where a text is wanted, a text where a table is, and so on.",
        fix: "Write the value as the message says. Texts and durations stand in quotes, numbers do not.",
        before: "timeout = 5",
        after: r#"timeout = "5s""#,
    },
    Entry {
        code: "empty-value",
        title: "something is empty",
        what: "A text, a table or a list has nothing in it, and so says nothing.",
        fix: "Fill it, or leave the key out.",
        before: r#"prompt = """#,
        after: r#"prompt = "Welcome.""#,
    },
    Entry {
        code: "out-of-range",
        title: "a number or duration that is too small or too large",
        what: "A value is outside the bounds that make sense for its key.",
        fix: "Choose a value within the bounds that the message names.",
        before: "tries = 20",
        after: "tries = 3",
    },
    Entry {
        code: "unknown-value",
        title: "a word that the key cannot be",
        what: "The key takes one of a few words, and this is none of them.",
        fix: "Use one of the words that the message names.",
        before: r#"kind = "number""#,
        after: r#"kind = "amount""#,
    },
    Entry {
        code: "bad-duration",
        title: "a text that is no duration",
        what: "A duration is numbers with their units: `s`, `m`, `h`, `d`.",
        fix: "Write it so.",
        before: r#"timeout = "5 parsecs""#,
        after: r#"timeout = "5s""#,
    },
    Entry {
        code: "bad-date",
        title: "a text that is no date",
        what: "A date is year, month and day.",
        fix: "Write it so.",
        before: r#"closed = ["25.12.2026"]"#,
        after: r#"closed = ["2026-12-25"]"#,
    },
    Entry {
        code: "bad-name",
        title: "a text that cannot be a name",
        what: "Names of flows, states and variables are a letter, then letters, digits, `_` and `-`; `account` and
`code` have a meaning of their own. The name of the business stands in messages and in the heads of mails: it is
one line. A voice has the provider's name for it: letters, digits, `-`, `_` and `.`.",
        fix: "Choose another name.",
        before: r#"[states."main menu"]"#,
        after: "[states.main_menu]",
    },
    Entry {
        code: "bad-locale",
        title: "a text that is no language",
        what: "A language is a BCP 47 tag: its code in small letters, with a country where that matters.",
        fix: "Write the tag.",
        before: r#"locale = "english""#,
        after: r#"locale = "en-US""#,
    },
    Entry {
        code: "bad-currency",
        title: "a text that is no currency",
        what: "A currency is its ISO 4217 code.",
        fix: "Write the code in capital letters.",
        before: r#"currency = "dollars""#,
        after: r#"currency = "USD""#,
    },
    Entry {
        code: "too-many-states",
        title: "a flow of too many states",
        what: "A flow has at most 10,000 states, which is far more than anybody oversees.",
        fix: "Move parts into sub-flows, and enter them with `call`.",
        before: "# 10,001 states",
        after: r#"[states.cards]
type = "call"
flow = "cards"
on = { done = "menu" }"#,
    },
    Entry {
        code: "unknown-type",
        title: "a state type that does not exist",
        what: "`type` says what a state does, and this is none of the types.",
        fix: "Use one of the types. `callgate schema` lists them.",
        before: r#"type = "gatherpin""#,
        after: r#"type = "gather_pin""#,
    },
    Entry {
        code: "unknown-outcome",
        title: "an outcome that never comes",
        what: "`on` routes an outcome with which such a state never ends, or a word that the sub-flow never
returns.",
        fix: "Correct its spelling, or delete it. `next` and `otherwise` stand beside `on`.",
        before: r#"on = { no_input = "bye", nomatch = "menu" }"#,
        after: r#"on = { no_input = "bye", no_match = "menu" }"#,
    },
    Entry {
        code: "unrouted-outcome",
        title: "an outcome that leads nowhere",
        what: "A state can end in a way for which `on` says no state. Every way must lead somewhere: a caller
will take it.",
        fix: "Route it.",
        before: r#"on = { ok = "menu", failed = "agent" }"#,
        after: r#"on = { ok = "menu", failed = "agent", locked = "agent" }"#,
    },
    Entry {
        code: "unknown-state",
        title: "a state that does not exist",
        what: "Something leads to a state that the flow does not have.",
        fix: "Correct the name, or add the state.",
        before: r#"next = "mneu""#,
        after: r#"next = "menu""#,
    },
    Entry {
        code: "step-up-without-requires",
        title: "a step-up that is never taken",
        what: "`step_up` is where a caller goes who does not meet the level that `requires` names. Without
`requires` everybody enters, and nothing is proved.",
        fix: "Name the level, or delete `step_up`.",
        before: r#"[states.balance]
type = "say"
step_up = "prove""#,
        after: r#"[states.balance]
type = "say"
requires = "strong"
step_up = "prove""#,
    },
    Entry {
        code: "notify-without-requires",
        title: "a notice that strangers could send",
        what: "`notify` tells the owner of an account that a caller was let into a state. Without `requires` a
caller who has proved nothing would be let in, and anybody could have messages sent to the owner.",
        fix: "Name the level, or delete `notify`.",
        before: r#"[states.new_card]
type = "transfer"
notify = true"#,
        after: r#"[states.new_card]
type = "transfer"
requires = "strict"
step_up = "verify_both"
notify = true"#,
    },
    Entry {
        code: "duplicate-flow",
        title: "two flows of one name",
        what: "Flows are known by their `name`, not by their file, and two files have the same.",
        fix: "Rename one.",
        before: r#"# in sales.toml
name = "bank""#,
        after: r#"# in sales.toml
name = "sales""#,
    },
    Entry {
        code: "unknown-flow",
        title: "a flow that does not exist",
        what: "A state calls a flow that is in none of the files checked.",
        fix: "Correct the name, or check the files together. A flow is called by its `name`, whatever its file is called.",
        before: r#"flow = "verfy""#,
        after: r#"flow = "verify""#,
    },
    Entry {
        code: "unknown-level",
        title: "a level that does not exist",
        what: "A level is used that neither this flow nor one that calls it defines.",
        fix: "Correct the name, or define it under `[levels]`.",
        before: r#"requires = "storng""#,
        after: r#"requires = "strong""#,
    },
    Entry {
        code: "unknown-fact",
        title: "a fact that does not exist",
        what: "A level or a condition names something that no state proves.",
        fix: "Use a fact (`pin`, `passcode`, `sms_otp`, `email_otp`, `callback`, `service_code`) or, in a level, a
class (`knowledge`, `possession`).",
        before: r#"basic = { any = ["password"] }"#,
        after: r#"basic = { any = ["passcode"] }"#,
    },
    Entry {
        code: "bad-level",
        title: "a level that demands nothing",
        what: "A level must say what proves it: `any` of some facts, or `all` of them.",
        fix: "Write one of the two, with at least one fact.",
        before: r#"basic = ["pin", "passcode"]"#,
        after: r#"basic = { any = ["pin", "passcode"] }"#,
    },
    Entry {
        code: "unknown-hours",
        title: "opening hours that do not exist",
        what: "A condition asks about opening hours that the flow does not define.",
        fix: "Correct the name, or define them.",
        before: r#"when = { open = "offices" }"#,
        after: r#"when = { open = "office" }"#,
    },
    Entry {
        code: "unknown-zone",
        title: "a time zone that does not exist",
        what: "Time zones go by their IANA names.",
        fix: "Write a continent and a city.",
        before: r#"zone = "EST5""#,
        after: r#"zone = "America/New_York""#,
    },
    Entry {
        code: "bad-hours",
        title: "a text that is no opening time",
        what: "Opening times are days and a span of time, `mon-fri 09:00-17:00`. A span that ends before it begins
goes on past midnight; without days it is every day.",
        fix: "Write it so.",
        before: r#"open = ["Monday to Friday 9-5"]"#,
        after: r#"open = ["mon-fri 09:00-17:00"]"#,
    },
    Entry {
        code: "unknown-variable",
        title: "a variable that nothing sets",
        what: "A text or a condition uses a variable that no state of the flow sets and no caller passes in.",
        fix: "Correct the name, or set it first.",
        before: r#"prompt = "You owe {{ ammount }}.""#,
        after: r#"prompt = "You owe {{ amount }}.""#,
    },
    Entry {
        code: "undisclosed-field",
        title: "an account field that nobody may hear",
        what: "A field of the account is used, and `[disclose]` does not say who may hear it.",
        fix: "Name it under `[disclose]`, with the level it needs.",
        before: r#"prompt = "Hello {{ account.first_name }}.""#,
        after: r#"[disclose]
first_name = "basic""#,
    },
    Entry {
        code: "bad-template",
        title: "a text that cannot be filled in",
        what: "What stands between `{{` and `}}` cannot be read, or can never be filled in; or it stands where nothing
is filled in: in a phrase, say, or in the purpose of a code.",
        fix: "Write the name of a variable, `account.` and a field, and optionally a filter.",
        before: r#"prompt = "You owe {{ amount | mony }}.""#,
        after: r#"prompt = "You owe {{ amount | money }}.""#,
    },
    Entry {
        code: "text-too-long",
        title: "a text that is far too long",
        what: "A text has more than 3000 characters, about four minutes of speech.",
        fix: "Say less, or split it over several states.",
        before: r#"prompt = "Please listen to our terms and conditions. …""#,
        after: r#"prompt = "Our terms are on our web site.""#,
    },
    Entry {
        code: "bad-message",
        title: "a message that cannot be sent as it is",
        what: "A text message is plain text of at most 600 characters, and what is longer would be cut; the texts of a list
are sent as one, with blanks between them. One with a code has `{{ code }}` in it exactly once, unchanged, in every
language: telephones recognise it as one run of digits.",
        fix: "Put it in once, without a filter; say less.",
        before: r#"message = "Your code is {{ code | digits }}.""#,
        after: r#"message = "Your code is {{ code }}.""#,
    },
    Entry {
        code: "bad-address",
        title: "a sound that cannot be fetched",
        what: "The provider fetches sounds itself, from an `https://` address, which is fixed: nothing is filled in there, and
blanks and letters beyond a to z are written as `%` and digits.",
        fix: "Write the whole address.",
        before: r#"prompt = [{ play = "welcome.mp3" }]"#,
        after: r#"prompt = [{ play = "https://example.com/welcome.mp3" }]"#,
    },
    Entry {
        code: "bad-path",
        title: "a path that a back end is not asked for",
        what: "What a `lookup` asks for is a fixed path below the address that the configuration gives the back end:
names of letters, digits, `-`, `_` and `.`, parted by `/`.",
        fix: "Write the path alone; what changes from call to call belongs into `send`.",
        before: r#"path = "invoices?month=3""#,
        after: r#"path = "invoices"
send = { month = "{{ month }}" }"#,
    },
    Entry {
        code: "bad-condition",
        title: "a condition that cannot be decided",
        what: "A condition asks about exactly one thing, and holds a variable or a field against exactly one
test.",
        fix: "Join several with `all` or `any`.",
        before: r#"when = { var = "amount", above = 5, below = 9 }"#,
        after: r#"when = { all = [{ var = "amount", above = 5 }, { var = "amount", below = 9 }] }"#,
    },
    Entry {
        code: "bad-gather",
        title: "a key of `gather` that has no meaning here",
        what: "Some keys of `gather` belong to one `kind` alone: `digits` to digits, `format` to dates, `at_least`
and `at_most` to amounts, and `speech` to digits and amounts. And some amount must be both.",
        fix: "Change `kind`, or delete the key; of two bounds, write the greater one at `at_most`.",
        before: r#"kind = "speech"
digits = 8"#,
        after: r#"kind = "digits"
digits = 8"#,
    },
    Entry {
        code: "bad-identify",
        title: "a prompt that asks for what is not taken",
        what: "The state asks for an account number, and `by` takes none.",
        fix: r#"Add `"digits"` to `by`, or delete the prompt."#,
        before: r#"by = ["caller_id"]
prompt = "Your account number, please.""#,
        after: r#"by = ["caller_id", "digits"]
prompt = "Your account number, please.""#,
    },
    Entry {
        code: "bad-key",
        title: "a key that no telephone has",
        what: "Telephones have the keys `0` to `9`, `*` and `#`, and a menu takes one of them.",
        fix: "Use one of these; longer entries are for `gather`.",
        before: r#"keys = { 10 = "agent" }"#,
        after: r#"keys = { 0 = "agent" }"#,
    },
    Entry {
        code: "bad-transfer",
        title: "a transfer that leads nowhere",
        what: "`to` names exactly one number, SIP address, queue, workflow or conference, which is fixed, and only the
first two can hear a `whisper`.",
        fix: "Name one, as the message says.",
        before: r#"to = { number = "555-0100" }"#,
        after: r#"to = { number = "+15005550100" }"#,
    },
];
