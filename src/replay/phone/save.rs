//! Saves a call by hand as a transcript, which is run before it is written: it can be replayed, or there is none.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use toml_edit::{DocumentMut, Item};

use super::{Phone, Trouble, word};
use crate::replay::bless::bless;
use crate::replay::{Transcript, read, run, written};
use crate::writing::create;

impl<W: Write> Phone<'_, W> {
    /// Writes the call so far into a new file.
    pub(super) async fn save(&mut self, file: &Path) -> Result<(), Trouble> {
        if file.as_os_str().is_empty() {
            return word("write where to: `:save calls/bank.balance.toml`");
        }
        let text = self.transcript().await?;
        create(file, &text).map_err(|error| Trouble::Word(error.to_string()))?;
        let shown = file.display();
        let with = &self.caller.replay_with;
        Ok(writeln!(self.out, "  [saved; `callgate replay {shown}{with}` runs it]")?)
    }

    /// The transcript, with what came back. It contains those customers who were claimed, or all of them if
    /// others matter too.
    async fn transcript(&self) -> Result<String, Trouble> {
        let claimed = self.accounts_claimed();
        for accounts in [claimed.as_str(), self.caller.accounts.as_str()] {
            let draft = self.draft(accounts).await;
            let flows = &self.caller.setup.flows;
            let (Some(transcript), _) = Transcript::read("saved.toml", &draft) else { continue };
            let report = run(&transcript, flows).await;
            let Some(text) = bless(&draft, &report) else { continue };
            let (Some(again), _) = Transcript::read("saved.toml", &text) else { continue };
            let lived = self.player.provider.hops().await;
            if report.hops == lived && run(&again, flows).await.differences.is_empty() {
                return Ok(text);
            }
        }
        word("a bug of callgate's: the transcript does not go as the call went; nothing is written")
    }

    async fn draft(&self, accounts: &str) -> String {
        let setup = &self.caller.setup;
        let mut text = "# Made with `callgate simulate`.\n\n".to_owned();
        let _ = writeln!(text, "{}", written::of("flow", &setup.flow));
        if let Some(from) = &self.caller.from {
            let _ = writeln!(text, "from = \"{}\"", from.as_e164());
        }
        if setup.to != read::LINE {
            let _ = writeln!(text, "to = \"{}\"", setup.to);
        }
        if setup.clock != read::default_clock() {
            let _ = writeln!(text, "clock = \"{}\"", setup.clock);
        }
        text.push_str(&written::told(setup.attestation, setup.forwarded, &setup.signals));
        if setup.policy.otp.by_provider {
            text.push_str("otp = \"verify\"\n");
        }
        if self.call().await.is_some_and(|call| call.end.is_none()) {
            text.push_str("open = true\n");
        }
        if !accounts.trim().is_empty() {
            let _ = writeln!(text, "\n{}", accounts.trim());
        }
        for act in self.steps.iter().flat_map(|step| &step.acts) {
            text.push_str(&written::turn(act));
        }
        text
    }

    /// The tables of the accounts that were claimed.
    fn accounts_claimed(&self) -> String {
        let Ok(mut document) = self.caller.accounts.parse::<DocumentMut>() else {
            return String::new();
        };
        if let Some(Item::ArrayOfTables(accounts)) = document.get_mut("accounts") {
            accounts.retain(|account| {
                let id = account.get("id").and_then(Item::as_str);
                id.is_some_and(|id| self.claimed.contains(id))
            });
            for account in accounts.iter_mut() {
                // What stands above the first one is about the file.
                account.decor_mut().set_prefix("\n");
            }
        }
        document.to_string()
    }
}
