//! Accounts in a file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::pin::StoredPin;
use crate::diagnostic::{Finding, Place, Problems};
use crate::document::{self, Item, Reader};
use crate::engine::account::{Account, Email, Line, Phone};
use crate::engine::spoken;
use crate::flow::locale::Locale;
use crate::flow::name::is_name;
use crate::flow::value::Value;
use crate::flow::wording;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// How an account begins, after the end of the line before it.
const BEGINS: &str = "\n[[accounts]]";
/// At least so much of a file is read at a time.
const PART_BYTES: usize = 64 * 1024;

/// A customer with what verifies them.
#[derive(Debug)]
pub struct Customer {
    /// What the machine may know.
    pub account: Arc<Account>,
    /// The PIN's hash.
    pub pin: Option<StoredPin>,
    /// The verbal passcode's hash.
    pub passcode: Option<StoredPin>,
}

/// Accounts by id and by number.
#[derive(Debug, Default)]
pub struct Accounts {
    by_id: HashMap<String, Arc<Customer>>,
    /// `None`: several accounts share the number, so it identifies none of them.
    by_phone: HashMap<PhoneNumber, Option<Arc<Customer>>>,
    /// How many the file lists, be they right or wrong.
    listed: u64,
    /// How many it says it lists.
    stated: Option<u64>,
    /// Of its text.
    digest: [u8; 32],
}

/// Whether secrets may stand in the file as plain text: only in fixtures and in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// `pin_hash`, `passcode_hash`.
    Hashed,
    /// `pin`, `passcode`.
    Plain,
}

impl Accounts {
    /// Reads `[[accounts]]`, reporting every problem.
    pub fn read(file: &Arc<str>, text: &str, secrets: Secrets, problems: &Problems) -> Self {
        let mut accounts = Self::default();
        // Parsed text takes many times the memory of what is kept of it, so the file is read in parts. If
        // anything is wrong, it is read again as a whole, and reported.
        let is_well = |part: &str| {
            let problems = Problems::default();
            accounts.read_part(file, part, secrets, &problems);
            problems.into_findings().is_empty()
        };
        let digest = Sha256::digest(text).into();
        if parts(text).all(is_well) && accounts.is_as_stated() {
            return Self { digest, ..accounts };
        }
        let mut accounts = Self { digest, ..Self::default() };
        document::read(file, text, problems, |root| {
            let root = root.named("the accounts file".into());
            let count = accounts.read_root(&root, secrets);
            if let Some(item) = count.filter(|_| !accounts.is_as_stated()) {
                let listed = accounts.listed;
                let message = format!("`count` is not how many accounts follow: {listed}");
                item.refuse("wrong-count", message);
            }
            root.finish();
        });
        accounts
    }

    /// A file that was cut between two accounts is right in all that is left.
    fn is_as_stated(&self) -> bool {
        self.stated.is_none_or(|stated| stated == self.listed)
    }

    fn read_part(&mut self, file: &Arc<str>, text: &str, secrets: Secrets, problems: &Problems) {
        document::read(file, text, problems, |root| {
            let root = root.named("the accounts file".into());
            self.read_root(&root, secrets);
            root.finish();
        });
    }

    /// The item that says how many accounts there are.
    fn read_root<'r>(&mut self, root: &Reader<'r>, secrets: Secrets) -> Option<Item<'r>> {
        let count = root.item("count");
        if let Some(item) = &count {
            self.stated = item.integer(0, u64::MAX);
        }
        if let Some(item) = root.item("accounts") {
            self.read_more(&item, secrets);
        }
        count
    }

    /// Reads the list under the key `accounts`.
    pub fn read_list(item: &Item<'_>, secrets: Secrets) -> Self {
        let mut accounts = Self::default();
        accounts.read_more(item, secrets);
        accounts
    }

    fn read_more(&mut self, item: &Item<'_>, secrets: Secrets) {
        for table in item.tables("an account").unwrap_or_default() {
            let place = table.place();
            self.listed = self.listed.saturating_add(1);
            if let Some(customer) = read_customer(table, secrets) {
                self.add(customer, item, place);
            }
        }
    }

    /// The customer with this id.
    pub fn by_id(&self, id: &str) -> Option<Arc<Customer>> {
        self.by_id.get(id).cloned()
    }

    /// The one customer with this number.
    pub fn by_phone(&self, number: &PhoneNumber) -> Option<Arc<Customer>> {
        self.by_phone.get(number).cloned().flatten()
    }

    /// What tells the text that they were read from from another: SHA-256.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    fn add(&mut self, customer: Customer, item: &Item<'_>, place: Place) {
        let id = customer.account.id.expose().to_owned();
        if self.by_id.contains_key(&id) {
            // The id is a customer's, so it is not repeated: the place says which account is meant.
            item.report(Finding::error(
                "duplicate-account",
                "another account has this `id`",
                place,
            ));
            return;
        }
        let customer = Arc::new(customer);
        for phone in &customer.account.phones {
            self.by_phone
                .entry(phone.number.clone())
                .and_modify(|known| {
                    let own = known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &customer));
                    *known = own.then(|| customer.clone());
                })
                .or_insert_with(|| Some(customer.clone()));
        }
        self.by_id.insert(id, customer);
    }
}

/// The parts of a file of accounts, each of which can be read by itself: they are cut where an account begins. If
/// such a line stands within a text, neither part can be read. The first part contains an account, so that a list
/// which was begun in another way is not continued.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begins = rest.match_indices(BEGINS).map(|(at, _)| at + 1);
        let mut begins = begins.filter(|at| *at >= PART_BYTES);
        // The second one, because the first may be the first of the file.
        let first = rest.len() == text.len() && !text.starts_with(BEGINS.trim_start());
        let cut = if first { begins.nth(1) } else { begins.next() };
        let (part, after) = rest.split_at_checked(cut.unwrap_or(rest.len()))?;
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

fn read_customer(table: Reader<'_>, secrets: Secrets) -> Option<Customer> {
    let id = table.required("id").and_then(|id| {
        let text = id.name()?;
        let digits =
            text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= crate::limits::DIGITS_MAX;
        if !digits {
            id.refuse("bad-account-id", "`id` is what a caller keys in: digits alone");
        }
        digits.then(|| Secret::new(text))
    });
    let locale = table.item("locale").and_then(|item| {
        let locale = Locale::parse(item.text()?);
        if locale.is_none() {
            item.refuse("bad-locale", "`locale` is a language such as en-US");
        }
        locale
    });
    let (pin, passcode) = match secrets {
        Secrets::Hashed => (read_hash(&table, "pin_hash"), read_hash(&table, "passcode_hash")),
        Secrets::Plain => {
            let said_in = locale.clone().unwrap_or_else(wording::english);
            // Spelt as `hash-pin` does it, so that it is found however it is written.
            let words = |passcode: &str| spoken::passcode(passcode, None, &said_in);
            (read_plain(&table, "pin", str::to_owned), read_plain(&table, "passcode", words))
        }
    };
    let phones = table.item("phones").and_then(|phones| phones.tables("a phone"));
    let phones = phones.unwrap_or_default().into_iter().filter_map(read_phone).collect();
    let email = table.item("email").and_then(|email| read_email(email.table("`email`")?));
    let fields = table.item("fields").and_then(|fields| fields.table("`fields`"));
    let fields = fields.map(|fields| read_fields(&fields)).unwrap_or_default();
    table.finish();
    let account = Arc::new(Account { id: id?, locale, phones, email, fields });
    Some(Customer { account, pin, passcode })
}

fn read_hash(table: &Reader<'_>, key: &str) -> Option<StoredPin> {
    let item = table.item(key)?;
    StoredPin::hashed(item.text()?)
        .map_err(|error| {
            item.report(
                Finding::error("bad-hash", format!("`{key}` {error}"), item.place())
                    .help("print one with `callgate hash-pin`"),
            );
        })
        .ok()
}

fn read_plain(table: &Reader<'_>, key: &str, spelt: impl Fn(&str) -> String) -> Option<StoredPin> {
    Some(StoredPin::plain(&spelt(table.item(key)?.name()?)))
}

fn read_phone(table: Reader<'_>) -> Option<Phone> {
    let number = table.required("number").and_then(|item| {
        let number = PhoneNumber::parse(item.text()?);
        if number.is_none() {
            item.refuse("bad-number", "`number` must be in E.164: + and 8 to 15 digits");
        }
        number
    });
    let line = table.required("line").and_then(|line| line.choice(&Line::ALL));
    let since = table.required("since").and_then(|since| since.date());
    table.finish();
    Some(Phone { number: number?, line: line?, since: since? })
}

fn read_email(table: Reader<'_>) -> Option<Email> {
    let address = table.required("address").and_then(|item| {
        let text = item.name()?;
        let one = is_one_address(text);
        if !one {
            item.refuse("bad-address", "`address` is not an e-mail address");
        }
        one.then(|| Secret::new(text))
    });
    let since = table.required("since").and_then(|since| since.date());
    table.finish();
    Some(Email { address: address?, since: since? })
}

/// Whether a text is a single address, made of atoms only (RFC 5321, section 4.1.2): with a second `@`, a comma
/// or quotes in it, a mail server may understand another address, or two.
fn is_one_address(text: &str) -> bool {
    let atoms = |part: &str, is_atom: fn(char) -> bool| {
        part.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
    };
    let of_user = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let of_host = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.split_once('@').is_some_and(|(user, host)| {
        atoms(user, of_user) && host.contains('.') && atoms(host, of_host)
    })
}

fn read_fields(table: &Reader<'_>) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for entry in table.entries() {
        if !is_name(entry.key) {
            let message = format!("`{}` cannot be the name of a field", entry.key);
            entry.report(Finding::error("bad-name", message, entry.key_place()));
            continue;
        }
        let value = if let Some(flag) = entry.as_boolean() {
            Some(Value::Flag(flag))
        } else if entry.is_number() {
            entry.number().map(Value::Number)
        } else {
            entry.text().map(|text| Value::Text(text.to_owned()))
        };
        fields.extend(value.map(|value| (entry.key.to_owned(), value)));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Accounts, Vec<Finding>) {
        let problems = Problems::default();
        let accounts = Accounts::read(&"accounts.toml".into(), text, Secrets::Plain, &problems);
        (accounts, problems.into_findings())
    }

    fn account(n: usize, more: &str) -> String {
        format!("[[accounts]]\nid = \"{n}\"\n[accounts.fields]\nname = \"Ada\"\n{more}")
    }

    #[test]
    fn a_shared_number_claims_nobody() {
        let (accounts, findings) = read(
            "[[accounts]]\nid = \"1\"\nphones = [{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }]\n\
             [[accounts]]\nid = \"2\"\nphones = [{ number = \"+15005550010\", line = \"mobile\", since = 2024-01-01 }]\n",
        );
        assert_eq!(findings, []);
        assert_eq!(accounts.count(), 2);
        assert!(accounts.by_phone(&PhoneNumber::parse("+15005550010").unwrap()).is_none());
    }

    /// A telephone may be listed as a mobile and for rings: it is still the customer's alone.
    #[test]
    fn a_number_that_an_account_lists_twice_claims_it() {
        let phone = "{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }";
        let (accounts, findings) =
            read(&format!("[[accounts]]\nid = \"1\"\nphones = [{phone}, {phone}]\n"));
        assert_eq!(findings, []);
        let found = accounts.by_phone(&PhoneNumber::parse("+15005550010").unwrap()).unwrap();
        assert_eq!(found.account.id.expose(), "1");
    }

    /// Nobody could key in a longer one.
    #[test]
    fn an_id_is_no_longer_than_what_can_be_keyed_in() {
        let codes = |length: usize| -> Vec<_> {
            let (_, findings) = read(&format!("[[accounts]]\nid = \"{}\"\n", "1".repeat(length)));
            findings.iter().map(|finding| finding.code).collect()
        };
        assert_eq!(codes(crate::limits::DIGITS_MAX), [""; 0]);
        assert_eq!(codes(crate::limits::DIGITS_MAX + 1), ["bad-account-id"]);
    }

    /// A code goes to one mailbox: what a mail server may take for two, or for another, is refused.
    #[test]
    fn an_address_is_that_of_one_mailbox() {
        for one in ["ada@x.example", "a.b+c@mail.x-y.example", "o'hara@x.example"] {
            assert!(is_one_address(one), "{one}");
        }
        for other in [
            "ada,eve@x.example",
            "ada@x.example,eve@y.example",
            "ada@x.example@y.example",
            "\"ada eve\"@x.example",
            "ada <eve@y.example>",
            "ada@x.example\r\nBcc: eve@y.example",
            "ada;eve@x.example",
            "ada@x",
            "ada@x..example",
            "ada@",
            "@x.example",
            "",
        ] {
            assert!(!is_one_address(other), "{other}");
        }
    }

    /// Whatever is wrong in a part, it is reported as in a file that is read whole.
    #[test]
    fn a_large_file_is_read_in_parts_as_it_would_be_whole() {
        let count = 4 * PART_BYTES / account(1_000, "").len();
        let file = |before: &str, middle: &str, last: &str| {
            let all = (0..count).map(|n| account(n, if n == count / 2 { middle } else { "" }));
            format!("{before}{}{last}", all.collect::<String>())
        };
        let whole = |text: &str| {
            let (problems, mut accounts) = (Problems::default(), Accounts::default());
            accounts.read_part(&"accounts.toml".into(), text, Secrets::Plain, &problems);
            (accounts.count(), problems.into_findings())
        };
        let list = format!("accounts = [{}]\n", "{ id = \"99999\" }, ".repeat(4_000));
        let note = "note = \"\"\"\n".to_owned() + &account(5, "").repeat(3_000) + "\"\"\"\n";
        for (text, is_well) in [
            (file("", "", ""), true),
            (file("# Ours.\n\n", "", ""), true),
            (file(&"# Ours.\n".repeat(20_000), "", ""), true),
            (file("", &note, ""), true),
            (file("", "", "[[accounts]]\nid = \"7\"\n"), false),
            (file("", "x = \n", ""), false),
            (file("", "", "[[accounts]]\nid = \"a\"\n"), false),
            (file("other = 1\n", "", ""), false),
            (file(&list, "", ""), false),
        ] {
            assert!(parts(&text).count() > 1);
            assert_eq!(parts(&text).collect::<String>(), text);
            let (accounts, findings) = read(&text);
            assert_eq!((accounts.count(), findings.clone()), whole(&text));
            assert_eq!(findings.is_empty(), is_well, "{:.200}", format!("{findings:?}"));
        }
    }

    #[test]
    fn every_problem_is_reported_and_no_value_is_shown() {
        let (_, findings) = read(
            "[[accounts]]\nid = \"12a\"\nphones = [{ number = \"555-0010\", line = \"pager\", since = \"x\" }]\n\
             [[accounts]]\nid = \"7\"\n[[accounts]]\nid = \"7\"\npin_hash = \"abc\"\n",
        );
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(
            codes,
            [
                "bad-account-id",
                "bad-number",
                "unknown-value",
                "bad-date",
                "unknown-key",
                "duplicate-account"
            ]
        );
        assert!(!format!("{findings:?}").contains("555-0010"));
    }

    /// Half of a file that ends where an account does is right in itself.
    #[test]
    fn a_file_that_states_how_many_accounts_follow_has_so_many() {
        for count in [3, 4 * PART_BYTES / account(1_000, "").len()] {
            let accounts: Vec<_> = (0..count).map(|n| account(n, "")).collect();
            for (stated, listed) in [(count, count), (count, count / 2), (count - 1, count)] {
                let text = format!("count = {stated}\n{}", accounts[..listed].concat());
                let (_, findings) = read(&text);
                let told: Vec<_> = findings.iter().map(|it| (it.code, &*it.message)).collect();
                let wrong = format!("`count` is not how many accounts follow: {listed}");
                let wrong = (stated != listed).then_some(("wrong-count", &*wrong));
                assert_eq!(told, Vec::from_iter(wrong), "{stated} {listed}");
            }
        }
        assert_eq!(read("count = 1\n").1[0].code, "wrong-count", "none follows");
        assert_eq!(read("count = -1\n").1.len(), 1);
        let codes = |text: &str| read(text).1.iter().map(|it| it.code).collect::<Vec<_>>();
        let cut = format!("{}[[accounts]]\nid = \"2", account(1, ""));
        let told = codes(&cut);
        assert_eq!(codes(&format!("count = 2\n{cut}")), told, "each mistake is told once");
    }

    #[test]
    fn a_field_has_a_name_that_a_flow_can_say() {
        let (_, findings) =
            read("[[accounts]]\nid = \"1\"\n[accounts.fields]\n\"First name\" = \"Ada\"\n");
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["bad-name"]);
        assert!(!format!("{findings:?}").contains("Ada"));
    }

    #[test]
    fn what_is_no_number_is_told_as_that() {
        for value in ["nan", "-inf", "1e999"] {
            let (_, findings) =
                read(&format!("[[accounts]]\nid = \"1\"\n[accounts.fields]\nb = {value}\n"));
            let messages: Vec<_> = findings.iter().map(|finding| &*finding.message).collect();
            assert_eq!(messages, ["`b` must be a number, not nan or inf"], "{value}");
        }
    }
}
