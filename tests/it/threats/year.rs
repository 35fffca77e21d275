//! A year of guessing, by a virtual clock: fifty calls at once, again and again.

use std::sync::Arc;
use std::time::Duration;

use callgate::chance::SystemChance;
use callgate::directory::pin;
use callgate::flow::level::Fact;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use tokio::task::JoinSet;

use super::office::{ACCOUNT, DESK, Office, account};

const AT_ONCE: usize = 50;
/// Between two waves: longer than any lock, so that each wave finds what there is to be had.
const BETWEEN: Duration = Duration::from_hours(15 * 24);
const WAVES: usize = 25;
/// The weeks of a year.
const WEEKS: usize = 52;

/// Fifty calls at once, each with one guess at one account; how many guesses were looked at, and how
/// many accounts opened.
async fn wave(
    office: &Arc<Office>,
    (wave, at_once): (usize, usize),
    account: impl Fn(usize) -> String,
    guess: impl Fn(usize) -> String,
) -> (usize, usize) {
    let mut ready = Vec::new();
    for n in 0..at_once {
        let mut line = office.ring_from(&format!("CA{wave}-{n}"), None).await;
        line.key(&account(n)).await;
        ready.push((line, guess(n)));
    }
    let mut guesses = JoinSet::new();
    for (mut line, guess) in ready {
        let office = office.clone();
        guesses.spawn(async move {
            line.key(&guess).await;
            let opened = office.facts(line.call).await == [Fact::Pin];
            (office.looked_at(line.call).await.0, usize::from(opened))
        });
    }
    let all = guesses.join_all().await;
    office.outbox.drain().await.unwrap();
    all.into_iter().fold((0, 0), |(seen, opened), (s, o)| (seen + s, opened + o))
}

/// A wrong PIN, another one for each wave and call.
fn wrong(wave: usize, n: usize) -> String {
    format!("{:06}", 100_000 + wave * AT_ONCE + n)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t30_a_year_against_one_account_is_twenty_guesses() {
    let office = Arc::new(Office::fresh(DESK, &account(ACCOUNT, "2024-01-01")));
    let cap = usize::try_from(office.exchange.policy().pin.hard_cap).unwrap();
    let mut seen = 0;
    for n in 0..WAVES {
        let guess = |call| wrong(n, call);
        let (looked_at, opened) = wave(&office, (n, AT_ONCE), |_| ACCOUNT.into(), guess).await;
        assert_eq!(opened, 0);
        seen += looked_at;
        assert!(seen <= cap, "wave {n}");
        office.clock.advance(BETWEEN);
    }
    assert_eq!(seen, cap, "no more, and the policy grants so many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t36_an_owner_who_calls_again_and_again_buys_an_attacker_no_more_than_the_years_budget() {
    let office = Arc::new(Office::fresh(DESK, &account(ACCOUNT, "2024-01-01")));
    let budget = usize::try_from(office.exchange.policy().pin.year_budget).unwrap();
    let (mut seen, mut owner_got_in) = (0, 0);
    for week in 0..WEEKS {
        let guess = |call| wrong(week, call);
        let (looked_at, opened) = wave(&office, (week, 10), |_| ACCOUNT.into(), guess).await;
        assert_eq!(opened, 0);
        seen += looked_at;
        assert!(seen <= budget, "week {week}: {seen}");
        // Three days later, whatever was locked is not any more, unless it is for good.
        office.clock.advance(Duration::from_hours(3 * 24));
        let owner = office.ring_to_menu(&format!("CB{week}")).await;
        owner_got_in += usize::from(office.facts(owner.call).await == [Fact::Pin]);
        office.outbox.drain().await.unwrap();
        office.clock.advance(Duration::from_hours(4 * 24));
    }
    assert!(owner_got_in > 5, "the owner was not locked out at once: {owner_got_in}");
    assert!(seen > usize::try_from(office.exchange.policy().pin.hard_cap).unwrap());
}

/// A thousand accounts, their PINs among ten: each wave tries one of the ten on fifty accounts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t30_a_year_over_a_thousand_accounts_opens_few() {
    const ACCOUNTS: usize = 1_000;
    const POPULAR: usize = 10;
    const SPRAYS: usize = 6;
    let popular = |n: usize| format!("{:06}", 738_291 + 1_111 * (n % POPULAR));
    let vault = Vault::new(&[7; 32]);
    let hashes: Vec<String> = (0..POPULAR)
        .map(|n| pin::hash(&Secret::new(popular(n)), &vault, &SystemChance).unwrap())
        .collect();
    let name = |n: usize| format!("{:08}", 40_000_000 + n % ACCOUNTS);
    let entry = |n: usize| {
        format!("[[accounts]]\nid = \"{}\"\npin_hash = \"{}\"\n", name(n), hashes[n % POPULAR])
    };
    let accounts = (0..ACCOUNTS).map(entry).collect::<Vec<_>>().concat();
    let office = Arc::new(Office::fresh(DESK, &accounts));
    let limit = usize::try_from(office.exchange.policy().shared.accounts_per_secret_day).unwrap();
    let mut opened_in_all = 0;
    for n in 0..SPRAYS {
        let (seen, opened) =
            wave(&office, (n, AT_ONCE), |call| name(n * AT_ONCE + call), |_| popular(n)).await;
        assert_eq!(seen, AT_ONCE, "each is as much work");
        // A tenth has this PIN; beyond so many wrong ones it is wrong for all.
        assert!(opened <= AT_ONCE / POPULAR, "wave {n}: {opened}");
        opened_in_all += opened;
        office.clock.advance(Duration::from_hours(61 * 24));
    }
    assert!(limit < AT_ONCE && opened_in_all > 0);
    assert!(
        opened_in_all < SPRAYS * AT_ONCE / POPULAR,
        "the limit kept some shut: {opened_in_all}"
    );
}
