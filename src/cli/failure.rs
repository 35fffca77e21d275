//! Why a command cannot do what it is for, and how it ends then.

use super::serve::demo::DemoError;
use super::{Exit, say};
use crate::config::ConfigError;
use crate::diagnostic::{Finding, Sources};
use crate::server::ServerError;
use crate::store::{OpenError, StoreError};
use crate::writing::WriteError;
use crate::{files, render};

/// Under another key every PIN is wrong and no lock is known: nobody should find that out by their callers.
pub(super) const OTHER_KEY: &str =
    "the store was written under another state key: give that one, or name a store that is empty";

/// Why a command cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Files(#[from] files::FilesError),
    #[error("{what}")]
    Findings { what: String, findings: Vec<Finding>, sources: Sources, exit: Exit },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{error}; is it running, and may this machine reach it?")]
    Ping { error: StoreError },
    #[error("{}", OTHER_KEY)]
    OtherKey,
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("{0}")]
    Demo(#[from] DemoError),
    #[error("{0}")]
    Unusable(String),
    #[error("{0}")]
    Lacks(String),
    #[error("calls cannot be recorded: {0}")]
    Record(#[source] WriteError),
    #[error("the clock of this machine stands before 1970: set it")]
    Clock,
    #[error("cannot begin: {0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    /// What cannot be used as it is configured.
    pub(super) fn unusable(error: impl std::error::Error) -> Self {
        Self::Unusable(with_causes(&error))
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Unusable(_) | Self::Lacks(_) | Self::OtherKey => Exit::Usage,
            Self::Files(error) => Exit::from(error),
            Self::Findings { exit, .. } => *exit,
            Self::Open(
                OpenError::Unknown
                | OpenError::RedisAddress
                | OpenError::SentinelAddress
                | OpenError::ClusterAddress
                | OpenError::Authority,
            ) => Exit::Usage,
            Self::Open(_)
            | Self::Ping { .. }
            | Self::Server(_)
            | Self::Record(_)
            | Self::Clock
            | Self::System(_)
            | Self::Demo(_) => Exit::Environment,
        }
    }

    pub(super) fn tell(&self) {
        let shown = match self {
            Self::Config(ConfigError::Wrong { findings, sources })
            | Self::Findings { findings, sources, .. } => Some((findings, sources)),
            _ => None,
        };
        if let Some((findings, sources)) = shown {
            say(&render::human::render(findings, sources, true));
        }
        say(&format!("error: {}", with_causes(self)));
    }
}

/// An error and what caused it, each of them once.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Runs a command that one thread is enough for, and tells why where it fails.
pub(super) fn run(command: impl Future<Output = Result<Exit, Failure>>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(command));
    done.unwrap_or_else(|failure| {
        failure.tell();
        failure.exit()
    })
}
