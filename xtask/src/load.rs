//! How busy the processors of the machine are, from `/proc/stat`.

use std::fs;
use std::time::Instant;

/// The ticks of all processors since the machine was started, at some time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    ticks: Option<Ticks>,
    at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Load {
    pub(crate) fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            ticks: Ticks::parse(&text),
            at: Instant::now(),
        }
    }

    /// Returns the time since then, and how busy the processors were.
    pub(crate) fn since(self) -> String {
        let took = self.at.elapsed().as_secs_f64();
        let busy = |before: Ticks| before.busy(Self::now().ticks?);
        match self.ticks.and_then(busy) {
            Some(percent) => format!("{took:.1} s, processors {percent} % busy"),
            None => format!("{took:.1} s"),
        }
    }
}

impl Ticks {
    /// Reads the first line: `cpu user nice system idle iowait irq softirq steal ...`.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks = line.split_ascii_whitespace().take(8).map(str::parse);
        let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
        Some(Self {
            idle: ticks.get(3)? + ticks.get(4)?,
            all: ticks.iter().sum(),
        })
    }

    /// Returns the share of the ticks until `later` that were not idle, in percent.
    fn busy(self, later: Self) -> Option<u64> {
        let all = later.all.checked_sub(self.all)?;
        let idle = later.idle.checked_sub(self.idle)?;
        (100 * all.checked_sub(idle)?).checked_div(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_and_compared() {
        let before = Ticks::parse("cpu  10 0 10 70 10 0 0 0 5 5\ncpu0 1 1\n").unwrap();
        assert_eq!(before, Ticks { idle: 80, all: 100 });
        let later = Ticks::parse("cpu  70 0 20 90 20 0 0 0 9 9").unwrap();
        assert_eq!(before.busy(later), Some(70));
        assert_eq!(before.busy(before), None);
        assert_eq!(later.busy(before), None);
        for text in ["", "intr 1 2 3 4 5", "cpu  1 2 3", "cpu  a b c d e"] {
            assert_eq!(Ticks::parse(text), None, "{text}");
        }
    }
}
