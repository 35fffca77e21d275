//! `callgate health`: asks a running server whether it is ready, where no shell or `curl` is at hand.

use reqwest::header::CONTENT_TYPE;

use super::{Exit, print, say};
use crate::limits::{CARRIER_CONNECT_TIMEOUT, TURN_DEADLINE};

/// What `health` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ready; 1 not ready; 2 the URL is no address; 3 nobody answers.

Examples:
  callgate health http://127.0.0.1:8081/health/live
  HEALTHCHECK CMD [\"callgate\", \"health\"]"
)]
pub(super) struct Args {
    /// What to ask.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8081/health/ready")]
    url: String,
}

pub(super) fn run(args: &Args) -> Exit {
    let Some(url) = address(&args.url) else {
        let such = "write one such as http://127.0.0.1:8081/health/ready";
        say(&format!("error: `{}` is no address that can be asked; {such}", args.url));
        return Exit::Usage;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: cannot begin: {error}"));
            return Exit::Environment;
        }
    };
    match runtime.block_on(ask(url)) {
        Ok((true, told)) => {
            print(&format!("{told}\n"));
            Exit::Well
        }
        Ok((false, told)) => {
            say(&format!("error: {told}"));
            Exit::Findings
        }
        Err(error) => {
            say(&format!("error: nobody answers: {error}"));
            Exit::Environment
        }
    }
}

/// The address, if it is one of HTTP.
fn address(text: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

async fn ask(url: reqwest::Url) -> reqwest::Result<(bool, String)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(CARRIER_CONNECT_TIMEOUT)
        .timeout(TURN_DEADLINE)
        .build()?;
    let response = client.get(url).send().await?;
    let status = response.status();
    let of = response.headers().get(CONTENT_TYPE);
    // A page of something else that listens there says nothing about health.
    if !of.is_some_and(|of| of.as_bytes().starts_with(b"application/json")) {
        return Ok((
            false,
            format!(
                "no word on its health, but {status}: name an address of the admin listener that ends in `/health/ready` or `/health/live`"
            ),
        ));
    }
    Ok((status.is_success(), response.text().await?))
}
