//! A code is good for what its message named and for nothing else, whichever of two flows names it and whichever takes
//! the code, whatever both set meanwhile, pass in and give back.

use std::collections::BTreeMap;

use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::engine::call::Call;
use callgate::flow::level::Fact;
use callgate::flow::name::VariableName;
use callgate::flow::value::Value;

use super::random::Dice;
use super::world::{Mood, Move, World};

/// Pairs of flows.
const FLOWS: usize = 150;
/// Calls through one of them.
const CALLS: usize = 60;
/// Turns of one call.
const TURNS: usize = 24;
/// The states of a flow beside those in which it ends.
const STATES: usize = 5;

/// What one flow passes into the other, and takes out of it.
const WITH: [&str; 3] = ["", "v", "w"];
const GIVE: [&str; 3] = ["", "v", "w"];

/// A flow that calls another one, and the names under which that one has its variable.
struct Flows {
    sources: Sources,
    with: &'static str,
    give: &'static str,
}

impl Flows {
    fn random(dice: &mut Dice) -> Self {
        let (with, give) = (*dice.one(&WITH), *dice.one(&GIVE));
        let head = "name = \"main\"\nstart = \"who\"\n[levels]\nl = { any = [\"sms_otp\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
            on = { found = \"begin\", unknown = \"begin\" }\n\
            [states.begin]\ntype = \"set\"\nvalues = { v = 1, w = 1 }\nnext = \"s0\"\n\
            [states.end]\ntype = \"hangup\"\n";
        let inner = "name = \"sub\"\nstart = \"begin\"\n\
            [states.begin]\ntype = \"menu\"\nprompt = \"1?\"\nkeys = { 1 = \"s0\", 2 = \"end\" }\n\
            on = { no_input = \"end\", no_match = \"end\" }\n\
            [states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
        let table = |key: &str, of: &str, is: &str| {
            if of.is_empty() { String::new() } else { format!("{key} = {{ {of} = \"{is}\" }}\n") }
        };
        let call =
            if with.is_empty() { String::new() } else { format!("with = {{ x = \"{with}\" }}\n") };
        let call = call + &table("give", give, "x");
        let mut sources = Sources::default();
        sources.add("main.toml", head.to_owned() + &states(dice, &["v", "w"], Some(&call)));
        sources.add("sub.toml", inner.to_owned() + &states(dice, &["x"], None));
        Self { sources, with, give }
    }

    /// The values that a code would be used for where the call is, beside what its message named.
    fn linked(&self, call: &Call) -> Vec<(Value, Value)> {
        let Some(code) = &call.code else { return Vec::new() };
        let (from, here) = (code.sender.flow.as_str(), call.at.flow.as_str());
        let links: Vec<[&str; 2]> = match (from, here) {
            ("sub", "main") => vec![["x", self.give], ["x", self.with]],
            ("main", "sub") => vec![[self.with, "x"], [self.give, "x"]],
            _ => vec![["v", "v"], ["w", "w"], ["x", "x"]],
        };
        let of = |[named, now]: &[&str; 2]| {
            let named = code.named.get(&VariableName::from(*named))?;
            Some((named.clone(), call.variables.get(&VariableName::from(*now))?.value.clone()))
        };
        links.iter().filter_map(of).collect()
    }
}

/// States that set these variables, send codes that name them, and take them.
fn states(dice: &mut Dice, variables: &[&str], call: Option<&str>) -> String {
    let mut text = String::new();
    for number in 0..STATES {
        let mut to = || match dice.below(STATES + 1) {
            STATES => "end".to_owned(),
            other => format!("s{other}"),
        };
        let (one, other, third) = (to(), to(), to());
        let variable = *dice.one(variables);
        let choice = if call.is_some() { 5 } else { 4 };
        text += &format!("[states.s{number}]\n");
        text += &match dice.below(choice) {
            0 => format!(
                "type = \"menu\"\nprompt = \"1?\"\nkeys = {{ 1 = \"{one}\", 2 = \"{other}\" }}\n\
                 on = {{ no_input = \"{third}\", no_match = \"{third}\" }}\n"
            ),
            1 => format!(
                "type = \"set\"\nvalues = {{ {variable} = {} }}\nnext = \"m{number}\"\n\
                 [states.m{number}]\ntype = \"menu\"\nprompt = \"1?\"\nkeys = {{ 1 = \"{one}\", 2 = \"{other}\" }}\n\
                 on = {{ no_input = \"{third}\", no_match = \"{third}\" }}\n",
                1 + dice.below(2)
            ),
            2 => format!(
                "type = \"send_sms_otp\"\nmessage = \"{{{{ {variable} }}}}: {{{{ code }}}}\"\n\
                 on = {{ sent = \"{one}\", unavailable = \"{other}\", limited = \"{other}\" }}\n"
            ),
            3 => format!(
                "type = \"gather_otp\"\nprompt = \"Code?\"\n\
                 on = {{ ok = \"{one}\", failed = \"{other}\", expired = \"{other}\", undelivered = \"{other}\" }}\n"
            ),
            _ => format!(
                "type = \"call\"\nflow = \"sub\"\n{}on = {{ ok = \"{one}\" }}\n",
                call.unwrap_or_default()
            ),
        };
    }
    text
}

#[test]
fn a_code_is_good_for_what_its_message_named_and_for_nothing_else() {
    let mut dice = Dice(23);
    // By where it was sent and where it was taken.
    let mut taken = BTreeMap::<_, usize>::new();
    let mut voided = 0;
    for _ in 0..FLOWS {
        let made = Flows::random(&mut dice);
        let (flows, findings) = check_sources(&made.sources);
        let text = || -> String { made.sources.iter().map(|(_, text)| text.to_string()).collect() };
        let is_read = flows.get("main").is_some() && flows.get("sub").is_some();
        assert!(is_read, "{findings:?}\n{}", text());
        let world = World::new(&flows, "main");
        for _ in 0..CALLS {
            let mut scene = world.ring(&world.rings()[0], Mood::Well).scene;
            for _ in 0..TURNS {
                let moves = world.moves(&scene);
                // Whoever goes on to where the code is taken, and has it.
                let goes_on = |made: &Move| matches!(made, Move::Keys(keys) if keys.starts_with(['1', '2', '7']));
                let moves: Vec<_> = moves.into_iter().filter(goes_on).collect();
                if scene.call.end.is_some() || moves.is_empty() {
                    break;
                }
                let made_move: &Move = dice.one(&moves);
                let Some(came) = world.go(&scene, made_move, Mood::Well) else { continue };
                let before = &scene.call;
                if came.entry.proved.contains(&Fact::SmsOtp) {
                    let code = before.code.as_ref().unwrap();
                    let way = (code.sender.flow.to_string(), before.at.flow.to_string());
                    for (named, now) in made.linked(before) {
                        assert_eq!(named, now, "{way:?} {:?}\n{}", before.at, text());
                        *taken.entry(way.clone()).or_default() += 1;
                    }
                } else if before.code.is_some() && came.scene.call.code.is_none() {
                    voided += 1;
                }
                scene = came.scene;
            }
        }
    }
    println!("{taken:?} taken, {voided} void");
    let ways = [("main", "main"), ("main", "sub"), ("sub", "main"), ("sub", "sub")];
    for (from, to) in ways {
        let times = taken.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or_default();
        assert!(times > 5, "{from} to {to}: {taken:?}");
    }
    assert!(voided > 20, "{voided}");
}
