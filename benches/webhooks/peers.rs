//! The peers of `benches/peers`: what one would write without callgate, with the provider's own package.
//! Installed below `target` when they are measured, in the versions that they name.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::call::{PUBLIC_URL, TOKEN};
use super::machine::{SERVER_CORE, on_cores};
use super::servers::{Server, customers, free_port};

/// A peer, and how many times its webhooks a second ours are to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) times: f64,
    runs_on: &'static str,
}

pub(crate) const ALL: [Peer; 3] = [
    Peer { name: "fastify", times: 6.0, runs_on: "node" },
    Peer { name: "express", times: 14.0, runs_on: "node" },
    Peer { name: "fastapi", times: 28.0, runs_on: "python3" },
];

impl Peer {
    /// Installs and starts it; `None`: what it runs on is not on this machine, or nothing can be installed.
    pub(crate) fn start(self, redis: &str) -> Option<Server> {
        let folder = self.install()?;
        let port = free_port();
        let core = SERVER_CORE.to_string();
        let mut command = if self.runs_on == "node" {
            let mut command = on_cores(&core, "node");
            command.arg("server.mjs");
            command
        } else {
            let uvicorn = folder.join("bin/uvicorn");
            let mut command = on_cores(&core, &uvicorn.to_string_lossy());
            command.args(["server:app", "--loop", "uvloop", "--http", "httptools"]);
            command.args(["--no-access-log", "--log-level", "warning"]);
            command.args(["--port", &port.to_string()]);
            command
        };
        command
            .current_dir(&folder)
            .env("NODE_ENV", "production")
            .env("PORT", port.to_string())
            .env("REDIS_URL", redis)
            .env("TOKEN", TOKEN)
            .env("PUBLIC_URL", PUBLIC_URL)
            .env("CUSTOMERS", customers());
        Some(Server::peer(self.name, &mut command, port))
    }

    fn install(self) -> Option<PathBuf> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(self.name);
        std::fs::create_dir_all(&to).expect("the target folder is ours");
        // What it needs, and as much of it as was installed before.
        let needs = if self.runs_on == "node" { "package.json" } else { "requirements.txt" };
        let needs = std::fs::read(from.join(self.name).join(needs)).expect("the peer is there");
        let installed = to.join("installed");
        let is_installed = std::fs::read(&installed).is_ok_and(|known| known == needs);
        let files = std::fs::read_dir(from.join(self.name)).expect("the peer is there");
        let files = files.map(|file| file.expect("it can be read").path());
        for file in files.chain([from.join("flow.mjs")]) {
            let name = file.file_name().expect("it is a file");
            std::fs::copy(&file, to.join(name)).expect("the target folder is ours");
        }
        if is_installed {
            return Some(to);
        }
        let run = |program: &Path, words: &[&str]| {
            let done = Command::new(program).args(words).current_dir(&to).status();
            done.ok().filter(std::process::ExitStatus::success)
        };
        if self.runs_on == "node" {
            run("npm".as_ref(), &["install", "--no-audit", "--no-fund", "--loglevel=error"])?;
        } else {
            run("python3".as_ref(), &["-m", "venv", "."])?;
            run(&to.join("bin/pip"), &["install", "--quiet", "--requirement", "requirements.txt"])?;
        }
        std::fs::write(installed, needs).expect("the target folder is ours");
        Some(to)
    }
}
