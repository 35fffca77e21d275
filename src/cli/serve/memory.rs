//! How much memory the process may use: if that is too little, the system kills it in the middle of calls, and
//! does not say so in the log.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::limits::{MEMORY_OF_EMBEDDED_STORE, MEMORY_OF_SERVER};

/// Where Linux shows the control groups: all of them in version 2, those that limit memory in version 1.
const GROUPS: &str = "/sys/fs/cgroup";
const GROUPS_OF_MEMORY: &str = "/sys/fs/cgroup/memory";

const MIB: u64 = 1024 * 1024;

/// Warns in the log if it may be too little.
pub(super) fn look(is_embedded: bool) {
    let needed = MEMORY_OF_SERVER + if is_embedded { MEMORY_OF_EMBEDDED_STORE } else { 0 };
    let of_groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = least(&of_groups, |file| std::fs::read_to_string(file).ok());
    let bound = [of_groups, getrlimit(Resource::As).current, getrlimit(Resource::Data).current];
    if let Some(bound) = bound.into_iter().flatten().min().filter(|bound| *bound < needed) {
        let (bound_mib, needed_mib) = (bound / MIB, needed / MIB);
        tracing::warn!(
            bound_mib,
            needed_mib,
            "this process may have little memory: when many ring at once the system may end it; raise the limit \
             (`MemoryMax=`, the container's memory, `ulimit -v`)"
        );
    }
}

/// The least that is allowed by one of the process's groups, or of the groups that contain them; `groups` as in
/// `/proc/self/cgroup`.
fn least(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let files = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        match rest.split_once(':')? {
            ("", group) => Some((GROUPS, group, "memory.max")),
            (what, group) if what.split(',').any(|what| what == "memory") => {
                Some((GROUPS_OF_MEMORY, group, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    let bounds = files.flat_map(|(root, group, file)| {
        let group = PathBuf::from(root).join(group.trim_start_matches('/'));
        let inside = group.ancestors().filter(|at| at.starts_with(root));
        inside.map(|at| at.join(file)).collect::<Vec<_>>()
    });
    bounds.filter_map(|file| read(&file)?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_of(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        least(groups, |file| {
            let found = files.iter().find(|(name, _)| Path::new(name) == file);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn a_group_is_bounded_by_those_in_which_it_is() {
        let files = [
            ("/sys/fs/cgroup/memory.max", "1\n"),
            ("/sys/fs/cgroup/system.slice/memory.max", "300\n"),
            ("/sys/fs/cgroup/system.slice/callgate.service/memory.max", "max\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "200\n"),
        ];
        assert_eq!(
            least_of("0::/system.slice/callgate.service\n", files.get(1..).unwrap()),
            Some(300)
        );
        // Inside a container, its own group is at the root.
        assert_eq!(least_of("0::/\n", &files), Some(1));
        let first = "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n";
        assert_eq!(least_of(first, &files), Some(200));
        assert_eq!(least_of("3:cpu,memory:/other\n", &files), Some(9_223_372_036_854_771_712));
        assert_eq!(least_of("", &files), None);
        assert_eq!(least_of("0::/no/such\n", &[]), None);
    }
}
