//! Small runs of the faults that `benches/faults.rs` runs large.

pub(crate) mod runs;

use std::time::Duration;

use self::runs::Size;

const SMALL: Size = Size {
    callers: 24,
    within: Duration::from_secs(4),
    think: Duration::from_millis(400),
    more: 30,
};

macro_rules! hold {
    ($($fault:ident),* $(,)?) => {
        $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $fault() {
            let outcome = runs::$fault(SMALL).await;
            println!("{}\n{}\n{}", runs::HEAD, runs::RULE, outcome.row());
            outcome.check();
        } )*
    };
}

hold! {
    a_server_is_killed,
    a_server_is_killed_in_mid_delivery,
    the_primary_behind_sentinels_is_killed,
    a_primary_of_a_cluster_is_killed,
    the_primary_behind_sentinels_takes_turns_with_it,
    a_primary_of_a_cluster_takes_turns_with_it,
    a_primary_takes_nothing_that_a_replica_must_have,
    the_network_is_cut,
    the_disk_is_full,
    the_file_is_read_only,
    the_clock_is_set,
}
