//! The search: every order of turns, depth first.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use callgate::clock::{Clock as _, VirtualClock};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::super::ground::Ground;
use super::super::planted::Plant;
use super::door::{Common, Door};
use super::scene::Scene;

/// Longer than a lease.
const LAPSE: Duration = Duration::from_secs(31);
/// Rounds in which a server alone finishes what is left.
const ROUNDS: usize = 3;

/// How much may happen on one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// Changes to another server while the one could go on.
    pub(crate) changes: u8,
    pub(crate) deaths: u8,
    /// Leases that end under whoever stands still.
    pub(crate) lapses: u8,
    /// Requests to the provider whose answer does not come.
    pub(crate) unheard: u8,
    /// Older copies of a call.
    pub(crate) older: u8,
}

/// What was explored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explored {
    pub(crate) ways: usize,
    pub(crate) states: usize,
}

/// The choices of a way: those that are to be taken again, and those after them.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    path: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    pub(crate) fn choose(&mut self, of: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, of));
        }
        let (taken, among) = self.path[self.at];
        assert_eq!(among, of, "the same way is not the same again");
        self.at += 1;
        taken
    }

    /// The next way; `None`: there is none.
    fn next(mut self) -> Option<Self> {
        self.path.truncate(self.at);
        while let Some((taken, among)) = self.path.pop() {
            if taken + 1 < among {
                self.path.push((taken + 1, among));
                return Some(Self { path: self.path, at: 0 });
            }
        }
        None
    }
}

/// A server at its door.
struct Actor {
    lives: u64,
    door: Arc<Door>,
    /// `None`: it is done.
    work: Option<LocalBoxFuture<'static, ()>>,
}

#[derive(Clone, Copy)]
enum Move {
    Run(usize),
    Die(usize),
    Lapse,
}

/// Explores a scene; the first way that ends badly is an error.
pub(crate) fn explore(scene: &Scene, plant: Option<Plant>) -> Result<Explored, String> {
    let mut seen = HashSet::new();
    let (mut choices, mut ways) = (Choices::default(), 0);
    loop {
        ways += 1;
        let known = choices.path.len();
        let common = Arc::new(Common {
            ground: Arc::new(Ground::of(scene.log.clone(), plant)),
            plant,
            clock: Arc::new(VirtualClock::at(scene.at)),
            choices: Mutex::new(choices),
            left: Mutex::new(scene.bounds),
            books: Mutex::default(),
        });
        let mut way = Way { scene, common: common.clone(), actors: Vec::new(), last: None };
        if way.go(known, &mut seen) {
            way.finish();
            scene.check(&common).map_err(|what| {
                let path = common.choices.lock().unwrap().path.clone();
                format!("{}: {what} (way {ways}, by the choices {path:?})", scene.name)
            })?;
        }
        let taken = std::mem::take(&mut *common.choices.lock().unwrap());
        match taken.next() {
            Some(next) => choices = next,
            None => return Ok(Explored { ways, states: seen.len() }),
        }
    }
}

struct Way<'s> {
    scene: &'s Scene,
    common: Arc<Common>,
    actors: Vec<Actor>,
    last: Option<usize>,
}

impl Way<'_> {
    /// Goes to the end; `false`: it comes to a state that was seen before.
    fn go(&mut self, known: usize, seen: &mut HashSet<u64>) -> bool {
        for n in 0..2 {
            let actor = self.born(n, 0);
            self.actors.push(actor);
            self.poll(n);
        }
        loop {
            let moves = self.moves();
            if moves.is_empty() {
                return true;
            }
            let chosen = self.common.choices.lock().unwrap().choose(moves.len());
            match moves[chosen] {
                Move::Run(n) => {
                    if self.last.is_some_and(|last| last != n && self.actors[last].work.is_some()) {
                        self.common.left.lock().unwrap().changes -= 1;
                    }
                    self.last = Some(n);
                    self.actors[n].door.open.store(true, Ordering::Relaxed);
                    self.poll(n);
                }
                Move::Die(n) => {
                    self.common.left.lock().unwrap().deaths -= 1;
                    self.actors[n] = self.born(n, self.actors[n].lives + 1);
                    self.poll(n);
                }
                Move::Lapse => {
                    self.common.left.lock().unwrap().lapses -= 1;
                    self.common.clock.advance(LAPSE);
                }
            }
            let fresh = self.common.choices.lock().unwrap().at >= known;
            if fresh && !seen.insert(self.state()) {
                return false;
            }
        }
    }

    /// What may happen next: first that whoever was on goes on.
    fn moves(&self) -> Vec<Move> {
        let left = *self.common.left.lock().unwrap();
        let mut at_it: Vec<_> = (0..2).filter(|n| self.actors[*n].work.is_some()).collect();
        at_it.sort_by_key(|n| Some(*n) != self.last);
        let free = self.last.is_none_or(|last| self.actors[last].work.is_none());
        let may = |n: &&usize| free || Some(**n) == self.last || left.changes > 0;
        let mut moves: Vec<_> = at_it.iter().filter(may).map(|n| Move::Run(*n)).collect();
        if left.deaths > 0 {
            moves.extend(at_it.iter().map(|n| Move::Die(*n)));
        }
        if left.lapses > 0 && !at_it.is_empty() {
            moves.push(Move::Lapse);
        }
        moves
    }

    fn born(&self, n: usize, lives: u64) -> Actor {
        let door = Door::new(&self.common, false);
        // The same server in the same life draws the same.
        let seed = 1_000 + 10 * n as u64 + lives;
        let work = self.scene.work(n, door.clone(), seed);
        Actor { lives, door, work: Some(work) }
    }

    /// Lets a server go on to its next door.
    fn poll(&mut self, n: usize) {
        let Actor { door, work, .. } = &mut self.actors[n];
        let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
        let Some(future) = work else { return };
        if future.poll_unpin(&mut context).is_ready() {
            *work = None;
        } else {
            assert!(door.waits.load(Ordering::Relaxed), "a server waits for something else");
        }
    }

    /// A server that nothing happens to finishes what is left.
    fn finish(&self) {
        let outbox = Scene::outbox(Door::new(&self.common, true), 5_000);
        for _ in 0..ROUNDS {
            outbox.drain().now_or_never().expect("nothing to wait for").unwrap();
            self.common.clock.advance(LAPSE);
        }
    }

    /// All that matters to what follows.
    fn state(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.common.left.lock().unwrap().hash(&mut hash);
        self.common.clock.now().hash(&mut hash);
        self.last.hash(&mut hash);
        for actor in &self.actors {
            (actor.lives, actor.work.is_some(), actor.door.hash()).hash(&mut hash);
        }
        self.common.ground.hash_after(self.scene.log.len(), &mut hash);
        let books = self.common.books.lock().unwrap();
        (books.rung.len(), books.sent.len(), books.replies.len()).hash(&mut hash);
        hash.finish()
    }
}
