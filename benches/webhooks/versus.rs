//! Two servers against each other: both alive, in short slices that alternate, so that what the machine
//! does meanwhile falls on both.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::call::{Script, fresh_run};
use super::load::Callers;
use super::machine::Foreign;
use super::servers::Server;

/// Pairs of slices; a median of fewer does not repeat.
const PAIRS: usize = 20;
const SLICE: Duration = Duration::from_millis(800);
const WARM_UP: Duration = Duration::from_secs(2);
pub(crate) const CONNECTIONS: usize = 64;
const RESAMPLES: usize = 2_000;

/// A median, and the middle 95 % of what it might have been.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Median {
    pub(crate) of: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// One server's share.
#[derive(Debug, Default)]
struct Side {
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
    wrong: u64,
}

/// What came of it: the first against the second.
#[derive(Debug)]
pub(crate) struct Versus {
    pub(crate) rates: [f64; 2],
    pub(crate) cpu_us: [f64; 2],
    /// Webhooks per second of the first over those of the second.
    pub(crate) rate: Median,
    /// Processor time of the second over that of the first.
    pub(crate) cpu: Median,
    pub(crate) wrong: [u64; 2],
    /// Cores that others kept busy meanwhile.
    pub(crate) foreign: f64,
}

/// Runs them.
pub(crate) fn versus(runtime: &Runtime, servers: [&Server; 2], own: &[u32]) -> Versus {
    let callers = [0, 1].map(|n: usize| {
        let callers = Callers::new(servers[n].address(), Script::Balance, fresh_run(), CONNECTIONS);
        runtime.block_on(callers.as_fast_as_answered(WARM_UP));
        callers
    });
    let mut pids: Vec<u32> = servers.iter().flat_map(|server| server.process.pids()).collect();
    pids.extend(own);
    pids.push(std::process::id());
    let foreign = Foreign::watch(pids);
    let mut sides = [Side::default(), Side::default()];
    for pair in 0..PAIRS {
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        for n in order {
            let cpu_ns = servers[n].cpu_ns();
            let slice = runtime.block_on(callers[n].as_fast_as_answered(SLICE));
            let cpu_us = (servers[n].cpu_ns() - cpu_ns) as f64 / 1_000.0;
            sides[n].rates.push(slice.rate());
            sides[n].cpu_us.push(cpu_us / slice.answers.max(1) as f64);
            sides[n].wrong += slice.wrong;
        }
    }
    let [a, b] = &sides;
    let over = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a / b).collect::<Vec<_>>();
    Versus {
        rates: [median(&a.rates), median(&b.rates)],
        cpu_us: [median(&a.cpu_us), median(&b.cpu_us)],
        rate: bootstrap(&over(&a.rates, &b.rates)),
        cpu: bootstrap(&over(&b.cpu_us, &a.cpu_us)),
        wrong: [a.wrong, b.wrong],
        foreign: foreign.cores(),
    }
}

pub(crate) fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.is_empty() {
        f64::NAN
    } else if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

fn bootstrap(of: &[f64]) -> Median {
    // A plain generator (Steele and others, 2014): the same resamples every time.
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below as u64) as usize
    };
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| median(&(0..of.len()).map(|_| of[draw(of.len())]).collect::<Vec<_>>()))
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((RESAMPLES - 1) as f64 * share) as usize];
    Median { of: median(of), from: at(0.025), to: at(0.975) }
}
