//! The daemon's version and environment, and the state of its machine.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use sandbox_engine::{Containment, Engine, InvalidVariable};

use super::Error;

/// Returns the home directory of the daemon's user.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// The daemon's version, as it reports it.
pub(crate) const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// Changes the environment of processes that start later, and returns the result. First removes `unset`, and every variable whose
/// value begins with `unset_value_prefix`, unless that is empty, and whose name is not in `set`; then sets `set`.
pub(crate) fn change_env(
    engine: &Engine,
    set: &[(String, String)],
    unset: &[String],
    unset_value_prefix: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let environment = engine
        .change_environment(|environment| {
            for name in unset {
                environment.remove(name);
            }
            if !unset_value_prefix.is_empty() {
                environment.retain(|name, value| {
                    let is_set = set.iter().any(|(other, _)| name == other.as_str());
                    is_set || !value.as_bytes().starts_with(unset_value_prefix.as_bytes())
                });
            }
            let mut set = set.iter();
            set.try_for_each(|(name, value)| environment.set_checked(name, value))
        })
        .map_err(|error: InvalidVariable| Error::bad(error.to_string()))?;
    let lossy = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    Ok(environment
        .iter()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .collect())
}

/// The load of the machine, in bytes, as far as the system reports it.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) cpu_count: Option<u32>,
    pub(crate) memory: Memory,
    pub(crate) disk_total: Option<u64>,
    pub(crate) disk_used: Option<u64>,
    pub(crate) disk_free: Option<u64>,
    /// The mechanism that finds the processes of a run.
    pub(crate) containment: Containment,
    pub(crate) at: SystemTime,
}

impl Metrics {
    /// Measures the current load.
    pub(crate) fn measure(engine: &Engine) -> Self {
        let disk = rustix::fs::statvfs(engine.work_dir()).ok();
        let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
            let disk = disk.as_ref()?;
            // The counts are in units of `f_frsize`, not of `f_bsize` (statvfs(3)).
            Some(blocks(disk).saturating_mul(disk.f_frsize))
        };
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu_count: std::thread::available_parallelism()
                .ok()
                .and_then(|count| u32::try_from(count.get()).ok()),
            memory: Memory::read(&memory),
            disk_total: bytes(|disk| disk.f_blocks),
            disk_used: bytes(|disk| disk.f_blocks.saturating_sub(disk.f_bfree)),
            // Not `f_bfree`, which includes the blocks that are reserved for root.
            disk_free: bytes(|disk| disk.f_bavail),
            containment: engine.containment(),
            at: SystemTime::now(),
        }
    }
}

/// Sizes of memory in bytes, as far as the system reports them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: Option<u64>,
    available: Option<u64>,
    pub(crate) cache: Option<u64>,
}

impl Memory {
    /// Parses the lines of `/proc/meminfo`, such as `MemTotal:       24689764 kB`.
    fn read(text: &str) -> Self {
        let bytes = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kibibytes.checked_mul(1024)
        };
        Self {
            total: bytes("MemTotal"),
            // Not `MemFree`, which leaves out the caches that the kernel gives up when memory is
            // needed.
            available: bytes("MemAvailable"),
            cache: bytes("Cached"),
        }
    }

    pub(crate) fn used(&self) -> Option<u64> {
        self.total?.checked_sub(self.available?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let memory = Memory::read("MemTotal:   8 kB\nMemFree: 1 kB\nMemAvailable: 3 kB\nCached: x");
        assert_eq!(memory.total, Some(8192));
        assert_eq!((memory.used(), memory.cache), (Some(5120), None));
        assert_eq!(Memory::read("").used(), None);
    }
}
