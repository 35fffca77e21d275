//! A bank whose callers are handed over in every way there is.

use crate::support::house::{ACCOUNT, House, PIN};
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

const FLOW: &str = include_str!("desk.toml");
/// The number that callers of these tests show.
pub(super) const CALLER: &str = "+15005550777";

/// A running server with that bank's flow.
pub(super) fn house(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), FLOW).unwrap();
    house.restart();
    house
}

/// A caller who has proved the PIN, and chooses.
pub(super) async fn caller(house: &House, sid: &str, pin: bool) -> Telephone {
    let mut phone = Telephone::new(sid, CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone.key(house, if pin { PIN } else { "111222" }).await;
    assert!(phone.spoken().starts_with("What would you like"), "{}", phone.spoken());
    phone
}
