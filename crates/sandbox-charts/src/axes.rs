//! What the coordinates along an axis are.

use std::time::{Duration, SystemTime};

/// How an axis maps coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scale {
    /// `linear`
    Linear,
    /// `log`
    Log,
    /// `symlog`: linear around zero
    Symlog,
    /// `logit`
    Logit,
    /// `datetime`: coordinates are days since 1970-01-01 UTC
    Datetime,
    /// `categorical`: coordinates are positions from 0
    Categorical,
    /// A scale that the table lacks, by its name.
    Other(String),
}

impl Scale {
    /// The scale called `name`.
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

    /// The name that travels.
    pub fn name(&self) -> &str {
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

/// Coordinates, as what their axis says that they are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Values {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Instants. A coordinate that no [`SystemTime`] can hold is left out.
    Instants(Vec<SystemTime>),
    /// Categories: what stands at the tick of each position, else the position itself.
    Categories(Vec<String>),
}

impl Values {
    pub(crate) fn new(
        scale: Option<&Scale>,
        coordinates: impl IntoIterator<Item = f64>,
        ticks: &[f64],
        labels: &[String],
    ) -> Self {
        let coordinates = coordinates.into_iter();
        match scale {
            Some(Scale::Datetime) => Self::Instants(coordinates.filter_map(instant).collect()),
            Some(Scale::Categorical) => {
                let category = |position: f64| {
                    let tick = ticks.iter().position(|tick| (tick - position).abs() < 1e-9);
                    tick.and_then(|tick| labels.get(tick))
                        .map_or_else(|| position.to_string(), Clone::clone)
                };
                Self::Categories(coordinates.map(category).collect())
            }
            _ => Self::Numbers(coordinates.collect()),
        }
    }
}

/// The instant `days` after 1970-01-01 UTC, to the microsecond: a day count in 64 bits holds no more.
fn instant(days: f64) -> Option<SystemTime> {
    const MICROS_PER_DAY: f64 = 86_400e6;
    let micros = (days * MICROS_PER_DAY).round();
    let distance = Duration::try_from_secs_f64(micros.abs() / 1e6).ok()?;
    let distance = Duration::from_micros(u64::try_from(distance.as_nanos().div_ceil(1000)).ok()?);
    if micros < 0.0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

/// Days since 1970-01-01 UTC of an ISO 8601 date, or date and time, with or without a zone.
pub(crate) fn days_of_iso(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a day count of these years is far below 2^53"
    )]
    let days = days_from_civil(year, month, day) as f64;
    Some(days + time.map_or(Some(0.0), seconds_of_iso)? / 86_400.0)
}

/// Seconds of a time of day, `HH:MM[:SS[.FRACTION]]` with an optional zone.
fn seconds_of_iso(text: &str) -> Option<f64> {
    let text = text.trim_end_matches('Z');
    let zone = text.rfind(['+', '-']);
    let (time, zone) = zone.map_or((text, ""), |at| text.split_at(at));
    let clock = |text: &str| {
        let mut parts = text.splitn(3, ':').map(str::parse::<f64>);
        let (hours, minutes) = (parts.next()?.ok()?, parts.next()?.ok()?);
        let seconds = parts.next().map_or(Some(0.0), Result::ok)?;
        let in_range = (0.0..=24.0).contains(&hours)
            && (0.0..60.0).contains(&minutes)
            && (0.0..61.0).contains(&seconds);
        in_range.then_some(hours * 3600.0 + minutes * 60.0 + seconds)
    };
    let offset = match zone.split_at_checked(1) {
        Some(("+", zone)) => clock(zone)?,
        Some((_, zone)) => -clock(zone)?,
        None => 0.0,
    };
    Some(clock(time)? - offset)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by counting from March so that a leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        let check = |text: &str, days: f64| assert_eq!(days_of_iso(text), Some(days), "{text}");
        check("1970-01-01", 0.0);
        check("2024-01-01", 19_723.0);
        check("2024-03-01T12:00:00", 19_783.5);
        check("2024-02-29 06:00", 19_782.25);
        check("2024-01-01T00:00:00+06:00", 19_722.75);
        check("2024-01-01T00:00:00Z", 19_723.0);
        check("1969-12-31T12:00:00.000", -0.5);
        for bad in [
            "",
            "x",
            "2024",
            "2024-13-01",
            "2024-01-00",
            "2024-01-01T",
            "2024-01-01T99:00",
            "1-2-3-4",
        ] {
            assert_eq!(days_of_iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn coordinates_know_what_they_are() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let values =
            |scale, coordinate| Values::new(Some(&scale), [coordinate], &[0.0, 1.0], &labels);
        assert_eq!(values(Scale::Linear, 2.5), Values::Numbers(vec![2.5]));
        assert_eq!(
            values(Scale::Categorical, 1.0),
            Values::Categories(vec!["b".to_owned()])
        );
        assert_eq!(
            values(Scale::Categorical, 7.0),
            Values::Categories(vec!["7".to_owned()])
        );
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(19_723 * 86_400 + 43_200);
        assert_eq!(
            values(Scale::Datetime, 19_723.5),
            Values::Instants(vec![noon])
        );
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(43_200);
        assert_eq!(
            values(Scale::Datetime, -0.5),
            Values::Instants(vec![before])
        );
        assert_eq!(values(Scale::Datetime, f64::MAX), Values::Instants(vec![]));
    }
}
