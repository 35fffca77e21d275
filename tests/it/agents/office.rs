//! A bank whose callers are handed over in every way there is.

use callgate::engine::id::{CallId, Sid};
use serde_json::Value;

use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, PIN, client};
use crate::support::provider::{ACCOUNT_SID, Provider};
use crate::support::telephone::{Telephone, digits};

const FLOW: &str = include_str!("desk.toml");
/// The number that callers of these tests show.
pub(crate) const CALLER: &str = "+15005550777";

/// The specialist's token.
pub(crate) const AGENT: &str = "agent-token-of-the-tests";
/// The designer's.
pub(crate) const DESIGNER: &str = "designer-token-of-the-tests";

/// A running server with that bank's flow.
pub(crate) fn house(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), FLOW).unwrap();
    house.set_environment("TEST_AGENT", AGENT);
    house.set_environment("TEST_DESIGNER", DESIGNER);
    house.change_configuration(
        "[[admin.tokens]]",
        "[[admin.tokens]]\nname = \"agent\"\nrole = \"agent\"\ntoken_env = \"TEST_AGENT\"\n\
         [[admin.tokens]]\nname = \"designer\"\nrole = \"designer\"\ntoken_env = \"TEST_DESIGNER\"\n\
         [[admin.tokens]]",
    );
    house.restart();
    house
}

/// The call that the provider names so.
pub(crate) fn call_of(sid: &str) -> String {
    CallId::of(ACCOUNT_SID, &Sid(sid.into())).to_string()
}

/// Asks the admin API as a specialist: with a body it is a POST.
pub(crate) async fn agent(house: &House, post: Option<Value>, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", house.admin());
    let request = match post {
        Some(body) => client().post(url).body(body.to_string()),
        None => client().get(url),
    };
    let response = request.bearer_auth(AGENT).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// The code in the text message of this number.
pub(crate) async fn code_of(provider: &Provider, count: usize) -> String {
    eventually_async("a text message", async || {
        let message = provider.messages().get(count - 1)?.clone();
        Some(digits(message.field("Body").unwrap()))
    })
    .await
}

/// A caller who has proved the PIN, and chooses.
pub(crate) async fn caller(house: &House, sid: &str, pin: bool) -> Telephone {
    let mut phone = Telephone::new(sid, CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone.key(house, if pin { PIN } else { "111222" }).await;
    assert!(phone.spoken().starts_with("What would you like"), "{}", phone.spoken());
    phone
}
