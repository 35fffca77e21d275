//! What is deployed: the image's recipe, the containers together, the proxy before them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use callgate::limits;
use serde_json::{Value, json};

use crate::support::house::command_in;
use crate::support::process::Process;
use crate::support::tree::{root, text};

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').unwrap().parse().unwrap()
}

/// How long a server of these goes on once it is told to stop.
fn drain() -> String {
    let settings = text("deploy/callgate.toml");
    let drain = settings.lines().find_map(|line| line.strip_prefix("drain = \"")).unwrap();
    drain.split('"').next().unwrap().to_owned()
}

#[test]
fn the_image_has_no_root_no_shell_and_a_way_to_ask_for_its_health() {
    let recipe = text("Dockerfile");
    let last = recipe.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("gcr.io/distroless/"), "{last}");
    assert!(!last.contains("\nRUN "), "there is no shell to run anything");
    let users: Vec<_> = last.lines().filter(|line| line.starts_with("USER ")).collect();
    assert_eq!(users, ["USER 65532"], "by number, so that it can be checked to be no root");
    let mut taken =
        last.lines().filter(|line| line.starts_with("COPY ") || line.starts_with("ADD "));
    assert!(taken.all(|line| line.starts_with("COPY --from=build ")), "the program, and no more");
    for line in last.lines().filter(|l| l.starts_with("ENTRYPOINT") || l.contains(" CMD ")) {
        assert!(line.contains('['), "there is no shell to read `{line}`");
    }
    assert!(last.contains("CMD [\"callgate\", \"health\"]"));
    for from in recipe.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        assert!(from.contains(':') && !from.contains(":latest"), "`{from}` is any version");
    }
    assert!(recipe.contains("cargo build --release --locked"));
}

/// Whether a licence is allowed, or a choice of several has one that is.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // `AND` binds stronger; whatever stands in brackets here is a choice within a sum of its own.
    let all = |part: &str| {
        part.split(" AND ").all(|one| allowed.iter().any(|allowed| allowed == one.trim()))
    };
    if expression.contains(") AND") {
        return expression.split(" AND ").all(|part| is_allowed(part, allowed));
    }
    plain.split(" OR ").any(all)
}

/// `cargo deny` needs the network and is no part of a test run: of its check of licences this is what matters.
#[test]
fn every_crate_that_comes_in_has_a_licence_that_is_allowed() {
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let allowed = deny["licenses"]["allow"].as_array().unwrap().iter();
    let allowed: Vec<_> = allowed.map(|name| name.as_str().unwrap().to_owned()).collect();
    for (expression, is) in [
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0/Apache-2.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is, "{expression}");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let of_host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let of_host = String::from_utf8(of_host).unwrap();
    let host = of_host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let listed = Command::new(cargo)
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
            host,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let packages = listed["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| !is_allowed(package["license"].as_str().unwrap_or_default(), &allowed))
        .map(|package| {
            format!("{} {}: {}", package["name"], package["version"], package["license"])
        })
        .collect();
    assert_eq!(refused, [""; 0]);
}

/// What the program takes in from outside `src`, and its targets, must be in the image's context.
#[test]
fn the_image_is_built_from_what_the_build_is_let_see() {
    let ignored = text(".dockerignore");
    let let_in: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let is_seen = |path: &Path| let_in.iter().any(|known| path.starts_with(known));
    let mut folders = vec![PathBuf::from("src")];
    let mut taken_in = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
                continue;
            }
            // A module of unit tests is no part of the program.
            if path.ends_with("tests.rs") {
                continue;
            }
            for taken in text(path.to_str().unwrap()).split("include_str!(\"").skip(1) {
                let taken = folder.join(taken.split('"').next().unwrap());
                let mut plain = PathBuf::new();
                for part in taken.components() {
                    if part.as_os_str() == ".." {
                        plain.pop();
                    } else {
                        plain.push(part);
                    }
                }
                assert!(is_seen(&plain), "{}: `{}`", path.display(), plain.display());
                taken_in += 1;
            }
        }
    }
    assert!(taken_in > 4, "the flows and accounts of the demonstration are among them");
    for target in text("Cargo.toml").lines().filter_map(|line| line.strip_prefix("path = ")) {
        assert!(is_seen(Path::new(target.trim_matches('"'))), "{target}");
    }
}

#[test]
fn the_containers_fit_together() {
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).unwrap();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["callgate-a", "callgate-b", "redis", "proxy"]);
    let proxy = text("deploy/haproxy.cfg");
    for server in ["callgate-a", "callgate-b"] {
        assert_eq!(
            proxy.matches(&format!(" {server}:8080 check port 8081")).count(),
            2,
            "{server}"
        );
    }
    for server in ["callgate-a", "callgate-b"] {
        let service = &services[server];
        assert_eq!(service["read_only"], true, "{server}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{server}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{server}");
        assert!(service["user"].is_null() && service["privileged"].is_null(), "{server}");
        for (name, value) in service["environment"].as_object().unwrap() {
            let asked = format!("${{{name}:?");
            assert!(value.as_str().unwrap().starts_with(&asked), "{name} is nobody's but yours");
        }
        let grace = service["stop_grace_period"].as_str().unwrap();
        let least = seconds(&drain()) + limits::SHUTDOWN_GRACE.as_secs();
        assert!(seconds(grace) > least, "{server} is killed while it still finishes turns");
    }
    // The proxy reaches both listeners of each.
    let settings = text("deploy/callgate.toml");
    for listens in ["listen = \"0.0.0.0:8080\"", "admin_listen = \"0.0.0.0:8081\""] {
        assert!(settings.lines().any(|line| line.starts_with(listens)), "{listens}");
    }
    // Operators' address, the store's and each server's own stay within.
    let published = services.iter().filter(|(_, service)| !service["ports"].is_null());
    let published: Vec<_> = published.map(|(name, one)| (name.as_str(), &one["ports"])).collect();
    assert_eq!(published, [("proxy", &json!(["127.0.0.1:8080:8080"]))]);
    assert!(services.values().all(|service| service["network_mode"].is_null()));
    let binds: Vec<_> = proxy.lines().filter(|line| line.contains("bind ")).collect();
    assert_eq!(binds, ["  bind :8080"]);
    assert!(!proxy.contains("callgate-a:8081") && !proxy.contains("callgate-b:8081"));
    let redis = services["redis"]["command"].to_string();
    assert!(redis.contains("\"--appendonly\",\"yes\"") && redis.contains("noeviction"), "{redis}");
    for (name, service) in services {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().unwrap();
            let from = volume.split(':').next().unwrap();
            assert!(!from.starts_with('.') || volume.ends_with(":ro"), "{name}: `{volume}`");
            let is_there = root().join(from).exists();
            let is_volume = compose["volumes"].as_object().unwrap().contains_key(from);
            assert!(is_there || is_volume, "{name}: `{from}`");
        }
    }
}

#[test]
fn the_proxy_takes_its_settings() {
    let file = root().join("deploy/haproxy.cfg");
    let output = Command::new("haproxy").args(["-c", "-f"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// With what `compose.yaml` mounts, and the variables that it asks for.
#[test]
fn the_servers_serve_their_flows_with_their_configuration() {
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).unwrap();
    let server = &compose["services"]["callgate-a"];
    let folder = tempfile::tempdir().unwrap();
    let here = |path: &str| folder.path().join(path.trim_start_matches('/'));
    for volume in server["volumes"].as_array().unwrap() {
        let [from, to, "ro"] = volume.as_str().unwrap().split(':').collect::<Vec<_>>()[..] else {
            panic!("{volume} is mounted to be read alone")
        };
        let from = root().join(from);
        std::fs::create_dir_all(here(to).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(from, here(to)).unwrap();
    }
    // Its ports may be taken here.
    let settings = text("deploy/callgate.toml").replace("0.0.0.0:808", "127.0.0.1:0 #");
    let settings = settings.replace(" #0\"", "\"").replace(" #1\"", "\"");
    let path = here("/etc/callgate/callgate.toml");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, settings).unwrap();
    let recipe = text("Dockerfile");
    let words = recipe.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let words: Vec<String> = serde_json::from_str(words).unwrap();
    let mut command = command_in(folder.path());
    for (name, _) in server["environment"].as_object().unwrap() {
        let value = match name.as_str() {
            "CALLGATE_STATE_KEY" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "SMTP_URL" => "smtps://user:password@mail.example.com",
            _ => "token",
        };
        command.env(name, value);
    }
    let words = words.iter().map(|word| word.replace("/etc/callgate", "etc/callgate"));
    let mut server = Process(command.args(words).stderr(Stdio::piped()).spawn().unwrap());
    // All is well with it but that the Redis it names is not there.
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    for what in ["not ready: the store is away", "callgate answers"] {
        let said = told.iter().any(|line: &String| line.contains(what))
            || log.by_ref().any(|line| {
                told.push(line);
                told.last().is_some_and(|line| line.contains(what))
            });
        assert!(said, "no `{what}` in {told:#?}");
    }
}

#[test]
fn the_unit_of_systemd_lets_turns_be_finished_and_runs_as_nobody() {
    let unit = text("deploy/callgate.service");
    let value = |key: &str| {
        let value = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{key}"))
    };
    let least = seconds(&drain()) + limits::SHUTDOWN_GRACE.as_secs();
    assert!(value("TimeoutStopSec").parse::<u64>().unwrap() > least);
    assert_eq!((value("DynamicUser"), value("CapabilityBoundingSet")), ("yes", ""));
    assert_eq!(value("RestartPreventExitStatus"), "1 2", "flows and configuration are wrong still");
    assert!(value("ExecReload").starts_with("/bin/kill -HUP "));
    // By itself systemd gives up on what fails five times in ten seconds: a store may be away for longer.
    let head = unit.split("[Service]").next().unwrap();
    assert!(head.contains("\nStartLimitIntervalSec=0\n") && value("RestartSec") == "1", "{unit}");
}
