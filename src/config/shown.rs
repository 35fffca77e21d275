//! A file as it is shown beside what is wrong with it: without what belongs in no log. Every character keeps
//! its place, so that findings point at what they did.

/// A configuration, without secrets: where somebody has written one in place of a variable's name, under a
/// name of its own, or into an address.
pub fn configuration(text: &str) -> String {
    by_quotes(text, |key, value| match key {
        "auth_token" | "api_secret" | "token" | "password" | "state_key" | "secret" => {
            hidden(value)
        }
        // Its secret in its place.
        "api_key" if !value.starts_with("SK") => hidden(value),
        _ if key.ends_with("_env") && !is_variable(value) => hidden(value),
        _ => without_password(value),
    })
}

/// An accounts file, without anything of a customer's: every text and every digit.
pub fn accounts(text: &str) -> String {
    let digitless: String =
        text.chars().map(|c| if c.is_ascii_digit() { '*' } else { c }).collect();
    by_quotes(&digitless, |_, value| hidden(value))
}

/// Whether this can be the name of a variable of the environment, and is no secret that stands in its place:
/// those are in base64 or in hexadecimal digits.
pub(super) fn is_variable(name: &str) -> bool {
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let secret = name.len() >= 32 && name.chars().all(|c| c.is_ascii_hexdigit());
    named && !secret && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// As many characters and bytes, that say nothing.
fn hidden(value: &str) -> String {
    let instead = |c: char| match c.len_utf8() {
        1 => '*',
        2 => '·',
        3 => '•',
        _ => '🔒',
    };
    value.chars().map(instead).collect()
}

/// An address without the password in it, and without what is asked for behind it, which may be another.
fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let parts = rest.rsplit_once('@').and_then(|(user, host)| {
        let (user, password) = user.split_once(':')?;
        Some((format!("{user}:{}@", hidden(password)), host))
    });
    let (user, host) = parts.unwrap_or((String::new(), rest));
    let host = match host.split_once('?') {
        Some((host, query)) => format!("{host}?{}", hidden(query)),
        None => host.to_owned(),
    };
    format!("{scheme}://{user}{host}")
}

/// The text with what stands in quotes as `shown` has it, which is told the key before it as well.
fn by_quotes(text: &str, shown: impl Fn(&str, &str) -> String) -> String {
    let mut whole = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (mut key, mut rest) = ("", line);
        while let Some((before, mark, from)) = opening(rest) {
            key = key_in(before).unwrap_or(key);
            let (value, after) = from.split_at(end_of(from, mark));
            whole.extend([before, mark, &shown(key, value)]);
            rest = after;
            if let Some(next) = after.strip_prefix(mark) {
                whole.push_str(mark);
                rest = next;
            }
        }
        whole.push_str(rest);
    }
    whole
}

/// What stands before the first quotes, those, and what follows; `None`: there are none but in a comment.
fn opening(line: &str) -> Option<(&str, &'static str, &str)> {
    let (before, from) = line.split_at(line.find(['"', '\'', '#'])?);
    let mark = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|mark| from.starts_with(mark))?;
    Some((before, mark, from.strip_prefix(mark)?))
}

/// Where a value ends that began with this mark: at the next of them, or with its line.
fn end_of(from: &str, mark: &str) -> usize {
    let mut escaped = false;
    for (at, c) in from.char_indices() {
        let closes = from.get(at..).is_some_and(|rest| rest.starts_with(mark));
        if c == '\n' || (closes && !escaped) {
            return at;
        }
        escaped = c == '\\' && !escaped && mark.starts_with('"');
    }
    from.len()
}

/// The key whose value begins after this text, if one does.
fn key_in(before: &str) -> Option<&str> {
    let (key, _) = before.rsplit_once('=')?;
    let of_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    key.trim_end().rsplit(|c| !of_key(c)).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_shown_without_secrets() {
        for (line, as_shown) in [
            ("api_key = \"SK01\"", "api_key = \"SK01\""),
            ("api_key = \"s3cr3t\"", "api_key = \"******\""),
            ("api_secret = \"s3cr3t\"", "api_secret = \"******\""),
            ("token = \"s3cr3t\"", "token = \"******\""),
            ("secret = \"s3cr3t\"", "secret = \"******\""),
            ("auth_token = \"ab\\\"cd\" # it's", "auth_token = \"******\" # it's"),
            (
                "redis = { password = 'pw', replicas = 1 }",
                "redis = { password = '**', replicas = 1 }",
            ),
            (
                "auth_token_env = [\"A_TOKEN\", \"s3cr3t+/=\"]",
                "auth_token_env = [\"A_TOKEN\", \"*********\"]",
            ),
            (
                "token_env = \"deadbeefdeadbeefdeadbeefdeadbeef\"",
                &format!("token_env = \"{}\"", "*".repeat(32)),
            ),
            ("store = \"rediss://me:p@ß@host:1\"", "store = \"rediss://me:**·@host:1\""),
            (
                "store = \"redis://me@host\"\nlisten = \"\"\n",
                "store = \"redis://me@host\"\nlisten = \"\"\n",
            ),
            ("url = \"https://host/a?key=b#c\"", "url = \"https://host/a?*******\""),
            ("store = \"redis://u:p@h/m?p=x\"", "store = \"redis://u:*@h/m?***\""),
            ("state_key = \"abc", "state_key = \"***"),
            ("state_key = \"\"\"a\"b\"\"\"", "state_key = \"\"\"***\"\"\""),
        ] {
            let shown = configuration(line);
            assert_eq!(shown, as_shown);
            assert_eq!(shown.len(), line.len());
        }
    }

    #[test]
    fn an_accounts_file_is_shown_without_customers() {
        let line = "phones = [{ number = \"+15005550010\", line = 'mobile' }]\nbalance = -12.5\n";
        let as_shown =
            "phones = [{ number = \"************\", line = '******' }]\nbalance = -**.*\n";
        assert_eq!(accounts(line), as_shown);
    }
}
