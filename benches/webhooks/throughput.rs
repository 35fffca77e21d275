//! Whole calls as fast as they are answered: callgate against the limit.

use std::fmt::Write as _;

use tokio::runtime::{Builder, Runtime};

use super::machine::rss_mib;
use super::peers;
use super::report::{Bound, Goal, Section, number};
use super::servers::{Redis, Server};
use super::versus::{CONNECTIONS, Versus, versus};

const WHY_LIMIT: &str = "beside the one round trip of a turn, a call is counted by its number when it rings \
    and by its claim when the caller is identified; every turn is sealed, journalled and logged; and the audit is \
    chained, and written down when the call is over. The goal comes from a prototype that does none of this";
const WHY_PEER: &str = "the peers keep a state and nothing else; what `limit` itself would reach is shown below the \
    table of whole calls";

pub(crate) fn section() -> Section {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let mut section = Section { title: "Whole calls over HTTP on Redis", ..Section::default() };
    let _ = write!(
        section.text,
        "{CONNECTIONS} connections, each of which sends its next webhook as soon as the last one is answered. `limit`\n\
         (`benches/webhooks/limit.rs`) parses the form, checks the signature and makes one round trip to Redis, and\n\
         nothing else.\n\n\
         | against | callgate/s | other/s | ratio | callgate µs of a core | other µs | ratio | wrong | others' cores |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    let redis = Redis::start();
    let limit = Server::limit(&redis.url(1), 1);
    let (found, rss_mib) = against(&runtime, &redis, &limit);
    let [_, limit_rate] = found.rates;
    row(&mut section.text, "limit", &found);
    let goal = Goal::new("webhooks/s relative to `limit`", found.rate.of, Bound::AtLeast(0.75));
    section.goals.push(goal.because(WHY_LIMIT));
    drop(limit);
    section.goals.push(Goal::new("MiB of memory after these calls", rss_mib, Bound::AtMost(40.0)));
    let mut limits = Vec::new();
    for peer in peers::ALL {
        // Each begins with nothing in Redis.
        let redis = Redis::start();
        let Some(server) = peer.start(&redis.url(1)) else {
            let _ =
                writeln!(section.text, "| {} | – | – | not on this machine | | | | | |", peer.name);
            continue;
        };
        let (found, _) = against(&runtime, &redis, &server);
        row(&mut section.text, peer.name, &found);
        let what = format!("webhooks/s relative to {}", peer.name);
        let goal = Goal::new(what, found.rate.of, Bound::AtLeast(peer.times));
        section.goals.push(goal.because(WHY_PEER));
        limits.push(format!("{} {:.1}", peer.name, limit_rate / found.rates[1]));
    }
    if !limits.is_empty() {
        let _ =
            write!(section.text, "\nWebhooks/s of `limit` relative to: {}.\n", limits.join(", "));
    }
    section
}

/// A fresh callgate against another server; and its memory in the end.
fn against(runtime: &Runtime, redis: &Redis, other: &Server) -> (Versus, f64) {
    let callgate = Server::callgate(&redis.url(0), "0");
    let found = versus(runtime, [&callgate, other], &[redis.process.pid()]);
    (found, rss_mib(callgate.process.pid()))
}

fn row(text: &mut String, name: &str, found: &Versus) {
    let Versus { rates, cpu_us, rate, cpu, wrong, foreign } = found;
    let _ = writeln!(
        text,
        "| {name} | {} | {} | {:.2} [{:.2}–{:.2}] | {:.1} | {:.1} | {:.2} [{:.2}–{:.2}] | {} + {} | {foreign:.2} |",
        number(rates[0]),
        number(rates[1]),
        rate.of,
        rate.from,
        rate.to,
        cpu_us[0],
        cpu_us[1],
        cpu.of,
        cpu.from,
        cpu.to,
        wrong[0],
        wrong[1],
    );
}
