//! What errors of Redis mean.

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

use crate::StoreError;

/// What is to be done about an error in a reply.
pub(super) enum Trouble {
    /// Another server has the key.
    Moved,
    /// Another server, at this address, has this key already.
    Ask(String),
    /// It will pass.
    Later,
    /// The server does not know our scripts.
    NoScript,
    /// It will not pass.
    Final,
}

pub(super) fn trouble(error: &ServerError) -> Trouble {
    match error.kind() {
        Some(ServerErrorKind::Moved | ServerErrorKind::ReadOnly) => Trouble::Moved,
        // "ASK 1234 host:port"
        Some(ServerErrorKind::Ask) => {
            let address = error.details().and_then(|details| details.split(' ').nth(1));
            address.map_or(Trouble::Later, |address| Trouble::Ask(address.to_owned()))
        }
        Some(
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading,
        ) => Trouble::Later,
        Some(ServerErrorKind::NoScript) => Trouble::NoScript,
        _ => Trouble::Final,
    }
}

/// Whether asking again over a new connection may help.
pub(super) fn may_pass(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_io_error() || error.is_timeout()
}

/// What an error in a reply means to the caller.
pub(super) fn server_error(
    place: &str,
    operation: &'static str,
    error: &ServerError,
) -> StoreError {
    coded(place, operation, error.code(), error.details().unwrap_or_default())
}

fn coded(place: &str, operation: &'static str, code: &str, details: &str) -> StoreError {
    let text = format!("{code} {details}");
    let why = text.trim().to_owned();
    let place = place.to_owned();
    let refused = |advice: &str| StoreError::Refused {
        place: place.clone(),
        operation,
        why: format!("{why}. {advice}"),
    };
    match code {
        "OOM" => StoreError::Full { place, why },
        "MISCONF" | "NOREPLICAS" => StoreError::Full { place, why },
        "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "TRYAGAIN" => {
            StoreError::Unreachable { place, why }
        }
        "WRONGTYPE" => StoreError::Corrupted {
            place,
            what: format!(
                "a key of ours holds something else ({why}); another program uses our prefix"
            ),
        },
        "NOAUTH" | "WRONGPASS" => {
            refused("Put user and password into the URL, redis://user:password@host:port")
        }
        "NOPERM" => refused("Give the user the right to read and write keys, and to call scripts"),
        "READONLY" => refused("It is a replica; name the primary in `online_store.url`"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            refused("The server belongs to a cluster; set `online_store.cluster = true`")
        }
        _ if details.contains("cluster support disabled") => {
            refused("The server belongs to no cluster; set `online_store.cluster = false`")
        }
        _ => refused("Look at the server's log"),
    }
}

/// What an error of a connection means to the caller.
pub(super) fn redis_error(place: &str, operation: &'static str, error: &RedisError) -> StoreError {
    let why = error.to_string();
    match error.kind() {
        ErrorKind::Io => StoreError::Unreachable { place: place.into(), why },
        ErrorKind::AuthenticationFailed => coded(place, operation, "NOAUTH", &why),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreError::Unreachable {
            place: place.into(),
            why: format!("what answers there does not speak Redis's protocol: {why}"),
        },
        _ => match error.code() {
            Some(code) => coded(place, operation, code, error.detail().unwrap_or_default()),
            None => StoreError::Unreachable { place: place.into(), why },
        },
    }
}
