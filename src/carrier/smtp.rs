//! Mail over SMTP, each with an exact statement of what became of it.
//!
//! A mail keeps its `Message-ID` however often it is sent, so that one sent twice is one mail. Every connection
//! and every sending has a deadline. A connection that missed one is closed and never used again, because nobody
//! knows which command the server is at: that is why idle connections are kept here and not in lettre's pool,
//! which would take such a connection back.

mod address;
mod bounded;
mod letter;

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use secrecy::SecretString;

use self::address::{Address, Encryption};
use self::bounded::{Allowance, Bounded};
use super::{Delivery, Mail, Reference};
use crate::engine::effect::Email;
use crate::engine::id::Sid;
use crate::limits;
use crate::telemetry::{Outside, OutsideCounter, Peer, with_causes};

pub use self::address::AddressError;

/// What sending mail needs.
#[derive(Clone)]
pub struct Settings {
    /// `smtps://user:password@host`, or `smtp://…?tls=required`.
    pub url: SecretString,
    /// `Acme Bank <no-reply@acme.example>`
    pub from: String,
    /// Who vouches for the server beside the usual authorities, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// How long one sending may take: [`limits::MAIL_TIMEOUT`] but for tests.
    pub timeout: Duration,
}

/// A mail server.
pub struct SmtpMail {
    address: Address,
    from: Mailbox,
    hello: ClientId,
    timeout: Duration,
    idle: Mutex<Vec<Idle>>,
    counter: OutsideCounter,
}

/// A connection to it.
struct Connection {
    smtp: AsyncSmtpConnection,
    /// `None`: it was encrypted from the start, so the mail server itself says what is read.
    allowance: Option<Allowance>,
}

/// One that waits for the next mail.
struct Idle {
    connection: Connection,
    since: Instant,
}

/// Why there is no connection.
enum Apart {
    /// None was made.
    Network(io::Error),
    /// What came over it, or did not.
    Smtp(Error),
}

impl From<io::Error> for Apart {
    fn from(error: io::Error) -> Self {
        Self::Network(error)
    }
}

impl From<Error> for Apart {
    fn from(error: Error) -> Self {
        Self::Smtp(error)
    }
}

impl SmtpMail {
    /// Reads the address; nothing is sent yet.
    pub fn new(settings: &Settings, counter: OutsideCounter) -> Result<Self, AddressError> {
        let from: Mailbox = settings.from.parse().map_err(|_| AddressError::From)?;
        Ok(Self {
            address: Address::read(&settings.url, settings.ca_pem.as_deref())?,
            hello: ClientId::Domain(from.email.domain().to_owned()),
            from,
            timeout: settings.timeout,
            idle: Mutex::default(),
            counter,
        })
    }

    async fn send(&self, reference: Reference, email: &Email) -> Delivery {
        let Some(letter) = letter::write(&self.from, reference.effect, email) else {
            return Delivery::Refused { code: None };
        };
        let connection = match self.connect().await {
            Ok(connection) => connection,
            // Nothing was sent yet.
            Err(Apart::Smtp(error)) => {
                tell(&error);
                return of_error(&error, Delivery::NotDone { retry_after: None });
            }
            Err(Apart::Network(error)) => {
                tracing::warn!(%error, "there is no connection to the mail server");
                return Delivery::NotDone { retry_after: None };
            }
        };
        let mut connection = connection;
        match connection.smtp.send(&letter.envelope, &letter.bytes).await {
            Ok(_) => {
                self.keep(connection);
                Delivery::Accepted(Sid(letter.id))
            }
            Err(error) => {
                tell(&error);
                of_error(&error, Delivery::Unknown)
            }
        }
    }

    /// A connection that answers: an idle one, or a new one.
    async fn connect(&self) -> Result<Connection, Apart> {
        while let Some(mut idle) = self.take_idle() {
            // The server may have closed it without our noticing.
            let young = idle.since.elapsed() < limits::MAIL_IDLE_TIMEOUT;
            idle.connection.allowance.iter().for_each(Allowance::renew);
            if young && idle.connection.smtp.test_connected().await {
                return Ok(idle.connection);
            }
        }
        let Address { host, port, encryption, credentials } = &self.address;
        let (mut smtp, allowance) = if let Encryption::FromTheStart(tls) = encryption {
            let server = (host.as_str(), *port);
            let tls = Some(tls.clone());
            (AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, tls, None).await?, None)
        } else {
            let (stream, allowance) = Bounded::connect(host, *port).await?;
            let stream = Box::new(stream);
            let smtp = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
            (smtp, Some(allowance))
        };
        if let Encryption::Upgraded(tls) = encryption {
            smtp.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = credentials {
            smtp.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(Connection { smtp, allowance })
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::MAIL_IDLE_MAX {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl fmt::Debug for SmtpMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMail").finish_non_exhaustive()
    }
}

#[async_trait]
impl Mail for SmtpMail {
    async fn send_email(&self, reference: Reference, email: &Email) -> Delivery {
        let sent = tokio::time::timeout(self.timeout, self.send(reference, email)).await;
        let sent = sent.unwrap_or_else(|_| {
            tracing::warn!("the mail server did not answer in time");
            Delivery::Unknown
        });
        self.counter.count(
            Peer::Mail,
            match &sent {
                Delivery::Accepted(_) => Outside::Done,
                Delivery::Refused { .. } => Outside::Refused,
                Delivery::NotDone { .. } | Delivery::Unknown => Outside::Failed,
            },
        );
        sent
    }
}

/// Logs the reason: only the code of an answer, and nothing of an answer without one, because its words may quote
/// the customer's address.
fn tell(error: &Error) {
    if let Some(code) = error.status() {
        tracing::warn!(code = u16::from(code), "the mail server answered with an error");
    } else if error.is_response() {
        tracing::warn!("the mail server answered with what cannot be read");
    } else {
        tracing::warn!(error = with_causes(error), "the mail server could not be used");
    }
}

/// What the server's answer means, or `otherwise` if there is none.
fn of_error(error: &Error, otherwise: Delivery) -> Delivery {
    if error.is_permanent() {
        return Delivery::Refused { code: error.status().map(|code| u16::from(code).into()) };
    }
    if error.is_transient() { Delivery::NotDone { retry_after: None } } else { otherwise }
}
