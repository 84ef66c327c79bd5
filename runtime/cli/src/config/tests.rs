use super::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(
    toml: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> anyhow::Result<ProjectConfig> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(PROJECT_FILE), toml).unwrap();
    ProjectConfig::from_parts(dir.path(), &pairs(variables), &pairs(flags))
}

#[test]
fn without_a_file_there_are_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let config = ProjectConfig::from_parts(dir.path(), &[], &[]).unwrap();
    assert_eq!(config.online_store.kind, OnlineStoreKind::Embedded);
    assert_eq!(config.online_store.path, dir.path().join(".unskew/online"));
    assert_eq!(config.serve.listen.to_string(), "127.0.0.1:6566");
    assert_eq!(config.serve.max_body_bytes, 16 << 20);
    assert_eq!(config.batch.memory_limit_bytes, 2 << 30);
    assert_eq!(config.place_of("serve.listen"), "default");
}

#[test]
fn flags_go_before_variables_and_those_before_the_file() {
    let toml = "[serve]\ndeadline = \"2s\"\nmax_entities = 5\nmax_body = 100\n[online_store]\ncluster = true\n[[serve.alerts]]\nname = \"old\"\nmeasure = \"stale_share\"\nabove = 0.5\nwebhook = \"http://127.0.0.1:1/x\"";
    let variables = [("UNSKEW_SERVE_DEADLINE", "3s"), ("UNSKEW_SERVE_MAX_ENTITIES", "6")];
    let config = config(toml, &variables, &[("serve.deadline", "4s")]).unwrap();
    assert_eq!(config.serve.deadline, Duration::from_secs(4));
    assert_eq!(config.place_of("serve.deadline"), "--set serve.deadline");
    assert_eq!(config.serve.max_entities, 6);
    assert_eq!(config.place_of("serve.max_entities"), "UNSKEW_SERVE_MAX_ENTITIES");
    assert_eq!(config.serve.max_body_bytes, 100);
    assert!(config.place_of("serve.max_body").ends_with("unskew.toml:4"));
    assert!(config.online_store.cluster);
    assert_eq!(config.serve.alerts.len(), 1);
}

#[test]
fn mistakes_are_told_together_with_their_lines() {
    let toml = "[serve]\nlisten = \"here\"\ntokens = \"x\"\nmax_entities = true\n[stores]\nx = 1\n";
    let variables = [("UNSKEW_SERVE_LISTN", "x"), ("UNSKEW_LOG", "debug")];
    let error = config(toml, &variables, &[("serve.deadlin", "1s")]).unwrap_err().to_string();
    for part in [
        "unskew.toml:2: serve.listen: \"here\"",
        "unskew.toml:3: serve.tokens",
        "unskew.toml:4: serve.max_entities",
        "unskew.toml:5: there is no section [stores]",
        "UNSKEW_SERVE_LISTN",
        "--set serve.deadlin",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("UNSKEW_LOG"), "{error}");
    let error = config("[serve]\ntls_key = \"k.pem\"", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("needs serve.tls_cert"), "{error}");
    let error = config("[serve\n", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("unskew.toml:1"), "{error}");
}
