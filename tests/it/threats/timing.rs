//! What the time of an answer tells: nothing, for each that could tell something is as late as the others.

use std::time::{Duration, Instant};

use crate::support::house::{ACCOUNT, House};
use crate::support::telephone::Telephone;

const DEADLINE: Duration = Duration::from_millis(300);
const NO_PIN: &str = "20000000";
const NOBODY: &str = "30000000";

fn house() -> House {
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    let path = house.folder.path().join("accounts.toml");
    let accounts = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{accounts}[[accounts]]\nid = \"{NO_PIN}\"\n")).unwrap();
    let deadline = format!("deadline_ms = {}", DEADLINE.as_millis());
    house.change_configuration("deadline_ms = 0", &deadline);
    house.restart();
    house
}

/// Keys something in, and says how long its answer took.
async fn key(house: &House, phone: &mut Telephone, digits: &str) -> Duration {
    let begun = Instant::now();
    phone.key(house, digits).await;
    begun.elapsed()
}

/// An account with a PIN, one without, none, and one that is locked: each claim and each entry, one that
/// has not the length of an entry too, is answered when it is due and not before. A machine of the tests is
/// too busy to say more: how much later differs by what else it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t41_no_answer_comes_early_whatever_was_found() {
    let house = house();
    for (n, claimed) in [ACCOUNT, ACCOUNT, NO_PIN, NOBODY, ACCOUNT].into_iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{n:032}"), "anonymous");
        phone.ring(&house).await;
        let took = key(&house, &mut phone, claimed).await;
        assert!(took >= DEADLINE, "the claim of call {n}: {took:?}");
        for entry in ["123", &format!("9{n}1342"), &format!("9{n}1343")] {
            let took = key(&house, &mut phone, entry).await;
            assert!(took >= DEADLINE, "an entry of call {n}: {took:?}");
        }
    }
}
