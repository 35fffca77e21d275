//! What wide flows say, ask, set, send and hand over, in every shape that the language has.

use super::made::Made;
use super::random::Dice;

/// The levels of a flow.
pub(super) const LEVELS: [&str; 6] = ["lo", "hi", "both", "fresh", "said", "risky"];
/// What is kept under them.
pub(super) const FIELDS: [&str; 5] = ["first_name", "balance", "visit", "vip", "tier"];
/// A level that each flow but the first has for itself.
const OWN: &str = "own";
const VARIABLES: [&str; 3] = ["v", "w", "u"];

const PROOFS: [&str; 8] = [
    "pin",
    "passcode",
    "sms_otp",
    "email_otp",
    "callback",
    "service_code",
    "knowledge",
    "possession",
];

/// What flows talk of.
pub(super) struct Theme {
    fields: Vec<&'static str>,
    variables: Vec<&'static str>,
    /// The levels that are asked for, and carried by what back ends say.
    levels: Vec<&'static str>,
    texts: Vec<String>,
    /// One text in so many names nothing.
    plain: usize,
    /// What a variable was made of last; `None`: of nothing yet, and texts are made of fields.
    carries: Option<&'static str>,
}

impl Theme {
    /// Everything there is.
    pub(super) fn all() -> Self {
        let (fields, variables) = (FIELDS.to_vec(), VARIABLES.to_vec());
        let texts = TEXTS.map(str::to_owned).to_vec();
        Self { fields, variables, levels: LEVELS.to_vec(), texts, plain: 3, carries: None }
    }

    /// Few things, so that what one state makes of something is what another tells.
    pub(super) fn few(dice: &mut Dice) -> Self {
        let (field, of) = (*dice.one(&FIELDS), dice.below(VARIABLES.len()));
        let (one, other) = (VARIABLES[of], VARIABLES[(of + 1) % VARIABLES.len()]);
        let texts = [
            format!("Of {{{{ account.{field} }}}}."),
            format!("Of {{{{ account.{field} }}}}, {{{{ {one} }}}}."),
            format!("{{% if account.{field} %}}Dear {{% endif %}}customer."),
            format!("It is {{{{ {one} }}}}."),
            format!("{{{{ {other} }}}} it is."),
            format!("{{{{ {other} | digits }}}}, {{{{ {one} }}}}."),
            format!("{{% if {one} == 'x' %}}Yes.{{% else %}}No.{{% endif %}}"),
            format!("{{{{ 'much' if {other} == '5' else 'little' }}}} {{{{ {one} | upper }}}}."),
        ];
        let (fields, variables) = (vec![field], vec![one, other]);
        Self {
            fields,
            variables,
            levels: LEVELS[..2].to_vec(),
            texts: texts.to_vec(),
            plain: 6,
            carries: None,
        }
    }
}

impl Theme {
    /// Whether it is of few things, so that each state goes on with what the last one made.
    fn goes_on(&self) -> bool {
        self.levels.len() < LEVELS.len()
    }

    /// Another variable than the one that carries something, which carries it from here on.
    fn next(&mut self) -> &'static str {
        let other = self.variables.iter().find(|it| Some(**it) != self.carries);
        self.carries = other.copied();
        other.unwrap()
    }

    /// What a back end's word may be kept under.
    fn labels(&self, flow: &str) -> Vec<&'static str> {
        if !self.goes_on() {
            return vec!["anyone", "lo", "hi", "said", "fresh", "both"];
        }
        let own = if flow == "main" { "anyone" } else { OWN };
        [&self.levels[..], &self.levels, &[own]].concat()
    }
}

/// A level at random.
pub(super) fn level(dice: &mut Dice) -> String {
    level_of(dice, &PROOFS)
}

/// A level at random that asks for some of these.
fn level_of(dice: &mut Dice, proofs: &[&str]) -> String {
    let mut one = || *dice.one(proofs);
    let (a, b, c) = (one(), one(), one());
    let formula = match dice.below(7) {
        0..=2 => format!("any = [\"{a}\"]"),
        3 | 4 => format!("any = [\"{a}\", {{ all = [\"{b}\", \"{c}\"] }}]"),
        5 => format!("all = [\"{a}\", \"{b}\"]"),
        _ => format!("all = [\"{a}\", {{ any = [\"{b}\", \"{c}\"] }}]"),
    };
    // Where callers are to get on, proofs count for a while.
    let get_on = proofs.len() < PROOFS.len();
    let within = if dice.once_in(if get_on { 2 } else { 3 }) {
        let short = usize::from(get_on);
        format!(", within = \"{}\"", dice.one(&["10s", "30s", "1m", "9m"][short..]))
    } else {
        String::new()
    };
    let at_risk = if dice.once_in(4) {
        let (band, more) = (dice.one(&["medium", "high"]), dice.one(proofs));
        let within = if dice.once_in(2) { ", within = \"5m\"" } else { "" };
        format!(", at_risk = {{ {band} = {{ any = [\"{more}\"]{within} }} }}")
    } else {
        String::new()
    };
    format!("{{ {formula}{within}{at_risk} }}")
}

/// How a flow begins, up to its states; its levels ask for `proofs` where it has some.
pub(super) fn head(dice: &mut Dice, name: &str, proofs: &[&str]) -> String {
    let proofs = if proofs.is_empty() { &PROOFS } else { proofs };
    let mut text = format!("name = \"{name}\"\n");
    let main = name == "main";
    let start = if main { "begin" } else { "s0" };
    text += &format!("start = \"{start}\"\n");
    let locale = ["", "", "locale = \"es-MX\"\n", "locale = \"en-GB\"\n"];
    text += *dice.one(&locale);
    let voice = [
        "",
        "",
        "voice = \"Polly.Joanna-Neural\"\n",
        "voice = { en-US = \"Polly.Joanna-Neural\", es-MX = \"Polly.Mia-Neural\" }\n",
    ];
    text += *dice.one(&voice);
    text += *dice.one(&["", "business = \"Acme\"\n"]);
    text += *dice.one(&["", "currency = \"EUR\"\n"]);
    text += "[hours.h]\nzone = \"America/New_York\"\nopen = [\"mon-fri 09:00-17:00\", \"fri 22:00-02:00\"]\n\
        closed = [\"2026-12-25\"]\n";
    let few = proofs.len() < PROOFS.len();
    if main || dice.once_in(3) || few {
        text += "[levels]\n";
        if few && !main {
            text += &format!("{OWN} = {}\n", level_of(dice, proofs));
        }
        for name in LEVELS {
            text += &format!("{name} = {}\n", level_of(dice, proofs));
        }
        text += "[disclose]\n";
        let few = if few { 2 } else { LEVELS.len() };
        for field in FIELDS {
            text += &format!("{field} = \"{}\"\n", dice.one(&LEVELS[..few]));
        }
    }
    if main {
        let budget = ["", "", "[budget]\nper_call = 0.99\npins = \"random\"\n"];
        text += *dice.one(&budget);
        text += "[states.begin]\ntype = \"set\"\nvalues = { v = \"x\", w = \"x\", u = 7 }\nnext = \"s0\"\n";
    }
    text
}

/// The same with other levels.
pub(super) fn with_levels(head: &str, levels: &str) -> String {
    let Some((before, rest)) = head.split_once("[levels]\n") else { return head.to_owned() };
    let (_, after) = rest.split_once("[disclose]").unwrap();
    format!("{before}[levels]\n{levels}[disclose]{after}")
}

/// Texts that name things.
const TEXTS: [&str; 11] = [
    "Hello {{ account.first_name }}.",
    "{{ account.balance | money }}.",
    "On {{ account.visit | date }}.",
    "It is {{ v }}.",
    "{{ w | digits }}, {{ u }}.",
    "{% if account.vip %}Dear {% endif %}customer.",
    "{% if v == 'x' %}Yes.{% else %}No.{% endif %}",
    "{{ account.tier | upper }} {{ u | money }}.",
    "{{ 'much' if w == '5' else 'little' }} {{ account.first_name | lower }}.",
    "{% for c in account.first_name %}{{ c }} {% endfor %}",
    "{% set n = account.balance %}{{ n }}",
];

/// A text that names things: a TOML string.
fn text(dice: &mut Dice, theme: &Theme) -> String {
    if theme.goes_on() && !dice.once_in(4) {
        let of =
            theme.carries.map_or_else(|| format!("account.{}", theme.fields[0]), str::to_owned);
        return format!("\"It is {{{{ {of} }}}}.\"");
    }
    let text = if dice.once_in(theme.plain) { "So." } else { dice.one(&theme.texts) };
    format!("\"{text}\"")
}

/// A prompt: a TOML value.
fn prompt(dice: &mut Dice, theme: &Theme) -> String {
    let (one, other) = (text(dice, theme), text(dice, theme));
    match dice.below(9) {
        0 => format!("{{ en-US = {one}, es-MX = {other} }}"),
        1 => format!("[{one}, {{ pause = \"1s\" }}, {{ play = \"https://example.com/a.wav\" }}]"),
        2 => format!("[{one}, {{ es-MX = {other} }}]"),
        3 => format!(
            "[{{ play = {{ en-US = \"https://example.com/e.wav\", es-MX = \"https://example.com/s.wav\" }} }}, {one}]"
        ),
        _ => one,
    }
}

/// A message without a code.
fn written(dice: &mut Dice, theme: &Theme) -> String {
    let (one, other) = (text(dice, theme), text(dice, theme));
    match dice.below(6) {
        0 => format!("{{ en-US = {one}, es-MX = {other} }}"),
        1 => format!("[{one}, {{ es-MX = {other} }}]"),
        _ => one,
    }
}

/// A message with a code in it.
fn message(dice: &mut Dice, theme: &Theme) -> String {
    let (field, variable) = (dice.one(&theme.fields), dice.one(&theme.variables));
    match dice.below(4) {
        0 => "\"Your code: {{ code }}\"".to_owned(),
        1 => format!("\"{{{{ account.{field} }}}}: {{{{ code }}}}\""),
        2 => format!(
            "{{ en-US = \"{{{{ {variable} }}}}: {{{{ code }}}}\", es-MX = \"Clave: {{{{ code }}}}\" }}"
        ),
        _ => format!("\"{{% if account.{field} %}}Dear customer, {{% endif %}}{{{{ code }}}}\""),
    }
}

/// A value that a `set` or a `send` gives.
fn value(dice: &mut Dice, theme: &Theme) -> String {
    match dice.below(if theme.goes_on() { 24 } else { 6 }) {
        0 => "1".into(),
        1 => "true".into(),
        2 => "\"5\"".into(),
        _ => text(dice, theme),
    }
}

/// Some of these.
fn some<'a>(dice: &mut Dice, of: &[&'a str]) -> Vec<&'a str> {
    loop {
        let some: Vec<_> = of.iter().copied().filter(|_| dice.once_in(2)).collect();
        if !some.is_empty() {
            return some;
        }
    }
}

fn test(dice: &mut Dice) -> &'static str {
    dice.one::<&str>(&[
        "equals = \"x\"",
        "equals = \"Ada\"",
        "equals = true",
        "one_of = [\"x\", 5, \"2026-12-03\"]",
        "at_least = 5",
        "at_most = 4",
        "above = 4",
        "below = 9",
        "present = true",
        "present = false",
    ])
}

/// A condition, with so many tables in each other at most.
fn condition(dice: &mut Dice, depth: usize, (field, theme): (&str, &Theme)) -> String {
    let many = |dice: &mut Dice| {
        let count = 1 + dice.below(3);
        let parts: Vec<_> =
            (0..count).map(|_| condition(dice, depth - 1, (field, theme))).collect();
        parts.join(", ")
    };
    match dice.below(if depth == 0 { 9 } else { 12 }) {
        0 => format!("{{ var = \"{}\", {} }}", dice.one(&theme.variables), test(dice)),
        1 | 2 => format!("{{ field = \"{field}\", {} }}", test(dice)),
        3 => format!("{{ fact = \"{}\" }}", dice.one(&PROOFS[..6])),
        4 => format!("{{ level = \"{}\" }}", dice.one(&theme.levels)),
        5 => {
            let of = ["A", "B", "C", "failed", "relayed", "none"];
            format!("{{ attestation = \"{}\" }}", dice.one(&of))
        }
        6 => {
            let key = *dice.one(&["risk", "risk_at_least"]);
            format!("{{ {key} = \"{}\" }}", dice.one(&["low", "medium", "high"]))
        }
        7 => "{ open = \"h\" }".into(),
        8 => "{ time = \"mon-fri 09:00-17:00\", zone = \"America/New_York\" }".into(),
        9 => format!("{{ not = {} }}", condition(dice, depth - 1, (field, theme))),
        // What is under a level is asked of those who have it.
        10 if dice.once_in(2) => format!(
            "{{ all = [{{ level = \"{}\" }}, {{ field = \"{}\", {} }}] }}",
            dice.one(&theme.levels),
            dice.one(&theme.fields),
            test(dice)
        ),
        10 => format!("{{ all = [{}] }}", many(dice)),
        _ => format!("{{ any = [{}] }}", many(dice)),
    }
}

/// Draws anew what a state says, asks, sets, sends and hands over; the states that this takes besides.
#[expect(clippy::too_many_lines, reason = "a line for each key")]
pub(super) fn anew(
    dice: &mut Dice,
    theme: &mut Theme,
    (flow, subs): (&str, &[&str]),
    made: &mut Made,
) -> Vec<Made> {
    let (mut more, claims) = (Vec::new(), made.claims());
    if claims && flow == "main" {
        made.open();
    }
    let lines: Vec<String> = made.lines.lines().map(str::to_owned).collect();
    let is = |kind: &str| made.lines.starts_with(&format!("type = \"{kind}\"\n"));
    let (looks_up, calls, branches) = (is("lookup"), is("call"), is("branch"));
    let sends = is("send_sms_otp") || is("send_email_otp");
    let mut anew = String::new();
    for line in &lines {
        let key = line.split(" = ").next().unwrap_or_default();
        let line = match key {
            "message" if sends => format!("message = {}", message(dice, theme)),
            "message" => format!("message = {}", written(dice, theme)),
            // Nobody is claimed there.
            "prompt" | "reprompt" | "last_prompt" if claims => {
                format!(
                    "{key} = {}",
                    dice.one(&["\"Who?\"", "\"Who, {{ v }}?\"", "[\"Who\", { pause = \"1s\" }]"])
                )
            }
            "prompt" | "reprompt" | "last_prompt" | "hang_up_prompt" | "whisper" => {
                format!("{key} = {}", prompt(dice, theme))
            }
            "notify" if !line.ends_with("true") => format!("notify = {}", written(dice, theme)),
            "values" if theme.goes_on() => {
                let value = value(dice, theme);
                format!("values = {{ {} = {value} }}", theme.next())
            }
            // What was made of something stays.
            "var" if theme.carries.is_some() => {
                let other = theme.variables.iter().find(|it| Some(**it) != theme.carries);
                format!("var = \"{}\"", other.unwrap())
            }
            "values" => {
                let names = some(dice, &theme.variables);
                let values: Vec<_> =
                    names.iter().map(|name| format!("{name} = {}", value(dice, theme))).collect();
                format!("values = {{ {} }}", values.join(", "))
            }
            "share" => {
                let fields = some(dice, &theme.fields);
                let fields: Vec<_> = fields.iter().map(|it| format!("\"{it}\"")).collect();
                format!("share = [{}]", fields.join(", "))
            }
            "send" => {
                let names = some(dice, &["a", "b", "c"]);
                let values: Vec<_> =
                    names.iter().map(|name| format!("{name} = {}", value(dice, theme))).collect();
                format!("send = {{ {} }}", values.join(", "))
            }
            // Its own, so that the world knows who asks.
            "path" => continue,
            "give" if looks_up => {
                let names = some(dice, &theme.variables);
                let label_of = theme.labels(flow);
                theme.carries = theme.goes_on().then(|| *dice.one(&names));
                let gives: Vec<_> = names
                    .iter()
                    .map(|name| {
                        let of = dice.one(&["text", "number", "flag", "date"]);
                        let label = *dice.one(&label_of);
                        format!("{name} = {{ type = \"{of}\", label = \"{label}\" }}")
                    })
                    .collect();
                format!("give = {{ {} }}\npath = \"{flow}/{}\"", gives.join(", "), made.name)
            }
            "flow" if calls => {
                format!("flow = \"{}\"", dice.one(subs))
            }
            "with" => {
                let maps = [
                    "v = \"v\", w = \"w\", u = \"u\"",
                    "v = \"w\", w = \"v\", u = \"u\"",
                    "v = \"u\", w = \"u\", u = \"v\"",
                ];
                format!("with = {{ {} }}", dice.one(&maps))
            }
            "give" => {
                let same = "v = \"v\", w = \"w\", u = \"u\"";
                let maps = ["v = \"v\"", "v = \"w\", w = \"v\"", "u = \"v\", v = \"u\", w = \"w\""];
                let maps = if theme.goes_on() { [same, maps[1], same] } else { maps };
                format!("give = {{ {} }}", dice.one(&maps))
            }
            "cases" if branches => {
                let next = line.rsplit("next = \"").next().and_then(|it| it.split('"').next());
                let mut next = next.unwrap_or("bye").to_owned();
                let mut cases = Vec::new();
                let field = *dice.one(&theme.fields);
                let asked = match theme.carries {
                    Some(variable) if dice.once_in(2) => format!("var = \"{variable}\""),
                    _ => format!("field = \"{field}\""),
                };
                if dice.once_in(2) {
                    // Both ways set something, and lead to one place.
                    let variable = if theme.goes_on() { theme.next() } else { "w" };
                    let own = |name: &str, it: &str| {
                        let set = format!("type = \"set\"\nvalues = {{ {variable} = \"{it}\" }}\n");
                        Made::named(
                            &format!("{}{name}", made.name),
                            &format!("{set}next = \"{next}\"\n"),
                        )
                    };
                    let both = [own("a", "one"), own("b", "two")];
                    let when = format!("{{ {asked}, {} }}", test(dice));
                    cases.push((when, both[0].name.clone()));
                    next.clone_from(&both[1].name);
                    more.extend(both);
                }
                for _ in 0..=dice.below(3) {
                    cases.push((condition(dice, 2, (field, theme)), next.clone()));
                }
                let cases = cases.iter();
                let cases: Vec<_> = cases
                    .map(|(when, next)| format!("{{ when = {when}, next = \"{next}\" }}"))
                    .collect();
                format!("cases = [{}]", cases.join(", "))
            }
            "otherwise" if !more.is_empty() => format!("otherwise = \"{}\"", more[1].name),
            _ => line.clone(),
        };
        anew += &line;
        anew.push('\n');
    }
    made.lines = anew;
    if made.requires.is_some() {
        made.requires = Some((*dice.one(&theme.levels)).to_owned());
    }
    more
}

/// What ends a flow that was dialled goes back to whoever called one.
pub(super) fn ends(dice: &mut Dice, made: &mut Made) {
    let back = *dice.one(&["\"yes\"", "\"yes\"", "\"no\""]);
    made.renamed("\"bye\"", back);
}
