//! Accounts behind HTTP: `POST {url}/find {"by": "id" | "phone", "value": "…"}` is answered with an account as in
//! the accounts file, in JSON, or with `null` or status 404 if there is none.
//!
//! Nothing is kept from one question to the next. An answer is believed only as far as it fits the question: an
//! account that is malformed, is another's, or does not have the number it was found by, is no account. A
//! directory that does not answer at all is an error, for known and unknown customers alike.

use std::sync::Arc;

use serde_json::{Value, json};

use super::DirectoryError;
use super::accounts::{Accounts, Customer, Secrets};
use crate::diagnostic::{Problems, any_error};
use crate::limits;
use crate::outbound::{Failure, Peer};
use crate::phone::PhoneNumber;
use crate::telemetry::{Outside, OutsideCounter, Peer as Of};

/// The directory of a business.
#[derive(Debug)]
pub struct HttpDirectory {
    peer: Peer,
    asked: OutsideCounter,
}

impl HttpDirectory {
    /// A directory at this address, with its requests counted.
    pub fn new(peer: Peer, asked: OutsideCounter) -> Self {
        Self { peer, asked }
    }

    pub(super) async fn by_id(&self, id: &str) -> Result<Option<Arc<Customer>>, DirectoryError> {
        self.find("id", id, |accounts| accounts.by_id(id)).await
    }

    pub(super) async fn by_phone(
        &self,
        number: &PhoneNumber,
    ) -> Result<Option<Arc<Customer>>, DirectoryError> {
        self.find("phone", number.as_e164(), |accounts| accounts.by_phone(number)).await
    }

    async fn find(
        &self,
        by: &str,
        value: &str,
        pick: impl Fn(&Accounts) -> Option<Arc<Customer>>,
    ) -> Result<Option<Arc<Customer>>, DirectoryError> {
        let question = json!({ "by": by, "value": value });
        let bytes_max = limits::ACCOUNT_BYTES_MAX;
        let account = match self.peer.ask("find", None, &question, bytes_max).await {
            Ok(account) => account,
            Err(Failure::Status(404)) => Value::Null,
            Err(failure) => {
                let outcome = match failure {
                    Failure::Status(400..500) => Outside::Refused,
                    _ => Outside::Failed,
                };
                self.asked.count(Of::Directory, outcome);
                return Err(DirectoryError(failure));
            }
        };
        if account.is_null() {
            self.asked.count(Of::Directory, Outside::Done);
            return Ok(None);
        }
        let found = read(account)
            .and_then(|accounts| pick(&accounts).ok_or_else(|| vec!["another-account"]).map(Some));
        match found {
            Ok(customer) => {
                self.asked.count(Of::Directory, Outside::Done);
                Ok(customer)
            }
            Err(wrong) => {
                // The error is named without its text: the account is a customer's.
                tracing::error!(
                    by,
                    ?wrong,
                    "the directory's answer is no account that was asked for"
                );
                self.asked.count(Of::Directory, Outside::Failed);
                Ok(None)
            }
        }
    }
}

/// Reads an account as strictly as one in a file; the error says what is wrong, by name.
fn read(mut account: Value) -> Result<Accounts, Vec<&'static str>> {
    drop_nulls(&mut account);
    let text =
        toml::to_string(&json!({ "accounts": [account] })).map_err(|_| vec!["no-account"])?;
    let problems = Problems::default();
    let accounts = Accounts::read(&"the directory".into(), &text, Secrets::Hashed, &problems);
    let findings = problems.into_findings();
    if any_error(&findings) {
        return Err(findings.iter().map(|finding| finding.code).collect());
    }
    Ok(accounts)
}

/// A key with a null value counts as missing.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_missing_wherever_it_stands() {
        let phone = json!({ "number": "+15005550010", "line": "mobile", "since": "2024-01-01", "note": null });
        let account =
            json!({ "id": "1", "email": null, "phones": [phone], "fields": { "name": null } });
        let customer = read(account).unwrap().by_id("1").unwrap();
        assert_eq!(customer.account.phones.len(), 1);
        assert!(customer.account.email.is_none() && customer.account.fields.is_empty());
    }
}
