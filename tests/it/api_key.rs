//! An API key in place of the account's auth token: everything asked of the provider goes under it, and the token
//! signs webhooks and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use toml_edit::DocumentMut;

use crate::configuration::{LEAST, load_in};
use crate::support::eventually::eventually;
use crate::support::house::{ACCOUNT, House, MOBILE, PIN};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Provider, SERVICE_SID};
use crate::support::telephone::Telephone;

const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const SECRET: &str = "the-secret-of-the-api-key-32-long";

/// A house that asks with the key, and at this provider for whatever else it says.
fn house(provider: &Provider, section: &str) -> House {
    let mut house = House::set_up("memory:", &provider.api_base());
    house.change_configuration(
        "api_base = ",
        &format!("api_key = \"{KEY}\"\napi_secret_env = \"TEST_API_SECRET\"\napi_base = "),
    );
    let own = format!("url = \"{}\"\nallow = [\"127.0.0.0/8\"]\n", provider.api_base());
    house.change_configuration("[[admin.tokens]]", &format!("{section}{own}[[admin.tokens]]"));
    house.set_environment("TEST_API_SECRET", SECRET);
    house.restart();
    house
}

async fn at_the_menu(house: &House, sid: &str) -> Telephone {
    let mut telephone = Telephone::new(sid, "+15005550777");
    telephone.ring(house).await;
    telephone.key(house, ACCOUNT).await;
    telephone.key(house, PIN).await;
    telephone
}

/// Every request so far came with the key, and with nothing of the token.
fn went_under_the_key(provider: &Provider, house: &House) {
    let under = format!("Basic {}", STANDARD.encode(format!("{KEY}:{SECRET}")));
    for request in provider.requests() {
        assert_eq!(request.header("authorization"), Some(&*under), "{}", request.path);
        let all = format!("{request:?}");
        assert!(!all.contains(AUTH_TOKEN) && !all.contains("TEST_OLD"), "{}", request.path);
    }
    for secret in [SECRET, AUTH_TOKEN] {
        assert!(!house.log().contains(secret), "it is in the log");
    }
}

/// Messages, rings, redirects and look-ups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_rings_and_look_ups_are_asked_for_with_the_api_key() {
    let provider = Provider::start();
    provider.lets_in(KEY, SECRET);
    let look_ups = "[lookup]\nkind = \"twilio\"\nfields = [\"line_type_intelligence\"]\n";
    let house = house(&provider, look_ups);
    let mut telephone = at_the_menu(&house, "CA1").await;
    telephone.key(&house, "1").await;
    assert!(telephone.spoken().starts_with("Key in the six digits"), "{}", telephone.spoken());
    eventually("a message", || (provider.messages().len() == 1).then_some(()));
    assert_eq!(provider.look_ups().len(), 1);
    let mut other = at_the_menu(&house, "CA2").await;
    other.key(&house, "2").await;
    eventually("a ring", || (provider.calls().len() == 1).then_some(()));
    went_under_the_key(&provider, &house);
    let paths: Vec<_> = provider.requests().into_iter().map(|request| request.path).collect();
    let account = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/");
    for resource in ["Messages.json", "Calls.json"] {
        assert!(paths.contains(&format!("{account}{resource}")), "{paths:?}");
    }
    // Webhooks are signed with the account's token, and with no key of the REST API.
    let form = [("AccountSid", ACCOUNT_SID), ("CallSid", "CA3"), ("From", MOBILE), ("To", MOBILE)];
    assert_eq!(house.post_signed(SECRET, "/twilio/voice", &form).await.0, 403);
    assert_eq!(house.post_signed(AUTH_TOKEN, "/twilio/voice", &form).await.0, 200);
}

/// Codes that the provider makes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_providers_codes_are_asked_for_with_the_api_key() {
    let provider = Provider::start();
    provider.lets_in(KEY, SECRET);
    let verify = format!("[otp]\nbackend = \"verify\"\nservice_sid = \"{SERVICE_SID}\"\n");
    let house = house(&provider, &verify);
    let mut telephone = at_the_menu(&house, "CA1").await;
    telephone.key(&house, "1").await;
    let code = eventually("a code", || provider.code_of(MOBILE));
    telephone.key(&house, &code).await;
    assert!(telephone.spoken().starts_with("Your balance is"), "{}", telephone.spoken());
    assert_eq!((provider.begun().len(), provider.checks().len()), (1, 1));
    went_under_the_key(&provider, &house);
}

/// A key without its secret, a secret without its key, and one in the other's place.
#[test]
fn an_api_key_goes_with_its_secret() {
    let key = "SK00000000000000000000000000000000";
    let found = |keys: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hush"), "hush-hush-hush-hush-hush-hush-32").unwrap();
        let account = "[twilio]\naccount_sid = \"AC00000000000000000000000000000000\"\n\
             auth_token_env = \"TOKEN\"\n";
        let part: DocumentMut = format!("{account}{keys}").parse().unwrap();
        let mut whole: DocumentMut = LEAST.parse().unwrap();
        whole["twilio"] = part["twilio"].clone();
        load_in(folder.path(), &whole, true)
    };
    let refused = |keys: &str| {
        let findings = found(keys).err().unwrap_or_default();
        findings.into_iter().map(|it| (it.code, it.message)).collect::<Vec<_>>()
    };
    let with = |key: &str| format!("api_key = \"{key}\"\n");
    let login = |keys: &str| {
        let login = found(keys).unwrap().twilio.login;
        (login.user, login.password.expose_secret().to_owned())
    };
    let (user, secret) = login(&format!("{}api_secret_file = \"hush\"\n", with(key)));
    assert_eq!((&*user, &*secret), (key, "hush-hush-hush-hush-hush-hush-32"));
    let (user, secret) = login("");
    assert_eq!(user, "AC00000000000000000000000000000000");
    assert_ne!(secret, "hush-hush-hush-hush-hush-hush-32");
    assert_eq!(
        refused("api_secret_file = \"hush\"\n"),
        [("missing-key", "`twilio` has the secret of an API key, and no `api_key`".to_owned())]
    );
    let missing = refused(&with(key));
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].0, "missing-secret");
    let other = "`api_key` is SK and 32 hexadecimal digits";
    for wrong in ["AC00000000000000000000000000000000", "hush-hush-hush-hush-hush-hush-32"] {
        let keys = format!("{}api_secret_file = \"hush\"\n", with(wrong));
        assert_eq!(refused(&keys), [("bad-api-key", other.to_owned())]);
    }
}
