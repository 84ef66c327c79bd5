//! Writing much to one server: plain commands, encoded straight into a buffer, whose answers are only counted.
//!
//! A backfill is as quick as the server takes commands, so what each costs here matters. Whatever is not as usual (an error, a cluster, a socket that
//! is no TCP) is left to the general way, which says the same commands again and tells what is wrong: they are harmless to say twice.

use std::io;

use redis::{ConnectionAddr, ConnectionInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::layout;
use crate::{PartKind, Record};

const READ_BYTES: usize = 16 << 10;

/// Connections that carry one batch at a time.
#[derive(Debug)]
pub(super) struct BulkLanes {
    lanes: Vec<Mutex<Option<TcpStream>>>,
}

/// Commands in the form that servers read.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// How many parts each command writes.
    parts: Vec<u64>,
    member: Vec<u8>,
}

/// What came back for a batch.
pub(super) struct Outcome {
    /// Parts that are new.
    pub written: u64,
    /// Parts that were there.
    pub unchanged: u64,
    /// The state of the table behind them; none where it is new.
    pub state: Option<Vec<u8>>,
}

/// An answer, as far as it matters here.
enum Reply<'a> {
    Number(u64),
    Bytes(Option<&'a [u8]>),
}

impl Batch {
    /// Adds what writes a record to the generation with this prefix.
    pub(super) fn push(&mut self, prefix: &[u8], record: &Record) {
        let Record { entity, parts, drop_rows_below } = record;
        for (kind, name, end) in
            [(PartKind::Row, &b"ZADD"[..], &b"}r"[..]), (PartKind::Tile, &b"HSET"[..], &b"}t"[..])]
        {
            let of_kind = || parts.iter().filter(|part| part.kind == kind);
            let count = of_kind().count();
            if count == 0 {
                continue;
            }
            self.parts.push(count as u64);
            self.count(b'*', 2 + 2 * count);
            self.word(&[name]);
            self.word(&[prefix, entity, end]);
            for part in of_kind() {
                let version = part.version.to_bytes();
                match kind {
                    PartKind::Row => {
                        let mut member = std::mem::take(&mut self.member);
                        member.clear();
                        layout::push_escaped(&mut member, &part.name);
                        self.word(&[b"0"]);
                        self.word(&[&member, &[0, 0], &version, &part.value]);
                        self.member = member;
                    }
                    PartKind::Tile => {
                        self.word(&[&part.name]);
                        self.word(&[&version, &part.value]);
                    }
                }
            }
        }
        if let Some(below) = drop_rows_below {
            self.parts.push(0);
            self.count(b'*', 4);
            self.word(&[b"ZREMRANGEBYLEX"]);
            self.word(&[prefix, entity, b"}r"]);
            self.word(&[b"-"]);
            self.word(&[&layout::bound(b'(', below)]);
        }
    }

    /// Ends the batch with the question for a table's state.
    pub(super) fn ask_state(&mut self, key: &[u8]) {
        self.count(b'*', 2);
        self.word(&[b"GET"]);
        self.word(&[key]);
    }

    fn count(&mut self, mark: u8, number: usize) {
        self.bytes.push(mark);
        self.bytes.extend(itoa::Buffer::new().format(number).as_bytes());
        self.bytes.extend(b"\r\n");
    }

    /// One argument, of several pieces.
    fn word(&mut self, pieces: &[&[u8]]) {
        self.count(b'$', pieces.iter().map(|piece| piece.len()).sum());
        pieces.iter().for_each(|piece| self.bytes.extend(*piece));
        self.bytes.extend(b"\r\n");
    }
}

impl BulkLanes {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| Mutex::new(None)).collect() }
    }

    /// Sends a batch and reads its answers; nothing where anything is not as usual. Bounded by the caller's deadline.
    pub(super) async fn send(&self, info: &ConnectionInfo, batch: &Batch) -> Option<Outcome> {
        let mut lane = None;
        for candidate in &self.lanes {
            if let Ok(free) = candidate.try_lock() {
                lane = Some(free);
                break;
            }
        }
        // More batches than lanes is more than this way is for.
        let mut lane = lane?;
        // Taken out: what is given up in the middle is never used again.
        let mut stream = match lane.take() {
            Some(stream) => stream,
            None => connect(info).await.ok()??,
        };
        let outcome = exchange(&mut stream, batch).await.ok()??;
        *lane = Some(stream);
        Some(outcome)
    }
}

/// A connection that is logged in; none where that takes more than a word.
async fn connect(info: &ConnectionInfo) -> io::Result<Option<TcpStream>> {
    let ConnectionAddr::Tcp(host, port) = info.addr() else { return Ok(None) };
    let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
    stream.set_nodelay(true)?;
    let settings = info.redis_settings();
    let mut hello = Batch::default();
    let mut answers = 0;
    if let Some(password) = settings.password() {
        let user = settings.username();
        hello.count(b'*', 2 + usize::from(user.is_some()));
        hello.word(&[b"AUTH"]);
        user.iter().for_each(|user| hello.word(&[user.as_bytes()]));
        hello.word(&[password.as_bytes()]);
        answers += 1;
    }
    if settings.db() != 0 {
        hello.count(b'*', 2);
        hello.word(&[b"SELECT"]);
        hello.word(&[settings.db().to_string().as_bytes()]);
        answers += 1;
    }
    stream.write_all(&hello.bytes).await?;
    let mut expected = vec![0; answers * b"+OK\r\n".len()];
    stream.read_exact(&mut expected).await?;
    Ok((expected == b"+OK\r\n".repeat(answers)).then_some(stream))
}

async fn exchange(stream: &mut TcpStream, batch: &Batch) -> io::Result<Option<Outcome>> {
    // The answers are a few bytes each and fit what the system holds, so they need not be read meanwhile.
    stream.write_all(&batch.bytes).await?;
    let mut outcome = Outcome { written: 0, unchanged: 0, state: None };
    let (mut buffer, mut at, mut read) = (Vec::with_capacity(READ_BYTES), 0, 0);
    loop {
        match parse(&buffer[at..]) {
            Parsed::Whole(Reply::Number(new), length) if read < batch.parts.len() => {
                let parts = batch.parts[read];
                let new = new.min(parts);
                outcome.written += new;
                outcome.unchanged += parts - new;
                at += length;
                read += 1;
            }
            Parsed::Whole(Reply::Bytes(state), length) if read == batch.parts.len() => {
                let last = at + length == buffer.len();
                outcome.state = state.map(<[u8]>::to_vec);
                return Ok(last.then_some(outcome));
            }
            Parsed::Whole(..) | Parsed::Unusual => return Ok(None),
            Parsed::Cut => {
                buffer.drain(..at);
                at = 0;
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(None);
                }
            }
        }
    }
}

enum Parsed<'a> {
    /// An answer, and how long it is.
    Whole(Reply<'a>, usize),
    /// The beginning of one.
    Cut,
    /// An error, or something that no command of ours is answered by.
    Unusual,
}

fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > 64 { Parsed::Unusual } else { Parsed::Cut };
    };
    let number = |line: &[u8]| {
        let digits = line.strip_suffix(b"\r")?;
        std::str::from_utf8(digits).ok()?.parse::<i64>().ok()
    };
    match (bytes[0], number(&bytes[1.min(end)..end])) {
        (b':', Some(number @ 0..)) => Parsed::Whole(Reply::Number(number.cast_unsigned()), end + 1),
        (b'$', Some(-1)) => Parsed::Whole(Reply::Bytes(None), end + 1),
        (b'$', Some(length @ 0..=0xff_ffff)) => {
            let (start, length) = (end + 1, length as usize);
            match bytes.get(start..start + length + 2) {
                Some(whole) if whole.ends_with(b"\r\n") => {
                    Parsed::Whole(Reply::Bytes(Some(&whole[..length])), start + length + 2)
                }
                Some(_) => Parsed::Unusual,
                None => Parsed::Cut,
            }
        }
        _ => Parsed::Unusual,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{Part, PartVersion};

    #[test]
    fn a_batch_is_what_servers_read() {
        let part = |kind, name: &'static [u8], value: &'static [u8]| Part {
            kind,
            name: Bytes::from_static(name),
            version: PartVersion::default(),
            value: Bytes::from_static(value),
        };
        let record = Record {
            entity: Bytes::from_static(b"e"),
            parts: vec![part(PartKind::Tile, b"t", b"12"), part(PartKind::Row, b"r\0", b"")],
            drop_rows_below: Some(Bytes::from_static(b"q")),
        };
        let mut batch = Batch::default();
        batch.push(b"p/", &record);
        batch.ask_state(b"state");
        let version = PartVersion::default().to_bytes();
        let expected = [
            &b"*4\r\n$4\r\nZADD\r\n$5\r\np/e}r\r\n$1\r\n0\r\n$29\r\nr\0\xff\0\0"[..],
            &version,
            b"\r\n*4\r\n$4\r\nHSET\r\n$5\r\np/e}t\r\n$1\r\nt\r\n$26\r\n",
            &version,
            b"12\r\n*4\r\n$14\r\nZREMRANGEBYLEX\r\n$5\r\np/e}r\r\n$1\r\n-\r\n$2\r\n(q\r\n",
            b"*2\r\n$3\r\nGET\r\n$5\r\nstate\r\n",
        ];
        assert_eq!(batch.bytes, expected.concat());
        assert_eq!(batch.parts, [1, 1, 0]);
    }

    #[test]
    fn answers_are_read_whole_or_waited_for() {
        let whole = b"$5\r\na\r\nb\n\r\n";
        for end in 0..whole.len() {
            assert!(matches!(parse(&whole[..end]), Parsed::Cut), "{end}");
        }
        assert!(matches!(parse(whole), Parsed::Whole(Reply::Bytes(Some(b"a\r\nb\n")), 11)));
        assert!(matches!(parse(b":12\r\n:"), Parsed::Whole(Reply::Number(12), 5)));
        assert!(matches!(parse(b"$-1\r\n"), Parsed::Whole(Reply::Bytes(None), 5)));
        for unusual in [
            &b"-OOM no\r\n"[..],
            b"+OK\r\n",
            b"\r\n",
            b"\n",
            b":-1\r\n",
            b":x\r\n",
            b"$99999999999\r\n",
            b"$1\r\nabcd",
        ] {
            assert!(matches!(parse(unusual), Parsed::Unusual), "{unusual:?}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
