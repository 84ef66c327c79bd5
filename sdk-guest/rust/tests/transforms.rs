//! What row and batch transforms answer to a request.

mod bodies;

use bodies::{Columns, all, with_aligned};
use unskew::__private::{Reply, Request, Transform};
use unskew::{Column, Date, Decimal, List, Timestamp, Uint8List};

/// Purchases for each view.
#[unskew::transform]
fn rate(purchases: i64, views: Option<i64>) -> Result<Option<f64>, String> {
    match views {
        Some(0) => Err(format!("{purchases} purchases without a view")),
        views => Ok(views.map(|views| purchases as f64 / views as f64)),
    }
}

#[test]
fn nulls_errors_and_values_go_to_their_rows() {
    let request = Columns::new(4).plain(&all(&[3_i64, 1, 7, 9])).plain(&[
        Some(6_i64),
        None,
        Some(0),
        Some(3),
    ]);
    let mut body = request.call(rate::call);
    assert_eq!(body.rows, 4);
    assert_eq!(body.plain::<f64>(), [Some(0.5), None, None, Some(3.0)]);
    assert_eq!(body.errors(), [(2, "7 purchases without a view".to_owned())]);
}

#[test]
fn a_batch_of_any_length_is_answered() {
    for rows in [0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 1000] {
        let purchases: Vec<i64> = (0..rows).collect();
        let views: Vec<Option<i64>> = (0..rows).map(|i| (i % 3 != 0).then_some(i % 5)).collect();
        let request = Columns::new(rows as usize).plain(&all(&purchases)).plain(&views);
        let mut body = request.call(rate::call);
        let expected: Vec<_> = purchases
            .iter()
            .zip(&views)
            .map(|(p, v)| v.filter(|v| *v != 0).map(|v| *p as f64 / v as f64))
            .collect();
        assert_eq!(body.plain::<f64>(), expected, "{rows} rows");
        let failed = views.iter().filter(|v| **v == Some(0)).count();
        assert_eq!(body.errors().len(), failed, "{rows} rows");
    }
}

#[unskew::transform]
fn is_even(number: u8) -> bool {
    number.is_multiple_of(2)
}

#[test]
fn bools_are_bits() {
    for rows in [0, 1, 64, 200] {
        let numbers: Vec<u8> = (0..rows).collect();
        let mut body = Columns::new(rows as usize).plain(&all(&numbers)).call(is_even::call);
        let expected: Vec<_> = numbers.iter().map(|n| Some(n % 2 == 0)).collect();
        assert_eq!(body.bools(), expected);
    }
}

#[unskew::transform]
fn trimmed(text: Option<&str>) -> Option<&str> {
    text.map(str::trim)
}

#[unskew::transform(outputs = ["joined", "length"])]
fn joined(first: String, second: &[u8]) -> (String, u64) {
    (first + "+", second.len() as u64)
}

#[test]
fn text_goes_in_and_out() {
    let texts = [Some(" é "), None, Some(""), Some("b")];
    let mut body = Columns::new(4).binary(&texts).call(trimmed::call);
    let expected = [Some("é"), None, Some(""), Some("b")].map(|t| t.map(str::to_owned));
    assert_eq!(body.texts(), expected);

    let request = Columns::new(2).binary(&all(&["a", ""])).binary(&all(&[&b"\xff\x00"[..], b""]));
    let mut body = request.call(joined::call);
    assert_eq!(body.texts(), [Some("a+".to_owned()), Some("+".to_owned())]);
    assert_eq!(body.plain::<u64>(), [Some(2), Some(0)]);
    assert!(body.errors().is_empty());

    let mut nothing = Columns::new(0).binary::<&str>(&[]).call(trimmed::call);
    assert_eq!(nothing.texts(), []);
}

#[derive(unskew::Struct)]
struct Visit<'a> {
    page: &'a str,
    #[unskew(name = "seconds")]
    length: Option<i32>,
    at: Timestamp,
}

#[unskew::transform]
fn longer(visit: Option<Visit<'_>>) -> Option<Visit<'_>> {
    let visit = visit?;
    let length = visit.length.map(|l| l + 1);
    Some(Visit { length, ..visit })
}

#[test]
fn structs_are_columns_of_their_fields() {
    let request = Columns::new(3)
        .node(&[Some(()), None, Some(())])
        .binary(&all(&["a", "", "b"]))
        .plain(&[Some(1_i32), None, None])
        .plain(&all(&[5_i64, 0, -1]));
    let mut body = request.call(longer::call);
    assert_eq!(body.node(), (3, vec![true, false, true]));
    assert_eq!(body.texts(), ["a", "", "b"].map(|t| Some(t.to_owned())));
    assert_eq!(body.plain::<i32>(), [Some(2), None, None]);
    assert_eq!(body.plain::<i64>(), [Some(5), Some(0), Some(-1)]);
}

#[derive(unskew::Outputs)]
struct Lists<'a> {
    texts: Vec<Option<&'a str>>,
    sum: Option<i64>,
    bits: Vec<bool>,
    bytes: Uint8List,
    slice: &'a [i64],
}

#[unskew::transform]
fn lists<'a>(texts: List<'a, Option<&'a str>>, numbers: &'a [i64], bytes: Uint8List) -> Lists<'a> {
    Lists {
        texts: texts.iter().rev().collect(),
        sum: numbers.iter().copied().reduce(|a, b| a + b),
        bits: numbers.iter().map(|n| *n > 0).collect(),
        bytes,
        slice: numbers,
    }
}

#[test]
fn lists_go_in_and_out() {
    let request = Columns::new(3)
        .node(&all(&[(); 3]))
        .offsets([2, 0, 1].into_iter())
        .binary(&[Some("a"), None, Some("é")])
        .node(&all(&[(); 3]))
        .offsets([0, 2, 1].into_iter())
        .plain(&all(&[4_i64, -5, 6]))
        .node(&all(&[(); 3]))
        .offsets([1, 1, 0].into_iter())
        .plain(&all(&[7_u8, 255]));
    let mut body = request.call(lists::call);
    assert_eq!(body.node().0, 3);
    assert_eq!(body.offsets(3), [0, 2, 2, 3]);
    assert_eq!(body.texts(), [None, Some("a".to_owned()), Some("é".to_owned())]);
    assert_eq!(body.plain::<i64>(), [None, Some(-1), Some(6)]);
    assert_eq!(body.node().0, 3);
    assert_eq!(body.offsets(3), [0, 0, 2, 3]);
    assert_eq!(body.bools(), [Some(true), Some(false), Some(true)]);
    assert_eq!(body.node().0, 3);
    assert_eq!(body.offsets(3), [0, 1, 2, 2]);
    assert_eq!(body.plain::<u8>(), [Some(7), Some(255)]);
    assert_eq!(body.node().0, 3);
    assert_eq!(body.offsets(3), [0, 0, 2, 3]);
    assert_eq!(body.plain::<i64>(), [Some(4), Some(-5), Some(6)]);
    assert!(body.errors().is_empty());
}

#[unskew::transform(outputs = ["doubled", "day", "price"])]
fn others(
    embedding: &[f32; 3],
    moment: Timestamp,
    price: Option<Decimal<10, 2>>,
) -> (Option<[f32; 3]>, Date, Option<Decimal<11, 2>>) {
    let doubled = (embedding[0] >= 0.0).then(|| embedding.map(|x| x * 2.0));
    (doubled, moment.date(), price.and_then(|price| Decimal::new(price.units() * 10)))
}

#[test]
fn embeddings_times_and_decimals_go_in_and_out() {
    let request = Columns::new(2)
        .node(&all(&[(); 2]))
        .plain(&all(&[1_f32, 2.0, 3.0, -1.0, 0.0, 0.0]))
        .plain(&all(&[-1_i64, 86_400_000_000]))
        .plain(&[Some(12_50_i128), None]);
    let mut body = request.call(others::call);
    assert_eq!(body.node(), (2, vec![true, false]));
    assert_eq!(body.plain::<f32>()[..3], [Some(2.0), Some(4.0), Some(6.0)]);
    assert_eq!(body.plain::<i32>(), [Some(-1), Some(1)]);
    assert_eq!(body.plain::<i128>(), [Some(12_500), None]);
}

#[unskew::transform(batch)]
fn scaled(x: Column<'_, f64>, by: Column<'_, Option<f64>>) -> Vec<Result<Option<f64>, String>> {
    assert_eq!(x.len(), by.values().len());
    x.values()
        .iter()
        .zip(by.iter())
        .map(|(x, by)| match by {
            Some(0.0) => Err("by nothing".to_owned()),
            by => Ok(by.map(|by| x * by)),
        })
        .collect()
}

#[unskew::transform(batch, outputs = ["length", "first"])]
fn measured(text: Column<'_, &str>) -> (Vec<u32>, Vec<Option<&str>>) {
    text.iter().map(|t| (t.len() as u32, t.get(..1))).unzip()
}

#[unskew::transform(batch)]
fn too_short(x: Column<'_, f64>) -> Vec<f64> {
    x.iter().skip(1).collect()
}

#[test]
fn batches_are_views_of_whole_columns() {
    let request =
        Columns::new(3).plain(&all(&[1.0, 2.0, 3.0])).plain(&[Some(2.0), None, Some(0.0)]);
    let mut body = request.call(scaled::call);
    assert_eq!(body.plain::<f64>(), [Some(2.0), None, None]);
    assert_eq!(body.errors(), [(2, "by nothing".to_owned())]);

    let mut body = Columns::new(2).binary(&all(&["ab", ""])).call(measured::call);
    assert_eq!(body.plain::<u32>(), [Some(2), Some(0)]);
    assert_eq!(body.texts(), [Some("a".to_owned()), None]);
}

#[test]
#[should_panic(expected = "`too_short` returned 1 values for 2 rows")]
fn a_batch_of_another_length_panics() {
    Columns::new(2).plain(&all(&[1.0, 2.0])).call(too_short::call);
}

#[test]
fn decorated_functions_are_functions() {
    assert_eq!(rate(1, Some(4)), Ok(Some(0.25)));
    assert_eq!(trimmed(Some(" a")), Some("a"));
}

/// Bytes that no host sends must panic, whatever they are, and never read
/// outside of the body.
#[test]
fn malformed_bodies_panic() {
    let good = Columns::new(2).plain(&all(&[1_i64, 2])).plain(&[Some(3_i64), None]).bytes();
    let call = |bytes: &[u8]| {
        with_aligned(bytes, |bytes| {
            std::panic::catch_unwind(|| {
                rate::call(&mut Request::new(bytes), &mut Reply::new());
            })
        })
    };
    assert!(call(&good).is_ok());
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut survived = Vec::new();
    for length in 0..good.len() {
        if call(&good[..length]).is_ok() {
            survived.push(length);
        }
    }
    // Any byte of the header and the table turned: either it is refused, or
    // it is read within bounds (as another offset within the body is).
    for at in 0..16 + 8 * 6 {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        let _ = call(&bad);
    }
    std::panic::set_hook(quiet);
    assert_eq!(survived, Vec::<usize>::new(), "bodies cut to these lengths were taken");
}

unskew::module!(
    name = "tests",
    transforms = [
        rate, is_even, trimmed, joined, longer, lists, others, scaled, measured, too_short,
        golden_xy
    ]
);

#[unskew::transform(output = "z")]
fn golden_xy(x: f64, y: Option<i32>) -> Result<Option<f64>, &'static str> {
    if x < 0.0 { Err("negative") } else { Ok(y.map(|y| x + f64::from(y))) }
}

/// The bytes themselves, so that a change of layout is seen even where
/// writer and reader change alike.
#[test]
fn the_layout_is_the_published_one() {
    let request =
        Columns::new(3).plain(&all(&[0.5, -1.0, 2.0])).plain(&[Some(1_i32), Some(2), None]);
    let mut reply = Reply::new();
    with_aligned(&request.bytes(), |bytes| {
        golden_xy::call(&mut Request::new(bytes), &mut reply);
    });
    let hex = |bytes: &[u8]| {
        let lines = bytes
            .chunks(16)
            .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
        lines.collect::<String>()
    };
    assert_eq!(hex(&request.bytes()), include_str!("golden/request.hex"));
    assert_eq!(hex(reply.as_bytes()), include_str!("golden/reply.hex"));
}

/// `UNSKEW_BLESS=1 cargo test -p unskew` writes the golden file anew.
#[test]
fn the_manifest_is_made_from_the_code() {
    let manifest = unskew_manifest().replace("{\"name\"", "\n{\"name\"") + "\n";
    if std::env::var_os("UNSKEW_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/manifest.json");
        std::fs::write(path, &manifest).unwrap();
        return;
    }
    assert_eq!(manifest, include_str!("golden/manifest.json"));
}
