//! `callgate graph`: a flow drawn, two editions of it compared, or calls followed through it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use super::{Exit, print, say};
use crate::diagnostic::any_error;
use crate::draw::{self, Mark, Picture};
use crate::files;
use crate::flow::edge::Label;
use crate::flow::state::State;
use crate::flow::{self, Flow};
use crate::limits;
use crate::render;
use crate::replay::coverage;
use crate::replay::folder::{Outcome, Wish, read_flows, run_all};
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
    /// A flow file, or the name of one in ./flows.
    #[arg(value_name = "FLOW", required_unless_present = "diff", conflicts_with = "diff")]
    flow: Option<PathBuf>,

    /// Draw what is otherwise in the second of two flow files.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    diff: Option<Vec<PathBuf>>,

    /// Draw the ways that the calls of a transcript, or of a folder of them, take.
    #[arg(long, value_name = "TRANSCRIPT", conflicts_with = "diff")]
    trace: Option<PathBuf>,

    /// Draw what the calls of a transcript, or of a folder of them, reach, and what none does.
    #[arg(long, value_name = "TRANSCRIPTS", conflicts_with_all = ["diff", "trace"])]
    coverage: Option<PathBuf>,

    /// What is written.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,

    /// Write into this file instead of to standard output.
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
        Err((exit, message)) => {
            say(&format!("error: {message}"));
            exit
        }
    }
}

type Failure = (Exit, String);

fn picture(args: &Args) -> Result<Picture, Failure> {
    if let Some([old, new]) = args.diff.as_deref() {
        return Ok(draw::between(read(old)?.as_ref(), read(new)?.as_ref()));
    }
    let path = files::found(args.flow.as_deref().unwrap_or(Path::new("flows")));
    let flow = read(&path)?;
    let Some(calls) = args.trace.as_ref().or(args.coverage.as_ref()) else {
        return Ok(draw::of(&flow));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let wish = Wish {
        paths: vec![calls.clone()],
        flows: folder.unwrap_or(Path::new(".")).to_owned(),
        ..Wish::default()
    };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| (Exit::Environment, format!("no threads to run on: {error}")))?;
    let outcomes =
        runtime.block_on(run_all(&wish)).map_err(|error| (Exit::Usage, error.to_string()))?;
    let comes_here =
        |outcome: &Outcome| outcome.report.hops.iter().any(|hop| hop.at.flow == flow.name);
    let outcomes: Vec<_> = outcomes.into_iter().filter(comes_here).collect();
    if outcomes.is_empty() {
        let message = format!("no call of `{}` comes to the flow `{}`", calls.display(), flow.name);
        return Err((Exit::Usage, message));
    }
    if args.coverage.is_some() {
        return covered(&flow, folder.unwrap_or(Path::new(".")), &outcomes);
    }
    let calls: Vec<_> = outcomes.into_iter().map(|outcome| outcome.report.hops).collect();
    Ok(draw::walked(&flow, &calls))
}

/// A flow with what the calls reach of it; the flows beside it may call it.
fn covered(flow: &Flow, folder: &Path, outcomes: &[Outcome]) -> Result<Picture, Failure> {
    let sources = read_flows(folder).map_err(|error| (Exit::Usage, error.to_string()))?;
    let all = coverage::measure(&flow::read(&sources).0, outcomes);
    let own = all.iter().find(|coverage| coverage.flow == flow.name.as_str());
    let own = own.ok_or_else(|| (Exit::Usage, format!("no flow `{}`", flow.name)))?;
    let way = |state: &State, label: &Label| match own.way(state.name.as_str(), label) {
        Some(way) if way.taken > 0 && way.missing.is_empty() => Mark::Covered,
        Some(way) if way.taken > 0 => Mark::Partly,
        _ => Mark::Uncovered,
    };
    Ok(draw::covered(flow, |state| own.entered(state.name.as_str()), way))
}

fn read(path: &Path) -> Result<Arc<Flow>, Failure> {
    if path.is_dir() {
        let message = format!("`{}` is a folder; name one flow file", path.display());
        return Err((Exit::Usage, message));
    }
    let files = files::flows(&[path.to_owned()])
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let (flows, findings) = flow::read(&files.all);
    let findings = files.of_concern(findings);
    if any_error(&findings) {
        let shown = render::human::render(&findings, &files.all, false);
        return Err((Exit::Findings, format!("the flow has errors\n{shown}")));
    }
    let named = flows.iter().find(|flow| files.named.contains(&flow.file));
    named.cloned().ok_or_else(|| (Exit::Findings, format!("no flow in `{}`", path.display())))
}

fn write(args: &Args, picture: &Picture) -> Result<(), Failure> {
    let states = picture.cards.len();
    if args.format == Format::Svg && states > limits::DRAWN_STATES_MAX {
        let message = format!(
            "a picture of {states} states is too large, at most {} are drawn; take `--format dot` or \
             `mermaid`, or put parts of the flow into flows that it calls",
            limits::DRAWN_STATES_MAX
        );
        return Err((Exit::Usage, message));
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
        return renew(file, &text, what).map_err(|error| (Exit::Environment, error.to_string()));
    }
    print(&text);
    Ok(())
}
