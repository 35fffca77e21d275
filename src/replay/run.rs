//! Runs a transcript: turn by turn, what came back, and how it differs from what was expected.

use std::collections::BTreeMap;

use super::met;
use super::play::{Played, Player};
use super::provider::Setup;
use super::report::{Came, Difference, Report};
use super::show;
use super::transcript::{self, Input, Transcript, Turn};
use crate::engine::call::Call;
use crate::engine::turn::Remark;
use crate::flow::FlowSet;
use crate::flow::level::{Fact, Proof};

/// Runs a transcript against these flows.
pub async fn run(transcript: &Transcript, flows: &FlowSet) -> Report {
    let mut report = Report::default();
    let Some(flows) = flows.closure(&transcript.flow) else {
        let message = format!("there is no flow `{}`", transcript.flow);
        report.differences.push(Difference::of_whole(message));
        return report;
    };
    let setup = Setup::of(transcript, flows);
    let player = Player::new(setup, transcript.from.clone());
    let mut runner = Runner { player, proofs: BTreeMap::new() };
    let mut let_pass = false;
    for (index, turn) in transcript.turns.iter().enumerate() {
        if matches!(turn.act.input, Input::Ring(_)) {
            let_pass |= runner.walk(&mut report).await;
        }
        let (came, differences) = runner.turn(index, turn).await;
        report.turns.push(came);
        report.differences.extend(differences);
    }
    let_pass |= runner.walk(&mut report).await;
    if let Some(demand) = transcript.unenforced.as_ref().filter(|_| !let_pass) {
        let message = format!("no call comes to `{}` without what it demands", demand.at.state);
        report.differences.push(Difference::of_whole(message));
    }
    if !transcript.open
        && report.turns.last().is_some_and(|came| came.end.is_none() && came.lapse.is_none())
    {
        let message = "the call has not ended; say so with `open = true`, or let it end";
        report.differences.push(Difference::of_whole(message.to_owned()));
    }
    report
}

struct Runner {
    player: Player,
    /// How each fact was last proved.
    proofs: BTreeMap<Fact, Proof>,
}

impl Runner {
    async fn turn(&mut self, index: usize, turn: &Turn) -> (Came, Vec<Difference>) {
        match self.player.play(&turn.act).await {
            Ok(played) => {
                let mut broken = played.broken.clone();
                if let Some(call) = &played.call {
                    self.proofs.extend(call.facts.0.clone());
                }
                let call = played.call.clone();
                let came = self.came(played, &mut broken);
                let differences = compare(index, turn, &came, call.as_ref());
                let of = |what| format!("after `{}` {what}", turn.words);
                let broken = broken.into_iter().map(|what| Difference::of(index, turn, of(what)));
                (came, differences.into_iter().chain(broken).collect())
            }
            Err(lapse) => {
                let message = lapse.to_string();
                let came = Came { lapse: Some(message.clone()), ..Came::default() };
                (came, vec![Difference::of(index, turn, message)])
            }
        }
    }

    /// Notes the way of the call, and whether the demand that is let pass was reached, and not met.
    async fn walk(&self, report: &mut Report) -> bool {
        let provider = &self.player.provider;
        let entries = provider.journal().await;
        let flows = provider.exchange().flows();
        let call = provider.call().await.ok().flatten();
        if let Some(call) = call {
            report.met.extend(met::met(&flows, &call, &entries, &self.proofs));
        }
        let let_pass = entries.iter().any(|entry| entry.remarks.contains(&Remark::Unenforced));
        report.hops.extend(entries.into_iter().flat_map(|entry| entry.hops));
        let_pass
    }

    /// What came back, in a transcript's words; `broken` gets what no transcript may expect.
    fn came(&self, played: Played, broken: &mut Vec<String>) -> Came {
        let provider = &self.player.provider;
        let digits = self.player.code_digits();
        let mut came = Came { served: played.served, ..Came::default() };
        came.effects =
            played.outgoing.iter().map(|it| show::outgoing(it, provider, digits)).collect();
        let mut documents = Vec::new();
        for answered in played.answers {
            came.says.extend(show::words(&answered.reply));
            documents.extend(show::document(&answered, provider).ok());
            let problem = |problem| format!("the document is no valid TwiML: {problem}");
            broken.extend(answered.problems().into_iter().map(problem));
        }
        came.twiml = documents.join("\n");
        if let Some(call) = &played.call {
            came.state = show::state(call);
            came.facts = call.facts.0.keys().copied().collect();
            came.levels = self.player.levels(call);
            came.locale = call.locale.to_string();
            came.end = call.end;
        }
        came
    }
}

/// Compares what came back with what was expected, the spoken words first.
fn compare(index: usize, turn: &Turn, came: &Came, call: Option<&Call>) -> Vec<Difference> {
    let wanted = &turn.expected;
    let mut found = Vec::new();
    let mut differ = |key: &'static str, wanted: &[String], came: &[String]| {
        found.push(Difference::between(index, turn, key, wanted.to_vec(), came.to_vec()));
    };
    if let Some(says) = wanted.says.as_ref().filter(|says| **says != came.says) {
        differ("says", says, &came.says);
    }
    let stands = |state: &String| call.is_some_and(|call| show::is_state(call, state));
    if let Some(state) = wanted.state.as_ref().filter(|state| !stands(state)) {
        differ("state", std::slice::from_ref(state), std::slice::from_ref(&came.state));
    }
    if wanted.effects != came.effects {
        differ("effects", &wanted.effects, &came.effects);
    }
    if let Some(facts) = wanted.facts.as_ref().filter(|facts| **facts != came.facts) {
        let names = |facts: &[crate::flow::level::Fact]| -> Vec<String> {
            facts.iter().map(ToString::to_string).collect()
        };
        differ("facts", &names(facts), &names(&came.facts));
    }
    if wanted.end.is_some() && wanted.end != came.end {
        let word = |end| transcript::word_of(&transcript::ENDS, &end).to_owned();
        let came: Vec<_> = came.end.map(word).into_iter().collect();
        differ("end", &wanted.end.map(word).into_iter().collect::<Vec<_>>(), &came);
    }
    if let Some(locale) = wanted.locale.as_ref().filter(|locale| **locale != came.locale) {
        differ("locale", std::slice::from_ref(locale), std::slice::from_ref(&came.locale));
    }
    if wanted.answered.is_some() && wanted.answered != came.served {
        let word = |served| transcript::word_of(&transcript::SERVED, &served).to_owned();
        let came: Vec<_> = came.served.map(word).into_iter().collect();
        differ("answered", &wanted.answered.map(word).into_iter().collect::<Vec<_>>(), &came);
    }
    if let Some(twiml) = &wanted.twiml
        && show::squeezed(twiml) != show::squeezed(&came.twiml)
    {
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect()
        };
        differ("twiml", &lines(twiml), &lines(&came.twiml));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// We write no such document: where a change makes us, the transcripts say so, whatever they expect to hear.
    #[tokio::test]
    async fn an_answer_that_is_no_twiml_is_never_as_expected() {
        let flow =
            "name = \"f\"\nstart = \"s\"\n[states.s]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
        let flows = crate::flow::read_one("f.toml", flow).0.into_iter().collect();
        let text = "flow = \"f\"\n[[turn]]\nring = true\n";
        let transcript = Transcript::read("t.toml", text).0.unwrap();
        let player = Player::new(Setup::of(&transcript, flows), None);
        let mut runner = Runner { player, proofs: BTreeMap::new() };
        let mut played = runner.player.play(&transcript.turns[0].act).await.unwrap();
        let document = &mut played.answers[0].document;
        assert!(document.contains("<Hangup/>"), "{document}");
        *document = document.replace("<Hangup/>", "<HangUp/>");
        let mut broken = Vec::new();
        runner.came(played, &mut broken);
        let wrong = "the document is no valid TwiML: `HangUp` is not an element that we write";
        assert_eq!(broken, [wrong]);
    }
}
