//! The machine: which core does what, what each process used of it, and what others did meanwhile.

use std::process::{Child, Command};
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The core of the server that is measured, and the one of Redis and the load.
pub(crate) const SERVER_CORE: usize = 0;
pub(crate) const LOAD_CORE: usize = 1;

/// Puts this process on one core; what it starts afterwards begins there.
pub(crate) fn pin_to(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // A machine with one core has nothing to choose from.
    let _ = sched_setaffinity(None, &cores);
}

/// Lets this process run on every core.
pub(crate) fn unpin() {
    let mut cores = CpuSet::new();
    for core in 0..processors() {
        cores.set(core);
    }
    let _ = sched_setaffinity(None, &cores);
}

/// How long this thread has been on a core, in nanoseconds: the part that others did not take. What
/// `/proc` tells of it moves only when the scheduler ticks.
pub(crate) fn core_ns() -> u64 {
    let told = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, ns) = (told.tv_sec.unsigned_abs(), told.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + ns
}

fn processors() -> usize {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count()
}

/// A program that will run on these cores alone.
pub(crate) fn on_cores(cores: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores, program]);
    command
}

/// The machine in one line.
pub(crate) fn name() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1));
    let gib = memory.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1_048_576.0;
    format!(
        "{}, {} cores, {gib:.1} GiB, Linux {}",
        cpu.unwrap_or("an unnamed processor"),
        processors(),
        system.trim()
    )
}

/// Processor time that a process has used with all its threads, in nanoseconds.
pub(crate) fn cpu_ns(pid: u32) -> u64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    threads
        .flatten()
        .filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

/// Resident memory of a process, in MiB.
pub(crate) fn rss_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kb = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    kb.and_then(|kb| kb.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN)
        / 1_024.0
}

/// A process that is measured; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{} does not start: {error}", program.display())))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// All processes it has become: itself and those it started.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.pid()];
        let mut at = 0;
        while let Some(pid) = pids.get(at).copied() {
            let children = format!("/proc/{pid}/task/{pid}/children");
            let children = std::fs::read_to_string(children).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            at += 1;
        }
        pids
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) {
        let _ = self.0.wait();
    }

    /// Asks it to stop, and waits. What another program runs is asked itself: that one ends with it.
    pub(crate) fn stop(&mut self) {
        let last = self.pids().last().copied().unwrap_or(self.pid());
        let pid = i32::try_from(last).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        self.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Time that all cores together have been busy or stolen, in seconds.
pub(crate) fn busy_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = all.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    ticks.iter().enumerate().filter(|(n, _)| !matches!(n, 3 | 4 | 8..)).map(|(_, t)| t).sum::<f64>()
        / 100.0
}

/// Watches how much of a core others used.
pub(crate) struct Foreign {
    begun: Instant,
    busy_s: f64,
    own_ns: u64,
    own: Vec<u32>,
}

impl Foreign {
    /// `own` are the processes that belong to the measurement.
    pub(crate) fn watch(own: Vec<u32>) -> Self {
        let own_ns = own.iter().map(|pid| cpu_ns(*pid)).sum();
        Self { begun: Instant::now(), busy_s: busy_s(), own_ns, own }
    }

    /// Cores that others have kept busy since.
    pub(crate) fn cores(&self) -> f64 {
        let own_ns: u64 = self.own.iter().map(|pid| cpu_ns(*pid)).sum();
        let own = own_ns.saturating_sub(self.own_ns) as f64 / 1e9;
        ((busy_s() - self.busy_s - own) / self.begun.elapsed().as_secs_f64()).max(0.0)
    }
}
