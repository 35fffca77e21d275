//! Checks entries against slow hashes: outside the async workers, a few at a time, and with no longer queue than
//! can be served in time.
//!
//! A hash keeps a processor busy for longer than hundreds of turns do, and those who are asked for a PIN expect
//! to wait: so its thread has a lower priority than those that answer webhooks. But then it also yields to every
//! other program, and on a busy machine nobody would be served in time: so the one that has waited long enough,
//! one at a time, gets a thread of normal priority.
//!
//! Every thread that has hashed keeps the memory that it used. So hashes have threads of their own, including
//! that one: only as many as hash at once, whatever other threads the process has.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::directory::pin::StoredPin;
use crate::exchange::ExchangeError;
use crate::limits::{
    HASH_GIVES_WAY_FOR, HASH_NICENESS, HASH_THREADS_KEPT_FOR, HASHES_AT_ONCE, HASHES_WAITING_MAX,
};
use crate::secret::Secret;
use crate::store::envelope::Vault;
use crate::threads::give_way;

/// Verifies secrets.
#[derive(Debug)]
pub(in crate::exchange) struct Verifier {
    /// Places for those that are hashed or wait.
    places: Arc<Semaphore>,
    /// Slots for those that are hashed.
    slots: Arc<Semaphore>,
    /// The slot for the one that no longer yields.
    urgent: Arc<Semaphore>,
    /// The threads of lower priority; `None`: the system gives us none.
    threads: Option<Runtime>,
    /// And the one of normal priority.
    urgent_thread: Option<Runtime>,
    in_place: bool,
}

impl Verifier {
    pub(in crate::exchange) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING_MAX)),
            slots: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            urgent: Arc::new(Semaphore::new(1)),
            threads: threads(HASHES_AT_ONCE)
                .on_thread_start(|| give_way(HASH_NICENESS))
                .build()
                .ok(),
            urgent_thread: threads(1).build().ok(),
            in_place: false,
        }
    }

    /// From now on verifies in the caller's own thread.
    pub(super) fn verify_in_place(&mut self) {
        self.in_place = true;
    }

    /// A place in the queue, held while somebody waits for the result.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, ExchangeError> {
        self.places.clone().try_acquire_owned().map_err(|_| ExchangeError::Crowded)
    }

    /// A turn to be hashed.
    pub(super) async fn turn(&self) -> Result<Turn, ExchangeError> {
        tokio::select! {
            biased;
            slot = free(&self.slots) => Ok(Turn::GivingWay(slot?)),
            urgent = self.after(HASH_GIVES_WAY_FOR) => Ok(Turn::Urgent(urgent?)),
        }
    }

    async fn after(&self, wait: Duration) -> Result<OwnedSemaphorePermit, ExchangeError> {
        tokio::time::sleep(wait).await;
        free(&self.urgent).await
    }

    /// Checks an entry against a secret on file.
    pub(super) async fn is(
        &self,
        stored: StoredPin,
        entry: &Secret,
        vault: &Vault,
    ) -> Result<bool, ExchangeError> {
        if self.in_place {
            return Ok(stored.is(entry, vault));
        }
        let hashing = |slot: OwnedSemaphorePermit| {
            let (stored, entry, vault) = (stored.clone(), entry.clone(), vault.clone());
            move || {
                let right = stored.is(&entry, &vault);
                // Released only here, even if nobody waits for it any more: until then the processor is busy.
                drop(slot);
                right
            }
        };
        let urgent = match self.turn().await? {
            Turn::GivingWay(slot) => {
                let threads = self.threads.as_ref().ok_or(ExchangeError::Unverified)?;
                let mut right = threads.spawn_blocking(hashing(slot));
                tokio::select! {
                    biased;
                    right = &mut right => return right.map_err(|_| ExchangeError::Unverified),
                    urgent = self.after(HASH_GIVES_WAY_FOR) => urgent?,
                }
            }
            Turn::Urgent(urgent) => urgent,
        };
        let thread = self.urgent_thread.as_ref().ok_or(ExchangeError::Unverified)?;
        let right = thread.spawn_blocking(hashing(urgent));
        right.await.map_err(|_| ExchangeError::Unverified)
    }
}

/// This many threads to hash on.
fn threads(count: usize) -> Builder {
    let mut threads = Builder::new_current_thread();
    threads
        .max_blocking_threads(count)
        .thread_keep_alive(HASH_THREADS_KEPT_FOR)
        .thread_name("hash");
    threads
}

/// What an entry holds while it is hashed.
pub(super) enum Turn {
    /// One of the slots.
    GivingWay(OwnedSemaphorePermit),
    /// The slot for the one that has waited long enough.
    Urgent(OwnedSemaphorePermit),
}

async fn free(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ExchangeError> {
    slots.clone().acquire_owned().await.map_err(|_| ExchangeError::Unverified)
}

impl Drop for Verifier {
    /// Does not wait for hashes that nobody needs: it may be dropped within a turn.
    fn drop(&mut self) {
        for threads in self.threads.take().into_iter().chain(self.urgent_thread.take()) {
            threads.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::limits::TURN_DEADLINE;

    /// Keeps all threads busy, each until its sender is dropped.
    fn keep_busy(threads: &Runtime) -> Vec<(mpsc::Sender<()>, JoinHandle<()>)> {
        let busy = |_| {
            let (go_on, told) = mpsc::channel::<()>();
            (go_on, threads.spawn_blocking(move || assert!(told.recv().is_err())))
        };
        (0..HASHES_AT_ONCE).map(busy).collect()
    }

    #[test]
    fn what_nobody_waits_for_any_more_holds_its_slot_until_it_is_done() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let verifier = Verifier::new();
            let threads = verifier.threads.as_ref().unwrap();
            let busy = keep_busy(threads);
            let (entry, vault) = (Secret::new("271828"), Vault::new(&[7; 32]));
            let mut right = Box::pin(verifier.is(StoredPin::plain("271828"), &entry, &vault));
            assert!(right.as_mut().now_or_never().is_none());
            drop(right);
            assert_eq!(verifier.slots.available_permits(), HASHES_AT_ONCE - 1);

            for (go_on, busy) in busy {
                drop(go_on);
                busy.await.unwrap();
            }
            assert!(verifier.is(StoredPin::plain("271828"), &entry, &vault).await.unwrap());
            assert_eq!(verifier.slots.available_permits(), HASHES_AT_ONCE);
        });
    }

    /// As if other programs left the threads of lower priority no processor time.
    #[test]
    fn who_has_waited_long_enough_gives_way_no_more() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let verifier = Verifier::new();
            let threads = verifier.threads.as_ref().unwrap();
            let starved = keep_busy(threads);
            let (entry, vault) = (Secret::new("271828"), Vault::new(&[7; 32]));
            // Some have begun and are stuck, and one does not even begin.
            let all = (0..=HASHES_AT_ONCE)
                .map(|_| verifier.is(StoredPin::plain("271828"), &entry, &vault));
            let all = tokio::time::timeout(TURN_DEADLINE, join_all(all)).await;
            assert!(all.unwrap().into_iter().all(Result::unwrap));
            assert_eq!(verifier.slots.available_permits(), 0);
            drop(starved);
        });
    }

    /// Each takes 19 MiB; there may be a hundred other threads, each of which would keep as much.
    #[test]
    fn nobody_hashes_on_the_threads_of_others() {
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
        let runtime = runtime.unwrap();
        runtime.block_on(async {
            let verifier = Verifier::new();
            let starved = keep_busy(verifier.threads.as_ref().unwrap());
            let (go_on, told) = mpsc::channel::<()>();
            let others = tokio::task::spawn_blocking(move || assert!(told.recv().is_err()));
            let (entry, vault) = (Secret::new("271828"), Vault::new(&[7; 32]));
            let right = verifier.is(StoredPin::plain("271828"), &entry, &vault);
            assert!(tokio::time::timeout(TURN_DEADLINE, right).await.unwrap().unwrap());
            drop(go_on);
            others.await.unwrap();
            drop(starved);
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_hashes_gives_way_and_nobody_else_does() {
        let verifier = Verifier::new();
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let own = niceness();
        let threads = verifier.threads.as_ref().unwrap();
        let theirs = threads.block_on(threads.spawn_blocking(niceness)).unwrap();
        assert_eq!((theirs, niceness()), (HASH_NICENESS.max(own), own));
    }

    #[test]
    fn no_more_wait_than_can_be_served_in_time() {
        let verifier = Verifier::new();
        let held: Vec<_> = std::iter::from_fn(|| verifier.place().ok()).collect();
        assert_eq!(held.len(), HASHES_AT_ONCE + HASHES_WAITING_MAX);
        assert!(matches!(verifier.place(), Err(ExchangeError::Crowded)));
        drop(held);
        assert!(verifier.place().is_ok());
    }
}
