//! Timestamps as Notion writes them.

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;

/// An ISO 8601 time in UTC, rounded down to the minute, as `created_time` and `last_edited_time` are.
pub(crate) fn to_the_minute(unix_ms: u64) -> String {
    let minutes = unix_ms / MINUTE_MS;
    let (year, month, day) = civil(minutes / DAY_MINUTES);
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00.000Z")
}

/// The date of a day since 1970-01-01 (Gregorian calendar).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01: leap days are then the last of their year
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::to_the_minute;

    #[test]
    fn times_are_rounded_down_to_the_minute() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_727_554_061_083, "2024-09-28T20:07:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (unix_ms, expected) in cases {
            assert_eq!(to_the_minute(unix_ms), expected);
        }
    }
}
