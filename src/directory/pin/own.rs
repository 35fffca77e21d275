//! A customer's own dates and numbers, which whoever attacks that customer tries first.

use super::super::accounts::Customer;
use crate::flow::value::Value;
use crate::secret::Secret;

/// What must not be a customer's PIN or passcode.
#[derive(Debug, Default)]
pub struct Own {
    /// The digits of numbers: of the account, of telephones, of fields.
    numbers: Vec<Secret>,
    /// Days, as year, month and day.
    dates: Vec<(i16, i8, i8)>,
    /// Words.
    words: Vec<Secret>,
}

/// Fewer digits occur in everybody's numbers.
const DIGITS_MIN: usize = 4;

impl Own {
    /// What is on file of a customer.
    pub fn of(customer: &Customer) -> Self {
        let mut own = Self::default();
        let account = &customer.account;
        own.add(account.id.expose());
        for phone in &account.phones {
            own.add(phone.number.as_e164());
        }
        if let Some(email) = &account.email {
            own.add(email.address.expose());
        }
        for value in account.fields.values() {
            match value {
                Value::Text(text) => own.add(text),
                Value::Number(number) => own.add(&number.to_string()),
                Value::Flag(_) => {}
            }
        }
        own
    }

    /// Adds one more: a number, a date like `1975-03-08`, or words.
    pub fn add(&mut self, value: &str) {
        if let Ok(date) = value.trim().parse::<jiff::civil::Date>() {
            self.dates.push((date.year(), date.month(), date.day()));
        }
        let digits: String = value.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= DIGITS_MIN {
            self.numbers.push(Secret::new(digits));
        }
        let words = value.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        let words = words.filter(|word| word.chars().count() >= DIGITS_MIN);
        self.words.extend(words.map(Secret::new));
    }

    /// Whether digits are, contain or are contained in one of the customer's numbers, backwards too.
    pub fn has_number(&self, pin: &str) -> bool {
        let reversed: String = pin.chars().rev().collect();
        self.numbers.iter().map(Secret::expose).any(|number| {
            number.contains(pin) || number.contains(&reversed) || pin.contains(number)
        })
    }

    /// Whether digits contain one of the customer's days, in whatever order it is written.
    pub fn has_date(&self, pin: &str) -> bool {
        self.dates.iter().any(|date| writings(*date).iter().any(|written| pin.contains(written)))
    }

    /// Whether a passcode is made of the customer's words.
    pub fn has_word(&self, passcode: &str) -> bool {
        self.words.iter().any(|word| passcode.contains(word.expose()))
    }
}

/// How people write a day in digits: four or more of them.
fn writings((year, month, day): (i16, i8, i8)) -> Vec<String> {
    let long = format!("{year:04}");
    let short = format!("{:02}", year.rem_euclid(100));
    let days = [format!("{day:02}"), day.to_string()];
    let months = [format!("{month:02}"), month.to_string()];
    let mut written = vec![long.clone()];
    for (day, month) in days.iter().flat_map(|d| months.iter().map(move |m| (d, m))) {
        for pair in [format!("{day}{month}"), format!("{month}{day}")] {
            for year in [&long, &short] {
                written.push(format!("{pair}{year}"));
                written.push(format!("{year}{pair}"));
            }
            written.push(pair);
        }
        for year in [&long, &short] {
            written.push(format!("{month}{year}"));
            written.push(format!("{year}{month}"));
        }
    }
    written.retain(|digits| digits.len() >= DIGITS_MIN);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Own {
        let mut own = Own::default();
        for value in ["+15005550142", "1975-03-08", "73195528", "Ada Lovelace"] {
            own.add(value);
        }
        own
    }

    #[test]
    fn own_numbers_are_found_in_pieces_and_backwards() {
        let own = own();
        for pin in ["550142", "241055", "731955", "73195528", "0142"] {
            assert!(own.has_number(pin), "{pin}");
        }
        for pin in ["860317", "731956", "409162"] {
            assert!(!own.has_number(pin), "{pin}");
        }
    }

    #[test]
    fn own_dates_are_found_in_all_orders() {
        let own = own();
        for pin in [
            "0803", "0308", "080375", "030875", "750308", "197503", "031975", "8375", "081975",
            "19750308", "197542", "990803", "83197500",
        ] {
            assert!(own.has_date(pin), "{pin}");
        }
        for pin in ["860317", "090475", "408162"] {
            assert!(!own.has_date(pin), "{pin}");
        }
    }

    #[test]
    fn own_words_are_found() {
        assert!(own().has_word("my lovelace"));
        assert!(!own().has_word("purple tractor"));
    }
}
