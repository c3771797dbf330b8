//! Numbers for people.

/// A size in bytes: `12.3 MB`.
pub fn bytes(size: f64) -> String {
    let (mut value, mut unit) = (size, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{} {unit}", three_digits(value)) }
}

/// A length of time: `0.123 s`, `12.3 s`, `2 min 05 s`, `3 h 20 min`, `2 d 4 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".into();
    }
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 59.95 => format!("{} s", three_digits(s)),
        s if s < 3599.5 => format!("{} min {:02} s", whole / 60, whole % 60),
        s if s < 86_399.5 => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
        _ => {
            let hours = (seconds / 3600.0).round() as u64;
            format!("{} d {} h", hours / 24, hours % 24)
        }
    }
}

/// A whole number with its thousands set apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits or a little more, never an exponent, for values below 1000.
fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well_at_the_edges() {
        assert_eq!([0.0, 999.0, 1000.0, 12_345_678.0].map(bytes), ["0 B", "999 B", "1.00 kB", "12.3 MB"]);
        assert_eq!(bytes(999_999.0), "1.00 MB");
        assert_eq!([0.1234, 12.34, 59.99].map(duration), ["0.123 s", "12.3 s", "1 min 00 s"]);
        assert_eq!([125.0, 3599.9, 12_000.0].map(duration), ["2 min 05 s", "1 h 00 min", "3 h 20 min"]);
        assert_eq!(duration(187_200.0), "2 d 4 h");
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
