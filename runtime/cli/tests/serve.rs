//! `unskew serve` and `unskew config` as processes: killed while rows are
//! pushed, told to end, and set up in ways that cannot work.

mod shared;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use shared::server::{PATIENCE, Server, post};
use shared::{folder, run};

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    push: true
    fields:
      - {name: user_id, type: utf8, nullable: true}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
feature_views:
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 3650d, hop: 1d}}
      - {name: n, function: count, over: {size: 3650d, hop: 1d}}
feature_services:
  - {name: fraud, features: [spend]}
";

fn count_of(server: &Server, user: &str) -> u64 {
    let body = format!(r#"{{"features":["spend:n"],"entities":{{"user_id":["{user}"]}}}}"#);
    let (status, text) = server.post("/v1/features", &body).expect("an answer");
    assert_eq!(status, 200, "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["answer"]["features"][0]["values"][0].as_u64().unwrap_or(0)
}

#[test]
fn a_push_that_was_answered_survives_kill_9() {
    for mode in ["log", "store"] {
        let dir = folder(&[("shop.yaml", SHOP.as_bytes())]);
        let mut server = Server::start(dir.path());
        let address = server.address.clone();
        // One row after the other until the server is gone.
        let pushing = std::thread::spawn(move || {
            let mut answered = 0;
            for second in 0..100_000 {
                let (minute, second) = (second / 60 % 60, second % 60);
                let body = format!(
                    r#"{{"push_source_name":"orders","to":"online","df":{{"user_id":["u"],"amount":[1],"ts":["2026-01-01T{:02}:{minute:02}:{second:02}.{answered:06}Z"]}}}}"#,
                    1
                );
                match post(&address, &format!("/push?mode={mode}"), &body) {
                    Some((200, _)) => answered += 1,
                    Some((status, text)) => panic!("{status}: {text}"),
                    None => break,
                }
            }
            answered
        });
        let begun = Instant::now();
        while count_of(&server, "u") < 20 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.process.kill().unwrap();
        let answered: u64 = pushing.join().unwrap();
        drop(server);
        assert!(answered >= 20, "{answered}");
        let server = Server::start(dir.path());
        let begun = Instant::now();
        // The last one may have been taken and not answered.
        while count_of(&server, "u") < answered {
            assert!(begun.elapsed() < PATIENCE, "{mode}: {} of {answered}", count_of(&server, "u"));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(count_of(&server, "u") <= answered + 1, "{mode}");
    }
}

#[test]
fn a_server_that_is_told_to_end_does() {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes())]);
    let mut server = Server::start(dir.path());
    assert_eq!(count_of(&server, "nobody"), 0);
    let told = Command::new("kill").args(["-TERM", &server.process.id().to_string()]).status();
    assert!(told.unwrap().success());
    let begun = Instant::now();
    loop {
        if let Some(status) = server.process.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_cannot_be_served_is_said() {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes()), ("key.pem", b"no key")]);
    let dir_text = dir.path().to_str().unwrap();
    for (settings, part) in [
        (vec!["--listen", "0.0.0.0:0"], "serve.token"),
        (vec!["--listen", "nowhere"], "serve.listen"),
        (vec!["--set", "serve.tls_cert=key.pem"], "serve.tls_key"),
        (vec!["--set", "serve.tls_cert=key.pem", "--set", "serve.tls_key=key.pem"], "key.pem"),
        (vec!["--set", "serve.log_level=a=b=c"], "serve.log_level"),
    ] {
        run([&["serve", dir_text], settings.as_slice()].concat()).refused(&[part]);
    }
}

#[test]
fn config_says_where_values_come_from() {
    let toml = "[project]\nname = \"shop\"\n[serve]\ntoken = \"very secret\"\n[online_store]\nurl = \"redis://user:password@host:1\"";
    let dir = folder(&[("unskew.toml", toml.as_bytes()), ("shop.yaml", SHOP.as_bytes())]);
    let dir_text = dir.path().to_str().unwrap();
    let ran = run(["config", dir_text, "--set", "serve.deadline=2s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in [
        "name = shop",
        "unskew.toml:2",
        "deadline = 2s",
        "--set serve.deadline",
        "token = ***",
        "redis://***@host:1",
        "# default",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("secret") && !ran.stdout.contains("password"));
    run(["config", dir_text, "--json", "--set", "serve.deadlin=2s"]).refused(&["serve.deadline"]);
    fs::write(dir.path().join("unskew.toml"), "[serve]\nmax_entities = 0\n").unwrap();
    run(["config", dir_text]).refused(&["unskew.toml:2"]);
}

#[test]
fn a_feast_repository_is_written() {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes())]);
    let repository = dir.path().join("feast");
    let (project, output) = (dir.path().to_str().unwrap(), repository.to_str().unwrap());
    let ran = run(["export-feast", output, "--project", project, "--url", "http://here:1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let yaml = fs::read_to_string(repository.join("feature_store.yaml")).unwrap();
    assert!(yaml.contains("path: http://here:1"), "{yaml}");
    let python = fs::read_to_string(repository.join("features.py")).unwrap();
    for part in [
        "Entity(name=\"user_id\"",
        "name=\"spend\"",
        "Field(name=\"total\", dtype=Float64)",
        "spend_view[[\"total\", \"n\"]]",
    ] {
        assert!(python.contains(part), "{part}: {python}");
    }
}
