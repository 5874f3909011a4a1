//! Samples, and rows of the table.

use std::time::{Duration, Instant};

/// What an operation took, or the rate at which it went, again and again.
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

/// What the numbers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds; less is better.
    Time,
    /// Bytes in a second; more is better.
    Bytes,
    /// Operations in a second; more is better.
    Calls,
}

/// What a row is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// A median of at most this many times the limit's, or for a rate at least this part of it.
    Ratio(f64),
    /// A median of at most this time.
    Within(Duration),
}

/// One row: an operation of the daemon, and what the kernel allows for the same work.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Samples,
    /// What the limit is, and its samples.
    pub(crate) limit: Option<(&'static str, Samples)>,
    pub(crate) goal: Option<Goal>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, ours: Samples) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            limit: None,
            goal: None,
        }
    }

    pub(crate) fn limit(mut self, what: &'static str, samples: Samples) -> Self {
        self.limit = Some((what, samples));
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        let (_, limit) = self.limit.as_ref()?;
        Some(self.ours.median() / limit.median())
    }

    /// Returns whether the goal is reached, if there is one.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::Within(time) => self.ours.median() <= time.as_secs_f64(),
            Goal::Ratio(goal) if self.unit == Unit::Time => self.ratio()? <= goal,
            Goal::Ratio(goal) => self.ratio()? >= goal,
        })
    }
}

/// Takes the time of some work, in seconds.
pub(crate) async fn time(work: impl Future<Output = ()>) -> f64 {
    let started = Instant::now();
    work.await;
    started.elapsed().as_secs_f64()
}

/// Does two things in turns, so that a machine whose speed drifts drifts for both. The first round does not count.
pub(crate) async fn in_turns(
    rounds: usize,
    mut one: impl AsyncFnMut() -> f64,
    mut other: impl AsyncFnMut() -> f64,
) -> (Samples, Samples) {
    let (mut ones, mut others) = (Samples::default(), Samples::default());
    for round in 0..=rounds {
        let (one, other) = (one().await, other().await);
        if round > 0 {
            ones.add(one);
            others.add(other);
        }
    }
    (ones, others)
}

/// Does something again and again. The first round does not count.
pub(crate) async fn repeat(rounds: usize, mut work: impl AsyncFnMut() -> f64) -> Samples {
    let mut samples = Samples::default();
    for round in 0..=rounds {
        let sample = work().await;
        if round > 0 {
            samples.add(sample);
        }
    }
    samples
}
