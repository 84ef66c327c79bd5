//! The write-ahead log of pushes: what was acknowledged is on the disk, and is
//! read again in order, also by the next process.
//!
//! Segments are files of records: length, checksum, bytes. Each process begins
//! a segment of its own, so a record torn by a crash can only be the last of
//! its file, and was never acknowledged. A segment whose records were all
//! applied is removed; how far the oldest one was applied stands in a small
//! file beside them, which may lag: applying a record again is harmless.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::sync::{oneshot, watch};

use crate::error::OnlineError;

/// A segment that is longer is followed by a new one.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Records that wait for the disk together, at most.
const GROUP: usize = 1024;
const HEADER: usize = 12;
const LARGEST: u32 = 1 << 30;
const POSITION: &str = "applied";
const LOCK: &str = "lock";

/// A place in the log: segment and byte.
type Position = (u64, u64);

struct Append {
    payload: Vec<u8>,
    done: oneshot::Sender<Result<(), String>>,
}

/// Appends records; see [`LogReader`] for the other end.
#[derive(Clone)]
pub(crate) struct PushLog {
    appends: SyncSender<Append>,
    place: PathBuf,
}

/// Reads records in the order in which they were acknowledged, those of earlier
/// processes first.
pub(crate) struct LogReader {
    dir: PathBuf,
    at: Position,
    durable: watch::Receiver<Position>,
    file: Option<(u64, File)>,
    /// Held as long as the log is read, so that no second server applies it.
    _lock: File,
}

impl PushLog {
    /// Opens the log in the folder `dir`, which is made if it is not there.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, LogReader)> {
        fs::create_dir_all(dir)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK))?;
        if lock.try_lock().is_err() {
            return Err(io::Error::other(
                "another server uses it; give each its own folder (serve.push_log)",
            ));
        }
        let segments = segments(dir)?;
        let number = segments.last().map_or(1, |last| last + 1);
        let file = create(dir, number)?;
        let applied = read_position(dir).unwrap_or((0, 0));
        let first = segments.first().copied().unwrap_or(number);
        let at = if applied.0 < first { (first, 0) } else { applied };
        let (appends, queue) = sync_channel(GROUP);
        let (tell, durable) = watch::channel((number, 0));
        let dir_of_writer = dir.to_owned();
        let writer = Writer { dir: dir_of_writer, number, file, length: 0, tell };
        thread::Builder::new()
            .name("unskew-push-log".to_owned())
            .spawn(move || writer.run(&queue))?;
        let place = dir.to_owned();
        let reader = LogReader { dir: dir.to_owned(), at, durable, file: None, _lock: lock };
        Ok((Self { appends, place }, reader))
    }

    /// Returns when the record is on the disk.
    pub(crate) async fn append(&self, payload: Vec<u8>) -> Result<(), OnlineError> {
        let failed = |why: &str| {
            let place = self.place.display();
            OnlineError::Unavailable(format!("the push log in {place} could not be written: {why}"))
        };
        let (done, wait) = oneshot::channel();
        let mut append = Append { payload, done };
        // The writer syncs a group at a time; a full queue empties within one sync.
        loop {
            match self.appends.try_send(append) {
                Ok(()) => break,
                Err(std::sync::mpsc::TrySendError::Full(back)) => {
                    append = back;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(_) => return Err(failed("its thread ended")),
            }
        }
        match wait.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(failed(&why)),
            Err(_) => Err(failed("its thread ended")),
        }
    }
}

struct Writer {
    dir: PathBuf,
    number: u64,
    file: File,
    length: u64,
    tell: watch::Sender<Position>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Append>) {
        let mut group = Vec::new();
        let mut bytes = Vec::new();
        while let Ok(first) = queue.recv() {
            group.push(first);
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            bytes.clear();
            group.iter().for_each(|append| encode(&append.payload, &mut bytes));
            let result = self.write(&bytes).map_err(|error| error.to_string());
            if result.is_ok() {
                self.tell.send_replace((self.number, self.length));
            }
            for append in group.drain(..) {
                // Who waited may have gone; the record is there all the same.
                let _ = append.done.send(result.clone());
            }
        }
    }

    /// All of it is on the disk, or none of it is part of the log.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length >= SEGMENT_BYTES {
            self.file = create(&self.dir, self.number + 1)?;
            (self.number, self.length) = (self.number + 1, 0);
        }
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was begun must not stand before what comes next.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

fn encode(payload: &[u8], bytes: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum(payload));
    bytes.extend_from_slice(payload);
}

fn checksum(payload: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&blake3::hash(payload).as_bytes()[..8]);
    short
}

impl LogReader {
    /// The next record; waits for one as long as there is none. `None` when
    /// the log is closed and was read to its end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let durable = *self.durable.borrow_and_update();
            if self.at < durable {
                match self.read(durable)? {
                    Some(payload) => return Ok(Some(payload)),
                    None => continue,
                }
            }
            if self.durable.changed().await.is_err() && self.at >= *self.durable.borrow() {
                return Ok(None);
            }
        }
    }

    /// Bytes of the log that were not read yet.
    pub(crate) fn lag_bytes(&self) -> u64 {
        let (segment, length) = *self.durable.borrow();
        let earlier = (self.at.0..segment).map(|number| {
            fs::metadata(path_of(&self.dir, number)).map_or(0, |metadata| metadata.len())
        });
        (earlier.sum::<u64>() + length).saturating_sub(self.at.1)
    }

    /// Reads one record, or goes on to the next segment.
    fn read(&mut self, durable: Position) -> io::Result<Option<Vec<u8>>> {
        let (number, offset) = self.at;
        let mut file = match self.file.take() {
            Some((open, file)) if open == number => file,
            _ => match File::open(path_of(&self.dir, number)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.at = (number + 1, 0);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            },
        };
        let end = if number == durable.0 { durable.1 } else { file.metadata()?.len() };
        if offset >= end {
            self.at = (number + 1, 0);
            fs::remove_file(path_of(&self.dir, number))?;
            return Ok(None);
        }
        file.seek(SeekFrom::Start(offset))?;
        match read_record(&mut file, end - offset)? {
            Some(payload) => {
                self.at.1 = offset + (HEADER + payload.len()) as u64;
                self.file = Some((number, file));
                Ok(Some(payload))
            }
            None => {
                tracing::warn!(
                    segment = number,
                    bytes = end - offset,
                    "the push log's segment ends in bytes that are no record, as after a crash: they were never acknowledged"
                );
                self.at = (number + 1, 0);
                Ok(None)
            }
        }
    }

    /// Notes that all that was read is applied.
    pub(crate) fn applied(&self) -> io::Result<()> {
        let (number, offset) = self.at;
        let beside = self.dir.join(format!("{POSITION}.new"));
        fs::write(&beside, format!("{number} {offset}\n"))?;
        fs::rename(beside, self.dir.join(POSITION))
    }
}

fn read_record(file: &mut File, left: u64) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; HEADER];
    if left < HEADER as u64 {
        return Ok(None);
    }
    file.read_exact(&mut header)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    if length > LARGEST || u64::from(length) > left - HEADER as u64 {
        return Ok(None);
    }
    let mut payload = vec![0; length as usize];
    file.read_exact(&mut payload)?;
    Ok((checksum(&payload) == header[4..]).then_some(payload))
}

fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.log"))
}

fn create(dir: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new().create_new(true).write(true).open(path_of(dir, number))?;
    // The file's name must be as durable as what is written into it.
    File::open(dir)?.sync_all()?;
    Ok(file)
}

fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn read_position(dir: &Path) -> Option<Position> {
    let text = fs::read_to_string(dir.join(POSITION)).ok()?;
    let (number, offset) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records before one that is put behind them.
    async fn read_all(log: &PushLog, reader: &mut LogReader) -> Vec<Vec<u8>> {
        log.append(b"end".to_vec()).await.unwrap();
        let mut records = Vec::new();
        loop {
            let record = tokio::time::timeout(std::time::Duration::from_secs(20), reader.next());
            match record.await.unwrap().unwrap().unwrap() {
                record if record == b"end" => return records,
                record => records.push(record),
            }
        }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_read_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let (log, reader) = PushLog::open(dir.path()).unwrap();
        for record in ["a", "", "ccc"] {
            log.append(record.as_bytes().to_vec()).await.unwrap();
        }
        assert!(PushLog::open(dir.path()).err().unwrap().to_string().contains("another server"));
        drop((log, reader));
        // A record that a crash tore.
        let segment = path_of(dir.path(), 1);
        let mut bytes = fs::read(&segment).unwrap();
        bytes.extend([9, 0, 0, 0, 1, 2, 3]);
        fs::write(&segment, &bytes).unwrap();

        let (log, mut reader) = PushLog::open(dir.path()).unwrap();
        log.append(b"d".to_vec()).await.unwrap();
        assert_eq!(read_all(&log, &mut reader).await, [&b"a"[..], b"", b"ccc", b"d"]);
        assert_eq!(reader.lag_bytes(), 0);
        reader.applied().unwrap();
        drop((log, reader));

        let (log, mut reader) = PushLog::open(dir.path()).unwrap();
        assert!(read_all(&log, &mut reader).await.is_empty());
        // The reader walks past what was applied; only the newest segment is left.
        assert!(segments(dir.path()).unwrap().len() <= 2);
    }

    #[tokio::test]
    async fn a_damaged_record_ends_its_segment() {
        let dir = tempfile::tempdir().unwrap();
        let (log, reader) = PushLog::open(dir.path()).unwrap();
        for record in ["first", "second"] {
            log.append(record.as_bytes().to_vec()).await.unwrap();
        }
        drop((log, reader));
        let segment = path_of(dir.path(), 1);
        let mut bytes = fs::read(&segment).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&segment, bytes).unwrap();
        let (log, mut reader) = PushLog::open(dir.path()).unwrap();
        assert_eq!(read_all(&log, &mut reader).await, [b"first"]);
    }
}
