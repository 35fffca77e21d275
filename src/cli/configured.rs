//! What commands take from a configuration: the store that it names, and those outside who are asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Exit;
use super::failure::Failure;
use crate::audit::key::is_of_another_key;
use crate::carrier::smtp::SmtpMail;
use crate::carrier::twilio::{Settings, TwilioCarrier};
use crate::carrier::{Carrier, Mail};
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, shown};
use crate::diagnostic::{Problems, Sources, any_error};
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::directory::http::HttpDirectory;
use crate::engine::policy::Policy;
use crate::exchange::{Exchange, Parts};
use crate::flow::FlowSet;
use crate::limits;
use crate::outbound::Peer;
use crate::outbound::backends::{Backends, HttpBackends};
use crate::outbound::numbers::{Numbers, TwilioNumbers};
use crate::outbound::verifications::{TwilioVerify, Verifications};
use crate::server::metrics::Metrics;
use crate::store::envelope::Vault;
use crate::store::{self, Store};
use crate::twiml::links::Links;

/// Who is asked about numbers, and whether about callers' numbers too.
pub(super) struct Looks {
    pub(super) numbers: Arc<dyn Numbers>,
    pub(super) callers: bool,
}

impl Looks {
    /// The same exchange, which asks them.
    pub(super) fn asked_by(self, exchange: Exchange) -> Exchange {
        exchange.looking_up(self.numbers, self.callers)
    }
}

/// Whom a server's exchange asks.
pub(super) struct Outside {
    pub(super) backends: Arc<dyn Backends>,
    pub(super) numbers: Option<Looks>,
    pub(super) verifications: Option<Arc<dyn Verifications>>,
}

impl Outside {
    /// Those whom the configuration names.
    pub(super) fn of(config: &Config, metrics: &Metrics) -> Result<Self, Failure> {
        let mut peers = BTreeMap::new();
        for (name, settings) in &config.backends {
            peers.insert(name.clone(), Peer::new(settings).map_err(Failure::unusable)?);
        }
        Ok(Self {
            backends: Arc::new(HttpBackends::new(peers, metrics.outside.clone())),
            numbers: look_ups(config, metrics)?,
            verifications: verifications(config, metrics)?,
        })
    }

    /// Nobody.
    pub(super) fn nobody(metrics: &Metrics) -> Self {
        let backends = HttpBackends::new(BTreeMap::new(), metrics.outside.clone());
        Self { backends: Arc::new(backends), numbers: None, verifications: None }
    }

    /// The same exchange, which asks them.
    pub(super) fn asked_by(self, exchange: Exchange) -> Exchange {
        let mut exchange = exchange.asking(self.backends);
        if let Some(numbers) = self.numbers {
            exchange = numbers.asked_by(exchange);
        }
        match self.verifications {
            Some(verifications) => exchange.verifying_with(verifications),
            None => exchange,
        }
    }
}

/// The store at this address, which must have been written under this state key.
pub(super) async fn open_store(
    address: &str,
    options: &store::Options,
    vault: &Vault,
) -> Result<Arc<dyn Store>, Failure> {
    let store = store::open_with(address, options).await?;
    check_key(store.as_ref(), vault).await?;
    Ok(store)
}

/// Refuses a store that was written under another state key, or that cannot be asked.
pub(super) async fn check_key(store: &dyn Store, vault: &Vault) -> Result<(), Failure> {
    match is_of_another_key(store, vault).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::OtherKey),
        Err(error) => Err(Failure::Ping { error }),
    }
}

/// An exchange that looks after what is stored, and takes no calls.
pub(super) fn caretaker(
    store: Arc<dyn Store>,
    vault: Vault,
    directory: Directory,
    policy: Policy,
) -> Exchange {
    Exchange::new(Parts {
        store,
        vault,
        directory: Arc::new(directory),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy,
        flows: FlowSet::default(),
    })
}

/// The provider's REST side, as it is configured.
pub(super) fn carrier_of(config: &Config, metrics: &Metrics) -> Result<Arc<dyn Carrier>, Failure> {
    let links = Links::new(&config.public_url);
    let Some(sender) = config.twilio.sender.clone() else {
        return Err(Failure::usage("there is no sender for the provider"));
    };
    let carrier = TwilioCarrier::new(Settings {
        account_sid: config.twilio.account_sid.clone(),
        login: config.twilio.login.clone(),
        api_base: config.twilio.api_base.clone(),
        sender,
        links,
        timeout: limits::CARRIER_TIMEOUT,
    });
    let carrier = carrier.map_err(Failure::unusable)?;
    Ok(Arc::new(carrier.counted(metrics.outside.clone())))
}

/// What sends mail, if that is configured.
pub(super) fn mail_of(
    config: &Config,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn Mail>>, Failure> {
    let Some(settings) = &config.smtp else { return Ok(None) };
    let mail = SmtpMail::new(settings, metrics.outside.clone());
    Ok(Some(Arc::new(mail.map_err(Failure::unusable)?)))
}

/// Who is asked about numbers, in the name of the provider's account.
pub(super) fn look_ups(config: &Config, metrics: &Metrics) -> Result<Option<Looks>, Failure> {
    let Some(lookup) = &config.lookup else { return Ok(None) };
    let peer = Peer::new(&lookup.peer).map_err(Failure::unusable)?;
    let peer = peer.as_account(&config.twilio.login);
    let numbers = TwilioNumbers::new(peer, lookup.fields.clone(), metrics.outside.clone());
    Ok(Some(Looks { numbers: Arc::new(numbers), callers: lookup.callers }))
}

/// Who makes and checks codes, in the name of the provider's account: it sends them with all the time
/// that the outbox has, and checks them within a turn.
fn verifications(
    config: &Config,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn Verifications>>, Failure> {
    let Some(verify) = &config.verify else { return Ok(None) };
    let peer = |timeout| -> Result<Peer, Failure> {
        let settings = crate::outbound::Settings { timeout, ..verify.peer.clone() };
        let peer = Peer::new(&settings).map_err(Failure::unusable)?;
        Ok(peer.as_account(&config.twilio.login))
    };
    let (sends, checks) = (peer(limits::CARRIER_TIMEOUT)?, peer(verify.peer.timeout)?);
    let (service, asked) = (verify.service_sid.clone(), metrics.outside.clone());
    Ok(Some(Arc::new(TwilioVerify::new(sends, checks, service, asked))))
}

/// Where accounts come from.
pub(super) fn open_directory(
    directory: config::Directory,
    metrics: &Metrics,
) -> Result<Directory, Failure> {
    match directory {
        config::Directory::File(path) => {
            let accounts = read_accounts(&path, Secrets::Hashed)?;
            Ok(Directory::new(accounts))
        }
        config::Directory::Http(settings) => {
            let peer = Peer::new(&settings).map_err(Failure::unusable)?;
            let directory = HttpDirectory::new(peer, metrics.outside.clone());
            Ok(Directory::over_http(directory))
        }
    }
}

/// Reads an accounts file; errors are shown without any customer's data.
pub(super) fn read_accounts(path: &Path, secrets: Secrets) -> Result<Accounts, Failure> {
    let unreadable =
        |source| Failure::Config(ConfigError::Unreadable { path: path.to_owned(), source });
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::Error::other("it is no file, and no link to one")));
    }
    if metadata.len() > limits::ACCOUNTS_FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other(
            "it is far too large for a file of accounts",
        )));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let (file, problems) = (path.display().to_string(), Problems::default());
    let accounts = Accounts::read(&file.as_str().into(), &text, secrets, &problems);
    let findings = problems.into_findings();
    if any_error(&findings) {
        let mut sources = Sources::default();
        sources.add(&file, shown::accounts(&text));
        return Err(Failure::Findings {
            what: format!("the accounts in `{}` have errors", path.display()),
            findings,
            sources,
            exit: Exit::Usage,
        });
    }
    Ok(accounts)
}
