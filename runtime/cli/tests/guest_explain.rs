//! `unskew explain` of definitions in code: Python evaluated by the definer in
//! the sandbox, Rust from the module.

mod shared;

use std::fs;
use std::path::{Path, PathBuf};

use shared::{Ran, folder, guest_unskew, kept_project, text};

fn shared_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/definitions").join(name)
}

fn explain(arguments: &[&str]) -> Ran {
    Ran::of(guest_unskew().arg("explain").args(arguments))
}

const PYPROJECT: &str = "[project]\nname = \"shop\"\nversion = \"1\"\n";

/// A Python project with this code in `shop.py`.
fn python(code: &[u8]) -> tempfile::TempDir {
    folder(&[("pyproject.toml", PYPROJECT.as_bytes()), ("shop.py", code)])
}

#[test]
fn one_definition_in_three_languages_is_one_plan() {
    let code = fs::read(shared_file("shop.py")).unwrap();
    let python = python(&code);
    let cargo = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\nunskew = { path = \".unskew/sdk-rust\" }\n\n[workspace]\n";
    let rust = kept_project(
        "explained-rust",
        &[
            ("Cargo.toml".to_owned(), cargo.as_bytes().to_vec()),
            ("src/lib.rs".to_owned(), fs::read(shared_file("shop.rs")).unwrap()),
        ],
    );
    let of_python = explain(&[text(python.path())]).succeeded().stdout;
    let of_rust = explain(&[text(&rust)]).succeeded().stdout;
    assert_eq!(of_python, of_rust);
    // YAML has no transforms of its own: it calls those of the module.
    let yaml = fs::read_to_string(shared_file("shop.yaml")).unwrap();
    let yaml = yaml
        .replace("{transform: order_value,", "{transform: order_value, module: shop,")
        .replace("{transform: price_ratio}", "{transform: price_ratio, module: shop}")
        .replace("aggregate: spent,", "aggregate: spent, module: shop,");
    let functions: String = String::from_utf8(code).unwrap();
    let begin = functions.find("@transform").unwrap();
    let end = functions.find("user = Entity(").unwrap();
    let ratio = "@transform\ndef price_ratio(amount: float, spend: float) -> float | None:\n    return None\n";
    let functions = format!(
        "from unskew import Int32, aggregate, transform\n\n{}\n{ratio}",
        &functions[begin..end]
    );
    let project = folder(&[
        ("unskew.toml", b"[modules]\nshop = \"module\"\n"),
        ("shop.yaml", yaml.as_bytes()),
        ("module/pyproject.toml", PYPROJECT.as_bytes()),
        ("module/shop.py", functions.as_bytes()),
    ]);
    let of_yaml = explain(&[text(project.path())]).succeeded().stdout;
    assert_eq!(of_yaml, of_python);
}

#[test]
fn all_mistakes_in_python_are_told_at_once() {
    let code = r#"from datetime import datetime
from unskew import *

class Order:
    user_id: str
    amount: float
    tags: set
    event_timestamp: datetime

user = Entity("user", join_keys=5)
orders = Source("orders", Order, allowed_lateness="soon")

@transform
def worth(amount: float, quantity):
    return amount

@feature_view(entities=["usr"], source=orders, filter="amout > 0", ttl="0s")
class UserOrders:
    "Of users."
    spend = Sum("amont").over("7d")
    orders = Count().over("7d", hop="8d")
    other = 5

FeatureService("fraud", features=[UserOrders, 7])
"#;
    let project = python(code.as_bytes());
    let ran = explain(&[text(project.path()), "--json"]).refused(&[]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let told = error["error"]["mistakes"].as_array().unwrap();
    let place = |mistake: &serde_json::Value| mistake["line"].as_u64().unwrap();
    for (line, part) in [
        (7, "set"),
        (10, "join_keys"),
        (11, "soon"),
        (13, "quantity"),
        (17, "usr"),
        (17, "amout"),
        (17, "ttl"),
        (20, "amont"),
        (21, "hop"),
        (17, "other"),
        (24, "int 7 is no feature"),
    ] {
        assert!(
            told.iter()
                .any(|m| place(m) == line
                    && format!("{} {}", m["subject"], m["what"]).contains(part)),
            "line {line}: {part} is not told: {}",
            error["error"]["what"].as_str().unwrap()
        );
    }
    let file = format!("{}/shop.py", text(project.path()));
    assert!(told.iter().all(|mistake| mistake["file"] == file.as_str()), "{told:?}");
}

#[test]
fn whatever_python_does_becomes_a_message() {
    let endless_fuel = "while True:\n    pass\n";
    let cases: [(&[u8], &[&str]); 12] = [
        (b"x = (\n", &["shop.py:1: SyntaxError", "x = ("]),
        (b"import numpy\n", &["shop.py:1: ModuleNotFoundError", "requirements.lock"]),
        (b"import ssl\n", &["shop.py:1: ModuleNotFoundError", "no such part of Python"]),
        (
            b"def f():\n    raise ValueError('no')\n\nf()\n",
            &["shop.py:2: ValueError: no", "called from"],
        ),
        (b"open('/etc/passwd')\n", &["shop.py:1: AmbientFileError", "unskew.data"]),
        (b"import time\ntime.time()\n", &["shop.py:2: AmbientError: time.time()"]),
        (b"raise SystemExit(3)\n", &["shop.py:1: SystemExit"]),
        (b"def f():\n    f()\nf()\n", &["shop.py:2: RecursionError"]),
        (endless_fuel.as_bytes(), &["look for a loop"]),
        (b"x = [0] * (1 << 28)\n", &["memory"]),
        (b"\xff\xfe\x00(\n", &["shop.py"]),
        (b"x = 1\n", &["nothing to offer"]),
    ];
    for (code, parts) in cases {
        println!("{}", String::from_utf8_lossy(code));
        let project = python(code);
        explain(&[text(project.path())]).refused(parts);
    }
    // Two projects see nothing of each other, and no host Python.
    let project =
        python(b"import sys\nassert 'numpy' not in sys.modules\nimport socket\nsocket.socket()\n");
    explain(&[text(project.path())]).refused(&["shop.py:4: AmbientError"]);
}

#[test]
fn mistakes_in_rust_and_yaml_name_their_own_files() {
    let yaml = b"feature_services:\n  - {name: s, features: [nothing]}\n";
    let python = b"from unskew import Entity\nuser = Entity('a b')\n";
    let project = folder(&[
        ("unskew.toml", b"[modules]\nshop = \"modules/shop\"\n"),
        ("services.yaml", yaml),
        ("modules/shop/pyproject.toml", PYPROJECT.as_bytes()),
        ("modules/shop/shop.py", python),
    ]);
    explain(&[text(project.path())]).refused(&[
        "services.yaml:2: ",
        "nothing",
        "modules/shop/shop.py:2: ",
        "a b",
    ]);
}
