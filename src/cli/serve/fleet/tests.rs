//! Tests of the fingerprints.

use super::*;
use crate::diagnostic::Sources;
use crate::flow::read;

/// A configuration with these lines in its sections.
fn prints(twilio: &str, contact: &str, lookup: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("state_key", "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio=");
    write("token", "a-secret-of-the-tests");
    write(
        "callgate.toml",
        &format!(
            "public_url = \"https://ivr.example.com\"\nstate_key_file = \"state_key\"\nstore = \"memory:\"\n\
             [twilio]\naccount_sid = \"AC0123456789abcdef0123456789abcdef\"\nauth_token_file = \"token\"\n{twilio}\n\
             [lines]\n\"*\" = {{ flow = \"bank\" }}\n[policy.contact]\n{contact}\n\
             [directory]\nkind = \"file\"\npath = \"accounts.toml\"\n[lookup]\nkind = \"twilio\"\n{lookup}\n"
        ),
    );
    fixed(&Config::load(&folder.path().join("callgate.toml")).unwrap())
}

#[test]
fn what_is_only_written_otherwise_is_alike() {
    let from = "from = \"+15005550006\"";
    let one = prints(
        from,
        "countries = [\"DE\", \"AT\"]\nsms_line_types = [\"mobile\", \"voip\"]\nvoice_line_types = [\"mobile\"]",
        "fields = [\"line_type_intelligence\", \"sim_swap\"]",
    );
    let same = prints(
        from,
        "countries = [\"AT\", \"DE\", \"AT\"]\nsms_line_types = [\"voip\", \"mobile\"]\n\
         voice_line_types = [\"mobile\", \"mobile\"]",
        "fields = [\"sim_swap\", \"line_type_intelligence\", \"line_type_intelligence\"]",
    );
    assert_eq!(one, same);

    let contact = "countries = [\"DE\"]\nsms_line_types = [\"mobile\", \"voip\"]\nvoice_line_types = [\"mobile\"]";
    let other = prints("from = \"+15005550007\"", contact, "fields = [\"line_type_intelligence\"]");
    let differ: Vec<_> =
        one.iter().filter(|(part, print)| other.get(*part) != Some(*print)).collect();
    let differ: Vec<_> = differ.iter().map(|(part, _)| part.as_str()).collect();
    assert_eq!(differ, ["peers", "policy.contact", "sender"]);
}

/// Servers may be started from different folders, and files may be read in another order.
#[test]
fn flows_are_alike_wherever_their_files_lie() {
    let print = |files: &[(&str, &str)]| {
        let mut sources = Sources::default();
        for (file, text) in files {
            sources.add(file, *text);
        }
        let (flows, _) = read(&sources);
        assert_eq!(flows.iter().count(), files.len());
        of_flows(&flows, &Vault::new(&[7; 32]))
    };
    let flow = |name: &str| {
        format!(
            "name = \"{name}\"\nstart = \"bye\"\nlocale = \"en-US\"\n[states.bye]\ntype = \"hangup\"\n"
        )
    };
    let (bank, clinic) = (flow("bank"), flow("clinic"));
    let one = print(&[("flows/bank.toml", &bank), ("flows/clinic.toml", &clinic)]);
    assert_eq!(one, print(&[("/srv/a/clinic.toml", &clinic), ("/srv/a/bank.toml", &bank)]));
    let changed = format!("{bank}# a remark\n");
    assert_ne!(one, print(&[("flows/bank.toml", &changed), ("flows/clinic.toml", &clinic)]));
}
