//! Real builds of Python projects, and what they yield in the sandbox. They
//! need componentize-py in the cache folder (`./setup.sh` puts it there).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray,
    Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    StringArray, StructArray, TimestampMicrosecondArray, UInt8Array, UInt32Array, new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use unskew_build::{BuildError, BuildOptions, Language, build};
use unskew_host::{CompiledModule, Fold, Host, HostConfig, Outcome, RowStatus};

fn cache_dir() -> PathBuf {
    let named = std::env::var_os("UNSKEW_CACHE_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/unskew")
    })
}

fn options() -> BuildOptions {
    BuildOptions { cache_dir: cache_dir(), offline: false }
}

fn project(dir: &Path, more: &str, files: &[(&str, &str)]) {
    let pyproject = format!("[project]\nname = \"shop-features\"\nversion = \"0.1.0\"\n{more}");
    fs::write(dir.join("pyproject.toml"), pyproject).unwrap();
    for (name, content) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn load(component: &[u8]) -> CompiledModule {
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("native"));
    Host::new(HostConfig { cache_dir, ..HostConfig::default() }).unwrap().load(component).unwrap()
}

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true))
        .collect();
    let rows = columns.first().map_or(0, |column| column.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

fn call(module: &CompiledModule, transform: &str, columns: Vec<ArrayRef>) -> Outcome {
    let (index, _) = module.manifest().transform(transform).expect(transform);
    module.transform(index, &batch(columns), None).unwrap()
}

/// For each type its hint and some values.
fn types() -> Vec<(&'static str, ArrayRef)> {
    let ints = |to: &DataType| cast(&Int64Array::from(vec![0, 1, 100, 7]), to).unwrap();
    let nested = |text: &str| -> ArrayRef {
        let values = [Some(vec![Some(1.5), None]), Some(vec![]), Some(vec![Some(-0.0)])];
        assert_eq!(text, "list");
        Arc::new(ListArray::from_iter_primitive::<arrow::datatypes::Float64Type, _, _>(values))
    };
    let embedding = [Some(vec![Some(1.0_f32), Some(-0.0)]), Some(vec![Some(0.5), Some(2.0)])];
    let embedding = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(embedding, 2);
    let (_, size, items, nulls) = embedding.into_parts();
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let embedding = FixedSizeListArray::new(item, size, items, nulls);
    let decimals = |precision, scale, values: Vec<i128>| -> ArrayRef {
        let array = Decimal128Array::from(values);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let points: ArrayRef = Arc::new(StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Float64, false)),
            Arc::new(Float64Array::from(vec![1.5, -0.0, f64::INFINITY])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("label", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("a"), None, Some("é")])) as ArrayRef,
        ),
    ]));
    vec![
        ("bool", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("unskew.Int8", ints(&DataType::Int8)),
        ("unskew.Int16", ints(&DataType::Int16)),
        ("unskew.Int32", ints(&DataType::Int32)),
        ("int", Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0, (1 << 53) + 1]))),
        ("unskew.UInt8", Arc::new(UInt8Array::from(vec![0, 255]))),
        ("unskew.UInt16", ints(&DataType::UInt16)),
        ("unskew.UInt32", Arc::new(UInt32Array::from(vec![0, u32::MAX]))),
        ("unskew.UInt64", ints(&DataType::UInt64)),
        ("unskew.Float32", Arc::new(Float32Array::from(vec![1.5, f32::MAX, -0.0, f32::NAN]))),
        ("float", Arc::new(Float64Array::from(vec![1.5, 5e-324, -0.0, f64::NAN, f64::MIN]))),
        ("str", Arc::new(StringArray::from(vec!["", "é", "plain", "😀"]))),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"", b"\0\xff", b"x"]))),
        ("datetime.date", Arc::new(Date32Array::from(vec![0, -719_162, 2_932_896]))),
        (
            "datetime.datetime",
            Arc::new(
                TimestampMicrosecondArray::from(vec![0, -1, 1_709_210_096_123_456])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "Annotated[Decimal, unskew.decimal128(10, 2)]",
            decimals(10, 2, vec![0, -1, 9_999_999_999]),
        ),
        (
            "Annotated[Decimal, unskew.decimal128(38, 0)]",
            decimals(38, 0, vec![10_i128.pow(38) - 1, -1]),
        ),
        ("list[float | None]", nested("list")),
        ("Annotated[list[float], unskew.embedding(2)]", Arc::new(embedding)),
        ("Point", points),
    ]
}

/// Transforms that give back what they get, one in each form for every type.
fn identities() -> String {
    let mut code = String::from(
        "import datetime\nfrom dataclasses import dataclass\nfrom decimal import Decimal\n\
         from typing import Annotated\n\nimport unskew\nfrom unskew import Column, transform\n\n\
         @dataclass(frozen=True)\nclass Point:\n    x: float\n    label: str | None\n",
    );
    for (at, (hint, _)) in types().iter().enumerate() {
        code.push_str(&format!(
            "\n@transform\ndef row{at}(x: {hint} | None) -> {hint} | None:\n    return x\n\
             \n@transform(batch=True)\ndef batch{at}(x: Column[{hint} | None]) -> Column[{hint} | None]:\n    return x\n"
        ));
    }
    code
}

const PROBES: &str = r#"
from unskew import ExactSum, aggregate, data, transform

SEEN = data("data/words.txt").decode().split()


@transform
def probe(code: str) -> str:
    names = {}
    exec(code, names)
    return repr(names["r"])


@transform
def ratio(x: float, y: float | None) -> float:
    if y == 0:
        raise ValueError(f"{x} of nothing")
    if y is not None and y < 0:
        return None
    return x / (y or 1.0)


@transform
def known(word: str) -> bool:
    import fractions  # needed only here, and still there

    from late import unknown

    return word in SEEN and not unknown(word) and fractions.Fraction(1, 2) < 1


def depth(n: int) -> int:
    return 0 if n == 0 else 1 + depth(n - 1)


@transform
def deep(n: int) -> int | None:
    return depth(n)


@transform
def deeper(n: int) -> int | None:
    return (lambda: depth(n))()


@aggregate
class Total:
    total: ExactSum

    def __init__(self) -> None:
        self.total = ExactSum()

    def update(self, x: float) -> None:
        if x < 0:
            raise ValueError("negative")
        self.total.add(x)

    def merge(self, other: "Total") -> None:
        self.total.merge(other.total)

    def subtract(self, other: "Total") -> None:
        self.total.subtract(other.total)

    def finish(self) -> float:
        return self.total.value()
"#;

/// What a row may not see, and a part of what it is told.
const REFUSED: &[(&str, &str)] = &[
    ("import time; r = time.time()", "AmbientError: time.time() is not available"),
    ("import time; r = time.monotonic_ns()", "time.monotonic_ns() is not available"),
    ("import time; r = time.localtime()", "time.localtime() of the present"),
    ("import time; r = time.sleep(1)", "time.sleep() is not available"),
    ("import datetime; r = datetime.datetime.now()", "datetime.now() is not available"),
    ("import datetime; r = datetime.date.today()", "date.today() is not available"),
    ("import random; r = random.random()", "random.random() is not available"),
    ("import random; r = random.Random()", "without a seed is not available"),
    ("import os; r = os.urandom(4)", "os.urandom() is not available"),
    ("r = open('/etc/passwd').read()", "open('/etc/passwd') is not available"),
    ("import os; r = os.listdir('.')", "os.listdir('.') is not available"),
    ("import os; r = os.environ['HOME']", "os.environ is not available"),
    ("import os; r = os.getenv('HOME')", "os.environ is not available"),
    (
        "import _thread; r = _thread.start_new_thread(print, ())",
        "starting a thread is not available",
    ),
    ("import sys; r = sys.setrecursionlimit(10**6)", "setrecursionlimit"),
    ("import socket; r = 1", "ModuleNotFoundError: the module 'socket' was not there"),
    ("r = input()", "a module has no standard input"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("def f(): f()\nf()", "RecursionError"),
];

/// What a row may do, and what it gets.
const ALLOWED: &[(&str, &str)] = &[
    ("import random; r = random.Random(5).randint(1, 6)", "5"),
    ("import time; r = time.gmtime(0).tm_year", "1970"),
    ("import datetime as d; r = d.datetime.strptime('2024-02-29', '%Y-%m-%d').weekday()", "3"),
    ("r = 'é'.encode('latin-1')", r"b'\xe9'"),
    ("print('to the log'); r = 1", "1"),
    ("import sys; sys.stderr.write('half a line'); r = 1", "1"),
    (
        "import traceback\ntry: 1/0\nexcept Exception: r = traceback.format_exc()[-8:-1]",
        "'by zero'",
    ),
];

#[test]
fn a_module_computes_and_can_do_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    project(
        dir.path(),
        "[tool.unskew]\nmodule = \"features\"\ndata = [\"data/*.txt\"]\n",
        &[
            ("features.py", &format!("import types_of_columns\n{PROBES}")),
            ("types_of_columns.py", &identities()),
            ("late.py", "def unknown(word):\n    return word == 'unknown'\n"),
            ("data/words.txt", "cat dog unknown"),
        ],
    );
    let built = build(dir.path(), &options()).unwrap();
    assert_eq!(built.language, Language::Python);
    let module = load(&built.component);
    assert_eq!(module.imports(), ["unskew:module/log@1.0.0"]);
    assert_eq!(module.manifest().name.as_str(), "shop_features");

    types_make_the_round_trip(&module);
    nothing_ambient_is_there(&module);
    rows_fail_alone(&module);
    data_and_late_imports_are_there(&module);
    depth_does_not_depend_on_the_batch(&module);
    states_fold(&module);
}

fn types_make_the_round_trip(module: &CompiledModule) {
    for (at, (hint, values)) in types().into_iter().enumerate() {
        let nulls = new_null_array(values.data_type(), 3);
        let some = concat(&[&nulls.slice(0, 1), &values, &nulls]).unwrap();
        let sliced = some.slice(1, values.len() + 1);
        let cases = [
            ("none", values.clone()),
            ("some", some),
            ("all", nulls),
            ("sliced", sliced),
            ("zero rows", values.slice(0, 0)),
        ];
        for (name, column) in cases {
            for form in ["row", "batch"] {
                let outcome = call(module, &format!("{form}{at}"), vec![column.clone()]);
                assert_eq!(outcome.errors, [], "{hint}, {form}, {name}");
                let got = outcome.columns[0].to_data();
                // NaN is not equal to itself, but its text is.
                let same = got == column.to_data()
                    || format!("{:?}", outcome.columns[0]) == format!("{column:?}");
                assert!(same, "{hint}, {form}, {name}: {:?}", outcome.columns[0]);
            }
        }
    }
}

fn nothing_ambient_is_there(module: &CompiledModule) {
    for (code, part) in REFUSED {
        let outcome = call(module, "probe", vec![Arc::new(StringArray::from(vec![*code]))]);
        let [error] = outcome.errors.as_slice() else {
            panic!("{code} gave {:?}", outcome.columns[0]);
        };
        assert_eq!(error.status, RowStatus::Failed, "{code}: {}", error.message);
        assert!(error.message.contains(part), "{code}: {}", error.message);
        assert!(error.message.contains("(features.py:"), "{code}: {}", error.message);
    }
    for (code, expected) in ALLOWED {
        let outcome = call(module, "probe", vec![Arc::new(StringArray::from(vec![*code]))]);
        assert_eq!(outcome.errors, [], "{code}");
        let text = outcome.columns[0].as_any().downcast_ref::<StringArray>().unwrap();
        assert_eq!(text.value(0), *expected, "{code}");
    }
    // A lack of memory is for the host to judge, whatever the module would make of it.
    for code in ["r = bytearray(1 << 30)", "r = [0] * (1 << 30)"] {
        let outcome = call(module, "probe", vec![Arc::new(StringArray::from(vec![code]))]);
        assert_ne!(outcome.errors[0].status, RowStatus::Failed, "{code}: {:?}", outcome.errors);
    }
}

fn rows_fail_alone(module: &CompiledModule) {
    let x: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]));
    let y: ArrayRef = Arc::new(Float64Array::from(vec![Some(2.0), Some(0.0), None, Some(-1.0)]));
    let outcome = call(module, "ratio", vec![x, y]);
    let got = outcome.columns[0].as_any().downcast_ref::<Float64Array>().unwrap();
    assert_eq!(got, &Float64Array::from(vec![Some(0.5), None, Some(3.0), None]));
    let messages: Vec<_> = outcome.errors.iter().map(|e| (e.row, e.message.as_str())).collect();
    assert_eq!(messages[0], (1, "ValueError: 2.0 of nothing (features.py:18 in ratio)"));
    assert_eq!(messages[1].0, 3);
    assert!(
        messages[1].1.contains("output ratio: expected a float, got None"),
        "{}",
        messages[1].1
    );
}

fn data_and_late_imports_are_there(module: &CompiledModule) {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["cat", "fish", "unknown"]));
    let outcome = call(module, "known", vec![words]);
    assert_eq!(outcome.errors, []);
    let got = outcome.columns[0].as_any().downcast_ref::<BooleanArray>().unwrap();
    assert_eq!(got, &BooleanArray::from(vec![true, false, false]));
}

fn depth_does_not_depend_on_the_batch(module: &CompiledModule) {
    for transform in ["deep", "deeper"] {
        let fails = |n: i64, rows: usize| {
            let n: ArrayRef = Arc::new(Int64Array::from(vec![n; rows]));
            !call(module, transform, vec![n]).errors.is_empty()
        };
        let deepest = |rows| (900..1000).find(|&n| fails(n, rows)).expect("a limit of 1000");
        assert_eq!(deepest(1), deepest(5), "{transform}");
    }
}

fn states_fold(module: &CompiledModule) {
    let x: ArrayRef =
        Arc::new(Float64Array::from(vec![Some(1e308), Some(-1.0), Some(0.5), None, Some(1e308)]));
    let groups = UInt32Array::from(vec![0, 0, 1, 1, 0]);
    let Fold { states, row_errors, .. } = module.partial(0, &batch(vec![x]), &groups, 3).unwrap();
    assert_eq!(row_errors.len(), 1);
    assert!(row_errors[0].message.starts_with("ValueError: negative (features.py:"));
    let finished = |states: &BinaryArray| {
        let outcome = module.finish(0, states).unwrap();
        assert_eq!(outcome.errors, []);
        outcome.columns[0].as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec()
    };
    assert_eq!(finished(&states), [f64::INFINITY, 0.5, 0.0]);
    let merged = module.merge(0, &states, &states).unwrap();
    let merged = merged.columns[0].as_any().downcast_ref::<BinaryArray>().unwrap().clone();
    assert_eq!(finished(&merged), [f64::INFINITY, 1.0, 0.0]);
    let back = module.subtract(0, &merged, &states).unwrap();
    assert_eq!(back.columns[0].as_any().downcast_ref::<BinaryArray>().unwrap(), &states);
}

fn import_error(files: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), "[tool.unskew]\nmodule = \"features\"\n", files);
    match build(dir.path(), &options()) {
        Err(error @ BuildError::Import { .. }) => {
            assert!(error.is_users());
            error.to_string()
        }
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was built"),
    }
}

#[test]
fn code_that_cannot_be_imported_is_shown_as_the_user_knows_it() {
    let no_noise = |message: &str| {
        for noise in ["wasm backtrace", "componentize", "/0/", "site-packages", "AssertionError"] {
            assert!(!message.contains(noise), "{noise}: {message}");
        }
    };
    let message = import_error(&[("features.py", "import unskew\n\ndef f(:\n    pass\n")]);
    assert!(message.contains("features.py:3: SyntaxError: "), "{message}");
    assert!(message.contains("def f(:"), "{message}");
    no_noise(&message);

    let hint = "from unskew import transform\n\n@transform\ndef f(x: dict[str, int]) -> int:\n    return 1\n";
    let message = import_error(&[("features.py", hint)]);
    assert!(message.contains("features.py:3: transform f: argument x: the type hint `dict[str, int]` is not supported"), "{message}");
    no_noise(&message);

    let message = import_error(&[
        ("features.py", "import tables\n"),
        ("tables.py", "import time\nDAY = {}\nSTART = time.time()\n"),
    ]);
    assert!(
        message.contains("tables.py:3: AmbientError: time.time() is not available"),
        "{message}"
    );
    assert!(message.contains("called from features.py:1"), "{message}");
    no_noise(&message);
}

#[test]
fn packages_come_from_the_lock_and_native_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let code = "import inflection\nfrom unskew import transform\n\n@transform\ndef plural(word: str) -> str:\n    return inflection.pluralize(word)\n";
    let lock = "inflection==0.5.1 --hash=sha256:f38b2b640938a4f35ade69ac3d053042959b62a0f1076a5bbaa1b9526605a8a2\n";
    project(
        dir.path(),
        "dependencies = [\"inflection\"]\n",
        &[("shop_features.py", code), ("requirements.lock", lock)],
    );
    let module = load(&build(dir.path(), &options()).unwrap().component);
    let outcome = call(&module, "plural", vec![Arc::new(StringArray::from(vec!["mouse"]))]);
    let text = outcome.columns[0].as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!((outcome.errors.len(), text.value(0)), (0, "mice"));

    fs::write(dir.path().join("requirements.lock"), "markupsafe==3.0.2\n").unwrap();
    let error = build(dir.path(), &options()).unwrap_err();
    assert!(
        matches!(&error, BuildError::NativeWheel { package, wheel }
            if package == "markupsafe" && wheel.to_lowercase().starts_with("markupsafe-3.0.2-cp")),
        "{error}"
    );
    fs::write(dir.path().join("requirements.lock"), "inflection==99.9.9\n").unwrap();
    let error = build(dir.path(), &options()).unwrap_err();
    assert!(error.to_string().contains("inflection==99.9.9"), "{error}");
    assert!(error.is_users(), "{error}");
}
