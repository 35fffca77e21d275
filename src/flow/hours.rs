//! Opening hours: days of the week and times of day in one time zone, and days closed.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, nearest};
use crate::document::{Item, Reader};

/// When something is open.
#[derive(Clone, Debug)]
pub struct Hours {
    zone: TimeZone,
    open: Vec<Slot>,
    closed: Vec<Date>,
}

/// Some days of the week, from one time of day up to another; one that ends before it begins goes on
/// past midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    days: Vec<Weekday>,
    from: Time,
    /// `None`: midnight.
    to: Option<Time>,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Hours {
    /// Whether it is open at this moment. A slot past midnight belongs to the day it begins on.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let here = now.to_zoned_datetime(self.zone.clone());
        let today = here.date();
        self.open.iter().any(|slot| {
            let past_midnight = slot.to.is_some_and(|to| to <= slot.from);
            let evening = self.opens(slot, today) && here.time() >= slot.from;
            if past_midnight {
                let yesterday = today.yesterday().ok();
                let morning = slot.to.is_some_and(|to| here.time() < to);
                evening || (morning && yesterday.is_some_and(|date| self.opens(slot, date)))
            } else {
                evening && slot.to.is_none_or(|to| here.time() < to)
            }
        })
    }

    fn opens(&self, slot: &Slot, date: Date) -> bool {
        slot.days.contains(&date.weekday()) && !self.closed.contains(&date)
    }

    /// Never open: stands for hours that could not be read.
    pub(super) fn never() -> Self {
        Self { zone: TimeZone::UTC, open: Vec::new(), closed: Vec::new() }
    }
}

/// Reads `{ zone = …, open = […], closed = […] }`.
pub(super) fn read(item: &Item<'_>) -> Option<Hours> {
    if item.peek().is_none() && matches!(item.key, "zone" | "open" | "closed") {
        let message = format!("`{}` stands in no opening hours", item.key);
        let help = "opening hours have a name: `[hours.office]`";
        item.report(Finding::error("wrong-type", message, item.key_place()).help(help));
        return None;
    }
    let table = item.table(format!("hours `{}`", item.key))?;
    let zone = read_zone(&table);
    let open = table.required("open").and_then(|open| open.list()).unwrap_or_default();
    let open = open.iter().filter_map(read_slot).collect();
    let closed = table.item("closed").and_then(|closed| closed.list()).unwrap_or_default();
    let closed = closed.iter().filter_map(Item::date).collect();
    table.finish();
    Some(Hours { zone: zone?, open, closed })
}

/// Reads `{ time = "mon-fri 09:00-17:00", zone = … }`, the part of a condition.
pub(super) fn read_condition(time: &Item<'_>, table: &Reader<'_>) -> Option<Hours> {
    let zone = read_zone(table);
    let slot = read_slot(time);
    Some(Hours { zone: zone?, open: vec![slot?], closed: Vec::new() })
}

fn read_zone(table: &Reader<'_>) -> Option<TimeZone> {
    let item = table.required("zone")?;
    let name = item.text()?;
    let zone = zone_of(name, jiff::tz::db());
    if zone.is_none() {
        item.report(unknown_zone(&item, name));
    }
    zone
}

/// The machine's own zone of that name: its rules may be newer. Many an image has none or few, and then it is the
/// one of the program.
fn zone_of(name: &str, machine: &TimeZoneDatabase) -> Option<TimeZone> {
    machine.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
}

fn unknown_zone(item: &Item<'_>, name: &str) -> Finding {
    let zones: Vec<_> =
        TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect();
    let names = || zones.iter().map(String::as_str);
    let message = format!("`{name}` is not a time zone such as Europe/Berlin");
    // Zones are many: what is only somewhat like one is another city.
    let help = nearest(name, names())
        .filter(|near| strsim::damerau_levenshtein(&name.to_lowercase(), &near.to_lowercase()) <= 2)
        .map_or_else(
            || {
                "a zone is called by one city for the whole land: Europe/Paris for all of France"
                    .into()
            },
            |near| format!("did you mean `{near}`?"),
        );
    Finding::error("unknown-zone", message, item.place()).help(help).respelt(
        name,
        names(),
        Spelling::Value,
    )
}

fn read_slot(item: &Item<'_>) -> Option<Slot> {
    let text = item.text()?;
    let slot = parse_slot(text);
    if slot.is_none() {
        let message = format!("`{text}` is not days and times such as \"mon-fri 09:00-17:00\"");
        let help = if parse_days(text.trim()).is_some() {
            format!("for all of these days write `\"{} 00:00-24:00\"`", text.trim())
        } else {
            "days are mon to sun, times have two digits each: `\"sat,sun 10:00-13:00\"`".into()
        };
        item.report(Finding::error("bad-hours", message, item.place()).help(help));
    }
    slot
}

fn parse_slot(text: &str) -> Option<Slot> {
    let (days, times) = match text.trim().split_once(' ') {
        Some((days, times)) => (parse_days(days)?, times.trim()),
        None => (DAYS.map(|(_, day)| day).to_vec(), text.trim()),
    };
    let (from, to) = times.split_once('-')?;
    let to = if to.trim() == "24:00" { None } else { Some(parse_time(to)?) };
    Some(Slot { days, from: parse_time(from)?, to })
}

fn parse_days(text: &str) -> Option<Vec<Weekday>> {
    let index = |name: &str| DAYS.iter().position(|(day, _)| *day == name);
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len();
        days.extend(DAYS.iter().cycle().skip(first).take(length + 1).map(|(_, day)| *day));
    }
    Some(days)
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two_digits = |part: &str| (part.len() == 2).then(|| part.parse().ok()).flatten();
    Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(slots: &[&str], closed: &[&str]) -> Hours {
        Hours {
            zone: TimeZone::get("America/New_York").unwrap(),
            open: slots.iter().map(|slot| parse_slot(slot).unwrap()).collect(),
            closed: closed.iter().map(|date| date.parse().unwrap()).collect(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_follow_the_zone_through_daylight_saving() {
        let office = hours(&["mon-fri 09:00-17:00"], &["2026-12-25"]);
        // 9:30 in New York is 13:30 UTC in summer and 14:30 UTC in winter.
        assert!(office.is_open(at("2026-07-01T13:30:00Z")));
        assert!(!office.is_open(at("2026-11-23T13:30:00Z")));
        assert!(office.is_open(at("2026-11-23T14:30:00Z")));
        assert!(!office.is_open(at("2026-11-23T22:00:00Z")), "closing time is not open");
        assert!(!office.is_open(at("2026-12-25T15:00:00Z")), "a day closed");
        assert!(!office.is_open(at("2026-11-22T15:00:00Z")), "a Sunday");
    }

    #[test]
    fn a_slot_may_pass_midnight() {
        let night = hours(&["fri 22:00-06:00"], &[]);
        assert!(night.is_open(at("2026-11-21T04:00:00Z")), "Friday 23:00");
        assert!(night.is_open(at("2026-11-21T10:00:00Z")), "Saturday 05:00");
        assert!(!night.is_open(at("2026-11-20T10:00:00Z")), "Friday 05:00");
        let closed = hours(&["fri 22:00-06:00"], &["2026-11-20"]);
        assert!(!closed.is_open(at("2026-11-21T04:00:00Z")), "Friday 23:00, a day closed");
        assert!(!closed.is_open(at("2026-11-21T10:00:00Z")), "Saturday 05:00 is of Friday's night");
        let closed = hours(&["fri 22:00-06:00"], &["2026-11-21"]);
        assert!(closed.is_open(at("2026-11-21T10:00:00Z")), "Saturday 05:00 is of Friday's night");
    }

    #[test]
    fn days_may_pass_the_end_of_the_week() {
        let weekend = hours(&["sat-mon 09:00-17:00"], &[]);
        let open = |day: u8| weekend.is_open(at(&format!("2026-11-{day}T15:00:00Z")));
        // The 20th is a Friday.
        assert_eq!([20, 21, 22, 23, 24].map(open), [false, true, true, true, false]);
    }

    #[test]
    fn a_machine_without_zones_knows_those_of_the_program() {
        let none = TimeZoneDatabase::none();
        let zone = |name| zone_of(name, &none);
        let berlin = zone("Europe/Berlin").unwrap();
        let summer = at("2026-07-01T12:00:00Z");
        assert_eq!(berlin.to_datetime(summer).hour(), 14);
        assert_eq!(zone("Europe/Berlim"), None);
    }

    #[test]
    fn whole_days_are_written_with_their_hours() {
        let told = |text: &str| {
            let problems = crate::diagnostic::Problems::default();
            let file = "t.toml".into();
            crate::document::read(&file, &format!("time = \"{text}\""), &problems, |root| {
                assert_eq!(read_slot(&root.item("time").unwrap()), None);
            });
            problems.into_findings().remove(0).help.unwrap()
        };
        let all_day = told("sat-sun");
        assert_eq!(all_day, "for all of these days write `\"sat-sun 00:00-24:00\"`");
        assert!(parse_slot("sat-sun 00:00-24:00").is_some());
        assert!(told("weekend").starts_with("days are mon to sun"));
    }

    #[test]
    fn slots_are_read_strictly() {
        assert!(parse_slot("sat,sun 10:00-24:00").is_some());
        assert!(parse_slot("fri-mon 10:00-13:00").is_some());
        for bad in ["", "mon", "mon 9-17", "mo 09:00-17:00", "mon 09:00", "mon 25:00-26:00"] {
            assert!(parse_slot(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn from_an_hour_to_the_same_hour_is_a_whole_day() {
        let day = Hours { zone: TimeZone::UTC, ..hours(&["mon 09:00-09:00"], &[]) };
        assert!(day.is_open(at("2026-11-23T09:00:00Z")) && day.is_open(at("2026-11-24T08:59:59Z")));
        assert!(
            !day.is_open(at("2026-11-23T08:59:59Z")) && !day.is_open(at("2026-11-24T09:00:00Z"))
        );
    }
}
