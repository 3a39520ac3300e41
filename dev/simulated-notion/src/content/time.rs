//! Timestamps as text.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An ISO 8601 time in UTC, rounded down to the minute, as `created_time` and `last_edited_time` are.
pub(crate) fn to_the_minute(unix_ms: u64) -> String {
    let at = utc(unix_ms);
    format!("{}T{:02}:{:02}:00.000Z", at.date(), at.hour(), at.minute())
}

/// The same, to the millisecond.
pub(crate) fn to_the_millisecond(unix_ms: u64) -> String {
    let at = utc(unix_ms);
    let (date, hour, minute, second) = (at.date(), at.hour(), at.minute(), at.second());
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at.millisecond())
}

/// The Unix milliseconds of an RFC 3339 time; `None` if it is none, or before 1970.
pub(crate) fn from_rfc3339(text: &str) -> Option<u64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Times beyond the year 9999 are those of 1970; the clock has none.
fn utc(unix_ms: u64) -> OffsetDateTime {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at + time::Duration::milliseconds(i64::try_from(unix_ms % 1000).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_down_to_the_minute() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_727_554_061_083, "2024-09-28T20:07:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (crate::clock::LATEST_MS, "9999-12-31T23:59:00.000Z"),
        ];
        for (unix_ms, expected) in cases {
            assert_eq!(to_the_minute(unix_ms), expected);
        }
    }

    #[test]
    fn a_time_survives_being_written_and_read() {
        for unix_ms in [0, 1_727_554_061_083, crate::clock::LATEST_MS] {
            assert_eq!(from_rfc3339(&to_the_millisecond(unix_ms)), Some(unix_ms));
        }
        assert_eq!(from_rfc3339("2024-09-28T22:07:41.083+02:00"), Some(1_727_554_061_083));
        for wrong in ["2024-09-28", "2024-09-28T20:07:41", "1969-12-31T23:59:59Z", "tomorrow"] {
            assert_eq!(from_rfc3339(wrong), None, "{wrong}");
        }
    }
}
