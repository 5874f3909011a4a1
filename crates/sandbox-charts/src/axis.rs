//! Axes, and what coordinates on them mean.

use std::fmt;
use std::time::{Duration, SystemTime};

/// An axis of a chart, which knows what the coordinates on it mean.
///
/// # Examples
///
/// ```
/// use sandbox_charts::{AxisValue, Chart};
///
/// let chart = Chart::from_slice(br#"{"type": "scatter", "x_scale": "categorical",
///     "elements": [{"points": [["low", 1], ["high", 2], ["low", 3]]}]}"#);
/// let Chart::Scatter(scatter) = chart else { panic!("it says so") };
///
/// assert_eq!(scatter.elements[0].points, [(0.0, 1.0), (1.0, 2.0), (0.0, 3.0)]);
/// assert_eq!(scatter.x_axis().value(1.0), AxisValue::Category("high"));
/// assert_eq!(scatter.y_axis().value(1.0), AxisValue::Number(1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Axis<'a> {
    /// What the axis is called.
    pub label: Option<&'a str>,
    /// Where its ticks are.
    pub ticks: &'a [f64],
    /// What stands at its ticks, one text for each.
    pub tick_labels: &'a [String],
    /// Its scale; `None` when the extractor did not say.
    pub scale: Option<&'a Scale>,
}

impl<'a> Axis<'a> {
    /// Returns what a coordinate on this axis means.
    ///
    /// On an axis of instants it is the instant, to the microsecond; on one of categories, the label of the nearest tick, if
    /// that is less than half a step away. Everything else is the number, also when the instant is beyond [`SystemTime`] or
    /// there is no category. To find a category takes a look at each tick.
    pub fn value(&self, coordinate: f64) -> AxisValue<'a> {
        let value = match self.scale {
            Some(Scale::Datetime) => instant(coordinate).map(AxisValue::Instant),
            Some(Scale::Categorical) => self.category(coordinate).map(AxisValue::Category),
            _ => None,
        };
        value.unwrap_or(AxisValue::Number(coordinate))
    }

    /// Returns what the ticks mean, in their order.
    pub fn tick_values(self) -> impl Iterator<Item = AxisValue<'a>> {
        self.ticks.iter().map(move |&tick| self.value(tick))
    }

    fn category(&self, coordinate: f64) -> Option<&'a str> {
        let is_near = |tick: &f64| (tick - coordinate).abs() < 0.5;
        let index = self.ticks.iter().position(is_near)?;
        self.tick_labels.get(index).map(String::as_str)
    }
}

/// What a coordinate means.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AxisValue<'a> {
    /// A number.
    Number(f64),
    /// An instant. A program's local time without an offset is taken for UTC, as matplotlib does.
    Instant(SystemTime),
    /// The name of a category.
    Category(&'a str),
}

/// How an axis maps what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scale {
    /// Numbers, evenly.
    Linear,
    /// Numbers, by their logarithms.
    Log,
    /// Numbers, by their logarithms but evenly around zero.
    Symlog,
    /// Numbers between 0 and 1, by the logarithms of their odds.
    Logit,
    /// Instants. Coordinates are days since 1970-01-01T00:00:00Z.
    Datetime,
    /// Categories. Coordinates are positions from 0.
    Categorical,
    /// Another scale of numbers, by its name; matplotlib has `asinh`, `function` and `functionlog`.
    Other(String),
}

impl Scale {
    /// Returns the scale that the wire calls `name`.
    pub fn from_name(name: &str) -> Self {
        match name {
            "linear" => Self::Linear,
            "log" => Self::Log,
            "symlog" => Self::Symlog,
            "logit" => Self::Logit,
            "datetime" => Self::Datetime,
            "categorical" => Self::Categorical,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the name on the wire, such as `linear`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Linear => "linear",
            Self::Log => "log",
            Self::Symlog => "symlog",
            Self::Logit => "logit",
            Self::Datetime => "datetime",
            Self::Categorical => "categorical",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The instant so many days after the epoch. The clock within the day is rounded, as 64 bits do not carry more than that.
fn instant(days: f64) -> Option<SystemTime> {
    let midnight = Duration::try_from_secs_f64(days.floor().abs() * 86_400.0).ok()?;
    let midnight = if days < 0.0 {
        SystemTime::UNIX_EPOCH.checked_sub(midnight)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(midnight)
    };
    let microseconds = ((days - days.floor()) * 86_400e6).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "there are not that many in a day, and none before it begins"
    )]
    midnight?.checked_add(Duration::from_micros(microseconds as u64))
}

/// Ticks without those that are no number, each with the label that stands at it.
pub(crate) fn placed_ticks(
    ticks: Vec<Option<f64>>,
    labels: Vec<String>,
) -> (Vec<f64>, Vec<String>) {
    if ticks.len() != labels.len() {
        return (ticks.into_iter().flatten().collect(), labels);
    }
    let placed = ticks.into_iter().zip(labels);
    placed
        .filter_map(|(tick, label)| Some((tick?, label)))
        .unzip()
}

/// What the fields of an x axis are called: label, ticks, tick labels, scale.
pub(crate) const X_FIELDS: [&str; 4] = ["x_label", "x_ticks", "x_tick_labels", "x_scale"];

/// The same for a y axis.
pub(crate) const Y_FIELDS: [&str; 4] = ["y_label", "y_ticks", "y_tick_labels", "y_scale"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Option<&Scale>, coordinate: f64, expect: AxisValue<'_>) {
        let tick_labels = ["a", "b"].map(str::to_owned);
        let axis = Axis {
            label: None,
            ticks: &[0.0, 1.0, 2.0],
            tick_labels: &tick_labels,
            scale,
        };
        assert_eq!(axis.value(coordinate), expect);
    }

    fn epoch_plus(microseconds: u64) -> AxisValue<'static> {
        AxisValue::Instant(SystemTime::UNIX_EPOCH + Duration::from_micros(microseconds))
    }

    #[test]
    fn numbers_are_numbers() {
        let asinh = Scale::from_name("asinh");
        for scale in [None, Some(&Scale::Linear), Some(&Scale::Log), Some(&asinh)] {
            check(scale, 1.0, AxisValue::Number(1.0));
        }
    }

    #[test]
    fn days_are_instants() {
        let datetime = Some(&Scale::Datetime);
        check(datetime, 0.0, epoch_plus(0));
        check(datetime, 19723.0, epoch_plus(1_704_067_200_000_000));
        check(
            datetime,
            19723.0 + 0.123_456 / 86_400.0,
            epoch_plus(1_704_067_200_123_456),
        );
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(21_600);
        check(datetime, -0.25, AxisValue::Instant(before));
        for beyond in [1e300, -1e300, f64::MAX, f64::INFINITY] {
            check(datetime, beyond, AxisValue::Number(beyond));
        }
    }

    #[test]
    fn positions_are_categories() {
        let categorical = Some(&Scale::Categorical);
        check(categorical, 1.0, AxisValue::Category("b"));
        check(categorical, 0.9, AxisValue::Category("b"));
        check(categorical, 0.5, AxisValue::Number(0.5));
        check(categorical, 2.0, AxisValue::Number(2.0));
        check(categorical, 7.0, AxisValue::Number(7.0));
    }

    #[test]
    fn scales_keep_their_names() {
        for name in [
            "linear",
            "log",
            "symlog",
            "logit",
            "datetime",
            "categorical",
            "asinh",
            "",
        ] {
            assert_eq!(Scale::from_name(name).as_str(), name);
        }
        assert_eq!(Scale::from_name("Log"), Scale::Other("Log".to_owned()));
    }

    #[test]
    fn a_tick_goes_with_its_label() {
        let labels = ["a", "b"].map(str::to_owned).to_vec();
        let placed = placed_ticks(vec![None, Some(1.0)], labels.clone());
        assert_eq!(placed, (vec![1.0], vec!["b".to_owned()]));
        let placed = placed_ticks(vec![None, Some(1.0), None], labels.clone());
        assert_eq!(placed, (vec![1.0], labels));
    }
}
