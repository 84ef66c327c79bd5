//! Servers end with whoever started them, and not before.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use unskew_test_servers::{RedisServer, StallingProxy};

const FILE: &str = "UNSKEW_TEST_SERVERS_PORT_FILE";
const LOOKS: usize = 1_000;

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_dropped_server_is_gone() {
    let mut server = RedisServer::start();
    let port = server.port();
    server.command::<()>(&["SET", "a", "b"]);
    assert_eq!(server.command::<String>(&["GET", "a"]), "b");
    server.reset_counts();
    server.command::<()>(&["SET", "a", "c"]);
    assert_eq!(server.counts(), [("set".to_owned(), 1)]);
    server.restart();
    assert_eq!(server.command::<Option<String>>(&["GET", "a"]), None, "it keeps nothing");
    drop(server);
    assert!(!answers(port));
}

#[test]
fn a_thread_that_ends_takes_no_server_with_it() {
    let server = std::thread::spawn(RedisServer::start_persistent).join().unwrap();
    server.command::<()>(&["SET", "a", "b"]);
    let proxy = StallingProxy::start(server.port());
    let client = redis::Client::open(proxy.redis_url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let value: String = redis::cmd("GET").arg("a").query(&mut connection).unwrap();
    assert_eq!((value.as_str(), proxy.connections()), ("b", 1));
}

#[test]
#[ignore = "the process of a_server_ends_with_a_process_that_dies"]
fn child_starts_a_server_and_dies() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let server = RedisServer::start();
    std::fs::write(file, server.port().to_string()).unwrap();
    std::process::abort();
}

#[test]
fn a_server_ends_with_a_process_that_dies() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("port");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_starts_a_server_and_dies", "--ignored"]).env(FILE, &file);
    child.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(!child.status().unwrap().success());
    let port = std::fs::read_to_string(file).unwrap().parse().unwrap();
    for _ in 0..LOOKS {
        if !answers(port) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server at port {port} outlived its process");
}
