//! `unskew explain` of definitions in YAML, and its mistakes. No guest
//! toolchain is needed; `guest_explain.rs` explains code.

mod shared;

use shared::{folder, run, text};

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    fields:
      - {name: user_id, type: utf8, nullable: true}
      - {name: amount, type: float64, nullable: true}
      - {name: event_timestamp, type: timestamp, nullable: true}
    event_timestamp: event_timestamp
feature_views:
  - name: user_orders
    entities: [user]
    source: orders
    filter: amount > 0
    aggregates:
      - {name: spend_7d, function: sum, column: amount, over: {size: 7d}}
      - {name: orders_30d, function: count, over: {size: 30d}}
  - name: order_hours
    entities: [user]
    source: orders
    window: {tumbling: {size: 1h}}
    aggregates: [{name: orders, function: count}]
feature_services:
  - {name: fraud, features: [\"user_orders:spend_7d\"]}
";

#[test]
fn a_folder_a_project_and_a_file_are_the_same() {
    let dir = folder(&[
        ("shop.yaml", SHOP.as_bytes()),
        ("project/unskew.toml", b"[project]\ndefinitions = [\"../shop.yaml\"]\n"),
    ]);
    let path = |name: &str| dir.path().join(name);
    let whole = run(["explain", text(dir.path())]).succeeded().stdout;
    for part in ["source orders", "user_orders", "spend_7d", "7d", "1h", "fraud"] {
        assert!(whole.contains(part), "{part} is not shown:\n{whole}");
    }
    for arguments in [
        vec!["explain".to_owned(), text(&path("shop.yaml")).to_owned()],
        vec!["explain".to_owned(), text(&path("project")).to_owned()],
        vec!["explain".to_owned(), "--project".to_owned(), text(dir.path()).to_owned()],
    ] {
        assert_eq!(run(&arguments).succeeded().stdout, whole, "{arguments:?}");
    }
    let here = shared::Ran::of(shared::unskew().arg("explain").current_dir(dir.path()));
    assert_eq!(here.succeeded().stdout, whole);
}

#[test]
fn one_view_or_service_comes_with_what_it_reads() {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes())]);
    let shown = |name: &str| run(["explain", text(dir.path()), name, "--json"]).succeeded().json();
    let names = |plan: &serde_json::Value, section: &str| -> Vec<String> {
        let objects = plan[section].as_array().unwrap();
        objects.iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect()
    };
    let service = shown("fraud");
    assert_eq!(names(&service, "feature_views"), ["user_orders"]);
    assert_eq!(names(&service, "feature_services"), ["fraud"]);
    let view = shown("order_hours");
    assert_eq!(names(&view, "feature_views"), ["order_hours"]);
    assert_eq!(names(&view, "sources"), ["orders"]);
    assert_eq!(names(&view, "feature_services"), [""; 0]);
    run(["explain", text(dir.path()), "user_order"]).refused(&["user_order", "user_orders"]);
    let dir = text(dir.path());
    run(["explain", "--project", dir, dir, "fraud"]).refused(&["the project is given twice"]);
}

#[test]
fn lineage_goes_from_the_source_to_the_service() {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes())]);
    let lines = run(["explain", text(dir.path()), "--lineage"]).succeeded().stdout;
    for part in ["orders.amount", "orders.user_id", "user_orders", "service fraud"] {
        assert!(lines.contains(part), "{part} is not shown:\n{lines}");
    }
    let edges = run(["explain", text(dir.path()), "--lineage", "--json"]).succeeded().json();
    assert!(edges["edges"].as_array().is_some_and(|edges| edges.len() >= 4), "{edges}");
}

#[test]
fn every_mistake_is_told_with_its_file_and_line() {
    // Each of these lines holds one mistake, in the order of the lines.
    let mistakes: [(&str, &str); 10] = [
        ("name: user,", "name: a b,"),
        (
            "type: utf8, nullable: true}\n      - {name: amount, type: float64",
            "type: utf8, nullable: true}\n      - {name: amount, type: flot64",
        ),
        ("filter: amount > 0", "filter: amout > 0"),
        ("over: {size: 7d}", "over: {size: 7x}"),
        ("function: count, over: {size: 30d}", "function: coun, over: {size: 30d}"),
        ("window: {tumbling: {size: 1h}}", "window: {tumbling: {size: 0s}}"),
        (
            "aggregates: [{name: orders, function: count}]",
            "aggregate: [{name: orders, function: count}]",
        ),
        ("features: [\"user_orders:spend_7d\"]", "features: [\"user_order\"]"),
        ("name: fraud,", "name: fraud, ttl: 1d,"),
        ("name: order_hours\n    entities: [user]", "name: order_hours\n    entities: [usr]"),
    ];
    for (right, wrong) in mistakes {
        let yaml = SHOP.replacen(right, wrong, 1);
        assert_ne!(yaml, SHOP, "{right}");
        let line = yaml
            .lines()
            .zip(SHOP.lines())
            .position(|(now, before)| now != before)
            .map(|at| at + 1)
            .unwrap();
        let dir = folder(&[("shop.yaml", yaml.as_bytes())]);
        let ran = run(["explain", text(dir.path())]).refused(&[]);
        let place = format!("shop.yaml:{line}: ");
        assert!(ran.stderr.contains(&place), "{place}\n{}", ran.stderr);
    }

    let yaml = mistakes
        .iter()
        .fold(SHOP.to_owned(), |yaml, (right, wrong)| yaml.replacen(right, wrong, 1));
    let dir = folder(&[("shop.yaml", yaml.as_bytes())]);
    let ran = run(["explain", text(dir.path()), "--json"]).refused(&[]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let told = error["error"]["mistakes"].as_array().unwrap();
    assert!(told.len() >= 9, "{}", error["error"]["what"].as_str().unwrap());
    for mistake in told {
        assert!(mistake["file"].as_str().unwrap().ends_with("shop.yaml"), "{mistake}");
        assert!(mistake["line"].as_u64().unwrap() > 0, "{mistake}");
        assert!(!mistake["what"].as_str().unwrap().is_empty(), "{mistake}");
    }
}

#[test]
fn places_without_definitions_are_told() {
    let dir = folder(&[("notes.txt", b"")]);
    let path = |name: &str| dir.path().join(name);
    run(["explain", text(dir.path())]).refused(&["holds no definitions", "unskew.toml"]);
    run(["explain", text(&path("notes.txt"))]).refused(&["holds no definitions"]);
    run(["explain", text(&path("no/where"))]).refused(&["no such folder"]);
    run(["explain", text(&path("no.yaml"))]).refused(&["no such folder"]);
}
