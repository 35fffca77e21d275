//! `callgate graph`: a flow drawn, two editions of it compared, or calls followed through it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::failure::Failure;
use super::{Exit, flow_file, print};
use crate::draw::{self, Mark, Picture};
use crate::flow::Flow;
use crate::flow::edge::Label;
use crate::flow::state::State;
use crate::limits;
use crate::replay::coverage;
use crate::replay::folder::{Outcome, Wish, flows, run_all};
use crate::writing::renew;

/// What `graph` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate graph bank --out bank.svg                       the flow of flows/bank.toml
  callgate graph flows/bank.toml --format mermaid          for a page of Markdown
  callgate graph --diff main/bank.toml flows/bank.toml --out diff.svg
                                                           what a change adds, removes and changes
  callgate graph bank --trace fixtures/calls/bank.balance.toml --out call.svg
                                                           the way of a call
  callgate graph bank --trace fixtures/calls --out all.svg
                                                           the ways of all of them
  callgate graph bank --coverage fixtures/calls --out coverage.svg
                                                           what they reach, at which levels, and what none does")]
pub(super) struct Args {
    /// A flow file, or the name of a flow in ./flows; without that folder, of a shipped flow.
    #[arg(value_name = "FLOW", required_unless_present = "diff", conflicts_with = "diff")]
    flow: Option<PathBuf>,

    /// Draw what differs in the second of two flow files.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    diff: Option<Vec<PathBuf>>,

    /// Draw the ways that the calls of a transcript, or of a folder of them, take.
    #[arg(long, value_name = "TRANSCRIPT", conflicts_with = "diff")]
    trace: Option<PathBuf>,

    /// Draw what the calls of a transcript, or of a folder of them, reach, and what none of them does.
    #[arg(long, value_name = "TRANSCRIPTS", conflicts_with_all = ["diff", "trace"])]
    coverage: Option<PathBuf>,

    /// What is written.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,

    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture, for browsers.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

pub(super) fn run(args: &Args) -> Exit {
    match picture(args).and_then(|picture| write(args, &picture)) {
        Ok(()) => Exit::Well,
        Err(failure) => failure.tell(),
    }
}

fn picture(args: &Args) -> Result<Picture, Failure> {
    if let Some([old, new]) = args.diff.as_deref() {
        return Ok(draw::between(&flow_file::read(old)?.1, &flow_file::read(new)?.1));
    }
    let (_, flow) = flow_file::read(args.flow.as_deref().unwrap_or(Path::new("flows")))?;
    let Some(calls) = args.trace.as_ref().or(args.coverage.as_ref()) else {
        return Ok(draw::of(&flow));
    };
    let folder = Path::new(&*flow.file).parent().filter(|folder| !folder.as_os_str().is_empty());
    let wish = Wish {
        paths: vec![calls.clone()],
        flows: folder.unwrap_or(Path::new(".")).to_owned(),
        ..Wish::default()
    };
    let outcomes = tokio::runtime::Runtime::new()?.block_on(run_all(&wish))?;
    let comes_here =
        |outcome: &Outcome| outcome.report.hops.iter().any(|hop| hop.at.flow == flow.name);
    let outcomes: Vec<_> = outcomes.into_iter().filter(comes_here).collect();
    if outcomes.is_empty() {
        let message = format!("no call of `{}` comes to the flow `{}`", calls.display(), flow.name);
        return Err(Failure::usage(message));
    }
    if args.coverage.is_some() {
        return covered(&flow, folder.unwrap_or(Path::new(".")), &outcomes);
    }
    let calls: Vec<_> = outcomes.into_iter().map(|outcome| outcome.report.hops).collect();
    Ok(draw::walked(&flow, &calls))
}

/// A flow with what the calls reach in it; flows in the same folder may call it.
fn covered(flow: &Flow, folder: &Path, outcomes: &[Outcome]) -> Result<Picture, Failure> {
    let all = coverage::measure(&flows(folder)?, outcomes);
    let own = all.iter().find(|coverage| coverage.flow == flow.name.as_str());
    let own = own.ok_or_else(|| Failure::usage(format!("no flow `{}`", flow.name)))?;
    let way = |state: &State, label: &Label| match own.way(state.name.as_str(), label) {
        Some(way) if way.taken > 0 && way.missing.is_empty() => Mark::Covered,
        Some(way) if way.taken > 0 => Mark::Partly,
        _ => Mark::Uncovered,
    };
    Ok(draw::covered(flow, |state| own.entered(state.name.as_str()), way))
}

fn write(args: &Args, picture: &Picture) -> Result<(), Failure> {
    let states = picture.cards.len();
    if args.format == Format::Svg && states > limits::DRAWN_STATES_MAX {
        let message = format!(
            "a picture of {states} states is too large, at most {} are drawn; take `--format dot` or \
             `mermaid`, or put parts of the flow into flows that it calls",
            limits::DRAWN_STATES_MAX
        );
        return Err(Failure::usage(message));
    }
    let text = match args.format {
        Format::Svg => draw::svg::write(picture),
        Format::Dot => draw::dot::write(picture),
        Format::Mermaid => draw::mermaid::write(picture),
    };
    if let Some(file) = &args.out {
        let what = match args.format {
            Format::Svg => "SVG",
            Format::Dot => "DOT",
            Format::Mermaid => "Mermaid",
        };
        return renew(file, &text, what).map_err(Failure::environment);
    }
    print(&text);
    Ok(())
}
