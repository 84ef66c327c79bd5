//! What every offline store must do, in a folder and in an S3-compatible bucket: the conformance suite of `OfflineStore`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use unskew_store::{
    Date, OfflineFile, OfflineStore, OfflineStoreSettings, StoreError, TableId, open_offline_store,
};
use unskew_test_servers::{S3Server, StallingProxy};

fn batch(values: std::ops::Range<i64>) -> RecordBatch {
    let times = TimestampMicrosecondArray::from_iter_values(values.clone()).with_timezone("UTC");
    let texts =
        StringArray::from_iter(values.clone().map(|n| (n % 3 != 0).then(|| format!("text {n}"))));
    let columns: [(&str, ArrayRef); 3] = [
        ("event_timestamp", Arc::new(times)),
        ("text", Arc::new(texts)),
        ("value", Arc::new(Int64Array::from_iter_values(values))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn table(name: &str) -> TableId {
    TableId::new(name).unwrap()
}

async fn rows(store: &dyn OfflineStore, files: &[OfflineFile]) -> Vec<RecordBatch> {
    let mut rows = Vec::new();
    for file in files {
        rows.extend(store.read(file).await.unwrap());
    }
    rows
}

async fn conforms(store: &dyn OfflineStore, again: &dyn OfflineStore) {
    let everything = Date::MIN..=Date::MAX;
    let (one, other) = (table("user_orders@1"), table("user_orders@11"));
    store.check().await.unwrap();
    assert_eq!(store.list(&one, everything.clone()).await.unwrap(), []);
    // Slices of three days, and of another table whose name begins alike.
    for day in [0, 1, 400] {
        let slice =
            store.write_slice(&one, Date(day), "slice-1", &[batch(0..10), batch(10..12)]).await;
        let file = slice.unwrap().unwrap();
        assert_eq!((file.date, file.name.as_str()), (Date(day), "slice-1"));
        assert!(
            file.place
                .ends_with(&format!("view=user_orders@1/date={}/part-slice-1.parquet", Date(day))),
            "{}",
            file.place
        );
    }
    store.write_slice(&other, Date(0), "slice-1", &[batch(0..1)]).await.unwrap();
    let files = again.list(&one, everything.clone()).await.unwrap();
    assert_eq!(files.iter().map(|file| file.date.0).collect::<Vec<_>>(), [0, 1, 400]);
    assert_eq!(again.list(&one, Date(1)..=Date(399)).await.unwrap(), files[1..2]);
    assert_eq!(again.list(&one, Date(2)..=Date(399)).await.unwrap(), []);
    let schema = batch(0..1).schema();
    let whole = |batches: &[RecordBatch]| arrow::compute::concat_batches(&schema, batches).unwrap();
    assert_eq!(whole(&rows(again, &files[..1]).await), batch(0..12));
    // A slice takes the place of what it held; its neighbours stay.
    store.write_slice(&one, Date(1), "slice-2", &[batch(50..55)]).await.unwrap();
    store.write_slice(&one, Date(1), "slice-1", &[batch(7..9)]).await.unwrap();
    let day = again.list(&one, Date(1)..=Date(1)).await.unwrap();
    assert_eq!(
        day.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        ["slice-1", "slice-2"]
    );
    assert_eq!(whole(&rows(again, &day).await), whole(&[batch(7..9), batch(50..55)]));
    // The same rows are the same bytes.
    let length = day[0].bytes;
    let file = store.write_slice(&one, Date(1), "slice-1", &[batch(7..9)]).await.unwrap().unwrap();
    assert_eq!(file.bytes, length);
    // No rows leave no file.
    assert_eq!(store.write_slice(&one, Date(1), "slice-1", &[batch(0..0)]).await.unwrap(), None);
    assert_eq!(store.write_slice(&one, Date(1), "slice-1", &[]).await.unwrap(), None);
    assert_eq!(again.list(&one, Date(1)..=Date(1)).await.unwrap(), day[1..]);
    // An append is done once.
    for values in [0..4, 100..104] {
        let file =
            store.append(&one, Date(9), "request-7", &[batch(values)]).await.unwrap().unwrap();
        assert_eq!(file.name, "request-7");
    }
    let file = store.append(&one, Date(9), "request-8", &[batch(4..6)]).await.unwrap().unwrap();
    let day = again.list(&one, Date(9)..=Date(9)).await.unwrap();
    assert_eq!(whole(&rows(again, &day).await), batch(0..6));
    store.remove(&file).await.unwrap();
    store.remove(&file).await.unwrap();
    assert_eq!(again.list(&one, Date(9)..=Date(9)).await.unwrap(), day[..1]);
    let error = store.read(&file).await.unwrap_err();
    assert!(error.to_string().contains("request-8"), "{error}");
    // Many rows, in many row groups.
    store
        .write_slice(&one, Date(30), "large", &[batch(0..200_000), batch(200_000..300_000)])
        .await
        .unwrap();
    let large = again.list(&one, Date(30)..=Date(30)).await.unwrap();
    assert_eq!(whole(&rows(again, &large).await), batch(0..300_000));
    // Writers at a time: a reader sees one of them, whole.
    let writes = (0..16i64).map(|n| {
        let one = &one;
        async move { store.write_slice(one, Date(31), "hot", &[batch(n..n + 1_000)]).await.unwrap() }
    });
    futures::future::join_all(writes).await;
    let hot = again.list(&one, Date(31)..=Date(31)).await.unwrap();
    assert_eq!((hot.len(), whole(&rows(again, &hot).await).num_rows()), (1, 1_000));
    for name in ["", "a/b", "..", "a b", "ä", &"x".repeat(201)] {
        let result = store.write_slice(&one, Date(1), name, &[batch(0..1)]).await;
        if name != ".." {
            assert!(matches!(result, Err(StoreError::Invalid { .. })), "{name}");
        }
    }
    assert_eq!(again.list(&other, everything).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/offline");
    let open = |url: String| open_offline_store(&OfflineStoreSettings::new(url)).unwrap();
    let store = open(path.display().to_string());
    let again = open(format!("file://{}", path.display()));
    conforms(&*store, &*again).await;
}

fn s3(server: &S3Server, url: &str) -> OfflineStoreSettings {
    OfflineStoreSettings {
        endpoint: Some(server.endpoint()),
        region: Some(S3Server::REGION.into()),
        credentials: Some((S3Server::KEY.into(), S3Server::KEY.into())),
        ..OfflineStoreSettings::new(url)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_compatible_bucket_conforms() {
    let server = S3Server::start();
    server.create_bucket("features");
    for url in ["s3://features", "s3://features/some/prefix/"] {
        let open = || open_offline_store(&s3(&server, url)).unwrap();
        conforms(&*open(), &*open()).await;
    }
    let missing = open_offline_store(&s3(&server, "s3://no-such-bucket/x")).unwrap();
    let error = missing.write_slice(&table("v@1"), Date(0), "a", &[batch(0..1)]).await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_or_stalls_is_named() {
    let proxy = StallingProxy::start(1);
    let port = proxy.port();
    drop(proxy);
    let mut settings = OfflineStoreSettings {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("r".into()),
        credentials: Some(("key".into(), "a secret".into())),
        timeout: Duration::from_millis(700),
        ..OfflineStoreSettings::new("s3://bucket/prefix")
    };
    assert!(!format!("{settings:?}").contains("a secret"));
    let store = open_offline_store(&settings).unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("s3://bucket/prefix"), "{error}");
    // It takes the request and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    settings.endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
    let error = open_offline_store(&settings).unwrap().check().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn urls_that_name_nothing_are_refused() {
    for url in ["", "s3://", "s3:///key", "gopher://x/y", "http://host/bucket", "s3://[bad"] {
        let error = open_offline_store(&OfflineStoreSettings::new(url)).unwrap_err().to_string();
        assert!(error.contains("s3://bucket/prefix"), "{url}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let below = OfflineStoreSettings::new(file.join("below").display().to_string());
    let error = open_offline_store(&below).unwrap_err().to_string();
    assert!(error.contains("Is it a folder"), "{error}");
}

#[tokio::test]
async fn what_is_not_ours_is_not_listed_and_what_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = OfflineStoreSettings::new(folder.path().display().to_string());
    let store = open_offline_store(&settings).unwrap();
    let v = table("v@1");
    let file = store.write_slice(&v, Date(0), "a", &[batch(0..100)]).await.unwrap().unwrap();
    let day = Path::new(&file.place).parent().unwrap();
    // What a killed writer, an editor or a user may leave.
    for name in
        ["part-b.parquet#1", "part-b.parquet.tmp", "_SUCCESS", ".part-c.parquet", "b.parquet"]
    {
        std::fs::write(day.join(name), "x").unwrap();
    }
    for deep in ["date=2020-02-30", "date=x", "deeper/date=1970-01-01", "date=1970-01-01/deeper"] {
        let deep = folder.path().join("view=v@1").join(deep);
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("part-d.parquet"), "x").unwrap();
    }
    assert_eq!(store.list(&v, Date::MIN..=Date::MAX).await.unwrap(), std::slice::from_ref(&file));
    let bytes = std::fs::read(&file.place).unwrap();
    for damaged in [
        &bytes[..bytes.len() / 2],
        b"",
        b"no parquet",
        &[&bytes[..40], &[0; 300], &bytes[340..]].concat(),
    ] {
        std::fs::write(&file.place, damaged).unwrap();
        let error = store.read(&file).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
        assert!(error.to_string().contains("part-a.parquet"), "{error}");
    }
}
