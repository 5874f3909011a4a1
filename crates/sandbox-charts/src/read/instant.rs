//! Instants in ISO 8601.

/// The days since 1970-01-01T00:00:00Z of a date, with or without a time, with or without an offset from UTC.
///
/// The time goes to the hour, the minute, the second or a fraction of it, and stands after a `T` or a blank. Without an
/// offset it is UTC, as matplotlib has it.
pub(super) fn days(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let seconds = match time {
        Some(time) => seconds(time)?,
        None => 0.0,
    };
    Some(f64::from(date_days(date)?) + seconds / 86_400.0)
}

/// The days since 1970-01-01 of `YYYY-MM-DD`.
fn date_days(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if parts.next().is_some() || year == 0 {
        return None;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if !(1..=*months.get(month)?).contains(&day) {
        return None;
    }
    let years = year - 1;
    let leaps = years / 4 - years / 100 + years / 400;
    let before: i32 = months[..month].iter().sum();
    Some(365 * years + leaps + before + day - 1 - EPOCH)
}

/// The seconds since midnight UTC of `hh[:mm[:ss[.f]]]` and perhaps `Z` or `+hh[:mm]`.
fn seconds(text: &str) -> Option<f64> {
    let (clock, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    Some(clock_seconds(clock)? - offset_seconds(offset)?)
}

fn clock_seconds(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let hours = digits(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = match parts.next() {
        Some(minutes) => digits(minutes, 2).filter(|minutes| *minutes < 60)?,
        None => 0,
    };
    let seconds = parts.next().unwrap_or("00");
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some() || !is_number || digits(whole, 2)? >= 60 {
        return None;
    }
    let seconds: f64 = seconds.parse().ok()?;
    Some(f64::from(hours * 3600 + minutes * 60) + seconds)
}

fn offset_seconds(text: &str) -> Option<f64> {
    match text.split_at_checked(1) {
        None | Some(("Z", "")) => Some(0.0),
        Some(("+", offset)) => offset_clock(offset),
        Some(("-", offset)) => Some(-offset_clock(offset)?),
        Some(_) => None,
    }
}

/// As a clock, and as `hhmm`.
fn offset_clock(text: &str) -> Option<f64> {
    match text.split_at_checked(2) {
        Some((hours, minutes)) if minutes.len() == 2 => {
            clock_seconds(&format!("{hours}:{minutes}"))
        }
        _ => clock_seconds(text),
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// The days from 0001-01-01 to 1970-01-01.
const EPOCH: i32 = 719_162;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, days_expected: f64) {
        assert_eq!(days(text), Some(days_expected), "{text}");
    }

    #[test]
    fn dates() {
        check("1970-01-01", 0.0);
        check("1969-12-31", -1.0);
        check("2000-02-29", 11_016.0);
        check("2000-03-01", 11_017.0);
        check("2024-01-01", 19_723.0);
        check("2024-12-31", 20_088.0);
        check("0001-01-01", -719_162.0);
        check("9999-12-31", 2_932_896.0);
    }

    #[test]
    fn times() {
        check("2024-01-01T00", 19_723.0);
        check("2024-01-01T06:00", 19_723.25);
        check("2024-01-01 12:00:00", 19_723.5);
        check("2024-01-01T12:00:00.000", 19_723.5);
        check("2024-01-01T00:00:43.2", 19_723.000_5);
        check("2024-01-01T00:00:43.200000000", 19_723.000_5);
    }

    #[test]
    fn offsets() {
        check("2024-01-01T12:00:00Z", 19_723.5);
        check("2024-01-01T12:00:00+00:00", 19_723.5);
        check("2024-01-01T12:00:00+06:00", 19_723.25);
        check("2024-01-01T12:00-0600", 19_723.75);
        check("2024-01-01T18:00:00+06", 19_723.5);
        check("2024-01-01T06:00:30+00:00:30", 19_723.25);
    }

    #[test]
    fn anything_else_is_no_instant() {
        for text in [
            "",
            "T",
            "2024",
            "2024-01",
            "2024-1-1",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "0000-01-01",
            "-2024-01-01",
            "2024-01-01-01",
            "2024-01-01T",
            "2024-01-01T24",
            "2024-01-01T00:60",
            "2024-01-01T00:00:60",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00.5.5",
            "2024-01-01T00:00:00:00",
            "2024-01-01T00:00:1e1",
            "2024-01-01T00:00+",
            "2024-01-01T00:00Zulu",
            "2024-01-01T00:00+é",
            "２０２４-01-01",
            "2024-01-01T12:00 PM",
            "today",
        ] {
            assert_eq!(days(text), None, "{text}");
        }
    }
}
