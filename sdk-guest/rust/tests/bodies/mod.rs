//! Writes requests and reads replies by the letter of `wit/README.md`,
//! without the code under test.

#![allow(dead_code, reason = "not every test needs all of it")]

use unskew::__private::{Reply, Request};

/// A request that is put together column by column.
pub struct Columns {
    rows: usize,
    groups: usize,
    entries: Vec<Entry>,
    buffers: Vec<Vec<u8>>,
}

enum Entry {
    Node(usize, usize),
    Buffer(usize),
}

pub trait Bytes: Copy + Default {
    fn bytes(self) -> Vec<u8>;
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! bytes {
    ($($type:ty),*) => { $(
        impl Bytes for $type {
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn read(bytes: &[u8]) -> Self {
                <$type>::from_le_bytes(bytes.try_into().unwrap())
            }
        }
    )* };
}
bytes!(i8, i16, i32, i64, i128, u8, u16, u32, u64, f32, f64);

impl Columns {
    pub fn new(rows: usize) -> Self {
        Self { rows, groups: 0, entries: Vec::new(), buffers: Vec::new() }
    }

    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    fn buffer(mut self, bytes: Vec<u8>) -> Self {
        self.entries.push(Entry::Buffer(self.buffers.len()));
        self.buffers.push(bytes);
        self
    }

    pub fn node<T>(mut self, values: &[Option<T>]) -> Self {
        let nulls = values.iter().filter(|v| v.is_none()).count();
        self.entries.push(Entry::Node(values.len(), nulls));
        let bits: Vec<bool> = values.iter().map(Option::is_some).collect();
        self.buffer(if nulls == 0 { Vec::new() } else { bitmap(&bits) })
    }

    pub fn plain<T: Bytes>(self, values: &[Option<T>]) -> Self {
        let bytes = values.iter().flat_map(|v| v.unwrap_or_default().bytes()).collect();
        self.node(values).buffer(bytes)
    }

    pub fn bools(self, values: &[Option<bool>]) -> Self {
        let bits: Vec<bool> = values.iter().map(|v| v.unwrap_or(false)).collect();
        self.node(values).buffer(bitmap(&bits))
    }

    pub fn offsets(self, lengths: impl Iterator<Item = usize>) -> Self {
        let mut offsets = 0_i32.bytes();
        let mut end = 0;
        for length in lengths {
            end += length as i32;
            offsets.extend(end.bytes());
        }
        self.buffer(offsets)
    }

    pub fn binary<T: AsRef<[u8]>>(self, values: &[Option<T>]) -> Self {
        let bytes: Vec<&[u8]> =
            values.iter().map(|v| v.as_ref().map_or(&[][..], T::as_ref)).collect();
        self.node(values).offsets(bytes.iter().map(|b| b.len())).buffer(bytes.concat())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let table_end = 16 + 8 * self.entries.len();
        let mut at = table_end.next_multiple_of(16);
        let mut places = Vec::new();
        for buffer in &self.buffers {
            places.push((at, buffer.len()));
            at = (at + buffer.len()).next_multiple_of(16);
        }
        let mut body = b"USB1".to_vec();
        for word in [self.rows, self.groups, at] {
            body.extend((word as u32).bytes());
        }
        for entry in &self.entries {
            let (first, second) = match entry {
                Entry::Node(length, nulls) => (*length, *nulls),
                Entry::Buffer(index) => places[*index],
            };
            body.extend((first as u32).bytes());
            body.extend((second as u32).bytes());
        }
        for ((at, _), buffer) in places.iter().zip(&self.buffers) {
            body.resize(*at, 0);
            body.extend(buffer);
        }
        body.resize(at, 0);
        body
    }

    /// Calls a function of the module under test.
    pub fn call(&self, function: fn(&mut Request<'_>, &mut Reply)) -> Body {
        let mut reply = Reply::new();
        // The same memory twice: what an earlier call left must not show.
        for _ in 0..2 {
            with_aligned(&self.bytes(), |bytes| function(&mut Request::new(bytes), &mut reply));
        }
        Body::new(reply.as_bytes())
    }
}

/// Gives `bytes` at an address that is a multiple of 16.
pub fn with_aligned<R>(bytes: &[u8], function: impl FnOnce(&[u8]) -> R) -> R {
    let mut memory = vec![0_u8; bytes.len() + 16];
    let from = memory.as_ptr().align_offset(16);
    memory[from..from + bytes.len()].copy_from_slice(bytes);
    function(&memory[from..from + bytes.len()])
}

pub fn bitmap(bits: &[bool]) -> Vec<u8> {
    let byte = |chunk: &[bool]| (0..chunk.len()).map(|i| u8::from(chunk[i]) << i).sum();
    bits.chunks(8).map(byte).collect()
}

/// A reply that is read column by column.
pub struct Body {
    bytes: Vec<u8>,
    at: usize,
    pub rows: usize,
}

impl Body {
    fn new(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        assert_eq!(&bytes[..4], b"USB1");
        let mut body = Self { bytes, at: 4, rows: 0 };
        body.rows = body.word();
        assert_eq!(body.word(), 0, "a reply has no groups");
        assert_eq!(body.word(), body.bytes.len(), "the length that it says");
        body
    }

    fn word(&mut self) -> usize {
        self.at += 4;
        u32::read(&self.bytes[self.at - 4..self.at]) as usize
    }

    fn buffer(&mut self) -> Vec<u8> {
        let (offset, length) = (self.word(), self.word());
        assert_eq!(offset % 16, 0, "a buffer begins at a multiple of 16");
        self.bytes[offset..offset + length].to_vec()
    }

    /// Length and validity of the next column.
    pub fn node(&mut self) -> (usize, Vec<bool>) {
        let (length, nulls) = (self.word(), self.word());
        let bitmap = self.buffer();
        assert_eq!(bitmap.len(), if nulls == 0 { 0 } else { length.div_ceil(8) });
        let bit = |i: usize| bitmap.is_empty() || bitmap[i / 8] >> (i % 8) & 1 == 1;
        let valid: Vec<bool> = (0..length).map(bit).collect();
        assert_eq!(valid.iter().filter(|v| !**v).count(), nulls);
        (length, valid)
    }

    pub fn plain<T: Bytes>(&mut self) -> Vec<Option<T>> {
        let (length, valid) = self.node();
        let bytes = self.buffer();
        assert_eq!(bytes.len(), length * size_of::<T>());
        let values = bytes.chunks(size_of::<T>()).map(T::read);
        values.zip(valid).map(|(value, valid)| valid.then_some(value)).collect()
    }

    pub fn bools(&mut self) -> Vec<Option<bool>> {
        let (length, valid) = self.node();
        let bits = self.buffer();
        assert_eq!(bits.len(), length.div_ceil(8));
        (0..length).map(|i| valid[i].then_some(bits[i / 8] >> (i % 8) & 1 == 1)).collect()
    }

    pub fn offsets(&mut self, rows: usize) -> Vec<usize> {
        let offsets: Vec<usize> = self.buffer().chunks(4).map(|b| i32::read(b) as usize).collect();
        assert_eq!(offsets.len(), rows + 1);
        assert_eq!(offsets[0], 0);
        offsets
    }

    pub fn binary(&mut self) -> Vec<Option<Vec<u8>>> {
        let (length, valid) = self.node();
        let offsets = self.offsets(length);
        let bytes = self.buffer();
        assert_eq!(offsets[length], bytes.len());
        (0..length).map(|i| valid[i].then(|| bytes[offsets[i]..offsets[i + 1]].to_vec())).collect()
    }

    pub fn texts(&mut self) -> Vec<Option<String>> {
        let texts = self.binary().into_iter();
        texts.map(|text| text.map(|text| String::from_utf8(text).unwrap())).collect()
    }

    /// The failed rows; the last that is read.
    pub fn errors(mut self) -> Vec<(u32, String)> {
        let rows: Vec<u32> = self.buffer().chunks(4).map(u32::read).collect();
        let offsets = self.offsets(rows.len());
        let messages = String::from_utf8(self.buffer()).unwrap();
        assert_eq!(offsets[rows.len()], messages.len());
        rows.iter()
            .enumerate()
            .map(|(i, row)| (*row, messages[offsets[i]..offsets[i + 1]].to_owned()))
            .collect()
    }
}

/// All of them present.
pub fn all<T: Clone>(values: &[T]) -> Vec<Option<T>> {
    values.iter().cloned().map(Some).collect()
}
