//! Why a command cannot do its work, and how it then ends.

use super::serve::demo::keyring::DemoError;
use super::{Exit, say};
use crate::config::ConfigError;
use crate::diagnostic::{Finding, Sources};
use crate::replay::folder::FolderError;
use crate::server::ServerError;
use crate::store::{OpenError, StoreError};
use crate::telemetry::with_causes;
use crate::writing::WriteError;
use crate::{files, render};

/// Under another key every PIN is wrong and no lock is known: nobody should learn that from their callers.
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
    /// Whatever else it is.
    #[error("{1}")]
    Other(Exit, String),
    #[error("calls cannot be recorded: {0}")]
    Record(#[source] WriteError),
    #[error("the clock of this machine stands before 1970: set it")]
    Clock,
    #[error("cannot begin: {0}")]
    System(#[from] std::io::Error),
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Files(error) => Self::Files(error),
            FolderError::Write(_) | FolderError::Changed(_) => Self::environment(error),
            FolderError::Read { .. } | FolderError::Flows(_) => Self::usage(error.to_string()),
        }
    }
}

impl Failure {
    /// What is asked for, or configured, cannot be used.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::Other(Exit::Usage, what.into())
    }

    /// What cannot be used as it is configured.
    pub(super) fn unusable(error: impl std::error::Error) -> Self {
        Self::usage(with_causes(&error))
    }

    /// The store, a port or a file failed.
    pub(super) fn environment(error: impl std::fmt::Display) -> Self {
        Self::Other(Exit::Environment, error.to_string())
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::OtherKey => Exit::Usage,
            Self::Other(exit, _) => *exit,
            Self::Files(error) => Exit::from(error),
            Self::Findings { exit, .. } => *exit,
            Self::Open(
                OpenError::Unknown
                | OpenError::RedisAddress
                | OpenError::SentinelAddress
                | OpenError::ClusterAddress
                | OpenError::Authority
                | OpenError::ClientCertificate
                | OpenError::ClientKey,
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

    /// The findings, if it is for some, and what they come to.
    pub(super) fn told(&self, styled: bool) -> String {
        let shown = match self {
            Self::Config(ConfigError::Wrong { findings, sources })
            | Self::Findings { findings, sources, .. } => {
                render::human::render(findings, sources, styled)
            }
            _ => String::new(),
        };
        format!("{shown}error: {}", with_causes(self))
    }

    /// Prints it to standard error, and returns how the command ends.
    pub(super) fn tell(&self) -> Exit {
        say(&self.told(true));
        self.exit()
    }
}

/// Runs a command for which one thread is enough, and prints why it fails.
pub(super) fn run(command: impl Future<Output = Result<Exit, Failure>>) -> Exit {
    on_one_thread(command).unwrap_or_else(|failure| failure.tell())
}

/// The same for something that the server can do too, which may have the store for itself: names the requests
/// that ask it.
pub(super) fn run_or_ask(
    requests: &str,
    command: impl Future<Output = Result<Exit, Failure>>,
) -> Exit {
    on_one_thread(command).unwrap_or_else(|failure| {
        let exit = failure.tell();
        if matches!(failure, Failure::Open(OpenError::InUse(_))) {
            say(&format!("help: a server that runs on it does the same when asked: {requests}"));
        }
        exit
    })
}

fn on_one_thread(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
