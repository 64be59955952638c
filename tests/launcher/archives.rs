//! Tar archives made byte by byte, right ones and wrong ones.
//!
//! The tests say what each header holds, so that they do not depend on what some tar program would
//! write, and can say what none would.

use std::io::Write;
use std::process::{Command, Stdio};

/// When everything in the archives was changed, unless a test says otherwise.
pub const TIME: u64 = 1_000_000_000;

/// One entry of an archive: what stands in front of it, its header, and its content.
#[derive(Clone)]
pub struct Entry {
    before: Vec<u8>,
    records: Vec<u8>,
    header: [u8; 512],
    body: Vec<u8>,
    wrong_checksum: bool,
}

impl Entry {
    /// An entry of this type flag. A name that is too long for the header is said by PAX.
    pub fn new(kind: u8, name: impl AsRef<[u8]>) -> Self {
        let mut entry = Self {
            before: Vec::new(),
            records: Vec::new(),
            header: [0; 512],
            body: Vec::new(),
            wrong_checksum: false,
        };
        entry.header[156] = kind;
        let entry = entry.set(257, b"ustar\x0000").mode(if kind == b'5' { 0o755 } else { 0o644 });
        entry
            .owner(0, 0)
            .time(TIME)
            .size(0)
            .set(329, b"0000000\0")
            .set(337, b"0000000\0")
            .name(name)
    }

    pub fn folder(name: impl AsRef<[u8]>) -> Self {
        Self::new(b'5', name)
    }

    pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self::new(b'0', name).body(content)
    }

    pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(b'2', name).mode(0o777).target(target)
    }

    pub fn hard_link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(b'1', name).target(target)
    }

    pub fn device(kind: u8, name: &str, major: u32, minor: u32) -> Self {
        let number = |number: u32| format!("{number:07o}\0");
        Self::new(kind, name).set(329, number(major).as_bytes()).set(337, number(minor).as_bytes())
    }

    /// Writes this at this place of the header.
    pub fn set(mut self, place: usize, bytes: &[u8]) -> Self {
        self.header[place..place + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn name(self, name: impl AsRef<[u8]>) -> Self {
        match name.as_ref() {
            name if name.len() <= 100 => self.set(0, name),
            name => self.set(0, &name[..100]).pax("path", name),
        }
    }

    fn target(self, target: impl AsRef<[u8]>) -> Self {
        match target.as_ref() {
            target if target.len() <= 100 => self.set(157, target),
            target => self.set(157, &target[..100]).pax("linkpath", target),
        }
    }

    pub fn mode(self, mode: u32) -> Self {
        self.set(100, format!("{mode:07o}\0").as_bytes())
    }

    /// Numbers that seven octal digits do not hold are written in base 256, as GNU tar does.
    pub fn owner(self, user: u32, group: u32) -> Self {
        let field = |id: u32| match id {
            0..=0o7_777_777 => format!("{id:07o}\0").into_bytes(),
            _ => [&[0x80, 0, 0, 0][..], &id.to_be_bytes()].concat(),
        };
        self.set(108, &field(user)).set(116, &field(group))
    }

    pub fn time(self, seconds: u64) -> Self {
        self.set(136, format!("{seconds:011o}\0").as_bytes())
    }

    /// What the header says of the size; [`Self::body`] says the truth.
    pub fn size(self, size: u64) -> Self {
        self.set(124, format!("{size:011o}\0").as_bytes())
    }

    pub fn body(mut self, content: impl AsRef<[u8]>) -> Self {
        self.body = content.as_ref().into();
        let size = self.body.len() as u64;
        self.size(size)
    }

    /// Adds a record to the extended header.
    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.records.extend(record(key, value.as_ref()));
        self
    }

    /// Puts an extended header in front that says exactly this.
    pub fn pax_bytes(mut self, records: &[u8]) -> Self {
        self.records.extend(records);
        self
    }

    /// The name as GNU tar writes a long one: as the content of an entry in front.
    pub fn gnu_name(self, name: impl AsRef<[u8]>) -> Self {
        self.gnu(b'L', name.as_ref())
    }

    /// The target of a link, likewise.
    pub fn gnu_target(self, target: impl AsRef<[u8]>) -> Self {
        self.gnu(b'K', target.as_ref())
    }

    fn gnu(mut self, kind: u8, text: &[u8]) -> Self {
        let text = [text, b"\0"].concat();
        let entry = Self::new(kind, "././@LongLink").body(text).set(257, b"ustar  \0");
        self.before.extend(entry.bytes());
        self.set(257, b"ustar  \0")
    }

    pub fn with_wrong_checksum(mut self) -> Self {
        self.wrong_checksum = true;
        self
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let mut all = self.before;
        if !self.records.is_empty() {
            all.extend(Self::new(b'x', "PaxHeaders/entry").body(&self.records).bytes());
        }
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|byte| u32::from(*byte)).sum();
        let sum = sum + u32::from(self.wrong_checksum);
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        all.extend(self.header);
        let padded = self.body.len().next_multiple_of(512);
        self.body.resize(padded, 0);
        all.extend(self.body);
        all
    }
}

/// A record of an extended header. It begins with its own length.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let length = |digits: usize| rest.len() + digits;
    let digits = (1..20).find(|digits| length(*digits).to_string().len() == *digits).unwrap();
    [length(digits).to_string().as_bytes(), &rest].concat()
}

/// An archive of these entries, with its end.
pub fn tar(entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let mut archive: Vec<u8> = entries.into_iter().flat_map(Entry::bytes).collect();
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// A file with holes: what it is called, how long it is, and its pieces of data by their offset.
pub struct Sparse<'a> {
    pub name: String,
    pub size: u64,
    pub pieces: &'a [(u64, &'a [u8])],
}

impl Sparse<'_> {
    fn data(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, data)| data.iter().copied()).collect()
    }

    fn map(&self, between: &str) -> String {
        let numbers = self.pieces.iter().flat_map(|(at, data)| [*at, data.len() as u64]);
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(between)
    }

    /// PAX format 0.0: a record for each number.
    pub fn pax_0_0(&self) -> Entry {
        let mut entry = Entry::file(&self.name, self.data())
            .pax("GNU.sparse.size", self.size.to_string())
            .pax("GNU.sparse.numblocks", self.pieces.len().to_string());
        for (at, data) in self.pieces {
            entry = entry
                .pax("GNU.sparse.offset", at.to_string())
                .pax("GNU.sparse.numbytes", data.len().to_string());
        }
        entry
    }

    /// PAX format 0.1: a record for the map.
    pub fn pax_0_1(&self) -> Entry {
        Entry::file("GNUSparseFile.0/x", self.data())
            .pax("GNU.sparse.name", &self.name)
            .pax("GNU.sparse.size", self.size.to_string())
            .pax("GNU.sparse.numblocks", self.pieces.len().to_string())
            .pax("GNU.sparse.map", self.map(","))
    }

    /// PAX format 1.0: the map stands in front of the data.
    pub fn pax_1_0(&self) -> Entry {
        let mut body = format!("{}\n{}\n", self.pieces.len(), self.map("\n")).into_bytes();
        body.resize(body.len().next_multiple_of(512), 0);
        body.extend(self.data());
        Entry::file("GNUSparseFile.0/x", body)
            .pax("GNU.sparse.major", "1")
            .pax("GNU.sparse.minor", "0")
            .pax("GNU.sparse.name", &self.name)
            .pax("GNU.sparse.realsize", self.size.to_string())
    }

    /// The format of GNU tar before PAX: four pieces in the header, 21 in each block behind it.
    pub fn old_gnu(&self) -> Vec<u8> {
        let piece = |(at, data): &(u64, &[u8])| format!("{at:011o}\0{:011o}\0", data.len());
        let (first, rest) = self.pieces.split_at(self.pieces.len().min(4));
        let first: String = first.iter().map(piece).collect();
        let mut header = Entry::new(b'S', &self.name)
            .set(257, b"ustar  \0")
            .set(345, &[0; 155])
            .set(386, first.as_bytes())
            .set(483, format!("{:011o}\0", self.size).as_bytes())
            .size(self.data().len() as u64);
        if !rest.is_empty() {
            header = header.set(482, b"\x01");
        }
        let mut all = header.bytes();
        let mut blocks = rest.chunks(21).peekable();
        while let Some(pieces) = blocks.next() {
            let mut block: Vec<u8> = pieces.iter().map(piece).collect::<String>().into();
            block.resize(512, 0);
            block[504] = u8::from(blocks.peek().is_some());
            all.extend(block);
        }
        all.extend(self.data());
        all.resize(all.len().next_multiple_of(512), 0);
        all
    }
}

/// Runs a program that reads this and prints what is returned, such as `gzip`.
pub fn through(program: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut pipe = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input).unwrap());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program}");
        output.stdout
    })
}
