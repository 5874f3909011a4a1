//! Samples, and rows of the table.

use std::time::{Duration, Instant};

/// The results of repeated measurements of one operation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns the value below which this share of the samples is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a few hundred samples"
    )]
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

impl From<f64> for Samples {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// What the numbers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds; less is better.
    Time,
    /// Bytes in a second; more is better.
    Rate,
    /// Operations in a second; more is better.
    Calls,
    /// Bytes of memory; less is better.
    Memory,
    /// A number; less is better.
    Count,
}

impl Unit {
    fn is_more_better(self) -> bool {
        matches!(self, Self::Rate | Self::Calls)
    }
}

/// What a row is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At most this many times the limit, or for a rate at least this part of it.
    Ratio(f64),
    /// At most this much more than the limit.
    Plus(f64),
    /// At most this, in the unit of the row.
    Within(f64),
}

/// One row: an operation of the daemon, and what the kernel allows for the same work.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// The share of the samples that the row's number is above.
    pub(crate) share: f64,
    pub(crate) ours: Samples,
    /// What the limit is, and its samples.
    pub(crate) limit: Option<(&'static str, Samples)>,
    pub(crate) goal: Option<Goal>,
    /// Why there are no samples.
    pub(crate) absent: Option<&'static str>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, ours: impl Into<Samples>) -> Self {
        Self {
            name: name.into(),
            unit,
            share: 0.5,
            ours: ours.into(),
            limit: None,
            goal: None,
            absent: None,
        }
    }

    /// Measures a row in turns with its limit, so that a machine whose speed drifts drifts for both. The first round does not count. On
    /// a machine that is busy there are fewer rounds, so that a run has an end.
    pub(crate) async fn in_turns(
        (name, unit, rounds): (impl Into<String>, Unit, usize),
        what: &'static str,
        mut limit: impl AsyncFnMut() -> f64,
        mut ours: impl AsyncFnMut() -> f64,
    ) -> Self {
        let (mut limits, mut all) = (Samples::default(), Samples::default());
        let started = Instant::now();
        for round in 0..=rounds {
            if round > LEAST && started.elapsed() > LONGEST {
                break;
            }
            let (limit, ours) = (limit().await, ours().await);
            if round > 0 {
                limits.add(limit);
                all.add(ours);
            }
        }
        Self::new(name, unit, all).limit(what, limits)
    }

    /// Creates a row that this machine cannot measure.
    pub(crate) fn absent(name: impl Into<String>, why: &'static str) -> Self {
        Self {
            absent: Some(why),
            ..Self::new(name, Unit::Count, Samples::default())
        }
    }

    pub(crate) fn limit(mut self, what: &'static str, samples: impl Into<Samples>) -> Self {
        self.limit = Some((what, samples.into()));
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Returns a row of the 99th percentiles of the same samples.
    pub(crate) fn p99(&self, goal: Goal) -> Self {
        Self {
            name: format!("{}, p99", self.name),
            share: 0.99,
            goal: Some(goal),
            ..self.clone()
        }
    }

    /// Returns the number of the row.
    pub(crate) fn value(&self) -> f64 {
        self.ours.quantile(self.share)
    }

    /// Returns the same number of the limit.
    pub(crate) fn bound(&self) -> Option<f64> {
        let (_, limit) = self.limit.as_ref()?;
        Some(limit.quantile(self.share))
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.value() / self.bound()?)
    }

    /// Returns whether the goal is reached, if there is one.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        if self.absent.is_some() {
            return None;
        }
        Some(match self.goal? {
            Goal::Within(most) => self.value() <= most,
            Goal::Plus(most) => self.value() <= self.bound()? + most,
            Goal::Ratio(goal) if self.unit.is_more_better() => self.ratio()? >= goal,
            Goal::Ratio(goal) => self.ratio()? <= goal,
        })
    }

    /// Returns the goal as text.
    pub(crate) fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::Ratio(ratio)) if self.unit.is_more_better() => format!(">= {ratio}x"),
            Some(Goal::Ratio(ratio)) => format!("<= {ratio}x"),
            Some(Goal::Within(most)) => format!("<= {}", self.unit.text(most)),
            Some(Goal::Plus(most)) => format!("<= limit + {}", self.unit.text(most)),
        }
    }
}

impl Unit {
    /// Returns a number of this unit for people.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Time if value.abs() < 1e-6 => format!("{:.0} ns", value * 1e9),
            Self::Time if value.abs() < 1e-3 => format!("{:.0} us", value * 1e6),
            Self::Time => format!("{:.2} ms", value * 1e3),
            Self::Rate => format!("{:.0} MB/s", value / 1e6),
            Self::Calls => format!("{value:.0}/s"),
            Self::Memory if value.abs() < 1e6 => format!("{:.1} KiB", value / 1024.0),
            Self::Memory => format!("{:.1} MiB", value / (1 << 20) as f64),
            Self::Count => format!("{value:.0}"),
        }
    }

    /// Returns the unit of the numbers in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "s",
            Self::Rate => "B/s",
            Self::Calls => "1/s",
            Self::Memory => "B",
            Self::Count => "1",
        }
    }
}

/// Takes the time of some work, in seconds.
pub(crate) async fn time(work: impl Future<Output = ()>) -> f64 {
    let started = Instant::now();
    work.await;
    started.elapsed().as_secs_f64()
}

/// Measures something again and again. The first round does not count; on a machine that is busy there are fewer rounds.
pub(crate) async fn repeat(rounds: usize, mut work: impl AsyncFnMut() -> f64) -> Samples {
    let mut samples = Samples::default();
    work().await;
    let started = Instant::now();
    for round in 0..rounds {
        if round >= LEAST && started.elapsed() > LONGEST {
            break;
        }
        samples.add(work().await);
    }
    samples
}

/// The rounds that a row has on the slowest machine.
const LEAST: usize = 3;
/// How long a row is measured; on a machine that does nothing else a row takes less.
pub(crate) const LONGEST: Duration = Duration::from_secs(8);

/// Returns the rate at which so much was done since then.
pub(crate) fn rate(amount: impl TryInto<u32>, since: Instant) -> f64 {
    per_second(amount, since.elapsed())
}

/// Returns the rate of an amount below 2^32 in a second.
pub(crate) fn per_second(amount: impl TryInto<u32>, took: Duration) -> f64 {
    let amount = amount.try_into().unwrap_or(u32::MAX);
    f64::from(amount) / took.as_secs_f64()
}
