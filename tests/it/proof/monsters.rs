//! Flows that nobody would write, of any size: what they cost must grow as they do.

use std::fmt::Write as _;

use callgate::diagnostic::Sources;

/// A shape, by what is much of in it, and flows of it with about so many states.
pub(crate) type Monster = (&'static str, fn(usize) -> Sources);

/// What is proved for many levels, none of which asks for the same, and whoever fails goes on like whoever does not.
pub(crate) const MANY_LEVELS: Monster = ("step-ups to many levels", many_levels);

/// All others.
pub(crate) const ALL: [Monster; 22] = [
    ("sub-flows in a chain", chained),
    ("sub-flows of one flow", called),
    ("dialled flows", dialled),
    ("dialled flows that share sub-flows", shared),
    ("flows joined to one that cannot be read", broken),
    ("unknown states", unknown),
    ("unknown keys", keys),
    ("menus of ten keys", menus),
    ("guards that are not met", gaps),
    ("guards with one step-up", guarded),
    ("guards, each with a step-up of its own", own_step_ups),
    ("step-ups within each other", nested),
    ("rings of silence", silent),
    ("states of one ring", ring),
    ("variables with levels", labelled),
    ("values of one state, each made of another", made),
    ("proofs in every order, in a loop", proofs),
    ("specialists who ask for more", specialists),
    ("first proofs before long talk", first_proofs),
    ("languages", languages),
    ("accepted warnings that are none", accepted),
    ("variables that may not be set", unset),
];

const HEAD: &str = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"] }\n\
    both = { all = [\"pin\", \"sms_otp\"], within = \"5m\" }\n[disclose]\nsum = \"l\"\n\
    [states.bye]\ntype = \"hangup\"\n[states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\n\
    prompt = \"Who?\"\non = { found = \"pin\", unknown = \"pin\" }\n";

fn pin(name: &str, ok: &str, failed: &str) -> String {
    format!(
        "[states.{name}]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"{ok}\", failed = \"{failed}\", locked = \"{failed}\" }}\n"
    )
}

fn say(name: &str, next: &str, more: &str) -> String {
    format!("[states.{name}]\ntype = \"say\"\nprompt = \"So.\"\n{more}next = \"{next}\"\n")
}

fn menu(name: &str, keys: &[String], no_input: &str) -> String {
    let offered = keys.iter().enumerate().map(|(key, to)| format!("{key} = \"{to}\""));
    let named: Vec<_> = (0..keys.len()).map(|key| key.to_string()).collect();
    format!(
        "[states.{name}]\ntype = \"menu\"\nprompt = \"Press {}.\"\nkeys = {{ {} }}\n\
         on = {{ no_input = \"{no_input}\", no_match = \"bye\" }}\n",
        named.join(" or "),
        offered.collect::<Vec<_>>().join(", ")
    )
}

fn one(text: impl Into<String>) -> Sources {
    let mut sources = Sources::default();
    sources.add("flow.toml", text.into());
    sources
}

/// A flow with a head and so many parts.
fn of(head: &str, count: usize, part: impl Fn(usize) -> String) -> Sources {
    one((0..count).fold(head.to_owned(), |text, number| text + &part(number)))
}

/// The state after this one, and an end after the last.
fn next(number: usize, count: usize) -> String {
    if number + 1 < count { format!("s{}", number + 1) } else { "bye".into() }
}

/// Flows, one a file.
fn many(count: usize, flow: impl Fn(usize) -> String) -> Sources {
    let mut sources = Sources::default();
    for number in 0..count {
        sources.add(&format!("{number}.toml"), flow(number));
    }
    sources
}

/// A flow of the chain: it calls the next, and the last one says something, or `last`.
fn link(number: usize, count: usize, last: &str) -> String {
    let a = if number + 1 < count {
        format!("type = \"call\"\nflow = \"f{}\"\non = {{ ok = \"ok\" }}\n", number + 1)
    } else {
        format!("type = \"say\"\nprompt = \"So.\"\nnext = \"{last}\"\n")
    };
    format!(
        "name = \"f{number}\"\nstart = \"a\"\n[states.a]\n{a}[states.ok]\ntype = \"return\"\noutcome = \"ok\"\n"
    )
}

fn caller(name: &str, to: &str) -> String {
    format!(
        "name = \"{name}\"\nstart = \"a\"\n[states.a]\ntype = \"call\"\nflow = \"{to}\"\n\
         on = {{ ok = \"bye\" }}\n[states.bye]\ntype = \"hangup\"\n"
    )
}

fn chained(states: usize) -> Sources {
    let flows = states / 2;
    let mut sources = many(flows, |number| link(number, flows, "ok"));
    sources.add("main.toml", caller("main", "f0"));
    sources
}

fn broken(states: usize) -> Sources {
    let flows = states / 2;
    many(flows, |number| link(number, flows, "nowhere"))
}

fn called(states: usize) -> Sources {
    let flows = states / 3;
    let mut sources = many(flows, |number| link(number, number, "ok"));
    let calls = (0..flows).fold(String::new(), |text, number| {
        let to = next(number, flows);
        text + &format!(
            "[states.s{number}]\ntype = \"call\"\nflow = \"f{number}\"\non = {{ ok = \"{to}\" }}\n"
        )
    });
    let head = "name = \"main\"\nstart = \"s0\"\n[states.bye]\ntype = \"hangup\"\n";
    sources.add("main.toml", format!("{head}{calls}"));
    sources
}

fn dialled(states: usize) -> Sources {
    many(states / 2, |number| {
        format!(
            "name = \"f{number}\"\nstart = \"a\"\n[levels]\nl = {{ any = [\"pin\"] }}\n[states.a]\n\
             type = \"say\"\nprompt = \"So.\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n"
        )
    })
}

/// Ten sub-flows in a chain, whoever calls the first of them.
fn shared(states: usize) -> Sources {
    let mut sources = many(states / 22, |number| caller(&format!("d{number}"), "f0"));
    for number in 0..10 {
        sources.add(&format!("f{number}.toml"), link(number, 10, "ok"));
    }
    sources
}

fn unknown(states: usize) -> Sources {
    let head =
        HEAD.replace("found = \"pin\", unknown = \"pin\"", "found = \"s0\", unknown = \"s0\"");
    of(&head, states, |n| say(&format!("s{n}"), &format!("t{}", n + 1), ""))
}

fn keys(states: usize) -> Sources {
    of("name = \"f\"\nstart = \"a\"\n[states.a]\ntype = \"hangup\"\n", 10 * states, |n| {
        format!("key{n} = {n}\n")
    })
}

fn menus(states: usize) -> Sources {
    let head = "name = \"f\"\nstart = \"s0\"\n[states.bye]\ntype = \"hangup\"\n";
    of(head, states, |n| {
        // Anywhere, and the next one.
        let to = (0..10).map(|key| format!("s{}", (n * (7 + 6 * key) + 1 + key) % states));
        menu(&format!("s{n}"), &to.collect::<Vec<_>>(), "bye")
    })
}

fn gaps(states: usize) -> Sources {
    let head = format!("{HEAD}{}", pin("pin", "s0", "s0"));
    of(&head, states, |n| {
        let to = next(n, states);
        let guard = format!("requires = \"both\"\non = {{ denied = \"{to}\" }}\n");
        say(&format!("s{n}"), &to, &guard)
    })
}

fn guarded(states: usize) -> Sources {
    let proves = pin("prove", "back", "back") + "[states.back]\ntype = \"return\"\n";
    let head = format!("{HEAD}{}{proves}", pin("pin", "s0", "bye"));
    let guard = "requires = \"l\"\nstep_up = \"prove\"\non = { denied = \"bye\" }\n";
    of(&head, states, |n| say(&format!("s{n}"), &next(n, states), guard))
}

fn own_step_ups(states: usize) -> Sources {
    let count = states / 3;
    let head = format!("{HEAD}{}", pin("pin", "s0", "bye"));
    of(&head, count, |n| {
        let guard = format!("requires = \"l\"\nstep_up = \"p{n}\"\non = {{ denied = \"bye\" }}\n");
        let other = format!("p{}", (n + 1) % count);
        say(&format!("s{n}"), &next(n, count), &guard)
            + &pin(&format!("p{n}"), &format!("b{n}"), &other)
            + &format!("[states.b{n}]\ntype = \"return\"\n")
    })
}

fn many_levels(states: usize) -> Sources {
    const LEVELS: [&str; 6] = [
        "{ any = [\"pin\"], within = \"1m\" }",
        "{ any = [\"passcode\", \"sms_otp\"], within = \"2m\" }",
        "{ all = [\"knowledge\", \"possession\"], within = \"5m\" }",
        "{ any = [\"callback\", { all = [\"pin\", \"passcode\"] }] }",
        "{ all = [\"sms_otp\", \"callback\"], within = \"9m\" }",
        "{ any = [\"service_code\", \"pin\"], within = \"30s\" }",
    ];
    let levels = LEVELS.iter().enumerate().map(|(n, level)| format!("l{n} = {level}\n"));
    let levels = levels.collect::<Vec<_>>().concat();
    let back = "[states.back]\ntype = \"return\"\n";
    let to_back = |outcomes: &[&str]| {
        let on: Vec<_> = outcomes.iter().map(|of| format!("{of} = \"back\"")).collect();
        format!("on = {{ {} }}\n", on.join(", "))
    };
    let gather = |n: usize, of: &str| {
        let on = to_back(&["ok", "failed", "locked"]);
        format!("[states.p{n}]\ntype = \"gather_{of}\"\nprompt = \"Now?\"\n{on}")
    };
    let provers = [
        pin("p0", "back", "back"),
        gather(1, "passcode"),
        "[states.p2]\ntype = \"send_sms_otp\"\n\
         on = { sent = \"code\", unavailable = \"code\", limited = \"code\" }\n\
         [states.code]\ntype = \"gather_otp\"\nprompt = \"The code?\"\n"
            .to_owned()
            + &to_back(&["ok", "failed", "expired", "undelivered"]),
        gather(3, "service_code"),
        "[states.p4]\ntype = \"callback\"\n".to_owned()
            + &to_back(&["ok", "failed", "no_answer", "unavailable", "limited"]),
    ];
    let head = HEAD.replace("[disclose]", &format!("{levels}[disclose]"));
    let head = format!("{head}{}{back}{}", pin("pin", "s0", "s0"), provers.concat());
    of(&head, states, |n| {
        let (own, to) = (format!("s{n}"), next(n, states));
        let guard =
            format!("requires = \"l{}\"\nstep_up = \"p{}\"\n", n % LEVELS.len(), n % provers.len());
        let asks = menu(&own, &[to.clone(), "bye".into()], &to);
        asks.replace("on = { ", &format!("{guard}on = {{ denied = \"{to}\", "))
    })
}

fn nested(states: usize) -> Sources {
    let head = format!("{HEAD}{}[states.back]\ntype = \"return\"\n", pin("pin", "s0", "bye"));
    of(&head, states, |n| {
        let inner = if n + 1 < states { format!("s{}", n + 1) } else { "back".into() };
        let guard =
            format!("requires = \"both\"\nstep_up = \"{inner}\"\non = {{ denied = \"bye\" }}\n");
        say(&format!("s{n}"), if n == 0 { "bye" } else { "back" }, &guard)
    })
}

fn silent(states: usize) -> Sources {
    let head = "name = \"f\"\nstart = \"s0\"\n[states.bye]\ntype = \"hangup\"\n";
    of(head, states, |n| {
        let own = format!("s{n}");
        menu(&own, &[format!("s{}", (n + 1) % states), "bye".into()], &own)
    })
}

fn ring(states: usize) -> Sources {
    let head = "name = \"f\"\nstart = \"s0\"\n";
    of(head, states, |n| say(&format!("s{n}"), &format!("s{}", (n + 1) % states), ""))
}

fn labelled(states: usize) -> Sources {
    let tells = "[states.bye0]\ntype = \"hangup\"\nprompt = \"{{ v0 }}\"\n";
    let head = format!("{HEAD}{tells}{}", pin("pin", "s0", "bye"));
    of(&head, states, |n| {
        let to = if n + 1 < states { format!("s{}", n + 1) } else { "bye0".into() };
        format!(
            "[states.s{n}]\ntype = \"set\"\nvalues = {{ v{n} = \"{{{{ account.sum }}}}\" }}\nnext = \"{to}\"\n"
        )
    })
}

fn made(states: usize) -> Sources {
    let mut text = format!("{HEAD}{}", pin("pin", "s", "bye"));
    text += "[states.s]\ntype = \"set\"\nnext = \"bye\"\n[states.s.values]\nv0 = \"{{ account.sum }}\"\n";
    one((1..states).fold(text, |text, n| text + &format!("v{n} = \"{{{{ v{} }}}}\"\n", n - 1)))
}

fn proofs(states: usize) -> Sources {
    let head = format!("{HEAD}{}", pin("pin", "s0", "s0"));
    of(&head, states, |n| {
        let (own, to) = (format!("s{n}"), format!("s{}", (n + 1) % states));
        let gather = |kind: &str| {
            format!(
                "[states.{own}]\ntype = \"gather_{kind}\"\nprompt = \"Now?\"\n\
                 on = {{ ok = \"{to}\", failed = \"{to}\", locked = \"{to}\" }}\n"
            )
        };
        match n % 6 {
            0 => pin(&own, &to, &to),
            1 => gather("passcode"),
            2 => gather("service_code"),
            3 => format!(
                "[states.{own}]\ntype = \"send_sms_otp\"\n\
                 on = {{ sent = \"{to}\", unavailable = \"{to}\", limited = \"{to}\" }}\n"
            ),
            4 => format!(
                "[states.{own}]\ntype = \"gather_otp\"\nprompt = \"The code?\"\n\
                 on = {{ ok = \"{to}\", failed = \"{to}\", expired = \"{to}\", undelivered = \"{to}\" }}\n"
            ),
            _ => {
                let far = format!("s{}", (n * 31 + 7) % states);
                menu(&own, &[to, far, "who".into()], "bye")
            }
        }
    })
}

fn specialists(states: usize) -> Sources {
    let count = states / 2;
    let head = format!("{HEAD}{}[states.back]\ntype = \"return\"\n", pin("pin", "s0", "bye"));
    of(&head, count, |n| {
        format!(
            "[states.s{n}]\ntype = \"transfer\"\nto = {{ conference = \"desk\" }}\nagent_step_up = \"p{n}\"\n\
             on = {{ completed = \"bye\", busy = \"{}\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n{}",
            next(n, count),
            pin(&format!("p{n}"), "back", "back")
        )
    })
}

fn first_proofs(states: usize) -> Sources {
    let count = states / 2;
    let head = format!("{HEAD}{}", pin("pin", "k0", "bye"));
    of(&head, count, |n| {
        pin(&format!("k{n}"), "s0", &format!("k{}", (n + 1) % count))
            + &say(&format!("s{n}"), &next(n, count), "")
    })
}

fn languages(states: usize) -> Sources {
    let head = "name = \"f\"\nstart = \"s0\"\n[states.bye]\ntype = \"hangup\"\n";
    of(head, states, |n| {
        let letter = |of: usize| ('a'..='z').nth(n / of % 26).unwrap_or('a');
        let tag: String = [letter(676), letter(26), letter(1)].into_iter().collect();
        format!(
            "[states.s{n}]\ntype = \"say\"\nprompt = {{ {tag} = \"a\", en = \"b\" }}\nnext = \"{}\"\n",
            next(n, states)
        )
    })
}

fn accepted(states: usize) -> Sources {
    let mut codes = String::new();
    for number in 0..5 * states {
        let _ = write!(codes, "\"warning-{number}\", ");
    }
    one(format!(
        "name = \"f\"\nstart = \"bye\"\n[states.bye]\ntype = \"hangup\"\naccept = [{codes}]\n"
    ))
}

/// Each may be missing where it is said, after all of them were asked for.
fn unset(states: usize) -> Sources {
    let count = states / 2;
    let head = format!("{HEAD}{}", pin("pin", "a0", "bye"));
    of(&head, count, |n| {
        let then = if n + 1 < count { format!("a{}", n + 1) } else { "s0".into() };
        let say = say(&format!("s{n}"), &next(n, count), "");
        format!(
            "[states.a{n}]\ntype = \"gather\"\nvar = \"v{n}\"\nprompt = \"What?\"\n\
             on = {{ ok = \"{then}\", no_input = \"{then}\", invalid = \"{then}\" }}\n{}",
            say.replace("So.", &format!("{{{{ v{n} }}}}"))
        )
    })
}
