//! PINs that many people choose, which guessers therefore try first.
//!
//! The rules are the shapes in which measured lists of popular PINs agree: repeats, runs, doubled and
//! mirrored digits, ways over the keypad, years, dates, words on the keys, and a few famous numbers. They
//! are written from the shapes, not copied from a list, and refuse more than the 1,000 values of four
//! digits and the 2,000 of six that Markert, Bailey, Golla, Dürmuth and Aviv recommend ("This PIN Can Be
//! Easily Guessed", IEEE S&P 2020).

/// What makes a PIN popular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One part again and again: 7777, 1212, 481481.
    Repeat,
    /// Digits by the same step: 1234, 2468, 9876; or two such halves: 123789.
    Run,
    /// Digits side by side in groups: 1122, 111222.
    Groups,
    /// The same forwards and backwards: 1221.
    Mirror,
    /// A way over the keys: 2580, 236985, 1379.
    Way,
    /// A year: 1984.
    Year,
    /// A date: 3112, 240786.
    Date,
    /// A word on the keys: 5683 is LOVE.
    Word,
    /// A number that everybody has heard of: 314159.
    Famous,
}

impl Shape {
    /// Completes the sentence "the PIN is …".
    pub fn told(self) -> &'static str {
        match self {
            Self::Repeat => "one part again and again",
            Self::Run => "a run of digits",
            Self::Groups => "digits in groups",
            Self::Mirror => "the same forwards and backwards",
            Self::Way => "a way over the keys",
            Self::Year => "a year",
            Self::Date => "a date",
            Self::Word => "a word on the keys",
            Self::Famous => "a number that everybody has heard of",
        }
    }
}

/// The first shape that the digits have, the most popular shapes first; `None`: they have none.
pub fn shape(pin: &str) -> Option<Shape> {
    let digits: Vec<u8> = pin.bytes().map(|byte| byte.wrapping_sub(b'0')).collect();
    let rules: [(Shape, bool); 9] = [
        (Shape::Run, is_run(&digits) || in_halves(&digits, is_run)),
        (Shape::Repeat, is_repeat(&digits)),
        (Shape::Year, is_year(pin)),
        (Shape::Groups, is_grouped(&digits)),
        (Shape::Mirror, digits.iter().eq(digits.iter().rev())),
        (Shape::Way, is_way(&digits) || is_lines(pin) || is_corners(&digits)),
        (Shape::Word, WORDS.iter().any(|word| pin == on_keys(word))),
        (Shape::Famous, FAMOUS.contains(&pin)),
        (Shape::Date, is_date(pin)),
    ];
    rules.into_iter().find(|(_, has)| *has).map(|(shape, _)| shape)
}

/// Words that fit the keys. They are short because PINs are.
const WORDS: [&str; 48] = [
    "love", "baby", "pass", "code", "help", "hope", "luck", "lucky", "life", "home", "king",
    "queen", "angel", "money", "cash", "bank", "card", "club", "cool", "dear", "evil", "fish",
    "fire", "food", "game", "girl", "gold", "good", "hero", "jazz", "july", "june", "mama", "moon",
    "papa", "rock", "rose", "sexy", "star", "time", "wolf", "family", "friend", "secret", "summer",
    "forever", "sunshine", "password",
];

/// Constants, films, chords and areas that turn up in lists of PINs and passwords.
const FAMOUS: [&str; 29] = [
    "0007", "007007", "0070", "1004", "1314", "5201", "5211", "1024", "2048", "4096", "8086",
    "1701", "1812", "1412", "3141", "31415", "314159", "2718", "271828", "1618", "161803",
    "142857", "520131", "5201314", "1314520", "8675309", "159753", "1236987", "246810",
];

/// All steps are the same, and not zero.
fn is_run(digits: &[u8]) -> bool {
    let mut steps = digits.iter().zip(digits.iter().skip(1)).map(|(a, b)| (b + 10 - a) % 10);
    let first = steps.next();
    first.is_some_and(|step| step != 0) && steps.all(|step| Some(step) == first)
}

/// Both halves, of at least three digits, are so.
fn in_halves(digits: &[u8], so: impl Fn(&[u8]) -> bool) -> bool {
    let (first, second) = digits.split_at(digits.len() / 2);
    first.len() >= 3 && first.len() == second.len() && so(first) && so(second)
}

/// A part of at most half the length, again and again.
fn is_repeat(digits: &[u8]) -> bool {
    (1..=digits.len() / 2)
        .any(|part| digits.iter().skip(part).eq(digits.iter().take(digits.len() - part)))
}

/// No digit stands alone.
fn is_grouped(digits: &[u8]) -> bool {
    digits.chunk_by(|a, b| a == b).all(|group| group.len() >= 2)
}

/// Each key is beside, above or below the one before.
fn is_way(digits: &[u8]) -> bool {
    let near = |(a, b): (&u8, &u8)| {
        let ((row, column), (other_row, other_column)) = (place(*a), place(*b));
        row.abs_diff(other_row) + column.abs_diff(other_column) == 1
    };
    digits.iter().zip(digits.iter().skip(1)).all(near)
}

/// Row and column of a key.
fn place(digit: u8) -> (u8, u8) {
    if digit == 0 { (3, 1) } else { ((digit - 1) / 3, (digit - 1) % 3) }
}

/// Lines of three keys, one after another, in either direction.
fn is_lines(pin: &str) -> bool {
    const LINES: [&str; 8] = ["123", "456", "789", "147", "258", "369", "159", "357"];
    let is_line = |part: &[u8]| {
        LINES.iter().any(|line| line.bytes().eq(part.iter().copied()))
            || LINES.iter().any(|line| line.bytes().rev().eq(part.iter().copied()))
    };
    pin.len() >= 6 && pin.len().is_multiple_of(3) && pin.as_bytes().chunks(3).all(is_line)
}

/// The four corners, in whatever order.
fn is_corners(digits: &[u8]) -> bool {
    let mut sorted = digits.to_vec();
    sorted.sort_unstable();
    sorted == [1, 3, 7, 9]
}

fn is_year(pin: &str) -> bool {
    pin.len() == 4 && (pin.starts_with("19") || pin.starts_with("20"))
}

/// A day of the calendar in one of the orders in which people write it.
fn is_date(pin: &str) -> bool {
    // Cuts the digits into parts of these lengths: `d` a day, `m` a month, `y` a year.
    const ORDERS: [&str; 14] = [
        "ddmm", "mmdd", "dmmyy", "mddyy", "ddmmyy", "mmddyy", "yymmdd", "yyyymm", "mmyyyy",
        "dmyyyy", "mdyyyy", "ddmmyyyy", "mmddyyyy", "yyyymmdd",
    ];
    ORDERS.iter().filter(|order| order.len() == pin.len()).any(|order| is_in_order(pin, order))
}

fn is_in_order(pin: &str, order: &str) -> bool {
    let part = |of: char| -> Option<u32> {
        let digits = pin.chars().zip(order.chars()).filter(|(_, place)| *place == of);
        digits.map(|(digit, _)| digit).collect::<String>().parse().ok()
    };
    let long_year = order.contains("yyyy");
    let month = part('m').is_none_or(|month| (1..=12).contains(&month));
    let day = part('d').is_none_or(|day| {
        let longest = match part('m') {
            Some(2) => 29,
            Some(4 | 6 | 9 | 11) => 30,
            _ => 31,
        };
        (1..=longest).contains(&day)
    });
    let year = part('y').is_none_or(|year| !long_year || (1900..2100).contains(&year));
    month && day && year
}

/// The keys of a word.
fn on_keys(word: &str) -> String {
    let key = |letter: char| match letter {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        _ => '9',
    };
    word.chars().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_told() {
        for (pins, expected) in [
            (["7777", "1212", "481481"], Shape::Repeat),
            (["1234", "2468", "123789"], Shape::Run),
            (["1122", "112233", "777888"], Shape::Groups),
            (["1331", "9229", "120021"], Shape::Mirror),
            (["2580", "236985", "9731"], Shape::Way),
            (["1984", "2026", "1900"], Shape::Year),
            (["3112", "240786", "071984"], Shape::Date),
            (["5683", "26435", "326459"], Shape::Word),
            (["2718", "314159", "1004"], Shape::Famous),
        ] {
            for pin in pins {
                assert_eq!(shape(pin), Some(expected), "{pin}");
            }
        }
    }

    #[test]
    fn what_is_published_as_most_popular_is_refused() {
        for pin in [
            "1234", "1111", "0000", "1212", "7777", "1004", "2000", "4444", "2222", "6969", "9999",
            "3333", "5555", "6666", "1122", "1313", "8888", "4321", "2001", "1010", "2580", "0852",
            "123456", "654321", "111111", "000000", "123123", "666666", "121212", "112233",
            "789456", "159753", "123654", "147258", "101010", "987654", "123321", "246810",
        ] {
            assert!(shape(pin).is_some(), "{pin}");
        }
    }

    #[test]
    fn as_many_are_refused_as_is_recommended_and_most_are_not() {
        let refused = |length: usize, all: usize, step: usize| {
            let tried = (0..all).step_by(step);
            step * tried.filter(|n| shape(&format!("{n:0length$}")).is_some()).count()
        };
        let four = refused(4, 10_000, 1);
        assert!((1_000..2_500).contains(&four), "{four}");
        // Every 101st of a million is enough to tell.
        let six = refused(6, 1_000_000, 101);
        assert!((2_000..150_000).contains(&six), "{six}");
    }

    #[test]
    fn a_drawn_pin_is_fine() {
        for pin in ["730945", "869317", "408162", "94071638", "5092"] {
            assert_eq!(shape(pin), None, "{pin}");
        }
        assert_eq!(shape("310299"), None, "the 31st of February is no date");
    }
}
