//! Talking to one server without ceremony: commands encoded straight into a buffer, and answers that are pieces of the buffer they came in.
//!
//! What is asked most (reads for requests, writes of backfills and pushes) costs little more than the bytes themselves this way. Each connection has one
//! batch on its way at a time. Whatever is not as usual (an error, a cluster, a socket that is no TCP, too many at a time) is left to the general way,
//! which says the same commands again and tells what is wrong: they are harmless to say twice.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};

use super::request::Request;

const READ_BYTES: usize = 16 << 10;
/// The answers to this many bytes of commands fit what the system holds of them, so they need not be read meanwhile.
const WRITE_BYTES: usize = 512 << 10;

/// Commands in the form that servers read.
#[derive(Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    count: usize,
}

/// What a server said, array by array and item by item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Number(i64),
    Bytes(Bytes),
    Nil,
    /// So many items follow.
    Array(usize),
}

impl Commands {
    /// None, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), count: 0 }
    }

    /// Begins a command of this many words, its name among them.
    pub(super) fn begin(&mut self, words: usize, name: &[u8]) {
        self.count += 1;
        self.number(b'*', words);
        self.word(&[name]);
    }

    /// One word, of several pieces.
    pub(super) fn word(&mut self, pieces: &[&[u8]]) {
        self.number(b'$', pieces.iter().map(|piece| piece.len()).sum());
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, mark: u8, number: usize) {
        // Nearly all are of one digit or two.
        let (tens, ones) = (b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8);
        match number {
            0..10 => self.bytes.extend_from_slice(&[mark, ones, b'\r', b'\n']),
            10..100 => self.bytes.extend_from_slice(&[mark, tens, ones, b'\r', b'\n']),
            _ => {
                self.bytes.push(mark);
                self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The same for the general way.
    pub(super) fn requests(&self) -> Vec<Request> {
        let mut requests = Vec::with_capacity(self.count);
        let mut at = 0;
        while let Parsed::Whole(Token::Array(words), end) = token(&self.bytes, at) {
            at = end;
            let mut command = redis::Cmd::new();
            for _ in 0..words {
                let Parsed::Whole(Token::Bytes(word), end) = token(&self.bytes, at) else { break };
                command.arg(&self.bytes[word]);
                at = end;
            }
            requests.push(Request::of(command));
        }
        requests
    }
}

/// The general way's answers in the form of the quick one's; `None` if there is one that nothing of ours is answered by.
pub(super) fn replies_of(values: Vec<redis::Value>) -> Option<Vec<Reply>> {
    let mut replies = Vec::with_capacity(values.len());
    for value in values {
        match value {
            redis::Value::Nil => replies.push(Reply::Nil),
            redis::Value::Int(number) => replies.push(Reply::Number(number)),
            redis::Value::BulkString(bytes) => replies.push(Reply::Bytes(bytes.into())),
            redis::Value::Array(items) => {
                replies.push(Reply::Array(items.len()));
                replies.extend(replies_of(items)?);
            }
            _ => return None,
        }
    }
    Some(replies)
}

/// Connections that carry one batch at a time, made as they are needed.
#[derive(Debug)]
pub(super) struct QuickLanes {
    /// Those that carry none, each with the runtime that it was made in: only there its answers wake nobody else.
    idle: Mutex<Vec<(Id, TcpStream)>>,
    /// How many there are, and may be.
    open: AtomicUsize,
    most: usize,
}

/// One connection in use; closed if it is dropped.
struct Lane<'a> {
    lanes: &'a QuickLanes,
    stream: Option<TcpStream>,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if self.stream.is_some() {
            self.lanes.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl QuickLanes {
    pub(super) fn new(most: usize) -> Self {
        Self { idle: Mutex::default(), open: AtomicUsize::new(0), most }
    }

    /// Sends commands and reads their answers; nothing where anything is not as usual. Bounded by the caller's deadline.
    pub(super) async fn send(
        &self,
        info: &ConnectionInfo,
        commands: &Commands,
    ) -> Option<Vec<Reply>> {
        let runtime = Handle::current().id();
        let mut lane = self.lane(runtime, info).await?;
        // Left in the lane while it is used: what is given up in the middle is closed.
        let replies = exchange(lane.stream.as_mut()?, commands).await.ok()??;
        let stream = lane.stream.take()?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((runtime, stream));
        Some(replies)
    }

    async fn lane(&self, runtime: Id, info: &ConnectionInfo) -> Option<Lane<'_>> {
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = idle.iter().rposition(|(of, _)| *of == runtime) {
                let (_, stream) = idle.swap_remove(at);
                return Some(Lane { lanes: self, stream: Some(stream) });
            }
        }
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        match connect(info).await {
            Ok(Some(stream)) => Some(Lane { lanes: self, stream: Some(stream) }),
            _ => {
                self.open.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Closes those that carry nothing; one of them may be dead without saying so.
    pub(super) fn forget(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        self.open.fetch_sub(idle.len(), Ordering::Relaxed);
    }
}

/// A connection that is logged in; none where that takes more than a word.
async fn connect(info: &ConnectionInfo) -> io::Result<Option<TcpStream>> {
    let ConnectionAddr::Tcp(host, port) = info.addr() else { return Ok(None) };
    let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
    stream.set_nodelay(true)?;
    let settings = info.redis_settings();
    let mut hello = Commands::default();
    if let Some(password) = settings.password() {
        let user = settings.username();
        hello.begin(2 + usize::from(user.is_some()), b"AUTH");
        user.iter().for_each(|user| hello.word(&[user.as_bytes()]));
        hello.word(&[password.as_bytes()]);
    }
    if settings.db() != 0 {
        hello.begin(2, b"SELECT");
        hello.word(&[settings.db().to_string().as_bytes()]);
    }
    stream.write_all(&hello.bytes).await?;
    let mut expected = vec![0; hello.len() * b"+OK\r\n".len()];
    stream.read_exact(&mut expected).await?;
    Ok((expected == b"+OK\r\n".repeat(hello.len())).then_some(stream))
}

async fn exchange(stream: &mut TcpStream, commands: &Commands) -> io::Result<Option<Vec<Reply>>> {
    if commands.bytes.len() > WRITE_BYTES {
        // Answers could fill both sides' buffers while we still write.
        let (mut read, mut write) = stream.split();
        let written = write.write_all(&commands.bytes);
        let (written, replies) = tokio::join!(written, read_replies(&mut read, commands.count));
        written?;
        return replies;
    }
    stream.write_all(&commands.bytes).await?;
    read_replies(stream, commands.count).await
}

async fn read_replies(
    stream: &mut (impl AsyncReadExt + Unpin),
    commands: usize,
) -> io::Result<Option<Vec<Reply>>> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut tokens = Vec::with_capacity(2 * commands);
    let (mut left, mut at) = (commands, 0);
    while left > 0 {
        match token(&buffer, at) {
            Parsed::Whole(token, end) => {
                at = end;
                left -= 1;
                if let Token::Array(items) = token {
                    left += items;
                }
                tokens.push(token);
            }
            Parsed::Unusual => return Ok(None),
            Parsed::Cut => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(None);
                }
            }
        }
    }
    let is_all = at == buffer.len();
    let buffer = buffer.freeze();
    let reply = |token| match token {
        Token::Number(number) => Reply::Number(number),
        Token::Bytes(place) => Reply::Bytes(buffer.slice(place)),
        Token::Nil => Reply::Nil,
        Token::Array(items) => Reply::Array(items),
    };
    Ok(is_all.then(|| tokens.into_iter().map(reply).collect()))
}

/// A piece of an answer, or of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Number(i64),
    /// Where they are.
    Bytes(Range<usize>),
    Nil,
    Array(usize),
}

enum Parsed {
    /// A token, and where it ends.
    Whole(Token, usize),
    /// The beginning of one.
    Cut,
    /// An error, or something that no command of ours is answered by.
    Unusual,
}

/// Items of one array: more is damage, not an answer.
const MOST_ITEMS: i64 = 1 << 24;
/// Bytes of one item, which Redis holds strings to.
const MOST_BYTES: i64 = 512 << 20;

/// The token that begins at `at`.
fn token(bytes: &[u8], at: usize) -> Parsed {
    let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return Parsed::Cut };
    let Some(end) = rest.iter().take(32).position(|byte| *byte == b'\n') else {
        return if rest.len() >= 32 { Parsed::Unusual } else { Parsed::Cut };
    };
    let line = rest[1.min(end)..end].strip_suffix(b"\r");
    let number = line.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<i64>().ok());
    let start = at + end + 1;
    match (rest[0], number) {
        (b':', Some(number)) => Parsed::Whole(Token::Number(number), start),
        (b'$' | b'*', Some(-1)) => Parsed::Whole(Token::Nil, start),
        (b'*', Some(items @ 0..=MOST_ITEMS)) => Parsed::Whole(Token::Array(items as usize), start),
        (b'$', Some(length @ 0..=MOST_BYTES)) => {
            let end = start + length as usize;
            match bytes.get(end..end + 2) {
                Some(b"\r\n") => Parsed::Whole(Token::Bytes(start..end), end + 2),
                Some(_) => Parsed::Unusual,
                None => Parsed::Cut,
            }
        }
        _ => Parsed::Unusual,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_what_servers_read() {
        let mut commands = Commands::default();
        commands.begin(4, b"ZADD");
        commands.word(&[b"p/", b"e", b"}r"]);
        commands.word(&[b"0"]);
        commands.word(&[b"r\0\xff\0\0", b"\r\n"]);
        commands.begin(2, b"GET");
        commands.word(&[b"state"]);
        let expected = b"*4\r\n$4\r\nZADD\r\n$5\r\np/e}r\r\n$1\r\n0\r\n$7\r\nr\0\xff\0\0\r\n\r\n*2\r\n$3\r\nGET\r\n$5\r\nstate\r\n";
        assert_eq!(commands.bytes, expected);
        assert_eq!(commands.len(), 2);
        // The general way says the same.
        let packed: Vec<u8> = commands
            .requests()
            .iter()
            .flat_map(|request| request.command.get_packed_command())
            .collect();
        assert_eq!(packed, expected);
    }

    fn read(bytes: &[u8], commands: usize) -> Option<Vec<Reply>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut bytes = bytes;
        runtime.block_on(read_replies(&mut bytes, commands)).unwrap()
    }

    #[test]
    fn answers_are_read_whole_or_left_to_the_general_way() {
        let whole = b"*2\r\n$5\r\na\r\nb\n\r\n$-1\r\n:-12\r\n*0\r\n$0\r\n\r\n";
        let bytes = |text: &'static [u8]| Reply::Bytes(Bytes::from_static(text));
        let expected = [
            Reply::Array(2),
            bytes(b"a\r\nb\n"),
            Reply::Nil,
            Reply::Number(-12),
            Reply::Array(0),
            bytes(b""),
        ];
        assert_eq!(read(whole, 4).unwrap(), expected);
        assert_eq!(read(whole, 3), None, "there is more than was asked for");
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], 4), None, "{end}");
        }
        for unusual in [
            &b"-OOM no\r\n"[..],
            b"+OK\r\n",
            b"\r\n",
            b"\n",
            b":x\r\n",
            b"$99999999999\r\n",
            b"*-2\r\n",
            b"$1\r\nabcd",
        ] {
            assert_eq!(read(unusual, 1), None, "{unusual:?}");
        }
    }

    #[test]
    fn the_general_ways_answers_are_the_same() {
        use redis::Value;
        let values =
            vec![Value::Array(vec![Value::BulkString(b"a".to_vec()), Value::Nil]), Value::Int(7)];
        assert_eq!(replies_of(values), read(b"*2\r\n$1\r\na\r\n$-1\r\n:7\r\n", 2));
        assert_eq!(replies_of(vec![Value::Okay]), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>, commands in 1..4_usize) {
            let _ = read(&bytes, commands);
        }
    }
}
