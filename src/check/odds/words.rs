//! Chances as people read them.

/// A chance: `1 in 16,700 (0.006 %)`.
pub fn chance(chance: f64) -> String {
    if chance <= 0.0 {
        return "none".to_owned();
    }
    if chance < 1e-9 {
        return "below 1 in a billion".to_owned();
    }
    let one_in = 1.0 / chance;
    let one_in = if one_in < 10.0 { format!("{one_in:.1}") } else { grouped(one_in) };
    format!("1 in {} ({} %)", one_in.trim_end_matches(".0"), percent(chance * 100.0))
}

/// Two digits that mean something, however small the number.
fn percent(percent: f64) -> String {
    if percent >= 10.0 {
        return format!("{percent:.0}");
    }
    let small = (0..12).find(|places| percent * 10_f64.powi(*places) >= 1.0);
    let places = usize::try_from(small.unwrap_or(12)).unwrap_or_default() + 1;
    let text = format!("{percent:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number of three digits that mean something, with commas.
pub fn grouped(number: f64) -> String {
    let digits = number.max(1.0).log10().floor() - 2.0;
    let unit = 10_f64.powf(digits.max(0.0));
    let digits = format!("{:.0}", (number / unit).round() * unit);
    let first = digits.len() % 3;
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_said_both_ways() {
        for (number, words) in [
            (0.0, "none"),
            (0.371, "1 in 2.7 (37 %)"),
            (0.5, "1 in 2 (50 %)"),
            (0.000_06, "1 in 16,700 (0.006 %)"),
            (0.000_003, "1 in 333,000 (0.0003 %)"),
            (1.0, "1 in 1 (100 %)"),
            (5e-10, "below 1 in a billion"),
        ] {
            assert_eq!(chance(number), words);
        }
        assert_eq!(grouped(1_234_567.0), "1,230,000");
    }
}
