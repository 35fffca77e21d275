//! The sections and keys of the configuration, for its reference. The policy's are in [`super::policy`];
//! the readers of the others stand in files of their own, and a test holds this table against them.

use std::time::Duration;

use crate::limits;

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name; empty: the keys before any section.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) doc: &'static str,
    /// What may stand in it.
    pub(super) keys: &'static [Key],
    /// How it is written: as many as it has kinds.
    pub(super) examples: &'static [&'static str],
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value looks like.
    pub(super) shape: Shape,
    /// What holds where it is left out.
    pub(super) otherwise: Otherwise,
    /// What it does.
    pub(super) doc: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A text, in these words.
    Text(&'static str),
    /// A list, or what it says.
    List(&'static str),
    /// A whole number of these, from and to.
    Integer(&'static str, u64, u64),
    /// A duration from and to.
    Duration(Duration, Duration),
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words.
    Choices(&'static [&'static str]),
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Otherwise {
    /// It must be there.
    Required,
    /// This value, as it would be written.
    Default(&'static str),
    /// In words.
    Else(&'static str),
}

use Otherwise::{Default, Else, Required};
use Shape::{Boolean, Choice, Choices, Integer, List, Text};

const fn key(name: &'static str, shape: Shape, otherwise: Otherwise, doc: &'static str) -> Key {
    Key { name, shape, otherwise, doc }
}

/// The key of a secret in a file, where another one names a variable.
const fn in_file(name: &'static str) -> Key {
    key(name, FILE, NONE, "The file that holds it, in place of a variable.")
}

const ADDRESS: Shape = Text("an address and a port");
const VARIABLE: Shape = Text("a variable's name");
const FILE: Shape = Text("a file");
const HTTPS: Shape = Text("an `https://` address");
const NUMBER: Shape = Text("a number in E.164");
const NETWORKS: Shape = List("a list of networks");
const ASKED: Shape = Shape::Duration(limits::ASKED_TIMEOUT_MIN, limits::ASKED_TIMEOUT_MAX);
const NONE: Otherwise = Else("none");

const TIMEOUT: Key = key(
    "timeout",
    ASKED,
    Default("\"1500ms\""),
    "How long an answer may take; a later one counts as none.",
);
const ALLOW: Key = key(
    "allow",
    NETWORKS,
    Else("only public ones"),
    "Private networks in which the address may lie once its name is resolved; `http://` goes only to these.",
);
const URL: Key = key("url", HTTPS, Required, "Where it is; a path is appended.");
const CA_FILE: Key = key(
    "ca_file",
    FILE,
    Else("public authorities"),
    "The certificate of the authority that signed the server's, in PEM.",
);

/// The sections but those of the policy, in the order of the reference.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "",
        doc: "The keys that stand before any section.",
        keys: &[
            key(
                "public_url",
                Text("an `https://` or `http://` address"),
                Required,
                "The address that the provider calls, to the letter: signatures are checked against it.",
            ),
            key(
                "listen",
                ADDRESS,
                Default("\"127.0.0.1:8080\""),
                "Where webhooks come in. Put something in front of it that ends TLS.",
            ),
            key(
                "admin_listen",
                ADDRESS,
                Default("\"127.0.0.1:8081\""),
                "Where health, metrics, the admin API and the pages are. Keep it off the public network.",
            ),
            key(
                "flows",
                Text("a folder"),
                Default("\"flows\""),
                "The folder of flow files, read again when they change.",
            ),
            key(
                "store",
                Text("`embedded:FILE`, `redis://…` or `memory:`"),
                Default("\"embedded:callgate.redb\""),
                "Where calls, counts and the audit are kept; `memory:` forgets them when the server stops. Sentinels, \
                 clusters and TLS: [operations](operations.md#the-store).",
            ),
            key(
                "state_key_env",
                VARIABLE,
                Default("\"CALLGATE_STATE_KEY\""),
                "The variable that holds the state key, which seals and hashes what is stored: 32 bytes in \
                 base64 (`openssl rand -base64 32`). Under another key the hashes of PINs are worthless, and the store is refused.",
            ),
            in_file("state_key_file"),
            key(
                "turns_max",
                Integer("turns", 1, 100_000),
                Default("1024"),
                "How many turns may be under way in one server before new calls are turned away.",
            ),
            key(
                "drain",
                Shape::Duration(Duration::ZERO, limits::DRAIN_MAX),
                Default("\"0s\""),
                "How long a server that is told to stop goes on, saying that it is not ready, before it closes.",
            ),
        ],
        examples: &["public_url = \"https://ivr.example.com\"\nlisten = \"0.0.0.0:8080\"\n\
             admin_listen = \"127.0.0.1:8081\"\nflows = \"flows\"\nstore = \"embedded:callgate.redb\"\n\
             state_key_env = \"CALLGATE_STATE_KEY\"\nturns_max = 1024\ndrain = \"3s\""],
    },
    Section {
        name: "twilio",
        doc: "The provider's account.",
        keys: &[
            key("account_sid", Text("`AC` and 32 hexadecimal digits"), Required, "The account."),
            key(
                "auth_token_env",
                List("a variable's name, or a list of them"),
                Default("\"TWILIO_AUTH_TOKEN\""),
                "The auth token, with which webhooks are signed. With a list any of them counts, while tokens are changed or \
                 where the account's webhook rules have shared keys; callgate's own requests use the first, unless there \
                 is an `api_key`.",
            ),
            in_file("auth_token_file"),
            key(
                "api_key",
                Text("`SK` and 32 hexadecimal digits"),
                Else("the account and its auth token"),
                "The API key for messages, calls, look-ups and codes. It can be revoked by itself, \
                 and the auth token is then never sent. A restricted key must be allowed to create and update calls, to \
                 create messages, and to read both; with `[lookup]` and `[otp]`, Lookup and Verify too.",
            ),
            key(
                "api_secret_env",
                VARIABLE,
                Else("`\"TWILIO_API_SECRET\"` with an `api_key`"),
                "The variable that holds the secret of the API key.",
            ),
            in_file("api_secret_file"),
            key(
                "api_base",
                Text("an `https://` or `http://` address"),
                Default("\"https://api.twilio.com\""),
                "The REST API.",
            ),
            key(
                "messaging_service_sid",
                Text("`MG` and 32 hexadecimal digits"),
                Else("what `from` says"),
                "The messaging service that text messages come from.",
            ),
            key(
                "from",
                NUMBER,
                Else("the first of `[lines]`"),
                "The number that text messages come from, in place of a service.",
            ),
        ],
        examples: &[
            "account_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"TWILIO_AUTH_TOKEN\"\n\
             api_key = \"SK00000000000000000000000000000000\"\napi_secret_env = \"TWILIO_API_SECRET\"\n\
             messaging_service_sid = \"MG00000000000000000000000000000000\"",
            "account_sid = \"AC00000000000000000000000000000000\"\n\
             auth_token_env = [\"TWILIO_AUTH_TOKEN\", \"TWILIO_OLD_AUTH_TOKEN\"]\nfrom = \"+15005550006\"",
        ],
    },
    Section {
        name: "lines",
        doc: "Which number leads to which flow: a table for each number in E.164, and `\"*\"` for the others.",
        keys: &[
            key(
                "flow",
                Text("a flow's `name`"),
                Required,
                "The flow that its callers go through. A call to a SIP address with the line's number before the \
                 `@` comes to the same line, over another carrier's trunk (BYOC) or a SIP domain. A caller \
                 whose own address is a SIP address shows no number, whatever the address says.",
            ),
            key(
                "number",
                NUMBER,
                Else("what was called"),
                "Only for `\"*\"`, for calls to a SIP address or an app rather than to a number: the number that rings go out \
                 from, and that is shown for callers who show none. Without it nobody is rung back in such calls.",
            ),
            key(
                "fallback_number",
                NUMBER,
                Else("the call ends"),
                "The number that takes callers whom callgate cannot serve, after the apology.",
            ),
            key(
                "overflow_number",
                NUMBER,
                Else("the engaged tone"),
                "The number that takes new callers while `turns_max` turns are under way.",
            ),
        ],
        examples: &[
            "\"+15005550006\" = { flow = \"bank\", fallback_number = \"+15005550009\", overflow_number = \"+15005550008\" }\n\
             \"*\" = { flow = \"bank\", number = \"+15005550006\" }",
        ],
    },
    Section {
        name: "directory",
        doc: "Where accounts come from: a file, read again when it changes, or a directory of your own, which \
              is asked for one account at a time.",
        keys: &[
            key("kind", Choice(&["file", "http"]), Required, "Which of the two."),
            key("path", FILE, Else("required with `file`"), "The accounts file."),
            key("url", HTTPS, Else("required with `http`"), "Where it is; `/find` is appended."),
            key(
                "token_env",
                VARIABLE,
                Else("required with `http`"),
                "The bearer token's variable.",
            ),
            in_file("token_file"),
            TIMEOUT,
            ALLOW,
        ],
        examples: &[
            "kind = \"file\"\npath = \"accounts.toml\"",
            "kind = \"http\"\nurl = \"https://customers.example.com/callgate\"\ntoken_env = \"DIRECTORY_TOKEN\"\n\
             timeout = \"1500ms\"\nallow = [\"10.20.0.0/16\"]",
        ],
    },
    Section {
        name: "backends.NAME",
        doc: "A back end that `lookup` states ask by this name, so that no flow holds an address.",
        keys: &[
            URL,
            key("token_env", VARIABLE, Else("no token is sent"), "The bearer token's variable."),
            in_file("token_file"),
            TIMEOUT,
            ALLOW,
        ],
        examples: &[
            "url = \"https://billing.example.com/callgate\"\ntoken_env = \"BILLING_TOKEN\"\ntimeout = \"1500ms\"",
        ],
    },
    Section {
        name: "smtp",
        doc: "The mail server: needed only where a flow sends codes by e-mail, or owners are told by mail.",
        keys: &[
            key(
                "url_env",
                VARIABLE,
                Required,
                "The variable that holds the server's address with user and password: \
                 `smtps://user:password@mail.example.com`.",
            ),
            in_file("url_file"),
            key("from", Text("a mailbox"), Required, "Whom mail comes from."),
            CA_FILE,
        ],
        examples: &["url_env = \"SMTP_URL\"\nfrom = \"Acme Bank <no-reply@acme.example>\""],
    },
    Section {
        name: "lookup",
        doc: "Whether the provider is asked about numbers before a code, a link or a ring goes to them \
              ([operations](operations.md#whom-callgate-asks)).",
        keys: &[
            key(
                "kind",
                Choice(&["none", "twilio"]),
                Required,
                "Nobody (as without the section), or Twilio Lookup v2. With `none` the other keys may stay \
                 and are not read.",
            ),
            key(
                "fields",
                Choices(&[
                    "line_type_intelligence",
                    "sim_swap",
                    "call_forwarding",
                    "reassigned_number",
                ]),
                Else("required with `twilio`"),
                "The packages of your account that are asked for. Each costs something for every look-up.",
            ),
            key(
                "if_unknown",
                Choice(&["refuse", "use"]),
                Default("\"refuse\""),
                "What is done with a number about which too little is known to tell.",
            ),
            key(
                "callers",
                Boolean,
                Default("false"),
                "Whether callers' own numbers are looked up too, for the risk of their calls.",
            ),
            key("url", HTTPS, Default("\"https://lookups.twilio.com\""), "Where the API is."),
            key(
                "timeout",
                ASKED,
                Default("\"1s\""),
                "How long each look-up takes, so that its time tells nothing. `serve` warns (`slow-reply`) if a flow \
                 makes callers wait for too many.",
            ),
            ALLOW,
        ],
        examples: &[
            "kind = \"twilio\"\nfields = [\"line_type_intelligence\", \"sim_swap\"]\nif_unknown = \"refuse\"\n\
             callers = false",
        ],
    },
    Section {
        name: "otp",
        doc: "Who makes, words, sends and checks the codes of `send_sms_otp`. Their length and number are \
              in `[policy.otp]`.",
        keys: &[
            key(
                "backend",
                Choice(&["own", "verify"]),
                Required,
                "callgate (as without the section), or Twilio Verify v2. With `own` the other keys may stay \
                 and are not read.",
            ),
            key(
                "service_sid",
                Text("`VA` and 32 hexadecimal digits"),
                Else("required with `verify`"),
                "The Verify service, which should be callgate's alone.",
            ),
            key("url", HTTPS, Default("\"https://verify.twilio.com\""), "Where the API is."),
            key(
                "timeout",
                ASKED,
                Default("\"1s\""),
                "How long each check takes, so that its time tells nothing.",
            ),
            ALLOW,
        ],
        examples: &["backend = \"verify\"\nservice_sid = \"VA00000000000000000000000000000000\""],
    },
    Section {
        name: "redis",
        doc: "What the address of a Redis store does not say.",
        keys: &[
            key("password_env", VARIABLE, Else("that of the address"), "The password's variable."),
            in_file("password_file"),
            CA_FILE,
            key(
                "client_certificate_file",
                FILE,
                NONE,
                "callgate's own certificate, for servers and Sentinels that ask for one, with the intermediate ones, \
                 in PEM. It is read when a server starts.",
            ),
            key(
                "client_key_file",
                FILE,
                Else("required with `client_certificate_file`"),
                "The file that holds its key, in PEM and without a passphrase.",
            ),
            key(
                "client_key_env",
                VARIABLE,
                NONE,
                "The variable that holds it, in place of a file.",
            ),
            key(
                "replicas",
                Integer("replicas", 1, 5),
                Else("none are waited for"),
                "How many replicas must have a turn before it is answered.",
            ),
            key(
                "replicas_within_ms",
                Integer("milliseconds", 1, 1_000),
                Default("500"),
                "How long that may take; after that the store counts as gone.",
            ),
        ],
        examples: &["password_env = \"REDIS_PASSWORD\"\nreplicas = 1\nreplicas_within_ms = 500"],
    },
    Section {
        name: "vouchers",
        doc: "The signed statements about a caller that a specialist's systems can check.",
        keys: &[key(
            "key",
            Integer("", 1, 1_000_000),
            Default("1"),
            "The number of the key that signs them. Go up by one at a time: the keys before and after it are \
             published with it.",
        )],
        examples: &["key = 1"],
    },
    Section {
        name: "admin.tokens",
        doc: "Who may use the admin API: a `[[admin.tokens]]` for each.",
        keys: &[
            key("name", Text("a name"), Required, "Whose it is, for the audit."),
            key(
                "role",
                Choice(&["designer", "agent", "operator"]),
                Required,
                "What it allows: to see flows; to see what a caller's proof allows and to ask for more; \
                 to operate the server.",
            ),
            key(
                "token_env",
                VARIABLE,
                Required,
                "The token's variable. `openssl rand -base64 32` makes a good one; `serve` warns if it has fewer than 16 characters.",
            ),
            in_file("token_file"),
        ],
        examples: &["name = \"desk\"\nrole = \"agent\"\ntoken_env = \"CALLGATE_DESK_TOKEN\""],
    },
];
