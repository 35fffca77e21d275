//! A small real mail server on the loopback: it takes mail in, or misbehaves as a test wants.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who may hand mail in, and with what, as it stands in an address.
pub(crate) const LOGIN: &str = "bank:p%40ss";

/// What a client is to take for the answers to all that it says until its mail is taken.
const INJECTED: &str = "\r\n250-mail.example.com\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n250 ok\r\n\
    354 go on\r\n250 taken";

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    None,
    Upgraded,
    /// The same, and whoever is on the way adds answers of theirs to the last that is not encrypted.
    Injected,
    FromTheStart,
}

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Take,
    /// It is taken, and the connection closed a moment after.
    TakeAndClose,
    /// 550 for the recipient.
    Refuse,
    /// 451 for the recipient.
    TryAgain,
    /// Words without a code for the recipient, whose address is among them.
    Mumble,
    /// No answer to the recipient.
    Stall,
    /// It is taken, and the connection closed in place of the answer.
    TakeAndDrop,
    /// The connection is closed in the middle of it.
    DropInside,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) to: String,
    pub(crate) data: String,
    pub(crate) login: Option<String>,
}

#[derive(Default)]
struct World {
    next: VecDeque<Manner>,
    taken: Vec<Taken>,
    connections: usize,
}

/// A running mail server.
pub(crate) struct SmtpServer {
    port: u16,
    tls: Tls,
    world: Arc<Mutex<World>>,
    /// Its certificate, in PEM.
    pub(crate) certificate: String,
}

impl Taken {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> &str {
        let head = self.data.split("\r\n\r\n").next().unwrap();
        let mut lines = head.split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
    }

    /// The first part: the mail as text.
    pub(crate) fn text(&self) -> &str {
        let part =
            self.data.split_once("\r\n\r\n").and_then(|(_, parts)| parts.split_once("\r\n\r\n"));
        part.and_then(|(_, rest)| rest.split("\r\n--").next()).unwrap()
    }
}

impl SmtpServer {
    /// Starts on a free port.
    pub(crate) fn start(tls: Tls) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = Arc::new(Mutex::new(World::default()));
        let shared = world.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (world, config) = (shared.clone(), config.clone());
                world.lock().unwrap().connections += 1;
                // A client that goes away ends its talk, and nothing else.
                thread::spawn(move || Talk::begin(stream, tls, config, world).map(Talk::go_on));
            }
        });
        Self { port, tls, world, certificate: made.cert.pem() }
    }

    /// Its address, with the login.
    pub(crate) fn url(&self) -> String {
        match self.tls {
            Tls::None => format!("smtp://{LOGIN}@localhost:{}", self.port),
            Tls::Upgraded | Tls::Injected => {
                format!("smtp://{LOGIN}@localhost:{}?tls=required", self.port)
            }
            Tls::FromTheStart => format!("smtps://{LOGIN}@localhost:{}", self.port),
        }
    }

    /// What becomes of the next mail, of the one after it, and so on.
    pub(crate) fn next(&self, manner: Manner) {
        self.world.lock().unwrap().next.push_back(manner);
    }

    /// The mails so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.world.lock().unwrap().taken.clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.world.lock().unwrap().connections
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// One connection.
struct Talk {
    wire: Box<dyn Wire>,
    world: Arc<Mutex<World>>,
    login: Option<String>,
}

fn secured(stream: TcpStream, config: Arc<ServerConfig>) -> Box<dyn Wire> {
    Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
}

impl Talk {
    /// Greets, and sees to the encryption.
    fn begin(
        stream: TcpStream,
        tls: Tls,
        config: Arc<ServerConfig>,
        world: Arc<Mutex<World>>,
    ) -> Option<Self> {
        let plain = stream.try_clone().unwrap();
        let wire: Box<dyn Wire> = match tls {
            Tls::FromTheStart => secured(stream, config.clone()),
            _ => Box::new(stream),
        };
        let mut talk = Self { wire, world, login: None };
        talk.answer("220 mail.example.com")?;
        if matches!(tls, Tls::Upgraded | Tls::Injected) {
            while talk.line()?.starts_with("EHLO") {
                talk.answer("250-mail.example.com\r\n250 STARTTLS")?;
            }
            let added = if tls == Tls::Injected { INJECTED } else { "" };
            talk.answer(&format!("220 go ahead{added}"))?;
            talk.wire = secured(plain, config);
        }
        Some(talk)
    }

    fn go_on(mut self) -> Option<()> {
        let (mut manner, mut to) = (Manner::Take, String::new());
        loop {
            let line = self.line()?;
            match line.split([' ', ':']).next()? {
                "EHLO" => self.answer("250-mail.example.com\r\n250 AUTH PLAIN")?,
                "AUTH" => {
                    let said = STANDARD.decode(line.rsplit(' ').next()?).ok()?;
                    self.login = String::from_utf8(said).ok();
                    self.answer("235 welcome")?;
                }
                "MAIL" => {
                    manner = self.world.lock().unwrap().next.pop_front().unwrap_or(Manner::Take);
                    self.answer("250 ok")?;
                }
                "RCPT" => {
                    line.split(['<', '>']).nth(1)?.clone_into(&mut to);
                    match manner {
                        Manner::Refuse => self.answer("550 5.1.1 no such mailbox")?,
                        Manner::TryAgain => self.answer("451 4.7.1 come again")?,
                        Manner::Mumble => self.answer(&format!("no mailbox <{to}> here"))?,
                        Manner::Stall => {}
                        _ => self.answer("250 ok")?,
                    }
                }
                "DATA" => {
                    self.answer("354 go on")?;
                    if manner == Manner::DropInside {
                        self.line()?;
                        return None;
                    }
                    let data = self.data()?;
                    let mail = Taken { to: to.clone(), data, login: self.login.clone() };
                    self.world.lock().unwrap().taken.push(mail);
                    if manner == Manner::TakeAndDrop {
                        return None;
                    }
                    self.answer("250 taken")?;
                    if manner == Manner::TakeAndClose {
                        return None;
                    }
                }
                "NOOP" | "RSET" => self.answer("250 ok")?,
                "QUIT" => return self.answer("221 goodbye"),
                _ => self.answer("500 what?")?,
            }
        }
    }

    fn data(&mut self) -> Option<String> {
        let mut data = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Some(data);
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push_str("\r\n");
        }
    }

    fn line(&mut self) -> Option<String> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        loop {
            self.wire.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                return String::from_utf8(line).ok();
            }
        }
    }

    fn answer(&mut self, line: &str) -> Option<()> {
        self.wire.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        self.wire.flush().ok()
    }
}
