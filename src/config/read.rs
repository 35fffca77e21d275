//! From the file to a [`Config`], with every problem at its key.

use std::net::SocketAddr;
use std::path::Path;

use indexmap::IndexMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::lookup::Lookup;
use super::outbound::{Defaults, Token};
use super::policy::read_policy;
use super::values::{read_guarding_secret, read_secret, read_sid};
use super::{
    AdminToken, Config, Directory, Kept, KeptAccounts, KeptCalls, Line, Lines, Role, Twilio,
};
use crate::carrier::twilio::{Login, Sender};
use crate::diagnostic::{Finding, Place, Sources};
use crate::document::{Item, Reader};
use crate::engine::policy::{LookUps, Policy};
use crate::limits;
use crate::phone::PhoneNumber;
use crate::store::envelope::Vault;
use crate::store::{OpenError, check_named};

/// The configuration that is read if none is named.
pub const DEFAULT_FILE: &str = "callgate.toml";

const STATE_KEY_ENV: &str = "CALLGATE_STATE_KEY";
const AUTH_TOKEN_ENV: &str = "TWILIO_AUTH_TOKEN";
const API_SECRET_ENV: &str = "TWILIO_API_SECRET";
const API_BASE: &str = "https://api.twilio.com";
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const ADMIN_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// Reads only the keys of [`KeptCalls`]: of other sections what the policy depends on, but no secret.
pub(super) fn read_kept_calls(root: &Reader<'_>, folder: &Path) -> Option<KeptCalls> {
    let (kept, policy) = (read_kept(root, folder), read_own_policy(root));
    let by_mail = root.item("smtp").is_some();
    let lookup = root.item("lookup").and_then(|item| super::lookup::read(&item, folder));
    let verify = root.item("otp").and_then(|item| super::otp::read(&item, folder));
    let policy = of_the_house(policy?, by_mail, lookup.as_ref(), verify.is_some());
    Some(KeptCalls { kept: kept?, policy })
}

/// The keys of [`KeptAccounts`] alone.
pub(super) fn read_kept_accounts(root: &Reader<'_>, folder: &Path) -> Option<KeptAccounts> {
    let kept = read_kept(root, folder);
    let directory = root.required("directory").and_then(|item| read_directory(&item, folder));
    let policy = read_own_policy(root);
    Some(KeptAccounts { kept: kept?, directory: directory?, policy: policy? })
}

/// The keys of [`Kept`] only; everything else belongs to somebody else.
pub(super) fn read_kept(root: &Reader<'_>, folder: &Path) -> Option<Kept> {
    let store = read_store(root, folder);
    let store_options = super::redis::read(root, store.as_deref(), folder);
    let vault = read_state_key(root, folder);
    let flows = root.item("flows").map_or(Some("flows"), |item| item.name());
    Some(Kept { store: store?, store_options, vault: vault?, flows: folder.join(flows?) })
}

pub(super) fn read(root: Reader<'_>, folder: &Path) -> Option<Config> {
    let public_url = root.required("public_url").and_then(|item| read_public_url(&item));
    let listen = root.item("listen").map_or(Some(LISTEN), |item| read_address(&item));
    let admin_listen =
        root.item("admin_listen").map_or(Some(ADMIN_LISTEN), |item| read_address(&item));
    let turns_max = root.item("turns_max").and_then(|item| item.integer(1, 100_000));
    let drain = root.item("drain").map_or(Some(std::time::Duration::ZERO), |item| {
        item.duration(std::time::Duration::ZERO, crate::limits::DRAIN_MAX)
    });
    let kept = read_kept(&root, folder);
    let twilio = root.required("twilio").and_then(|item| read_twilio(&item, folder));
    let lines = root.required("lines").and_then(|item| read_lines(&item));
    let directory = root.required("directory").and_then(|item| read_directory(&item, folder));
    let policy = read_own_policy(&root);
    let backends = root.item("backends").map(|item| super::outbound::read_backends(&item, folder));
    let admin_tokens = root.item("admin").map_or_else(Vec::new, |item| read_admin(&item, folder));
    let voucher_key = root.item("vouchers").map_or(Some(1), |item| read_vouchers(&item));
    let smtp = root.item("smtp").and_then(|item| super::smtp::read(&item, folder));
    let lookup = root.item("lookup").and_then(|item| super::lookup::read(&item, folder));
    let verify = root.item("otp").and_then(|item| super::otp::read(&item, folder));
    let sender = twilio.as_ref().and_then(|twilio| twilio.sender.clone()).or_else(|| {
        // Without a sender of its own, a message comes from the line that people know.
        let lines = lines.iter().flat_map(|lines| &lines.by_number);
        let mut numbers = lines.filter_map(|(called, line)| match called.as_str() {
            "*" => line.number.as_ref(),
            _ => Some(called),
        });
        numbers.next().cloned().map(Sender::From)
    });
    if sender.is_none() && twilio.is_some() && lines.is_some() {
        root.report(
            Finding::error("missing-key", "no number or service sends text messages", root.place())
                .help("give `twilio` a `messaging_service_sid` or `from`"),
        );
    }
    root.finish();
    let Kept { store, store_options, vault, flows } = kept?;
    Some(Config {
        public_url: public_url?,
        listen: listen?,
        admin_listen: admin_listen?,
        turns_max: turns_max.unwrap_or(crate::limits::TURNS_IN_PROGRESS),
        drain: drain?,
        flows,
        store,
        store_options,
        vault,
        twilio: Twilio { sender, ..twilio? },
        lines: lines?,
        directory: directory?,
        backends: backends.unwrap_or_default(),
        policy: of_the_house(policy?, smtp.is_some(), lookup.as_ref(), verify.is_some()),
        smtp,
        lookup,
        verify,
        admin_tokens,
        voucher_key: voucher_key?,
        sources: Sources::default(),
        warnings: Vec::new(),
    })
}

fn read_public_url(item: &Item<'_>) -> Option<String> {
    let text = item.name()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = host_of(authority).unwrap_or_default();
    let plain = text.chars().all(|c| c.is_ascii_graphic()) && !text.contains(['?', '#', '@']);
    // The provider refuses callback hosts with an underscore.
    if host.is_empty() || host.contains('_') || !plain {
        item.report(
            Finding::error("bad-address", "`public_url` is not an address that a provider can call", item.place())
                .help("write the scheme and host that the provider knows us by: \"https://ivr.example.com\""),
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// The host in `host`, `host:port` and `[address]:port`; `None`: the port is invalid.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.parse().is_ok_and(|port: u16| port > 0);
    port.is_none_or(is_port).then_some(host)
}

fn read_address(item: &Item<'_>) -> Option<SocketAddr> {
    let address = item.text()?.parse().ok();
    if address.is_none() {
        let message = format!("`{}` must be an address and a port", item.key);
        item.report(
            Finding::error("bad-address", message, item.place()).help("such as \"127.0.0.1:8080\""),
        );
    }
    address
}

fn read_store(root: &Reader<'_>, folder: &Path) -> Option<String> {
    let Some(item) = root.item("store") else {
        return Some(format!("embedded:{}", folder.join("callgate.redb").display()));
    };
    let text = item.name()?;
    if let Err(error) = check_named(text) {
        let (message, help) = no_store(&error);
        item.report(Finding::error("bad-store", message, item.place()).help(help));
        return None;
    }
    Some(match text.strip_prefix("embedded:") {
        Some(path) => format!("embedded:{}", folder.join(path).display()),
        None => text.to_owned(),
    })
}

/// What is wrong with the name of a store, and what to write.
fn no_store(error: &OpenError) -> (String, String) {
    let told = error.to_string();
    match (error, told.split_once("; ")) {
        (OpenError::NoPath, _) => {
            ("`store` names no file".into(), "write \"embedded:callgate.redb\"".into())
        }
        (OpenError::Unknown, _) | (_, None) => (
            "`store` names no store".into(),
            "write \"embedded:callgate.redb\" or \"redis://127.0.0.1:6379\"".into(),
        ),
        (_, Some((what, way))) => (format!("`store` is {what}"), way.to_owned()),
    }
}

fn read_state_key(root: &Reader<'_>, folder: &Path) -> Option<Vault> {
    let key = read_secret(root, "state_key", Some(STATE_KEY_ENV), folder).into_iter().next()?;
    match Vault::from_base64(key.expose_secret()) {
        Ok(vault) => Some(vault),
        Err(error) => {
            root.report(Finding::error("bad-state-key", error.to_string(), root.place()));
            None
        }
    }
}

fn read_twilio(item: &Item<'_>, folder: &Path) -> Option<Twilio> {
    let table = item.table("`twilio`")?;
    let account_sid = table.required("account_sid");
    let account_sid = account_sid.and_then(|item| read_sid(&item, "AC", "bad-account-sid"));
    let help = "take the auth token from the console of your account, which has 32 characters";
    let auth_tokens =
        read_guarding_secret(&table, "auth_token", Some(AUTH_TOKEN_ENV), folder, help);
    let login = read_login(&table, folder, account_sid.as_ref(), auth_tokens.first());
    let api_base = table.item("api_base").map_or(Some(API_BASE), |base| {
        let text = base.name()?;
        let plausible = text.starts_with("https://") || text.starts_with("http://");
        if !plausible {
            base.refuse("bad-address", "`api_base` must begin with https:// or http://");
        }
        plausible.then_some(text)
    });
    let names_sender = table.has("messaging_service_sid") || table.has("from");
    let service = table.item("messaging_service_sid");
    let service = service.and_then(|item| read_sid(&item, "MG", "bad-service-sid"));
    let from = table.item("from").and_then(|from| {
        let number = PhoneNumber::parse(from.name()?);
        if number.is_none() {
            from.refuse("bad-number", "`from` must be a number such as +15005550006");
        }
        number
    });
    let sender = match (service, from) {
        (Some(service), None) => Some(Sender::MessagingService(service)),
        (None, Some(number)) => Some(Sender::From(number.as_e164().to_owned())),
        (None, None) => None,
        (Some(_), Some(_)) => {
            let message = "`twilio` has both `messaging_service_sid` and `from`";
            table.report(
                Finding::error("bad-sender", message, table.place())
                    .help("messages come from one of them"),
            );
            None
        }
    };
    table.finish();
    // A value that was given and is invalid has been reported: it is not missing.
    if auth_tokens.is_empty() || (names_sender && sender.is_none()) {
        return None;
    }
    let api_base = api_base?.to_owned();
    Some(Twilio { account_sid: account_sid?, auth_tokens, login: login?, api_base, sender })
}

/// An API key and its secret, or else the account and its token.
fn read_login(
    table: &Reader<'_>,
    folder: &Path,
    account_sid: Option<&String>,
    token: Option<&SecretString>,
) -> Option<Login> {
    if let Some(key) = table.item("api_key") {
        let user = read_sid(&key, "SK", "bad-api-key");
        let secrets = read_secret(table, "api_secret", Some(API_SECRET_ENV), folder);
        return Some(Login { user: user?, password: secrets.into_iter().next()? });
    }
    let secret = table.item("api_secret_env").or_else(|| table.item("api_secret_file"));
    if let Some(item) = secret {
        let message = "`twilio` has the secret of an API key, and no `api_key`";
        let help = "give it the key that the secret belongs to, `SK` and 32 hexadecimal digits";
        item.report(Finding::error("missing-key", message, item.key_place()).help(help));
        return None;
    }
    Some(Login { user: account_sid?.clone(), password: token?.clone() })
}

fn read_lines(item: &Item<'_>) -> Option<Lines> {
    let table = item.table("`lines`")?;
    let (mut by_number, mut any) = (IndexMap::new(), false);
    for entry in table.entries() {
        any = true;
        if entry.key != "*" && PhoneNumber::parse(entry.key).is_none() {
            entry.report(Finding::error(
                "bad-number",
                "a line is a number such as +15005550006, or *",
                entry.key_place(),
            ));
        }
        if let Some(line) = entry.table("the line").and_then(|table| read_line(table, entry.key)) {
            by_number.insert(entry.key.to_owned(), line);
        }
    }
    if !any {
        item.refuse("empty-value", "`lines` names no line: no call would lead anywhere");
    }
    (!by_number.is_empty()).then_some(Lines { by_number })
}

fn read_line(table: Reader<'_>, called: &str) -> Option<Line> {
    let flow = table.required("flow");
    let flow: Option<(&str, Place)> = flow.and_then(|flow| Some((flow.name()?, flow.place())));
    let number = read_number(&table, "number");
    if let Some(item) = table.item("number").filter(|_| called != "*") {
        item.refuse("bad-number", "`number` is of `*` alone: other lines are numbers themselves");
    }
    let fallback_number = read_number(&table, "fallback_number");
    let overflow_number = read_number(&table, "overflow_number");
    table.finish();
    let (flow, flow_place) = flow?;
    Some(Line { flow: flow.to_owned(), flow_place, number, fallback_number, overflow_number })
}

fn read_number(table: &Reader<'_>, key: &str) -> Option<String> {
    let item = table.item(key)?;
    let number = PhoneNumber::parse(item.name()?);
    if number.is_none() {
        item.refuse("bad-number", format!("`{key}` must be a number such as +15005550009"));
    }
    number.map(|number| number.as_e164().to_owned())
}

fn read_directory(item: &Item<'_>, folder: &Path) -> Option<Directory> {
    let table = item.table("`directory`")?;
    let kind = table.required("kind")?.choice(&[("file", false), ("http", true)]);
    let directory = match kind {
        Some(true) => {
            let defaults = Defaults { url: None, timeout: limits::DIRECTORY_TIMEOUT };
            super::outbound::read(&table, folder, Some(Token::MustHave), &defaults)
                .map(Directory::Http)
        }
        Some(false) => {
            let path = table.required("path").and_then(|path| path.name());
            path.map(|path| Directory::File(folder.join(path)))
        }
        // What else stands here belongs to one of them.
        None => return None,
    };
    table.finish();
    directory
}

/// The number of the key that signs vouchers: the next number is another key.
fn read_vouchers(item: &Item<'_>) -> Option<u32> {
    let table = item.table("`vouchers`")?;
    let key = table.item("key").map_or(Some(1), |key| key.integer(1, 1_000_000));
    table.finish();
    u32::try_from(key?).ok()
}

fn read_admin(item: &Item<'_>, folder: &Path) -> Vec<AdminToken> {
    let Some(table) = item.table("`admin`") else { return Vec::new() };
    let tokens = table.item("tokens").and_then(|tokens| tokens.tables("an admin token"));
    table.finish();
    let mut read: Vec<AdminToken> = Vec::new();
    for table in tokens.unwrap_or_default() {
        let place = table.place();
        let Some(token) = read_token(table, folder) else { continue };
        // The audit tells people apart by the name, and their rights come with the token.
        let twice = read.iter().find_map(|known| {
            let same = known.token.expose_secret() == token.token.expose_secret();
            let what = if same { "token" } else { "name" };
            (same || known.name == token.name).then_some((what, &known.name))
        });
        if let Some((what, name)) = twice {
            let message = format!("it has the same {what} as that of `{name}`");
            let help = "give each its own: what is done with it is put down under its name";
            item.report(Finding::error("duplicate", message, place).help(help));
        }
        read.push(token);
    }
    read
}

fn read_token(table: Reader<'_>, folder: &Path) -> Option<AdminToken> {
    const ROLES: [(&str, Role); 3] =
        [("designer", Role::Designer), ("agent", Role::Agent), ("operator", Role::Operator)];
    let name = table.required("name").and_then(|name| name.name());
    let role = table.required("role").and_then(|role| role.choice(&ROLES));
    let help = "make one with `openssl rand -base64 32`";
    let token = read_guarding_secret(&table, "token", None, folder, help).into_iter().next();
    table.finish();
    Some(AdminToken { name: name?.to_owned(), role: role?, token: token? })
}

fn read_own_policy(root: &Reader<'_>) -> Option<Policy> {
    root.item("policy").map_or_else(|| Some(Policy::default()), |policy| read_policy(&policy))
}

/// The policy of a house that sends mail or none, looks numbers up or does not, and sends codes of its
/// own or of the provider's.
fn of_the_house(
    mut policy: Policy,
    by_mail: bool,
    lookup: Option<&Lookup>,
    by_provider: bool,
) -> Policy {
    policy.notices.by_mail = by_mail;
    policy.otp.by_provider = by_provider;
    policy.look_ups = lookup.map_or_else(LookUps::default, |lookup| LookUps {
        asked: true,
        unknown_may: lookup.unknown_may,
    });
    policy
}
